/**
 * Reads the archives of all tenants as one list, newest first. Objects of different tenants overlap, so which event is the next one
 * is known only when each object that reaches as far was opened. A read opens a bounded number; what it found waits in its place
 * until no other object can have a newer event. That is a round: the objects in the order of their last events.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { Mode, Scope } from '../../registry/customer.ts'
import { DAY_MS } from '../../shared/durations.ts'
import type { Database } from '../database.ts'
import { firstEventIdAt, timeOfId } from '../events/event-ids.ts'
import type { Line } from './format.ts'
import { type ObjectRef, openObject } from './reads.ts'

/** The bounds of one read: as many events as four full objects have, or many small objects. */
export const MERGED_BOUNDS = {
  objects: 100,
  events: 8_000,
  /** Rows of the index of one database that are looked at. */
  indexRows: 1_000,
  /** Events that a place has at most. Their objects are opened once more when they are shown. */
  carried: 50,
}

/** Objects that are opened at a time: a Worker has six connections. */
const AT_ONCE = 6

export interface MergedDeps {
  /** By their numbers. */
  databases: readonly Database[]
  archive: R2Bucket
  bounds?: typeof MERGED_BOUNDS | undefined
}

/** An event that matches, and where it is. */
export interface Found {
  id: string
  database: number
  tenantId: string
  mode: Mode
  bytes: number
}

interface Round {
  /** The objects that end behind this id are opened. */
  upTo: string
  /** The newest of what matches in them and is not shown yet, newest first. */
  best: Found[]
  /** The id down to which `best` has all of them; null if it has all. */
  downTo: string | null
  /** The last row that the index of each database had. */
  rows: readonly number[]
}

/** A place in the list: the id above which everything is shown, null at the beginning. */
export interface MergedPlace {
  belowId: string | null
  round: Round | null
}

/** An object with its database and the number of its row in the index there. */
export interface MergedObject extends ObjectRef, Scope {
  database: number
  row: number
  events: number
}

export interface MergedQuery {
  place: MergedPlace
  /** Objects that end below or above these ids have nothing that is wanted; null for no bound. */
  fromId: string | null
  upToId: string | null
  /** A condition on the rows of the index of a database, named `o`. */
  objects(database: number): SQL
  matches(line: Line, object: MergedObject): boolean
  limit: number
  /** The last row of each index, from before the read. */
  rows: readonly number[]
}

/** An event of the archive, with its line. */
export interface FoundLine {
  found: Found
  line: Line
}

export interface MergedScan {
  /** The next events, newest first. */
  next: Found[]
  /** The id down to which nothing is missing; null if nothing else is left. */
  end: string | null
  /** The events that were just read. */
  lines: ReadonlyMap<string, FoundLine>
  /** Returns the place behind so many of them. */
  placeAfter(count: number): MergedPlace
}

/** Reads on from the place. Nothing may be found, and more be left. */
export async function scanMerged(deps: MergedDeps, query: MergedQuery): Promise<MergedScan> {
  const { limit, place, rows } = query
  const { carried } = boundsOf(deps)
  const round = await roundOf(deps, query)
  const { objects, border } = await findObjects(deps, query, round.upTo)
  const lines = new Map<string, FoundLine>()
  const most = Math.max(limit, carried)
  let { best, downTo } = round
  let end = objects[0]?.lastId ?? border
  const settled = () => best.filter(({ id }) => end === null || id >= end)
  // Events that are older than the last of the best are found again later.
  const isEnough = () => settled().length >= limit || (end !== null && downTo !== null && end <= downTo)
  for (let from = 0; from < objects.length && !isEnough(); from += AT_ONCE) {
    const some = objects.slice(from, from + AT_ONCE)
    for (const read of (await Promise.all(some.map((object) => readObject(deps, query, object)))).flat()) {
      lines.set(read.found.id, read)
    }
    const found = [...best, ...[...lines.values()].map((read) => read.found)]
    const all = [...new Map(found.map((event) => [event.id, event])).values()]
    best = all.filter(({ id }) => downTo === null || id >= downTo).sort((one, other) => (one.id < other.id ? 1 : -1))
    if (best.length > most) downTo = best[most - 1]?.id ?? null
    best = best.slice(0, most)
    const kept = new Set(best.map(({ id }) => id))
    for (const id of lines.keys()) if (!kept.has(id)) lines.delete(id)
    end = objects[from + AT_ONCE]?.lastId ?? border
  }
  const next = settled()
  return {
    next,
    end:
      [end, downTo]
        .flatMap((id) => id ?? [])
        .sort()
        .at(-1) ?? null,
    lines,
    placeAfter(count) {
      const belowId = best[count - 1]?.id ?? place.belowId
      const rest = best.slice(count)
      // Those that were left out are found again.
      if (rest.length === 0 && downTo !== null) return { belowId, round: null }
      const kept = rest.slice(0, carried)
      const keptTo = kept.length < rest.length ? (kept.at(-1)?.id ?? null) : downTo
      return { belowId, round: { upTo: end ?? '', best: kept, downTo: keptTo, rows } }
    },
  }
}

