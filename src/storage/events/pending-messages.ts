/**
 * Finds pending work of some customers: pending deliveries and onboardings that have not started. The code that does
 * this work is in `events/` and `onboarding/`, with stores of its own.
 */
import { type SQL, sql } from 'drizzle-orm'
import { deliverMessage, type OutboxMessage, onboardMessage } from '../../events/messages.ts'
import { SLOT_WAIT_MAX_MS, SLOTS } from '../../events/slots.ts'
import type { Scope } from '../../registry/customer.ts'
import { D1_NOW, type Database, openDatabase } from '../database.ts'
import { shapedStatement, slot } from '../statement-texts.ts'

/**
 * Returns one message for each endpoint and customer, but none for a delivery that waits for a slot. If an endpoint has
 * more customers than slots, the others begin to wait here, in one statement: thousands of messages that find no slot
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
  const headOf = (column: SQL) => sql`(
    SELECT ${column} FROM webhook_deliveries d WHERE d.tenant_id = e.tenant_id AND d.mode = e.mode
      AND d.customer_id = c.value AND d.endpoint_id = e.id AND d.status = 'pending' ORDER BY d.id LIMIT 1
  )`
  if (customerIds.length > SLOTS.endpointMax) {
    await db.run(sql`
      UPDATE webhook_deliveries SET slot = 'waits', next_attempt_at = ${sql.raw(D1_NOW)} + ${SLOT_WAIT_MAX_MS}
      WHERE claims = 0 AND slot IS NULL AND id IN (
        SELECT id FROM (
          SELECT id, row_number() OVER (PARTITION BY endpoint_id ORDER BY id) AS nth FROM (
            SELECT e.id AS endpoint_id, ${headOf(sql`d.id`)} AS id FROM webhook_endpoints e CROSS JOIN ${wanted} c
            WHERE e.tenant_id = ${tenantId} AND e.mode = ${mode} AND e.enabled = 1
          ) WHERE id IS NOT NULL
        ) WHERE nth > ${SLOTS.endpointMax}
      )`)
  }
  const rows = await db.all<{ endpointId: string | null; id: string }>(sql`
    SELECT e.id AS "endpointId", c.value AS id FROM webhook_endpoints e CROSS JOIN ${wanted} c
    WHERE e.tenant_id = ${tenantId} AND e.mode = ${mode} AND ${headOf(sql`coalesce(d.slot, '')`)} <> 'waits'
    UNION ALL
    SELECT NULL, r.customer_id FROM ${wanted} c CROSS JOIN onboarding_runs r
    WHERE r.tenant_id = ${tenantId} AND r.mode = ${mode} AND r.customer_id = c.value AND r.status = 'pending'`)
  return rows.map(({ endpointId, id }) =>
    endpointId === null ? onboardMessage(scope, id) : deliverMessage(scope, endpointId, id),
  )
}

/** Facts that are read in the batch of every change, because reading them separately would cost a round trip. */
export interface AlongWithChange {
  /** True when the tenant has subscribers: endpoints or an onboarding. */
  hasSubscribers: boolean
  /** The time by D1's clock. */
  d1Ms: number
}

export function alongWithChangeStatement(db: Database, scope: Scope) {
  const ofTenant = sql`tenant_id = ${slot('tenantId')} AND mode = ${slot('mode')}`
  const question = sql`SELECT EXISTS (SELECT 1 FROM webhook_endpoints WHERE ${ofTenant})
    OR EXISTS (SELECT 1 FROM settings WHERE ${ofTenant} AND name = 'customer_onboarding') AS "hasSubscribers",
    ${sql.raw(D1_NOW)} AS "d1Ms"`
  const build = () => ({ toSQL: () => db.all(question).getQuery() })
  return shapedStatement(
    db,
    'listened to',
    build,
    { ...scope },
    ({ hasSubscribers, d1Ms }): AlongWithChange => ({
      hasSubscribers: hasSubscribers === 1,
      d1Ms: Number(d1Ms),
    }),
  )
}
