/**
 * The composition of webhooks: chooses the real stores, resolver and fetch for the v1 API, the queue consumer and the
 * sweep.
 */
import { readEnv } from '../env.ts'
import { NOT_SIGNED, type PostDeps, postSigned } from '../events/deliver.ts'
import { SAMPLE_BOUNDS } from '../events/endpoints.ts'
import { drainLane } from '../events/lane.ts'
import { deliverMessage, type OutboxMessage } from '../events/messages.ts'
import type { Chain, DrainDeps, Drained, Outbox } from '../events/outbox.ts'
import { bodyOf } from '../events/payload.ts'
import type { EndpointDeps, EndpointStore } from '../events/ports.ts'
import { resolveOverHttps } from '../events/resolve.ts'
import { type SecretVault, secretVault } from '../events/secret-vault.ts'
import { sendAll } from '../events/send.ts'
import { RECEIVER_TIMEOUT_MS } from '../events/slots.ts'
import type { RunsAt } from '../http/services.ts'
import type { Scope } from '../registry/customer.ts'
import { systemClock } from '../shared/clock.ts'
import { newId } from '../shared/ids.ts'
import { describeError, log } from '../shared/log.ts'
import { readArchivedEvent } from '../storage/events/event-log.ts'
import { sweepDeliveries } from '../storage/webhooks/deliveries.ts'
import { endpointStore } from '../storage/webhooks/endpoints.ts'
import { overdueDeliveries, resumedDeliveries } from '../storage/webhooks/overdue.ts'
import type { Author } from '../tenants/ports.ts'
import { databaseOf, type MethodsOf, storeOf } from './databases.ts'
import { enqueueDeliveries, logNotEnqueued } from './outbox.ts'
import { heavyReadsOf } from './turns.ts'

/** Seconds added to a delay, because clocks differ: a message that arrives a moment early would find nothing due. */
const CLOCKS_DIFFER_SECONDS = 1
/** The longest delay that Cloudflare Queues allows, in seconds. The sweep finds deliveries that are due later. */
const DELAY_SECONDS_MAX = 86_400

const ENDPOINTS: MethodsOf<EndpointStore> = {
  ...{ insert: true, list: true, get: true, update: true, replaceSecrets: true, remove: true },
  ...{ deliveries: true, redeliver: true, hasWaiting: true, hurry: true },
  ...{ storedResponse: true, storeResponse: true },
}

const outbound: typeof fetch = (request, init) => fetch(request, init)
const resolve = resolveOverHttps(outbound, systemClock)

/** Returns what a request to a tenant's URL needs. Webhooks and onboarding steps use it. */
export function postDeps(env: Cloudflare.Env): PostDeps {
  const { allowLocalWebhooks: allowLocal } = readEnv(env)
  return { fetch: outbound, clock: systemClock, resolve, allowLocal, timeoutMs: RECEIVER_TIMEOUT_MS }
}

/** Returns what seals and opens the secrets of webhooks and onboarding. */
export function vaultOf(env: Cloudflare.Env): SecretVault {
  return secretVault(readEnv(env).signingSecrets)
}

/** With `author`, the changes are those of an operator, and in the audit. */
export function endpointDeps(at: RunsAt, scope: Scope, author: Author | null = null): EndpointDeps {
  const { env } = at
  const { archive } = readEnv(env)
  const store = storeOf(readEnv(env), scope, ENDPOINTS, (d1) => endpointStore(d1, scope, vaultOf(env), author, archive))
  const later = heavyReadsOf(at, scope)
  return {
    ...postDeps(env),
    scope,
    newId,
    store: {
      ...store,
      deliveries: (id, query) =>
        query.status === undefined ? store.deliveries(id, query) : later(() => store.deliveries(id, query)),
      redeliver: (...given) => later(() => store.redeliver(...given)),
    },
    enqueueDeliveries: (endpointId, customerIds) => enqueueDeliveries(env, scope, customerIds, { endpointId }),
  }
}

