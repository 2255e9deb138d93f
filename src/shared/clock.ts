/**
 * The only place that reads the time of day. All other code receives a clock.
 */

/** Milliseconds since 1970, UTC. */
export type Clock = () => number

export const systemClock: Clock = () => Date.now()

const DAY_MS = 86_400_000
/** `toISOString` takes a microsecond, and a page has hundreds of times, most of them of a few days. */
let lastDay = { at: Number.NaN, text: '' }
/** The numbers with two digits and with three, made with the first time: the start of a Worker has little CPU time. */
let digits: { two: string[]; three: string[] } | null = null

/** Returns ISO 8601 in UTC, the format of every time in a response. Throws for a number that is no time. */
export function isoTime(time: number): string {
  const timeMs = Math.trunc(time)
  const at = Math.floor(timeMs / DAY_MS)
  if (at !== lastDay.at) lastDay = { at, text: new Date(timeMs).toISOString().slice(0, -'00:00:00.000Z'.length) }
  digits ??= { two: numbers(60, 2), three: numbers(1_000, 3) }
  const { two, three } = digits
  const ofDayMs = timeMs - at * DAY_MS
  const seconds = Math.floor(ofDayMs / 1_000)
  const minutes = Math.floor(seconds / 60)
  const hours = two[Math.floor(minutes / 60)]
  return `${lastDay.text}${hours}:${two[minutes % 60]}:${two[seconds % 60]}.${three[ofDayMs % 1_000]}Z`
}

function numbers(below: number, length: number): string[] {
  return Array.from({ length: below }, (_, number) => String(number).padStart(length, '0'))
}

/** Returns a time in milliseconds as ISO 8601 text in UTC; null for null. */
export function timeOrNull(timeMs: number | null): string | null {
  return timeMs === null ? null : isoTime(timeMs)
}
