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
import { type ArchiveDeps, archivedEvent, newestArchived, openedEvents, scanArchive } from '../archive/reads.ts'
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

/** Reads D1, and the archive for what is older. Without an archive, D1 has everything. */
export function eventLog(d1: D1Database, scope: Scope, archive?: R2Bucket): EventLog {
  const db = openDatabase(d1.withSession('first-primary'))
  const orUnavailable = orUnavailableIn(scope)
  return { list: (query) => orUnavailable(() => readPage(db, scope, query, archive)) }
}

/** Returns an event that D1 no longer has; null if the archive does not have it either. */
export async function readArchivedEvent(
  d1: D1Database,
  { tenantId, mode }: Scope,
  id: string,
  archive: R2Bucket,
): Promise<LoggedEvent | null> {
  const scope = { tenantId, mode }
  const row = await archivedEvent({ db: openDatabase(d1), archive }, scope, id)
  return row && loggedEventOf(scope, row)
}

/** The events of a page that D1 has. */
interface Recent {
  rows: MeasuredRow[]
  /** The id up to which D1 was looked at, that one included; null if it has no more. */
  end: string | null
  /** The last event that was looked at; null if there was none. */
  lastId: string | null
  newestArchivedId: string | null
}

type MeasuredRow = EventRow & { bytes: number }

async function readPage(
  db: Database,
  scope: Scope,
  query: EventQuery,
  archive: R2Bucket | undefined,
): Promise<EventPage | null> {
  const recent = await readRecent(db, scope, query)
  if (recent === null) return null
  const old = archive ? await readOld({ db, archive }, scope, query, recent) : NOTHING_OLD
  const { order, limit } = query
  const sign = order === 'asc' ? 1 : -1
  const end =
    [recent.end, old.end].flatMap((id) => id ?? []).sort((one, other) => sign * compare(one, other))[0] ?? null
  const known = new Set(recent.rows.map(({ id }) => id))
  const merged = [...recent.rows, ...old.rows.filter(({ id }) => !known.has(id))]
    .filter(({ id }) => end === null || sign * compare(id, end) <= 0)
    .sort((one, other) => sign * compare(one.id, other.id))
  const page = fitting(merged, limit)
  const events = page.map((row) => loggedEventOf(scope, row))
  const archiveRows = old.rowsLooked
  if (merged.length > page.length) return { events, archiveRows, hasMore: true, lastId: page.at(-1)?.id ?? null }
  const lastIds = [recent.lastId, page.at(-1)?.id].flatMap((id) => id ?? [])
  return {
    events,
    archiveRows,
    hasMore: end !== null,
    lastId: end ?? lastIds.sort((a, b) => sign * compare(b, a))[0] ?? null,
  }
}

const NOTHING_OLD = { rows: [] as MeasuredRow[], end: null as string | null, rowsLooked: 0 }

/** Returns whether the archive may have events of the page. The order `desc` has those of D1 first. */
function mayHaveArchived({ order, afterId, startMs }: EventQuery, { end, newestArchivedId: newest }: Recent): boolean {
  if (newest === null || (startMs !== undefined && newest < firstEventIdAt(startMs - CLOCKS_DIFFER_MS))) return false
  return order === 'asc' ? afterId === null || newest > afterId : end === null || newest >= end
}

/** Returns whether D1 alone has a full page, behind which the archive surely goes on. */
function isFull({ order, customerId, types, startMs, limit }: EventQuery, { rows, newestArchivedId }: Recent): boolean {
  const isFiltered = customerId !== undefined || types !== undefined || startMs !== undefined
  const last = order === 'desc' && !isFiltered ? rows[limit - 1] : undefined
  return last !== undefined && newestArchivedId !== null && newestArchivedId < last.id
}

/** Reads what the archive has up to the end of the page of D1. */
async function readOld(deps: ArchiveDeps, scope: Scope, query: EventQuery, recent: Recent) {
  if (!mayHaveArchived(query, recent)) return NOTHING_OLD
  if (recent.end === null && isFull(query, recent)) return { ...NOTHING_OLD, end: recent.rows.at(-1)?.id ?? null }
  const recentEnd = recent.end
  const { customerId, types, startMs, endMs, order, afterId, limit } = query
  // Both bounds are left out of what is found, and D1 itself has the event at its end.
  const [aboveId, belowId] = order === 'asc' ? [afterId, recentEnd] : [recentEnd, afterId]
  const above = startMs === undefined ? null : firstEventIdAt(startMs - CLOCKS_DIFFER_MS)
  const below = endMs === undefined ? null : firstEventIdAt(endMs + CLOCKS_DIFFER_MS)
  const {
    lines,
    end,
    rows: rowsLooked,
  } = await scanArchive(deps, scope, {
    aboveId:
      [aboveId, above]
        .flatMap((id) => id ?? [])
        .sort()
        .at(-1) ?? null,
    belowId: [belowId, below].flatMap((id) => id ?? []).sort()[0] ?? null,
    ...{ order, customerId, limit: limit + 1 },
    matches: ({ type, createdAtMs }) =>
      (types === undefined || types.includes(type)) &&
      (startMs === undefined || createdAtMs >= startMs) &&
      (endMs === undefined || createdAtMs < endMs),
  })
  // Only those of this page are opened.
  const estimated = lines.map((line) => ({ line, bytes: (line.rest?.length ?? 0) / 2 + EVENT_BYTES }))
  const first = fitting(estimated, limit + 1).map(({ line }) => line)
  const rows = await openedEvents(deps.db, scope, first)
  return {
    rows: rows.map((row) => ({ ...row, bytes: row.bytes + EVENT_BYTES })),
    end: first.length < lines.length ? (first.at(-1)?.id ?? end) : end,
    rowsLooked,
  }
}

const compare = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0)

/** Returns null if there is no such customer. */
async function readRecent(db: Database, scope: Scope, query: EventQuery): Promise<Recent | null> {
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
  const [known, rows, [ends], [archived]] = await db.batch([
    isKnown(db, scope, customerId),
    db
      .select({ ...getTableColumns(events), bytes: BYTES })
      .from(events)
      .where(and(inScope(events, scope), inArray(events.id, chosen)))
      .orderBy(inOrder),
    db.select({ count: count(), first: min(looked.id), last: max(looked.id) }).from(looked),
    db.select({ id: sql<string | null>`id` }).from(sql`(${newestArchived(scope)})`),
  ])
  if (customerId !== undefined && known.length === 0) return null
  const newestArchivedId = archived?.id ?? null
  if (fitting(rows, limit).length < rows.length) {
    const end = rows.at(-1)?.id ?? null
    return { rows, end, lastId: end, newestArchivedId }
  }
  const lastId = (order === 'asc' ? ends?.last : ends?.first) ?? null
  const hasMore = types !== undefined && ends?.count === LOOKED_AT_MAX
  return { rows, end: hasMore ? lastId : null, lastId, newestArchivedId }
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
