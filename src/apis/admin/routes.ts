/**
 * Routes of the admin API, for operators: `/admin/customers`, over tenants and their keys, `/admin/audit` and
 * `/admin/search`. A change is in force when the response is sent.
 */
import { Hono } from 'hono'
import type { HttpContext, HttpEnv } from '../../http/api.ts'
import { etagOf, isNotModified } from '../../http/conditional.ts'
import { operatorIdempotentRequest } from '../../http/idempotency.ts'
import { requestOptionsOf } from '../../http/request-options.ts'
import { respond, respondNotModified } from '../../http/respond.ts'
import type { Services } from '../../http/services.ts'
import { readSettings } from '../../onboarding/operations.ts'
import type { Mode } from '../../registry/customer.ts'
import { notFound } from '../../registry/errors.ts'
import { isId } from '../../shared/ids.ts'
import { log } from '../../shared/log.ts'
import {
  createKey,
  createTenant,
  deleteTenant,
  getTenant,
  listKeys,
  listTenants,
  revokeKey,
  rotateKey,
  tenantUsage,
  updateTenant,
} from '../../tenants/operations.ts'
import type { Author } from '../../tenants/ports.ts'
import type { Tenant } from '../../tenants/tenant.ts'
import { checkedReason } from '../../validation/reason.ts'
import {
  type DepsOf,
  endpointOf,
  endpointsOf,
  removeEndpoint,
  switchEndpoint,
  toAdminEndpoint,
  toAdminOnboarding,
} from './configured.ts'
import { adminContracts } from './contract.ts'
import {
  toAdminAuditEntry,
  toAdminDeletion,
  toAdminFound,
  toAdminKey,
  toAdminPage,
  toAdminTenant,
  toAdminUsage,
  toConfirmedNames,
  toKeyFields,
  toNewAdminKey,
  toTenantChanges,
} from './mapping.ts'
import { isKeyId, isTenantId } from './schema.ts'

