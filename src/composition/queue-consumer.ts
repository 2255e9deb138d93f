import { readEnv } from '../env.ts'
import { type OutboxMessage, readMessage } from '../events/messages.ts'
import type { Outbox } from '../events/outbox.ts'
import { newId } from '../shared/ids.ts'
import { describeError, log } from '../shared/log.ts'
import { isDatabaseFull } from '../storage/unavailable.ts'
import { webhookOutbox } from '../storage/webhooks/claims.ts'
import { startOnboarding } from './onboarding.ts'
import { deliver } from './webhooks.ts'

/** Seconds after which the queue repeats a message that failed. After a few repeats the sweep takes over. */
const RETRY_AFTER_SECONDS = 10

/** Handles each message of a batch by itself: the queue repeats a message that fails and no other. */
export async function consume(batch: MessageBatch, env: Cloudflare.Env): Promise<void> {
  const outbox = webhookOutbox(readEnv(env).directory, newId)
  await Promise.all(
    batch.messages.map(async (message) => {
      const owed = readMessage(message.body)
      try {
        if (owed) await act(owed, env, outbox)
        else log('warn', { event: 'message_ignored', messageId: message.id })
        message.ack()
      } catch (error) {
        const { kind, tenantId, mode, customerId } = owed as OutboxMessage
        if (isDatabaseFull(error)) {
          // D1 cannot store any progress now. The sweep sends the message again when there is room.
          log('error', { event: 'database_full', customerId, error: describeError(error), tenantId, mode })
          message.ack()
          return
        }
        log('error', { event: 'message_failed', kind, customerId, error: describeError(error), tenantId, mode })
        message.retry({ delaySeconds: RETRY_AFTER_SECONDS })
      }
    }),
  )
}

/** Does the work that the message is about. */
async function act(owed: OutboxMessage, env: Cloudflare.Env, outbox: Outbox): Promise<void> {
  const { tenantId, mode, customerId } = owed
  if (owed.kind === 'deliver') await deliver(owed, env, outbox)
  else await startOnboarding({ tenantId, mode, customerId }, env)
}
