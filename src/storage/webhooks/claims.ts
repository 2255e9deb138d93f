/**
 * Claims pending deliveries in D1, stores their outcome, and finds overdue ones. `events/outbox.ts` decides what to do
 * with them. All statements go to the primary.
 */
import { and, asc, eq, isNotNull, isNull, lte, type SQL, sql } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import { FAILING_FOR_MS, type Outcome } from '../../events/attempts.ts'
import { deliverMessage, type OutboxMessage } from '../../events/messages.ts'
import { type Attempted, type Chain, type Claimed, DELIVERY_CLAIM_MS, type Outbox } from '../../events/outbox.ts'
import { BROUGHT_BACK, SLOT_WAIT_MAX_MS } from '../../events/slots.ts'
import type { NewId } from '../../shared/ids.ts'
import { type Database, openDatabase } from '../database.ts'
import { mayStillBeLogged } from '../events/event-ids.ts'
import { customers, events } from '../schema/tables.ts'
import { webhookAttempts, webhookDeliveries, webhookEndpoints } from '../schema/webhook-tables.ts'
import { inScope } from '../scoped.ts'
import {
  attemptCount,
  headId,
  headOf,
  IS_PENDING,
  inChain,
  isDue,
  isEndpoint,
  type Looked,
  NOT_BEFORE_ANOTHER_MS,
  readBackStatement,
} from './chain.ts'
import { mayBeSent } from './slots.ts'

/** Deliveries of one chain in one transaction; the next message continues with the rest. */
const GIVEN_UP_AT_ONCE_MAX = 100
/** Due deliveries have been enqueued. One is overdue when nothing has happened for this long. */
const OVERDUE_AFTER_MS = 30_000
/** Deliveries of one run of the sweep; the next run is a minute later. */
const OVERDUE_MAX = 5_000
/** Subtracted from due times, so that the receiver of a message finds its delivery due although clocks differ. */
const DUE_LEEWAY_MS = 5_000

export function webhookOutbox(d1: D1Database, newId: NewId): Outbox {
  const db = openDatabase(d1)
  return {
    async claim(chain, nowMs) {
      const [claimed, , looked] = await db.batch([
        claimStatement(db, chain, nowMs),
        waitStatement(db, chain, nowMs),
        readBackStatement(db, chain),
      ])
      return headOf(chain, claimed.length > 0, looked[0], nowMs)
    },

    async finish(chain, delivery, { attempted, outcome }, { nowMs, claimNext }) {
      const disabling = outcome.disable === null ? [] : [disabledEvent(db, chain, outcome.disable, nowMs, newId)]
      const statements: BatchItem<'sqlite'>[] = [
        keepAttempt(db, delivery, attempted),
        ...(outcome.next.kind === 'parked' ? [] : [noteOnEndpoint(db, chain, delivery, outcome, nowMs)]),
        // Directly after the update: the number of rows it changed shows whether it disabled the endpoint.
        ...disabling,
        settle(db, chain, delivery, outcome, nowMs),
        ...(claimNext ? [claimStatement(db, chain, nowMs), waitStatement(db, chain, nowMs)] : []),
        // Needed after a claim too: it claims nothing if the endpoint has been closed.
        releaseStatement(db, chain, nowMs),
        bringBackStatement(
          db,
          chain,
          BROUGHT_BACK[outcome.next.kind === 'delivered' ? 'delivered' : 'otherwise'],
          nowMs,
        ),
        readBackStatement(db, chain),
      ]
      const answers: unknown[] = await db.batch(statements as [BatchItem<'sqlite'>, ...BatchItem<'sqlite'>[]])
      const [claimed, , , broughtBack, [looked]] = answers.slice(-5) as [
        ...[unknown[], unknown, unknown],
        ...[BroughtBack[], (Looked | undefined)[]],
      ]
      const isClaimed = claimNext && claimed.length > 0
      const disabled = disabling.length > 0 && (answers[2] as unknown[]).length > 0
      return { head: headOf(chain, isClaimed, looked, nowMs), disabled, broughtBack: customersOf(broughtBack) }
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
          .set({ status: 'failed', finishedAtMs: nowMs, awaitsRetry: false, slot: null })
          .where(sql`${webhookDeliveries.id} IN ${chosen()}`),
        releaseStatement(db, chain, nowMs),
        bringBackStatement(db, chain, BROUGHT_BACK.otherwise, nowMs),
        readBackStatement(db, chain),
      ])
      return { head: headOf(chain, false, answers[4][0], nowMs), broughtBack: customersOf(answers[3]) }
    },
  }
}

