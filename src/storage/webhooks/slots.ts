/**
 * The rule of events/slots.ts in SQL, for the statement that claims a delivery: two consumers that read the count before
 * they claim would both take the last slot.
 */
import { type SQL, sql } from 'drizzle-orm'
import { SLOTS } from '../../events/slots.ts'
import type { ChainValues } from './chain.ts'

/** True if the endpoint is enabled, its tenant is not suspended, and there is a slot for it. */
export function mayBeSent({ tenantId, mode, endpointId }: ChainValues, nowMs: number | SQL): SQL {
  // A claim that has expired belongs to a consumer that died.
  const taken = sql`
    SELECT count(*) AS of_tenant, coalesce(sum(s.endpoint_id = ${endpointId}), 0) AS of_endpoint FROM webhook_deliveries s
    WHERE s.tenant_id = ${tenantId} AND s.mode = ${mode} AND s.slot = 'taken' AND s.next_attempt_at > ${nowMs}`
  return sql`EXISTS (
    SELECT 1 FROM webhook_endpoints e CROSS JOIN tenants t CROSS JOIN (${taken}) taken
    WHERE e.tenant_id = ${tenantId} AND e.mode = ${mode} AND e.id = ${endpointId} AND e.enabled = 1
      AND t.id = ${tenantId} AND t.status = 'active' AND iif(
        of_endpoint = 0, of_tenant < ${literal(SLOTS.allMax)},
        of_tenant < ${literal(SLOTS.tenantMax)}
          AND of_endpoint < iif(e.failing_since IS NULL, ${literal(SLOTS.endpointMax)}, ${literal(SLOTS.probesMax)})
      )
  )`
}

/** Returns a number as a part of a text, which is the same in every run. */
export function literal(value: number): SQL {
  return sql.raw(String(value))
}
