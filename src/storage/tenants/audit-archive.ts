/** Adds to a page of the audit the events of the archive: those of a tenant and mode behind those that D1 has. */
import type { Scope } from '../../registry/customer.ts'
import type { AuditEntry, AuditQuery } from '../../tenants/ports.ts'
import type { Line } from '../archive/format.ts'
import { type ArchiveDeps, openedEvents, scanArchive } from '../archive/reads.ts'
import { CLOCKS_DIFFER_MS, firstEventIdAt } from '../events/event-ids.ts'
import { entryOfArchived } from './audit-entries.ts'
import type { Looked, Match, Place } from './audit-streams.ts'

export interface AuditedArchive {
  /** Returns the stream of a tenant and mode with the events of both, for a stream that was read from the place. */
  behind(scope: Scope, recent: Looked, after: Place): Promise<Looked>
  /** Returns the entries of those of the events that came from the archive. */
  entries(ids: readonly string[]): Promise<AuditEntry[]>
}

export function auditedArchive(deps: ArchiveDeps, query: AuditQuery, limit: number): AuditedArchive {
  const found = new Map<string, { scope: Scope; line: Line }>()
  return {
    async behind(scope, recent, after) {
      // Nothing was left of the stream.
      if (after === '') return recent
      const { lines, end } = await scanArchive(deps, scope, {
        ...boundsOf(query, recent, after),
        ...{ order: 'desc', customerId: query.customerId, limit },
        matches: (line) => matches(line, query),
      })
      const known = new Set(recent.matches.map(({ id }) => id))
      const old = lines.filter(({ id }) => !known.has(id))
      for (const line of old) found.set(line.id, { scope, line })
      const ends = [recent.end?.id, end].flatMap((id) => id ?? []).sort()
      const upTo = ends.at(-1) ?? null
      const all = [...recent.matches, ...old.map(matchOf)].filter(({ id }) => upTo === null || id >= upTo)
      return {
        matches: all.sort((one, other) => (one.id < other.id ? 1 : -1)),
        end: upTo === null ? null : { at: upTo, id: upTo },
      }
    },
    async entries(ids) {
      const wanted = ids.flatMap((id) => found.get(id) ?? [])
      const scopes = [...new Set(wanted.map(({ scope }) => scope))]
      const entries: AuditEntry[] = []
      for (const scope of scopes) {
        const lines = wanted.flatMap(({ scope: of, line }) => (of === scope ? line : []))
        entries.push(...(await openedEvents(deps.db, scope, lines)).map(entryOfArchived))
      }
      return entries
    },
  }
}

/** A place is the id of the last event before it, and D1 was read up to the end of its part. */
function boundsOf({ startMs, endMs }: AuditQuery, recent: Looked, after: Place) {
  const above = [recent.end?.id, startMs !== undefined && firstEventIdAt(startMs - CLOCKS_DIFFER_MS)]
  const below = [after, endMs !== undefined && firstEventIdAt(endMs + CLOCKS_DIFFER_MS)]
  const texts = (ids: readonly unknown[]) => ids.filter((id) => typeof id === 'string').sort()
  return { aboveId: texts(above).at(-1) ?? null, belowId: texts(below)[0] ?? null }
}

/** The rowid of an archived event is 0, which no row of D1 has. */
function matchOf({ id, rest }: Line): Match {
  return { at: id, id, rowid: 0, bytes: Math.ceil((rest?.length ?? 0) / 2) }
}

function matches(line: Line, { actor, type, requestId, startMs, endMs }: AuditQuery): boolean {
  return (
    (actor === undefined || line.actor === actor) &&
    (type === undefined || line.type === type) &&
    (requestId === undefined || line.requestId === requestId) &&
    (startMs === undefined || line.createdAtMs >= startMs) &&
    (endMs === undefined || line.createdAtMs < endMs)
  )
}
