/**
 * Reads changes with their author and reason: `events` for customers, `admin_audit` for tenants and keys, as one list,
 * newest first.
 *
 * Neither table has an index for it: writing a row costs a thousand times as much as reading one, and only people
 * request this list. Events of a tenant and mode are in the order of their ids. So the newest page is among the newest
 * events of those tenants whose last event is newest. This reads one row for each tenant and mode, and one page for
 * each of those that may contribute. A selective filter reads further; a time range bounds it.
 */
import { and, desc, eq, gte, lt, type SQL, sql } from 'drizzle-orm'
import type { Mode } from '../../registry/customer.ts'
import type { AuditEntry, AuditLog, AuditQuery, Page, PageRequest } from '../../tenants/ports.ts'
import { type Database, openDatabase } from '../database.ts'
import { documentAfter, documentBefore } from '../event-documents.ts'
import { CLOCKS_DIFFER_MS, firstEventIdAt } from '../events/event-ids.ts'
import type { StoredDocument } from '../schema/tables.ts'
import { adminAudit } from '../schema/tenant-tables.ts'
import { orUnavailable } from '../unavailable.ts'
import { pageOf } from './rows.ts'

export function auditLog(d1: D1Database): AuditLog {
  const db = openDatabase(d1.withSession('first-primary'))
  return { read: (query, page) => orUnavailable(() => readPage(db, query, page), {}) }
}

async function readPage(db: Database, query: AuditQuery, page: PageRequest): Promise<Page<AuditEntry>> {
  // One batch is one moment, so no change is missed between the two lists.
  const [ofCustomers, ofTenants] = await db.batch([
    db.select(EVENT).from(eventsPage(query, page)).orderBy(sql`e.id DESC`),
    db
      .select()
      .from(adminAudit)
      .where(
        and(
          query.customerId === undefined ? undefined : sql`0`,
          query.tenantId === undefined ? undefined : eq(adminAudit.tenantId, query.tenantId),
          query.actor === undefined ? undefined : eq(adminAudit.actor, query.actor),
          query.type === undefined ? undefined : sql`${adminAudit.type} = ${query.type}`,
          query.startMs === undefined ? undefined : gte(adminAudit.createdAtMs, query.startMs),
          query.endMs === undefined ? undefined : lt(adminAudit.createdAtMs, query.endMs),
          page.afterId === null ? undefined : lt(adminAudit.id, page.afterId),
        ),
      )
      .orderBy(desc(adminAudit.id))
      .limit(page.limit + 1),
  ])
  const entries: AuditEntry[] = [...ofCustomers.map(entryOfCustomer), ...ofTenants.map(entryOfTenant)]
  return pageOf(entries.sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, page.limit + 1), page)
}

/** Column names as text, like the statement that selects them. */
const EVENT = {
  id: sql<string>`e.id`,
  type: sql<AuditEntry['type']>`e.type`,
  tenantId: sql<string>`e.tenant_id`,
  mode: sql<Mode>`e.mode`,
  customerId: sql<string | null>`nullif(e.customer_id, '')`,
  actor: sql<string>`e.actor`,
  requestId: sql<string | null>`e.request_id`,
  reason: sql<string | null>`e.reason`,
  version: sql<number>`e.version`,
  before: sql<StoredDocument | null>`e.before`.mapWith(JSON.parse),
  after: sql<StoredDocument | null>`nullif(e.after, '{}')`.mapWith(JSON.parse),
  createdAtMs: sql<number>`e.created_at`,
}

type AuditedEvent = Omit<AuditEntry, 'keyId' | 'before' | 'after'> & {
  version: number
  before: StoredDocument | null
  after: StoredDocument | null
}

function entryOfCustomer({ version, before, after, ...event }: AuditedEvent): AuditEntry {
  if (after === null) return { ...event, keyId: null, before: null, after: null }
  const columns = { ...event, customerId: event.customerId ?? '', version }
  return {
    ...event,
    keyId: null,
    before: documentBefore(columns, { before, after }) as AuditEntry['before'],
    after: documentAfter(columns, after) as unknown as AuditEntry['after'],
  }
}

/** Raw SQL: CROSS JOIN fixes the order of the tables, which keeps it cheap. */
function eventsPage(query: AuditQuery, { limit, afterId }: PageRequest): SQL {
  const matches = conditionOn(query, afterId)
  const rows = limit + 1
  const places = sql`SELECT t.id AS tenant_id, m.value AS mode FROM tenants t CROSS JOIN json_each('["live","test"]') m
    WHERE t.deleted_at IS NULL AND ${query.tenantId === undefined ? sql`1` : sql`t.id = ${query.tenantId}`}`
  const source =
    query.customerId === undefined
      ? sql`(
          SELECT * FROM (
            SELECT p.tenant_id, p.mode, (
              SELECT e.id FROM events e WHERE e.tenant_id = p.tenant_id AND e.mode = p.mode AND ${matches}
              ORDER BY e.id DESC LIMIT 1
            ) AS newest FROM (${places}) p
          ) WHERE newest IS NOT NULL ORDER BY newest DESC LIMIT ${rows}
        ) p CROSS JOIN events e ON e.tenant_id = p.tenant_id AND e.mode = p.mode AND e.id IN (
          SELECT e.id FROM events e WHERE e.tenant_id = p.tenant_id AND e.mode = p.mode AND ${matches}
          ORDER BY e.id DESC LIMIT ${rows}
        )`
      : sql`(${places}) p CROSS JOIN events e INDEXED BY events_customer
          ON e.tenant_id = p.tenant_id AND e.mode = p.mode AND e.customer_id = ${query.customerId} AND ${matches}`
  // The documents are large: the page is found first, then read.
  return sql`(
      SELECT e.tenant_id, e.mode, e.id FROM ${source} ORDER BY e.id DESC LIMIT ${rows}
    ) page CROSS JOIN events e ON e.tenant_id = page.tenant_id AND e.mode = page.mode AND e.id = page.id`
}

function conditionOn({ actor, type, startMs, endMs }: AuditQuery, afterId: string | null): SQL {
  const conditions = [
    actor === undefined ? [] : sql`e.actor = ${actor}`,
    type === undefined ? [] : sql`e.type = ${type}`,
    startMs === undefined
      ? []
      : sql`e.created_at >= ${startMs} AND e.id >= ${firstEventIdAt(startMs - CLOCKS_DIFFER_MS)}`,
    endMs === undefined ? [] : sql`e.created_at < ${endMs} AND e.id < ${firstEventIdAt(endMs + CLOCKS_DIFFER_MS)}`,
    afterId === null ? [] : sql`e.id < ${afterId}`,
  ].flat()
  return conditions.length === 0 ? sql`1` : sql.join(conditions, sql` AND `)
}

function entryOfTenant(row: typeof adminAudit.$inferSelect): AuditEntry {
  const mode = row.after?.mode
  return { ...row, mode: mode === 'live' || mode === 'test' ? mode : null, customerId: null }
}
