/**
 * Makes deliveries that wait for their next attempt due now, in one statement. A delivery that is being attempted is
 * left alone. The customer's later events follow it, as always. Of many, the first are due, and the others wait for a slot
 * until these end: a message for each would find none.
 */
import { and, asc, eq, gt, isNull, type SQL, sql } from 'drizzle-orm'
import type { Hurried, Waiting } from '../../events/ports.ts'
import { SLOT_WAIT_MAX_MS, SLOTS } from '../../events/slots.ts'
import type { Scope } from '../../registry/customer.ts'
import type { Database } from '../database.ts'
import { webhookDeliveries, webhookEndpoints } from '../schema/webhook-tables.ts'
import { inScope } from '../scoped.ts'
import { IS_PENDING } from './chain.ts'

/** Deliveries of one statement; a longer one would delay other writers. */
const HURRIED_MAX = 250

export async function hurry(
  db: Database,
  scope: Scope,
  endpointId: string,
  which: Waiting,
  nowMs: number,
): Promise<Hurried | null> {
  const ofEndpoint = and(inScope(webhookDeliveries, scope), eq(webhookDeliveries.endpointId, endpointId))
  const enabled = db
    .select({ found: sql`1` })
    .from(webhookEndpoints)
    .where(
      and(inScope(webhookEndpoints, scope), eq(webhookEndpoints.id, endpointId), eq(webhookEndpoints.enabled, true)),
    )
  const waiting = (max: number) =>
    db
      .select({ id: webhookDeliveries.id })
      .from(webhookDeliveries)
      .where(
        and(
          ofEndpoint,
          // In the words of the partial index, or SQLite would not use it.
          sql`awaits_retry = 1`,
          gt(webhookDeliveries.nextAttemptAtMs, nowMs),
          // One that has a slot is on its way, and one that waits for one has its turn, unless it is named.
          which.kind === 'all' ? isNull(webhookDeliveries.slot) : sql`${webhookDeliveries.slot} IS NOT 'taken'`,
          customerOf(db, endpointId, which),
          sql`EXISTS ${enabled}`,
        ),
      )
      .orderBy(asc(webhookDeliveries.nextAttemptAtMs))
      .limit(max)
  const isFirst = sql`${webhookDeliveries.id} IN ${waiting(SLOTS.firstMax)}`
  const named =
    which.kind === 'delivery'
      ? and(eq(webhookDeliveries.eventId, which.eventId), eq(webhookDeliveries.createdAtMs, which.createdAtMs))
      : sql`0`
  const [[pending], hurried] = await db.batch([
    db
      .select({ id: webhookDeliveries.id })
      .from(webhookDeliveries)
      .where(and(named, ofEndpoint, IS_PENDING)),
    db
      .update(webhookDeliveries)
      .set({
        slot: sql`iif(${isFirst}, NULL, 'waits')`,
        nextAttemptAtMs: sql`iif(${isFirst}, ${nowMs}, ${nowMs + SLOT_WAIT_MAX_MS})`,
      })
      .where(sql`${webhookDeliveries.id} IN ${waiting(HURRIED_MAX)}`)
      .returning({ customerId: webhookDeliveries.customerId, slot: webhookDeliveries.slot }),
  ])
  if (which.kind === 'delivery' && !pending) return null
  const first = hurried.filter(({ slot }) => slot === null)
  return {
    count: hurried.length,
    customerIds: first.map(({ customerId }) => customerId),
    hasMore: hurried.length === HURRIED_MAX,
  }
}

/** Limits the deliveries to the customer of the event or the delivery. */
function customerOf(db: Database, endpointId: string, which: Waiting): SQL | undefined {
  if (which.kind === 'all') return undefined
  const isThen = which.kind === 'event' ? sql`1` : sql`named.created_at = ${which.createdAtMs}`
  const customer = db
    .select({ id: sql`named.customer_id` })
    .from(sql`webhook_deliveries named INDEXED BY webhook_deliveries_endpoint`)
    .where(sql`named.endpoint_id = ${endpointId} AND named.event_id = ${which.eventId} AND ${isThen}`)
    .limit(1)
  return and(IS_PENDING, sql`${webhookDeliveries.customerId} = ${customer}`)
}
