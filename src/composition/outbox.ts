/**
 * Sends the pending work of customers in the outbox to the queue, as messages.
 */
import { readEnv } from '../env.ts'
import { deliverMessage } from '../events/messages.ts'
import { sendAll } from '../events/send.ts'
import type { Scope } from '../registry/customer.ts'
import { describeError, log } from '../shared/log.ts'
import { pendingMessagesOf } from '../storage/events/pending-messages.ts'
import { databaseOf } from './databases.ts'

/**
 * Sends one message for each customer and endpoint that a delivery is pending for, and for each onboarding that was not
 * started. With `endpointId`, sends one message for each customer and that endpoint, without reading what is pending. `d1` is the
 * tenant's database, for a caller that knows it.
 * Never rejects: a failure is logged, and the sweep sends the missing messages later.
 */
export async function enqueueDeliveries(
  env: Cloudflare.Env,
  scope: Scope,
  customerIds: readonly string[],
  { endpointId, delaySeconds = 0, d1 }: { endpointId?: string; delaySeconds?: number; d1?: D1Database } = {},
): Promise<void> {
  const bindings = readEnv(env)
  try {
    const messages =
      endpointId === undefined
        ? await pendingMessagesOf(d1 ?? (await databaseOf(bindings, scope)), scope, customerIds)
        : customerIds.map((customerId) => deliverMessage(scope, endpointId, customerId))
    await sendAll(bindings.outbox, messages, delaySeconds)
  } catch (error) {
    logNotEnqueued(error, scope)
  }
}

/** Logs that a message was not sent; the sweep sends it later. */
export function logNotEnqueued(error: unknown, { tenantId, mode }: Scope): void {
  log('error', { event: 'not_enqueued', error: describeError(error), tenantId, mode })
}
