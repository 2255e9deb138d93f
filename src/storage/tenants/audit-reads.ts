/**
 * Reads changes with their author and reason as one list, newest first: `events` for customers, `admin_audit` for tenants
 * and keys. A page looks at a bounded number of rows of each, so a filter that little matches gives short pages, and the
 * next page goes on behind what was looked at. A page is bounded by bytes, too.
 *
 * Events of all tenants are read in the order of their rowids, which is that of their commits: an index by id would cost
 * every change one more written row. Events of one tenant or customer are read in the order of their ids, and behind those
 * of D1 those of the archive. The archive is not read for all tenants: each has objects of its own for each day.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { Scope } from '../../registry/customer.ts'
import {
  type AuditLog,
  type AuditPage,
  type AuditQuery,
  OPERATOR_CHANGES,
  type PageRequest,
} from '../../tenants/ports.ts'
import { type Database, openDatabase } from '../database.ts'
import { CLOCKS_DIFFER_MS, firstEventIdAt } from '../events/event-ids.ts'
import { copiedRowidAt } from '../moves/places.ts'
import { orUnavailable } from '../unavailable.ts'
import { auditedArchive } from './audit-archive.ts'
import { eventEntries, operatorEntries } from './audit-entries.ts'
import { type Looked, type Match, type Place, pageOfStreams, placesIn } from './audit-streams.ts'

/** Rows of each stream that a page looks at, if it has a filter. */
const LOOKED_AT_MAX = 5_000
/** Bytes of the documents of a page. The first entry is always in it. */
const PAGE_BYTES_MAX = 1024 * 1024

/** `databases` are all by their numbers, the first with the directory. */
export function auditLog(databases: readonly D1Database[], archive?: R2Bucket): AuditLog {
  const sources = databases.map((d1, number) => ({ number, db: openDatabase(d1.withSession('first-primary')) }))
  return { read: (query, page) => orUnavailable(() => readPage(sources, query, page, archive), {}) }
}

/** A database and its number. */
interface Source {
  number: number
  db: Database
}

/** An ordered source of entries. */
interface Stream {
  source: Source
  kind: 'event' | 'operator'
  /** The rows behind a place, newest first, as columns `at`, `id`, `place`, `ok` and `bytes`. */
  rows(after: Place): SQL
  /** The tenant and mode whose older events are in the archive. Its places are ids. */
  scope?: Scope
}

