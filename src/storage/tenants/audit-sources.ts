/** The ordered sources of the audit in one database: how each selects its rows behind a place. */
import { type SQL, sql } from 'drizzle-orm'
import type { Scope } from '../../registry/customer.ts'
import { type AuditQuery, OPERATOR_CHANGES } from '../../tenants/ports.ts'
import type { Database } from '../database.ts'
import { CLOCKS_DIFFER_MS, firstEventIdAt } from '../events/event-ids.ts'
import { copiedRowidAt } from '../moves/places.ts'
import type { Place } from './audit-streams.ts'

/** A database and its number. */
export interface Source {
  number: number
  db: Database
}

/** An ordered source of entries. */
export interface Stream {
  source: Source
  kind: 'event' | 'operator'
  /** The rows behind a place, newest first, as columns `at`, `id`, `place`, `ok` and `bytes`. */
  rows(after: Place): SQL
  /** The tenant and mode whose older events are in the archive. Its places are ids. */
  scope?: Scope
  /** Whether it has the event with that rowid, if its places are rowids. */
  hasRowid?(rowid: number): boolean
}

/** Returns the sources of a database that may have what is wanted. */
export async function streamsOf(source: Source, query: AuditQuery): Promise<Stream[]> {
  const ofOperators = query.type === undefined || isOfOperators(query.type)
  return [
    ...(mayBeEvent(query) ? await eventStreams(source, query) : []),
    ...(ofOperators && query.customerId === undefined ? [operatorStream(source, query)] : []),
  ]
}

/** Returns whether events of customers may be wanted, and not only what operators did. */
export function mayBeEvent({ type }: AuditQuery): boolean {
  return type === undefined || !isOfOperators(type)
}

function isOfOperators(wanted: string): boolean {
  return OPERATOR_CHANGES.some((type) => type === wanted)
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
export function isOfTenant({ number }: Pick<Source, 'number'>, tenantId = sql`e.tenant_id`): SQL {
  return sql`EXISTS (
    SELECT 1 FROM tenants t WHERE t.id = ${tenantId} AND t.deleted_at IS NULL AND t.database_number = ${sql.raw(String(number))}
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
    hasRowid: (rowid) => rowid > 0,
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
    hasRowid: (rowid) => rowid < 0,
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
