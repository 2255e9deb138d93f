/** Routes of the API keys of a tenant. A change is in force when the response is sent. */

import type { HttpContext, HttpEnv } from '../../../http/api.ts'
import { Hono } from '../../../http/hono.ts'
import { operatorIdempotentRequest } from '../../../http/idempotency.ts'
import { respond } from '../../../http/respond.ts'
import type { Services } from '../../../http/services.ts'
import { notFound } from '../../../registry/errors.ts'
import { isId } from '../../../shared/ids.ts'
import { createKey, listKeys, revokeKey, rotateKey } from '../../../tenants/keys.ts'
import { toShownKey } from '../../../tenants/shown-key.ts'
import { toAdminPage } from '../page.ts'
import { authorOf, logChange, tenantIdOf } from '../request.ts'
import { keyContracts } from './contract.ts'
import { toKeyFields, toNewAdminKey } from './mapping.ts'

export function keys(services: Services) {
  const { createKey: create, listKeys: list, revokeKey: revoke, rotateKey: rotate } = keyContracts
  const deps = (c: HttpContext) => services.tenants(c.env, authorOf(c))

  return new Hono<HttpEnv>()
    .post(
      create.path,
      create.handle(async (c, { body }) => {
        const owner = tenantIdOf(c)
        const { key, text } = await createKey(deps(c), owner, toKeyFields(body), await operatorIdempotentRequest(c))
        logChange(c, 'key_created', owner, { keyId: key.id })
        return respond(c, 201, toNewAdminKey(key, text))
      }),
    )
    .get(
      list.path,
      list.handle(async (c, { query: { limit }, page: cursor }) => {
        const page = await listKeys(deps(c), tenantIdOf(c), { limit, afterId: cursor.position })
        const nowMs = c.get('nowMs')
        return respond(c, 200, await toAdminPage(page, limit, cursor, (key) => toShownKey(key, nowMs)))
      }),
    )
    .delete(
      revoke.path,
      revoke.handle(async (c) => {
        const owner = tenantIdOf(c)
        const id = keyIdOf(c)
        await revokeKey(deps(c), owner, id)
        logChange(c, 'key_revoked', owner, { keyId: id })
        return respond(c, 204, null)
      }),
    )
    .post(
      rotate.path,
      rotate.handle(async (c, { body: { overlap_seconds: overlapSeconds, expires_at: expiresAtMs } }) => {
        const owner = tenantIdOf(c)
        const options = { overlapMs: overlapSeconds * 1000, expiresAtMs }
        const { key, text } = await rotateKey(deps(c), owner, keyIdOf(c), options, await operatorIdempotentRequest(c))
        logChange(c, 'key_rotated', owner, { keyId: key.id, rotatedFrom: key.rotatedFrom })
        return respond(c, 201, toNewAdminKey(key, text))
      }),
    )
}

function keyIdOf(c: HttpContext): string {
  const id = c.req.param('key_id') ?? ''
  if (!isId('key', id)) throw notFound('key')
  return id
}