/**
 * Makes the delivery of each endpoint of the tenant due that has waited longest for its turn, and returns a message for
 * each. The others follow these.
 */
export async function resumedDeliveries(d1: D1Database, tenantId: string, nowMs: number): Promise<OutboxMessage[]> {
  const waiting = sql`
    SELECT (
      SELECT d.id FROM webhook_deliveries d WHERE d.tenant_id = e.tenant_id AND d.mode = e.mode AND d.slot = 'waits'
        AND d.endpoint_id = e.id ORDER BY d.next_attempt_at LIMIT 1
    ) FROM webhook_endpoints e WHERE e.tenant_id = ${tenantId}`
  const { mode, endpointId, customerId } = webhookDeliveries
  const rows = await openDatabase(d1)
    .update(webhookDeliveries)
    .set({ slot: null, nextAttemptAtMs: nowMs })
    .where(sql`${webhookDeliveries.id} IN (${waiting})`)
    .returning({ mode, endpointId, customerId })
  return rows.map((row) => deliverMessage({ tenantId, mode: row.mode }, row.endpointId, row.customerId))
}

/** Returns one message for each chain that is due and seems to be idle. */
export async function overdueDeliveries(d1: D1Database, nowMs: number): Promise<OutboxMessage[]> {
  const db = openDatabase(d1)
  const { id, tenantId, mode, endpointId, customerId, nextAttemptAtMs } = webhookDeliveries
  const overdue = db
    .select({ id })
    .from(webhookDeliveries)
    // In the words of the partial index, or SQLite would not use it.
    .where(and(sql`status = 'pending'`, lte(nextAttemptAtMs, nowMs - OVERDUE_AFTER_MS)))
    .orderBy(asc(nextAttemptAtMs))
    .limit(OVERDUE_MAX)
  // The new due time puts these after the ones not enqueued yet, until the queue has had time for them.
  const rows = await db
    .update(webhookDeliveries)
    .set({ nextAttemptAtMs: nowMs - DUE_LEEWAY_MS })
    .where(sql`${id} IN ${overdue}`)
    .returning({ tenantId, mode, endpointId, customerId })
  return rows.map((row) => deliverMessage(row, row.endpointId, row.customerId))
}

function claimStatement(db: Database, chain: Chain, nowMs: number) {
  return db
    .update(webhookDeliveries)
    .set({
      claims: sql`${webhookDeliveries.claims} + 1`,
      nextAttemptAtMs: nowMs + DELIVERY_CLAIM_MS,
      awaitsRetry: false,
      slot: 'taken',
    })
    .where(and(sql`${webhookDeliveries.id} = ${headId(db, chain)}`, isDue(nowMs), mayBeSent(chain, nowMs)))
    .returning({ id: webhookDeliveries.id })
}

/** Lets a head wait that is due and was not claimed, unless its endpoint is closed. Directly after the claim. */
function waitStatement(db: Database, chain: Chain, nowMs: number) {
  const open = db
    .select({ found: sql`1` })
    .from(webhookEndpoints)
    .where(and(isEndpoint(chain), eq(webhookEndpoints.enabled, true)))
  const isWaiting = sql`(${webhookDeliveries.slot} IS 'waits' AND ${webhookDeliveries.nextAttemptAtMs} > ${nowMs})`
  return db
    .update(webhookDeliveries)
    .set({ slot: 'waits', nextAttemptAtMs: nowMs + SLOT_WAIT_MAX_MS })
    .where(
      and(
        sql`${webhookDeliveries.id} = ${headId(db, chain)}`,
        isDue(nowMs),
        sql`NOT ${isWaiting}`,
        sql`EXISTS ${open}`,
      ),
    )
}

type BroughtBack = { customerId: string }

/**
 * Makes the deliveries of the endpoint due that have waited longest for a slot, unless this chain keeps its own. Their
 * messages are sent after the batch; the sweep finds those whose message was lost.
 */
function bringBackStatement(db: Database, chain: Chain, count: number, nowMs: number) {
  const waiting = db
    .select({ id: webhookDeliveries.id })
    .from(webhookDeliveries)
    .where(
      and(
        inScope(webhookDeliveries, chain),
        eq(webhookDeliveries.slot, 'waits'),
        eq(webhookDeliveries.endpointId, chain.endpointId),
      ),
    )
    .orderBy(asc(webhookDeliveries.nextAttemptAtMs))
    .limit(count)
  const keepsSlot = sql`EXISTS (
    SELECT 1 FROM webhook_deliveries head WHERE head.id = ${headId(db, chain)} AND head.slot = 'taken'
  )`
  return db
    .update(webhookDeliveries)
    .set({ slot: null, nextAttemptAtMs: nowMs })
    .where(sql`${webhookDeliveries.id} IN ${waiting} AND NOT ${keepsSlot}`)
    .returning({ customerId: webhookDeliveries.customerId })
}

