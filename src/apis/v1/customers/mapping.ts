/**
 * Maps the v1 form of a customer, which is FlexPrice's, to the registry's changes, and a customer back to v1. Pure. An
 * absent field is kept. Null clears a field, and so does `""` where text may be unset.
 */

import { type Kept, type Moved, toKept, toMoved } from '../../../formats/merge-report.ts'
import {
  toV1,
  toV1Integration,
  type V1Customer,
  type V1CustomerAlone,
  type V1Integration,
} from '../../../formats/v1-customer.ts'
import type { ImportedFields } from '../../../registry/bulk.ts'
import type { Customer, CustomerChanges, CustomerStatus, ParentReference } from '../../../registry/customer.ts'
import { CUSTOMER_FIELDS, OPTIONAL_TEXT_FIELDS, v1NameOf } from '../../../registry/customer-fields.ts'
import type { Duplicate, DuplicateReason } from '../../../registry/duplicates.ts'
import type { MergePreference } from '../../../registry/merge.ts'
import type { Expanded, Expansion, Merged, Unmerged } from '../../../registry/operations.ts'
import type { Erasure, OnboardingChoice, Written } from '../../../registry/ports.ts'
import { isoTime } from '../../../shared/clock.ts'
import type { CustomerInput, ImportInput, MergeInput, OnboardingInput } from './schema.ts'

const TEXT_FIELDS = [...OPTIONAL_TEXT_FIELDS, 'timezone'] as const

/** Returns the changes of a PUT. `metadata` replaces the whole. */
export function toChanges(input: CustomerInput): CustomerChanges {
  const changes = commonChanges(input)
  if (input.metadata !== undefined) changes.metadata = { replace: withoutNulls(input.metadata ?? {}) }
  return changes
}

/**
 * Returns the changes of a PATCH (RFC 7396). `metadata` is merged: a null value removes its key, and null for the whole
 * removes every key.
 */
export function toMergePatch(input: CustomerInput): CustomerChanges {
  const changes = commonChanges(input)
  if (input.metadata === null) changes.metadata = { replace: {} }
  else if (input.metadata && Object.keys(input.metadata).length > 0) changes.metadata = { merge: input.metadata }
  return changes
}

export function toNewCustomer(input: CustomerInput & { external_id: string }) {
  return { ...toChanges(input), externalId: input.external_id }
}

/** Returns the workflow for a customer that the input creates. A workflow that is skipped need not exist. */
export function onboardingOf(input: OnboardingInput): OnboardingChoice {
  if (input.skip_onboarding_workflow) return ''
  return input.onboarding_workflow_name || null
}

/**
 * Returns the fields of an import line. They act as in a PUT to the external id that the line names; `metadata` and
 * `profile` replace the whole. `madeId` makes the id that an archived customer gets in this tenant from the one in the
 * file.
 */
export function toImported(input: ImportInput, madeId: (id: string) => string): ImportedFields {
  const { metadata, profile, status, parent_customer_id: parentId, parent_customer_external_id: parentName } = input
  const isArchived = status === 'archived'
  const changes: ImportedFields = changedTexts(input)
  if (metadata !== undefined) changes.metadata = { replace: withoutNulls(metadata ?? {}) }
  if (profile !== undefined) changes.profile = { replace: profile ?? {} }
  if (input.integration_entity_mapping !== undefined) changes.integrations = input.integration_entity_mapping ?? []
  if (status !== undefined && !isArchived) changes.status = status ?? 'published'
  if (isArchived && (parentId || parentName)) {
    changes.parent = { ids: parentId ? [parentId, madeId(parentId)] : [], externalId: parentName || null }
  } else {
    const parent = parentOf(parentName ? { parent_customer_external_id: parentName } : input)
    if (parent !== undefined) changes.parent = parent
  }
  return changes
}

function changedTexts(input: Pick<CustomerInput, (typeof CUSTOMER_FIELDS)[(typeof TEXT_FIELDS)[number]]['column']>) {
  const changes: { [Field in (typeof TEXT_FIELDS)[number]]?: string | null } = {}
  for (const name of TEXT_FIELDS) {
    const value = input[CUSTOMER_FIELDS[name].column]
    if (value !== undefined) changes[name] = value === '' ? null : value
  }
  return changes
}

function commonChanges(input: CustomerInput): CustomerChanges {
  const changes: CustomerChanges = changedTexts(input)
  if (input.external_id !== undefined) changes.externalId = input.external_id
  const parent = parentOf(input)
  if (parent !== undefined) changes.parent = parent
  if (input.integration_entity_mapping !== undefined) changes.integrations = input.integration_entity_mapping ?? []
  if (input.status !== undefined) changes.status = input.status ?? 'published'
  return changes
}

function parentOf(
  input: Pick<CustomerInput, 'parent_customer_id' | 'parent_customer_external_id'>,
): ParentReference | null | undefined {
  const { parent_customer_id: id, parent_customer_external_id: externalId } = input
  if (id) return { id }
  if (externalId) return { externalId }
  return id === undefined && externalId === undefined ? undefined : null
}

/** Returns the field of the input that names the parent. A failure about the parent refers to it. */
export function parentFieldOf(input: Pick<CustomerInput, 'parent_customer_external_id'>): string {
  return input.parent_customer_external_id ? 'parent_customer_external_id' : 'parent_customer_id'
}

function withoutNulls(metadata: Record<string, string | null>): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).filter((entry): entry is [string, string] => entry[1] !== null))
}

