/**
 * The contract years of a tenant, and how a change of the contract's start moves the year that is counted. Pure; every
 * day is a day in UTC.
 */
import { DAY_MS } from '../../shared/durations.ts'

/** Anniversaries of one contract are at least this far apart. */
const YEAR_MIN_MS = 365 * DAY_MS

export interface ContractYear {
  /** First day, `YYYY-MM-DD`. */
  yearStart: string
  endsAtMs: number
}

/** Returns the day of an instant, `YYYY-MM-DD`. */
export function dayOf(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 10)
}

/**
 * Returns the contract year that `nowMs` is in, and its end. A contract of the 29th of February has its anniversaries
 * on the 1st of March.
 */
export function contractYear(contractStart: string, nowMs: number): ContractYear {
  const [year, month, day] = contractStart.split('-').map(Number) as [number, number, number]
  const anniversary = (years: number) => Date.UTC(year + years, month - 1, day)
  let years = new Date(nowMs).getUTCFullYear() - year
  if (anniversary(years) > nowMs) years--
  return { yearStart: dayOf(anniversary(years)), endsAtMs: anniversary(years + 1) }
}

/**
 * Returns the first day to count from: that of the contract's year, or `countedFrom` (null: nothing is counted yet)
 * while the year that began there is not over. So the move of a contract's start may add earlier requests to the count,
 * and never takes any out of it.
 */
export function firstCountedDay(yearStart: string, countedFrom: string | null, nowMs: number): string {
  if (countedFrom === null || yearStart <= countedFrom) return yearStart
  return nowMs < Date.parse(countedFrom) + YEAR_MIN_MS ? countedFrom : yearStart
}

/**
 * Returns the instants, in their order, at which the first counted day moves on. `countedFrom` is that day as of now.
 */
export function countingEnds({ yearStart, endsAtMs }: ContractYear, countedFrom: string): number[] {
  return yearStart === countedFrom ? [endsAtMs] : [Date.parse(countedFrom) + YEAR_MIN_MS, endsAtMs]
}
