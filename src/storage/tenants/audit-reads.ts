/**
 * Reads changes with their author and reason as one list, newest first: `events` for customers, `admin_audit` for tenants
 * and keys. A page looks at a bounded number of rows of each, so a filter that little matches gives short pages, and the
 * next page goes on behind what was looked at. A page is bounded by bytes, too.
 *
 * Events of all tenants are read in the order of their rowids, which is that of their commits: an index by id would cost
 * every change one more written row. Events of one tenant or customer are read in the order of their ids.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { Mode } from '../../registry/customer.ts'
import {
  type AuditLog,
  type AuditPage,
  type AuditQuery,
  OPERATOR_CHANGES,
  type PageRequest,
} from '../../tenants/ports.ts'
import { type Database, openDatabase } from '../database.ts'
import { CLOCKS_DIFFER_MS, firstEventIdAt } from '../events/event-ids.ts'
import { orUnavailable } from '../unavailable.ts'
import { eventEntries, operatorEntries } from './audit-entries.ts'
import { type Looked, type Match, type Place, pageOfStreams, placesIn } from './audit-streams.ts'

/** Rows of each stream that a page looks at, if it has a filter. */
const LOOKED_AT_MAX = 5_000
/** Bytes of the documents of a page. The first entry is always in it. */
const PAGE_BYTES_MAX = 1024 * 1024

export function auditLog(d1: D1Database): AuditLog {
  const db = openDatabase(d1.withSession('first-primary'))
  return { read: (query, page) => orUnavailable(() => readPage(db, query, page), {}) }
}

/** An ordered source of entries. */
interface Stream {
  kind: 'event' | 'operator'
  /** The rows behind a place, newest first, as columns `at`, `id`, `place`, `ok` and `bytes`. */
  rows(after: Place): SQL
}

async function readPage(db: Database, query: AuditQuery, { limit, afterId }: PageRequest): Promise<AuditPage> {
  const streams = await streamsOf(db, query)
  const [first, ...others] = streams
  if (!first) return { items: [], hasMore: false, position: null }
  const places = placesIn(afterId, streams.length)
  const { actor, type, requestId, startMs } = query
  const isFiltered = [actor, type, requestId, startMs].some((filter) => filter !== undefined)
  const most = isFiltered ? LOOKED_AT_MAX : limit
  const look = (stream: Stream, at: number) => selectLooked(db, stream.rows(places[at] ?? null), most)
  // One batch is one moment, so no change is missed between the streams.
  const found = await db.batch([look(first, 0), ...others.map((stream, at) => look(stream, at + 1))])
  const looked = found.flatMap(([row]) => (row ? lookedOf(row, most) : []))
  const { chosen, position } = pageOfStreams(looked, places, { limit, bytesMax: PAGE_BYTES_MAX })
  const placesOfKind = (kind: Stream['kind']) =>
    chosen.flatMap(({ stream, rowid }) => (streams[stream]?.kind === kind ? [rowid] : []))
  const idsOfKind = (kind: Stream['kind']) =>
    chosen.flatMap(({ stream, id }) => (streams[stream]?.kind === kind ? [id] : []))
  const entries = [
    ...(await eventEntries(db, placesOfKind('event'))),
    ...(await operatorEntries(db, idsOfKind('operator'))),
  ]
  const byEntryId = new Map(entries.map((entry) => [entry.id, entry]))
  const items = chosen.flatMap(({ id }) => byEntryId.get(id) ?? [])
  return { items, hasMore: position !== null, position }
}

/** The rows that were looked at, as one row: their number, the last of them, and as JSON those that match. */
function selectLooked(db: Database, rows: SQL, most: number) {
  // Apart from the aggregate functions, the columns are those of the row with the smallest place.
  return db
    .select({
      at: sql<string | number | null>`min(at)`,
      id: sql<string | null>`id`,
      looked: sql<number>`count(*)`,
      matches: sql<Match[]>`json_group_array(
        json_object('at', at, 'id', id, 'rowid', place, 'bytes', bytes)) FILTER (WHERE ok)`.mapWith(JSON.parse),
    })
    .from(sql`(${rows} LIMIT ${most})`)
}

type LookedRow = Awaited<ReturnType<typeof selectLooked>>[number]

function lookedOf({ at, id, looked, matches }: LookedRow, most: number): Looked {
  return { matches, end: at === null || id === null || looked < most ? null : { at, id } }
}

async function streamsOf(db: Database, query: AuditQuery): Promise<Stream[]> {
  const ofOperators = query.type === undefined || OPERATOR_CHANGES.some((type) => type === query.type)
  const ofEvents = query.type === undefined || !ofOperators
  return [
    ...(ofEvents ? await eventStreams(db, query) : []),
    ...(ofOperators && query.customerId === undefined ? [operatorStream(query)] : []),
  ]
}

async function eventStreams(db: Database, query: AuditQuery): Promise<Stream[]> {
  if (query.customerId !== undefined) {
    const place = await placeOf(db, query.customerId)
    if (!place || (query.tenantId !== undefined && query.tenantId !== place.tenantId)) return []
    const ofCustomer = sql`events e INDEXED BY events_customer
      WHERE e.customer_id = ${query.customerId} AND e.tenant_id = ${place.tenantId} AND e.mode = ${place.mode}`
    return [byId(ofCustomer, query)]
  }
  const { tenantId } = query
  if (tenantId === undefined) return [await byCommit(db, query)]
  return (['live', 'test'] as const).map((mode) =>
    byId(sql`events e WHERE e.tenant_id = ${tenantId} AND e.mode = ${mode}`, query),
  )
}

