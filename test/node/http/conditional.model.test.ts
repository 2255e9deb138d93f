/** Tests which conditional requests are understood, and what they require, against a plain statement of RFC 9110. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isNotModified, preconditionIn, refuseConditions } from '../../../src/http/conditional.ts'
import { readHttpDate } from '../../../src/http/http-date.ts'
import { RegistryError } from '../../../src/registry/errors.ts'
import {
  type Conditional,
  conditional,
  type Precondition,
  preconditionOf,
  unmetBy,
} from '../../../src/registry/precondition.ts'

const NOW_MS = Date.UTC(2026, 10, 27)
const UPDATED_MS = Date.UTC(2026, 0, 20, 15)

const weak = fc.constantFrom('', 'W/')
const version = fc.integer({ min: 0, max: 6 })
const own = fc.tuple(weak, version, fc.constantFrom('', '-k3x9')).map(([w, v, hash]) => `${w}"${v}${hash}"`)
const foreign = fc
  .tuple(weak, fc.stringMatching(/^[\x21\x23-\x7e\x80-\xff]{0,8}$/))
  .map(([w, text]) => `${w}"${text}"`)
  .filter((tag) => !/^(W\/)?"\d+(-[0-9a-z]+)?"$/.test(tag))
const space = fc.constantFrom('', ' ', '\t', '  ')
const tags = fc.array(fc.oneof(own, foreign), { minLength: 1, maxLength: 5 })

/** A list as a sender may write it: with spaces around its elements, and empty elements. */
const list = tags.chain((named) =>
  fc
    .tuple(fc.array(fc.tuple(space, space), { minLength: 5, maxLength: 5 }), fc.boolean())
    .map(([spaces, hasEmpty]) => ({
      named,
      text:
        named.map((tag, at) => `${at > 0 ? spaces[at]?.[0] : ''}${tag}${spaces[at]?.[1]}`).join(',') +
        (hasEmpty ? ', ,' : ''),
    })),
)
type Field = '*' | { named: string[]; text: string } | null
const field: fc.Arbitrary<Field> = fc.option(fc.oneof(fc.constant('*' as const), list), { nil: null })

function headersOf(fields: Record<string, string | null>): Headers {
  return new Headers(Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== null))
}

const textOf = (given: Field) => (given === null || given === '*' ? given : given.text)

/** The version that a tag is for; null for a tag that Roster never made. */
function versionOf(tag: string): number | null {
  const [text = ''] = tag.replace('W/', '').replaceAll('"', '').split('-')
  return /^\d+$/.test(text) ? Number(text) : null
}

/** Section 13.2.2 in its own order: true if the change may be made. */
function mayChange(ifMatch: Field, ifNoneMatch: Field, sinceMs: number | null, now: number | null): boolean {
  const has = (given: Exclude<Field, null>) =>
    given === '*' ? now !== null : now !== null && given.named.some((tag) => versionOf(tag) === now)
  if (ifMatch !== null) {
    if (!has(ifMatch)) return false
  } else if (sinceMs !== null && now !== null && UPDATED_MS > sinceMs) return false
  return ifNoneMatch === null || !has(ifNoneMatch)
}

