/**
 * Moves old events from D1 to the archive, a bounded number in each run. The object is stored first; then one transaction inserts
 * its row in the index and deletes the events, if all of them are still there. So a run may be killed anywhere, and two runs may
 * meet: no event is lost, and none is in two objects.
 *
 * Whole days only, and an object has events of one day, so that an object depends on nothing but its events.
 */
import { sql } from 'drizzle-orm'
import type { EventType } from '../../events/catalogue.ts'
import type { Mode, Scope } from '../../registry/customer.ts'
import { toBase64Url, utf8 } from '../../shared/bytes.ts'
import { DAY_MS } from '../../shared/durations.ts'
import { log } from '../../shared/log.ts'
import type { Database } from '../database.ts'
import { firstEventIdAt, timeOfId } from '../events/event-ids.ts'
import { rowsStatement } from '../statement-texts.ts'
import { customerFilter } from './customer-filter.ts'
import { type Line, lineOf, packed, type StoredEvent } from './format.ts'
import { newCustomerKey, type Sealer, sealerFor } from './seal.ts'
import { ownersOf, type Stay } from './stays.ts'

/** The bounds of an object. Its events are deleted in one statement, for which the writers of the primary wait. */
export const OBJECT_BOUNDS = { events: 2_000, bytes: 2 * 1024 * 1024 }

export interface ArchiverDeps {
  db: Database
  archive: R2Bucket
  bounds?: typeof OBJECT_BOUNDS
}

/** The first event that belongs into no object yet, and up to where events belong into one. */
interface Chunk {
  events: { id: string; customerId: string; version: number; createdAtMs: number }[]
  stays: Stay[]
}

/** Archives the next object of a tenant and mode. Returns false if nothing is left to archive that is older than the time. */
export async function archiveNext(deps: ArchiverDeps, scope: Scope, beforeMs: number): Promise<boolean> {
  const chunk = await nextChunk(deps, scope, beforeMs)
  const [first] = chunk.events
  const last = chunk.events.at(-1)
  if (!first || !last) return false
  const { events, keys } = await readEvents(deps.db, scope, chunk)
  // Another run was faster.
  if (events.length !== chunk.events.length) return true
  const lines = await sealedLines(scope, events, chunk.stays, keys)
  const bytes = await packed(lines)
  const ids = events.map(({ id }) => id)
  const name = `${folderOf(scope)}${dayOf(first.id)}/${first.id}-${await hashOf(ids)}.ndjson.gz`
  await deps.archive.put(name, bytes)
  const object = {
    ...{ name, firstId: first.id, lastId: last.id, events: ids.length, bytes: bytes.length },
    firstAtMs: Math.min(...events.map(({ createdAtMs }) => createdAtMs)),
    lastAtMs: Math.max(...events.map(({ createdAtMs }) => createdAtMs)),
    customers: customerFilter(new Set(events.map(({ customerId }) => customerId))),
  }
  if (!(await commit(deps.db, scope, object, ids))) await deleteUnlessKnown(deps, scope, name)
  return true
}

/** The beginning of the names of all objects of a tenant and mode. */
export function folderOf({ tenantId, mode }: Scope): string {
  return `events/${tenantId}/${mode}/`
}

/** Returns the moment before which whole days are archived. */
export function archivedBefore(nowMs: number, days: number): number {
  return Math.floor((nowMs - days * DAY_MS) / DAY_MS) * DAY_MS
}

/** The event of an erasure stays in D1: it is the receipt. */
export const NEVER_ARCHIVED: EventType = 'customer.erased'
const IS_ARCHIVED = sql.raw(`e.type <> '${NEVER_ARCHIVED}'`)

/** Returns the modes of these tenants that have something to archive. Reads few rows of each. */
export async function scopesWithOldEvents(
  db: Database,
  tenantIds: readonly string[],
  beforeMs: number,
): Promise<Scope[]> {
  return db.all<{ tenantId: string; mode: Mode }>(sql`
    SELECT t.id AS "tenantId", m.value AS mode
    FROM json_each(${JSON.stringify(tenantIds)}) w CROSS JOIN tenants t ON t.id = w.value
      CROSS JOIN json_each('["live","test"]') m
    WHERE t.deleted_at IS NULL AND EXISTS (
      SELECT 1 FROM events e WHERE e.tenant_id = t.id AND e.mode = m.value
        AND e.id > ${lastArchived(sql`t.id`, sql`m.value`)} AND e.id < ${firstEventIdAt(beforeMs)} AND ${IS_ARCHIVED}
    )`)
}

