/**
 * What is heard at a door, from the answer itself and from what the model tells, in the same words: so that the two can be
 * held against each other. Knows what each door shows and which ids it names; how it is asked is for callers.ts.
 */
import type { CustomerChanges } from '../../src/registry/customer.ts'
import type { Called } from '../support/roster.ts'
import type { Kept, Operation, Receipt, Told } from './words.ts'

export type DoorName = 'v1' | 'flatpeak' | 'rpc'

/** One answer, without what a caller is not told. `unanswered`: 503, to be sent again. */
export type Heard =
  | { unanswered: true }
  | { ok: true; replayed: boolean; created?: boolean; id?: string; version?: number; shown?: object; receipt?: Receipt }
  | { ok: false; replayed: boolean; reason: string; told?: object }

const FLATPEAK_SHOWS = ['externalId', 'email', 'addressCity', 'timezone'] as const
const V1_SHOWS = [...FLATPEAK_SHOWS, 'name', 'parentId', 'metadata', 'status', 'createdBy', 'updatedBy'] as const
export const RPC_SHOWS = [...V1_SHOWS, 'integrations'] as const

/** What a door shows of a customer. */
export function shownAt(door: DoorName, customer: Kept): object {
  const { archived, status } = customer
  const fields = door === 'v1' ? V1_SHOWS : door === 'rpc' ? RPC_SHOWS : FLATPEAK_SHOWS
  return pick({ ...customer, status: archived ? 'archived' : status }, fields)
}

/** The same of a body that a door answered. */
export function shownIn(door: DoorName, body: Called['body']): object {
  if (door === 'rpc') return pick(body, RPC_SHOWS)
  if (door === 'flatpeak') {
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

export function heardOf(door: DoorName, operation: Operation, told: Told): Heard {
  const { replayed } = told
  if (!told.ok) {
    // What is archived is gone at FlatPeak's door.
    const { reason, ...failure } = told.failure
    const isGone = door === 'flatpeak' && reason === 'archived'
    return {
      ok: false,
      replayed,
      reason: isGone ? 'not_found' : reason,
      ...(door !== 'flatpeak' && { told: idsOf(failure) }),
    }
  }
  const { customer, effect, receipt } = told
  if (operation.kind === 'erase') return { ok: true, replayed, ...(receipt && { receipt }) }
  if (operation.kind === 'archive' && door !== 'rpc') return { ok: true, replayed }
  const { id, version } = customer
  const heard = { ok: true, replayed, id, version, shown: shownAt(door, customer) } as const
  return tellsCreated(door, operation) ? { ...heard, created: effect === 'created' } : heard
}

export function heardByHttp(door: DoorName, operation: Operation, { status, headers, body }: Called): Heard {
  const replayed = headers.get('idempotent-replayed') === 'true'
  if (status === 503) return { unanswered: true }
  if (status >= 300) {
    if (door === 'flatpeak') return { ok: false, replayed, reason: FLATPEAK_REASONS[body.code] ?? body.code }
    const { reason = body.code, customer_id: customerId, external_id: externalId } = body.details ?? {}
    const ids = { customerId, externalId, currentVersion: body.details?.current_version }
    return { ok: false, replayed, reason, told: idsOf(ids) }
  }
  if (operation.kind === 'erase') {
    const { customers, events, aliases, integrations, idempotency_records: idempotencyRecords } = body.rows
    const rows = { customers, events, aliases, integrations, idempotencyRecords }
    return { ok: true, replayed, receipt: { erasedBy: body.erased_by, rows } }
  }
  if (operation.kind === 'archive') return { ok: true, replayed }
  const version = Number(headers.get('etag')?.replaceAll('"', ''))
  const heard = { ok: true, replayed, id: body.id as string, version, shown: shownIn(door, body) } as const
  return tellsCreated(door, operation) ? { ...heard, created: status === 201 } : heard
}

const FLATPEAK_REASONS: Record<string, string> = { duplicate_reference: 'external_id_taken' }

/** Whether the caller learns if it was this request that made the customer. */
function tellsCreated(door: DoorName, operation: Operation): boolean {
  if (operation.kind === 'create') return door === 'v1' || operation.ifExists === 'return'
  return operation.kind === 'upsert'
}

/** The ids and numbers that a failure names. */
export function idsOf(failure: object): object {
  return pick(failure, ['customerId', 'externalId', 'currentVersion'])
}

export function pick(from: object, names: readonly string[]): object {
  const entries = Object.entries(from).filter(([name, value]) => names.includes(name) && value !== undefined)
  return Object.fromEntries(entries)
}

/** What is heard of one line of an import. */
export type HeardLine = { result: string; id: string | null; field: string | null }

/** What is heard of the line when the model tells this of its upsert. */
export function heardLineOf(told: Told, { parent }: CustomerChanges): HeardLine {
  if (told.ok) return { result: told.effect, id: told.customer.id, field: null }
  const parentField = parent && 'externalId' in parent ? 'parent_customer_external_id' : 'parent_customer_id'
  const { reason } = told.failure
  const field = reason === 'integration_taken' ? 'integration_entity_mapping' : parentField
  return { result: 'error', id: null, field }
}
