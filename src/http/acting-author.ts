import type { Author } from '../tenants/ports.ts'
import { checkedReason } from '../validation/reason.ts'
import type { HttpContext } from './api.ts'
import { requestOptionsOf } from './request-options.ts'

/**
 * Returns the operator who changes something as a tenant, for the audit; undefined for a request of the tenant itself.
 * Throws `RegistryError` with `invalid_option` for a reason that cannot be stored.
 */
export function actingAuthorOf(c: HttpContext): Author | undefined {
  const operator = c.get('operator')
  if (!operator) return undefined
  const { requestId, reason } = requestOptionsOf(c)
  const { actor, role, sessionId } = operator
  return { actor, role, sessionId, requestId, reason: checkedReason(reason) }
}
