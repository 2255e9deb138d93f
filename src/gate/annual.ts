/**
 * How many requests of a contract year were admitted, and how each day's requests ended.
 *
 * Isolates send running totals, never events, so nothing counts twice and nothing that is sent again gets lost: the
 * gate adds what a total rose by. The totals it has seen are stored with the horizon row; after a restart the next total
 * of each isolate makes up for whatever was not stored. What is granted and not yet accounted for is `owed`, and no
 * grant is made when count and owed together would pass the limit.
 */

import { TALLY_MEMORY_MS, USAGE_DAYS } from './constants.ts'
import type { Tally } from './protocol.ts'

const DAY_MS = 86_400_000

/** One isolate's totals, as far as the gate has heard. */
export interface TallyRow {
  admitted: number
  limited: number
  heardAtMs: number
  /** The newest lease it is known to have. */
  epoch: number
  ordinal: number
  /** Granted, and neither reported spent nor given up. */
  owed: number
  /** Of these, the grants it has not confirmed. */
  unheard: { epoch: number; ordinal: number; permits: number }[]
  /** Of these, the permits that waiting requests were to spend at once. */
  awaited: number
}

/** What is stored, in the horizon row. */
export interface AnnualRow {
  /** First day of the contract year that is counted. */
  yearStart: string
  count: number
  days: Record<string, { admitted: number; limited: number }>
  tallies: Record<string, TallyRow>
  /** Writes up to this number are in `count`; those after it are made up for from the write log. */
  countedSeq: number
}

export interface Usage {
  yearStart: string
  count: number
  /** Granted to isolates and not yet accounted for. */
  outstanding: number
  days: Record<string, { admitted: number; limited: number }>
}

interface Heard extends TallyRow {
  savedAdmitted: number
  savedLimited: number
}

/** The contract year that `nowMs` is in, and when it ends. The 29th of February has its anniversaries on the 1st of March. */
export function contractYear(contractStart: string, nowMs: number): { yearStart: string; endsAtMs: number } {
  const [year, month, day] = contractStart.split('-').map(Number) as [number, number, number]
  const anniversary = (years: number) => Date.UTC(year + years, month - 1, day)
  let years = new Date(nowMs).getUTCFullYear() - year
  if (anniversary(years) > nowMs) years--
  return { yearStart: new Date(anniversary(years)).toISOString().slice(0, 10), endsAtMs: anniversary(years + 1) }
}

export class AnnualCount {
  #yearStart = ''
  #count = 0
  #owed = 0
  #days: AnnualRow['days'] = {}
  #tallies = new Map<string, Heard>()

  /** `row` as it was stored; null for a tenant that was never counted. */
  constructor(row: AnnualRow | null) {
    if (!row) return
    this.#yearStart = row.yearStart
    this.#count = row.count
    this.#days = structuredClone(row.days)
    for (const [id, stored] of Object.entries(row.tallies)) {
      const { admitted: savedAdmitted, limited: savedLimited } = stored
      this.#tallies.set(id, { ...structuredClone(stored), savedAdmitted, savedLimited })
      this.#owed += stored.owed
    }
  }

