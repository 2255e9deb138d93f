/** Routes of what a tenant has configured: its webhook endpoints and its onboarding, also while it is suspended. */

import type { HttpContext, HttpEnv } from '../../../http/api.ts'
import { etagOf, isNotModified } from '../../../http/conditional.ts'
import { Hono } from '../../../http/hono.ts'
import { respond, respondNotModified } from '../../../http/respond.ts'
import type { Services } from '../../../http/services.ts'
import { readSettings } from '../../../onboarding/operations.ts'
import type { Mode } from '../../../registry/customer.ts'
import { notFound } from '../../../registry/errors.ts'
import { isId } from '../../../shared/ids.ts'
import { getTenant } from '../../../tenants/operations.ts'
import { authorOf, logChange, tenantIdOf } from '../request.ts'
import {
  type DepsOf,
  endpointOf,
  endpointsOf,
  removeEndpoint,
  switchEndpoint,
  toAdminEndpoint,
  toAdminOnboarding,
} from './configured.ts'
import { endpointContracts } from './contract.ts'

export function endpoints(services: Services) {
  const { listEndpoints: list, getEndpoint: get, switchEndpoint: switched, deleteEndpoint: remove } = endpointContracts
  const { getOnboarding } = endpointContracts
  const deps = (c: HttpContext) => services.tenants(c.env, authorOf(c))

  /** Returns the ports of the tenant in the path. Throws `RegistryError` with `not_found` if there is none. */
  async function configuredOf(c: HttpContext): Promise<DepsOf> {
    const { id } = await getTenant(deps(c), tenantIdOf(c))
    return (mode) => services.webhooks(c, { tenantId: id, mode }, authorOf(c))
  }

  return new Hono<HttpEnv>()
    .get(
      list.path,
      list.handle(async (c) => {
        const all = await endpointsOf(await configuredOf(c))
        return respond(c, 200, { items: all.map(toAdminEndpoint) })
      }),
    )
    .get(
      get.path,
      get.handle(async (c) => {
        const found = await endpointOf(await configuredOf(c), endpointIdOf(c))
        const etag = etagOf(found.endpoint.version)
        if (isNotModified(c.req.raw.headers, etag, 'endpoint')) return respondNotModified(c, etag)
        return respond(c, 200, toAdminEndpoint(found), { etag })
      }),
    )
    .patch(
      switched.path,
      switched.handle(async (c, { body, precondition }) => {
        const id = endpointIdOf(c)
        const changed = await switchEndpoint(await configuredOf(c), id, body.enabled, c.get('nowMs'), precondition)
        logChange(c, 'webhook_endpoint_updated', tenantIdOf(c), { endpointId: id, mode: changed.mode })
        return respond(c, 200, toAdminEndpoint(changed), { etag: etagOf(changed.endpoint.version) })
      }),
    )
    .delete(
      remove.path,
      remove.handle(async (c, { precondition }) => {
        const id = endpointIdOf(c)
        const { mode } = await removeEndpoint(await configuredOf(c), id, precondition)
        logChange(c, 'webhook_endpoint_deleted', tenantIdOf(c), { endpointId: id, mode })
        return respond(c, 204, null)
      }),
    )
    .get(
      getOnboarding.path,
      getOnboarding.handle(async (c) => {
        const { id } = await getTenant(deps(c), tenantIdOf(c))
        const settingsOf = (mode: Mode) => readSettings(services.onboarding(c.env, { tenantId: id, mode }))
        const [live, test] = await Promise.all([settingsOf('live'), settingsOf('test')])
        return respond(c, 200, toAdminOnboarding(live, test))
      }),
    )
}

function endpointIdOf(c: HttpContext): string {
  const id = c.req.param('endpoint_id') ?? ''
  if (!isId('webhookEndpoint', id)) throw notFound('endpoint')
  return id
}