async function readPage(
  sources: readonly Source[],
  query: AuditQuery,
  { limit, afterId }: PageRequest,
  archive: R2Bucket | undefined,
): Promise<AuditPage> {
  const streams = (await Promise.all(sources.map((source) => streamsOf(source, query)))).flat()
  const places = placesIn(afterId, streams.length)
  const { actor, type, requestId, startMs } = query
  const isFiltered = [actor, type, requestId, startMs].some((filter) => filter !== undefined)
  const most = isFiltered ? LOOKED_AT_MAX : limit
  // The streams of one database in one batch, which is one moment, so that no change is missed between them.
  const looks = await Promise.all(
    sources.map(async (source) => {
      const own = streams.flatMap((stream, at) => (stream.source === source ? [at] : []))
      const selects = own.map((at) => selectLooked(source.db, (streams[at] as Stream).rows(places[at] ?? null), most))
      const [first, ...others] = selects
      const rows = first ? await source.db.batch([first, ...others]) : []
      return own.map((at, nth) => [at, rows[nth]?.[0]] as const)
    }),
  )
  const rows = new Map(looks.flat())
  const old = new Map(
    sources.map((source) => [source, archive ? auditedArchive({ db: source.db, archive }, query, limit) : null]),
  )
  const looked: Looked[] = []
  // After D1, so that an event that is archived meanwhile is found there or here.
  for (const [at, { source, scope }] of streams.entries()) {
    const recent = lookedOf(rows.get(at), most)
    const archived = old.get(source)
    looked.push(archived && scope ? await archived.behind(scope, recent, places[at] ?? null) : recent)
  }
  const { chosen, position } = pageOfStreams(looked, places, { limit, bytesMax: PAGE_BYTES_MAX })
  const entries = await Promise.all(
    sources.map(async (source) => {
      const own = (kind: Stream['kind']) =>
        chosen.filter(({ stream }) => streams[stream]?.source === source && streams[stream].kind === kind)
      const rowids = own('event').map(({ rowid }) => rowid)
      const idsOf = (kind: Stream['kind']) => own(kind).map(({ id }) => id)
      return [
        ...(await eventEntries(source.db, rowids)),
        ...((await old.get(source)?.entries(idsOf('event'))) ?? []),
        ...(await operatorEntries(source.db, idsOf('operator'))),
      ]
    }),
  )
  const byEntryId = new Map(entries.flat().map((entry) => [entry.id, entry]))
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

function lookedOf(row: LookedRow | undefined, most: number): Looked {
  const { at, id, looked, matches } = row ?? { at: null, id: null, looked: 0, matches: [] }
  return { matches, end: at === null || id === null || looked < most ? null : { at, id } }
}

async function streamsOf(source: Source, query: AuditQuery): Promise<Stream[]> {
  const ofOperators = query.type === undefined || OPERATOR_CHANGES.some((type) => type === query.type)
  const ofEvents = query.type === undefined || !ofOperators
  return [
    ...(ofEvents ? await eventStreams(source, query) : []),
    ...(ofOperators && query.customerId === undefined ? [operatorStream(source, query)] : []),
  ]
}

async function eventStreams(source: Source, query: AuditQuery): Promise<Stream[]> {
  if (query.customerId !== undefined) {
    const place = await placeOf(source.db, query.customerId)
    if (!place || (query.tenantId !== undefined && query.tenantId !== place.tenantId)) return []
    const ofCustomer = sql`events e INDEXED BY events_customer
      WHERE e.customer_id = ${query.customerId} AND e.tenant_id = ${place.tenantId} AND e.mode = ${place.mode}`
    return [byId(source, ofCustomer, query, place)]
  }
  const { tenantId } = query
  if (tenantId === undefined) return [await byCommit(source, query), ofMoved(source, query)]
  return (['live', 'test'] as const).map((mode) =>
    byId(source, sql`events e WHERE e.tenant_id = ${tenantId} AND e.mode = ${mode}`, query, { tenantId, mode }),
  )
}

/** Returns the tenant and mode of a customer; null if there is none. */
async function placeOf(db: Database, customerId: string): Promise<Scope | null> {
  const [place] = await db.all<Scope>(
    sql`SELECT tenant_id AS "tenantId", mode FROM customer_numbers WHERE id = ${customerId} LIMIT 1`,
  )
  return place ?? null
}

const EVENT_BYTES = sql`octet_length(coalesce(e.before, '')) + octet_length(e.after)`
/**
 * Matches the events of tenants that are in this database. A deleted tenant is found nowhere, and its events are being deleted; one
 * that is moved may have events in two databases for a while.
 */
function isOfTenant({ number }: Source): SQL {
  return sql`EXISTS (
    SELECT 1 FROM tenants t WHERE t.id = e.tenant_id AND t.deleted_at IS NULL AND t.database_number = ${sql.raw(String(number))}
  )`
}

function byId(source: Source, from: SQL, query: AuditQuery, scope: Scope): Stream {
  return {
    source,
    kind: 'event',
    scope,
    rows: (
      after,
    ) => sql`SELECT e.id AS at, e.id, e.rowid AS place, iif(${matches(query)}, ${isOfTenant(source)}, 0) AS ok, ${EVENT_BYTES} AS bytes
      FROM ${from} AND ${idRange(query)} AND ${isBehind(sql`e.id`, after)} ORDER BY e.id DESC`,
  }
}

/** Reads by rowid, between the ends of the requested range, which searches by halves find. */
async function byCommit(source: Source, { startMs, endMs, ...query }: AuditQuery): Promise<Stream> {
  const { db } = source
  // Ids are not exactly in the order of commits, so each end is taken well outside of the range.
  const margin = 2 * CLOCKS_DIFFER_MS
  const from = startMs === undefined ? sql`e.rowid > 0` : sql`e.rowid > ${await lastRowidBefore(db, startMs - margin)}`
  const to = endMs === undefined ? sql`1` : sql`e.rowid <= ${await lastRowidBefore(db, endMs + margin)}`
  const ok = sql`iif(${matches({ ...query, startMs, endMs })}, ${isOfTenant(source)}, 0)`
  return {
    source,
    kind: 'event',
    rows: (after) => sql`SELECT e.rowid AS at, e.id, e.rowid AS place, ${ok} AS ok, ${EVENT_BYTES} AS bytes
      FROM events e WHERE ${from} AND ${to} AND ${isBehind(sql`e.rowid`, after)} ORDER BY e.rowid DESC`,
  }
}

/** Reads the events that tenants brought when they were moved here: their rowids are below 0, in the order of their ids. */
function ofMoved(source: Source, { startMs, endMs, ...query }: AuditQuery): Stream {
  const margin = 2 * CLOCKS_DIFFER_MS
  const rowidAt = (timeMs: number) => sql.raw(String(copiedRowidAt(timeMs)))
  const from = startMs === undefined ? sql`1` : sql`e.rowid >= ${rowidAt(startMs - margin)}`
  const to = endMs === undefined ? sql`e.rowid < 0` : sql`e.rowid < ${rowidAt(endMs + margin)}`
  const ok = sql`iif(${matches({ ...query, startMs, endMs })}, ${isOfTenant(source)}, 0)`
  return {
    source,
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
      SELECT -1, (SELECT coalesce(max(rowid), 0) + 1 FROM events)
      UNION ALL
      SELECT iif(${isLate}, low, ${middle}), iif(${isLate}, ${middle}, high) FROM halves WHERE high - low > 1
    )
    SELECT min(high) AS high FROM halves`)
  return found?.high ?? 0
}

function operatorStream(source: Source, query: AuditQuery): Stream {
  const { tenantId } = query
  // The index has to be named: without statistics SQLite prefers the order of the primary key.
  const from =
    tenantId === undefined
      ? sql`admin_audit e WHERE 1`
      : sql`admin_audit e INDEXED BY admin_audit_tenant WHERE e.tenant_id = ${tenantId}`
  // Entries of endpoints and settings are in the database of their tenant, and in two for a while when it is moved.
  const isElsewhere = sql`(e.type GLOB 'webhook.*' OR e.type GLOB 'onboarding.*')
    AND EXISTS (SELECT 1 FROM tenants t WHERE t.id = e.tenant_id AND t.database_number <> 0)`
  const ok =
    source.number === 0
      ? sql`iif(${matches(query)}, NOT (${isElsewhere}), 0)`
      : sql`iif(${matches(query)}, ${isOfTenant(source)}, 0)`
  return {
    source,
    kind: 'operator',
    rows: (after) => sql`SELECT e.id AS at, e.id, 0 AS place, ${ok} AS ok,
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