  /** Starts counting from zero when another contract year has begun. */
  enterYear(yearStart: string): void {
    if (yearStart === this.#yearStart) return
    this.#yearStart = yearStart
    this.#count = 0
  }

  /** Permits that may still be granted this year. */
  room(annualLimit: number | null): number {
    return annualLimit === null ? Number.POSITIVE_INFINITY : Math.max(0, annualLimit - this.#count - this.#owed)
  }

  /** Takes in an isolate's totals, and with them what of its grants is settled. */
  hear(tally: Tally, nowMs: number): void {
    const heard = this.#tallies.get(tally.id) ?? firstHeard(tally)
    this.#tallies.delete(tally.id)
    this.#tallies.set(tally.id, heard)
    this.#add(Math.max(0, tally.admitted - heard.admitted), Math.max(0, tally.limited - heard.limited), nowMs)
    heard.heardAtMs = nowMs
    const has = { epoch: tally.heardEpoch, ordinal: tally.heardOrdinal }
    const overtaken = tally.admitted < heard.admitted || isNewer(heard, has)
    heard.admitted = Math.max(heard.admitted, tally.admitted)
    heard.limited = Math.max(heard.limited, tally.limited)
    // A message that a later one of the same isolate overtook says nothing new of what is owed.
    if (overtaken) return
    Object.assign(heard, has)
    heard.unheard = heard.unheard.filter((grant) => isNewer(grant, has))
    if (heard.unheard.length === 0) heard.awaited = 0
    this.#owe(heard, tally.held + heard.unheard.reduce((sum, grant) => sum + grant.permits, 0))
  }

  /** A lease granted `permits` to an isolate that was heard before; `awaited` of them are for requests that wait. */
  granted(tallyId: string, lease: { epoch: number; ordinal: number }, permits: number, awaited: number): void {
    const heard = this.#tallies.get(tallyId)
    if (!heard) return
    heard.unheard.push({ ...lease, permits })
    heard.awaited += Math.min(permits, awaited)
    this.#owe(heard, heard.owed + permits)
  }

  /** Requests admitted at the gate itself. */
  admitted(requests: number, nowMs: number): void {
    this.#add(requests, 0, nowMs)
  }

  /** Requests refused at the gate itself. */
  limited(requests: number, nowMs: number): void {
    this.#add(0, requests, nowMs)
  }

  /** What of an isolate's totals is stored. */
  savedOf(tallyId: string): { savedAdmitted: number; savedLimited: number } {
    const { savedAdmitted = 0, savedLimited = 0 } = this.#tallies.get(tallyId) ?? {}
    return { savedAdmitted, savedLimited }
  }

  usage(): Usage {
    return {
      yearStart: this.#yearStart,
      count: this.#count,
      outstanding: this.#owed,
      days: structuredClone(this.#days),
    }
  }

  /** What is to be stored now. The caller stores it before anything that happens later is answered. */
  save(countedSeq: number, nowMs: number): AnnualRow {
    this.#forgetSilent(nowMs - TALLY_MEMORY_MS)
    const tallies: AnnualRow['tallies'] = {}
    for (const [id, heard] of this.#tallies) {
      heard.savedAdmitted = heard.admitted
      heard.savedLimited = heard.limited
      const { savedAdmitted, savedLimited, ...row } = heard
      tallies[id] = { ...row, unheard: [...row.unheard] }
    }
    return { yearStart: this.#yearStart, count: this.#count, days: structuredClone(this.#days), tallies, countedSeq }
  }

  #add(admitted: number, limited: number, nowMs: number): void {
    if (admitted === 0 && limited === 0) return
    this.#count += admitted
    const date = new Date(nowMs - (nowMs % DAY_MS)).toISOString().slice(0, 10)
    const day = this.#days[date]
    if (day) {
      day.admitted += admitted
      day.limited += limited
      return
    }
    this.#days[date] = { admitted, limited }
    for (const old of Object.keys(this.#days).sort().slice(0, -USAGE_DAYS)) delete this.#days[old]
  }

  #owe(heard: Heard, owed: number): void {
    this.#owed += owed - heard.owed
    heard.owed = owed
  }

  /** An isolate silent for so long is gone: what it asked for on behalf of waiting requests was spent, the rest was not. */
  #forgetSilent(beforeMs: number): void {
    for (const [id, heard] of this.#tallies) {
      if (heard.heardAtMs >= beforeMs) break
      this.#add(Math.min(heard.awaited, heard.owed), 0, heard.heardAtMs)
      this.#owed -= heard.owed
      this.#tallies.delete(id)
    }
  }
}

/** A tally this gate does not know: of its totals, what an earlier gate had stored is in the count already. */
function firstHeard(tally: Tally): Heard {
  const { savedAdmitted, savedLimited } = tally
  return {
    admitted: Math.min(tally.admitted, savedAdmitted),
    limited: Math.min(tally.limited, savedLimited),
    heardAtMs: 0,
    epoch: 0,
    ordinal: 0,
    owed: 0,
    unheard: [],
    awaited: 0,
    savedAdmitted,
    savedLimited,
  }
}

/** True when lease `a` is newer than lease `b`. */
function isNewer(a: { epoch: number; ordinal: number }, b: { epoch: number; ordinal: number }): boolean {
  return a.epoch > b.epoch || (a.epoch === b.epoch && a.ordinal > b.ordinal)
}
