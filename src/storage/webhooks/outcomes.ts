/**
 * The statements that store an attempt to deliver, and what follows from it: for the delivery, and for its endpoint.
 */
import { and, eq, isNotNull, isNull, lte, type SQL, sql } from 'drizzle-orm'
import { FAILING_FOR_MS, type Outcome } from '../../events/attempts.ts'
import type { Attempted, Chain, Claimed } from '../../events/outbox.ts'
import type { NewId } from '../../shared/ids.ts'
import type { Database } from '../database.ts'
import { mayStillBeLogged } from '../events/event-ids.ts'
import { customers, events } from '../schema/tables.ts'
import { webhookAttempts, webhookDeliveries, webhookEndpoints } from '../schema/webhook-tables.ts'
import { slot } from '../statement-texts.ts'
import { attemptCount, CHAIN, type ChainValues, chainStatement, IS_PENDING, isEndpoint, NOW_MS } from './chain.ts'

const isErased = sql`EXISTS (
  SELECT 1 FROM ${customers} c WHERE c.tenant_id = ${webhookDeliveries.tenantId} AND c.mode = ${webhookDeliveries.mode}
    AND c.id = ${webhookDeliveries.customerId} AND c.erased_at IS NOT NULL
)`

/** A claimed delivery: its values, or the expressions that give them. */
type ClaimedValues = { id: number | SQL; claims: number | SQL }

const OURS: ClaimedValues = { id: slot('deliveryId'), claims: slot('claims') }
const ours = ({ id, claims }: Claimed) => ({ deliveryId: id, claims })

/** Matches the delivery as long as nobody else has claimed it. */
function isOurs({ id, claims }: ClaimedValues): SQL | undefined {
  return and(eq(webhookDeliveries.id, id), IS_PENDING, eq(webhookDeliveries.claims, claims))
}

type AttemptedValues = { [Field in keyof Attempted]: Attempted[Field] | SQL }

const ATTEMPTED: AttemptedValues = {
  atMs: slot('atMs'),
  durationMs: slot('durationMs'),
  statusCode: slot('statusCode'),
  error: slot('error'),
  answer: slot('answer'),
}

export function attemptOf(db: Database, attempted: AttemptedValues) {
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

export function keepAttempt(db: Database, chain: Chain, delivery: Claimed, attempted: Attempted) {
  const { atMs, durationMs, statusCode, error, answer } = attempted
  const build = () => db.insert(webhookAttempts).select(attemptOf(db, ATTEMPTED).where(isOurs(OURS)))
  return chainStatement(db, 'attempt', build, chain, {
    ...ours(delivery),
    ...{ atMs, durationMs, statusCode, error, answer },
  })
}

/** Notes the outcome of an attempt on the endpoint, unless the endpoint has another URL by now. */
export function noteOnEndpoint(
  db: Database,
  chain: Chain,
  delivery: Claimed,
  { next, disable }: Outcome,
  nowMs: number,
) {
  const sameAs = (of: ChainValues, url: string | SQL, claimed: ClaimedValues) => {
    const found = db.select({ found: sql`1` }).from(webhookDeliveries).where(isOurs(claimed))
    return and(isEndpoint(of), eq(webhookEndpoints.url, url), sql`EXISTS ${found}`)
  }
  const { failingSinceMs, enabled } = webhookEndpoints
  const update = db.update(webhookEndpoints)
  const version = sql`${webhookEndpoints.version} + 1`
  if (next.kind === 'delivered') {
    const same = () => sameAs(CHAIN, slot('url'), OURS)
    const build = () => update.set({ failingSinceMs: sql`NULL`, version }).where(and(same(), isNotNull(failingSinceMs)))
    return chainStatement(db, 'recovered', build, chain, { ...ours(delivery), url: delivery.endpoint.url })
  }
  const same = sameAs(chain, delivery.endpoint.url, delivery)
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
export function disabledEvent(
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

export function settle(db: Database, chain: Chain, delivery: Claimed, { next }: Outcome, nowMs: number) {
  const update = db.update(webhookDeliveries)
  if (next.kind === 'retry') {
    // An endpoint that was changed during the attempt gets the next one at once, like those that were waiting then.
    const atMs = sql`iif(EXISTS ${changedSince(db, chain, delivery)}, ${nowMs}, ${next.atMs})`
    return update.set({ nextAttemptAtMs: atMs, awaitsRetry: true, slot: null }).where(isOurs(delivery))
  }
  if (next.kind !== 'delivered')
    return update.set({ status: 'failed', finishedAtMs: nowMs, slot: null }).where(isOurs(delivery))
  const build = () =>
    update.set({ status: sql`'delivered'`, finishedAtMs: NOW_MS, slot: sql`NULL` }).where(isOurs(OURS))
  return chainStatement(db, 'delivered', build, chain, { ...ours(delivery), nowMs })
}
