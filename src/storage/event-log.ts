/**
 * Reads the log of events of a tenant and mode. Their ids lie in the order of time and lead the key, so a page is read in
 * one piece, in either direction; the triggers and whoever ends an onboarding or disables an endpoint write it.
 */
import { and, asc, desc, eq, gt, gte, inArray, isNull, lt, type SQL } from 'drizzle-orm'
import type { EventLog, EventQuery, LoggedEvent } from '../events/event.ts'
import type { Scope } from '../registry/customer.ts'
import { customerOfDocument } from './customer-row.ts'
import { type Database, openDatabase } from './database.ts'
import { CLOCKS_DIFFER_MS, firstEventIdAt, firstUnsettledEventId } from './event-ids.ts'
import { customers, events } from './tables.ts'

export function eventLog(d1: D1Database, scope: Scope): EventLog {
  const db = openDatabase(d1.withSession('first-primary'))
  return {
    async list(query) {
      const { customerId, order, limit } = query
      const page = db
        .select()
        .from(events)
        .where(and(inScope(scope), ...conditions(query)))
        .orderBy(order === 'asc' ? asc(events.id) : desc(events.id))
        .limit(limit + 1)
      if (customerId === undefined) return pageOf(scope, await page, limit)
      const [known, rows] = await db.batch([isKnown(db, scope, customerId), page])
      return known.length > 0 ? pageOf(scope, rows, limit) : null
    },
  }
}

export type EventRow = typeof events.$inferSelect

export function loggedEventOf(scope: Scope, row: EventRow): LoggedEvent {
  const { id, type, version, actor, requestId, detail, createdAtMs, before, after } = row
  const customerId = row.customerId === '' ? null : row.customerId
  return {
    ...scope,
    id,
    type,
    customerId,
    version,
    actor,
    requestId,
    before: before && customerOfDocument(scope, before),
    after: customerId === null ? null : customerOfDocument(scope, after),
    detail,
    createdAtMs,
  }
}

function pageOf(scope: Scope, rows: EventRow[], limit: number) {
  return { events: rows.slice(0, limit).map((row) => loggedEventOf(scope, row)), hasMore: rows.length > limit }
}

function conditions({ customerId, types, startMs, endMs, order, afterId }: EventQuery): (SQL | undefined)[] {
  return [
    customerId === undefined ? undefined : eq(events.customerId, customerId),
    types === undefined ? undefined : inArray(events.type, [...types]),
    startMs === undefined
      ? undefined
      : and(gte(events.createdAtMs, startMs), gte(events.id, firstEventIdAt(startMs - CLOCKS_DIFFER_MS))),
    endMs === undefined
      ? undefined
      : and(lt(events.createdAtMs, endMs), lt(events.id, firstEventIdAt(endMs + CLOCKS_DIFFER_MS))),
    afterId === null ? undefined : order === 'asc' ? gt(events.id, afterId) : lt(events.id, afterId),
    order === 'asc' ? lt(events.id, firstUnsettledEventId()) : undefined,
  ]
}

function isKnown(db: Database, { tenantId, mode }: Scope, customerId: string) {
  return db
    .select({ id: customers.id })
    .from(customers)
    .where(
      and(
        eq(customers.tenantId, tenantId),
        eq(customers.mode, mode),
        eq(customers.id, customerId),
        isNull(customers.erasedAtMs),
      ),
    )
}

function inScope({ tenantId, mode }: Scope): SQL | undefined {
  return and(eq(events.tenantId, tenantId), eq(events.mode, mode))
}
