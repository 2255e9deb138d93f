/**
 * Times as RFC 3339 writes them, with two additions: the seconds may be left out, and a date alone means its first
 * moment in UTC.
 */
import type { Fault } from './fault.ts'

const DATE = /^(\d{4})-(\d\d)-(\d\d)$/
const DATE_TIME = /^(\d{4})-(\d\d)-(\d\d)t(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(?:z|([+-])(\d\d):(\d\d))$/i
const WITHOUT_OFFSET = /^\d{4}-\d\d-\d\d[t ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?$/i
/** In a query string, + stands for a space. */
const SPACE_FOR_PLUS = /^\d{4}-\d\d-\d\dt.* \d\d:\d\d$/i

const MINUTE_MS = 60_000
/** 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z: other times have no form in RFC 3339. */
const FIRST_MS = -62_167_219_200_000
const LAST_MS = 253_402_300_799_999

const EXAMPLES = 'send a date such as 2026-01-20 or a time such as 2026-01-20T15:00:00Z'

/**
 * Returns milliseconds since 1970, or what is wrong. Digits of the fraction beyond the milliseconds are cut off. A leap
 * second, which is the last one of a month in UTC, is the second that follows it.
 */
export function readTime(text: string): number | Fault {
  const parts = DATE.exec(text) ?? DATE_TIME.exec(text)
  if (!parts) return faultOf(text)
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = ''] = parts
  const [sign, offsetHours = '0', offsetMinutes = '0'] = parts.slice(8)
  const midnight = new Date(0)
  midnight.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  // A day that a month does not have becomes one of the next month.
  if (midnight.getUTCMonth() !== Number(month) - 1 || midnight.getUTCDate() !== Number(day)) {
    return { message: 'is not a date of the calendar', fix: EXAMPLES }
  }
  const isClock =
    [hour, offsetHours].every((hours) => Number(hours) < 24) &&
    [minute, offsetMinutes].every((minutes) => Number(minutes) < 60)
  const offset = (Number(offsetHours) * 60 + Number(offsetMinutes)) * (sign === '-' ? -1 : 1)
  const minuteMs = midnight.getTime() + (Number(hour) * 60 + Number(minute) - offset) * MINUTE_MS
  const isLeap = second === '60' && isLastMinuteOfMonth(minuteMs)
  if (!isClock || (Number(second) > 59 && !isLeap)) {
    return { message: 'is not a time of day', fix: 'send 00:00 to 23:59, with an offset up to 23:59' }
  }
  const timeMs = minuteMs + Number(second) * 1_000 + Number(fraction.padEnd(3, '0').slice(0, 3))
  if (timeMs >= FIRST_MS && timeMs <= LAST_MS) return timeMs
  return { message: 'is outside of the years 0000 to 9999 in UTC', fix: EXAMPLES }
}

function isLastMinuteOfMonth(minuteMs: number): boolean {
  const next = new Date(minuteMs + MINUTE_MS)
  return next.getUTCDate() === 1 && next.getUTCHours() === 0 && next.getUTCMinutes() === 0
}

function faultOf(text: string): Fault {
  if (WITHOUT_OFFSET.test(text))
    return { message: 'has no offset', fix: 'end it with Z for UTC, or an offset such as +01:00' }
  const fix = SPACE_FOR_PLUS.test(text) ? 'write + as %2B in a query string' : EXAMPLES
  return { message: 'is not a date or time of RFC 3339', fix }
}
