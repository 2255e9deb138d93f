/**
 * Counts how many requests of a contract year were admitted, and how each day's requests ended.
 *
 * Isolates send running totals, never events. So nothing counts twice, and no repeated message is lost: the gate adds
 * the increase of a total. The totals received so far are stored with the horizon row. After a restart the next total
 * of each isolate makes up for whatever was not stored. Permits that are granted and not yet accounted for are `owed`.
 * No grant is made when count and owed together would pass the limit.
 */

import { DAY_MS } from '../../shared/durations.ts'
import {
  COUNTED_DAYS_MAX,
  HORIZON_AHEAD_MS,
  POLICY_TTL_MS,
  TALLIES_MAX,
  TALLY_MEMORY_MS,
  USAGE_DAYS,
} from '../protocol/constants.ts'
import type { Policy, Tally } from '../protocol/leases.ts'
import type { Usage } from '../protocol/usage.ts'
import { type ContractYear, contractYear, countingEnds, dayOf, firstCountedDay } from './contract-year.ts'

/** The last totals that the gate received from one isolate. The names are those of the stored row. */
export interface TallyRow {
  admitted: number
  limited: number
  /** Absent from a row that older code has stored. */
  errors?: number
  heardAtMs: number
  /** Epoch of the newest lease that the isolate is known to have. */
  epoch: number
  ordinal: number
  /** Permits granted, and neither reported spent nor given up. */
  owed: number
  /** Grants among these that the isolate has not confirmed. */
  unheard: { epoch: number; ordinal: number; permits: number }[]
  /** Permits among these that waiting requests were to spend at once. */
  awaited: number
}

/** How the requests of one day ended. */
type DayCount = Usage['days'][string]

/** The requests that are added to a day. */
type Added = Partial<Record<keyof DayCount, number>>

/** The stored part of the count, in the horizon row. */
export interface AnnualRow {
  /** First day that is counted; `''` before the first policy. */
  yearStart: string
  /** Requests since that day. */
  count: number
  days: Record<string, DayCount>
  tallies: Record<string, TallyRow>
  /** Writes up to this number are in `count`. Later ones are added from the write log. */
  countedSeq: number
}

interface ReceivedTally extends TallyRow {
  errors: number
  savedAdmitted: number
  savedLimited: number
  savedErrors: number
}

export class AnnualCount {
  #countedFrom: string | null = null
  /** The year that the contract in force is in. */
  #year: (ContractYear & { contractStart: string }) | null = null
  #count = 0
  #owed = 0
  #days = new Map<string, DayCount>()
  #tallies = new Map<string, ReceivedTally>()

  /** `row` as it was stored; null for a tenant that was never counted. */
  constructor(row: AnnualRow | null) {
    if (!row) return
    this.#countedFrom = row.yearStart || null
    this.#days = daysOf(row)
    this.#count = admittedSince(this.#days, row.yearStart)
    for (const [id, stored] of Object.entries(row.tallies)) {
      const { admitted: savedAdmitted, limited: savedLimited, errors = 0 } = stored
      const saved = { savedAdmitted, savedLimited, savedErrors: errors }
      this.#tallies.set(id, { ...structuredClone(stored), errors, ...saved })
      this.#owed += stored.owed
    }
  }

