/** The author of a request to the admin API and the ids in its path, and the log of its changes. */
import type { HttpContext } from '../../http/api.ts'
import { requestOptionsOf } from '../../http/request-options.ts'
import type { OperatorPrincipal } from '../../operators/operator.ts'
import { notFound } from '../../registry/errors.ts'
import { log } from '../../shared/log.ts'
import type { Author } from '../../tenants/ports.ts'
import { isTenantId } from '../../tenants/tenant.ts'
import { checkedReason } from '../../validation/reason.ts'

/** Returns the operator who sends the request. The contract of the route has checked that there is one. */
export function operatorOf(c: HttpContext): OperatorPrincipal {
  const operator = c.get('operator')
  if (!operator) throw new Error('the contract of the route lets somebody in who is no operator')
  return operator
}

/** Returns the operator who makes a change, for the audit. Throws `RegistryError` with `invalid_option` for a bad reason. */
export function authorOf(c: HttpContext): Author {
  const { requestId, reason } = requestOptionsOf(c)
  const { actor, role, sessionId } = operatorOf(c)
  return { actor, role, sessionId, requestId, reason: checkedReason(reason) }
}

/** Returns the id of the tenant in the path. Throws `RegistryError` with `not_found` for a text that can be none. */
export function tenantIdOf(c: HttpContext): string {
  const id = c.req.param('customer_id') ?? ''
  if (!isTenantId(id)) throw notFound('tenant')
  return id.toLowerCase()
}

/** Logs a change of a tenant. A repeated request is not logged, because it changed nothing. */
export function logChange(c: HttpContext, event: string, tenantId: string, facts: Record<string, string | null> = {}) {
  if (c.get('idempotentRequest')?.replayed) return
  log('info', { event, requestId: c.get('requestId'), tenantId, ...facts })
}
