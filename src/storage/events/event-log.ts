/**
 * Reads the event log of a tenant and mode. Ids are in the order of time and lead the primary key, so a page is one
 * contiguous read in either direction. The triggers write the log, and so does the code that ends an onboarding or
 * disables an endpoint.
 */
import {
  and,
  asc,
  count,
  desc,
  eq,
  getTableColumns,
  gt,
  gte,
  inArray,
  isNull,
  lt,
  max,
  min,
  type SQL,
  sql,
} from 'drizzle-orm'
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

/** A page ends with the event that reaches so many bytes; the next page continues after it. */
const PAGE_BYTES_MAX = 256 * 1024
/** Bytes of an event in a response besides its documents: the names of all fields, most of them empty. */
const EVENT_BYTES = 1_000

/** A page with a filter reads this many events at most; the next page continues after them. */
const LOOKED_AT_MAX = 5_000

export function eventLog(d1: D1Database, scope: Scope): EventLog {
  const db = openDatabase(d1.withSession('first-primary'))
  const orUnavailable = orUnavailableIn(scope)
  return { list: (query) => orUnavailable(() => readPage(db, scope, query)) }
}

async function readPage(db: Database, scope: Scope, query: EventQuery): Promise<EventPage | null> {
  const { customerId, types, order, limit } = query
  const direct = order === 'asc' ? asc : desc
  const inOrder = direct(events.id)
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
  const measured = db
    .select({ id: events.id, bytes: BYTES.as('bytes') })
    .from(events)
    .where(and(inScope(events, scope), inArray(events.id, wanted)))
    .as('measured')
  // The bytes of all events before the last one, so that the page has one event more if any follows it.
  const before = sql<number>`sum(bytes) OVER (
    ORDER BY ${direct(measured.id)} ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING
  )`
  const summed = db
    .select({ id: measured.id, before: before.as('bytes_before') })
    .from(measured)
    .as('summed')
  const chosen = db.select({ id: summed.id }).from(summed).where(sql`coalesce(${summed.before}, 0) < ${PAGE_BYTES_MAX}`)
  const [known, rows, [ends]] = await db.batch([
    isKnown(db, scope, customerId),
    db
      .select({ ...getTableColumns(events), bytes: BYTES })
      .from(events)
      .where(and(inScope(events, scope), inArray(events.id, chosen)))
      .orderBy(inOrder),
    db.select({ count: count(), first: min(looked.id), last: max(looked.id) }).from(looked),
  ])
  if (customerId !== undefined && known.length === 0) return null
  const page = fitting(rows, limit).map((row) => loggedEventOf(scope, row))
  if (rows.length > page.length) return { events: page, hasMore: true, lastId: page.at(-1)?.id ?? null }
  const hasMore = types !== undefined && ends?.count === LOOKED_AT_MAX
  return { events: page, hasMore, lastId: (order === 'asc' ? ends?.last : ends?.first) ?? null }
}

const BYTES = sql<number>`octet_length(${events.after}) + coalesce(octet_length(${events.before}), 0)
  + coalesce(octet_length(${events.detail}), 0) + ${sql.raw(String(EVENT_BYTES))}`

/** Returns the first rows: as many as there may be, up to the one that fills the page. */
function fitting<Row extends { bytes: number }>(rows: Row[], limit: number): Row[] {
  let bytes = 0
  const end = rows.findIndex((row) => {
    const isFull = bytes >= PAGE_BYTES_MAX
    bytes += row.bytes
    return isFull
  })
  return rows.slice(0, Math.min(limit, end === -1 ? limit : end))
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
