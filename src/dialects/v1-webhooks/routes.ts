/**
 * The door of webhooks, `/v1/webhooks/endpoints`: where a tenant wants to be told of changes, and what became of that.
 */
import { Hono } from 'hono'
import {
  type By,
  createEndpoint,
  deleteEndpoint,
  getEndpoint,
  listDeliveries,
  listEndpoints,
  redeliverEvents,
  rotateSecret,
  testEndpoint,
  updateEndpoint,
} from '../../events/endpoints.ts'
import type { EndpointDeps } from '../../events/ports.ts'
import { answer } from '../../http/answer.ts'
import { admitFirst } from '../../http/authenticate.ts'
import { jsonBody, optionalJsonBody } from '../../http/body.ts'
import { logChange } from '../../http/change-log.ts'
import type { HttpContext, HttpEnv } from '../../http/door.ts'
import { repeatableOfTenant } from '../../http/sealed-idempotency.ts'
import { noQuery, validJson, validQuery } from '../../http/validate.ts'
import { Refused } from '../../registry/failures.ts'
import type { Wiring } from '../../wiring.ts'
import { cursorOf, secretRotate } from '../fields.ts'
import {
  deliveryListQuery,
  endpointCreate,
  endpointTest,
  endpointUpdate,
  isEndpointId,
  placeOf,
  redelivery,
} from './schema.ts'
import { toChanges, toNewEndpoint, toRedelivery, toV1Deliveries, toV1Endpoint, toV1NewSecret } from './translate.ts'

export function v1Webhooks(wiring: Wiring) {
  /** Admits the caller, who must have the scope, and says who it is and what there is to work with. */
  async function enter(c: HttpContext): Promise<{ actor: string; deps: EndpointDeps; nowMs: number }> {
    const registry = c.get('registry')
    const actor = await registry.require('webhooks')
    return { actor, deps: wiring.webhooks(c.env, registry.scope), nowMs: c.get('nowMs') }
  }

  /** The same for a POST, which may be sent twice. */
  async function enterOnce(c: HttpContext): Promise<{ deps: EndpointDeps; by: By & { actor: string } }> {
    const { deps, actor, nowMs } = await enter(c)
    return {
      deps,
      by: { actor, nowMs, repeatable: await repeatableOfTenant(c, wiring.bindings(c.env).signingSecrets) },
    }
  }

  return new Hono<HttpEnv>()
    .post('/', admitFirst, noQuery, jsonBody, validJson(endpointCreate), async (c) => {
      const { deps, by } = await enterOnce(c)
      const endpoint = await createEndpoint(deps, toNewEndpoint(c.req.valid('json')), by)
      logChange(c, 'webhook_endpoint_created', { endpointId: endpoint.id, actor: by.actor })
      return answer(c, 201, toV1NewSecret(endpoint))
    })
    .get('/', noQuery, async (c) => {
      const { deps } = await enter(c)
      const endpoints = await listEndpoints(deps)
      return answer(c, 200, { items: endpoints.map(toV1Endpoint) })
    })
    .get('/:endpoint_id', noQuery, async (c) => {
      const { deps } = await enter(c)
      return answer(c, 200, toV1Endpoint(await getEndpoint(deps, endpointId(c))))
    })
    .patch('/:endpoint_id', admitFirst, noQuery, jsonBody, validJson(endpointUpdate), async (c) => {
      const { deps, actor, nowMs } = await enter(c)
      const endpoint = await updateEndpoint(deps, endpointId(c), toChanges(c.req.valid('json')), nowMs)
      logChange(c, 'webhook_endpoint_updated', { endpointId: endpoint.id, actor })
      return answer(c, 200, toV1Endpoint(endpoint))
    })
    .delete('/:endpoint_id', admitFirst, noQuery, async (c) => {
      const { deps, actor } = await enter(c)
      await deleteEndpoint(deps, endpointId(c))
      logChange(c, 'webhook_endpoint_deleted', { endpointId: endpointId(c), actor })
      return answer(c, 204, null)
    })
    .post('/:endpoint_id/rotate', admitFirst, noQuery, optionalJsonBody, validJson(secretRotate), async (c) => {
      const { deps, by } = await enterOnce(c)
      const overlapMs = c.req.valid('json').overlap_seconds * 1_000
      const endpoint = await rotateSecret(deps, endpointId(c), overlapMs, by)
      logChange(c, 'webhook_secret_rotated', { endpointId: endpoint.id, actor: by.actor })
      return answer(c, 201, toV1NewSecret(endpoint))
    })
    .post('/:endpoint_id/test', admitFirst, noQuery, optionalJsonBody, validJson(endpointTest), async (c) => {
      const { deps, by } = await enterOnce(c)
      const { type } = c.req.valid('json')
      const posted = await testEndpoint(deps, endpointId(c), type, by)
      const { eventId, statusCode, error, durationMs, answer: text } = posted
      return answer(c, 200, {
        event_id: eventId,
        delivered: statusCode !== null && statusCode >= 200 && statusCode < 300,
        status_code: statusCode,
        error,
        duration_ms: durationMs,
        answer: text,
      })
    })
    .get('/:endpoint_id/deliveries', validQuery(deliveryListQuery), async (c) => {
      const { deps } = await enter(c)
      const { limit, cursor, status } = c.req.valid('query')
      const query = { limit, status, after: cursor === undefined ? null : placeOf(cursor) }
      return answer(c, 200, toV1Deliveries(await listDeliveries(deps, endpointId(c), query), query))
    })
    .post('/:endpoint_id/redeliver', admitFirst, noQuery, jsonBody, validJson(redelivery), async (c) => {
      const { deps, by } = await enterOnce(c)
      const which = toRedelivery(c.req.valid('json'))
      const { count, nextAfterId } = await redeliverEvents(deps, endpointId(c), which, by)
      logChange(c, 'webhooks_redelivered', { endpointId: endpointId(c), actor: by.actor, count })
      const cursor = nextAfterId && cursorOf(nextAfterId)
      return answer(c, 202, { redelivered: count, next_cursor: cursor, has_more: cursor !== null })
    })
}

/** Another form can be no endpoint's. */
function endpointId(c: HttpContext): string {
  const id = c.req.param('endpoint_id') ?? ''
  if (!isEndpointId(id)) throw new Refused({ reason: 'not_found', resource: 'endpoint' })
  return id
}
