/**
 * What a tenant may do with its webhook endpoints, one function each; the door calls these and nothing below. A secret is
 * told when it is made and never again. All throw `Refused`.
 */
import { Refused } from '../registry/failures.ts'
import { keptAfterwards, onceOnly, type Repeatable } from '../registry/once.ts'
import { describeError, log } from '../shared/log.ts'
import type { EventType } from './catalogue.ts'
import { type Posted, postSigned } from './deliver.ts'
import { type DestinationProblem, problemOfDestination } from './destination.ts'
import { bodyOf } from './payload.ts'
import type { DeliveryPage, DeliveryQuery, Endpoint, EndpointChanges, EndpointDeps, Redelivery } from './ports.ts'
import { rotateSecrets } from './rotation.ts'
import { sampleEvent } from './sample.ts'
import { newSecret } from './signature.ts'

/** Each is some rows more for every change; kept by the trigger `webhook_endpoints_max`. */
const ENDPOINTS_MAX = 20
/** What is kept of an answer: enough to see what went wrong. */
export const ANSWER_BYTES_MAX = 500
const RETRY_AFTER_MS = 1_000

export interface NewEndpoint {
  url: string
  description: string
  eventTypes: EventType[] | null
  enabled: boolean
}

/** When a change is asked for, and what makes it safe to be asked for twice. */
export interface By {
  nowMs: number
  repeatable: Repeatable | null
}

/** The secret is the first of the endpoint that is answered. */
export function createEndpoint(
  deps: EndpointDeps,
  fields: NewEndpoint,
  { actor, nowMs, repeatable }: By & { actor: string },
): Promise<Endpoint> {
  return onceOnly(deps, repeatable, async (keep) => {
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
    }
    if (await deps.store.insert(endpoint, await keep(null, endpoint))) return endpoint
    throw new Refused({ reason: 'too_many_endpoints', endpointsMax: ENDPOINTS_MAX })
  })
}

export function listEndpoints({ store }: EndpointDeps): Promise<Endpoint[]> {
  return store.list()
}

export async function getEndpoint({ store }: EndpointDeps, id: string): Promise<Endpoint> {
  return found(await store.get(id))
}

/** To be enabled again is a fresh start: what the endpoint failed at before is not held against it. */
export async function updateEndpoint(
  deps: EndpointDeps,
  id: string,
  changes: EndpointChanges,
  nowMs: number,
): Promise<Endpoint> {
  // Who has no such endpoint learns nothing of the URL.
  found(await deps.store.get(id))
  const url = changes.url === undefined ? undefined : await publicUrl(deps, changes.url)
  return found(await deps.store.update(id, { ...changes, url }, nowMs))
}

/** What is still to be sent to it is given up. */
export async function deleteEndpoint({ store }: EndpointDeps, id: string): Promise<void> {
  if (!(await store.remove(id))) throw noSuchEndpoint()
}

/** The new secret is the first of the endpoint that is answered. */
export function rotateSecret(
  deps: EndpointDeps,
  id: string,
  overlapMs: number,
  { nowMs, repeatable }: By,
): Promise<Endpoint> {
  const { store } = deps
  return onceOnly(deps, repeatable, (keep) =>
    rotateSecrets({ overlapMs, nowMs }, async (rotate) => {
      const endpoint = found(await store.get(id))
      const { secrets } = rotate(endpoint.secrets)
      const made = { ...endpoint, secrets, updatedAtMs: nowMs }
      return (await store.replaceSecrets(id, endpoint.secrets, secrets, nowMs, await keep(null, made))) ? made : null
    }),
  )
}

/** Sends a made-up event of that type now, signed like any other. It is no delivery: nothing is kept, or sent again. */
export function testEndpoint(
  deps: EndpointDeps,
  id: string,
  type: EventType,
  { nowMs, repeatable }: By,
): Promise<Posted & { eventId: string }> {
  return onceOnly(deps, repeatable, async (keep) => {
    const { url, secrets } = found(await deps.store.get(id))
    const eventId = deps.newId('event', nowMs)
    const body = bodyOf(sampleEvent(type, deps.scope, eventId, nowMs))
    const posted = await postSigned({ url, secrets, id: eventId, body, answerBytesMax: ANSWER_BYTES_MAX }, deps)
    // Whoever dies before has it done again, which sends at most the same once more.
    return keptAfterwards(deps.store, keep, { ...posted, eventId })
  })
}

/** Newest event first, each delivery with its attempts. */
export async function listDeliveries({ store }: EndpointDeps, id: string, query: DeliveryQuery): Promise<DeliveryPage> {
  found(await store.get(id))
  return store.deliveries(id, query)
}

/** Has events sent once more. Bounded: when there are more, the answer says where the next call goes on. */
export function redeliverEvents(
  deps: EndpointDeps,
  id: string,
  which: Redelivery,
  { nowMs, repeatable }: By,
): Promise<{ count: number; nextAfterId: string | null }> {
  const { store, announce } = deps
  return onceOnly(deps, repeatable, async (keep) => {
    const endpoint = found(await store.get(id))
    if (!endpoint.enabled) throw new Refused({ reason: 'endpoint_disabled' })
    const redelivered = await store.redeliver(endpoint, which, nowMs)
    if (!redelivered) throw new Refused({ reason: 'not_found', resource: 'event' })
    const { count, customerIds, nextAfterId } = redelivered
    await announce(id, customerIds)
    return keptAfterwards(store, keep, { count, nextAfterId })
  })
}

async function publicUrl(deps: EndpointDeps, text: string): Promise<string> {
  let problem: DestinationProblem | null
  try {
    problem = await problemOfDestination(text, deps)
  } catch (error) {
    // Nobody knows whether the host is public: it may be tried again.
    log('warn', { event: 'lookup_failed', error: describeError(error), ...deps.scope })
    throw new Refused({ reason: 'unavailable', retryAfterMs: RETRY_AFTER_MS })
  }
  if (problem) throw refusedField('url', problem)
  return new URL(text).href
}

function refusedField(field: string, { message, fix }: DestinationProblem): Refused {
  return new Refused({ reason: 'invalid_input', problems: [{ field, message, fix }] })
}

function found(endpoint: Endpoint | null): Endpoint {
  if (!endpoint) throw noSuchEndpoint()
  return endpoint
}

function noSuchEndpoint(): Refused {
  return new Refused({ reason: 'not_found', resource: 'endpoint' })
}
