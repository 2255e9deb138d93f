/**
 * What wiring.ts is for requests, this is for the outbox: chooses the real queue and stores for what follows a change, and
 * hands a message to whoever does what it says.
 */
import { readEnv } from '../env.ts'
import { type OutboxMessage, readMessage } from '../events/messages.ts'
import { sendAll } from '../events/send.ts'
import type { Scope } from '../registry/customer.ts'
import { describeError, log } from '../shared/log.ts'
import { owedTo } from '../storage/outbox.ts'
import { startOnboarding } from './onboarding.ts'
import { deliver } from './webhooks.ts'

/** A message that could not be dealt with comes again after this; after a few times the sweep takes over. */
const RETRY_AFTER_SECONDS = 10

/** Says through the queue what is owed to these customers. What goes wrong is logged: the sweep will say it again. */
export async function announce(env: Cloudflare.Env, scope: Scope, customerIds: readonly string[]): Promise<void> {
  const { db, outbox } = readEnv(env)
  try {
    await sendAll(outbox, await owedTo(db, scope, customerIds))
  } catch (error) {
    log('error', { event: 'not_announced', error: describeError(error), ...scope })
  }
}

/** Each message by itself: one that fails comes again, the others are done. */
export async function consume(batch: MessageBatch, env: Cloudflare.Env): Promise<void> {
  await Promise.all(
    batch.messages.map(async (message) => {
      const owed = readMessage(message.body)
      try {
        if (owed) await act(owed, env)
        else log('warn', { event: 'message_ignored', messageId: message.id })
        message.ack()
      } catch (error) {
        const { kind, tenantId, mode, customerId } = owed as OutboxMessage
        log('error', { event: 'message_failed', kind, customerId, error: describeError(error), tenantId, mode })
        message.retry({ delaySeconds: RETRY_AFTER_SECONDS })
      }
    }),
  )
}

/** Does what the message says. */
async function act(owed: OutboxMessage, env: Cloudflare.Env): Promise<void> {
  const { tenantId, mode, customerId } = owed
  if (owed.kind === 'deliver') await deliver(owed, env)
  else await startOnboarding({ tenantId, mode, customerId }, env)
}
