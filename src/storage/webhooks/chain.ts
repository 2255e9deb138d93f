/**
 * Reads the head of a chain from D1: the next delivery of a customer's events to an endpoint, with the data to make it.
 * claims.ts acts on it.
 */
import { and, asc, eq, lte, or, type SQL, sql } from 'drizzle-orm'
import type { Chain, Head } from '../../events/outbox.ts'
import type { Database } from '../database.ts'
import { loggedEventOf } from '../events/event-log.ts'
import { type EventRow, events } from '../schema/tables.ts'
import { webhookAttempts, webhookDeliveries, webhookEndpoints } from '../schema/webhook-tables.ts'
import { inScope } from '../scoped.ts'

/**
 * Due time of a delivery that waits for another of its customer: the latest possible time. The trigger `events_fan_out`
 * has the same value.
 */
export const NOT_BEFORE_ANOTHER_MS = 8_640_000_000_000_000

export const IS_PENDING = eq(webhookDeliveries.status, 'pending')

export function inChain(chain: Chain): SQL | undefined {
  return and(
    inScope(webhookDeliveries, chain),
    eq(webhookDeliveries.customerId, chain.customerId),
    eq(webhookDeliveries.endpointId, chain.endpointId),
  )
}

export function isEndpoint(chain: Chain): SQL | undefined {
  return and(inScope(webhookEndpoints, chain), eq(webhookEndpoints.id, chain.endpointId))
}

/** A delivery that was never attempted is due in any case: the database wrote its time, and another clock reads it. */
export function isDue(nowMs: number): SQL | undefined {
  return or(eq(webhookDeliveries.claims, 0), lte(webhookDeliveries.nextAttemptAtMs, nowMs))
}

export function headId(db: Database, chain: Chain): SQL {
  const head = db
    .select({ id: webhookDeliveries.id })
    .from(webhookDeliveries)
    .where(and(inChain(chain), IS_PENDING))
    .orderBy(asc(webhookDeliveries.id))
    .limit(1)
  return sql`${head}`
}

/** Number of completed attempts of a delivery. */
export const attemptCount = sql`(
  SELECT count(*) FROM ${webhookAttempts} WHERE ${webhookAttempts.deliveryId} = ${webhookDeliveries.id}
)`

/**
 * The event's documents are read as text. A broken one then fails where it is parsed, and that code can park the
 * delivery.
 */
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

export function readBackStatement(db: Database, chain: Chain) {
  return db
    .select(HEAD)
    .from(webhookDeliveries)
    .leftJoin(webhookEndpoints, isEndpoint(chain))
    .leftJoin(events, and(inScope(events, chain), eq(events.id, webhookDeliveries.eventId)))
    .where(sql`${webhookDeliveries.id} = ${headId(db, chain)}`)
}

export type Looked = Awaited<ReturnType<typeof readBackStatement>>[number]

export function headOf(chain: Chain, isClaimed: boolean, looked: Looked | undefined, nowMs: number): Head {
  if (!looked) return { kind: 'none' }
  const { id, eventId, claims, attempts, url, enabled, secrets, failingSinceMs } = looked
  if (isClaimed && url !== null && secrets !== null) {
    const endpoint = { url, sealedSecrets: secrets, failingSinceMs }
    return {
      kind: 'claimed',
      delivery: { id, eventId, attempt: attempts + 1, claims, endpoint, readEvent: () => eventOf(chain, looked) },
    }
  }
  const isDueNow = claims === 0 || looked.nextAttemptAtMs <= nowMs
  if (enabled || !isDueNow) return { kind: 'not_due', atMs: looked.nextAttemptAtMs }
  return { kind: 'closed', reason: enabled === null ? 'endpoint_deleted' : 'endpoint_disabled' }
}

function eventOf(chain: Chain, looked: Looked) {
  const { eventId: id, type, customerId, version, actor, requestId, before, after, detail, eventAtMs } = looked
  if (type === null || after === null) throw new Error('the event is not in the log')
  const row = {
    ...{ id, type, customerId, version, actor, requestId, reason: null, createdAtMs: eventAtMs, deliveries: 0 },
    ...{ tenantId: chain.tenantId, mode: chain.mode },
    before: before && JSON.parse(before),
    after: JSON.parse(after),
    detail: detail && JSON.parse(detail),
  }
  return loggedEventOf({ tenantId: chain.tenantId, mode: chain.mode }, row as EventRow)
}
