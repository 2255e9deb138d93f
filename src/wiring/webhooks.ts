/**
 * What wiring.ts is for requests, this is for webhooks: chooses the real stores, resolver and fetch for the door, for the
 * queue's consumer and for the sweep.
 */
import { readEnv } from '../env.ts'
import { type PostDeps, postSigned } from '../events/deliver.ts'
import { ANSWER_BYTES_MAX } from '../events/endpoints.ts'
import { deliverMessage, type OutboxMessage } from '../events/messages.ts'
import { type Chain, drainChain } from '../events/outbox.ts'
import { bodyOf } from '../events/payload.ts'
import type { EndpointDeps } from '../events/ports.ts'
import { resolveOverHttps } from '../events/resolve.ts'
import { sendAll } from '../events/send.ts'
import type { Scope } from '../registry/customer.ts'
import { systemClock } from '../shared/clock.ts'
import { newId } from '../shared/ids.ts'
import { describeError, log } from '../shared/log.ts'
import { owedTo } from '../storage/outbox.ts'
import { sweepDeliveries } from '../storage/webhook-deliveries.ts'
import { endpointStore } from '../storage/webhook-endpoints.ts'
import { overdueDeliveries, webhookOutbox } from '../storage/webhook-outbox.ts'

/** Receivers are told to answer first and to work then. */
const POST_TIMEOUT_MS = 15_000
/** Clocks differ: a message that comes a moment early would find nothing due. */
const CLOCKS_DIFFER_SECONDS = 1
/** Of Cloudflare Queues. What is due later the sweep finds. */
const DELAY_SECONDS_MAX = 86_400

const outbound: typeof fetch = (request, init) => fetch(request, init)
const resolve = resolveOverHttps(outbound, systemClock)

/** For whatever a tenant has Roster call. */
export function postDeps(env: Cloudflare.Env): PostDeps {
  const { allowLocalWebhooks: allowLocal } = readEnv(env)
  return { fetch: outbound, clock: systemClock, resolve, allowLocal, timeoutMs: POST_TIMEOUT_MS }
}

export function endpointDeps(env: Cloudflare.Env, scope: Scope): EndpointDeps {
  const { db, outbox } = readEnv(env)
  return {
    ...postDeps(env),
    scope,
    newId,
    store: endpointStore(db, scope),
    async announce(endpointId, customerIds) {
      const messages = customerIds.map((customerId) => deliverMessage(scope, endpointId, customerId))
      await sendAll(outbox, messages).catch((error) => notSent(error, scope))
    },
  }
}

/** What a message says: there is something to deliver. Has the queue come back when there will be more. */
export async function deliver(message: OutboxMessage & { kind: 'deliver' }, env: Cloudflare.Env): Promise<void> {
  const { db, outbox } = readEnv(env)
  const { tenantId, mode, endpointId, customerId } = message
  const chain: Chain = { tenantId, mode, endpointId, customerId }
  const post = postDeps(env)
  const { againAtMs, disabled } = await drainChain(chain, {
    outbox: webhookOutbox(db, newId),
    clock: systemClock,
    send: (event, { url, secrets }) =>
      postSigned({ url, secrets, id: event.id, body: bodyOf(event), answerBytesMax: ANSWER_BYTES_MAX }, post),
    onParked: (_chain, { eventId }, error) =>
      // Its name alone: what JSON.parse says of a text quotes from it, and the text is a customer.
      log('error', { event: 'delivery_parked', eventId, error: error instanceof Error ? error.name : '', ...chain }),
  })
  try {
    if (againAtMs !== null) await outbox.send(message, { delaySeconds: delayUntil(againAtMs, systemClock()) })
    if (disabled) {
      log('warn', { event: 'webhook_endpoint_disabled', ...chain })
      // The event that says so is about no customer.
      await sendAll(outbox, await owedTo(db, chain, ['']))
    }
  } catch (error) {
    notSent(error, chain)
  }
}

/** Says anew what nobody has seen to, and forgets what is old. */
export async function sweepWebhooks(env: Cloudflare.Env, nowMs: number): Promise<void> {
  const { db, outbox } = readEnv(env)
  try {
    await sendAll(outbox, await overdueDeliveries(db, nowMs))
  } finally {
    await sweepDeliveries(db, nowMs)
  }
}

function delayUntil(timeMs: number, nowMs: number): number {
  if (timeMs <= nowMs) return 0
  return Math.min(DELAY_SECONDS_MAX, Math.ceil((timeMs - nowMs) / 1_000) + CLOCKS_DIFFER_SECONDS)
}

/** The sweep will say it. */
function notSent(error: unknown, { tenantId, mode }: Scope): void {
  log('error', { event: 'not_announced', error: describeError(error), tenantId, mode })
}
