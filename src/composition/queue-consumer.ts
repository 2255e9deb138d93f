import { readEnv } from '../env.ts'
import { type MoveMessage, type OutboxMessage, readMessage, type SweepMessage } from '../events/messages.ts'
import type { Outbox } from '../events/outbox.ts'
import { newId } from '../shared/ids.ts'
import { describeError, log } from '../shared/log.ts'
import { isDatabaseFull, isTenantMoving } from '../storage/unavailable.ts'
import { webhookOutbox } from '../storage/webhooks/claims.ts'
import { databaseOf } from './databases.ts'
import { continueMove } from './moves.ts'
import { startOnboarding } from './onboarding.ts'
import { sweepDatabase } from './sweeps.ts'
import { deliver } from './webhooks.ts'

/** Seconds after which the queue repeats a message that failed. After a few repeats the sweep takes over. */
const RETRY_AFTER_SECONDS = 10
/** Seconds after which a tenant that was frozen for a move is in its other database. */
const MOVED_AFTER_SECONDS = 3

/** Handles each message of a batch by itself: the queue repeats a message that fails and no other. */
export async function consume(batch: MessageBatch, env: Cloudflare.Env): Promise<void> {
  const outboxOf = outboxes()
  await Promise.all(
    batch.messages.map(async (message) => {
      const owed = readMessage(message.body)
      try {
        if (owed) await act(owed, env, outboxOf)
        else log('warn', { event: 'message_ignored', messageId: message.id })
        message.ack()
      } catch (error) {
        const about = aboutOf(owed as NonNullable<typeof owed>)
        if (isDatabaseFull(error)) {
          // D1 cannot store any progress now. The sweep sends the message again when there is room.
          log('error', { event: 'database_full', error: describeError(error), ...about })
          message.ack()
          return
        }
        if (isTenantMoving(error)) return message.retry({ delaySeconds: MOVED_AFTER_SECONDS })
        log('error', { event: 'message_failed', error: describeError(error), ...about })
        message.retry({ delaySeconds: RETRY_AFTER_SECONDS })
      }
    }),
  )
}

/** Does the work that the message is about. */
async function act(
  owed: OutboxMessage | SweepMessage | MoveMessage,
  env: Cloudflare.Env,
  outboxOf: OutboxOf,
): Promise<void> {
  if (owed.kind === 'sweep') return sweepDatabase(env, owed.database)
  if (owed.kind === 'move') return continueMove(env, owed.tenantId)
  const { tenantId, mode, customerId } = owed
  if (owed.kind === 'deliver') await deliver(owed, env, outboxOf(await databaseOf(readEnv(env), owed)))
  else await startOnboarding({ tenantId, mode, customerId }, env)
}

type OutboxOf = (d1: D1Database) => Outbox

/** Returns a function that opens the outbox of a database once: the messages of an invocation share its trips. */
function outboxes(): OutboxOf {
  const opened = new Map<D1Database, Outbox>()
  return function outboxOf(d1) {
    const outbox = opened.get(d1) ?? webhookOutbox(d1, newId)
    opened.set(d1, outbox)
    return outbox
  }
}

/** Returns the fields of a message that the logs name. */
function aboutOf(owed: OutboxMessage | SweepMessage | MoveMessage) {
  if (owed.kind === 'sweep') return { kind: owed.kind, database: owed.database }
  if (owed.kind === 'move') return { kind: owed.kind, tenantId: owed.tenantId }
  const { kind, customerId, tenantId, mode } = owed
  return { kind, customerId, tenantId, mode }
}
