/** Which times are accepted and what they mean, against the grammar of RFC 3339 written as a generator. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readTime } from '../../../src/validation/time.ts'

const two = (value: number) => String(value).padStart(2, '0')
const isLeapYear = (year: number) => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
const daysIn = (year: number, month: number) =>
  month === 2 ? (isLeapYear(year) ? 29 : 28) : [4, 6, 9, 11].includes(month) ? 30 : 31

/** Days from 1970-01-01 to a date, counted year by year and month by month. */
function daysSince1970(year: number, month: number, day: number): number {
  const leapDays = (before: number) =>
    Math.floor((before - 1) / 4) - Math.floor((before - 1) / 100) + Math.floor((before - 1) / 400)
  let days = (year - 1970) * 365 + leapDays(year) - leapDays(1970)
  for (let at = 1; at < month; at++) days += daysIn(year, at)
  return days + day - 1
}

const clock = fc.record({
  hour: fc.integer({ min: 0, max: 23 }),
  minute: fc.integer({ min: 0, max: 59 }),
  second: fc.option(fc.integer({ min: 0, max: 59 })),
  fraction: fc.stringMatching(/^\d{0,12}$/),
})
const date = fc
  .record({ year: fc.integer({ min: 1, max: 9998 }), month: fc.integer({ min: 1, max: 12 }) })
  .chain(({ year, month }) =>
    fc.record({
      year: fc.constant(year),
      month: fc.constant(month),
      day: fc.integer({ min: 1, max: daysIn(year, month) }),
    }),
  )
const zone = fc.oneof(
  fc.constantFrom('Z', 'z').map((text) => ({ text, minutes: 0 })),
  fc
    .record({
      sign: fc.constantFrom('+', '-'),
      hours: fc.integer({ min: 0, max: 23 }),
      minutes: fc.integer({ min: 0, max: 59 }),
    })
    .map(({ sign, hours, minutes }) => ({
      text: `${sign}${two(hours)}:${two(minutes)}`,
      minutes: (hours * 60 + minutes) * (sign === '-' ? -1 : 1),
    })),
)

describe('a time', () => {
  it('means what RFC 3339 says, with the fraction cut off after the milliseconds', () => {
    fc.assert(
      fc.property(
        date,
        clock,
        zone,
        fc.constantFrom('T', 't'),
        ({ year, month, day }, { hour, minute, second, fraction }, offset, t) => {
          const day_ = `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}`
          const seconds = second === null ? '' : `:${two(second)}${fraction === '' ? '' : `.${fraction}`}`
          const minutes = daysSince1970(year, month, day) * 1440 + hour * 60 + minute - offset.minutes
          const ms =
            second === null ? 0 : second * 1000 + Math.floor(Number(`0.${fraction || '0'}`.slice(0, 5)) * 1000 + 1e-6)
          expect(readTime(`${day_}${t}${two(hour)}:${two(minute)}${seconds}${offset.text}`)).toBe(minutes * 60_000 + ms)
          expect(readTime(day_)).toBe(daysSince1970(year, month, day) * 86_400_000)
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it.each([
    ['2026-11-26T22:00Z', '2026-11-26T22:00:00.000Z'],
    ['2026-11-26t22:00:01.9999z', '2026-11-26T22:00:01.999Z'],
    ['2026-11-26T22:00:00-00:00', '2026-11-26T22:00:00.000Z'],
    ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000Z'],
    ['2017-01-01T00:59:60+01:00', '2017-01-01T00:00:00.000Z'],
    ['2024-02-29', '2024-02-29T00:00:00.000Z'],
    ['0000-01-01T00:00:00Z', '0000-01-01T00:00:00.000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
  ])('%s is %s', (text, iso) => {
    const timeMs = readTime(text)
    expect(typeof timeMs === 'number' && new Date(timeMs).toISOString()).toBe(iso)
  })

  it.each([
    '2026-02-30',
    '2026-02-29T00:00Z',
    '2026-13-01',
    '2026-00-10',
    '2026-01-00',
    '2026-01-32',
    '2026-1-1',
    '20260101',
    '2026-01-01T24:00:00Z',
    '2026-01-01T12:60Z',
    '2026-01-01T12:00:60Z',
    '2026-12-31T22:59:60Z',
    '2026-01-01T12:00:61Z',
    '2026-01-01T12Z',
    '2026-01-01T12:00:00',
    '2026-01-01 12:00:00Z',
    '2026-01-01T12:00:00+0100',
    '2026-01-01T12:00:00+24:00',
    '2026-01-01T12:00:00+01:60',
    '2026-01-01T12:00:00 01:00',
    '2026-01-01T12:00:00.Z',
    '2026-01-01T12:00:00,5Z',
    '+02026-01-01',
    '-0001-01-01',
    '10000-01-01',
    '0000-01-01T00:00:00+00:01',
    '9999-12-31T23:59:59-00:01',
    '2026-W01-1',
    '2026-001',
    'now',
    '',
    ' 2026-01-01',
    '2026-01-01\n',
    '\u0662026-01-01',
    '2026-01-01T12:00:00Z[UTC]',
    '1767225600',
  ])('%j is refused', (text) => {
    expect(readTime(text)).toEqual({ message: expect.stringMatching(/./), fix: expect.stringMatching(/./) })
  })

  it('is refused with what is missing', () => {
    expect(readTime('2026-01-01T12:00:00')).toMatchObject({ message: 'has no offset' })
    expect(readTime('2026-02-30')).toMatchObject({ message: 'is not a date of the calendar' })
    expect(readTime('2026-01-01T12:00:00 01:00')).toMatchObject({ fix: 'write + as %2B in a query string' })
  })
})
