/**
 * The operator's door: `/admin/customers`, over tenants and their keys. What it answers is in force when it is answered.
 */
import { Hono } from 'hono'
import { answer } from '../../http/answer.ts'
import { jsonBody, optionalJsonBody } from '../../http/body.ts'
import type { HttpContext, HttpEnv } from '../../http/door.ts'
import { repeatableOfOperator } from '../../http/sealed-idempotency.ts'
import { noQuery, validJson, validQuery } from '../../http/validate.ts'
import { Refused } from '../../registry/failures.ts'
import { log } from '../../shared/log.ts'
import {
  createKey,
  createTenant,
  getTenant,
  listKeys,
  listTenants,
  revokeKey,
  rotateKey,
  tenantUsage,
  updateTenant,
} from '../../tenants/operations.ts'
import type { Author } from '../../tenants/ports.ts'
import type { Wiring } from '../../wiring.ts'
import {
  isKeyId,
  isTenantId,
  keyCreate,
  keyListQuery,
  keyRotate,
  tenantCreate,
  tenantListQuery,
  tenantUpdate,
} from './schema.ts'
import {
  toAdminKey,
  toAdminPage,
  toAdminTenant,
  toAdminUsage,
  toKeyFields,
  toNewAdminKey,
  toTenantChanges,
} from './translate.ts'

export function adminCustomers(wiring: Wiring) {
  const deps = (c: HttpContext) => wiring.tenants(c.env, authorOf(c))

  return new Hono<HttpEnv>()
    .post('/', noQuery, jsonBody, validJson(tenantCreate), async (c) => {
      const { company_name: companyName, contact_email: contactEmail, ...rest } = c.req.valid('json')
      const fields = { ...toTenantChanges(rest), companyName, contactEmail }
      const tenant = await createTenant(deps(c), fields, await repeatableOfOperator(c))
      logChange(c, 'tenant_created', tenant.id)
      return answer(c, 201, toAdminTenant(tenant))
    })
    .get('/', validQuery(tenantListQuery), async (c) => {
      const { limit, cursor, ...query } = c.req.valid('query')
      const page = await listTenants(deps(c), query, { limit, afterId: cursor ?? null })
      return answer(c, 200, toAdminPage(page, limit, toAdminTenant))
    })
    .get('/:customer_id', noQuery, async (c) => {
      return answer(c, 200, toAdminTenant(await getTenant(deps(c), tenantId(c.req.param('customer_id')))))
    })
    .put('/:customer_id', noQuery, jsonBody, validJson(tenantUpdate), async (c) => {
      const changes = toTenantChanges(c.req.valid('json'))
      const tenant = await updateTenant(deps(c), tenantId(c.req.param('customer_id')), changes)
      logChange(c, 'tenant_updated', tenant.id, { status: tenant.status, tier: tenant.tier })
      return answer(c, 200, toAdminTenant(tenant))
    })
    .get('/:customer_id/usage', noQuery, async (c) => {
      const { tenant, live, test } = await tenantUsage(deps(c), tenantId(c.req.param('customer_id')))
      return answer(c, 200, toAdminUsage(tenant, live, test))
    })
    .post('/:customer_id/keys', noQuery, optionalJsonBody, validJson(keyCreate), async (c) => {
      const owner = tenantId(c.req.param('customer_id'))
      const { key, text } = await createKey(
        deps(c),
        owner,
        toKeyFields(c.req.valid('json')),
        await repeatableOfOperator(c),
      )
      logChange(c, 'key_created', owner, { keyId: key.id })
      return answer(c, 201, toNewAdminKey(key, text))
    })
    .get('/:customer_id/keys', validQuery(keyListQuery), async (c) => {
      const { limit, cursor } = c.req.valid('query')
      const owner = tenantId(c.req.param('customer_id'))
      const page = await listKeys(deps(c), owner, { limit, afterId: cursor ?? null })
      return answer(
        c,
        200,
        toAdminPage(page, limit, (key) => toAdminKey(key, c.get('nowMs'))),
      )
    })
    .delete('/:customer_id/keys/:key_id', noQuery, async (c) => {
      const owner = tenantId(c.req.param('customer_id'))
      const id = keyId(c.req.param('key_id'))
      await revokeKey(deps(c), owner, id)
      logChange(c, 'key_revoked', owner, { keyId: id })
      return answer(c, 204, null)
    })
    .post('/:customer_id/keys/:key_id/rotate', noQuery, optionalJsonBody, validJson(keyRotate), async (c) => {
      const owner = tenantId(c.req.param('customer_id'))
      const { overlap_seconds: overlapSeconds, expires_at: expiresAtMs } = c.req.valid('json')
      const options = { overlapMs: overlapSeconds * 1000, expiresAtMs }
      const { key, text } = await rotateKey(
        deps(c),
        owner,
        keyId(c.req.param('key_id')),
        options,
        await repeatableOfOperator(c),
      )
      logChange(c, 'key_rotated', owner, { keyId: key.id, rotatedFrom: key.rotatedFrom })
      return answer(c, 201, toNewAdminKey(key, text))
    })
}

/** Which of the admin keys it was is not told: they are secrets without names. */
function authorOf(c: HttpContext): Author {
  return { actor: 'admin', requestId: c.get('requestId'), reason: c.req.raw.headers.get('x-reason') }
}

function tenantId(id: string): string {
  if (!isTenantId(id)) throw new Refused({ reason: 'not_found', resource: 'tenant' })
  return id.toLowerCase()
}

function keyId(id: string): string {
  if (!isKeyId(id)) throw new Refused({ reason: 'not_found', resource: 'key' })
  return id
}

function logChange(c: HttpContext, event: string, tenantId: string, facts: Record<string, string | null> = {}): void {
  if (c.get('repeatable')?.replayed) return
  log('info', { event, requestId: c.get('requestId'), tenantId, ...facts })
}