  /**
   * Moves on to the year that the contract is in, if the year that is counted is over. Call it before `room`. The count
   * is always the sum of its days, so a clock that was ahead and a contract that was moved lose nothing.
   */
  enterYear(contractStart: string, nowMs: number): void {
    if (this.#year?.contractStart !== contractStart || nowMs >= this.#year.endsAtMs) {
      this.#year = { contractStart, ...contractYear(contractStart, nowMs) }
    }
    const firstDay = firstCountedDay(this.#year.yearStart, this.#countedFrom, nowMs)
    if (firstDay === this.#countedFrom) return
    this.#countedFrom = firstDay
    this.#count = admittedSince(this.#days, firstDay)
  }

  /** Returns the permits that may still be granted this year. */
  room(annualLimit: number | null): number {
    return annualLimit === null ? Number.POSITIVE_INFINITY : Math.max(0, annualLimit - this.#count - this.#owed)
  }

  /** Returns how long it takes until there is room again. If outstanding permits alone fill the year: a lease's life. */
  roomInMs(annualLimit: number, nowMs: number): number {
    if (this.#count < annualLimit || !this.#year) return POLICY_TTL_MS
    const { yearStart, endsAtMs } = this.#year
    const [movesOnAtMs = endsAtMs] = countingEnds(this.#year, this.#countedFrom ?? yearStart)
    const hasRoomThen = admittedSince(this.#days, yearStart) < annualLimit
    return (hasRoomThen ? movesOnAtMs : endsAtMs) - nowMs
  }

  /** Adds an isolate's totals, and settles its grants by them. */
  receive(tally: Tally, nowMs: number): void {
    const received = this.#tallies.get(tally.id) ?? firstTally(tally)
    this.#tallies.delete(tally.id)
    this.#tallies.set(tally.id, received)
    const added = {
      admitted: Math.max(0, tally.admitted - received.admitted),
      limited: Math.max(0, tally.limited - received.limited),
      errors: Math.max(0, (tally.errors ?? 0) - received.errors),
    }
    this.#add(added, nowMs)
    received.heardAtMs = nowMs
    const has = { epoch: tally.lastLeaseEpoch, ordinal: tally.lastLeaseOrdinal }
    const overtaken = tally.admitted < received.admitted || isNewer(received, has)
    received.admitted = Math.max(received.admitted, tally.admitted)
    received.limited = Math.max(received.limited, tally.limited)
    received.errors = Math.max(received.errors, tally.errors ?? 0)
    // An older message of the same isolate has no news about `owed`.
    if (overtaken) return
    Object.assign(received, has)
    received.unheard = received.unheard.filter((grant) => isNewer(grant, has))
    if (received.unheard.length === 0) received.awaited = 0
    this.#owe(received, tally.held + received.unheard.reduce((sum, grant) => sum + grant.permits, 0))
  }

  /**
   * Notes a lease that granted `permits` to an isolate whose totals were received before; `awaited` of them are for
   * waiting requests.
   */
  granted(tallyId: string, lease: { epoch: number; ordinal: number }, permits: number, awaited: number): void {
    const received = this.#tallies.get(tallyId)
    if (!received) return
    received.unheard.push({ ...lease, permits })
    received.awaited += Math.min(permits, awaited)
    this.#owe(received, received.owed + permits)
  }

  /** Counts requests admitted at the gate itself. */
  admitted(requests: number, nowMs: number): void {
    this.#add({ admitted: requests }, nowMs)
  }

  /** Counts requests refused at the gate itself. */
  limited(requests: number, nowMs: number): void {
    this.#add({ limited: requests }, nowMs)
  }

  /** Returns the stored part of an isolate's totals. */
  savedOf(tallyId: string): { savedAdmitted: number; savedLimited: number; savedErrors: number } {
    const { savedAdmitted = 0, savedLimited = 0, savedErrors = 0 } = this.#tallies.get(tallyId) ?? {}
    return { savedAdmitted, savedLimited, savedErrors }
  }

  usage(): Usage {
    return {
      yearStart: this.#countedFrom ?? '',
      count: this.#count,
      outstanding: this.#owed,
      days: Object.fromEntries([...this.#days].sort(byDay).slice(-USAGE_DAYS)),
    }
  }

  /** Returns the row to store now. The caller stores it before it responds to anything later. */
  save(countedSeq: number, nowMs: number): AnnualRow {
    this.#forgetSilent(nowMs - TALLY_MEMORY_MS)
    this.#forgetBeyond(TALLIES_MAX)
    const tallies: AnnualRow['tallies'] = {}
    for (const [id, received] of this.#tallies) {
      received.savedAdmitted = received.admitted
      received.savedLimited = received.limited
      received.savedErrors = received.errors
      const { savedAdmitted, savedLimited, savedErrors, ...row } = received
      tallies[id] = { ...row, unheard: [...row.unheard] }
    }
    return {
      yearStart: this.#countedFrom ?? '',
      count: this.#count,
      days: Object.fromEntries(this.#days),
      tallies,
      countedSeq,
    }
  }

  #add({ admitted = 0, limited = 0, errors = 0 }: Added, nowMs: number): void {
    if (admitted === 0 && limited === 0 && errors === 0) return
    const date = dayOf(nowMs)
    const day = this.#days.get(date)
    if (this.#countedFrom === null || date >= this.#countedFrom) this.#count += admitted
    // A new object, because stored rows share the others.
    const allErrors = (day?.errors ?? 0) + errors
    this.#days.set(date, {
      admitted: (day?.admitted ?? 0) + admitted,
      limited: (day?.limited ?? 0) + limited,
      ...(allErrors > 0 && { errors: allErrors }),
    })
    if (this.#days.size > COUNTED_DAYS_MAX) this.#days = new Map([...this.#days].sort(byDay).slice(-COUNTED_DAYS_MAX))
  }

  #owe(received: ReceivedTally, owed: number): void {
    this.#owed += owed - received.owed
    received.owed = owed
  }

  /**
   * Drops isolates that have been silent for so long that they must be gone. Permits for their waiting requests count
   * as spent, the others as unspent.
   */
  #forgetSilent(beforeMs: number): void {
    for (const [id, received] of this.#tallies) {
      if (received.heardAtMs >= beforeMs) break
      this.#add({ admitted: Math.min(received.awaited, received.owed) }, received.heardAtMs)
      this.#owed -= received.owed
      this.#tallies.delete(id)
    }
  }

  /**
   * Drops the isolates that have been silent for longest, so that the row has an end however many there are. One of them may
   * still live: its permits count as spent, and when it is heard again, what it has counted since the last reply that
   * reached it may count once more. So the count is never too low, and the limit never passed.
   */
  #forgetBeyond(most: number): void {
    for (const [id, received] of this.#tallies) {
      if (this.#tallies.size <= most) return
      this.#add({ admitted: received.owed }, received.heardAtMs)
      this.#owed -= received.owed
      this.#tallies.delete(id)
    }
  }
}

/** Returns the requests that were admitted on that day and later. */
function admittedSince(days: ReadonlyMap<string, DayCount>, firstDay: string): number {
  let sum = 0
  for (const [day, { admitted }] of days) if (day >= firstDay) sum += admitted
  return sum
}

function byDay([a]: [string, DayCount], [b]: [string, DayCount]): number {
  return a < b ? -1 : 1
}

/**
 * Returns the days of a row, with the part of its count that they do not list: earlier code listed fewer days. Puts it
 * on the latest day that it may be of.
 */
function daysOf({ yearStart, count, days: listed }: AnnualRow): Map<string, DayCount> {
  const days = new Map(Object.entries(listed))
  const unlisted = count - admittedSince(days, yearStart)
  if (unlisted <= 0) return days
  const [oldest = yearStart] = [...days.keys()].sort()
  const dayBefore = dayOf(Date.parse(oldest) - DAY_MS)
  const day = dayBefore > yearStart ? dayBefore : yearStart
  const known = days.get(day) ?? { admitted: 0, limited: 0 }
  return days.set(day, { ...known, admitted: known.admitted + unlisted })
}

/**
 * Starts a tally that this gate does not have. The part of its totals that an earlier gate stored is in the count
 * already.
 */
function firstTally(tally: Tally): ReceivedTally {
  const { savedAdmitted, savedLimited, savedErrors = 0 } = tally
  return {
    admitted: Math.min(tally.admitted, savedAdmitted),
    limited: Math.min(tally.limited, savedLimited),
    errors: Math.min(tally.errors ?? 0, savedErrors),
    heardAtMs: 0,
    epoch: 0,
    ordinal: 0,
    owed: 0,
    unheard: [],
    awaited: 0,
    savedAdmitted,
    savedLimited,
    savedErrors,
  }
}

/** Returns true when lease `a` is newer than lease `b`. */
function isNewer(a: { epoch: number; ordinal: number }, b: { epoch: number; ordinal: number }): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.ordinal > b.ordinal)
}

/**
 * True for the last seconds of a year's traffic. Then the count is stored with each grant, for the seconds of it that a
 * crash makes the gate forget could otherwise be granted once more.
 */
export function isNearlyUsedUp(room: number, { burst, ratePerSecond }: Policy): boolean {
  return room < 2 * (burst + (ratePerSecond * HORIZON_AHEAD_MS) / 1_000)
}
