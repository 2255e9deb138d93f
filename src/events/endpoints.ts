/**
 * The operations on a tenant's webhook endpoints, one function each. The APIs call these and nothing below. The
 * response that creates or rotates a secret is the only one that shows it. All functions throw `RegistryError`.
 */

import { type IdempotentRequest, storeResultAfter, withIdempotency } from '../idempotency/idempotency.ts'
import { invalidField, notFound, RegistryError, ruledOut, unavailable } from '../registry/errors.ts'
import type { Precondition } from '../registry/precondition.ts'
import { SECOND_MS } from '../shared/durations.ts'
import { describeError, log } from '../shared/log.ts'
import type { EventType } from './catalogue.ts'
import { type BodyBounds, type Posted, postSigned } from './deliver.ts'
import { type DestinationProblem, problemOfDestination } from './destination.ts'
import { bodyOf } from './payload.ts'
import type {
  DeliveryPage,
  DeliveryQuery,
  Endpoint,
  EndpointChanges,
  EndpointDeps,
  Redelivery,
  Waiting,
} from './ports.ts'
import { rotateSecrets } from './rotation.ts'
import { sampleEvent } from './sample.ts'
import { newSecret } from './signature.ts'

/** Each endpoint adds rows to every change. Enforced by the trigger `webhook_endpoints_max`. */
const ENDPOINTS_MAX = 20
/** The part of a response that is stored: enough to see what went wrong. */
export const SAMPLE_BOUNDS: BodyBounds = { bytesMax: 500, timeoutMs: SECOND_MS }

export interface NewEndpoint {
  url: string
  description: string
  eventTypes: EventType[] | null
  enabled: boolean
}

/** Time of a request and its idempotency key, if it has one. */
export interface By {
  nowMs: number
  idempotentRequest: IdempotentRequest | null
}

/** Creates an endpoint. The first of its secrets is shown this once. */
export function createEndpoint(
  deps: EndpointDeps,
  fields: NewEndpoint,
  { actor, nowMs, idempotentRequest }: By & { actor: string },
): Promise<Endpoint> {
  return withIdempotency(deps, idempotentRequest, async (keep) => {
    const url = await publicUrl(deps, fields.url)
    const endpoint: Endpoint = {
      ...fields,
      url,
      id: deps.newId('webhookEndpoint', nowMs),
      disabledReason: null,
      failingSinceMs: null,
      secrets: [{ secret: newSecret(), expiresAtMs: null }],
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      createdBy: actor,
      version: 1,
    }
    if (await deps.store.insert(endpoint, await keep(endpoint))) return endpoint
    throw new RegistryError({ reason: 'too_many_endpoints', endpointsMax: ENDPOINTS_MAX })
  })
}

export function listEndpoints({ store }: EndpointDeps): Promise<Endpoint[]> {
  return store.list()
}

export async function getEndpoint({ store }: EndpointDeps, id: string): Promise<Endpoint> {
  return found(await store.get(id))
}

/**
 * Changes an endpoint. Enabling it again is a fresh start: its earlier failures no longer count. After that, and after
 * a change of the URL, its waiting deliveries are attempted now. Throws `version_conflict` if the endpoint does not meet
 * the precondition; it is then unchanged.
 */
export async function updateEndpoint(
  deps: EndpointDeps,
  id: string,
  changes: EndpointChanges,
  nowMs: number,
  precondition: Precondition | null = null,
): Promise<Endpoint> {
  // A caller without such an endpoint must learn nothing about the URL.
  found(await deps.store.get(id))
  const url = changes.url === undefined ? undefined : await publicUrl(deps, changes.url)
  const endpoint = found(await deps.store.update(id, { ...changes, url }, nowMs, precondition))
  if (url !== undefined || changes.enabled) await hurry(deps, id, { kind: 'all' }, nowMs)
  return endpoint
}

/** Deletes an endpoint. Its pending deliveries are given up. Throws `version_conflict` as `updateEndpoint` does. */
export async function deleteEndpoint(
  { store, clock }: EndpointDeps,
  id: string,
  precondition: Precondition | null = null,
): Promise<void> {
  if (!(await store.remove(id, clock(), precondition))) throw notFound('endpoint')
}

/** Adds a new secret, the first in the endpoint that is returned. Waiting deliveries are attempted with it now. */
export function rotateSecret(
  deps: EndpointDeps,
  id: string,
  overlapMs: number,
  { nowMs, idempotentRequest }: By,
): Promise<Endpoint> {
  const { store } = deps
  return withIdempotency(deps, idempotentRequest, (keep) =>
    rotateSecrets({ overlapMs, nowMs }, async (rotate) => {
      const endpoint = found(await store.get(id))
      const { secrets } = rotate(endpoint.secrets)
      const made = { ...endpoint, secrets, updatedAtMs: nowMs, version: endpoint.version + 1 }
      if (!(await store.replaceSecrets(id, endpoint, secrets, nowMs, await keep(made)))) return null
      await hurry(deps, id, { kind: 'all' }, nowMs)
      return made
    }),
  )
}

/**
 * Sends a made-up event of that type now, signed like any other. It is not a delivery: it is neither stored nor
 * retried.
 */
