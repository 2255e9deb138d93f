/** JSON keeps its digits, and is refused if a value cannot be kept. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { metadata } from '../../../src/validation/fields.ts'
import { readDetails } from '../../../src/validation/integrations.ts'
import { isShallow, JSON_DEPTH_MAX, readJson, storedJson, valuesOf, withDigits } from '../../../src/validation/json.ts'

/** A number as RFC 8259 writes it, of any length, that a double can approximate. */
const number = fc
  .tuple(
    fc.constantFrom('', '-'),
    fc.oneof(fc.constant('0'), fc.stringMatching(/^[1-9]\d{0,24}$/)),
    fc.oneof(fc.constant(''), fc.stringMatching(/^\.\d{1,24}$/)),
    fc.oneof({ weight: 3, arbitrary: fc.constant('') }, fc.stringMatching(/^[eE][+-]?\d{1,2}$/)),
  )
  .map((parts) => parts.join(''))
const leaf = fc.oneof(
  number,
  fc.string().map((text) => JSON.stringify(text)),
  fc.constantFrom('true', 'null', '"12.50"', '",1.10"'),
)
const space = fc.constantFrom('', ' ', '\n\t')
/** JSON text in the form of JSON.stringify, but with the numbers as they are, and the same with spaces. */
const { json } = fc.letrec<{ json: [string, string] }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small' },
    leaf.map((text): [string, string] => [text, text]),
    fc
      .tuple(space, fc.array(tie('json'), { maxLength: 3 }))
      .map(([gap, inner]): [string, string] => [
        `[${inner.map(([text]) => text).join(',')}]`,
        `[${inner.map(([, text]) => gap + text + gap).join(',')}]`,
      ]),
    fc
      .tuple(
        space,
        fc.uniqueArray(fc.tuple(fc.constantFrom('a', 'b', '__proto__', 'constructor', '-0', 'é"'), tie('json')), {
          selector: ([key]) => key,
          maxLength: 3,
        }),
      )
      .map(([gap, inner]): [string, string] => [
        `{${inner.map(([key, [text]]) => `${JSON.stringify(key)}:${text}`).join(',')}}`,
        `{${inner.map(([key, [, text]]) => `${gap}${JSON.stringify(key)}${gap}:${gap}${text}`).join(',')}}`,
      ]),
  ),
}))

const rewritten = (text: string) =>
  JSON.stringify({ holder: withDigits((readJson(`{"holder":${text}}`).value as { holder: unknown }).holder) })

describe('the digits of numbers', () => {
  it('are those that were sent, at any depth and whatever the spaces', () => {
    const digits = (text: string) => JSON.stringify(storedJson(`[${text}]`))
    fc.assert(
      fc.property(json, ([compact, spaced]) => {
        expect(digits(spaced)).toBe(`[${compact}]`)
      }),
      { numRuns: 2_000 },
    )
  })

  it('are kept in metadata, which stores text', () => {
    fc.assert(
      fc.property(number, (text) => {
        const { value, problem } = readJson(`{"it": ${text}}`)
        expect([problem, metadata.parse(value)]).toEqual([null, { it: text }])
      }),
    )
  })

  it('are kept in the details of an integration', () => {
    const { value } = readJson('{"b":{"y":12345678901234567890,"x":[1.10,-0]},"a":1e5}')
    expect(readDetails(withDigits(value) as Record<string, unknown>)).toBe(
      '{"a":1e5,"b":{"x":[1.10,-0],"y":12345678901234567890}}',
    )
  })

  it('are text for a bound Worker if a double does not hold them', () => {
    expect(valuesOf('{"a":1.10,"b":12345678901234567890,"c":1e5,"d":0.1,"e":1e-400,"f":-0.0}')).toEqual({
      a: 1.1,
      b: '12345678901234567890',
      c: 100_000,
      d: 0.1,
      e: '1e-400',
      f: -0,
    })
  })

  it('are those of the last one where a key comes twice', () => {
    expect(rewritten('{"a":1.10,"a":2.20}')).toBe('{"holder":{"a":2.20}}')
  })
})

describe('a text', () => {
  it.each(['1e400', '-1e400', '{"a":[1,{"b":1e309}]}', `{"a":${'9'.repeat(310)}}`])(
    'with the number %s is refused by name',
    (text) => {
      const { problem } = readJson(`{"outer":${text}}`)
      expect(problem).toMatchObject({
        field: expect.stringMatching(/^outer/),
        message: 'is a number beyond all that can be read',
      })
    },
  )

  it('with NUL or half of a surrogate pair is refused by name, also as a key', () => {
    for (const half of ['\\u0000', '\\ud800', '\\udc00', '\\uD83Dx']) {
      expect(readJson(`{"a":{"b":"x${half}"}}`).problem?.field).toBe('a.b')
      expect(readJson(`{"a":{"${half}":1.10}}`).problem?.field).toBe('a')
    }
    expect(readJson('{"a":"\\ud83d\\ude00"}').problem).toBeNull()
  })

  it('may be nested 100 levels deep and no deeper, with digits to keep or without', () => {
    const nested = (levels: number, inner: string) => '['.repeat(levels) + inner + ']'.repeat(levels)
    for (const inner of ['', '1.10']) {
      expect(readJson(nested(JSON_DEPTH_MAX, inner)).problem).toBeNull()
      for (const levels of [JSON_DEPTH_MAX + 1, 100_000])
        expect(readJson(nested(levels, inner)).problem?.message).toMatch(/deep/)
    }
  })

  it('has its depth found whatever brackets, quotes and backslashes are in its strings', () => {
    const text = fc.string({ unit: fc.constantFrom('"', '\\', '[', ']', '{', '}', 'a'), maxLength: 12 })
    const leaf = fc.oneof(text, fc.array(text), fc.dictionary(text, text))
    const levels = fc.integer({ min: JSON_DEPTH_MAX - 3, max: JSON_DEPTH_MAX + 1 })
    fc.assert(
      fc.property(leaf, text, levels, fc.boolean(), (inner, beside, around, isArray) => {
        let value: unknown = inner
        for (let level = 0; level < around; level++) value = isArray ? [beside, value] : { [beside]: value }
        const read = readJson(JSON.stringify(value))
        expect(read.problem === null).toBe(isShallow(value, JSON_DEPTH_MAX))
        if (read.problem === null) expect(read.value).toEqual(value)
      }),
    )
  })

  it('that is no JSON throws', () => {
    for (const text of ['', '{', '01', '1.', '.5', '+1', 'NaN', '"\n"', '{"a":1,}'])
      expect(() => readJson(text)).toThrow(SyntaxError)
  })
})
