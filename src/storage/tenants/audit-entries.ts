/** Reads the entries of a page of the audit, with their documents, by their keys. */
import { inArray, sql } from 'drizzle-orm'
import type { Mode } from '../../registry/customer.ts'
import type { AuditEntry } from '../../tenants/ports.ts'
import type { ArchivedEvent } from '../archive/format.ts'
import type { Database } from '../database.ts'
import { documentAfter, documentBefore } from '../event-documents.ts'
import type { StoredDocument } from '../schema/tables.ts'
import { adminAudit } from '../schema/tenant-tables.ts'

/** Column names as text, like the statement that selects them. */
const EVENT = {
  id: sql<string>`e.id`,
  type: sql<AuditEntry['type']>`e.type`,
  tenantId: sql<string>`e.tenant_id`,
  mode: sql<Mode>`e.mode`,
  customerId: sql<string | null>`nullif(e.customer_id, '')`,
  actor: sql<string>`e.actor`,
  role: sql<string | null>`o.role`,
  sessionId: sql<string | null>`o.session_id`,
  requestId: sql<string | null>`e.request_id`,
  reason: sql<string | null>`e.reason`,
  version: sql<number>`e.version`,
  before: sql<StoredDocument | null>`e.before`.mapWith(JSON.parse),
  after: sql<StoredDocument | null>`nullif(e.after, '{}')`.mapWith(JSON.parse),
  createdAtMs: sql<number>`e.created_at`,
}

type AuditedEvent = Omit<AuditEntry, 'keyId' | 'operatorId' | 'before' | 'after' | 'tenantId'> & {
  tenantId: string
  version: number
  before: StoredDocument | null
  after: StoredDocument | null
}

export async function eventEntries(db: Database, rowids: readonly number[]): Promise<AuditEntry[]> {
  if (rowids.length === 0) return []
  const events = await db
    .select(EVENT)
    .from(sql`json_each(${JSON.stringify(rowids)}) wanted CROSS JOIN events e ON e.rowid = wanted.value
      LEFT JOIN operator_changes o ON o.tenant_id = e.tenant_id AND o.mode = e.mode AND o.event_id = e.id`)
  return events.map(entryOfEvent)
}

export async function operatorEntries(db: Database, ids: readonly string[]): Promise<AuditEntry[]> {
  if (ids.length === 0) return []
  const wanted = sql`(SELECT value FROM json_each(${JSON.stringify(ids)}))`
  const rows = await db.select().from(adminAudit).where(inArray(adminAudit.id, wanted))
  return rows.map(entryOfOperator)
}

/** Returns the entry of an event of the archive. */
export function entryOfArchived({
  deliveries: _,
  bytes: _bytes,
  detail: _detail,
  ...event
}: ArchivedEvent): AuditEntry {
  const isWithoutCustomer = event.customerId === ''
  return entryOfEvent({
    ...event,
    customerId: isWithoutCustomer ? null : event.customerId,
    after: isWithoutCustomer ? null : event.after,
  })
}

function entryOfEvent({ version, before, after, ...event }: AuditedEvent): AuditEntry {
  if (after === null) return { ...event, keyId: null, operatorId: null, before: null, after: null }
  const columns = { ...event, customerId: event.customerId ?? '', version }
  return {
    ...event,
    keyId: null,
    operatorId: null,
    before: documentBefore(columns, { before, after }) as AuditEntry['before'],
    after: documentAfter(columns, after) as unknown as AuditEntry['after'],
  }
}

function entryOfOperator(row: typeof adminAudit.$inferSelect): AuditEntry {
  const mode = (row.after ?? row.before)?.mode
  return {
    ...row,
    tenantId: row.tenantId || null,
    mode: mode === 'live' || mode === 'test' ? mode : null,
    customerId: null,
  }
}