/** Returns up to which id something may be left at the place; null if nothing is. `newestId`: of all objects, `''` without any. */
export function topOfMerged({ belowId, round }: MergedPlace, newestId: string, rows: readonly number[]): string | null {
  if (newestId === '') return null
  const isKnown = round?.rows.every((row, database) => row >= (rows[database] ?? 0))
  if (round && isKnown) return [round.upTo, round.best[0]?.id ?? ''].sort().at(-1) || null
  return belowId !== null && belowId < newestId ? belowId : newestId
}

/** Reads the lines of those of the events that are still in the archive. `objects` as in a query. */
export async function linesOf(
  deps: MergedDeps,
  wanted: readonly Found[],
  objects: MergedQuery['objects'],
): Promise<FoundLine[]> {
  const lines: FoundLine[] = []
  for (const [database, db] of deps.databases.entries()) {
    const own = wanted.filter((found) => found.database === database)
    if (own.length === 0) continue
    const keys = JSON.stringify(own.map(({ id, tenantId, mode }) => [tenantId, mode, id]))
    const found = await db.all<{ name: string; at: string }>(sql`
      SELECT o.name, json_group_array(w.key) AS at FROM json_each(${keys}) w CROSS JOIN archive_objects o
        ON o.tenant_id = w.value ->> 0 AND o.mode = w.value ->> 1 AND o.last_id = (
          SELECT min(x.last_id) FROM archive_objects x
          WHERE x.tenant_id = w.value ->> 0 AND x.mode = w.value ->> 1 AND x.last_id >= w.value ->> 2
        )
      WHERE ${objects(database)} GROUP BY o.name`)
    for (let from = 0; from < found.length; from += AT_ONCE) {
      const some = found.slice(from, from + AT_ONCE).map(async ({ name, at }) => {
        const events = (JSON.parse(at) as number[]).flatMap((index) => own[index] ?? [])
        const [{ tenantId, mode }] = events as [Found]
        const byId = new Map(
          (await openObject({ db, archive: deps.archive }, { tenantId, mode }, { name })).map((line) => [
            line.id,
            line,
          ]),
        )
        return events.flatMap((event): FoundLine[] => {
          const line = byId.get(event.id)
          return line ? [{ found: event, line }] : []
        })
      })
      lines.push(...(await Promise.all(some)).flat())
    }
  }
  return lines
}

function boundsOf({ bounds = MERGED_BOUNDS }: MergedDeps) {
  return bounds
}

