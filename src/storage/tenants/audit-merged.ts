/**
 * Adds to a page of the audit of all tenants the events of their archives, in the order of their ids.
 *
 * D1's events are in the order of their commits, and an id is made up to `SETTLED_AFTER_MS` before. Where the archive has events,
 * those of D1 come that much earlier than their ids say, so that none is left behind when it is archived between two pages. None is
 * shown twice either: see `audit-shown.ts`.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import { DAY_MS } from '../../shared/durations.ts'
import type { AuditEntry, AuditQuery } from '../../tenants/ports.ts'
import type { Line } from '../archive/format.ts'
import {
  type FoundLine,
  linesOf,
  type MergedDeps,
  type MergedObject,
  scanMerged,
  topOfMerged,
} from '../archive/merged-reads.ts'
import { openedOfScopes, type ScopedLines } from '../archive/reads.ts'
import type { Database } from '../database.ts'
import { CLOCKS_DIFFER_MS, firstEventIdAt, timeOfId } from '../events/event-ids.ts'
import { rowsStatement } from '../statement-texts.ts'
import { isWanted } from './audit-archive.ts'
import { entryOfArchived } from './audit-entries.ts'
import type { AuditedPlace, PageWithOld, Wanted } from './audit-page.ts'
import { allShownAbove, earlierOrder, wasShown, withPage } from './audit-shown.ts'
import { isOfTenant, type Stream } from './audit-sources.ts'
import { type Looked, pageOfStreams, type StreamedPage } from './audit-streams.ts'

/** The ends of the index of a database at the moment at which its events were read. */
export interface IndexEnds {
  newestId: string | null
  row: number
}

/** Selects them, for the batch that reads the events. */
export function indexEnds(db: Database): BatchItem<'sqlite'> {
  return rowsStatement(
    db,
    sql`SELECT (SELECT max(last_id) FROM archive_objects) AS "newestId", (SELECT coalesce(max(rowid), 0) FROM archive_objects) AS row`,
  )
}

/** The order of an event of D1 among all matches. */
export type OrderOf = (stream: Stream, id: string) => string

export interface MergedGiven extends Wanted {
  /** Null on the first page. */
  place: AuditedPlace | null
  /** By the numbers of the databases. */
  indexes: readonly IndexEnds[]
  lookedBy(orderOf: OrderOf): Looked[]
}

/** Returns the page of the streams and the archives together. */
export async function mergedPage(deps: MergedDeps, given: MergedGiven): Promise<PageWithOld> {
  const { query, streams, places, page, indexes } = given
  const rows = indexes.map(({ row }) => row)
  const place = given.place ?? { belowId: null, round: null, hasBegun: false, shown: [] }
  const ids = indexes.flatMap(({ newestId }) => newestId ?? [])
  const newestId = ids.sort().at(-1) ?? ''
  const looked = given.lookedBy(({ hasRowid }, id) => (hasRowid && id <= newestId ? earlierOrder(id) : id))
  const topId = topOfMerged(place, newestId, rows)
  const unread = { matches: [], end: topId === null ? null : { at: topId, order: topId } }
  const recent = pageOfStreams([...looked, unread], places, page)
  // A page that D1 alone can answer reads no object.
  if (recent.waitsFor !== streams.length || (recent.chosen.length > 0 && !place.hasBegun)) {
    const archive = placeAfter(given, place, recent, [...looked, unread])
    return { ...ofStreams(given, recent), archive, hasOld: topId !== null, oldEntries: async () => [] }
  }
  const objects = objectsFor(query)
  const scan = await scanMerged(deps, {
    ...{ place, ...rangeOf(query), objects, limit: page.limit, rows },
    matches: (line, object) => isWanted(line, query) && !wasShownIn(given, place, line, object),
  })
  const archived: Looked = {
    matches: scan.next.map(({ id, bytes }) => ({ at: id, id, order: id, rowid: 0, bytes })),
    end: scan.end === null ? null : { at: scan.end, order: scan.end },
  }
  const read = pageOfStreams([...looked, archived], places, page)
  const found = scan.next.slice(0, read.chosen.filter(({ stream }) => stream === streams.length).length)
  const next = { ...place, ...scan.placeAfter(found.length), hasBegun: true }
  return {
    ...ofStreams(given, read),
    archive: placeAfter(given, next, read, [...looked, archived]),
    hasOld: scan.end !== null || found.length < scan.next.length,
    oldEntries: async () => {
      const unknown = found.filter(({ id }) => !scan.lines.has(id))
      const lines = [...found.flatMap(({ id }) => scan.lines.get(id) ?? []), ...(await linesOf(deps, unknown, objects))]
      return entriesOf(deps, lines)
    },
  }
}

function ofStreams({ streams }: Wanted, { chosen, places }: StreamedPage) {
  return { chosen, places: places.slice(0, streams.length) }
}

function wasShownIn({ streams }: Wanted, { shown }: AuditedPlace, { rowid }: Line, object: MergedObject): boolean {
  const stream = streams.findIndex(({ source, hasRowid }) => source.number === object.database && hasRowid?.(rowid))
  return wasShown(shown, object, { stream, rowid })
}

/** Returns the place of the next page, with what this one has shown. */
function placeAfter(
  { streams, indexes }: MergedGiven,
  place: AuditedPlace,
  { chosen, places, waitsFor }: StreamedPage,
  looked: readonly Looked[],
): AuditedPlace {
  const reached = looked[waitsFor ?? -1]?.end?.order ?? chosen.at(-1)?.order
  if (reached === undefined) return place
  const page = {
    rows: indexes.map(({ row }) => row),
    to: places.slice(0, streams.length),
    reachedMs: timeOfId(reached),
  }
  const aboveId = allShownAbove(page)
  const belowId = place.belowId !== null && place.belowId < aboveId ? place.belowId : aboveId
  return { ...place, belowId, shown: withPage(place.shown, page) }
}

async function entriesOf({ databases }: MergedDeps, found: readonly FoundLine[]): Promise<AuditEntry[]> {
  const groups = new Map<string, { database: number; group: ScopedLines & { lines: Line[] } }>()
  for (const {
    found: { database, tenantId, mode },
    line,
  } of found) {
    const key = `${database} ${tenantId} ${mode}`
    const known = groups.get(key) ?? { database, group: { scope: { tenantId, mode }, lines: [] } }
    known.group.lines.push(line)
    groups.set(key, known)
  }
  const opened = databases.map((db, number) => {
    const own = [...groups.values()].flatMap(({ database, group }) => (database === number ? [group] : []))
    return openedOfScopes(db, own)
  })
  return (await Promise.all(opened)).flat().map(entryOfArchived)
}

/** The objects of tenants that are in the database, in the range of time. */
function objectsFor({ startMs, endMs }: AuditQuery): (database: number) => SQL {
  const from = startMs === undefined ? sql`1` : sql`o.last_at >= ${startMs}`
  const to = endMs === undefined ? sql`1` : sql`o.first_at < ${endMs}`
  return (database) => sql`${from} AND ${to} AND ${isOfTenant({ number: database }, sql`o.tenant_id`)}`
}

/** An object that has events of the range ends in it, or within a day after it. */
function rangeOf({ startMs, endMs }: AuditQuery) {
  return {
    fromId: startMs === undefined ? null : firstEventIdAt(startMs - CLOCKS_DIFFER_MS),
    upToId: endMs === undefined ? null : firstEventIdAt(endMs + CLOCKS_DIFFER_MS + DAY_MS),
  }
}
