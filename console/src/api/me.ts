/**
 * The caller: an operator or a tenant, and what it may do.
 */
import { queryOptions, useQuery } from '@tanstack/react-query'
import { call, type Mode } from './call.ts'
import { keepForCaller, noteAccess, tenantKey } from './credential.ts'
import type { Role } from './routes.ts'
import { ApiError, forgetTokens, send } from './send.ts'

const ROLES: readonly Role[] = ['viewer', 'support', 'admin', 'owner']

export interface OperatorMe {
  kind: 'operator'
  name: string
  role: Role
  operatorId: string | null
  sessionExpiresAt: string | null
}

/** A tenant that has signed in with its own key. */
export interface TenantMe {
  kind: 'tenant'
  name: string
  tenantId: string
  mode: Mode
  scopes: readonly string[]
  keyName: string | null
}

export type Me = OperatorMe | TenantMe

/** Holds null if nobody is signed in. */
export const meQuery = queryOptions({
  queryKey: ['me'],
  queryFn: ({ signal }) => readMe(signal),
  staleTime: 60_000,
})

async function readMe(signal: AbortSignal): Promise<Me | null> {
  try {
    if (tenantKey() !== null) {
      const { tenant_id, company_name, mode, key } = await send(call('GET', '/v1/tenant'), signal)
      const [scopes, keyName] = [key?.scopes ?? [], key?.name ?? null]
      beginAs(`${tenant_id} ${mode}`)
      return { kind: 'tenant', name: company_name, tenantId: tenant_id, mode: mode as Mode, scopes, keyName }
    }
    const found = await send(call('GET', '/admin/me'), signal)
    const isByAccess = found.via === 'access'
    // Cloudflare Access stands before the routes of operators alone. The session counts at those of tenants too.
    const { name, role, operator_id, session_expires_at } = isByAccess
      ? await send(call('POST', '/admin/session'), signal)
      : found
    beginAs(operator_id ?? name)
    if (isByAccess) noteAccess()
    return { kind: 'operator', name, role, operatorId: operator_id, sessionExpiresAt: session_expires_at }
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return null
    throw error
  }
}

function beginAs(caller: string): void {
  if (keepForCaller(caller)) forgetTokens()
}

/** Returns the caller. Only below the shell, which shows the sign-in to everybody else. */
export function useMe(): Me {
  const { data } = useQuery(meQuery)
  if (!data) throw new Error('nobody is signed in')
  return data
}

/** The role of an operator and the scope of a tenant's key that an action needs. Without `scope`, it is for operators only. */
export interface Needs {
  role: Role
  scope?: string
}

/** Returns why the caller may not do it, or null if it may. */
export function missing(me: Me, { role, scope }: Needs): string | null {
  if (me.kind === 'operator') {
    if (ROLES.indexOf(me.role) >= ROLES.indexOf(role)) return null
    return `Your role is ${me.role}; this needs ${role}. An owner can change it.`
  }
  if (scope === undefined) return 'Only the operators of this Roster may do this.'
  return me.scopes.includes(scope) ? null : `Your key lacks the scope ${scope}.`
}

/** Returns the place to send with calls of the v1 API: an operator names it, a tenant's key says it itself. */
export function placeFor(me: Me, place: { tenantId: string; mode: Mode }) {
  return me.kind === 'operator' ? { place } : {}
}
