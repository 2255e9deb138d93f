/**
 * Reads the record of deliveries from D1, and sends events again. An event that is sent again gets a new delivery after
 * all others; the earlier delivery stays as a record with its attempts. claims.ts handles pending deliveries.
 */
import { and, asc, desc, eq, lt, lte, or, type SQL, sql } from 'drizzle-orm'
import type { Delivery, DeliveryPage, DeliveryQuery, Endpoint, Redelivered, Redelivery } from '../../events/ports.ts'
import { SLOT_WAIT_MAX_MS, SLOTS } from '../../events/slots.ts'
import type { Scope } from '../../registry/customer.ts'
import { DAY_MS } from '../../shared/durations.ts'
import { type ArchiveDeps, archivedEvent, newestArchived, scanArchive } from '../archive/reads.ts'
import { type Database, openDatabase } from '../database.ts'
import { firstEventIdAt } from '../events/event-ids.ts'
import { isNotHeld } from '../moves/held.ts'
import { webhookAttempts, webhookDeliveries } from '../schema/webhook-tables.ts'
import { inScope } from '../scoped.ts'
import { NOT_BEFORE_ANOTHER_MS } from './chain.ts'

/** A page with a selective filter reads this many deliveries at most; the next page continues after them. */
const LOOKED_AT_MAX = 2_000

const DELIVERY_TTL_MS = 30 * DAY_MS
/** Rows of one statement of the sweep; a longer statement would delay other writers. */
const SWEPT_ROWS_MAX = 500
/** Statements of one run; the next run is a minute later. */
const SWEEPS_MAX = 20

const DELIVERY = {
  id: webhookDeliveries.id,
  eventId: webhookDeliveries.eventId,
  eventType: webhookDeliveries.eventType,
  customerId: webhookDeliveries.customerId,
  status: webhookDeliveries.status,
  nextAttemptAtMs: webhookDeliveries.nextAttemptAtMs,
  createdAtMs: webhookDeliveries.createdAtMs,
  finishedAtMs: webhookDeliveries.finishedAtMs,
  slot: webhookDeliveries.slot,
}

export async function listDeliveries(
  db: Database,
  scope: Scope,
  endpointId: string,
  { status, limit, after }: DeliveryQuery,
): Promise<DeliveryPage> {
  const looked = db
    .select(DELIVERY)
    .from(webhookDeliveries)
    .where(
      and(
        eq(webhookDeliveries.endpointId, endpointId),
        inScope(webhookDeliveries, scope),
        after === null
          ? undefined
          : and(
              lte(webhookDeliveries.eventId, after.eventId),
              or(lt(webhookDeliveries.eventId, after.eventId), lt(webhookDeliveries.id, after.id)),
            ),
      ),
    )
    .orderBy(desc(webhookDeliveries.eventId), desc(webhookDeliveries.id))
    .limit(status === undefined ? limit + 1 : LOOKED_AT_MAX)
    .as('looked')
  const chosen = db
    .select()
    .from(looked)
    .where(status === undefined ? undefined : eq(looked.status, status))
    .orderBy(desc(looked.eventId), desc(looked.id))
    .limit(limit + 1)
  const last = db
    .select({ eventId: looked.eventId, id: looked.id, count: sql<number>`count(*) OVER ()`.as('count') })
    .from(looked)
    .orderBy(asc(looked.eventId), asc(looked.id))
    .limit(1)
  const [rows, [end]] = await db.batch([chosen, last])
  const page = rows.slice(0, limit)
  const hasMore = rows.length > limit ? page.at(-1) : end?.count === LOOKED_AT_MAX ? end : undefined
  const attempts = await attemptsOf(
    db,
    page.map(({ id }) => id),
  )
  return {
    deliveries: page.map(({ nextAttemptAtMs, customerId, slot, ...row }) => ({
      ...row,
      customerId: customerId === '' ? null : customerId,
      nextAttemptAtMs:
        row.status === 'pending' && slot !== 'waits' && nextAttemptAtMs < NOT_BEFORE_ANOTHER_MS
          ? nextAttemptAtMs
          : null,
      attempts: attempts.get(row.id) ?? [],
    })),
    next: hasMore ? { eventId: hasMore.eventId, id: hasMore.id } : null,
  }
}

async function attemptsOf(db: Database, ids: number[]): Promise<Map<number, Delivery['attempts']>> {
  const rows = await db
    .select()
    .from(webhookAttempts)
    .where(sql`${webhookAttempts.deliveryId} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`)
    .orderBy(asc(webhookAttempts.number))
  const attempts = new Map<number, Delivery['attempts']>()
  for (const { deliveryId, ...attempt } of rows) {
    attempts.set(deliveryId, [...(attempts.get(deliveryId) ?? []), attempt])
  }
  return attempts
}

