/**
 * Numbers, sizes, times and ids as the console writes them. Pure: the time of now and the zone are handed in.
 */
const LOCALE = 'en-GB'

const WHOLE = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 })
const COMPACT = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })
const RELATIVE = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' })

const BYTE_UNITS = ['B', 'KB', 'MB', 'GB', 'TB'] as const
const BYTES_PER_UNIT = 1_000

const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
/** Only whole units count: 90 minutes ago is "1 hr. ago". */
const RELATIVE_UNITS: readonly [unit: Intl.RelativeTimeFormatUnit, ms: number][] = [
  ['year', 365 * DAY_MS],
  ['month', 30 * DAY_MS],
  ['day', DAY_MS],
  ['hour', HOUR_MS],
  ['minute', MINUTE_MS],
]
/** A time that is closer than this is now: nobody needs the seconds, and clocks differ by as much. */
const NOW_MS = 45 * SECOND_MS

const ID_START_LENGTH = 9
const ID_END_LENGTH = 5

/** Returns `1,234,567`. */
export function number(value: number): string {
  return WHOLE.format(value)
}

/** Returns `1.2M`, for places with little room. */
export function compact(value: number): string {
  return COMPACT.format(value)
}

/** Returns `1 key` or `3 keys`. */
export function count(value: number, one: string, many = `${one}s`): string {
  return `${number(value)} ${value === 1 ? one : many}`
}

/** Returns the share as `41 %`. Only nothing is `0 %`, and only everything `100 %`. Returns `–` if there is no whole. */
export function percent(part: number, whole: number): string {
  if (whole <= 0) return '–'
  const share = (part / whole) * 100
  if (share > 0 && share < 1) return '< 1 %'
  if (share > 99 && share < 100) return '> 99 %'
  return `${WHOLE.format(share)} %`
}

/** Returns `1.2 GB`, in units of a thousand, as storage is sold. */
export function bytes(value: number): string {
  let [amount, unit] = [value, 0]
  // An amount that rounds to 1,000 of a unit is 1 of the next.
  while (Math.round(amount * 10) / 10 >= BYTES_PER_UNIT && unit < BYTE_UNITS.length - 1) {
    amount /= BYTES_PER_UNIT
    unit++
  }
  const digits = unit === 0 || amount >= 100 ? 0 : 1
  return `${amount.toLocaleString(LOCALE, { maximumFractionDigits: digits })} ${BYTE_UNITS[unit]}`
}

/** Returns `3 min. ago`, `in 2 days` or `now`. */
export function relativeTime(time: string, nowMs: number): string {
  const distanceMs = Date.parse(time) - nowMs
  if (Number.isNaN(distanceMs)) return time
  if (Math.abs(distanceMs) < NOW_MS) return 'now'
  for (const [unit, ms] of RELATIVE_UNITS) {
    const amount = Math.trunc(distanceMs / ms)
    if (amount !== 0) return RELATIVE.format(amount, unit)
  }
  return RELATIVE.format(Math.sign(distanceMs), 'minute')
}

/** Returns `10 days`, `90 minutes` or `45 seconds`: the largest unit that says it exactly. */
export function duration(seconds: number): string {
  const ms = seconds * SECOND_MS
  const units = [
    ['day', DAY_MS],
    ['hour', HOUR_MS],
    ['minute', MINUTE_MS],
  ] as const
  const [unit, unitMs] = units.find((each) => ms > 0 && ms % each[1] === 0) ?? (['second', SECOND_MS] as const)
  return count(ms / unitMs, unit)
}

/** Returns `27 Nov 2026, 14:02:07 CET`, in the zone of the reader unless one is given. */
export function exactTime(time: string, timeZone?: string): string {
  return formatted(time, {
    ...{ day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit' },
    ...{ timeZoneName: 'short', timeZone },
  })
}

/** Returns `14:02:07`. */
export function clockTime(time: string, timeZone?: string): string {
  return formatted(time, { hour: '2-digit', minute: '2-digit', second: '2-digit', timeZone })
}

/** Returns `27 Nov 2026`. */
export function date(time: string, timeZone?: string): string {
  return formatted(time, { day: 'numeric', month: 'short', year: 'numeric', timeZone })
}

function formatted(time: string, options: Intl.DateTimeFormatOptions): string {
  const ms = Date.parse(time)
  return Number.isNaN(ms) ? time : new Intl.DateTimeFormat(LOCALE, options).format(ms)
}

/** Returns the id cut in the middle, such as `cust_01JD…YBZKC`: its kind, and the end by which ids differ. */
export function shortId(id: string): string {
  const characters = [...id]
  if (characters.length <= ID_START_LENGTH + ID_END_LENGTH + 1) return id
  return `${characters.slice(0, ID_START_LENGTH).join('')}…${characters.slice(-ID_END_LENGTH).join('')}`
}

/** Returns the name of the binding of a database, which is what operators call it. */
export function databaseName(number: number): string {
  return number === 0 ? 'DB' : `DB_${number}`
}
