/**
 * Reads changes with their author and reason as one list, newest first: `events` for customers, `admin_audit` for tenants
 * and keys. A page looks at a bounded number of rows of each, so a filter that little matches gives short pages, and the
 * next page goes on behind what was looked at. A page is bounded by bytes, too.
 *
 * Events of all tenants are read in the order of their rowids, which is that of their commits: an index by id would cost
 * every change one more written row. Events of one tenant or customer are read in the order of their ids. With those of D1 come
 * those of the archive: of a tenant or customer by `audit-archive.ts`, of all tenants by `audit-merged.ts`.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import type { AuditEntry, AuditLog, AuditPage, AuditQuery, PageRequest } from '../../tenants/ports.ts'
import { NEVER_ARCHIVED } from '../archive/archiver.ts'
import type { MERGED_BOUNDS } from '../archive/merged-reads.ts'
import { type Database, openDatabase } from '../database.ts'
import { orUnavailable } from '../unavailable.ts'
import { pageOfScopes } from './audit-archive.ts'
import { eventEntries, operatorEntries } from './audit-entries.ts'
import { type IndexEnds, indexEnds, mergedPage, type OrderOf } from './audit-merged.ts'
import type { AuditedPlace } from './audit-page.ts'
import { mayBeEvent, type Source, type Stream, streamsOf } from './audit-sources.ts'
import type { Looked, Match, Place, StreamedPage } from './audit-streams.ts'

/** Rows of each stream that a page looks at, if it has a filter. */
const LOOKED_AT_MAX = 5_000
/** Bytes of the documents of a page. The first entry is always in it. */
const PAGE_BYTES_MAX = 1024 * 1024
/** Reads of a page of which an event is archived between the look at it and the read of its documents. */
const READS_MAX = 3

interface AuditDeps {
  sources: readonly Source[]
  archive: R2Bucket | undefined
  bounds: typeof MERGED_BOUNDS | undefined
}

/** Where a page begins: in each stream, and in the archives of all tenants. */
interface Position {
  places: Place[]
  archive: AuditedPlace | null
}

/** `databases` are all by their numbers, the first with the directory. */
export function auditLog(
  databases: readonly D1Database[],
  archive?: R2Bucket,
  bounds?: typeof MERGED_BOUNDS,
): AuditLog {
  const sources = databases.map((d1, number) => ({ number, db: openDatabase(d1.withSession('first-primary')) }))
  return { read: (query, page) => orUnavailable(() => readPage({ sources, archive, bounds }, query, page), {}) }
}

async function readPage(deps: AuditDeps, query: AuditQuery, page: PageRequest): Promise<AuditPage> {
  for (let reads = 1; ; reads++) {
    const { isWhole, ...read } = await tryToRead(deps, query, page)
    if (isWhole || reads === READS_MAX) return read
  }
}

async function tryToRead(deps: AuditDeps, query: AuditQuery, { limit, afterId }: PageRequest) {
  const { sources, bounds } = deps
  const archive = query.type === NEVER_ARCHIVED ? undefined : deps.archive
  const streams = (await Promise.all(sources.map((source) => streamsOf(source, query)))).flat()
  const { places, archive: place } = positionIn(afterId, streams.length)
  const { tenantId, customerId, actor, type, requestId, startMs } = query
  const isFiltered = [actor, type, requestId, startMs].some((filter) => filter !== undefined)
  const most = isFiltered ? LOOKED_AT_MAX : limit
  const isMerged = archive !== undefined && tenantId === undefined && customerId === undefined && mayBeEvent(query)
  const { rows, indexes } = await readRows(sources, streams, places, { most, isMerged })
  const lookedBy = (orderOf: OrderOf) =>
    streams.map((stream, at) => lookedOf(rows[at], most, (id) => orderOf(stream, id)))
  const wanted = { query, streams, places, page: { limit, bytesMax: PAGE_BYTES_MAX } }
  const databases = sources.map(({ db }) => db)
  const { chosen, hasOld, oldEntries, ...next } = isMerged
    ? await mergedPage({ databases, archive, bounds }, { ...wanted, place, indexes, lookedBy })
    : await pageOfScopes(archive, { ...wanted, looked: lookedBy((_, id) => id) })
  const entries = await entriesInD1(sources, streams, chosen)
  const isWhole = chosen.every(({ id, rowid }) => rowid === 0 || entries.has(id))
  for (const entry of await oldEntries()) entries.set(entry.id, entry)
  const items = chosen.flatMap(({ id }) => entries.get(id) ?? [])
  const hasMore = hasOld || next.places.some((at) => at !== '')
  return { items, hasMore, position: hasMore ? JSON.stringify(next) : null, isWhole }
}

