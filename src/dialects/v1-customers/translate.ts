/**
 * FlexPrice's words for a customer, and the registry's. Pure. An absent field is kept, null clears it, and so does `""`
 * where text may be unset.
 */

import type { ImportedFields } from '../../registry/bulk.ts'
import type { Customer, CustomerChanges, ParentReference } from '../../registry/customer.ts'
import type { Expanded, Expansion } from '../../registry/operations.ts'
import type { Erasure, OnboardingChoice } from '../../registry/ports.ts'
import { isoTime } from '../../shared/clock.ts'
import { toV1, toV1Integration } from '../flexprice-customer.ts'
import type { CustomerInput, OnboardingInput } from './schema.ts'

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

/** By which workflow the customer is onboarded that the input creates; one that is to be skipped needs not exist. */
export function onboardingOf(input: OnboardingInput): OnboardingChoice {
  if (input.skip_onboarding_workflow) return ''
  return input.onboarding_workflow_name || null
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

/** The same with what `wanted` names; what is not wanted has no key, but for `parent_customer`, which always has. */
export function toV1Expanded(customer: Customer, expanded: Expanded, wanted: ReadonlySet<Expansion>): object {
  return {
    ...toV1(customer, expanded.parent),
    ...(wanted.has('children') && { children: (expanded.children ?? []).map((child) => toV1(child)) }),
    ...(wanted.has('integrations') && { integrations: customer.integrations.map(toV1Integration) }),
    ...(wanted.has('aliases') && { old_external_ids: expanded.aliases ?? [] }),
  }
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
