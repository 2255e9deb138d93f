/**
 * Reads the rows of a tenant in D1 as the state of the model: rows, former external ids, integrations, counts, events,
 * idempotency records. Also checks a fact outside of the model: that the times of a customer and its events agree.
 */
import { env } from 'cloudflare:workers'
import { decodeTime } from 'ulid'
import { expect } from 'vitest'
import type { OptionalTextField } from '../../../src/registry/customer-fields.ts'
import { documentAfter, documentBefore } from '../../../src/storage/event-documents.ts'
import type { CustomerDocument } from '../../../src/storage/schema/tables.ts'
import type { ModelCustomer, ModelEvent, State } from './model-types.ts'

// biome-ignore lint/suspicious/noExplicitAny: rows of six tables, read by name
type Row = any

const TABLES = [
  'customers',
  'customer_aliases',
  'integration_mappings',
  'customer_counts',
  'events',
  'idempotency_records',
  'customer_merges',
] as const

/** The rows of events have the order of their commits. */
const ORDERED: Record<string, string> = { events: 'ORDER BY rowid' }

export interface Stored extends State {
  /** Maps the id of a request to the customer that it created. */
  madeBy: Map<string, string>
  /** All changes in the order in which they were committed. */
  changes: StoredChange[]
}

export interface StoredChange {
  eventId: string
  customerId: string
  version: number
  requestId: string
  atMs: number
}

export async function storedOf(tenantId: string): Promise<Stored> {
  const answers = await env.DB.batch<Row>(
    TABLES.map((table) =>
      env.DB.prepare(`SELECT * FROM ${table} WHERE tenant_id = ? AND mode = 'live' ${ORDERED[table] ?? ''}`).bind(
        tenantId,
      ),
    ),
  )
  const [rows, aliases, mappings, counts, eventRows, answered, merges] = answers.map(
    ({ results }) => results,
  ) as Row[][]
  const events: Record<string, ModelEvent[]> = {}
  const madeBy = new Map<string, string>()
  for (const row of (eventRows ?? []).toSorted((a, b) => a.version - b.version)) {
    const stored = { before: JSON.parse(row.before), after: JSON.parse(row.after) }
    const { customer_id: customerId, version, actor, created_at: createdAtMs } = row
    const columns = { customerId, version, actor, createdAtMs }
    const documents = { before: documentBefore(columns, stored), after: documentAfter(columns, stored.after) }
    events[customerId] = [...(events[customerId] ?? []), modelEventOf({ ...row, ...documents })]
    if (row.type === 'customer.created') madeBy.set(row.request_id, row.customer_id)
  }
  for (const row of rows ?? []) expectTimes(row, eventRows ?? [])
  const count = (status: string) => counts?.find((row) => row.status === status)?.count ?? 0
  return {
    customers: Object.fromEntries((rows ?? []).map((row) => [row.id, customerOfRow(row)])),
    aliases: Object.fromEntries(
      (aliases ?? []).map((row) => [row.external_id, { of: row.customer_id, from: row.merged_from }]),
    ),
    merges: Object.fromEntries((merges ?? []).map((row) => [row.source_id, row.survivor_id])),
    integrations: Object.fromEntries(
      (mappings ?? []).map((row) => [`${row.provider} ${row.entity_id}`, row.customer_id]),
    ),
    counts: { published: count('published'), draft: count('draft'), archived: count('archived') },
    events,
    answers: {
      stored: answered?.length ?? 0,
      blank: (answered ?? []).filter(({ fingerprint }) => fingerprint === '').length,
    },
    madeBy,
    changes: (eventRows ?? []).map((row) => ({
      ...{ eventId: row.id, customerId: row.customer_id, version: row.version },
      ...{ requestId: row.request_id, atMs: row.created_at },
    })),
  }
}

function expectTimes(row: Row, eventRows: Row[]): void {
  expect(row.created_at).toBe(decodeTime(row.id.slice('cust_'.length)))
  const latest = eventRows.find(({ id }) => id === row.change_id)
  expect(latest?.created_at).toBe(row.updated_at)
}

function customerOfRow(row: Row): ModelCustomer {
  return {
    id: row.id,
    externalId: row.external_id,
    ...textsOf(row),
    timezone: row.timezone,
    parentId: row.parent_id,
    metadata: JSON.parse(row.metadata),
    integrations: integrationsOf(JSON.parse(row.integrations)),
    profile: JSON.parse(row.profile),
    status: row.status,
    archived: row.archived_at !== null,
    erased: row.erased_at !== null,
    mergedInto: row.merged_into,
    version: row.version,
    createdBy: row.created_by,
    updatedBy: row.updated_by,
  }
}

/** Returns an event from its row, or from an item of the audit. */
export function modelEventOf(row: Row): ModelEvent {
  const after: CustomerDocument = row.after
  const rows = after.erased_rows
  return {
    type: row.type,
    customerId: row.customer_id,
    version: after.version,
    actor: row.actor,
    requestId: row.request_id,
    reason: row.reason,
    before: row.before === null ? null : customerOfDocument(row.before),
    after: customerOfDocument(after),
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

/** Returns the integrations as callers send them: their details are stored as one JSON text. */
function integrationsOf(stored: { provider: string; id: string; details?: string }[]): ModelCustomer['integrations'] {
  return stored.map(({ details = '{}', ...named }) => ({ ...JSON.parse(details), ...named }))
}

function customerOfDocument({ address, stamps, ...document }: CustomerDocument): ModelCustomer {
  const inAddress = Object.fromEntries(Object.entries(address).map(([key, text]) => [`address_${key}`, text]))
  return {
    id: document.id,
    externalId: document.external_id,
    ...textsOf({ ...document, ...inAddress }),
    timezone: document.timezone,
    parentId: document.parent_id,
    metadata: document.metadata,
    integrations: integrationsOf(document.integrations),
    profile: document.profile,
    status: document.status,
    archived: document.archived_at !== null,
    erased: false,
    mergedInto: null,
    version: document.version,
    createdBy: stamps.created_by,
    updatedBy: stamps.updated_by,
  }
}

/** Columns that the model has under another name or not at all; the others are texts. */
const NO_TEXTS =
  /^(tenant_id|mode|id|external_id|email_ascii|folded|archive_key|timezone|parent_id|metadata|integrations|profile|status|version|erased_rows|merged_into)$|_at$|_by$|^change_/

function textsOf(row: object): Record<OptionalTextField, string | null> {
  const texts = Object.entries(row).filter(([name]) => !NO_TEXTS.test(name))
  return Object.fromEntries(texts.map(([name, text]) => [camelCase(name), text])) as Record<
    OptionalTextField,
    string | null
  >
}

function camelCase(name: string): string {
  return name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}
