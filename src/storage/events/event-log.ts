/**
 * Reads the event log of a tenant and mode. Ids are in the order of time and lead the primary key, so a page is one
 * contiguous read in either direction. The triggers write the log, and so does the code that ends an onboarding or
 * disables an endpoint.
 */
import { and, asc, count, desc, eq, gt, gte, inArray, isNull, lt, max, min, type SQL, sql } from 'drizzle-orm'
import type { EventType } from '../../events/catalogue.ts'
import type { EventLog, EventPage, EventQuery, LoggedEvent } from '../../events/event.ts'
import type { Scope } from '../../registry/customer.ts'
import { customerOfDocument } from '../customer-row.ts'
import { type Database, openDatabase } from '../database.ts'
import { documentAfter, documentBefore } from '../event-documents.ts'
import { customers, type EventRow, events } from '../schema/tables.ts'
import { inScope } from '../scoped.ts'
import { orUnavailableIn } from '../unavailable.ts'
import { CLOCKS_DIFFER_MS, firstEventIdAt, firstUnsettledEventId } from './event-ids.ts'
import { EVENTS_OF_CUSTOMER } from './of-customer.ts'

/** A page with a filter reads this many events at most; the next page continues after them. */
const LOOKED_AT_MAX = 5_000

export function eventLog(d1: D1Database, scope: Scope): EventLog {
  const db = openDatabase(d1.withSession('first-primary'))
  const orUnavailable = orUnavailableIn(scope)
  return { list: (query) => orUnavailable(() => readPage(db, scope, query)) }
}

async function readPage(db: Database, scope: Scope, query: EventQuery): Promise<EventPage | null> {
  const { customerId, types, order, limit } = query
  const inOrder = order === 'asc' ? asc(events.id) : desc(events.id)
  const looked = db
    .select({ id: sql<string>`${events.id}`.as('id'), type: sql<EventType>`${events.type}`.as('type') })
    .from(customerId === undefined ? sql`${events}` : EVENTS_OF_CUSTOMER)
    .where(and(inScope(events, scope), ...conditions(query)))
    .orderBy(inOrder)
    .limit(types === undefined ? limit + 1 : LOOKED_AT_MAX)
    .as('looked')
  const wanted = db
    .select({ id: looked.id })
    .from(looked)
    .where(types === undefined ? undefined : inArray(looked.type, [...types]))
    .limit(limit + 1)
  const [known, rows, [ends]] = await db.batch([
    isKnown(db, scope, customerId),
    db
      .select()
      .from(events)
      .where(and(inScope(events, scope), inArray(events.id, wanted)))
      .orderBy(inOrder),
    db.select({ count: count(), first: min(looked.id), last: max(looked.id) }).from(looked),
  ])
  if (customerId !== undefined && known.length === 0) return null
  const page = rows.slice(0, limit).map((row) => loggedEventOf(scope, row))
  if (rows.length > limit) return { events: page, hasMore: true, lastId: page.at(-1)?.id ?? null }
  const hasMore = types !== undefined && ends?.count === LOOKED_AT_MAX
  return { events: page, hasMore, lastId: (order === 'asc' ? ends?.last : ends?.first) ?? null }
}

export function loggedEventOf(scope: Scope, row: EventRow): LoggedEvent {
  const { id, type, version, actor, requestId, detail, createdAtMs } = row
  const customerId = row.customerId === '' ? null : row.customerId
  const before = documentBefore(row, row)
  return {
    ...scope,
    id,
    type,
    customerId,
    version,
    actor,
    requestId,
    before: before && customerOfDocument(scope, before),
    after: customerId === null ? null : customerOfDocument(scope, documentAfter(row, row.after)),
    detail,
    createdAtMs,
  }
}

function conditions({ customerId, startMs, endMs, order, afterId }: EventQuery): (SQL | undefined)[] {
  return [
    customerId === undefined ? undefined : eq(events.customerId, customerId),
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

function isKnown(db: Database, scope: Scope, customerId = '') {
  return db
    .select({ id: customers.id })
    .from(customers)
    .where(and(inScope(customers, scope), eq(customers.id, customerId), isNull(customers.erasedAtMs)))
}