/** Customer with the expansions that `expand` names. */
export type V1ExpandedCustomer = V1Customer & {
  children?: V1CustomerAlone[]
  integrations?: V1Integration[]
  old_external_ids?: string[]
  duplicates?: V1Suspect[]
}

/**
 * Returns the customer with the expansions in `wanted`. An expansion that is not in `wanted` has no key, except
 * `parent_customer`, which always has one.
 */
export function toV1Expanded(
  customer: Customer,
  expanded: Expanded,
  wanted: ReadonlySet<Expansion>,
): V1ExpandedCustomer {
  const { parent } = expanded
  return {
    ...toV1(customer),
    parent_customer: parent ? toV1(parent) : null,
    ...(wanted.has('children') && { children: (expanded.children ?? []).map((child) => toV1(child)) }),
    ...(wanted.has('integrations') && { integrations: customer.integrations.map(toV1Integration) }),
    ...(wanted.has('aliases') && { old_external_ids: expanded.aliases ?? [] }),
  }
}

/** The part that a caller without the scope `customers:read` gets of the customer that it wrote. */
export type V1Reference = Pick<V1Customer, 'id' | 'external_id' | 'status'> & { version: number }

/** `duplicates`: the customers that may be the same, if the caller wants to know. */
export function toV1Written(written: Written, duplicates: Duplicate[] | null = null): V1ExpandedCustomer | V1Reference {
  if (!written.isCut) {
    return { ...toV1(written.customer), ...(duplicates && { duplicates: duplicates.map(toV1Suspect) }) }
  }
  const { id, externalId, status, version } = written.customer
  return { id, external_id: externalId, status, version }
}

/** A candidate for the same customer, with the reasons for which it is one. */
export interface V1Duplicate {
  customer: V1CustomerAlone
  reasons: DuplicateReason[]
}

export function toV1Duplicate({ customer, reasons }: Duplicate): V1Duplicate {
  return { customer: toV1(customer), reasons }
}

/** A customer that may be the same as one that was just created. */
export interface V1Suspect {
  id: string
  external_id: string
  status: CustomerStatus
  reasons: DuplicateReason[]
}

export function toV1Suspect({ customer: { id, externalId, status }, reasons }: Duplicate): V1Suspect {
  return { id, external_id: externalId, status, reasons }
}

/** Returns what the caller wants of a merge. */
export function toMerge({ into, into_version, prefer, dry_run }: MergeInput) {
  return { into, intoVersion: into_version ?? null, prefer: preferenceOf(prefer), dryRun: dry_run ?? false }
}

function preferenceOf(prefer: MergeInput['prefer']): MergePreference {
  if (typeof prefer === 'string') return prefer
  const { parent_customer_id: parent, ...others } = prefer ?? {}
  return { ...others, ...(parent && { parent }) }
}

/** A merge as it was made, or would be. A caller without the scope `customers:read` does not get what moved. */
export interface V1Merged {
  customer: V1ExpandedCustomer | V1Reference
  source_id: string
  moved: Moved | null
  dry_run: boolean
}

export function toV1Merged(merged: Merged, dryRun: boolean): V1Merged {
  const { merge, isCut } = merged
  return {
    customer: toV1Written(merged),
    source_id: merge.sourceId,
    moved: isCut ? null : toMoved(merge),
    dry_run: dryRun,
  }
}

/**
 * An unmerge as it was made, or would be. A caller without the scope `customers:read` does not get what moved, nor what was
 * kept.
 */
export interface V1Unmerged {
  customer: V1ExpandedCustomer | V1Reference
  source: V1ExpandedCustomer | V1Reference
  moved: Moved | null
  kept: Kept[] | null
  dry_run: boolean
}

export function toV1Unmerged(written: Unmerged, dryRun: boolean): V1Unmerged {
  const { isCut, unmerged } = written
  const source = { ...written, customer: unmerged.source } as Written
  return {
    customer: toV1Written(written),
    source: toV1Written(source),
    moved: isCut ? null : toMoved(unmerged.report),
    kept: isCut ? null : toKept(unmerged.report),
    dry_run: dryRun,
  }
}

/** Returns the customer; with `partial` also the names of the fields in which it is not what it was. */
export function toV1Reverted(
  written: Written,
  { partial }: { partial: boolean },
): (V1ExpandedCustomer | V1Reference) & { left?: string[] } {
  const left = (written.left ?? []).map((field) => v1NameOf(field) ?? field)
  return { ...toV1Written(written), ...(partial && { left }) }
}

/** Returns the parts of an etag that stand for what an expanded response shows beside the customer itself. */
export function etagParts({ parent, children, aliases }: Expanded): string[] {
  const shown = (customer: Customer) => `${customer.id}:${customer.version}`
  return [
    ...(parent === undefined ? [] : [`parent ${parent ? shown(parent) : ''}`]),
    ...(children === undefined ? [] : [`children ${children.map(shown).join(' ')}`]),
    ...(aliases === undefined ? [] : [`aliases ${JSON.stringify(aliases)}`]),
  ]
}

/** Returns the receipt of an erasure: which customer, when, by whom, and how many rows of each kind lost data. */
export function toV1Erasure({ customerId, erasedAtMs, erasedBy, rows }: Erasure) {
  const { idempotencyRecords, webhookAttempts, onboardingRuns, ...others } = rows
  return {
    id: customerId,
    status: 'erased' as const,
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