/** No event comes behind one that is archived: days ago, D1 refused every write of that time. */
function lastArchived(tenantId: unknown, mode: unknown) {
  return sql`coalesce((
    SELECT max(o.last_id) FROM archive_objects o WHERE o.tenant_id = ${tenantId} AND o.mode = ${mode}
  ), '')`
}

async function nextChunk({ db, bounds = OBJECT_BOUNDS }: ArchiverDeps, scope: Scope, beforeMs: number): Promise<Chunk> {
  const { tenantId, mode } = scope
  const found = await db.all<Chunk['events'][number]>(sql`
    SELECT id, customer_id AS "customerId", version, created_at AS "createdAtMs" FROM (
      SELECT *, sum(bytes) OVER (ORDER BY id) - bytes AS before_it FROM (
        SELECT e.id, e.customer_id, e.version, e.created_at, 500 + octet_length(concat_ws('', e.before, e.after, e.detail, e.reason)) AS bytes
        FROM events e WHERE e.tenant_id = ${tenantId} AND e.mode = ${mode}
          AND e.id > ${lastArchived(tenantId, mode)} AND e.id < ${firstEventIdAt(beforeMs)} AND ${IS_ARCHIVED}
        ORDER BY e.id LIMIT ${bounds.events}
      )
    ) WHERE before_it < ${bounds.bytes} ORDER BY id`)
  const [first] = found
  const events = first ? found.filter(({ id }) => dayOf(id) === dayOf(first.id)) : []
  const customerIds = [...new Set(events.map(({ customerId }) => customerId))]
  return { events, stays: events.length > 0 ? await readStays(db, scope, customerIds) : [] }
}

/** Returns the stays with the customers, and with those who were their guests. */
function readStays(db: Database, { tenantId, mode }: Scope, customerIds: readonly string[]): Promise<Stay[]> {
  const columns = sql.raw('s.customer_id, s.host_id, s.above_version, s.until_version, s.since, s.until_at')
  const ofHost = sql`CROSS JOIN customer_stays s ON s.tenant_id = ${tenantId} AND s.mode = ${mode} AND s.host_id =`
  return db.all<Stay>(sql`
    WITH RECURSIVE found(customer_id, host_id, above_version, until_version, since, until_at) AS (
      SELECT ${columns} FROM json_each(${JSON.stringify(customerIds)}) c ${ofHost} c.value
      UNION
      SELECT ${columns} FROM found ${ofHost} found.customer_id
    )
    SELECT customer_id AS "customerId", host_id AS "hostId", above_version AS "aboveVersion", until_version AS "untilVersion",
      since AS "sinceMs", until_at AS "untilMs" FROM found`)
}

/**
 * Reads the events with the keys of their owners, in one transaction. Makes the missing keys, but none for a customer that is
 * erased: its events are empty. What is offered is materialized: otherwise SQLite would begin with all customers of the tenant.
 */
async function readEvents(db: Database, { tenantId, mode }: Scope, { events, stays }: Chunk) {
  const owners = new Set(events.flatMap((event) => (event.customerId === '' ? [] : ownersOf(event, stays))))
  const offered = JSON.stringify([...owners].map((id) => [id, newCustomerKey()]))
  const ids = JSON.stringify(events.map(({ id }) => id))
  const [, keys, found] = (await db.batch([
    rowsStatement(
      db,
      sql`
      WITH offered(tenant_id, mode, id, key) AS MATERIALIZED (
        SELECT ${tenantId}, ${mode}, value ->> 0, value ->> 1 FROM json_each(${offered})
      )
      UPDATE customers SET archive_key = o.key FROM offered o
      WHERE customers.tenant_id = o.tenant_id AND customers.mode = o.mode AND customers.id = o.id
        AND customers.erased_at IS NULL AND customers.archive_key IS NULL`,
    ),
    rowsStatement(
      db,
      sql`
      SELECT c.id AS "customerId", c.archive_key AS key FROM json_each(${offered}) o CROSS JOIN customers c
        ON c.tenant_id = ${tenantId} AND c.mode = ${mode} AND c.id = o.value ->> 0 AND c.archive_key IS NOT NULL`,
    ),
    rowsStatement(
      db,
      sql`
      SELECT e.id, e.rowid, e.type, e.customer_id AS "customerId", e.version, e.actor, e.request_id AS "requestId", e.reason, e.before,
        e.after, e.detail, e.created_at AS "createdAtMs", o.role, o.session_id AS "sessionId"
      FROM json_each(${ids}) w CROSS JOIN events e ON e.tenant_id = ${tenantId} AND e.mode = ${mode} AND e.id = w.value
        LEFT JOIN operator_changes o ON o.tenant_id = e.tenant_id AND o.mode = e.mode AND o.event_id = e.id
      ORDER BY e.id`,
    ),
  ])) as unknown as [unknown, { customerId: string; key: string }[], StoredEvent[]]
  return { events: found, keys: new Map(keys.map(({ customerId, key }) => [customerId, key])) }
}

