/** The specification of an update in plain JavaScript: the contract's table of updates. The tests compare the SQL with it. */
import type { Customer, CustomerChanges } from '../../../src/registry/customer.ts'
import { OPTIONAL_TEXT_FIELDS } from '../../../src/registry/customer-fields.ts'

/** The fields that callers set. Objects are text with their keys in order, so that `__proto__` is compared too. */
export type ComparedState = Record<string, string | null>

export const NOTHING: ComparedState = {
  ...Object.fromEntries(OPTIONAL_TEXT_FIELDS.map((field) => [field, null])),
  timezone: 'UTC',
  parentId: null,
  metadata: '{}',
  integrations: '[]',
  profile: '{}',
  status: 'published',
}

export function stateOf(customer: Customer): ComparedState {
  return {
    ...Object.fromEntries(OPTIONAL_TEXT_FIELDS.map((field) => [field, customer[field]])),
    externalId: customer.externalId,
    timezone: customer.timezone,
    parentId: customer.parentId,
    status: customer.status,
    metadata: ordered(customer.metadata),
    integrations: ordered(customer.integrations),
    profile: ordered(customer.profile),
  }
}

/** Applies an update by the contract's table of updates. */
export function applied(
  before: ComparedState,
  wanted: CustomerChanges,
  parents: ReadonlyMap<string, string>,
): ComparedState {
  const next = { ...before }
  for (const field of OPTIONAL_TEXT_FIELDS) if (wanted[field] !== undefined) next[field] = wanted[field]
  const { externalId, timezone, status, parent, metadata, integrations, profile } = wanted
  if (externalId !== undefined) next.externalId = externalId
  if (timezone !== undefined) next.timezone = timezone ?? 'UTC'
  if (status !== undefined) next.status = status
  if (parent !== undefined) {
    next.parentId = parent && 'externalId' in parent ? (parents.get(parent.externalId) ?? 'nobody') : null
  }
  if (metadata && 'replace' in metadata) next.metadata = ordered(metadata.replace)
  if (metadata && 'merge' in metadata)
    next.metadata = ordered(merged(JSON.parse(before.metadata ?? ''), metadata.merge))
  if (integrations !== undefined) next.integrations = ordered(integrations)
  if (profile !== undefined) next.profile = ordered(merged(JSON.parse(before.profile ?? ''), profile))
  return next
}

/** RFC 7396. */
function merged(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const result = new Map(isObject(target) ? Object.entries(target) : [])
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) result.delete(name)
    else result.set(name, merged(result.get(name), value))
  }
  return Object.fromEntries(result)
}

function ordered(value: unknown): string {
  return JSON.stringify(value, (_name, inner) =>
    isObject(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  )
}

export function same(a: ComparedState, b: ComparedState): boolean {
  return Object.keys(a).every((field) => a[field] === b[field])
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