function customersOf(rows: readonly BroughtBack[]): string[] {
  return rows.map(({ customerId }) => customerId)
}

/** Makes the head due for the next claim. */
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

const isErased = sql`EXISTS (
  SELECT 1 FROM ${customers} c WHERE c.tenant_id = ${webhookDeliveries.tenantId} AND c.mode = ${webhookDeliveries.mode}
    AND c.id = ${webhookDeliveries.customerId} AND c.erased_at IS NOT NULL
)`

/** Matches the delivery as long as nobody else has claimed it. */
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
      // The response may repeat what was sent, and the erasure may have come while the attempt was under way.
      answer: sql<string | null>`iif(${isErased}, NULL, ${answer})`.as('answer'),
    })
    .from(webhookDeliveries)
    .$dynamic()
}

function keepAttempt(db: Database, delivery: Claimed, attempted: Attempted) {
  return db.insert(webhookAttempts).select(attemptOf(db, attempted).where(isOurs(delivery)))
}

/** Notes the outcome of an attempt on the endpoint, unless the endpoint has another URL by now. */
function noteOnEndpoint(db: Database, chain: Chain, delivery: Claimed, { next, disable }: Outcome, nowMs: number) {
  const ours = db.select({ found: sql`1` }).from(webhookDeliveries).where(isOurs(delivery))
  const same = and(isEndpoint(chain), eq(webhookEndpoints.url, delivery.endpoint.url), sql`EXISTS ${ours}`)
  const { failingSinceMs, enabled } = webhookEndpoints
  const update = db.update(webhookEndpoints)
  const version = sql`${webhookEndpoints.version} + 1`
  if (next.kind === 'delivered')
    return update.set({ failingSinceMs: null, version }).where(and(same, isNotNull(failingSinceMs)))
  if (disable === null) return update.set({ failingSinceMs: nowMs, version }).where(and(same, isNull(failingSinceMs)))
  return update
    .set({
      enabled: false,
      disabledReason: disable,
      failingSinceMs: sql`coalesce(${failingSinceMs}, ${nowMs})`,
      updatedAtMs: nowMs,
      version,
    })
    .where(
      and(
        same,
        eq(enabled, true),
        disable === 'failing' ? lte(failingSinceMs, nowMs - FAILING_FOR_MS) : undefined,
        mayStillBeLogged(nowMs),
      ),
    )
}

/** Selects the endpoint if it is enabled and no longer has the URL and the secrets of the attempt. */
function changedSince(db: Database, chain: Chain, { endpoint: { url, sealedSecrets } }: Claimed) {
  const isOther = sql`(${webhookEndpoints.url} <> ${url} OR ${webhookEndpoints.secrets} <> ${sealedSecrets})`
  return db
    .select({ found: sql`1` })
    .from(webhookEndpoints)
    .where(and(isEndpoint(chain), eq(webhookEndpoints.enabled, true), isOther))
}

/** Inserts the event if the statement before disabled the endpoint. That endpoint itself no longer receives events. */
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
            'endpoint_id', ${webhookEndpoints.id}, 'reason', ${reason},
            'failing_since', strftime('%Y-%m-%dT%H:%M:%fZ', ${webhookEndpoints.failingSinceMs} / 1000.0, 'unixepoch')
          )`.as('detail'),
          createdAtMs: sql<number>`${nowMs}`.as('created_at'),
          deliveries: sql<number>`0`.as('deliveries'),
        })
        .from(webhookEndpoints)
        .where(and(isEndpoint(chain), sql`changes() > 0`)),
    )
    .returning({ id: events.id })
}

function settle(db: Database, chain: Chain, delivery: Claimed, { next }: Outcome, nowMs: number) {
  const update = db.update(webhookDeliveries)
  if (next.kind === 'retry') {
    // An endpoint that was changed during the attempt gets the next one at once, like those that were waiting then.
    const atMs = sql`iif(EXISTS ${changedSince(db, chain, delivery)}, ${nowMs}, ${next.atMs})`
    return update.set({ nextAttemptAtMs: atMs, awaitsRetry: true, slot: null }).where(isOurs(delivery))
  }
  const status = next.kind === 'delivered' ? 'delivered' : 'failed'
  return update.set({ status, finishedAtMs: nowMs, slot: null }).where(isOurs(delivery))
}