async function sealedLines(
  scope: Scope,
  events: readonly StoredEvent[],
  stays: readonly Stay[],
  keys: ReadonlyMap<string, string>,
): Promise<Line[]> {
  const sealers = new Map<string, Sealer>()
  const lines: Line[] = []
  for (const event of events) {
    const owners = event.customerId === '' ? [] : ownersOf(event, stays)
    const name = owners.join()
    const ofOwners = owners.flatMap((id) => keys.get(id) ?? [])
    const hasAll = ofOwners.length === owners.length && owners.length > 0
    const sealer = hasAll ? (sealers.get(name) ?? (await sealerFor(ofOwners))) : null
    if (sealer) sealers.set(name, sealer)
    lines.push(await lineOf(scope, event, owners, sealer))
  }
  return lines
}

interface ObjectRow {
  name: string
  firstId: string
  lastId: string
  events: number
  bytes: number
  firstAtMs: number
  lastAtMs: number
  customers: string
}

/** Returns whether the object is in the index now instead of its events. */
async function commit(db: Database, { tenantId, mode }: Scope, object: ObjectRow, ids: readonly string[]) {
  const wanted = sql`json_each(${JSON.stringify(ids)}) w CROSS JOIN events e
    ON e.tenant_id = ${tenantId} AND e.mode = ${mode} AND e.id = w.value`
  const isIn = sql`EXISTS (
    SELECT 1 FROM archive_objects o WHERE o.tenant_id = ${tenantId} AND o.mode = ${mode} AND o.last_id = ${object.lastId}
      AND o.name = ${object.name}
  )`
  const { name, firstId, lastId, events, bytes, firstAtMs, lastAtMs, customers } = object
  const [inserted] = (await db.batch([
    rowsStatement(
      db,
      sql`
      INSERT INTO archive_objects (tenant_id, mode, last_id, first_id, name, events, bytes, first_at, last_at, customers)
      SELECT ${tenantId}, ${mode}, ${lastId}, ${firstId}, ${name}, ${events}, ${bytes}, ${firstAtMs}, ${lastAtMs}, ${customers}
      WHERE (SELECT count(*) FROM ${wanted}) = ${events}
        AND EXISTS (SELECT 1 FROM tenants t WHERE t.id = ${tenantId} AND t.deleted_at IS NULL)
      ON CONFLICT (tenant_id, mode, last_id) DO NOTHING RETURNING name`,
    ),
    rowsStatement(
      db,
      sql`
      INSERT INTO former_external_ids (tenant_id, mode, external_id, left_at, customer_id)
      SELECT e.tenant_id, e.mode, coalesce(e.before ->> '$.external_id', e.after ->> '$.external_id'), e.created_at, e.customer_id
      FROM ${wanted} WHERE ${isIn} AND (e.type = 'customer.archived' OR (
        e.type = 'customer.updated' AND e.before ->> '$.external_id' IS NOT NULL AND e.after ->> '$.archived_at' IS NULL
      )) AND EXISTS (
        SELECT 1 FROM customers c WHERE c.tenant_id = e.tenant_id AND c.mode = e.mode AND c.id = e.customer_id AND c.erased_at IS NULL
      )
      ON CONFLICT (tenant_id, mode, external_id, left_at, customer_id) DO NOTHING`,
    ),
    rowsStatement(
      db,
      sql`
      DELETE FROM events WHERE ${isIn} AND rowid IN (SELECT e.rowid FROM ${wanted})`,
    ),
  ])) as unknown as [unknown[]]
  return inserted.length > 0
}

/** Deletes an object that another run has made superfluous, unless that run made the same one. */
async function deleteUnlessKnown(
  { db, archive }: ArchiverDeps,
  { tenantId, mode }: Scope,
  name: string,
): Promise<void> {
  const [known] = await db.all(sql`
    SELECT 1 FROM archive_objects WHERE tenant_id = ${tenantId} AND mode = ${mode} AND name = ${name} LIMIT 1`)
  if (known) return
  log('info', { event: 'archive_repeated', tenantId, mode })
  await archive.delete(name)
}

function dayOf(eventId: string): string {
  return new Date(timeOfId(eventId)).toISOString().slice(0, 10)
}

/** Two runs that chose other events must not overwrite each other's object. */
async function hashOf(ids: readonly string[]): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', utf8(ids.join()))
  return toBase64Url(new Uint8Array(digest).subarray(0, 12))
}