export function admin(services: Services) {
  const { createTenant: create, listTenants: list, getTenant: get, updateTenant: update, getUsage } = adminContracts
  const { deleteTenant: remove } = adminContracts
  const { createKey: makeKey, listKeys: keys, revokeKey: revoke, rotateKey: rotate, listAudit, search } = adminContracts

  const { listEndpoints: endpoints, getEndpoint, switchEndpoint: switched, deleteEndpoint: removeOne } = adminContracts
  const { getOnboarding } = adminContracts

  const deps = (c: HttpContext) => services.tenants(c.env, authorOf(c))

  /** Returns the ports of the tenant in the path. Throws `RegistryError` with `not_found` if there is none. */
  async function configuredOf(c: HttpContext): Promise<DepsOf> {
    const { id } = await getTenant(deps(c), tenantId(c))
    return (mode) => services.webhooks(c.env, { tenantId: id, mode }, authorOf(c))
  }

  return new Hono<HttpEnv>()
    .post(
      create.path,
      create.handle(async (c, { body }) => {
        const { company_name: companyName, contact_email: contactEmail, ...rest } = body
        const fields = { ...toTenantChanges(rest), companyName, contactEmail }
        const tenant = await createTenant(deps(c), fields, await operatorIdempotentRequest(c))
        logChange(c, 'tenant_created', tenant.id)
        return respondTenant(c, 201, tenant)
      }),
    )
    .get(
      list.path,
      list.handle(async (c, { query: { limit, cursor: _cursor, ...query }, page: cursor }) => {
        const page = await listTenants(deps(c), query, { limit, afterId: cursor.position })
        return respond(c, 200, await toAdminPage(page, limit, cursor, toAdminTenant))
      }),
    )
    .get(
      get.path,
      get.handle(async (c) => {
        const tenant = await getTenant(deps(c), tenantId(c))
        const etag = etagOf(tenant.version)
        if (isNotModified(c.req.raw.headers, etag, 'tenant')) return respondNotModified(c, etag)
        return respondTenant(c, 200, tenant)
      }),
    )
    .put(
      update.path,
      update.handle(async (c, { body, precondition }) => {
        const tenant = await updateTenant(deps(c), tenantId(c), toTenantChanges(body), precondition)
        logChange(c, 'tenant_updated', tenant.id, { status: tenant.status, tier: tenant.tier })
        return respondTenant(c, 200, tenant)
      }),
    )
    .delete(
      remove.path,
      remove.handle(async (c) => {
        const deletion = await deleteTenant(deps(c), tenantId(c), toConfirmedNames(c.req.raw.headers.get('x-confirm')))
        logChange(c, 'tenant_deletion_requested', deletion.tenantId)
        // The sweep of each minute does what this does not complete.
        c.executionCtx.waitUntil(services.sweepDeletedTenants(c.env))
        return respond(c, 202, toAdminDeletion(deletion))
      }),
    )
    .get(
      getUsage.path,
      getUsage.handle(async (c) => {
        return respond(c, 200, toAdminUsage(await tenantUsage(deps(c), tenantId(c))))
      }),
    )
    .post(
      makeKey.path,
      makeKey.handle(async (c, { body }) => {
        const owner = tenantId(c)
        const { key, text } = await createKey(deps(c), owner, toKeyFields(body), await operatorIdempotentRequest(c))
        logChange(c, 'key_created', owner, { keyId: key.id })
        return respond(c, 201, toNewAdminKey(key, text))
      }),
    )
    .get(
      keys.path,
      keys.handle(async (c, { query: { limit }, page: cursor }) => {
        const page = await listKeys(deps(c), tenantId(c), { limit, afterId: cursor.position })
        const nowMs = c.get('nowMs')
        return respond(c, 200, await toAdminPage(page, limit, cursor, (key) => toAdminKey(key, nowMs)))
      }),
    )
    .delete(
      revoke.path,
      revoke.handle(async (c) => {
        const owner = tenantId(c)
        const id = keyId(c)
        await revokeKey(deps(c), owner, id)
        logChange(c, 'key_revoked', owner, { keyId: id })
        return respond(c, 204, null)
      }),
    )
    .post(
      rotate.path,
      rotate.handle(async (c, { body: { overlap_seconds: overlapSeconds, expires_at: expiresAtMs } }) => {
        const owner = tenantId(c)
        const options = { overlapMs: overlapSeconds * 1000, expiresAtMs }
        const { key, text } = await rotateKey(deps(c), owner, keyId(c), options, await operatorIdempotentRequest(c))
        logChange(c, 'key_rotated', owner, { keyId: key.id, rotatedFrom: key.rotatedFrom })
        return respond(c, 201, toNewAdminKey(key, text))
      }),
    )
    .get(
      endpoints.path,
      endpoints.handle(async (c) => {
        const all = await endpointsOf(await configuredOf(c))
        return respond(c, 200, { items: all.map(toAdminEndpoint) })
      }),
    )
    .get(
      getEndpoint.path,
      getEndpoint.handle(async (c) => {
        const found = await endpointOf(await configuredOf(c), endpointId(c))
        const etag = etagOf(found.endpoint.version)
        if (isNotModified(c.req.raw.headers, etag, 'endpoint')) return respondNotModified(c, etag)
        return respond(c, 200, toAdminEndpoint(found), { etag })
      }),
    )
    .patch(
      switched.path,
      switched.handle(async (c, { body, precondition }) => {
        const id = endpointId(c)
        const changed = await switchEndpoint(await configuredOf(c), id, body.enabled, c.get('nowMs'), precondition)
        logChange(c, 'webhook_endpoint_updated', tenantId(c), { endpointId: id, mode: changed.mode })
        return respond(c, 200, toAdminEndpoint(changed), { etag: etagOf(changed.endpoint.version) })
      }),
    )
    .delete(
      removeOne.path,
      removeOne.handle(async (c, { precondition }) => {
        const id = endpointId(c)
        const { mode } = await removeEndpoint(await configuredOf(c), id, precondition)
        logChange(c, 'webhook_endpoint_deleted', tenantId(c), { endpointId: id, mode })
        return respond(c, 204, null)
      }),
    )
    .get(
      getOnboarding.path,
      getOnboarding.handle(async (c) => {
        const { id } = await getTenant(deps(c), tenantId(c))
        const settingsOf = (mode: Mode) => readSettings(services.onboarding(c.env, { tenantId: id, mode }))
        const [live, test] = await Promise.all([settingsOf('live'), settingsOf('test')])
        return respond(c, 200, toAdminOnboarding(live, test))
      }),
    )
    .get(
      listAudit.path,
      listAudit.handle(async (c, { query: { limit, ...wanted }, page: cursor }) => {
        const query = {
          tenantId: wanted.tenant_id?.toLowerCase(),
          customerId: wanted.customer_id,
          actor: wanted.actor,
          type: wanted.type,
          startMs: wanted.start_time,
          endMs: wanted.end_time,
        }
        const page = await services.audit(c.env).read(query, { limit, afterId: cursor.position })
        return respond(c, 200, await toAdminPage(page, limit, cursor, toAdminAuditEntry, page.position))
      }),
    )
    .get(
      search.path,
      search.handle(async (c, { query }) => respond(c, 200, toAdminFound(await services.search(c.env).find(query.q)))),
    )
}

function respondTenant<Status extends 200 | 201>(c: HttpContext, status: Status, tenant: Tenant) {
  return respond(c, status, toAdminTenant(tenant), { etag: etagOf(tenant.version) })
}

function authorOf(c: HttpContext): Author {
  const { requestId, reason } = requestOptionsOf(c)
  return { actor: c.get('operator'), requestId, reason: checkedReason(reason) }
}

function tenantId(c: HttpContext): string {
  const id = c.req.param('customer_id') ?? ''
  if (!isTenantId(id)) throw notFound('tenant')
  return id.toLowerCase()
}

function keyId(c: HttpContext): string {
  const id = c.req.param('key_id') ?? ''
  if (!isKeyId(id)) throw notFound('key')
  return id
}

function endpointId(c: HttpContext): string {
  const id = c.req.param('endpoint_id') ?? ''
  if (!isId('webhookEndpoint', id)) throw notFound('endpoint')
  return id
}

function logChange(c: HttpContext, event: string, tenantId: string, facts: Record<string, string | null> = {}): void {
  if (c.get('idempotentRequest')?.replayed) return
  log('info', { event, requestId: c.get('requestId'), tenantId, ...facts })
}
