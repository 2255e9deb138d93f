/**
 * Sends messages to the queue in batches of the largest size that it accepts.
 */
import type { OutboxMessage } from './messages.ts'

/** Limit of Cloudflare Queues. */
const BATCH_MESSAGES_MAX = 100

export async function sendAll(
  queue: Queue<OutboxMessage>,
  messages: readonly OutboxMessage[],
  delaySeconds = 0,
): Promise<void> {
  for (let at = 0; at < messages.length; at += BATCH_MESSAGES_MAX) {
    await queue.sendBatch(
      messages.slice(at, at + BATCH_MESSAGES_MAX).map((body) => ({ body })),
      { delaySeconds },
    )
  }
}
