/**
 * Finds events in the archive. The index in D1 says which objects to open, and how many one request opens is bounded: a read
 * that is not done then says up to where it has looked.
 *
 * D1 is always read first. An event that is archived meanwhile is then found twice, and never missed.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { Scope } from '../../registry/customer.ts'
import { RegistryError, UNAVAILABLE } from '../../registry/errors.ts'
import { ROWS_OF_FILTER, ROWS_OF_OBJECT } from '../../registry/permits.ts'
import { describeError, log } from '../../shared/log.ts'
import type { Database } from '../database.ts'
import { CLOCKS_DIFFER_MS, firstEventIdAt, timeOfId } from '../events/event-ids.ts'
import { rowsStatement } from '../statement-texts.ts'
import { mayHaveCustomerInSql } from './customer-filter.ts'
import { type ArchivedEvent, eventOf, type Line, unpacked } from './format.ts'
import { type Sealer, sealerFor } from './seal.ts'

/** Objects that one read opens at most: 8 MB before compression. */
export const OPENED_MAX = 4
/** Rows of the index that one read looks at to find those objects. */
const INDEX_ROWS_MAX = 1_000

export interface ArchiveDeps {
  db: Database
  archive: R2Bucket
}

/** Returns the bucket for reads only, and calls `onOpened` for each object that is read. */
export function countingOpened(archive: R2Bucket, onOpened: () => void): R2Bucket {
  return {
    get(name: string) {
      onOpened()
      return archive.get(name)
    },
  } as unknown as R2Bucket
}

export interface ObjectRef {
  name: string
  firstId: string
  lastId: string
}

/** Selects events. Both ids are of events that are not wanted themselves; null for no bound. */
export interface ArchiveQuery {
  aboveId: string | null
  belowId: string | null
  order: 'asc' | 'desc'
  /** Only objects that may have events of this customer are opened. */
  customerId?: string | undefined
  matches(line: Line): boolean
  limit: number
  openedMax?: number
  /** A condition on the rows of the index, named `o`. */
  objects?: SQL
}

export interface Scanned {
  /** The events that match, in the order. */
  lines: Line[]
  /** The id up to which all events were looked at, that one included; null if none is left. */
  end: string | null
  /** The work, in rows of D1: see `registry/permits.ts`. */
  rows: number
}

/** Reads events in the order of their ids until there are enough, or enough objects were opened. */
export async function scanArchive(deps: ArchiveDeps, scope: Scope, query: ArchiveQuery): Promise<Scanned> {
  const { order, customerId, matches, limit, aboveId, belowId, openedMax = OPENED_MAX } = query
  const { objects, end, filters } = await findObjects(deps.db, scope, query, openedMax)
  const rowsOf = (opened: number) => opened * ROWS_OF_OBJECT + filters * ROWS_OF_FILTER
  const lines: Line[] = []
  for (const [at, object] of objects.entries()) {
    const found = await openObject(deps, scope, object, customerId)
    const wanted = found.filter(
      (line) =>
        (aboveId === null || line.id > aboveId) &&
        (belowId === null || line.id < belowId) &&
        (customerId === undefined || line.customerId === customerId) &&
        matches(line),
    )
    lines.push(...(order === 'asc' ? wanted : wanted.reverse()))
    const reached = order === 'asc' ? object.lastId : object.firstId
    if (lines.length >= limit && (at < objects.length - 1 || end !== null)) {
      return { lines, end: reached, rows: rowsOf(at + 1) }
    }
  }
  return { lines, end, rows: rowsOf(objects.length) }
}

/** Returns the objects to open, and up to where the events are in them; null if no further one has any. */
async function findObjects(
  db: Database,
  { tenantId, mode }: Scope,
  { aboveId, belowId, order, customerId, objects = sql`1` }: ArchiveQuery,
  openedMax: number,
): Promise<{ objects: ObjectRef[]; end: string | null; filters: number }> {
  // No event of a customer is older than its id.
  const since = customerId === undefined ? '' : firstEventIdAt(timeOfId(customerId) - CLOCKS_DIFFER_MS)
  const from = aboveId !== null && aboveId > since ? aboveId : since
  const rowsMax = customerId === undefined ? openedMax + 1 : INDEX_ROWS_MAX
  const ofScope = sql`o.tenant_id = ${tenantId} AND o.mode = ${mode}`
  const direction = sql.raw(order)
  // Objects do not overlap. The last one that begins below an id is the first that ends at it or above.
  const upTo =
    belowId === null
      ? sql`1`
      : sql`o.first_id < ${belowId} AND o.last_id <= coalesce((
          SELECT min(x.last_id) FROM archive_objects x WHERE x.tenant_id = ${tenantId} AND x.mode = ${mode} AND x.last_id >= ${belowId}
        ), o.last_id)`
  const looked = sql`(
    SELECT o.name, o.first_id, o.last_id, ${customerId === undefined ? sql`1` : mayHaveCustomerInSql(sql`o.customers`, customerId)} AS may_have
    FROM archive_objects o WHERE ${ofScope} AND o.last_id > ${from} AND ${upTo} AND ${objects}
    ORDER BY o.last_id ${direction} LIMIT ${rowsMax}
  )`
  const [found, [ends]] = (await db.batch([
    rowsStatement(
      db,
      sql`
      SELECT name, first_id AS "firstId", last_id AS "lastId" FROM ${looked}
      WHERE may_have ORDER BY last_id ${direction} LIMIT ${openedMax + 1}`,
    ),
    rowsStatement(db, sql`SELECT count(*) AS count, min(first_id) AS first, max(last_id) AS last FROM ${looked}`),
  ])) as unknown as [ObjectRef[], { count: number; first: string | null; last: string | null }[]]
  const opened = found.slice(0, openedMax)
  const last = opened.at(-1)
  const filters = customerId === undefined ? 0 : (ends?.count ?? 0)
  const endOf = (first: string | null | undefined, newest: string | null | undefined) =>
    (order === 'asc' ? newest : first) ?? null
  if (found.length > openedMax) return { objects: opened, end: endOf(last?.firstId, last?.lastId), filters }
  return { objects: opened, end: ends?.count === rowsMax ? endOf(ends.first, ends.last) : null, filters }
}

