/**
 * The head of a chain in D1: which delivery of a customer to an endpoint comes next, and what has to be known to make it. What
 * is done about it is in `webhook-outbox.ts`.
 */
import { and, asc, eq, lte, or, type SQL, sql } from 'drizzle-orm'
import type { Chain, Head } from '../events/outbox.ts'
import type { Database } from './database.ts'
import { type EventRow, loggedEventOf } from './event-log.ts'
import { webhookAttempts, webhookDeliveries, webhookEndpoints } from './outbox-tables.ts'
import { events } from './tables.ts'

/** When one is due that waits for another of its customer: the last moment there is. The trigger `events_fan_out` says it too. */
export const NOT_BEFORE_ANOTHER_MS = 8_640_000_000_000_000

export const IS_PENDING = eq(webhookDeliveries.status, 'pending')

export function inChain({ tenantId, mode, endpointId, customerId }: Chain): SQL | undefined {
  return and(
    eq(webhookDeliveries.tenantId, tenantId),
    eq(webhookDeliveries.mode, mode),
    eq(webhookDeliveries.customerId, customerId),
    eq(webhookDeliveries.endpointId, endpointId),
  )
}

export function isEndpoint({ tenantId, mode, endpointId }: Chain): SQL | undefined {
  return and(
    eq(webhookEndpoints.tenantId, tenantId),
    eq(webhookEndpoints.mode, mode),
    eq(webhookEndpoints.id, endpointId),
  )
}

/** One that was never tried is due whatever the clocks say: the database wrote the time down, another reads it. */
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

/** How many attempts at a delivery have come to their end. */
export const attemptCount = sql`(
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

export function lookStatement(db: Database, chain: Chain) {
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

export type Looked = Awaited<ReturnType<typeof lookStatement>>[number]

export function headOf(chain: Chain, isClaimed: boolean, looked: Looked | undefined, nowMs: number): Head {
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