/** Returns the places that a position of an earlier page stands for. */
function positionIn(position: string | null, streams: number): Position {
  return position === null ? { places: Array(streams).fill(null), archive: null } : JSON.parse(position)
}

/** Reads the streams of one database in one batch, which is one moment, so that no change is missed between them. */
async function readRows(
  sources: readonly Source[],
  streams: readonly Stream[],
  places: readonly Place[],
  { most, isMerged }: { most: number; isMerged: boolean },
) {
  const rows: (LookedRow | undefined)[] = []
  const indexes: IndexEnds[] = []
  const reads = sources.map(async (source) => {
    const own = [...streams.entries()].filter(([, stream]) => stream.source === source)
    const selects = own.map(([at, stream]) => selectLooked(source.db, stream.rows(places[at] ?? null), most))
    const [first, ...others]: BatchItem<'sqlite'>[] = [...selects, ...(isMerged ? [indexEnds(source.db)] : [])]
    if (!first) return
    const found = (await source.db.batch([first, ...others])) as unknown as (LookedRow & IndexEnds)[][]
    for (const [nth, [at]] of own.entries()) rows[at] = found[nth]?.[0]
    if (isMerged) indexes[source.number] = found.at(-1)?.[0] as IndexEnds
  })
  await Promise.all(reads)
  return { rows, indexes }
}

/** The rows that were looked at, as one row: their number, the last of them, and as JSON those that match. */
function selectLooked(db: Database, rows: SQL, most: number) {
  // Apart from the aggregate functions, the columns are those of the row with the smallest place.
  return db
    .select({
      at: sql<string | number | null>`min(at)`,
      id: sql<string | null>`id`,
      looked: sql<number>`count(*)`,
      matches: sql`json_group_array(
        json_object('at', at, 'id', id, 'rowid', place, 'bytes', bytes)) FILTER (WHERE ok)`.mapWith(JSON.parse),
    })
    .from(sql`(${rows} LIMIT ${most})`)
}

type LookedRow = Awaited<ReturnType<typeof selectLooked>>[number]

function lookedOf(row: LookedRow | undefined, most: number, orderOf: (id: string) => string): Looked {
  const { at, id, looked, matches } = row ?? { at: null, id: null, looked: 0, matches: [] }
  return {
    matches: matches.map((match: Omit<Match, 'order'>) => ({ ...match, order: orderOf(match.id) })),
    end: at === null || id === null || looked < most ? null : { at, order: orderOf(id) },
  }
}

async function entriesInD1(
  sources: readonly Source[],
  streams: readonly Stream[],
  chosen: StreamedPage['chosen'],
): Promise<Map<string, AuditEntry>> {
  const entries = await Promise.all(
    sources.map(async (source) => {
      const own = (kind: Stream['kind']) =>
        chosen.filter(({ stream }) => streams[stream]?.source === source && streams[stream].kind === kind)
      const rowids = own('event').flatMap(({ rowid }) => (rowid === 0 ? [] : rowid))
      const ids = own('operator').map(({ id }) => id)
      return [...(await eventEntries(source.db, rowids)), ...(await operatorEntries(source.db, ids))]
    }),
  )
  return new Map(entries.flat().map((entry) => [entry.id, entry]))
}
