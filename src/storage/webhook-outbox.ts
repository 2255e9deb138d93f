/**
 * The deliveries that are still to be made, in D1: taking one on, keeping what became of it, and finding what is overdue. What
 * to do with them is `events/outbox.ts`. All of it goes to the primary.
 */
import { and, asc, eq, isNotNull, isNull, lte, or, type SQL, sql } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import { FAILING_FOR_MS, type Outcome } from '../events/attempts.ts'
import { deliverMessage, type OutboxMessage } from '../events/messages.ts'
import { type Attempted, type Chain, CLAIM_MS, type Claimed, type Head, type Outbox } from '../events/outbox.ts'
import type { NewId } from '../shared/ids.ts'
import { type Database, openDatabase } from './database.ts'
import { type EventRow, loggedEventOf } from './event-log.ts'
import { webhookAttempts, webhookDeliveries, webhookEndpoints } from './outbox-tables.ts'
import { customers, events } from './tables.ts'

/** Of one chain, in one transaction; the next message goes on with the rest. */
const GIVEN_UP_AT_ONCE_MAX = 100
/** What is due has been announced; only when nothing came of that for so long is it overdue. */
const OVERDUE_AFTER_MS = 30_000
/** One run of the sweep; the next is a minute away. */
const OVERDUE_MAX = 5_000

/** When one is due that waits for another of its customer: the last moment there is. The trigger `events_fan_out` says it too. */
export const NOT_BEFORE_ANOTHER_MS = 8_640_000_000_000_000

const IS_PENDING = eq(webhookDeliveries.status, 'pending')

export function webhookOutbox(d1: D1Database, newId: NewId): Outbox {
  const db = openDatabase(d1)
  return {
    async claim(chain, nowMs) {
      const [claimed, looked] = await db.batch([claimStatement(db, chain, nowMs), lookStatement(db, chain)])
      return headOf(chain, claimed.length > 0, looked[0], nowMs)
    },

    async finish(chain, delivery, { attempted, outcome }, { nowMs, claimNext }) {
      const disabling = outcome.disable === null ? [] : [disabledEvent(db, chain, outcome.disable, nowMs, newId)]
      const statements: BatchItem<'sqlite'>[] = [
        keepAttempt(db, delivery, attempted),
        noteOnEndpoint(db, chain, delivery, outcome, nowMs),
        // Right behind it: whether that disabled the endpoint is asked by how many rows it changed.
        ...disabling,
        settle(db, delivery, outcome, nowMs),
        claimNext ? claimStatement(db, chain, nowMs) : releaseStatement(db, chain, nowMs),
        lookStatement(db, chain),
      ]
      const answers: unknown[] = await db.batch(statements as [BatchItem<'sqlite'>, ...BatchItem<'sqlite'>[]])
      const [claimed, [looked]] = answers.slice(-2) as [unknown[], (Looked | undefined)[]]
      const isClaimed = claimNext && claimed.length > 0
      const disabled = disabling.length > 0 && (answers[2] as unknown[]).length > 0
      return { head: headOf(chain, isClaimed, looked, nowMs), disabled }
    },

    async giveUp(chain, reason, nowMs) {
      const due = and(inChain(chain), IS_PENDING, isDue(nowMs))
      const chosen = () =>
        db
          .select({ id: webhookDeliveries.id })
          .from(webhookDeliveries)
          .where(due)
          .orderBy(asc(webhookDeliveries.id))
          .limit(GIVEN_UP_AT_ONCE_MAX)
      const answers = await db.batch([
        db
          .insert(webhookAttempts)
          .select(
            attemptOf(db, { atMs: nowMs, durationMs: 0, statusCode: null, error: reason, answer: null })
              .where(due)
              .orderBy(asc(webhookDeliveries.id))
              .limit(GIVEN_UP_AT_ONCE_MAX),
          ),
        db
          .update(webhookDeliveries)
          .set({ status: 'failed', finishedAtMs: nowMs })
          .where(sql`${webhookDeliveries.id} IN ${chosen()}`),
        releaseStatement(db, chain, nowMs),
        lookStatement(db, chain),
      ])
      return headOf(chain, false, answers[3][0], nowMs)
    },
  }
}

/** One message for each chain with something to do that nobody seems to be doing. */
export async function overdueDeliveries(d1: D1Database, nowMs: number): Promise<OutboxMessage[]> {
  const { tenantId, mode, endpointId, customerId, nextAttemptAtMs } = webhookDeliveries
  const rows = await openDatabase(d1)
    .select({ tenantId, mode, endpointId, customerId })
    .from(webhookDeliveries)
    // As the partial index words it, or SQLite would not use the index.
    .where(and(sql`status = 'pending'`, lte(nextAttemptAtMs, nowMs - OVERDUE_AFTER_MS)))
    .orderBy(asc(nextAttemptAtMs))
    .limit(OVERDUE_MAX)
  return rows.map((row) => deliverMessage(row, row.endpointId, row.customerId))
}

