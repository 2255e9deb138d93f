/** Adds to a page of the audit of a tenant or customer the events of the archive: those behind the ones that D1 has. */
import type { Scope } from '../../registry/customer.ts'
import type { AuditEntry, AuditQuery } from '../../tenants/ports.ts'
import type { Line } from '../archive/format.ts'
import { type ArchiveDeps, openedEvents, scanArchive } from '../archive/reads.ts'
import { CLOCKS_DIFFER_MS, firstEventIdAt } from '../events/event-ids.ts'
import { entryOfArchived } from './audit-entries.ts'
import type { PageWithOld, Wanted } from './audit-page.ts'
import { type Looked, type Match, type Place, pageOfStreams } from './audit-streams.ts'

/** Returns the page of streams of tenants and modes, each with its archive. */
export async function pageOfScopes(
  archive: R2Bucket | undefined,
  { query, streams, places, page, looked }: Wanted & { looked: readonly Looked[] },
): Promise<PageWithOld> {
  const behind = streams.map(({ source, scope }) =>
    archive && scope ? auditedArchive({ db: source.db, archive }, scope, query, page.limit) : null,
  )
  const all: Looked[] = []
  // After D1, so that an event that is archived meanwhile is found there or here.
  for (const [at, recent] of looked.entries())
    all.push((await behind[at]?.behind(recent, places[at] ?? null)) ?? recent)
  const { chosen, places: next } = pageOfStreams(all, places, page)
  const idsOf = (at: number) => chosen.flatMap(({ stream, id }) => (stream === at ? id : []))
  return {
    ...{ chosen, places: next, archive: null, hasOld: false },
    oldEntries: async () => (await Promise.all(behind.map((one, at) => one?.entries(idsOf(at)) ?? []))).flat(),
  }
}

interface AuditedArchive {
  /** Returns the stream with the events of both, for a stream that was read from the place. */
  behind(recent: Looked, after: Place): Promise<Looked>
  /** Returns the entries of those of the events that came from the archive. */
  entries(ids: readonly string[]): Promise<AuditEntry[]>
}

function auditedArchive(deps: ArchiveDeps, scope: Scope, query: AuditQuery, limit: number): AuditedArchive {
  const found = new Map<string, Line>()
  return {
    async behind(recent, after) {
      // Nothing was left of the stream.
      if (after === '') return recent
      const { lines, end } = await scanArchive(deps, scope, {
        ...boundsOf(query, recent, after),
        ...{ order: 'desc', customerId: query.customerId, limit },
        matches: (line) => isWanted(line, query),
      })
      const known = new Set(recent.matches.map(({ id }) => id))
      const old = lines.filter(({ id }) => !known.has(id))
      for (const line of old) found.set(line.id, line)
      const ends = [recent.end?.order, end].flatMap((id) => id ?? []).sort()
      const upTo = ends.at(-1) ?? null
      const all = [...recent.matches, ...old.map(matchOf)].filter(({ id }) => upTo === null || id >= upTo)
      return {
        matches: all.sort((one, other) => (one.id < other.id ? 1 : -1)),
        end: upTo === null ? null : { at: upTo, order: upTo },
      }
    },
    async entries(ids) {
      const lines = ids.flatMap((id) => found.get(id) ?? [])
      return (await openedEvents(deps.db, scope, lines)).map(entryOfArchived)
    },
  }
}

/** A place is the id of the last event before it, and D1 was read up to the end of its part. */
function boundsOf({ startMs, endMs }: AuditQuery, recent: Looked, after: Place) {
  const above = [recent.end?.order, startMs !== undefined && firstEventIdAt(startMs - CLOCKS_DIFFER_MS)]
  const below = [after, endMs !== undefined && firstEventIdAt(endMs + CLOCKS_DIFFER_MS)]
  const texts = (ids: readonly unknown[]) => ids.filter((id) => typeof id === 'string').sort()
  return { aboveId: texts(above).at(-1) ?? null, belowId: texts(below)[0] ?? null }
}

/** The rowid of an archived event is 0, which no row of D1 has. */
function matchOf({ id, rest }: Line): Match {
  return { at: id, id, order: id, rowid: 0, bytes: Math.ceil((rest?.length ?? 0) / 2) }
}

/** Returns whether the filters select the event, apart from those of its tenant and customer. */
export function isWanted(line: Line, { actor, type, requestId, startMs, endMs }: AuditQuery): boolean {
  return (
    (actor === undefined || line.actor === actor) &&
    (type === undefined || line.type === type) &&
    (requestId === undefined || line.requestId === requestId) &&
    (startMs === undefined || line.createdAtMs >= startMs) &&
    (endMs === undefined || line.createdAtMs < endMs)
  )
}
