/**
 * FlexPrice's words for a customer, and the registry's. Pure. An absent field is kept, null clears it, and so does `""`
 * where text may be unset.
 */

import type { ImportedFields } from '../../registry/bulk.ts'
import type {
  Customer,
  CustomerChanges,
  CustomerStatus,
  Integration,
  Mode,
  ParentReference,
} from '../../registry/customer.ts'
import type { Expanded, Expansion } from '../../registry/operations.ts'
import type { Erasure } from '../../registry/ports.ts'
import { isoTime } from '../../shared/clock.ts'
import type { CustomerInput } from './schema.ts'

const TEXT_FIELDS = {
  name: 'name',
  email: 'email',
  contact: 'contact',
  address_line1: 'addressLine1',
  address_line2: 'addressLine2',
  address_city: 'addressCity',
  address_state: 'addressState',
  address_postal_code: 'addressPostalCode',
  address_country: 'addressCountry',
  timezone: 'timezone',
} as const
const TEXT_NAMES = Object.keys(TEXT_FIELDS) as (keyof typeof TEXT_FIELDS)[]

/** For PUT: `metadata` replaces the whole. */
export function toChanges(input: CustomerInput): CustomerChanges {
  const changes = commonChanges(input)
  if (input.metadata !== undefined) changes.metadata = { replace: withoutNulls(input.metadata ?? {}) }
  return changes
}

/** For PATCH (RFC 7396): `metadata` is merged, a null value removes its key, null for the whole clears it. */
export function toMergePatch(input: CustomerInput): CustomerChanges {
  const changes = commonChanges(input)
  if (input.metadata === null) changes.metadata = { replace: {} }
  else if (input.metadata && Object.keys(input.metadata).length > 0) changes.metadata = { merge: input.metadata }
  return changes
}

export function toNewCustomer(input: CustomerInput & { external_id: string }) {
  return { ...toChanges(input), externalId: input.external_id }
}

/** For a line of an import: as PUT, under the external id that the line names. */
export function toImported(input: CustomerInput): ImportedFields {
  const { metadata } = input
  const { externalId: _key, metadata: _none, profile: _other, ...changes } = commonChanges(input)
  return metadata === undefined ? changes : { ...changes, metadata: { replace: withoutNulls(metadata ?? {}) } }
}

function commonChanges(input: CustomerInput): CustomerChanges {
  const changes: CustomerChanges = {}
  for (const name of TEXT_NAMES) {
    const value = input[name]
    if (value !== undefined) changes[TEXT_FIELDS[name]] = value === '' ? null : value
  }
  if (input.external_id !== undefined) changes.externalId = input.external_id
  const parent = parentOf(input)
  if (parent !== undefined) changes.parent = parent
  if (input.integration_entity_mapping !== undefined) changes.integrations = input.integration_entity_mapping ?? []
  if (input.status !== undefined) changes.status = input.status ?? 'published'
  return changes
}

function parentOf(input: CustomerInput): ParentReference | null | undefined {
  const { parent_customer_id: id, parent_customer_external_id: externalId } = input
  if (id) return { id }
  if (externalId) return { externalId }
  return id === undefined && externalId === undefined ? undefined : null
}

/** Which field of the input names the parent: what a failure about the parent is told of. */
export function parentFieldOf(input: CustomerInput): string {
  return input.parent_customer_external_id ? 'parent_customer_external_id' : 'parent_customer_id'
}

function withoutNulls(metadata: Record<string, string | null>): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).filter((entry): entry is [string, string] => entry[1] !== null))
}

/** Live and test are the two environments that every tenant has. */
function environmentId(mode: Mode): string {
  return mode === 'live' ? 'env_live' : 'env_test'
}

export interface V1Customer {
  id: string
  external_id: string
  name: string
  email: string
  contact: string | null
  address_line1: string
  address_line2: string
  address_city: string
  address_state: string
  address_postal_code: string
  address_country: string
  timezone: string
  parent_customer_id: string | null
  parent_customer: V1Customer | null
  metadata: Record<string, string>
  environment_id: string
  tenant_id: string
  status: CustomerStatus
  created_at: string
  updated_at: string
  created_by: string
  updated_by: string
}

/** Every key is always there: FlexPrice's SDK refuses an answer that lacks one. */
export function toV1(customer: Customer, expanded: Expanded = {}): V1Customer {
  return {
    id: customer.id,
    external_id: customer.externalId,
    name: customer.name ?? '',
    email: customer.email ?? '',
    contact: customer.contact,
    address_line1: customer.addressLine1 ?? '',
    address_line2: customer.addressLine2 ?? '',
    address_city: customer.addressCity ?? '',
    address_state: customer.addressState ?? '',
    address_postal_code: customer.addressPostalCode ?? '',
    address_country: customer.addressCountry ?? '',
    timezone: customer.timezone,
    parent_customer_id: customer.parentId,
    parent_customer: expanded.parent ? toV1(expanded.parent) : null,
    metadata: customer.metadata,
    environment_id: environmentId(customer.mode),
    tenant_id: customer.tenantId,
    status: customer.status,
    created_at: isoTime(customer.createdAtMs),
    updated_at: isoTime(customer.updatedAtMs),
    created_by: customer.createdBy,
    updated_by: customer.updatedBy,
  }
}

/** The same with what `wanted` names; what is not wanted has no key, but for `parent_customer`, which always has. */
export function toV1Expanded(customer: Customer, expanded: Expanded, wanted: ReadonlySet<Expansion>): object {
  return {
    ...toV1(customer, expanded),
    ...(wanted.has('children') && { children: (expanded.children ?? []).map((child) => toV1(child)) }),
    ...(wanted.has('integrations') && { integrations: customer.integrations.map(toV1Integration) }),
    ...(wanted.has('aliases') && { old_external_ids: expanded.aliases ?? [] }),
  }
}

/** Under both of the names that FlexPrice has for each. */
function toV1Integration(integration: Integration): object {
  return { ...integration, provider_type: integration.provider, provider_entity_id: integration.id }
}

/** What an expanded answer shows beside the customer itself, for its etag. */
export function etagParts({ parent, children, aliases }: Expanded): string[] {
  const shown = (customer: Customer) => `${customer.id}:${customer.version}`
  return [
    ...(parent === undefined ? [] : [`parent ${parent ? shown(parent) : ''}`]),
    ...(children === undefined ? [] : [`children ${children.map(shown).join(' ')}`]),
    ...(aliases === undefined ? [] : [`aliases ${JSON.stringify(aliases)}`]),
  ]
}

/** The receipt of an erasure: what, when, by whom, and from how many rows something was taken. */
export function toV1Erasure({ customerId, erasedAtMs, erasedBy, rows }: Erasure) {
  const { idempotencyRecords, webhookAttempts, onboardingRuns, ...others } = rows
  return {
    id: customerId,
    status: 'erased',
    erased_at: isoTime(erasedAtMs),
    erased_by: erasedBy,
    rows: {
      ...others,
      idempotency_records: idempotencyRecords,
      webhook_attempts: webhookAttempts,
      onboarding_runs: onboardingRuns,
    },
    rows_total: Object.values(rows).reduce((total, count) => total + count, 0),
  }
}
