/**
 * Maps FlatPeak's form of a customer to the registry's changes, and a customer back. Pure. `reference_id`, e-mail,
 * phone, time zone and address are the record's own fields, which all APIs show. The profile stores the other fields in
 * this API's own names and shape.
 */
import { shownProfile } from '../../formats/profile.ts'
import type { Customer, CustomerChanges, Mode } from '../../registry/customer.ts'
import { invalidField } from '../../registry/errors.ts'
import type { Written } from '../../registry/ports.ts'
import type { ListPage, ListQuery } from '../../registry/query.ts'
import { isoTime } from '../../shared/clock.ts'
import type { CustomerInput, ListInput } from './schema.ts'

/** Groups that the profile stores. The record's own fields have the other groups. */
const PROFILE_GROUPS = ['geo_location', 'terms_accepted'] as const
const PROFILE_LISTS = ['providers', 'locations', 'devices'] as const
const PERSONAL_PROFILE_FIELDS = ['email_verified', 'phone_verified', 'preferred_locale'] as const

/** Keeps absent fields absent. Null and `""` clear a field; null for a group clears all of its fields. */
export function toChanges(input: CustomerInput): CustomerChanges {
  const person = fieldsOf(input.personal_details, ['email', 'phone', 'timezone'])
  const address = fieldsOf(input.postal_address, [
    'address_line1',
    'address_line2',
    'city',
    'state',
    'post_code',
    'country_code',
  ])
  return defined({
    externalId: input.reference_id,
    email: person.email,
    contact: person.phone,
    timezone: person.timezone,
    addressLine1: address.address_line1,
    addressLine2: address.address_line2,
    addressCity: address.city,
    addressState: address.state,
    addressPostalCode: address.post_code,
    addressCountry: address.country_code,
    profile: profilePatch(input),
  })
}

export function toNewCustomer(
  input: CustomerInput & { reference_id: string },
): CustomerChanges & { externalId: string } {
  return { ...toChanges(input), externalId: input.reference_id }
}

/** Returns a merge patch, in which null removes, or undefined if the input has no field of the profile. */
function profilePatch(input: CustomerInput): Record<string, unknown> | undefined {
  const patch: Record<string, unknown> = defined({
    personal_details:
      input.personal_details === null ? null : groupPatch(input.personal_details, PERSONAL_PROFILE_FIELDS),
    ...Object.fromEntries(
      PROFILE_GROUPS.map((name) => {
        const group: Record<string, unknown> | null | undefined = input[name]
        return [name, group === null ? null : groupPatch(group, group ? Object.keys(group) : [])]
      }),
    ),
    ...Object.fromEntries(PROFILE_LISTS.map((name) => [name, input[name]])),
  })
  return Object.keys(patch).length === 0 ? undefined : patch
}

function groupPatch(
  group: Record<string, unknown> | undefined,
  names: readonly string[],
): Record<string, unknown> | undefined {
  if (!group) return undefined
  const patch = defined(Object.fromEntries(names.map((name) => [name, group[name] === '' ? null : group[name]])))
  return Object.keys(patch).length === 0 ? undefined : patch
}

/** Returns the named fields of a group, with null for each field to clear. A group that is null clears all. */
function fieldsOf<Name extends string>(
  group: { [field in Name]?: string | null | undefined } | null | undefined,
  names: readonly Name[],
): { [field in Name]?: string | null | undefined } {
  const fields: { [field in Name]?: string | null | undefined } = {}
  for (const name of names) fields[name] = group === null ? null : group?.[name] === '' ? null : group?.[name]
  return fields
}

function defined<T extends object>(values: T): T {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T
}

/** Customer as this API shows it. A group is present if one of its fields is set; the time zone always is. */
export interface FlatpeakCustomer {
  id: string
  object: 'customer'
  live_mode: boolean
  reference_id: string
  personal_details: {
    email?: string
    email_verified?: boolean
    phone?: string
    phone_verified?: boolean
    preferred_locale?: string
    timezone: string
  }
  postal_address?: {
    address_line1?: string
    address_line2?: string
    city?: string
    state?: string
    post_code?: string
    country_code?: string
  }
  geo_location?: { latitude?: string | number; longitude?: string | number }
  terms_accepted?: { terms_accepted?: boolean; terms_accepted_time?: string }
  providers?: string[]
  locations: string[]
  devices?: string[]
  time_created: string
  account_id: string
}

/** Returns the customer as this API shows it. This API's schema validated the profile before it was stored. */
export function toFlatpeak(customer: Customer): FlatpeakCustomer {
  const profile = shownProfile(customer.profile)
  return defined({
    id: customer.id,
    object: 'customer',
    live_mode: customer.mode === 'live',
    reference_id: customer.externalId,
    personal_details: groupOf({
      email: customer.email,
      ...pick(profile.personal_details, ['email_verified']),
      phone: customer.contact,
      ...pick(profile.personal_details, ['phone_verified', 'preferred_locale']),
      timezone: customer.timezone,
    }),
    postal_address: groupOf({
      address_line1: customer.addressLine1,
      address_line2: customer.addressLine2,
      city: customer.addressCity,
      state: customer.addressState,
      post_code: customer.addressPostalCode,
      country_code: customer.addressCountry,
    }),
    geo_location: groupOf(profile.geo_location),
    terms_accepted: groupOf(profile.terms_accepted),
    providers: profile.providers,
    locations: profile.locations ?? [],
    devices: profile.devices,
    time_created: isoTime(customer.createdAtMs),
    account_id: customer.tenantId,
  } as FlatpeakCustomer)
}

/**
 * The part that a caller without the scope `customers:read` gets of the customer that it wrote. This API shows no status and no
 * version; the etag has the version.
 */
export type FlatpeakReference = Pick<FlatpeakCustomer, 'id' | 'object' | 'live_mode' | 'reference_id'>

export function toFlatpeakWritten(written: Written, mode: Mode): FlatpeakCustomer | FlatpeakReference {
  if (!written.isCut) return toFlatpeak(written.customer)
  const { id, externalId } = written.customer
  return { id, object: 'customer', live_mode: mode === 'live', reference_id: externalId }
}

export function toFlatpeakList(page: ListPage) {
  const data = page.customers.map(toFlatpeak)
  return { object: 'list' as const, url: '/customers' as const, has_more: page.next !== null, data }
}

function groupOf(values: unknown): Record<string, unknown> | undefined {
  if (typeof values !== 'object' || values === null) return undefined
  const set = Object.entries(values).filter(([, value]) => value !== null && value !== undefined)
  return set.length === 0 ? undefined : Object.fromEntries(set)
}

function pick(values: unknown, names: string[]): Record<string, unknown> {
  const group = groupOf(values) ?? {}
  return Object.fromEntries(names.map((name) => [name, group[name]]))
}

export function toListQuery(input: ListInput): ListQuery {
  const { limit, starting_after: after, ending_before: before, reference_id: referenceId } = input
  if (after !== undefined && before !== undefined) {
    const message = 'cannot be combined with starting_after'
    throw invalidField('ending_before', message, 'send one of the two')
  }
  return {
    filters: referenceId === undefined ? [] : [{ field: 'externalId', operator: 'eq', value: referenceId }],
    includeArchived: false,
    sort: [],
    start: pageStart(after, before),
    limit,
  }
}

function pageStart(after: string | undefined, before: string | undefined): ListQuery['start'] {
  if (after !== undefined) return { kind: 'after', position: [after], anchorId: after }
  if (before !== undefined) return { kind: 'before', position: [before], anchorId: before }
  return { kind: 'offset', offset: 0 }
}