describe('the condition of a change', () => {
  it('holds exactly when RFC 9110 lets the change be made', () => {
    const since = fc.option(fc.constantFrom(-1_000, 0, 1_000), { nil: null })
    fc.assert(
      fc.property(field, field, since, fc.option(version, { nil: null }), (ifMatch, ifNoneMatch, offset, now) => {
        const sinceMs = offset === null ? null : UPDATED_MS + offset
        const headers = headersOf({
          'if-match': textOf(ifMatch),
          'if-none-match': textOf(ifNoneMatch),
          'if-unmodified-since': sinceMs === null ? null : new Date(sinceMs).toUTCString(),
        })
        const precondition = preconditionIn(headers, NOW_MS)
        const state = now === null ? null : { version: now, updatedAtMs: UPDATED_MS }
        expect(unmetBy(precondition, state) === null).toBe(mayChange(ifMatch, ifNoneMatch, sinceMs, now))
      }),
      { numRuns: 2_000 },
    )
  })

  it.each([
    '',
    ' ',
    ',',
    '1',
    'W/1',
    'w/"1"',
    '"1',
    '1"',
    '"1" "2"',
    '*, "1"',
    '"1", *',
    '**',
    '"a b"',
    "'1'",
    '"1";q=1',
  ])('is refused if the header is malformed: %s', (text) => {
    for (const name of ['if-match', 'if-none-match']) {
      expect(() => preconditionIn(headersOf({ [name]: text }), NOW_MS)).toThrow(RegistryError)
    }
  })

  it('takes a header of any length in linear time', () => {
    const long = 200_000
    for (const text of [
      ' '.repeat(long),
      '\t'.repeat(long),
      ','.repeat(long),
      `"1"${' '.repeat(long)}`,
      '"'.repeat(long),
    ]) {
      expect(() => preconditionIn({ get: () => `${text}x` } as unknown as Headers, NOW_MS)).toThrow(RegistryError)
    }
  })

  it('is none for a date that is no HTTP-date, and the date is not used beside if-match', () => {
    const past = new Date(0).toUTCString()
    expect(preconditionIn(headersOf({ 'if-unmodified-since': 'yesterday' }), NOW_MS)).toEqual({})
    expect(preconditionIn(headersOf({ 'if-match': '"1"', 'if-unmodified-since': past }), NOW_MS)).toEqual({
      versions: [1],
    })
  })

  it('refuses each header where nothing has a version', () => {
    for (const name of ['if-match', 'if-none-match', 'if-unmodified-since']) {
      expect(() => refuseConditions(headersOf({ [name]: '*' }))).toThrow(RegistryError)
    }
    refuseConditions(headersOf({ 'if-modified-since': '*', 'if-range': '"1"' }))
  })

  it('reaches a gate unchanged, and one that knows only ifVersion never makes the change without it', () => {
    const versions = fc.uniqueArray(version, { maxLength: 3 })
    const precondition: fc.Arbitrary<Precondition> = fc.record(
      { exists: fc.boolean(), versions, notVersions: versions, unmodifiedSinceMs: fc.integer() },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(precondition, version, (wanted, now) => {
        const sent: Conditional = JSON.parse(JSON.stringify(conditional(wanted)))
        expect(preconditionOf(sent)).toEqual(wanted)
        const state = { version: now, updatedAtMs: UPDATED_MS }
        const olderGateMakesIt = sent.ifVersion === null || sent.ifVersion === now
        if (olderGateMakesIt) expect(unmetBy(wanted, state)).toBeNull()
      }),
    )
    expect([conditional(null), conditional({ versions: [3] })]).toEqual([{ ifVersion: null }, { ifVersion: 3 }])
  })
})

describe('a conditional read', () => {
  const etag = '"3-k3x9"'

  it('is not modified exactly for a list with its etag, weak or strong, and for *', () => {
    fc.assert(
      fc.property(fc.oneof(list, fc.constant('*' as const)), (given) => {
        const expected = given === '*' || given.named.some((tag) => tag.replace('W/', '') === etag)
        expect(isNotModified(headersOf({ 'if-none-match': textOf(given) }), etag)).toBe(expected)
        const ifMatch = () => isNotModified(headersOf({ 'if-match': textOf(given) }), etag)
        if (expected) expect(ifMatch()).toBe(false)
        else expect(ifMatch).toThrow(RegistryError)
      }),
    )
  })

  it('gets the whole response for an if-none-match that is malformed, and is refused for such an if-match', () => {
    expect(isNotModified(headersOf({ 'if-none-match': '3-k3x9' }), etag)).toBe(false)
    expect(() => isNotModified(headersOf({ 'if-match': '3-k3x9' }), etag)).toThrow('invalid_input')
  })
})

describe('an HTTP-date', () => {
  const seconds = fc.date({ min: new Date(0), max: new Date('2070-01-01'), noInvalidDate: true })

  it('is read in its three forms', () => {
    fc.assert(
      fc.property(seconds, (date) => {
        const ms = Math.floor(date.getTime() / 1_000) * 1_000
        const [day = '', dd = '', month, year = '', time] = new Date(ms).toUTCString().replace(',', '').split(' ')
        const longDay = { Mon: 'Mon', Tue: 'Tues', Wed: 'Wednes', Thu: 'Thurs', Fri: 'Fri', Sat: 'Satur', Sun: 'Sun' }[
          day
        ]
        const asctime = `${day} ${month} ${dd.replace(/^0/, ' ')} ${time} ${year}`
        expect(readHttpDate(`${day}, ${dd} ${month} ${year} ${time} GMT`, NOW_MS)).toBe(ms)
        expect(readHttpDate(asctime, NOW_MS)).toBe(ms)
        const short = readHttpDate(`${longDay}day, ${dd}-${month}-${year.slice(2)} ${time} GMT`, NOW_MS)
        // Two digits are those of the last or the next fifty years.
        if (ms > Date.UTC(1977) && ms < Date.UTC(2076)) expect(short).toBe(ms)
      }),
    )
  })

  it.each([
    '2026-11-27T00:00:00Z',
    'Fri, 27 Nov 2026 00:00:00',
    'Fri, 27 Nov 2026 00:00:00 +0000',
    'Fri, 27 nov 2026 00:00:00 GMT',
    'Mon, 30 Feb 2026 00:00:00 GMT',
    'Fri, 27 Nov 2026 24:00:00 GMT',
    'Fri, 00 Nov 2026 00:00:00 GMT',
    '0',
    '',
  ])('is nothing else: %s', (text) => {
    expect(readHttpDate(text, NOW_MS)).toBeNull()
  })
})
