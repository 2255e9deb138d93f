/**
 * Finds in the archive the first change of a customer after a moment. For a time, the index leads to the object. For a version,
 * the objects that may have the customer are halved, because versions rise with ids.
 */
import { sql } from 'drizzle-orm'
import type { EventType } from '../../events/catalogue.ts'
import type { Scope } from '../../registry/customer.ts'
import { RegistryError, UNAVAILABLE } from '../../registry/errors.ts'
import type { Moment } from '../../registry/past.ts'
import { log } from '../../shared/log.ts'
import { CLOCKS_DIFFER_MS, firstEventIdAt, timeOfId } from '../events/event-ids.ts'
import { rowsStatement } from '../statement-texts.ts'
import { mayHaveCustomerInSql } from './customer-filter.ts'
import type { ArchivedEvent, Line } from './format.ts'
import { type ArchiveDeps, type ObjectRef, openedEvents, openObject } from './reads.ts'

/** Objects that may have the customer and are considered: more than two for each day of the longest retention. */
const OBJECTS_MAX = 10_000
/** Objects that are opened: some more than halving takes, because the filter of an object may be wrong. */
const OPENED_MAX = 24

/** The events that are a change of a customer. An erased customer has no past. */
const CHANGES = new Set<EventType>([
  ...(['customer.created', 'customer.updated', 'customer.archived', 'customer.restored'] as const),
  ...(['customer.merged', 'customer.unmerged'] as const),
])

/**
 * Returns the first change after the moment that the archive has; null if it has none. `isIt` says whether nothing can be
 * between the moment and a change, and then no further object is opened.
 */
export async function findArchivedChange(
  deps: ArchiveDeps,
  scope: Scope,
  customerId: string,
  moment: Moment,
  isIt: (event: ArchivedEvent) => boolean,
): Promise<ArchivedEvent | null> {
  const objects = await objectsOf(deps, scope, customerId, moment)
  const changesIn = changesOf(deps, scope, customerId, objects)
  const first = 'version' in moment ? await firstWithLater(changesIn, objects.length, moment.version) : 0
  let line: Line | undefined
  let event: ArchivedEvent | null = null
  let foundAt = objects.length
  // An import makes ids some time before it commits, so the neighbours of an object may have an earlier change.
  for (let at = Math.max(0, first - 1); at < objects.length && at <= foundAt + 1; at++) {
    for (const next of await changesIn(at)) if (isAfter(next, moment) && isBefore(next, line)) line = next
    if (!line || line.id === event?.id) continue
    foundAt = Math.min(foundAt, at)
    event = (await openedEvents(deps.db, scope, [line]))[0] ?? null
    if (event && isIt(event)) break
  }
  return event
}

const isBefore = (one: Line, other: Line | undefined) => other === undefined || one.version < other.version

function isAfter({ version, createdAtMs }: Line, moment: Moment): boolean {
  return 'version' in moment ? version > moment.version : createdAtMs > moment.timeMs
}

type ChangesIn = (at: number) => Promise<Line[]>

/** Returns what reads the customer's changes in one of the objects. Each object is opened once. */
function changesOf(deps: ArchiveDeps, scope: Scope, customerId: string, objects: readonly ObjectRef[]): ChangesIn {
  const seen = new Map<number, Line[]>()
  return async (at) => {
    const known = seen.get(at)
    if (known) return known
    if (seen.size === OPENED_MAX) {
      log('warn', { event: 'archive_search_ended', ...scope })
      throw new RegistryError(UNAVAILABLE)
    }
    const lines = await openObject(deps, scope, objects[at] as ObjectRef, customerId)
    const changes = lines.filter((line) => line.customerId === customerId && CHANGES.has(line.type))
    seen.set(at, changes)
    return changes
  }
}

/** Returns the place of the first object with a change above the version, or a place before it behind which only objects without changes are. */
async function firstWithLater(changesIn: ChangesIn, count: number, version: number): Promise<number> {
  let low = 0
  let high = count
  while (low < high) {
    const middle = (low + high) >>> 1
    let at = middle
    while (at < high && (await changesIn(at)).length === 0) at++
    if (at < high && (await changesIn(at)).every((line) => line.version <= version)) low = at + 1
    else high = middle
  }
  return low
}

/** In a batch, whose rows count for the price of the request. */
async function objectsOf({ db }: ArchiveDeps, { tenantId, mode }: Scope, id: string, moment: Moment) {
  const isLate = 'timeMs' in moment ? sql`o.last_at > ${moment.timeMs}` : sql`1`
  const query = sql`
    SELECT o.name, o.first_id AS "firstId", o.last_id AS "lastId" FROM archive_objects o
    WHERE o.tenant_id = ${tenantId} AND o.mode = ${mode} AND o.last_id > ${firstEventIdAt(timeOfId(id) - CLOCKS_DIFFER_MS)}
      AND ${isLate} AND ${mayHaveCustomerInSql(sql`o.customers`, id)}
    ORDER BY o.last_id LIMIT ${OBJECTS_MAX}`
  const [objects] = (await db.batch([rowsStatement(db, query)])) as unknown as [ObjectRef[]]
  return objects
}
