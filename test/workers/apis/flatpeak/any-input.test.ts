/** The FlatPeak API accepts any JSON as a whole, or refuses it by its field and changes nothing. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { newTenant } from '../../support/roster.ts'
import { call } from './caller.ts'

const anything = fc.jsonValue({ maxDepth: 2 })
const or = (...usual: fc.Arbitrary<unknown>[]) =>
  fc.oneof({ weight: 1, arbitrary: anything }, ...usual.map((arbitrary) => ({ weight: 4, arbitrary })))
const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 12 }), fc.constant(null), fc.constant(''))
const degrees = fc.oneof(fc.double({ min: -200, max: 200 }), fc.constantFrom('1.10', '-90', '91', null, ''))
const flag = fc.constantFrom(true, false, null)
const ids = fc.oneof(fc.array(fc.string({ maxLength: 70 }), { maxLength: 3 }), fc.constant(null))
const group = (fields: Record<string, fc.Arbitrary<unknown>>) =>
  or(
    fc.record(Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, or(field)])), {
      requiredKeys: [],
    }),
    fc.constant(null),
  )

const input = fc.record(
  {
    reference_id: or(fc.string({ unit: 'binary', minLength: 1 })),
    personal_details: group({
      email: fc.constantFrom('a@b.co', '', null),
      email_verified: flag,
      phone: text,
      phone_verified: flag,
      preferred_locale: text,
      timezone: fc.constantFrom('Etc/UTC', '', null),
    }),
    postal_address: group({
      address_line1: text,
      address_line2: text,
      city: text,
      state: text,
      post_code: text,
      country_code: fc.constantFrom('gb', '', null),
    }),
    geo_location: group({ latitude: degrees, longitude: degrees }),
    terms_accepted: group({ terms_accepted: flag, terms_accepted_time: text }),
    providers: or(ids),
    locations: or(ids),
    devices: or(ids),
  },
  { requiredKeys: [] },
)

describe('any JSON', () => {
  it('changes the whole customer, or refuses and changes nothing', async () => {
    const { live } = await newTenant()
    const { key } = live
    const { body: made } = await call('POST', '/customers', { key, body: { reference_id: 'any' } })
    let before = made
    let taken = 0
    await fc.assert(
      fc.asyncProperty(fc.oneof({ weight: 1, arbitrary: anything }, { weight: 9, arbitrary: input }), async (body) => {
        const changed = await call('PATCH', `/customers/${made.id}`, { key, body: JSON.stringify(body) })
        expect([202, 400], changed.text).toContain(changed.status)
        const { body: after } = await call('GET', `/customers/${made.id}`, { key })
        expect(after).toEqual(changed.status === 202 ? changed.body : before)
        if (changed.status === 202) taken++
        before = after
      }),
      { numRuns: 150 },
    )
    expect(taken).toBeGreaterThan(10)
  })
})
