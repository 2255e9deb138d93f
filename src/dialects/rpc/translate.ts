/**
 * The registry's customer as a bound Worker sees it, and what a Worker says as the registry's changes and questions. Pure.
 * Unlike at the HTTP doors, text that is not set is null here, and the version is a field.
 */
import type { CustomerChanges, Mode, ParentReference, Customer as RegistryCustomer } from '../../registry/customer.ts'
import { OPTIONAL_TEXT_FIELDS } from '../../registry/customer.ts'
import type { OnboardingChoice, Target } from '../../registry/ports.ts'
import type { Filter, ListPage, ListQuery } from '../../registry/query.ts'
import { isoTime } from '../../shared/clock.ts'
import type { CreateOptions, CustomerStatus, CustomerTarget, FieldsInput, Integration, QueryInput } from './schema.ts'

/** A customer. What is not set is null. */
export interface Customer {
  /** `cust_…`: opaque, for ever this customer's. */
  id: string
  /** Your own id of it. */
  externalId: string
  name: string | null
  email: string | null
  /** Phone number. */
  contact: string | null
  addressLine1: string | null
  addressLine2: string | null
  addressCity: string | null
  addressState: string | null
  addressPostalCode: string | null
  /** ISO 3166-1 alpha-2, upper case. */
  addressCountry: string | null
  /** IANA name. */
  timezone: string
  /** The id of the customer that this one belongs to. */
  parentId: string | null
  metadata: Record<string, string>
  integrations: Integration[]
  status: CustomerStatus
  /** Rises with every change: send it back as `ifVersion`. It is the etag of the HTTP doors. */
  version: number
  tenantId: string
  mode: Mode
  /** ISO 8601, UTC. */
  createdAt: string
  updatedAt: string
  /** A key's id, `admin`, or a bound Worker's name. */
  createdBy: string
  updatedBy: string
}

/** What FlatPeak alone has words for stays at its door. */
export function toRpc(customer: RegistryCustomer): Customer {
  return {
    id: customer.id,
    externalId: customer.externalId,
    name: customer.name,
    email: customer.email,
    contact: customer.contact,
    addressLine1: customer.addressLine1,
    addressLine2: customer.addressLine2,
    addressCity: customer.addressCity,
    addressState: customer.addressState,
    addressPostalCode: customer.addressPostalCode,
    addressCountry: customer.addressCountry,
    timezone: customer.timezone,
    parentId: customer.parentId,
    metadata: customer.metadata,
    integrations: customer.integrations as Integration[],
    status: customer.status,
    version: customer.version,
    tenantId: customer.tenantId,
    mode: customer.mode,
    createdAt: isoTime(customer.createdAtMs),
    updatedAt: isoTime(customer.updatedAtMs),
    createdBy: customer.createdBy,
    updatedBy: customer.updatedBy,
  }
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

/** By which workflow the customer is onboarded that a call creates. */
export function onboardingOf({ skipOnboarding, onboardingWorkflow }: CreateOptions): OnboardingChoice {
  return skipOnboarding ? '' : onboardingWorkflow || null
}

export function toTarget(target: CustomerTarget): Target {
  return typeof target === 'string' ? { id: target } : { externalId: target.externalId }
}

/** Which field names the parent: what a failure about the parent is told of. */
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

export function toListQuery(input: QueryInput): ListQuery {
  return {
    filters: toFilters(input),
    includeArchived: false,
    sort: input.order === 'oldest' ? [{ field: 'id', direction: 'asc' }] : [],
    // Ids sort in the order of creation, so the last one shown is where the next page begins.
    start: input.cursor === undefined ? { kind: 'offset', offset: 0 } : { kind: 'after', position: [input.cursor] },
    limit: input.limit,
  }
}

export function nextCursorOf(page: ListPage): string | null {
  return page.hasMore ? (page.customers.at(-1)?.id ?? null) : null
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