/**
 * Handles a message that there is something to deliver, and goes on with customers of the endpoint that wait. `outbox` is that of
 * the tenant's database and of the invocation.
 */
export async function deliver(
  message: OutboxMessage & { kind: 'deliver' },
  env: Cloudflare.Env,
  outbox: Outbox,
): Promise<void> {
  const { tenantId, mode, endpointId, customerId } = message
  const chain: Chain = { tenantId, mode, endpointId, customerId }
  await drainLane(chain, drainDeps(chain, outbox, env), (drained, left) => enqueueLeft(drained, left, env))
}

function drainDeps(chain: Chain, outbox: Outbox, env: Cloudflare.Env): DrainDeps {
  const post = postDeps(env)
  const vault = vaultOf(env)
  const bindings = readEnv(env)
  return {
    outbox,
    clock: systemClock,
    readArchived: async (chain, eventId) =>
      readArchivedEvent(await databaseOf(bindings, chain), chain, eventId, bindings.archive),
    async send(event, { url, sealedSecrets }, timeoutMs) {
      const body = bodyOf(event)
      const secrets = await vault.open(sealedSecrets)
      if (!secrets) {
        log('error', { event: 'secret_unreadable', ...chain })
        return NOT_SIGNED
      }
      return postSigned({ url, secrets, id: event.id, body, response: SAMPLE_BOUNDS }, { ...post, timeoutMs })
    },
    onParked: (parked, { eventId }, error) =>
      // Logs the name of the error alone: a message of JSON.parse quotes the text, which is personal data of a
      // customer.
      log('error', { event: 'delivery_parked', eventId, error: error instanceof Error ? error.name : '', ...parked }),
  }
}

/** Enqueues what is left to do after a chain, delayed if it will be due later. */
async function enqueueLeft(chain: Chain, left: Drained, env: Cloudflare.Env): Promise<void> {
  const { againAtMs, disabled, broughtBack, broughtBackAtMs } = left
  const { endpointId, customerId } = chain
  const { outbox } = readEnv(env)
  if (broughtBack.length > 0) {
    const delaySeconds = delayUntil(broughtBackAtMs, systemClock())
    await enqueueDeliveries(env, chain, broughtBack, { endpointId, delaySeconds })
  }
  try {
    if (againAtMs !== null) {
      const message = deliverMessage(chain, endpointId, customerId)
      await outbox.send(message, { delaySeconds: delayUntil(againAtMs, systemClock()) })
    }
    if (disabled) {
      log('warn', { event: 'webhook_endpoint_disabled', ...chain })
      // The event about the disabled endpoint has no customer, so its customer id is empty.
      await enqueueDeliveries(env, chain, [''])
    }
  } catch (error) {
    logNotEnqueued(error, chain)
  }
}

/**
 * Lets the deliveries of a tenant that is active again go on, which waited while it was suspended. Never rejects: the
 * sweep finds those whose message is not sent.
 */
export async function resumeDeliveries(env: Cloudflare.Env, tenantId: string): Promise<void> {
  const bindings = readEnv(env)
  try {
    const d1 = await databaseOf(bindings, { tenantId, mode: 'live' })
    await sendAll(bindings.outbox, await resumedDeliveries(d1, tenantId, systemClock()))
  } catch (error) {
    log('error', { event: 'not_enqueued', error: describeError(error), tenantId })
  }
}

/** Sends overdue deliveries of a database to the queue again and deletes old ones. */
export async function sweepWebhooks(env: Cloudflare.Env, d1: D1Database, nowMs: number): Promise<void> {
  try {
    await sendAll(readEnv(env).outbox, await overdueDeliveries(d1, nowMs))
  } finally {
    await sweepDeliveries(d1, nowMs)
  }
}

function delayUntil(timeMs: number, nowMs: number): number {
  if (timeMs <= nowMs) return 0
  return Math.min(DELAY_SECONDS_MAX, Math.ceil((timeMs - nowMs) / 1_000) + CLOCKS_DIFFER_SECONDS)
}
