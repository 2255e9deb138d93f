/**
 * Reads an HTTP-date (RFC 9110, section 5.6.7) in its three forms: `Sun, 06 Nov 1994 08:49:37 GMT`,
 * `Sunday, 06-Nov-94 08:49:37 GMT` and `Sun Nov  6 08:49:37 1994`. `Date.parse` takes much more than these.
 */

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)'
const LONG_DAY = '(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day'
const MONTH = `(?<month>${MONTHS.join('|')})`
const TIME = '(?<hour>\\d\\d):(?<minute>\\d\\d):(?<second>\\d\\d)'
const FORMS = [
  new RegExp(`^${DAY}, (?<day>\\d\\d) ${MONTH} (?<year>\\d{4}) ${TIME} GMT$`),
  new RegExp(`^${LONG_DAY}, (?<day>\\d\\d)-${MONTH}-(?<year>\\d\\d) ${TIME} GMT$`),
  new RegExp(`^${DAY} ${MONTH} (?<day>\\d\\d| \\d) ${TIME} (?<year>\\d{4})$`),
]
/** A year of two digits that would be further ahead than this is one of the century before. */
const YEARS_AHEAD_MAX = 50

/** Returns the time in milliseconds. Returns null if the text is not an HTTP-date. */
export function readHttpDate(text: string, nowMs: number): number | null {
  const parts = FORMS.map((form) => form.exec(text)?.groups).find((groups) => groups !== undefined)
  if (!parts) return null
  const [day, hour, minute, second] = [parts.day, parts.hour, parts.minute, parts.second].map(Number) as number[]
  const month = MONTHS.indexOf(parts.month ?? '')
  const year = yearOf(parts.year ?? '', nowMs)
  // `Date.UTC` makes 1 March of 30 February. A leap second is the first second of the next minute.
  const isDay = new Date(Date.UTC(year, month, day)).getUTCMonth() === month
  const isTime = Number(hour) < 24 && Number(minute) < 60 && Number(second) <= 60
  return isDay && isTime ? Date.UTC(year, month, day, hour, minute, second) : null
}

function yearOf(text: string, nowMs: number): number {
  const year = Number(text)
  if (text.length === 4) return year
  const thisYear = new Date(nowMs).getUTCFullYear()
  const inThisCentury = thisYear - (thisYear % 100) + year
  return inThisCentury > thisYear + YEARS_AHEAD_MAX ? inThisCentury - 100 : inThisCentury
}
