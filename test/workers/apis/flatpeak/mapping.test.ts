/** FlatPeak's fields and the registry's fields carry the same values. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toChanges, toFlatpeak, toListQuery, toNewCustomer } from '../../../../src/apis/flatpeak/mapping.ts'
import { customerUpdate } from '../../../../src/apis/flatpeak/schema.ts'
import type { Customer } from '../../../../src/registry/customer.ts'
import { optionalTexts } from '../../../../src/registry/customer-fields.ts'
import { DOCUMENT_EXAMPLE } from './reference-example.ts'

const customer: Customer = {
  tenantId: '550e8400-e29b-41d4-a716-446655440000',
  mode: 'live',
  id: 'cust_01JD0000000000000000000000',
  externalId: 'ABC1234567890',
  ...optionalTexts(() => null),
  name: 'shown by other APIs',
  timezone: 'UTC',
  parentId: null,
  metadata: { other: 'API' },
  integrations: [],
  profile: {},
  status: 'published',
  version: 1,
  createdAtMs: Date.UTC(2021, 4, 5, 5, 37, 27),
  updatedAtMs: Date.UTC(2021, 4, 5, 5, 37, 27),
  createdBy: 'key_1',
  updatedBy: 'key_1',
}

describe('FlatPeak input', () => {
  it('becomes the record’s own fields where they exist, and its profile otherwise', () => {
    expect(toNewCustomer(DOCUMENT_EXAMPLE)).toEqual({
      externalId: 'ABC1234567890',
      email: 'user@example.com',
      contact: '440123456789',
      timezone: 'Etc/UTC',
      addressLine1: '123',
      addressLine2: 'Infinite Drive',
      addressCity: 'London',
      addressState: 'Greater London',
      addressPostalCode: 'SE110AA',
      addressCountry: 'GB',
      profile: {
        personal_details: { email_verified: true, phone_verified: true, preferred_locale: 'EN' },
        geo_location: DOCUMENT_EXAMPLE.geo_location,
        terms_accepted: DOCUMENT_EXAMPLE.terms_accepted,
        providers: DOCUMENT_EXAMPLE.providers,
        locations: DOCUMENT_EXAMPLE.locations,
        devices: DOCUMENT_EXAMPLE.devices,
      },
    })
  })

  it('keeps what it does not name: no field, no group, an empty group', () => {
    const groups = { personal_details: {}, postal_address: {}, geo_location: {}, terms_accepted: {} }
    expect(toChanges({})).toEqual({})
    expect(toChanges(groups)).toEqual({})
    expect(toChanges({ personal_details: { phone: '1' } })).toEqual({ contact: '1' })
    expect(toChanges({ geo_location: { latitude: 1 } })).toEqual({ profile: { geo_location: { latitude: 1 } } })
  })

  it('clears a field with null or empty text, and a whole group with null', () => {
    for (const nothing of [null, '']) {
      expect(toChanges({ personal_details: { email: nothing, timezone: nothing, preferred_locale: nothing } })).toEqual(
        {
          email: null,
          timezone: null,
          profile: { personal_details: { preferred_locale: null } },
        },
      )
      const input = { geo_location: { latitude: nothing }, terms_accepted: { terms_accepted_time: nothing } }
      expect(toChanges(input)).toEqual({
        profile: { geo_location: { latitude: null }, terms_accepted: { terms_accepted_time: null } },
      })
    }
    const cleared = { email: null, contact: null, timezone: null, profile: { personal_details: null } }
    expect(toChanges({ personal_details: null })).toEqual(cleared)
    expect(toChanges({ postal_address: null })).toEqual({
      addressLine1: null,
      addressLine2: null,
      addressCity: null,
      addressState: null,
      addressPostalCode: null,
      addressCountry: null,
    })
    expect(toChanges({ geo_location: null, terms_accepted: null, devices: null, locations: [] })).toEqual({
      profile: { geo_location: null, terms_accepted: null, devices: null, locations: [] },
    })
  })
})

describe('FlatPeak output', () => {
  it('is the customer of the reference document, without fields that were never set', () => {
    expect(toFlatpeak(customer)).toEqual({
      id: customer.id,
      object: 'customer',
      live_mode: true,
      reference_id: 'ABC1234567890',
      personal_details: { timezone: 'UTC' },
      locations: [],
      time_created: '2021-05-05T05:37:27.000Z',
      account_id: customer.tenantId,
    })
    expect(toFlatpeak({ ...customer, mode: 'test' })).toMatchObject({ live_mode: false })
  })

  it('has no group whose fields were all cleared', () => {
    const profile = { geo_location: {}, terms_accepted: { terms_accepted: null }, personal_details: {} }
    expect(toFlatpeak({ ...customer, profile })).toEqual(toFlatpeak(customer))
  })

  it('has everything that was sent, for any valid input', () => {
    const text = fc.string({ minLength: 1, maxLength: 20 })
    const degrees = fc.oneof(fc.integer({ min: -90, max: 90 }), fc.constantFrom('-77.52907766250239', '1.500', '90.0'))
    const ids = fc.array(text, { maxLength: 3 })
    const some = <T>(shape: { [Key in keyof T]: fc.Arbitrary<T[Key]> }) => fc.record(shape, { requiredKeys: [] })
    const input = some({
      reference_id: text.filter((id) => id !== '.' && id !== '..'),
      personal_details: some({
        email: fc.constantFrom('a@example.com', 'ä@example.com'),
        email_verified: fc.boolean(),
        phone: text,
        phone_verified: fc.boolean(),
        preferred_locale: text,
        timezone: fc.constantFrom('Europe/Berlin', 'Etc/UTC'),
      }),
      postal_address: some({
        address_line1: text,
        address_line2: text,
        city: text,
        state: text,
        post_code: text,
        country_code: fc.constantFrom('GB', 'DE'),
      }),
      geo_location: some({ latitude: degrees, longitude: degrees }),
      terms_accepted: some({ terms_accepted: fc.boolean(), terms_accepted_time: text }),
      providers: ids,
      locations: ids,
      devices: ids,
    })
    fc.assert(
      fc.property(input, (sent) => {
        const { profile, ...fields } = toChanges(customerUpdate().parse(sent))
        const shown = toFlatpeak({ ...customer, ...fields, profile: profile ?? {} } as Customer)
        const { personal_details, ...rest } = withoutEmptyGroups(sent)
        expect(shown).toMatchObject({ ...rest, ...((personal_details as object | undefined) && { personal_details }) })
      }),
    )
  })
})

function withoutEmptyGroups(sent: Record<string, unknown>): Record<string, unknown> {
  const isEmptyGroup = (value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0
  return Object.fromEntries(Object.entries(sent).filter(([, value]) => !isEmptyGroup(value)))
}

describe('a page', () => {
  it('begins after a customer, ends before one, or is the first; never both', () => {
    expect(toListQuery({ limit: 30 }).start).toEqual({ kind: 'offset', offset: 0 })
    expect(toListQuery({ limit: 30, starting_after: 'a' }).start).toEqual({
      kind: 'after',
      position: ['a'],
      anchorId: 'a',
    })
    expect(toListQuery({ limit: 30, ending_before: 'a' }).start).toEqual({
      kind: 'before',
      position: ['a'],
      anchorId: 'a',
    })
    expect(() => toListQuery({ limit: 30, starting_after: 'a', ending_before: 'a' })).toThrow('invalid_input')
    expect(toListQuery({ limit: 1, reference_id: 'r' }).filters).toEqual([
      { field: 'externalId', operator: 'eq', value: 'r' },
    ])
  })
})