/** Returns the events of the object, those with the id of the customer in them only if one is given. */
export async function openObject(
  { db, archive }: ArchiveDeps,
  scope: Scope,
  { name }: Pick<ObjectRef, 'name'>,
  customerId?: string,
): Promise<Line[]> {
  try {
    const object = await archive.get(name)
    if (object) return await unpacked(object.body, customerId)
  } catch (error) {
    log('error', { event: 'archive_failed', error: describeError(error), ...scope })
    throw new RegistryError(UNAVAILABLE)
  }
  const [known] = await db.all(sql`SELECT 1 FROM archive_objects
    WHERE tenant_id = ${scope.tenantId} AND mode = ${scope.mode} AND name = ${name} LIMIT 1`)
  // Its time was over just now.
  if (!known) return []
  log('error', { event: 'archive_object_missing', ...scope })
  throw new RegistryError(UNAVAILABLE)
}

/** Lines of a tenant and mode. */
export interface ScopedLines {
  scope: Scope
  lines: readonly Line[]
}

/** Returns the events of the lines, in their order. An event whose key is gone is as an erasure leaves it. */
export async function openedEvents(db: Database, scope: Scope, lines: readonly Line[]): Promise<ArchivedEvent[]> {
  return openedOfScopes(db, [{ scope, lines }])
}

/** The same for several tenants and modes, with one trip for all of their keys. */
export async function openedOfScopes(db: Database, groups: readonly ScopedLines[]): Promise<ArchivedEvent[]> {
  const keys = await readKeys(db, groups)
  const events = await Promise.all(
    groups.map(({ scope, lines }, at) => openedWith(scope, lines, keys[at] ?? new Map())),
  )
  return events.flat()
}

async function openedWith(scope: Scope, lines: readonly Line[], keys: ReadonlyMap<string, string>) {
  const sealers = new Map<string, Sealer | null>()
  const events: ArchivedEvent[] = []
  for (const line of lines) {
    const name = line.owners.join()
    if (!sealers.has(name)) sealers.set(name, await sealerOf(line.owners, keys))
    events.push(await eventOf(scope, line, sealers.get(name) ?? null))
  }
  return events
}

async function sealerOf(owners: readonly string[], keys: ReadonlyMap<string, string>): Promise<Sealer | null> {
  const ofOwners = owners.flatMap((id) => keys.get(id) ?? [])
  return owners.length > 0 && ofOwners.length === owners.length ? sealerFor(ofOwners) : null
}

/** Returns the keys of the owners of each group, by their ids. */
async function readKeys(db: Database, groups: readonly ScopedLines[]): Promise<Map<string, string>[]> {
  const owners = groups.flatMap(({ scope: { tenantId, mode }, lines }, at) =>
    [...new Set(lines.flatMap((line) => line.owners))].map((id) => [at, tenantId, mode, id]),
  )
  const keys = groups.map(() => new Map<string, string>())
  if (owners.length === 0) return keys
  const rows = await db.all<{ at: number; customerId: string; key: string }>(sql`
    SELECT o.value ->> 0 AS at, c.id AS "customerId", c.archive_key AS key
    FROM json_each(${JSON.stringify(owners)}) o CROSS JOIN customers c
      ON c.tenant_id = o.value ->> 1 AND c.mode = o.value ->> 2 AND c.id = o.value ->> 3 AND c.archive_key IS NOT NULL`)
  for (const { at, customerId, key } of rows) keys[at]?.set(customerId, key)
  return keys
}

/** Returns an event of the archive by its id; null if it is not there. */
export async function archivedEvent(deps: ArchiveDeps, scope: Scope, id: string): Promise<ArchivedEvent | null> {
  const [line] = await archivedLines(deps, scope, id)
  const [event = null] = line ? await openedEvents(deps.db, scope, [line]) : []
  return event
}

async function archivedLines(deps: ArchiveDeps, scope: Scope, id: string): Promise<Line[]> {
  const { tenantId, mode } = scope
  const [object] = await deps.db.all<ObjectRef>(sql`
    SELECT o.name, o.first_id AS "firstId", o.last_id AS "lastId" FROM archive_objects o
    WHERE o.tenant_id = ${tenantId} AND o.mode = ${mode} AND o.last_id >= ${id} ORDER BY o.last_id LIMIT 1`)
  if (!object || object.firstId > id) return []
  return (await openObject(deps, scope, object, id)).filter((line) => line.id === id)
}

/** Selects the newest event of a tenant and mode that is in the archive, as the column `id`. Reads one row. */
export function newestArchived({ tenantId, mode }: Scope): SQL {
  return sql`SELECT max(o.last_id) AS id FROM archive_objects o WHERE o.tenant_id = ${tenantId} AND o.mode = ${mode}`
}