/** Returns the tenant and mode of a customer; null if it has no events. */
async function placeOf(db: Database, customerId: string): Promise<{ tenantId: string; mode: Mode } | null> {
  const [place] = await db.all<{ tenantId: string; mode: Mode }>(
    sql`SELECT tenant_id AS "tenantId", mode FROM events INDEXED BY events_customer WHERE customer_id = ${customerId} LIMIT 1`,
  )
  return place ?? null
}

const EVENT_BYTES = sql`octet_length(coalesce(e.before, '')) + octet_length(e.after)`
/** A deleted tenant is found nowhere, and its events are being deleted. */
const IS_OF_TENANT = sql`EXISTS (SELECT 1 FROM tenants t WHERE t.id = e.tenant_id AND t.deleted_at IS NULL)`

function byId(from: SQL, query: AuditQuery): Stream {
  return {
    kind: 'event',
    rows: (
      after,
    ) => sql`SELECT e.id AS at, e.id, e.rowid AS place, iif(${matches(query)}, ${IS_OF_TENANT}, 0) AS ok, ${EVENT_BYTES} AS bytes
      FROM ${from} AND ${idRange(query)} AND ${isBehind(sql`e.id`, after)} ORDER BY e.id DESC`,
  }
}

/** Reads by rowid, between the ends of the requested range, which searches by halves find. */
async function byCommit(db: Database, { startMs, endMs, ...query }: AuditQuery): Promise<Stream> {
  // Ids are not exactly in the order of commits, so each end is taken well outside of the range.
  const margin = 2 * CLOCKS_DIFFER_MS
  const from = startMs === undefined ? sql`1` : sql`e.rowid > ${await lastRowidBefore(db, startMs - margin)}`
  const to = endMs === undefined ? sql`1` : sql`e.rowid <= ${await lastRowidBefore(db, endMs + margin)}`
  const ok = sql`iif(${matches({ ...query, startMs, endMs })}, ${IS_OF_TENANT}, 0)`
  return {
    kind: 'event',
    rows: (after) => sql`SELECT e.rowid AS at, e.id, e.rowid AS place, ${ok} AS ok, ${EVENT_BYTES} AS bytes
      FROM events e WHERE ${from} AND ${to} AND ${isBehind(sql`e.rowid`, after)} ORDER BY e.rowid DESC`,
  }
}

/** Returns the rowid behind which the events of that time and later are. Reads two rows for each halving of the table. */
async function lastRowidBefore(db: Database, timeMs: number): Promise<number> {
  const middle = sql`((low + high) / 2)`
  const isLate = sql`coalesce(
    (SELECT id FROM events WHERE rowid > ${middle} ORDER BY rowid LIMIT 1) >= ${firstEventIdAt(timeMs)}, 1)`
  const [found] = await db.all<{ high: number }>(sql`
    WITH RECURSIVE halves(low, high) AS (
      SELECT 0, (SELECT coalesce(max(rowid), 0) + 1 FROM events)
      UNION ALL
      SELECT iif(${isLate}, low, ${middle}), iif(${isLate}, ${middle}, high) FROM halves WHERE high - low > 1
    )
    SELECT min(high) AS high FROM halves`)
  return found?.high ?? 0
}

function operatorStream(query: AuditQuery): Stream {
  const { tenantId } = query
  // The index has to be named: without statistics SQLite prefers the order of the primary key.
  const from =
    tenantId === undefined
      ? sql`admin_audit e WHERE 1`
      : sql`admin_audit e INDEXED BY admin_audit_tenant WHERE e.tenant_id = ${tenantId}`
  return {
    kind: 'operator',
    rows: (after) => sql`SELECT e.id AS at, e.id, 0 AS place, ${matches(query)} AS ok,
        octet_length(coalesce(e.before, '')) + octet_length(coalesce(e.after, '')) AS bytes
      FROM ${from} AND ${idRange(query)} AND ${isBehind(sql`e.id`, after)} ORDER BY e.id DESC`,
  }
}

/** Matches the rows behind a place of their stream. */
function isBehind(key: SQL, after: Place): SQL {
  if (after === null) return sql`1`
  // Nothing is left. SQLite takes any number for less than any text.
  return after === '' ? sql`0` : sql`${key} < ${after}`
}

/** Matches what the filters select, apart from those that choose the stream. */
function matches({ actor, type, requestId, startMs, endMs }: AuditQuery): SQL {
  const conditions = [
    actor === undefined ? [] : sql`e.actor = ${actor}`,
    type === undefined ? [] : sql`e.type = ${type}`,
    requestId === undefined ? [] : sql`e.request_id = ${requestId}`,
    startMs === undefined ? [] : sql`e.created_at >= ${startMs}`,
    endMs === undefined ? [] : sql`e.created_at < ${endMs}`,
  ].flat()
  return conditions.length === 0 ? sql`1` : sql.join(conditions, sql` AND `)
}

/** Bounds a read by id: an id is made by another clock than the time of its event. */
function idRange({ startMs, endMs }: AuditQuery): SQL {
  const from = startMs === undefined ? sql`1` : sql`e.id >= ${firstEventIdAt(startMs - CLOCKS_DIFFER_MS)}`
  return endMs === undefined ? from : sql`${from} AND e.id < ${firstEventIdAt(endMs + CLOCKS_DIFFER_MS)}`
}
