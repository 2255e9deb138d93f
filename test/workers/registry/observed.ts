/**
 * Reduces the answer of an API, and the outcome of the model, to one form, so that the two can be compared. Knows what each
 * API shows and which ids it names; callers.ts knows the requests.
 */
import type { CustomerChanges } from '../../../src/registry/customer.ts'
import type { Called } from '../support/roster.ts'
import type { ModelCustomer, Moved, Operation, Outcome, Receipt } from './model-types.ts'

export type ApiName = 'v1' | 'flatpeak' | 'rpc'

/** One answer, without the parts that a caller cannot predict. `unanswered`: 503, to be sent again. */
export type Observed =
  | { unanswered: true }
  | {
      ok: true
      replayed: boolean
      created?: boolean
      id?: string
      version?: number
      shown?: object
      receipt?: Receipt
      moved?: Moved
      source?: object
    }
  | { ok: false; replayed: boolean; reason: string; ids?: object }

const FLATPEAK_SHOWS = ['externalId', 'email', 'addressCity', 'timezone'] as const
const V1_SHOWS = [...FLATPEAK_SHOWS, 'name', 'parentId', 'metadata', 'status', 'createdBy', 'updatedBy'] as const
export const RPC_SHOWS = [...V1_SHOWS, 'integrations'] as const

/** Returns the fields of a customer that an API shows. */
export function shownAt(api: ApiName, customer: ModelCustomer): object {
  const { archived, status } = customer
  const fields = api === 'v1' ? V1_SHOWS : api === 'rpc' ? RPC_SHOWS : FLATPEAK_SHOWS
  return pick({ ...customer, status: archived ? 'archived' : status }, fields)
}

/** Returns the same fields of a body that an API answered. */
export function shownIn(api: ApiName, body: Called['body']): object {
  if (api === 'rpc') return pick(body, RPC_SHOWS)
  if (api === 'flatpeak') {
    const { personal_details: person, postal_address: address } = body
    return {
      externalId: body.reference_id,
      email: person?.email ?? null,
      addressCity: address?.city ?? null,
      timezone: person?.timezone,
    }
  }
  return {
    externalId: body.external_id,
    email: body.email || null,
    addressCity: body.address_city || null,
    timezone: body.timezone,
    name: body.name || null,
    parentId: body.parent_customer_id,
    metadata: body.metadata,
    status: body.status,
    createdBy: body.created_by,
    updatedBy: body.updated_by,
  }
}

export function observationOf(api: ApiName, operation: Operation, outcome: Outcome): Observed {
  const { replayed } = outcome
  if (!outcome.ok) {
    // FlatPeak's API answers for an archived customer as for a missing one.
    const { reason, ...failure } = outcome.failure
    const isGone = api === 'flatpeak' && reason === 'archived'
    return {
      ok: false,
      replayed,
      reason: isGone ? 'not_found' : reason,
      ...(api !== 'flatpeak' && { ids: idsOf(failure) }),
    }
  }
  const { customer, effect, receipt } = outcome
  if (operation.kind === 'erase') return { ok: true, replayed, ...(receipt && { receipt }) }
  if (operation.kind === 'archive' && api !== 'rpc') return { ok: true, replayed }
  const { id, version } = customer
  if (operation.kind === 'merge' || operation.kind === 'unmerge') {
    const { moved, source } = outcome
    const back = source && { source: { id: source.id, ...shownAt(api, source) } }
    return { ok: true, replayed, id, shown: shownAt(api, customer), ...(moved && { moved: sorted(moved) }), ...back }
  }
  const observed = { ok: true, replayed, id, version, shown: shownAt(api, customer) } as const
  return tellsCreated(api, operation) ? { ...observed, created: effect === 'created' } : observed
}

