/** Sends requests of operators to the v1 API as a tenant. */
import { ADMIN_KEY, type Called, type CallOptions, call } from '../support/roster.ts'

export const REASON = 'Ticket 4711: the customer has moved'

/** The headers by which an operator names a tenant, with a reason for a change. */
export function asTenant(tenantId: string, mode = 'live'): Record<string, string> {
  return { 'roster-tenant': tenantId, 'roster-mode': mode, 'x-reason': REASON }
}

/** Sends a request of the owner, with an admin key, as the tenant. */
export function actAs(
  tenantId: string,
  method: string,
  path: string,
  { headers, ...options }: CallOptions = {},
): Promise<Called> {
  return call(method, path, { ...options, headers: { 'x-api-key': ADMIN_KEY, ...asTenant(tenantId), ...headers } })
}
