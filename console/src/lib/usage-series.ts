/**
 * Makes what the API says about usage into the series of a chart, and says how the year goes. Pure.
 */
const DAY_MS = 86_400_000

export interface UsageDay {
  date: string
  admitted: number
  rate_limited: number
  errors?: number
}

/** Series of one length, oldest day first. */
export interface UsageSeries {
  /** Midnight UTC of each day, in seconds since 1970. */
  seconds: number[]
  admitted: number[]
  limited: number[]
  errors: number[]
}

/** Returns the last `days` days up to today. A day that the API leaves out had no requests. */
export function usageSeries(usage: readonly UsageDay[], nowMs: number, days: number): UsageSeries {
  const byDate = new Map(usage.map((day) => [day.date, day]))
  const today = Math.floor(nowMs / DAY_MS)
  const series: UsageSeries = { seconds: [], admitted: [], limited: [], errors: [] }
  for (let at = today - days + 1; at <= today; at++) {
    const day = byDate.get(new Date(at * DAY_MS).toISOString().slice(0, 10))
    series.seconds.push((at * DAY_MS) / 1000)
    series.admitted.push(day?.admitted ?? 0)
    series.limited.push(day?.rate_limited ?? 0)
    series.errors.push(day?.errors ?? 0)
  }
  return series
}

/** Returns the sum of a series. */
export function total(series: readonly number[]): number {
  return series.reduce((sum, value) => sum + value, 0)
}

export interface YearOutlook {
  /** The share of the limit that is used, 0 to 1. */
  share: number
  /** The first day of the next contract year. */
  endsAt: string
  /** When the limit is reached if the year goes on as it went; null if it is not reached this year. */
  reachedAt: string | null
  isReached: boolean
}

/** The first days of a year say nothing about the rest of it. */
const OUTLOOK_AFTER_MS = 7 * DAY_MS

/** Returns how a contract year stands. `yearStart` is a date; the year ends at the same date of the next year. */
export function yearOutlook(used: number, limit: number, yearStart: string, nowMs: number): YearOutlook {
  const start = new Date(`${yearStart.slice(0, 10)}T00:00:00Z`)
  const end = new Date(start)
  end.setUTCFullYear(start.getUTCFullYear() + 1)
  const passedMs = nowMs - start.getTime()
  const reachedMs = used > 0 ? start.getTime() + (passedMs * limit) / used : Number.POSITIVE_INFINITY
  const isReached = used >= limit
  const isForeseen = !isReached && passedMs >= OUTLOOK_AFTER_MS && reachedMs < end.getTime()
  return {
    share: limit > 0 ? Math.min(1, used / limit) : 1,
    endsAt: end.toISOString(),
    reachedAt: isForeseen ? new Date(reachedMs).toISOString() : null,
    isReached,
  }
}