export function inChain({ tenantId, mode, endpointId, customerId }: Chain): SQL | undefined {
  return and(
    eq(webhookDeliveries.tenantId, tenantId),
    eq(webhookDeliveries.mode, mode),
    eq(webhookDeliveries.customerId, customerId),
    eq(webhookDeliveries.endpointId, endpointId),
  )
}

function isEndpoint({ tenantId, mode, endpointId }: Chain): SQL | undefined {
  return and(
    eq(webhookEndpoints.tenantId, tenantId),
    eq(webhookEndpoints.mode, mode),
    eq(webhookEndpoints.id, endpointId),
  )
}

/** One that was never tried is due whatever the clocks say: the database wrote the time down, another reads it. */
function isDue(nowMs: number): SQL | undefined {
  return or(eq(webhookDeliveries.claims, 0), lte(webhookDeliveries.nextAttemptAtMs, nowMs))
}

function headId(db: Database, chain: Chain): SQL {
  const head = db
    .select({ id: webhookDeliveries.id })
    .from(webhookDeliveries)
    .where(and(inChain(chain), IS_PENDING))
    .orderBy(asc(webhookDeliveries.id))
    .limit(1)
  return sql`${head}`
}

function claimStatement(db: Database, chain: Chain, nowMs: number) {
  const open = db
    .select({ found: sql`1` })
    .from(webhookEndpoints)
    .where(and(isEndpoint(chain), eq(webhookEndpoints.enabled, true)))
  return db
    .update(webhookDeliveries)
    .set({ claims: sql`${webhookDeliveries.claims} + 1`, nextAttemptAtMs: nowMs + CLAIM_MS })
    .where(and(sql`${webhookDeliveries.id} = ${headId(db, chain)}`, isDue(nowMs), sql`EXISTS ${open}`))
    .returning({ id: webhookDeliveries.id })
}

/** Whoever comes next finds the head due. */
function releaseStatement(db: Database, chain: Chain, nowMs: number) {
  return db
    .update(webhookDeliveries)
    .set({ nextAttemptAtMs: nowMs })
    .where(
      and(
        sql`${webhookDeliveries.id} = ${headId(db, chain)}`,
        eq(webhookDeliveries.nextAttemptAtMs, NOT_BEFORE_ANOTHER_MS),
      ),
    )
}

/** How many attempts at a delivery have come to their end. */
const attemptCount = sql`(
  SELECT count(*) FROM ${webhookAttempts} WHERE ${webhookAttempts.deliveryId} = ${webhookDeliveries.id}
)`

/** The documents of the event as text: should one of them be broken, it is found when it is read, by whoever can park it. */
const HEAD = {
  id: webhookDeliveries.id,
  eventId: webhookDeliveries.eventId,
  claims: webhookDeliveries.claims,
  attempts: sql<number>`${attemptCount}`,
  nextAttemptAtMs: webhookDeliveries.nextAttemptAtMs,
  url: webhookEndpoints.url,
  enabled: webhookEndpoints.enabled,
  secrets: webhookEndpoints.secrets,
  failingSinceMs: webhookEndpoints.failingSinceMs,
  type: events.type,
  customerId: events.customerId,
  version: events.version,
  actor: events.actor,
  requestId: events.requestId,
  before: sql<string | null>`${events.before}`,
  after: sql<string | null>`${events.after}`,
  detail: sql<string | null>`${events.detail}`,
  eventAtMs: events.createdAtMs,
}

function lookStatement(db: Database, chain: Chain) {
  return db
    .select(HEAD)
    .from(webhookDeliveries)
    .leftJoin(webhookEndpoints, isEndpoint(chain))
    .leftJoin(
      events,
      and(eq(events.tenantId, chain.tenantId), eq(events.mode, chain.mode), eq(events.id, webhookDeliveries.eventId)),
    )
    .where(sql`${webhookDeliveries.id} = ${headId(db, chain)}`)
}

type Looked = Awaited<ReturnType<typeof lookStatement>>[number]

function headOf(chain: Chain, isClaimed: boolean, looked: Looked | undefined, nowMs: number): Head {
  if (!looked) return { kind: 'none' }
  const { id, eventId, claims, attempts, url, enabled, secrets, failingSinceMs } = looked
  if (isClaimed && url !== null && secrets !== null) {
    const endpoint = { url, secrets, failingSinceMs }
    return {
      kind: 'claimed',
      delivery: { id, eventId, attempt: attempts + 1, claims, endpoint, readEvent: () => eventOf(chain, looked) },
    }
  }
  const isDueNow = claims === 0 || looked.nextAttemptAtMs <= nowMs
  if (enabled || !isDueNow) return { kind: 'not_due' }
  return { kind: 'closed', reason: enabled === null ? 'endpoint_deleted' : 'endpoint_disabled' }
}

function eventOf(chain: Chain, looked: Looked) {
  const { eventId: id, type, customerId, version, actor, requestId, before, after, detail, eventAtMs } = looked
  if (type === null || after === null) throw new Error('the event is not in the log')
  const row = {
    ...{ id, type, customerId, version, actor, requestId, reason: null, createdAtMs: eventAtMs },
    ...{ tenantId: chain.tenantId, mode: chain.mode },
    before: before && JSON.parse(before),
    after: JSON.parse(after),
    detail: detail && JSON.parse(detail),
  }
  return loggedEventOf({ tenantId: chain.tenantId, mode: chain.mode }, row as EventRow)
}

