/** Routes of `/v1/tenant`: what a tenant may know about itself, its usage and its keys, in the mode of the request. */

import type { HttpContext, HttpEnv } from '../../../http/api.ts'
import { Hono } from '../../../http/hono.ts'
import { respond } from '../../../http/respond.ts'
import type { Services } from '../../../http/services.ts'
import { isId } from '../../../shared/ids.ts'
import { listKeys } from '../../../tenants/keys.ts'
import { getTenant, modeUsage } from '../../../tenants/operations.ts'
import { toShownKey } from '../../../tenants/shown-key.ts'
import { tenantContracts } from './contract.ts'
import { toV1Tenant, toV1Usage } from './mapping.ts'

export function v1Tenant(services: Services) {
  const { get, usage, listKeys: keys } = tenantContracts

  /** These routes change nothing, so their author is in no audit. */
  const depsOf = (c: HttpContext, actor: string) =>
    services.tenants(c.env, { actor, role: null, sessionId: null, requestId: c.get('requestId'), reason: null })

  return new Hono<HttpEnv>()
    .get(
      get.path,
      get.handle(async (c, { actor }) => {
        const { tenantId, mode } = c.get('registry').scope
        const deps = depsOf(c, actor)
        const [tenant, key] = await Promise.all([
          getTenant(deps, tenantId),
          isId('key', actor) ? deps.store.getKey(tenantId, actor) : null,
        ])
        return respond(c, 200, toV1Tenant(tenant, mode, key))
      }),
    )
    .get(
      usage.path,
      usage.handle(async (c, { actor }) => {
        const { tenantId, mode } = c.get('registry').scope
        return respond(c, 200, toV1Usage(await modeUsage(depsOf(c, actor), tenantId, mode), mode))
      }),
    )
    .get(
      keys.path,
      keys.handle(async (c, { query: { limit }, page, actor }) => {
        const { tenantId, mode } = c.get('registry').scope
        const { items, hasMore } = await listKeys(depsOf(c, actor), tenantId, { limit, afterId: page.position }, mode)
        const nowMs = c.get('nowMs')
        const cursor = await page.next(hasMore ? (items.at(-1)?.id ?? null) : null)
        const pagination = { limit, next_cursor: cursor, has_more: hasMore }
        return respond(c, 200, { items: items.map((key) => toShownKey(key, nowMs)), pagination })
      }),
    )
}
