/**
 * Finds pending work of some customers: pending deliveries and onboardings that have not started. The code that does
 * this work is in `events/` and `onboarding/`, with stores of its own.
 */
import { type SQL, sql } from 'drizzle-orm'
import { deliverMessage, type OutboxMessage, onboardMessage } from '../../events/messages.ts'
import { SLOT_WAIT_MAX_MS, SLOTS } from '../../events/slots.ts'
import type { Scope } from '../../registry/customer.ts'
import { D1_NOW, type Database, openDatabase } from '../database.ts'
import { SCOPE, shapedStatement } from '../statement-texts.ts'

/**
 * Returns one message for each endpoint and customer whose next delivery is due and does not wait for a slot. One that failed
 * has a message of its own, which comes when it is due again. If an endpoint has more customers than may be enqueued at
 * first, the others begin to wait here, and all of them if others wait already: thousands of messages that find no slot
 * would keep D1 busy. Reads by key alone, and almost nothing for a tenant without subscribers.
 */
export async function pendingMessagesOf(
  d1: D1Database,
  scope: Scope,
  customerIds: readonly string[],
): Promise<OutboxMessage[]> {
  const { tenantId, mode } = scope
  const wanted = sql`json_each(${JSON.stringify(customerIds)})`
  const db = openDatabase(d1.withSession('first-primary'))
  const head = sql`(
    SELECT h.id FROM webhook_deliveries h WHERE h.tenant_id = e.tenant_id AND h.mode = e.mode
      AND h.customer_id = c.value AND h.endpoint_id = e.id AND h.status = 'pending' ORDER BY h.id LIMIT 1
  )`
  const rows = await db.all<Pending>(sql`
    SELECT e.id AS "endpointId", e.failing_since IS NOT NULL AS "isFailing", ${hasWaiting(scope, sql`e.id`)} AS "hasWaiting",
      c.value AS "customerId", d.id AS id
    FROM webhook_endpoints e CROSS JOIN ${wanted} c CROSS JOIN webhook_deliveries d ON d.id = ${head}
    WHERE e.tenant_id = ${tenantId} AND e.mode = ${mode} AND e.enabled = 1
      AND coalesce(d.slot, '') <> 'waits' AND (d.claims = 0 OR d.next_attempt_at <= ${sql.raw(D1_NOW)})
    UNION ALL
    SELECT NULL, NULL, NULL, r.customer_id, NULL FROM ${wanted} c CROSS JOIN onboarding_runs r
    WHERE r.tenant_id = ${tenantId} AND r.mode = ${mode} AND r.customer_id = c.value AND r.status = 'pending'`)
  const messages: OutboxMessage[] = []
  const first: Due[] = []
  /** Deliveries that begin to wait: each by its id, and the endpoint if that is so only while others of it wait. */
  const waiting: [id: number, behindEndpointId: string | null][] = []
  /** Deliveries so far by endpoint. */
  const counts = new Map<string, number>()
  for (const pending of rows.toSorted(byAge)) {
    if (pending.endpointId === null) {
      messages.push(onboardMessage(scope, pending.customerId))
      continue
    }
    const { endpointId, isFailing, hasWaiting, id } = pending
    const count = counts.get(endpointId) ?? 0
    counts.set(endpointId, count + 1)
    const isFirst = count < (isFailing ? SLOTS.probesMax : SLOTS.firstMax)
    if (isFirst) first.push(pending)
    if (!isFirst) waiting.push([id, null])
    else if (hasWaiting) waiting.push([id, endpointId])
  }
  const begun = new Set(waiting.length > 0 ? await beginToWait(db, scope, waiting) : [])
  const sent = first.filter(({ id }) => !begun.has(id))
  return [...messages, ...sent.map(({ endpointId, customerId }) => deliverMessage(scope, endpointId, customerId))]
}

function hasWaiting({ tenantId, mode }: Scope, endpointId: SQL): SQL {
  return sql`EXISTS (
    SELECT 1 FROM webhook_deliveries w WHERE w.tenant_id = ${tenantId} AND w.mode = ${mode} AND w.slot = 'waits'
      AND w.endpoint_id = ${endpointId}
  )`
}

/**
 * Returns the ids of those that wait now. The last delivery that waited may have been brought back since it was read: then
 * nobody would bring back the ones behind it.
 */
async function beginToWait(
  db: Database,
  scope: Scope,
  waiting: readonly [id: number, behindEndpointId: string | null][],
): Promise<number[]> {
  const rows = await db.all<{ id: number }>(sql`
    UPDATE webhook_deliveries SET slot = 'waits', next_attempt_at = ${sql.raw(D1_NOW)} + ${SLOT_WAIT_MAX_MS}
    WHERE claims = 0 AND slot IS NULL AND id IN (
      SELECT l.value ->> 0 FROM json_each(${JSON.stringify(waiting)}) l
      WHERE l.value ->> 1 IS NULL OR ${hasWaiting(scope, sql`l.value ->> 1`)}
    ) RETURNING id`)
  return rows.map(({ id }) => id)
}

/** The next delivery of a customer to an endpoint, by its id; or, without an endpoint, an onboarding. */
type Pending = Due | { endpointId: null; customerId: string; id: null }

interface Due {
  endpointId: string
  customerId: string
  id: number
  isFailing: 0 | 1
  /** 1 if other deliveries to the endpoint wait for a slot. */
  hasWaiting: 0 | 1
}

const byAge = (one: Pending, other: Pending) => (one.id ?? 0) - (other.id ?? 0)

/** Facts that are read in the batch of every change, because reading them separately would cost a round trip. */
export interface AlongWithChange {
  /** True when the tenant has subscribers: endpoints, or a workflow of onboarding. */
  hasSubscribers: boolean
  /** The time by D1's clock. */
  d1Ms: number
}

export function alongWithChangeStatement(db: Database, scope: Scope) {
  return shapedStatement(
    db,
    'listened to',
    () => ({ toSQL: () => db.all(alongWithChange()).getQuery() }),
    { ...scope },
    ({ hasSubscribers, d1Ms }): AlongWithChange => ({
      hasSubscribers: hasSubscribers === 1,
      d1Ms: Number(d1Ms),
    }),
  )
}

function alongWithChange(): SQL {
  const ofTenant = sql`tenant_id = ${SCOPE.tenantId} AND mode = ${SCOPE.mode}`
  return sql`SELECT EXISTS (SELECT 1 FROM webhook_endpoints WHERE ${ofTenant})
    OR EXISTS (
      SELECT 1 FROM settings s, json_each(s.value, '$.workflows') WHERE ${ofTenant} AND s.name = 'customer_onboarding'
    ) AS "hasSubscribers",
    ${sql.raw(D1_NOW)} AS "d1Ms"`
}