export async function redeliver(
  db: Database,
  scope: Scope,
  endpoint: Endpoint,
  which: Redelivery,
  eventsMax: number,
  nowMs: number,
  archive?: R2Bucket,
): Promise<Redelivered | null> {
  const recent = await redeliverRecent(db, scope, endpoint, which, eventsMax, nowMs, NOTHING_ARCHIVED)
  if (!archive || !isInArchive(which, recent)) return recent.redelivered
  const old = await findArchived({ db, archive }, scope, which)
  return (await redeliverRecent(db, scope, endpoint, which, eventsMax, nowMs, old)).redelivered
}

interface Recent {
  redelivered: Redelivered | null
  newestArchivedId: string | null
}

/** Returns whether the events to send are in the archive, and so nothing was sent yet. */
function isInArchive(which: Redelivery, { redelivered, newestArchivedId }: Recent): boolean {
  if (which.kind === 'failed' || newestArchivedId === null) return false
  return which.kind === 'event'
    ? redelivered === null && which.eventId <= newestArchivedId
    : newestArchivedId > aboveIdOf(which)
}

/** The id below the events that are sent since a time. */
function aboveIdOf({ sinceMs, afterId }: Redelivery & { kind: 'since' }): string {
  const from = firstEventIdAt(sinceMs)
  return afterId !== null && afterId > from ? afterId : from
}

/** Sends events of D1 again, and those of the archive that are given. If older ones are in the archive, it sends none. */
async function redeliverRecent(
  db: Database,
  scope: Scope,
  endpoint: Endpoint,
  which: Redelivery,
  eventsMax: number,
  nowMs: number,
  old: Archived,
): Promise<Recent> {
  const looked = lookedAt(scope, endpoint, which, old)
  const [inserted, [end], [archived]] = await db.batch([
    db
      .insert(webhookDeliveries)
      .select(sentAnew(scope, endpoint, looked, eventsMax, nowMs))
      .returning({
        eventId: webhookDeliveries.eventId,
        customerId: webhookDeliveries.customerId,
        slot: webhookDeliveries.slot,
      }),
    db.select({ count: sql<number>`count(*)`, lastId: sql<string | null>`max(event_id)` }).from(sql`(${looked.all})`),
    db.select({ id: sql<string | null>`id` }).from(sql`(${newestArchived(scope)})`),
  ])
  const newestArchivedId = archived?.id ?? null
  if (which.kind === 'event' && !end?.count) return { redelivered: null, newestArchivedId }
  const isFull = inserted.length === eventsMax
  const insertedIds = inserted.map(({ eventId }) => eventId).sort()
  const lastId = isFull ? insertedIds.at(-1) : end?.lastId
  const redelivered = {
    count: inserted.length,
    // The others are brought back as these end.
    customerIds: [...new Set(inserted.flatMap(({ customerId, slot }) => (slot === null ? customerId : [])))],
    nextAfterId: isFull || end?.count === LOOKED_AT_MAX ? (lastId ?? null) : old.endId,
  }
  return { redelivered, newestArchivedId }
}

/** Events of the archive to send again, and the id up to which they were looked for, if there may be further ones in the archive. */
interface Archived {
  events: { id: string; type: string; customerId: string }[]
  endId: string | null
}

const NOTHING_ARCHIVED: Archived = { events: [], endId: null }

async function findArchived(deps: ArchiveDeps, scope: Scope, which: Redelivery): Promise<Archived> {
  if (which.kind === 'failed') return NOTHING_ARCHIVED
  if (which.kind === 'event') {
    const event = await archivedEvent(deps, scope, which.eventId)
    return { events: event ? [event] : [], endId: null }
  }
  const { lines, end } = await scanArchive(deps, scope, {
    ...{ aboveId: aboveIdOf(which), belowId: null, order: 'asc', limit: LOOKED_AT_MAX, openedMax: 1 },
    matches: () => true,
  })
  // Events of D1 beyond the last archived one are for the next call, which reads no object any more.
  const [newest] = await deps.db.all<{ id: string | null }>(newestArchived(scope))
  return { events: lines, endId: end ?? newest?.id ?? null }
}

/** Returns whether at least `count` deliveries of the endpoint wait for a slot. Reads no more than that. */
export async function hasWaiting(db: Database, scope: Scope, endpointId: string, count: number): Promise<boolean> {
  const waiting = await db
    .select({ id: webhookDeliveries.id })
    .from(webhookDeliveries)
    .where(
      and(
        inScope(webhookDeliveries, scope),
        eq(webhookDeliveries.slot, 'waits'),
        eq(webhookDeliveries.endpointId, endpointId),
      ),
    )
    .limit(1)
    .offset(count - 1)
  return waiting.length > 0
}

/** Candidate events: `all` is a bounded read of the table they are in, and the conditions they must meet. */
interface Looked {
  all: SQL
  condition: SQL
}

