/**
 * Maps the registry's customer to the one that a bound Worker gets, and a Worker's arguments to the registry's changes
 * and queries. Pure. Unlike in the HTTP APIs, text that is not set is null, and the version is a field.
 */
import type {
  CustomerChanges,
  ParentReference,
  Customer as RegistryCustomer,
  Integration as StoredIntegration,
} from '../../registry/customer.ts'
import { OPTIONAL_TEXT_FIELDS, pick } from '../../registry/customer-fields.ts'
import type { MergeReport } from '../../registry/merge.ts'
import type { Moment } from '../../registry/past.ts'
import type { OnboardingChoice, Target } from '../../registry/ports.ts'
import type { Filter, ListPage, ListQuery } from '../../registry/query.ts'
import type { UnmergeReport } from '../../registry/unmerge.ts'
import { isoTime } from '../../shared/clock.ts'
import { valuesOf } from '../../validation/json.ts'
import type { CreateOptions, QueryInput } from './call-schema.ts'
import type { Customer, CustomerTarget, Detail, FieldsInput, Integration } from './schema.ts'

/** Fields with the same name and form in the registry and in RPC. */
const SAME_FIELDS = [
  ...(['id', 'externalId', ...OPTIONAL_TEXT_FIELDS, 'timezone', 'parentId'] as const),
  ...(['metadata', 'status', 'version', 'tenantId', 'mode', 'createdBy', 'updatedBy'] as const),
] as const

/** Returns the customer in RPC's form. It has no field of the profile, which only the FlatPeak API shows. */
export function toRpc(customer: RegistryCustomer): Customer {
  return {
    ...pick(customer, SAME_FIELDS),
    integrations: customer.integrations.map(toRpcIntegration),
    createdAt: isoTime(customer.createdAtMs),
    updatedAt: isoTime(customer.updatedAtMs),
  }
}

/** Returns the integration with its details. A number that JavaScript cannot hold is the text of its digits. */
function toRpcIntegration({ provider, id, details }: StoredIntegration): Integration {
  return { ...(details === undefined ? {} : (valuesOf(details) as Record<string, Detail>)), provider, id }
}

export function toChanges(input: FieldsInput): CustomerChanges {
  const changes: CustomerChanges = {}
  for (const name of [...OPTIONAL_TEXT_FIELDS, 'timezone'] as const) {
    const value = input[name]
    if (value !== undefined) changes[name] = value === '' ? null : value
  }
  if (input.externalId !== undefined) changes.externalId = input.externalId
  const parent = parentOf(input)
  if (parent !== undefined) changes.parent = parent
  if (input.metadata !== undefined) changes.metadata = { replace: withoutNulls(input.metadata ?? {}) }
  if (input.integrations !== undefined) changes.integrations = input.integrations ?? []
  if (input.status !== undefined) changes.status = input.status ?? 'published'
  return changes
}

export function toNewCustomer(input: FieldsInput & { externalId: string }): CustomerChanges & { externalId: string } {
  return { ...toChanges(input), externalId: input.externalId }
}

/** The things that a merge moved, or would move. */
export interface Moved {
  externalIds: string[]
  integrations: { provider: string; id: string }[]
  /** The number of customers that belong to the survivor now. */
  children: number
  /** The fields that the survivor took from the source. */
  fields: string[]
  /** The keys of its metadata that it took. */
  metadata: string[]
}

export function toMoved({ externalIds, integrations, children, fields, metadata }: MergeReport): Moved {
  return { externalIds, integrations, children, fields, metadata }
}

/** A value that an unmerge left where the merge had put it, and why. */
export interface Kept {
  /** The customer whose field it is. */
  customerId: string
  field: string
  /** The key of the metadata, or the former external id. */
  name: string | null
  /** Somebody has changed it since, another customer has it, or the customer that it names is not to be had. */
  reason: 'changed' | 'taken' | 'gone'
}

export function toKept({ kept }: UnmergeReport): Kept[] {
  return kept.map(({ customerId, field, name, reason }) => ({ customerId, field, name, reason }))
}

/** Returns the workflow for a customer that the call creates. */
export function onboardingOf({ skipOnboarding, onboardingWorkflow }: CreateOptions): OnboardingChoice {
  return skipOnboarding ? '' : onboardingWorkflow || null
}

/** Returns the moment that a read is about. Null: now. */
export function momentOf({
  asOf,
  version,
}: {
  asOf?: number | undefined
  version?: number | undefined
}): Moment | null {
  if (version !== undefined) return { version }
  return asOf === undefined ? null : { timeMs: asOf }
}

export function toTarget(target: CustomerTarget): Target {
  return typeof target === 'string' ? { id: target } : { externalId: target.externalId }
}

/** Returns the field of the input that names the parent. A failure about the parent refers to it. */
export function parentFieldOf(input: FieldsInput): string {
  return input.parentExternalId ? 'parentExternalId' : 'parentId'
}

function parentOf({ parentId, parentExternalId }: FieldsInput): ParentReference | null | undefined {
  if (parentId) return { id: parentId }
  if (parentExternalId) return { externalId: parentExternalId }
  return parentId === undefined && parentExternalId === undefined ? undefined : null
}

function withoutNulls(metadata: Record<string, string | null>): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).filter((entry): entry is [string, string] => entry[1] !== null))
}

/** `afterId` is the last customer that the page before looked at. */
export function toListQuery(input: QueryInput, afterId: string | null): ListQuery {
  return {
    filters: toFilters(input),
    q: input.q,
    includeArchived: false,
    sort: input.order === 'oldest' ? [{ field: 'id', direction: 'asc' }] : [],
    // Ids sort in the order of creation, so the next page begins after the last id shown.
    start: afterId === null ? { kind: 'offset', offset: 0 } : { kind: 'after', position: [afterId] },
    limit: input.limit,
  }
}

/** Returns the id after which the next page begins. Null on the last page. */
export function lastIdOf({ next }: ListPage): string | null {
  return next && String(next.at(-1))
}

function toFilters(input: QueryInput): Filter[] {
  const filters: Filter[] = []
  if (input.externalIds) filters.push({ field: 'externalId', operator: 'in', value: input.externalIds })
  if (input.email) filters.push({ field: 'email', operator: 'eq', value: input.email })
  if (input.parentId) filters.push({ field: 'parentId', operator: 'eq', value: input.parentId })
  if (input.status) filters.push({ field: 'status', operator: 'in', value: input.status })
  if (input.createdFrom !== undefined) filters.push({ field: 'createdAtMs', operator: 'gte', value: input.createdFrom })
  if (input.createdBefore !== undefined) {
    filters.push({ field: 'createdAtMs', operator: 'lt', value: input.createdBefore })
  }
  for (const [key, value] of Object.entries(input.metadata ?? {})) {
    if (value !== null) filters.push({ field: 'metadata', key, operator: 'eq', value })
  }
  return filters
}