export function observedByHttp(api: ApiName, operation: Operation, { status, headers, body }: Called): Observed {
  const replayed = headers.get('idempotent-replayed') === 'true'
  if (status === 503) return { unanswered: true }
  if (status >= 300) {
    if (api === 'flatpeak') return { ok: false, replayed, reason: FLATPEAK_REASONS[body.code] ?? body.code }
    // Only a merge and an unmerge can name another customer wrongly here.
    const code = body.code === 'validation_error' ? 'invalid_input' : body.code
    const { reason = code, customer_id: customerId, external_id: externalId } = body.details ?? {}
    const ids = { customerId, externalId, currentVersion: body.details?.current_version }
    return { ok: false, replayed, reason, ids: idsOf(ids) }
  }
  if (operation.kind === 'erase') {
    const { customers, events, aliases, integrations, idempotency_records: idempotencyRecords } = body.rows
    const rows = { customers, events, aliases, integrations, idempotencyRecords }
    return { ok: true, replayed, receipt: { erasedBy: body.erased_by, rows } }
  }
  if (operation.kind === 'archive') return { ok: true, replayed }
  if (operation.kind === 'merge' || operation.kind === 'unmerge') {
    const { customer, source, kept } = body
    const { external_ids: externalIds, children, metadata } = body.moved
    const shown = { ...shownIn(api, customer) }
    const moved = sorted({ externalIds, children, metadata, ...(kept && { kept: kept.map(keptOfBody).map(keptText) }) })
    const back = source && { source: { id: source.id, ...shownIn(api, source) } }
    return { ok: true, replayed, id: customer.id, shown, moved, ...back }
  }
  const version = Number(headers.get('etag')?.replaceAll('"', ''))
  const observed = { ok: true, replayed, id: body.id as string, version, shown: shownIn(api, body) } as const
  return tellsCreated(api, operation) ? { ...observed, created: status === 201 } : observed
}

const FLATPEAK_REASONS: Record<string, string> = { duplicate_reference: 'external_id_taken' }

/** The order of the keys of metadata is no part of it. */
export function sorted({ externalIds, children, metadata, kept }: Moved): Moved {
  return { externalIds, children, metadata: metadata.toSorted(), ...(kept && { kept: kept.toSorted() }) }
}

/** A value that an unmerge left where it was, as the RPC API shows it. */
export interface KeptShown {
  customerId: string
  field: string
  name: string | null
  reason: string
}

export function keptText({ customerId, field, name, reason }: KeptShown): string {
  return [customerId, field, ...(name === null ? [] : [name]), reason].join(' ')
}

const FIELDS_BY_V1_NAME: Record<string, string> = {
  parent_customer_id: 'parentId',
  address_city: 'addressCity',
  old_external_ids: 'formerIds',
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into whatever JSON an answer holds
function keptOfBody({ customer_id: customerId, field, name, reason }: any): KeptShown {
  return { customerId, field: FIELDS_BY_V1_NAME[field] ?? field, name, reason }
}

/** Returns whether the caller learns if this request created the customer. */
function tellsCreated(api: ApiName, operation: Operation): boolean {
  if (operation.kind === 'create') return api === 'v1' || operation.ifExists === 'return'
  return operation.kind === 'upsert'
}

/** Returns the ids and numbers that a failure names. */
export function idsOf(failure: object): object {
  return pick(failure, ['customerId', 'externalId', 'currentVersion'])
}

export function pick(from: object, names: readonly string[]): object {
  const entries = Object.entries(from).filter(([name, value]) => names.includes(name) && value !== undefined)
  return Object.fromEntries(entries)
}

/** The observed result of one line of an import. */
export type ObservedLine = { result: string; id: string | null; field: string | null }

/** Returns the observed result of a line, given the model's outcome of its upsert. */
export function lineObservationOf(outcome: Outcome, { parent }: CustomerChanges): ObservedLine {
  if (outcome.ok) return { result: outcome.effect, id: outcome.customer.id, field: null }
  const parentField = parent && 'externalId' in parent ? 'parent_customer_external_id' : 'parent_customer_id'
  const { reason } = outcome.failure
  const field = reason === 'integration_taken' ? 'integration_entity_mapping' : parentField
  return { result: 'error', id: null, field }
}
