/** The input schemas of the FlatPeak API: accepted and refused values. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { customerCreate, customerUpdate } from '../../../../src/apis/flatpeak/schema.ts'
import { problemsOf } from '../../../../src/validation/problems.ts'
import { DOCUMENT_EXAMPLE } from './reference-example.ts'

function fieldsRefused(input: unknown): string[] {
  const result = customerUpdate().safeParse(input)
  return result.success ? [] : problemsOf(result.error).map(({ field }) => field)
}

function problemsFor(input: unknown) {
  const result = customerUpdate().safeParse(input)
  return result.success ? [] : problemsOf(result.error)
}

describe('accepted input of the FlatPeak API', () => {
  it('accepts the example of its document, every field of it', () => {
    expect(customerCreate().parse(DOCUMENT_EXAMPLE)).toEqual(DOCUMENT_EXAMPLE)
    expect(customerUpdate().parse(DOCUMENT_EXAMPLE)).toEqual(DOCUMENT_EXAMPLE)
  })

  it('accepts null for every group, list and field but the reference', () => {
    for (const [name, value] of Object.entries(DOCUMENT_EXAMPLE)) {
      expect(fieldsRefused({ [name]: null })).toEqual(name === 'reference_id' ? ['reference_id'] : [])
      if (typeof value !== 'object' || Array.isArray(value)) continue
      for (const field of Object.keys(value)) expect(fieldsRefused({ [name]: { [field]: null } })).toEqual([])
    }
  })

  it('accepts any decimal on Earth, as text with every digit or as a number', () => {
    const degrees = (max: number) =>
      fc.oneof(
        fc.double({ min: -max, max, noNaN: true }),
        fc
          .tuple(fc.boolean(), fc.nat(max - 1), fc.array(fc.nat(9), { maxLength: 40 }))
          .map(
            ([negative, whole, digits]) =>
              `${negative ? '-' : ''}${whole}${digits.length ? '.' : ''}${digits.join('')}`,
          ),
        fc.constantFrom(max, -max, `${max}`, `-${max}`, `${max}.000`),
      )
    fc.assert(
      fc.property(degrees(90), degrees(180), (latitude, longitude) => {
        const input = { geo_location: { latitude, longitude } }
        expect(customerUpdate().parse(input)).toEqual(input)
      }),
    )
  })

  it('accepts a country in any case', () => {
    expect(customerUpdate().parse({ postal_address: { country_code: 'gb' } }).postal_address?.country_code).toBe('GB')
  })
})

describe('refused input of the FlatPeak API', () => {
  it('refuses a new customer without a reference, with an empty one or with one that is too long', () => {
    expect(customerCreate().safeParse({}).success).toBe(false)
    expect(fieldsRefused({ reference_id: '' })).toEqual(['reference_id'])
    expect(fieldsRefused({ reference_id: 'x'.repeat(256) })).toEqual(['reference_id'])
    expect(fieldsRefused({ reference_id: '😀'.repeat(255) })).toEqual([])
    expect(fieldsRefused({ reference_id: 7 })).toEqual(['reference_id'])
  })

  it('refuses coordinates beyond the globe, however narrowly, and text that is not a decimal', () => {
    const wrong = [
      90.1,
      -91,
      '90.1',
      '-90.00000000000000000000001',
      '91',
      '1e1',
      '0x10',
      'north',
      ' 1',
      '1.',
      '.5',
      '+1',
    ]
    for (const latitude of [...wrong, '1'.repeat(60), true, [], {}]) {
      expect(fieldsRefused({ geo_location: { latitude } }), String(latitude)).toEqual(['geo_location.latitude'])
    }
    expect(fieldsRefused({ geo_location: { longitude: '180.0000000000000000001' } })).toEqual([
      'geo_location.longitude',
    ])
    expect(fieldsRefused(JSON.parse('{"geo_location": {"longitude": 1e999}}'))).toEqual(['geo_location.longitude'])
  })

  it('refuses by name every field that is too long, of the wrong type or malformed', () => {
    const person = (fields: object) => ({ personal_details: fields })
    const address = (fields: object) => ({ postal_address: fields })
    const cases: [unknown, string][] = [
      [person({ email: 'not an address' }), 'personal_details.email'],
      [person({ email_verified: 'yes' }), 'personal_details.email_verified'],
      [person({ phone: '1'.repeat(21) }), 'personal_details.phone'],
      [person({ phone_verified: 1 }), 'personal_details.phone_verified'],
      [person({ preferred_locale: 'x'.repeat(36) }), 'personal_details.preferred_locale'],
      [person({ timezone: 'Mars/Olympus' }), 'personal_details.timezone'],
      [address({ address_line1: 'x'.repeat(256) }), 'postal_address.address_line1'],
      [address({ address_line2: 'x'.repeat(256) }), 'postal_address.address_line2'],
      [address({ city: 'x'.repeat(101) }), 'postal_address.city'],
      [address({ state: 'x'.repeat(101) }), 'postal_address.state'],
      [address({ post_code: 'x'.repeat(21) }), 'postal_address.post_code'],
      [address({ country_code: 'UK' }), 'postal_address.country_code'],
      [{ terms_accepted: { terms_accepted: 'true' } }, 'terms_accepted.terms_accepted'],
      [{ terms_accepted: { terms_accepted_time: 5 } }, 'terms_accepted.terms_accepted_time'],
      [{ providers: 'prv_1' }, 'providers'],
      [{ locations: [''] }, 'locations.0'],
      [{ devices: ['dev_1', 7] }, 'devices.1'],
      [{ devices: new Array(501).fill('dev_1') }, 'devices'],
      [{ personal_details: 'me' }, 'personal_details'],
      [[], ''],
      ['text', ''],
      [null, ''],
    ]
    for (const [input, field] of cases) {
      expect(problemsFor(input), JSON.stringify(input)).toMatchObject([{ field }])
      for (const { message, fix } of problemsFor(input)) expect([message, fix]).not.toContain('')
    }
  })

  it('accepts or refuses any JSON, and never throws', () => {
    const anything = fc.jsonValue({ maxDepth: 4 })
    const near = fc.record(
      {
        reference_id: anything,
        personal_details: fc.oneof(
          anything,
          fc.record({ email: anything, phone: anything, timezone: anything }, { requiredKeys: [] }),
        ),
        postal_address: fc.oneof(anything, fc.record({ city: anything, country_code: anything }, { requiredKeys: [] })),
        geo_location: fc.oneof(anything, fc.record({ latitude: anything, longitude: anything }, { requiredKeys: [] })),
        terms_accepted: anything,
        providers: anything,
        locations: anything,
        devices: fc.oneof(anything, fc.array(anything)),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(fc.oneof(anything, near), (input) => {
        const result = customerUpdate().safeParse(input)
        if (!result.success) expect(problemsOf(result.error).length).toBeGreaterThan(0)
      }),
      { numRuns: 500 },
    )
  })
})
