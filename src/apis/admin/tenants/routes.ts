/** Routes of tenants, which this API calls customers. A change is in force when the response is sent. */

import type { HttpContext, HttpEnv } from '../../../http/api.ts'
import { etagOf, isNotModified } from '../../../http/conditional.ts'
import { Hono } from '../../../http/hono.ts'
import { operatorIdempotentRequest } from '../../../http/idempotency.ts'
import { respond, respondNotModified } from '../../../http/respond.ts'
import type { Services } from '../../../http/services.ts'
import { abortMove, getMove, startMove } from '../../../tenants/moves/operations.ts'
import {
  createTenant,
  deleteTenant,
  getTenant,
  listTenants,
  tenantUsage,
  updateTenant,
} from '../../../tenants/operations.ts'
import type { Tenant } from '../../../tenants/tenant.ts'
import { toAdminPage } from '../page.ts'
import { authorOf, logChange, tenantIdOf } from '../request.ts'
import { tenantContracts } from './contract.ts'
import {
  toAdminDeletion,
  toAdminMove,
  toAdminTenant,
  toAdminUsage,
  toConfirmedNames,
  toTenantChanges,
} from './mapping.ts'

export function tenants(services: Services) {
  const { createTenant: create, listTenants: list, getTenant: get, updateTenant: update } = tenantContracts
  const { deleteTenant: remove, getUsage, moveTenant, getMove: look, abortMove: takeBack } = tenantContracts
  const deps = (c: HttpContext) => services.tenants(c.env, authorOf(c))

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
        const tenant = await getTenant(deps(c), tenantIdOf(c))
        const etag = etagOf(tenant.version)
        if (isNotModified(c.req.raw.headers, etag, 'tenant')) return respondNotModified(c, etag)
        return respondTenant(c, 200, tenant)
      }),
    )
    .put(
      update.path,
      update.handle(async (c, { body, precondition }) => {
        const tenant = await updateTenant(deps(c), tenantIdOf(c), toTenantChanges(body), precondition)
        logChange(c, 'tenant_updated', tenant.id, { status: tenant.status, tier: tenant.tier })
        return respondTenant(c, 200, tenant)
      }),
    )
    .delete(
      remove.path,
      remove.handle(async (c) => {
        const deletion = await deleteTenant(
          deps(c),
          tenantIdOf(c),
          toConfirmedNames(c.req.raw.headers.get('x-confirm')),
        )
        logChange(c, 'tenant_deletion_requested', deletion.tenantId)
        // The sweep of each minute does what this does not complete.
        c.executionCtx.waitUntil(services.sweepDeletedTenants(c.env))
        return respond(c, 202, toAdminDeletion(deletion))
      }),
    )
    .get(
      getUsage.path,
      getUsage.handle(async (c) => {
        return respond(c, 200, toAdminUsage(await tenantUsage(deps(c), tenantIdOf(c))))
      }),
    )
    .post(
      moveTenant.path,
      moveTenant.handle(async (c, { body }) => {
        const move = await startMove(services.moves(c.env, authorOf(c)), tenantIdOf(c), body.database)
        logChange(c, 'tenant_move_started', move.tenantId, { from: String(move.from), to: String(move.to) })
        return respond(c, 202, toAdminMove(move))
      }),
    )
    .get(
      look.path,
      look.handle(async (c) =>
        respond(c, 200, toAdminMove(await getMove(services.moves(c.env, authorOf(c)), tenantIdOf(c)))),
      ),
    )
    .delete(
      takeBack.path,
      takeBack.handle(async (c) => {
        const move = await abortMove(services.moves(c.env, authorOf(c)), tenantIdOf(c))
        logChange(c, 'tenant_move_aborted', move.tenantId)
        return respond(c, 202, toAdminMove(move))
      }),
    )
}

function respondTenant<Status extends 200 | 201>(c: HttpContext, status: Status, tenant: Tenant) {
  return respond(c, status, toAdminTenant(tenant), { etag: etagOf(tenant.version) })
}
