import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { nearestHint, nearestName, typingErrors } from '../../../src/validation/nearest.ts'
import { problemsOf, unknownFields, WITH_INPUT } from '../../../src/validation/problems.ts'

const FIELDS = [
  'external_id',
  'external_ids',
  'name',
  'email',
  'limit',
  'address_city',
  'address_line1',
  'address_line2',
]

/** The definition of the distance, without a table and without a bound. */
function distance(a: string, b: string): number {
  if (a === '' || b === '') return a.length + b.length
  const ways = [
    distance(a.slice(1), b) + 1,
    distance(a, b.slice(1)) + 1,
    distance(a.slice(1), b.slice(1)) + (a[0] === b[0] ? 0 : 1),
  ]
  if (a.length > 1 && b.length > 1 && a[0] === b[1] && a[1] === b[0]) ways.push(distance(a.slice(2), b.slice(2)) + 1)
  return Math.min(...ways)
}

describe('the nearest name', () => {
  it.each([
    ['emial', 'email'],
    ['e-mail', 'email'],
    ['Email', 'email'],
    ['mail', 'email'],
    ['externalId', 'external_id'],
    ['external_idss', 'external_ids'],
    ['adress_line2', 'address_line2'],
    ['city', 'address_city'],
    ['limt', 'limit'],
    ['nmae', 'name'],
  ])('returns for %s the name %s', (sent, nearest) => {
    expect(nearestName(sent, FIELDS)).toBe(nearest)
  })

  it.each(['', 'x', 'id', 'phone', '__proto__', '𝓮𝓶𝓪𝓲𝓵', 'e'.repeat(1_000)])('returns none for %j', (sent) => {
    expect(nearestName(sent, FIELDS)).toBeNull()
    expect(nearestHint(sent, FIELDS)).toBe('')
  })

  it('counts typing errors as their definition does, up to the limit', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 6 })
    fc.assert(
      fc.property(word, word, fc.integer({ min: 1, max: 9 }), (a, b, limit) => {
        expect(typingErrors(a, b, limit)).toBe(Math.min(distance(a, b), limit))
      }),
    )
  })

  it('finds each name of three letters or more again after one typing error', () => {
    fc.assert(
      fc.property(fc.constantFrom(...FIELDS), fc.nat(), fc.constantFrom('', 'q', 'swap'), (name, drawn, how) => {
        const at = drawn % (name.length - 1)
        const put = how === 'swap' ? `${name[at + 1]}${name[at]}` : how
        const typed = name.slice(0, at) + put + name.slice(at + (how === 'swap' ? 2 : 1))
        expect(nearestName(typed, [name])).toBe(name)
      }),
    )
  })
})

describe('a problem', () => {
  const schema = z.preprocess(
    (value) => value,
    z.strictObject({
      name: z.string(),
      status: z.enum(['published', 'draft']).optional(),
      sort: z.array(z.strictObject({ field: z.enum(['created_at', 'email']) })).optional(),
    }),
  )
  const problems = (value: unknown) => {
    const { error } = schema.safeParse(value, WITH_INPUT)
    return error ? problemsOf(error, { schema, value }).map(({ field, message }) => `${field} ${message}`) : []
  }

  it.each([
    [{ name: 'a', statsu: 'draft' }, 'statsu is not known here, did you mean status?'],
    [{ name: 'a', colour: 1 }, 'colour is not known here'],
    [{ name: 'a', status: 'publised' }, 'status is none of published, draft, did you mean published?'],
    [{ name: 'a', status: 7 }, 'status is none of published, draft'],
    [
      { name: 'a', sort: [{ field: 'createdAt' }] },
      'sort.0.field is none of created_at, email, did you mean created_at?',
    ],
    [{ name: 'a', sort: [{ field: 'email', feild: 1 }] }, 'sort.0.feild is not known here, did you mean field?'],
    [{ nmae: 'a' }, 'name is required: you sent nmae'],
    [{ sort: [{ filed: 'email' }] }, 'sort.0.field is required: you sent filed'],
  ])('names for %j what was probably meant', (value, problem) => {
    expect(problems(value)).toContain(problem)
  })

  it('names it for a field that is refused on request too', () => {
    const object = z.object({ address: z.object({ city: z.string() }) })
    expect(unknownFields({ adress: 1, address: { ctiy: 'x' } }, object)).toEqual([
      {
        field: 'adress',
        message: 'is not a field of this request, did you mean address?',
        fix: 'send address, or remove it',
      },
      {
        field: 'address.ctiy',
        message: 'is not a field of this request, did you mean city?',
        fix: 'send city, or remove it',
      },
    ])
  })
})
