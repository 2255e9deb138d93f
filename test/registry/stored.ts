/**
 * What D1 holds of a tenant, in the words of the model: rows, former external ids, integrations, counts, events, idempotency
 * records. Checks by the way what the model does not know: that the times of a customer and its events agree.
 */
import { env } from 'cloudflare:workers'
import { decodeTime } from 'ulid'
import { expect } from 'vitest'
import type { CustomerDocument } from '../../src/storage/tables.ts'
import type { Happened, Kept, State } from './words.ts'

// biome-ignore lint/suspicious/noExplicitAny: rows of six tables, read by name
type Row = any

const TABLES = [
  'customers',
  'customer_aliases',
  'integration_mappings',
  'customer_counts',
  'events',
  'idempotency_records',
] as const

export interface Stored extends State {
  /** Which customer the request with this id made, and under which external id. */
  madeBy: Map<string, string>
}

export async function storedOf(tenantId: string): Promise<Stored> {
  const answers = await env.DB.batch<Row>(
    TABLES.map((table) =>
      env.DB.prepare(`SELECT * FROM ${table} WHERE tenant_id = ? AND mode = 'live'`).bind(tenantId),
    ),
  )
  const [rows, aliases, mappings, counts, happenings, answered] = answers.map(({ results }) => results) as Row[][]
  const events: Record<string, Happened[]> = {}
  const madeBy = new Map<string, string>()
  for (const row of (happenings ?? []).toSorted((a, b) => a.version - b.version)) {
    const [before, after] = [JSON.parse(row.before), JSON.parse(row.after)]
    events[row.customer_id] = [...(events[row.customer_id] ?? []), happenedOf({ ...row, before, after })]
    if (row.type === 'customer.created') madeBy.set(row.request_id, row.customer_id)
  }
  for (const row of rows ?? []) expectTimes(row, happenings ?? [])
  const count = (status: string) => counts?.find((row) => row.status === status)?.count ?? 0
  return {
    customers: Object.fromEntries((rows ?? []).map((row) => [row.id, keptOf(row)])),
    aliases: Object.fromEntries((aliases ?? []).map((row) => [row.external_id, row.customer_id])),
    integrations: Object.fromEntries(
      (mappings ?? []).map((row) => [`${row.provider} ${row.entity_id}`, row.customer_id]),
    ),
    counts: { published: count('published'), draft: count('draft'), archived: count('archived') },
    events,
    answers: {
      kept: answered?.length ?? 0,
      blank: (answered ?? []).filter(({ fingerprint }) => fingerprint === '').length,
    },
    madeBy,
  }
}

function expectTimes(row: Row, happenings: Row[]): void {
  expect(row.created_at).toBe(decodeTime(row.id.slice('cust_'.length)))
  const latest = happenings.find(({ id }) => id === row.change_id)
  expect(latest?.created_at).toBe(row.updated_at)
}

function keptOf(row: Row): Kept {
  return {
    id: row.id,
    externalId: row.external_id,
    name: row.name,
    email: row.email,
    contact: row.contact,
    addressLine1: row.address_line1,
    addressLine2: row.address_line2,
    addressCity: row.address_city,
    addressState: row.address_state,
    addressPostalCode: row.address_postal_code,
    addressCountry: row.address_country,
    timezone: row.timezone,
    parentId: row.parent_id,
    metadata: JSON.parse(row.metadata),
    integrations: JSON.parse(row.integrations),
    profile: JSON.parse(row.profile),
    status: row.status,
    archived: row.archived_at !== null,
    erased: row.erased_at !== null,
    version: row.version,
    createdBy: row.created_by,
    updatedBy: row.updated_by,
  }
}

/** An event as it is stored, or as the audit tells it. */
export function happenedOf(row: Row): Happened {
  const after: CustomerDocument = row.after
  const rows = after.erased_rows
  return {
    type: row.type,
    customerId: row.customer_id,
    version: after.version,
    actor: row.actor,
    requestId: row.request_id,
    reason: row.reason,
    before: row.before === null ? null : keptOfDocument(row.before),
    after: keptOfDocument(after),
    receipt: rows
      ? {
          erasedBy: after.stamps.updated_by,
          rows: {
            customers: rows.customers,
            events: rows.events,
            aliases: rows.aliases,
            integrations: rows.integrations,
            idempotencyRecords: rows.idempotency_records,
          },
        }
      : null,
  }
}

function keptOfDocument({ address, stamps, ...document }: CustomerDocument): Kept {
  return {
    id: document.id,
    externalId: document.external_id,
    name: document.name,
    email: document.email,
    contact: document.contact,
    addressLine1: address.line1,
    addressLine2: address.line2,
    addressCity: address.city,
    addressState: address.state,
    addressPostalCode: address.postal_code,
    addressCountry: address.country,
    timezone: document.timezone,
    parentId: document.parent_id,
    metadata: document.metadata,
    integrations: document.integrations as Kept['integrations'],
    profile: document.profile,
    status: document.status,
    archived: document.archived_at !== null,
    erased: false,
    version: document.version,
    createdBy: stamps.created_by,
    updatedBy: stamps.updated_by,
  }
}
