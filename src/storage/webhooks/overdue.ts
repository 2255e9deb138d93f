/**
 * Finds deliveries that nobody is at work on: those that are overdue, and those that waited while their tenant was
 * suspended. All statements go to the primary.
 */
import { and, asc, lte, sql } from 'drizzle-orm'
import { deliverMessage, type OutboxMessage } from '../../events/messages.ts'
import { openDatabase } from '../database.ts'
import { isNotHeld } from '../moves/held.ts'
import { webhookDeliveries } from '../schema/webhook-tables.ts'

/** Due deliveries have been enqueued. One is overdue when nothing has happened for this long. */
const OVERDUE_AFTER_MS = 30_000
/** Deliveries of one run of the sweep; the next run is a minute later. */
const OVERDUE_MAX = 5_000
/** Subtracted from due times, so that the receiver of a message finds its delivery due although clocks differ. */
const DUE_LEEWAY_MS = 5_000

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
    .where(and(sql`status = 'pending'`, lte(nextAttemptAtMs, nowMs - OVERDUE_AFTER_MS), isNotHeld(tenantId)))
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
