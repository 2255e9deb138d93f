/** A delivery that waits in a database, and the consumer of the queue. */
import { env } from 'cloudflare:workers'
import { vi } from 'vitest'
import { deliverMessage } from '../../../src/events/messages.ts'
import worker from '../../../src/index.ts'
import { newEndpoint } from '../events/support.ts'
import { RECEIVER } from '../onboarding/support.ts'
import { newCustomer, type TestTenant } from '../support/roster.ts'

/** Makes a customer whose creation is to be delivered. No message says so. */
export async function waitingDelivery({ tenantId, live }: TestTenant, d1: D1Database) {
  const scope = { tenantId, mode: 'live' } as const
  const { id: customerId } = await newCustomer(live.key)
  const endpoint = await newEndpoint(scope, { url: RECEIVER }, d1)
  await d1
    .prepare(
      `INSERT INTO webhook_deliveries (tenant_id, mode, endpoint_id, event_id, event_type, customer_id, status, claims, next_attempt_at, created_at)
       SELECT tenant_id, mode, ?2, id, type, customer_id, 'pending', 0, 0, created_at FROM events WHERE tenant_id = ?1`,
    )
    .bind(tenantId, endpoint.id)
    .run()
  return {
    scope,
    customerId,
    status: () =>
      d1.prepare('SELECT status FROM webhook_deliveries WHERE endpoint_id = ?').bind(endpoint.id).first('status'),
    /** Consumes a message about it, and returns what the consumer did with the message. */
    async consumed() {
      const message = { id: '1', body: deliverMessage(scope, endpoint.id, customerId), ack: vi.fn(), retry: vi.fn() }
      await worker.queue({ messages: [message] } as unknown as MessageBatch, env)
      return { acks: message.ack.mock.calls, retries: message.retry.mock.calls }
    },
  }
}