const isErased = sql`EXISTS (
  SELECT 1 FROM ${customers} c WHERE c.tenant_id = ${webhookDeliveries.tenantId} AND c.mode = ${webhookDeliveries.mode}
    AND c.id = ${webhookDeliveries.customerId} AND c.erased_at IS NOT NULL
)`

/** The delivery, as long as nobody has taken it over. */
function isOurs({ id, claims }: Claimed): SQL | undefined {
  return and(eq(webhookDeliveries.id, id), IS_PENDING, eq(webhookDeliveries.claims, claims))
}

function attemptOf(db: Database, attempted: Attempted) {
  const { atMs, durationMs, statusCode, error, answer } = attempted
  return db
    .select({
      deliveryId: sql<number>`${webhookDeliveries.id}`.as('delivery_id'),
      number: sql<number>`${attemptCount} + 1`.as('number'),
      atMs: sql<number>`${atMs}`.as('at'),
      durationMs: sql<number>`${durationMs}`.as('duration_ms'),
      statusCode: sql<number | null>`${statusCode}`.as('status_code'),
      error: sql<string | null>`${error}`.as('error'),
      // It may repeat what was sent, and the erasure may have come while it was under way.
      answer: sql<string | null>`iif(${isErased}, NULL, ${answer})`.as('answer'),
    })
    .from(webhookDeliveries)
    .$dynamic()
}

function keepAttempt(db: Database, delivery: Claimed, attempted: Attempted) {
  return db.insert(webhookAttempts).select(attemptOf(db, attempted).where(isOurs(delivery)))
}

/** What an attempt says of the endpoint, unless the endpoint has another URL by now. */
function noteOnEndpoint(db: Database, chain: Chain, delivery: Claimed, { next, disable }: Outcome, nowMs: number) {
  const ours = db.select({ found: sql`1` }).from(webhookDeliveries).where(isOurs(delivery))
  const same = and(isEndpoint(chain), eq(webhookEndpoints.url, delivery.endpoint.url), sql`EXISTS ${ours}`)
  const { failingSinceMs, enabled } = webhookEndpoints
  const update = db.update(webhookEndpoints)
  if (next.kind === 'delivered') return update.set({ failingSinceMs: null }).where(and(same, isNotNull(failingSinceMs)))
  if (disable === null) return update.set({ failingSinceMs: nowMs }).where(and(same, isNull(failingSinceMs)))
  return update
    .set({
      enabled: false,
      disabledReason: disable,
      failingSinceMs: sql`coalesce(${failingSinceMs}, ${nowMs})`,
      updatedAtMs: nowMs,
    })
    .where(
      and(same, eq(enabled, true), disable === 'failing' ? lte(failingSinceMs, nowMs - FAILING_FOR_MS) : undefined),
    )
}

/** The event that says so, if the statement before did disable the endpoint. By then nothing is sent to that one any more. */
function disabledEvent(
  db: Database,
  chain: Chain,
  reason: NonNullable<Outcome['disable']>,
  nowMs: number,
  newId: NewId,
) {
  return db
    .insert(events)
    .select(
      db
        .select({
          tenantId: webhookEndpoints.tenantId,
          mode: webhookEndpoints.mode,
          id: sql<string>`${newId('event', nowMs)}`.as('event_id'),
          type: sql<'webhook.endpoint.disabled'>`'webhook.endpoint.disabled'`.as('type'),
          customerId: sql<string>`''`.as('customer_id'),
          version: sql<number>`0`.as('version'),
          actor: sql<string>`'roster'`.as('actor'),
          requestId: sql<null>`NULL`.as('request_id'),
          reason: sql<null>`NULL`.as('reason'),
          before: sql<null>`NULL`.as('before'),
          after: sql<never>`'{}'`.as('after'),
          detail: sql<never>`json_object(
            'endpoint_id', ${webhookEndpoints.id}, 'url', ${webhookEndpoints.url}, 'reason', ${reason},
            'failing_since', strftime('%Y-%m-%dT%H:%M:%fZ', ${webhookEndpoints.failingSinceMs} / 1000.0, 'unixepoch')
          )`.as('detail'),
          createdAtMs: sql<number>`${nowMs}`.as('created_at'),
        })
        .from(webhookEndpoints)
        .where(and(isEndpoint(chain), sql`changes() > 0`)),
    )
    .returning({ id: events.id })
}

function settle(db: Database, delivery: Claimed, { next }: Outcome, nowMs: number) {
  const update = db.update(webhookDeliveries)
  if (next.kind === 'retry') return update.set({ nextAttemptAtMs: next.atMs }).where(isOurs(delivery))
  const status = next.kind === 'delivered' ? 'delivered' : 'failed'
  return update.set({ status, finishedAtMs: nowMs }).where(isOurs(delivery))
}