/** Returns the round of the place, or a new one if an object was added that it would have opened. */
async function roundOf(deps: MergedDeps, { place, rows, upToId }: MergedQuery) {
  const { belowId, round } = place
  const fresh = { upTo: belowId === null ? upToId : endOfDay(belowId), best: [], downTo: null }
  if (!round) return fresh
  const { indexRows } = boundsOf(deps)
  const added = await Promise.all(
    deps.databases.map(async (db, database) => {
      const [since, last] = [round.rows[database] ?? 0, rows[database] ?? 0]
      if (last <= since) return false
      const [found] = await db.all<{ looked: number; isMissed: number }>(sql`
        SELECT count(*) AS looked, coalesce(max(ends_behind AND begins_below), 0) AS "isMissed" FROM (
          SELECT o.last_id > ${round.upTo} AS ends_behind, ${belowId === null ? sql`1` : sql`o.first_id < ${belowId}`} AS begins_below
          FROM archive_objects o WHERE o.rowid > ${since} ORDER BY o.rowid LIMIT ${indexRows}
        )`)
      return !found || found.isMissed === 1 || found.looked === indexRows
    }),
  )
  return added.includes(true) ? fresh : round
}

/** All events of an object are of one day. */
function endOfDay(id: string): string {
  return firstEventIdAt((Math.floor(timeOfId(id) / DAY_MS) + 1) * DAY_MS)
}

/** Returns the objects to open, and the last id of those behind them; null if there are none. */
async function findObjects(deps: MergedDeps, query: MergedQuery, upTo: string | null) {
  const { databases } = deps
  const bounds = boundsOf(deps)
  const found = await Promise.all(databases.map((db, database) => findIn(db, database, query, upTo, bounds)))
  const border =
    found
      .flatMap((one) => one.border ?? [])
      .sort()
      .at(-1) ?? null
  const objects = found
    .flatMap((one) => one.objects)
    .filter(({ lastId }) => border === null || lastId >= border)
    .sort((one, other) => (one.lastId < other.lastId ? 1 : -1))
  let events = 0
  const tooMany = objects.findIndex((object, at) => {
    events += object.events
    return at === bounds.objects || (at > 0 && events > bounds.events)
  })
  if (tooMany === -1) return { objects, border }
  return { objects: objects.slice(0, tooMany), border: (objects[tooMany] as MergedObject).lastId }
}

async function findIn(
  db: Database,
  database: number,
  { place: { belowId }, fromId, objects }: MergedQuery,
  upTo: string | null,
  { objects: objectsMax, indexRows }: typeof MERGED_BOUNDS,
): Promise<{ objects: MergedObject[]; border: string | null }> {
  const range = sql`x.last_id >= ${fromId ?? ''} AND ${upTo === null ? sql`1` : sql`x.last_id <= ${upTo}`}`
  const index = sql`FROM archive_objects x INDEXED BY archive_objects_ends WHERE ${range} ORDER BY x.last_id DESC`
  const found = await db.all<Omit<MergedObject, 'database'>>(sql`
    SELECT o.rowid AS row, o.tenant_id AS "tenantId", o.mode, o.name, o.first_id AS "firstId", o.last_id AS "lastId", o.events
    FROM (SELECT x.rowid AS row, x.first_id, x.last_id ${index} LIMIT ${indexRows}) looked
      CROSS JOIN archive_objects o ON o.rowid = looked.row
    WHERE ${belowId === null ? sql`1` : sql`looked.first_id < ${belowId}`} AND ${objects(database)}
    ORDER BY looked.last_id DESC LIMIT ${objectsMax + 1}`)
  const refs = found.map((object) => ({ ...object, database }))
  const beyond = refs[objectsMax]
  if (beyond) return { objects: refs, border: beyond.lastId }
  const [last] = await db.all<{ id: string }>(sql`SELECT x.last_id AS id ${index} LIMIT 1 OFFSET ${indexRows - 1}`)
  return { objects: refs, border: last?.id ?? null }
}

async function readObject(deps: MergedDeps, query: MergedQuery, object: MergedObject): Promise<FoundLine[]> {
  const { database, tenantId, mode } = object
  const { belowId } = query.place
  const db = deps.databases[database] as Database
  const lines = await openObject({ db, archive: deps.archive }, { tenantId, mode }, object)
  return lines
    .filter((line) => (belowId === null || line.id < belowId) && query.matches(line, object))
    .map((line) => ({
      found: { id: line.id, database, tenantId, mode, bytes: Math.ceil((line.rest?.length ?? 0) / 2) },
      line,
    }))
}
