/**
 * Routes of `/v1/webhooks/endpoints`: the URLs that receive a tenant's events, and the deliveries to them.
 */

import { toShownEndpoint } from '../../../events/endpoint-format.ts'
import {
  type By,
  createEndpoint,
  deleteEndpoint,
  getEndpoint,
  listDeliveries,
  listEndpoints,
  redeliverEvents,
  retryDeliveries,
  rotateSecret,
  testEndpoint,
  updateEndpoint,
} from '../../../events/endpoints.ts'
import type { EndpointDeps } from '../../../events/ports.ts'
import { actingAuthorOf } from '../../../http/acting-author.ts'
import type { HttpContext, HttpEnv } from '../../../http/api.ts'
import { logChange } from '../../../http/change-log.ts'
import { etagOf, isNotModified } from '../../../http/conditional.ts'
import { Hono } from '../../../http/hono.ts'
import { tenantIdempotentRequest } from '../../../http/idempotency.ts'
import { respond, respondNotModified } from '../../../http/respond.ts'
import type { Services } from '../../../http/services.ts'
import { notFound } from '../../../registry/errors.ts'
import { isId } from '../../../shared/ids.ts'
import { webhookContracts } from './contract.ts'
import {
  toChanges,
  toNewEndpoint,
  toRedelivery,
  toV1Deliveries,
  toV1NewSecret,
  toV1Test,
  toWaiting,
} from './mapping.ts'
import { placeOf } from './schema.ts'

export function v1Webhooks(services: Services) {
  const { create, list, get, update, rotate, test, listDeliveries: deliveries, redeliver } = webhookContracts
  const { delete: remove, retry } = webhookContracts

  function depsOf(c: HttpContext): EndpointDeps {
    return services.webhooks(c, c.get('registry').scope, actingAuthorOf(c))
  }

  /** Returns the author of a change, its time, and the Idempotency-Key of the request. */
  async function byOf(c: HttpContext, actor: string): Promise<By & { actor: string }> {
    const { signingSecrets } = services.bindings(c.env)
    return { actor, nowMs: c.get('nowMs'), idempotentRequest: await tenantIdempotentRequest(c, signingSecrets) }
  }

  return new Hono<HttpEnv>()
    .post(
      create.path,
      create.handle(async (c, { body, actor }) => {
        const endpoint = await createEndpoint(depsOf(c), toNewEndpoint(body), await byOf(c, actor))
        logChange(c, 'webhook_endpoint_created', { endpointId: endpoint.id, actor })
        return respond(c, 201, toV1NewSecret(endpoint), { etag: etagOf(endpoint.version) })
      }),
    )
    .get(
      list.path,
      list.handle(async (c) => {
        const endpoints = await listEndpoints(depsOf(c))
        return respond(c, 200, { items: endpoints.map(toShownEndpoint) })
      }),
    )
    .get(
      get.path,
      get.handle(async (c) => {
        const endpoint = await getEndpoint(depsOf(c), endpointId(c))
        const etag = etagOf(endpoint.version)
        if (isNotModified(c.req.raw.headers, etag, 'endpoint')) return respondNotModified(c, etag)
        return respond(c, 200, toShownEndpoint(endpoint), { etag })
      }),
    )
    .patch(
      update.path,
      update.handle(async (c, { body, precondition, actor }) => {
        const changes = toChanges(body)
        const endpoint = await updateEndpoint(depsOf(c), endpointId(c), changes, c.get('nowMs'), precondition)
        logChange(c, 'webhook_endpoint_updated', { endpointId: endpoint.id, actor })
        return respond(c, 200, toShownEndpoint(endpoint), { etag: etagOf(endpoint.version) })
      }),
    )
    .delete(
      remove.path,
      remove.handle(async (c, { precondition, actor }) => {
        await deleteEndpoint(depsOf(c), endpointId(c), precondition)
        logChange(c, 'webhook_endpoint_deleted', { endpointId: endpointId(c), actor })
        return respond(c, 204, null)
      }),
    )
    .post(
      rotate.path,
      rotate.handle(async (c, { body, actor }) => {
        const overlapMs = body.overlap_seconds * 1_000
        const endpoint = await rotateSecret(depsOf(c), endpointId(c), overlapMs, await byOf(c, actor))
        logChange(c, 'webhook_secret_rotated', { endpointId: endpoint.id, actor })
        return respond(c, 201, toV1NewSecret(endpoint), { etag: etagOf(endpoint.version) })
      }),
    )
    .post(
      test.path,
      test.handle(async (c, { body, actor }) => {
        const posted = await testEndpoint(depsOf(c), endpointId(c), body.type, await byOf(c, actor))
        return respond(c, 200, toV1Test(posted))
      }),
    )
    .get(
      deliveries.path,
      deliveries.handle(async (c, { query: { limit, status }, page }) => {
        const query = { limit, status, after: page.position === null ? null : placeOf(page.position) }
        const found = await listDeliveries(depsOf(c), endpointId(c), query)
        return respond(c, 200, await toV1Deliveries(found, query, page))
      }),
    )
    .post(
      retry.path,
      retry.handle(async (c, { body, actor }) => {
        const by = await byOf(c, actor)
        const { count, hasMore } = await retryDeliveries(depsOf(c), endpointId(c), toWaiting(body), by)
        logChange(c, 'webhooks_retried', { endpointId: endpointId(c), actor, count })
        return respond(c, 202, { retried: count, has_more: hasMore })
      }),
    )
    .post(
      redeliver.path,
      redeliver.handle(async (c, { body, actor, page }) => {
        const which = toRedelivery(body, page.position)
        const takePermit = () => c.get('registry').admission.readmit('webhooks:manage')
        const by = { ...(await byOf(c, actor)), takePermit }
        const { count, retried, nextAfterId } = await redeliverEvents(depsOf(c), endpointId(c), which, by)
        logChange(c, 'webhooks_redelivered', { endpointId: endpointId(c), actor, count })
        const cursor = await page.next(nextAfterId)
        return respond(c, 202, { redelivered: count, retried, next_cursor: cursor, has_more: cursor !== null })
      }),
    )
}

/** Throws `RegistryError` with `not_found` if the id in the path does not have the form of an endpoint's id. */
function endpointId(c: HttpContext): string {
  const id = c.req.param('endpoint_id') ?? ''
  if (!isId('webhookEndpoint', id)) throw notFound('endpoint')
  return id
}