function lookedAt(scope: Scope, { id, eventTypes }: Endpoint, which: Redelivery, old: Archived): Looked {
  const { tenantId, mode } = scope
  const archived = old.events.map((event) => [event.id, event.type, event.customerId])
  const ofLog = (condition: SQL) => sql`
    SELECT event_id, type, customer_id FROM (
      SELECT id AS event_id, type, customer_id FROM events
      WHERE tenant_id = ${tenantId} AND mode = ${mode} AND ${condition} ${old.endId === null ? sql`` : sql`AND id <= ${old.endId}`}
      UNION SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(${JSON.stringify(archived)})
    ) ORDER BY event_id LIMIT ${LOOKED_AT_MAX}`
  switch (which.kind) {
    case 'event':
      return { all: ofLog(sql`id = ${which.eventId}`), condition: sql`1` }
    case 'since': {
      const from = firstEventIdAt(which.sinceMs)
      const isWanted = eventTypes && sql`type IN (SELECT value FROM json_each(${JSON.stringify(eventTypes)}))`
      const isRecent = sql`coalesce((${newestArchived(scope)}), '') <= ${old.endId ?? aboveIdOf(which)}`
      const isLater = sql`id >= ${from} AND id > ${which.afterId ?? ''}`
      return {
        all: ofLog(old === NOTHING_ARCHIVED ? sql`${isLater} AND ${isRecent}` : isLater),
        condition: isWanted ?? sql`1`,
      }
    }
    case 'failed':
      return {
        all: sql`
          SELECT event_id, event_type AS type, customer_id FROM webhook_deliveries
          WHERE endpoint_id = ${id} AND tenant_id = ${tenantId} AND mode = ${mode} AND event_id > ${which.afterId ?? ''}
          ORDER BY event_id LIMIT ${LOOKED_AT_MAX}`,
        condition: sql`(
          SELECT status FROM webhook_deliveries d WHERE d.endpoint_id = ${id} AND d.event_id = looked.event_id
          ORDER BY d.id DESC LIMIT 1
        ) = 'failed'`,
      }
  }
}

/**
 * Rows of new deliveries, in the order of the events so that the new ids have it too. Only the first of each customer
 * is due. Of those, as many as the endpoint has slots are enqueued; the others wait for one.
 */
function sentAnew({ tenantId, mode }: Scope, { id }: Endpoint, looked: Looked, eventsMax: number, nowMs: number): SQL {
  const isPending = sql`status = 'pending' AND d.endpoint_id = ${id}`
  const waits = sql`is_first AND row_number() OVER (PARTITION BY is_first ORDER BY event_id) > ${SLOTS.firstMax}`
  return sql`
    SELECT NULL, ${tenantId}, ${mode}, ${id}, event_id, type, customer_id, 'pending', 0, iif(
      NOT is_first, ${NOT_BEFORE_ANOTHER_MS}, iif(${waits}, ${nowMs + SLOT_WAIT_MAX_MS}, ${nowMs})
    ), ${nowMs}, NULL, 0, iif(${waits}, 'waits', NULL)
    FROM (
      SELECT event_id, type, customer_id, row_number() OVER (PARTITION BY customer_id ORDER BY event_id) = 1 AND NOT EXISTS (
        SELECT 1 FROM webhook_deliveries d
        WHERE d.tenant_id = ${tenantId} AND d.mode = ${mode} AND d.customer_id = chosen.customer_id AND ${isPending}
      ) AS is_first
      FROM (
        SELECT DISTINCT event_id, type, customer_id FROM (${looked.all}) looked WHERE ${looked.condition} AND NOT EXISTS (
          SELECT 1 FROM webhook_deliveries d WHERE d.event_id = looked.event_id AND ${isPending}
        ) ORDER BY event_id LIMIT ${eventsMax}
      ) chosen
    )
    ORDER BY event_id`
}

/**
 * Deletes deliveries that were done a month ago, with their attempts, in small statements. Ids are in the order of
 * time, so it goes from the oldest on and skips those that are not done.
 */
export async function sweepDeliveries(d1: D1Database, nowMs: number): Promise<void> {
  const db = openDatabase(d1)
  const endedBeforeMs = nowMs - DELIVERY_TTL_MS
  let afterId = 0
  for (let sweep = 0; sweep < SWEEPS_MAX; sweep++) {
    const page = sql`SELECT id, created_at FROM webhook_deliveries WHERE id > ${afterId} ORDER BY id LIMIT ${SWEPT_ROWS_MAX}`
    const [looked] = await db.all<{ lastId: number | null; createdAtMs: number }>(
      sql`SELECT max(id) AS "lastId", max(created_at) AS "createdAtMs" FROM (${page})`,
    )
    const { lastId = null, createdAtMs = 0 } = looked ?? {}
    if (lastId === null) return
    await db.run(sql`
      DELETE FROM webhook_deliveries
      WHERE finished_at <= ${endedBeforeMs} AND id > ${afterId} AND id <= ${lastId}
        AND ${isNotHeld(sql`webhook_deliveries.tenant_id`)}`)
    if (createdAtMs > endedBeforeMs) return
    afterId = lastId
  }
}
