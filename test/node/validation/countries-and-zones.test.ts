/**
 * Countries and time zones against lists that others made: of the tz database (both files are in the public domain), and of the
 * runtime.
 */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readCountry } from '../../../src/validation/countries.ts'
import { readTimeZone, timeZoneNames } from '../../../src/validation/time-zones.ts'

const linesOf = (file: string) =>
  readFileSync(`test/node/validation/${file}`, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))

describe('a country', () => {
  const assigned = linesOf('iso3166.txt').concat('XK')

  it('is one of the codes that ISO 3166-1 assigns, or XK, in any case and stored in upper case', () => {
    const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ']
    const pairs = letters.flatMap((first) => letters.map((second) => first + second))
    expect(pairs.filter((pair) => readCountry(pair) === pair)).toEqual(assigned.toSorted())
    for (const code of assigned) {
      expect([readCountry(code.toLowerCase()), readCountry(`${code[0]}${code[1]?.toLowerCase()}`)]).toEqual([
        code,
        code,
      ])
    }
  })

  it.each([
    'ß',
    'ﬁ',
    'ǆ',
    '\uff24\uff25',
    'D\uff25',
    'ı',
    'dE ',
    ' DE',
    'DEU',
    'D',
    '',
    'd\u0435',
    'D\u0130',
    'ẞ',
    '12',
    'uk',
    'EU',
    'ZZ',
    'AN',
    'QM',
    'XA',
    'Germany',
  ])('%j is refused, with what to send', (text) => {
    expect(readCountry(text)).toEqual({
      message: expect.stringContaining('is not a country code'),
      fix: expect.stringMatching(/^send ./),
    })
  })

  it('is read from two ASCII letters and nothing else, whatever their upper case is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 3 }), (text) => {
        if (!assigned.some((code) => code.toLowerCase() === text || code === text)) {
          if (/^[A-Za-z]{2}$/.test(text)) return
          expect(typeof readCountry(text)).toBe('object')
        }
      }),
      { numRuns: 1_000 },
    )
  })

  it('names what to use instead of a code that many send', () => {
    expect(readCountry('uk')).toMatchObject({ fix: 'send GB' })
    expect(readCountry('EL')).toMatchObject({ fix: 'send GR' })
  })
})

describe('a time zone', () => {
  const listed = linesOf('tz-names.txt')

  it('is a zone or a link of the IANA database, in any case and stored as the database writes it', () => {
    expect(timeZoneNames().toSorted()).toEqual(
      [...new Set([...listed, ...Intl.supportedValuesOf('timeZone')])].toSorted(),
    )
    for (const name of listed) {
      expect([readTimeZone(name), readTimeZone(name.toLowerCase()), readTimeZone(name.toUpperCase())]).toEqual([
        name,
        name,
        name,
      ])
    }
  })

  it.each(['EST5EDT', 'Etc/GMT+5', 'UTC', 'GMT', 'Europe/Kyiv', 'Europe/Kiev', 'US/Pacific', 'Asia/Calcutta', 'MST'])(
    '%s is one',
    (name) => {
      expect(readTimeZone(name)).toBe(name)
    },
  )

  it.each([
    'BST',
    'PST',
    'SST',
    'IST',
    'CST',
    'AST',
    'JST',
    'ECT',
    '+02:00',
    '-05:30',
    'UTC+2',
    'GMT-5',
    'Z',
    'Etc/Unknown',
    'SystemV/AST4ADT',
    'US/Pacific-New',
    'Europe/Berln',
    'Europe',
    'Europe/',
    'Europe/Berlin ',
    '\u212AST',
    'europe\\berlin',
    '__proto__',
    'constructor',
    'localtime',
    'posix/UTC',
    '',
  ])('%j is none', (name) => {
    expect(readTimeZone(name)).toEqual({
      message: 'is not a time zone of the IANA database',
      fix: expect.stringMatching(/^send /),
    })
  })

  it('is named to a caller that sent only its place', () => {
    expect(readTimeZone('berlin')).toMatchObject({ fix: expect.stringContaining('Europe/Berlin') })
    expect(readTimeZone('new york')).toMatchObject({ fix: expect.stringContaining('America/New_York') })
  })
})