export function testEndpoint(
  deps: EndpointDeps,
  id: string,
  type: EventType,
  { nowMs, idempotentRequest }: By,
): Promise<Posted & { eventId: string }> {
  return withIdempotency(deps, idempotentRequest, async (keep) => {
    const { url, secrets } = found(await deps.store.get(id))
    if (secrets.length === 0) throw unavailable()
    const eventId = deps.newId('event', nowMs)
    const body = bodyOf(sampleEvent(type, deps.scope, eventId, nowMs))
    const posted = await postSigned({ url, secrets, id: eventId, body, response: SAMPLE_BOUNDS }, deps)
    // If the Worker dies before this, a retry sends the same event once more.
    return storeResultAfter(deps.store, keep, { ...posted, eventId })
  })
}

/** Returns deliveries with their attempts, newest event first. */
export async function listDeliveries({ store }: EndpointDeps, id: string, query: DeliveryQuery): Promise<DeliveryPage> {
  found(await store.get(id))
  return store.deliveries(id, query)
}

/**
 * Attempts waiting deliveries now instead of later: all of the endpoint, or the one that the events of a delivery's
 * customer wait for. `count` is the number of customers. Each attempt counts as one of those that a delivery has.
 */
export function retryDeliveries(
  deps: EndpointDeps,
  id: string,
  which: Waiting,
  { nowMs, idempotentRequest }: By,
): Promise<{ count: number; hasMore: boolean }> {
  return withIdempotency(deps, idempotentRequest, async (keep) => {
    const { enabled } = found(await deps.store.get(id))
    if (!enabled) throw new RegistryError({ reason: 'endpoint_disabled' })
    return storeResultAfter(deps.store, keep, await hurry(deps, id, which, nowMs))
  })
}

/** Statements of one call: 5,000 deliveries. */
const HURRIES_MAX = 20

async function hurry({ store, enqueueDeliveries }: EndpointDeps, id: string, which: Waiting, nowMs: number) {
  let count = 0
  for (let done = 1; ; done++) {
    const hurried = await store.hurry(id, which, nowMs)
    if (!hurried) {
      const fix = 'send the id of one of GET …/deliveries?status=pending, or send its event again with redeliver'
      throw ruledOut('delivery_id', 'names no pending delivery of this endpoint', fix)
    }
    count += hurried.count
    await enqueueDeliveries(id, hurried.customerIds)
    if (!hurried.hasMore || done === HURRIES_MAX) return { count, hasMore: hurried.hasMore }
  }
}

/** Events that one call sends again. */
const REDELIVERED_MAX = 1_000
/** Events that one permit pays for. */
const REDELIVERED_PER_PERMIT = 100
/** While so many deliveries wait for a slot, further ones would only make a longer queue. */
const WAITING_MAX = 1_000

/**
 * Sends events once more, a bounded number. When there are more, the result says where the next call continues. Events
 * that are still pending are not sent twice: their next attempt is made now, and `retried` counts their customers.
 * The request's own permit pays for the first hundred events, and `takePermit` for each further hundred. Throws
 * `RegistryError` with `deliveries_waiting` while too many deliveries of the endpoint wait; an event that is named is
 * sent all the same.
 */
export function redeliverEvents(
  deps: EndpointDeps,
  id: string,
  which: Redelivery,
  { nowMs, idempotentRequest, takePermit }: By & { takePermit: () => Promise<void> },
): Promise<{ count: number; retried: number; nextAfterId: string | null }> {
  const { store, enqueueDeliveries } = deps
  return withIdempotency(deps, idempotentRequest, async (keep) => {
    const endpoint = found(await store.get(id))
    if (!endpoint.enabled) throw new RegistryError({ reason: 'endpoint_disabled' })
    if (which.kind !== 'event' && (await store.hasWaiting(id, WAITING_MAX))) {
      throw new RegistryError({ reason: 'deliveries_waiting', waitingMax: WAITING_MAX })
    }
    let count = 0
    let part: Redelivery = which
    let nextAfterId: string | null
    for (;;) {
      const redelivered = await store.redeliver(endpoint, part, REDELIVERED_PER_PERMIT, nowMs)
      if (!redelivered) throw notFound('event')
      await enqueueDeliveries(id, redelivered.customerIds)
      count += redelivered.count
      nextAfterId = redelivered.nextAfterId
      // A part that is not full has looked at as many rows as a permit pays for.
      const isFull = redelivered.count === REDELIVERED_PER_PERMIT
      if (part.kind === 'event' || nextAfterId === null || !isFull || count >= REDELIVERED_MAX) break
      await takePermit()
      part = { ...part, afterId: nextAfterId }
    }
    const { count: retried } = await hurry(deps, id, which.kind === 'event' ? which : { kind: 'all' }, nowMs)
    return storeResultAfter(store, keep, { count, retried, nextAfterId })
  })
}

async function publicUrl(deps: EndpointDeps, text: string): Promise<string> {
  let problem: DestinationProblem | null
  try {
    problem = await problemOfDestination(text, deps)
  } catch (error) {
    // The look-up failed, so the host may be public: the caller may retry.
    log('warn', { event: 'lookup_failed', error: describeError(error), ...deps.scope })
    throw unavailable()
  }
  if (problem) throw invalidField('url', problem.message, problem.fix)
  return new URL(text).href
}

function found(endpoint: Endpoint | null): Endpoint {
  if (!endpoint) throw notFound('endpoint')
  return endpoint
}
