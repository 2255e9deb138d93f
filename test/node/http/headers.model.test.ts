/** Tests how the headers of a request are read: preferences, credentials, content types. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { acceptedType } from '../../../src/http/accept.ts'
import { adminKeyIn, tenantCredentialsIn, usualCredentialIn } from '../../../src/http/credentials.ts'
import { isUtf8Of, readMediaType } from '../../../src/http/media-type.ts'
import { preferencesIn } from '../../../src/http/prefer.ts'

describe('the preferences of a caller', () => {
  const read = (header: string) => Object.fromEntries(preferencesIn(header))

  it.each([
    ['handling=strict', { handling: 'strict' }],
    ['Handling="Strict"', { handling: 'strict' }],
    ['handling = strict', { handling: 'strict' }],
    ['handling\t=\t"strict"', { handling: 'strict' }],
    ['handling=strict; a=b; c', { handling: 'strict' }],
    ['handling=strict;a="x, handling=lenient"', { handling: 'strict' }],
    ['handling=lenient, handling=strict', { handling: 'lenient' }],
    ['handling=strict, handling=lenient', { handling: 'strict' }],
    ['x="a, handling=strict"', { x: 'a, handling=strict' }],
    ['x="a \\" handling=strict", handling=lenient', { x: 'a " handling=strict', handling: 'lenient' }],
    [',, wait=10 ,respond-async,', { wait: '10', 'respond-async': '' }],
    ['server-timing=""', { 'server-timing': '' }],
    ['handling=', { handling: '' }],
    ['no-handling=strict', { 'no-handling': 'strict' }],
    ['handling=strict lenient', {}],
    ['handling strict', {}],
    ['handling="strict', {}],
    ['=strict, ;handling=strict', {}],
    ['', {}],
  ])('are read by RFC 7240: %s', (header, expected) => {
    expect(read(header)).toEqual(expected)
  })

  it('are those that were written, whatever stands in quotes, and the first of several with one name', () => {
    const name = fc.stringMatching(/^[a-z-]{1,5}$/)
    const value = fc.stringMatching(/^[\x20-\x7e]{0,8}$/)
    const space = fc.constantFrom('', ' ', '\t ')
    const preference = fc.tuple(name, value, space, space, fc.boolean(), fc.constantFrom('', ';p', '; p="x,y"'))
    fc.assert(
      fc.property(fc.array(preference, { maxLength: 5 }), (written) => {
        const expected = new Map<string, string>()
        const texts = written.map(([key, text, before, after, isUpper, parameters]) => {
          if (!expected.has(key)) expected.set(key, text.toLowerCase())
          const quoted = text.replaceAll(/[\\"]/g, (char) => `\\${char}`)
          return `${isUpper ? key.toUpperCase() : key}${before}=${after}"${quoted}"${before}${parameters}`
        })
        expect(read(texts.join(', '))).toEqual(Object.fromEntries(expected))
      }),
    )
  })

  it('are read from any text in linear time', () => {
    const long = 100_000
    for (const part of [' ', '"', '\\', '=', ';', 'a ', '"a\\', ',']) {
      expect(preferencesIn(`a=${part.repeat(long)}!`).size).toBeLessThanOrEqual(2)
    }
    fc.assert(fc.property(fc.string({ unit: 'binary-ascii' }), (text) => void preferencesIn(text)))
  })
})

describe('the credentials of a tenant', () => {
  const headers = (authorization: string | null, apiKey: string | null) =>
    new Headers([
      ...(authorization === null ? [] : [['authorization', authorization] as [string, string]]),
      ...(apiKey === null ? [] : [['x-api-key', apiKey] as [string, string]]),
    ])

  it.each([
    ['Bearer a', null, ['a']],
    ['bearer \t a ', null, ['a']],
    [null, 'a', ['a']],
    [null, ' a , a ', ['a']],
    [null, 'a,b', ['a', 'b']],
    ['Basic eA==', 'a', ['a']],
    ['Negotiate x', 'a', ['a']],
    ['Basic eA==, Bearer a', null, ['a']],
    ['Bearer a, Basic eA==', 'b', ['a', 'b']],
    ['Bearer a', 'b', ['a', 'b']],
    ['Bearer a', 'a', ['a']],
    ['Bearer a b', 'c', ['c']],
    ['Bearer', null, []],
    ['a', null, []],
    ['Basic eA==', null, []],
    [null, null, []],
    [null, 'a,b,c,d,e,f', ['a', 'b', 'c', 'd']],
  ])('are found in authorization %s and x-api-key %s', (authorization, apiKey, expected) => {
    expect(tenantCredentialsIn(headers(authorization, apiKey))).toEqual(expected)
    const usual = usualCredentialIn(headers(authorization, apiKey))
    if (usual !== null && !/[ ,]/.test(usual)) expect(usual).toBe(expected[0])
  })

  it('are one key for an operator, also where it is sent twice', () => {
    expect([headers(null, 'a'), headers(null, 'a, a'), headers('Basic eA==', 'a')].map(adminKeyIn)).toEqual([
      'a',
      'a',
      'a',
    ])
    expect([headers(null, null), headers('Bearer a', null), headers(null, '')].map(adminKeyIn)).toEqual([
      null,
      null,
      null,
    ])
    expect(adminKeyIn(headers(null, 'a, b'))).toBe('a, b')
  })
})

describe('the type of a response', () => {
  const accepted = (header: string | null) => acceptedType(header, ['application/x-ndjson', 'text/csv'])

  it.each([
    [null, 'application/x-ndjson'],
    ['', 'application/x-ndjson'],
    ['*/*', 'application/x-ndjson'],
    ['text/csv', 'text/csv'],
    ['TEXT/CSV; header=present', 'text/csv'],
    ['text/csv, */*', 'text/csv'],
    ['*/*, text/*', 'text/csv'],
    ['text/csv;q=0', 'application/x-ndjson'],
    ['text/csv;q=0.5, application/x-ndjson', 'application/x-ndjson'],
    ['application/x-ndjson;q=0.5, text/csv;q=0.8', 'text/csv'],
    ['application/x-ndjson, text/csv', 'application/x-ndjson'],
    ['text/csv, application/x-ndjson', 'text/csv'],
    ['*/*;q=0.1, text/csv; q=0.2', 'text/csv'],
    ['text/*, text/csv;q=0', 'application/x-ndjson'],
    ['application/json', 'application/x-ndjson'],
    ['text/csvx, nonsense;q=x', 'application/x-ndjson'],
  ])('is what the caller prefers: %s', (header, type) => {
    expect(accepted(header)).toBe(type)
  })
})

describe('a content type', () => {
  const JSON_TYPE = /^application\/json$/

  it.each([
    'application/json',
    'application/JSON',
    'application/json;charset=utf-8',
    'application/json ; charset="UTF-8"',
    'application/json; CHARSET=utf8',
    'application/json; a="b;c"; charset=utf-8;',
  ])('is UTF-8: %s', (text) => {
    expect(isUtf8Of(JSON_TYPE, text)).toBe(true)
  })

  it.each([
    '',
    'json',
    'application/json, text/plain',
    'application/json; charset=latin1',
    'application/json; charset="iso-8859-1"',
    'application/json; charset=utf-16',
    'application/json; charset=utf-8; charset=latin1',
    'application/json charset=utf-8',
    'application/jsonp',
  ])('is not: %s', (text) => {
    expect(isUtf8Of(JSON_TYPE, text)).toBe(false)
  })

  it('has a type in lower case, without parameters', () => {
    expect(readMediaType('Application/Merge-Patch+JSON; a=b')).toEqual({
      type: 'application/merge-patch+json',
      isUtf8: true,
    })
  })
})
