/**
 * Signing in and out.
 */
import type { QueryClient } from '@tanstack/react-query'
import { call } from './call.ts'
import { forgetTenantKey, isByAccess, keepTenantKey, tenantKey } from './credential.ts'
import { type Me, meQuery } from './me.ts'
import { ApiError, send } from './send.ts'

/** An API key of a tenant, by its form. Any other text is taken for an operator's key. */
const TENANT_KEY = /^sk_(?:live|test)_/

/** Signs in with an operator's key, an admin key or a tenant's API key. Throws `ApiError` if it is not accepted. */
export async function signInWithKey(queries: QueryClient, key: string): Promise<void> {
  forgetTenantKey()
  if (TENANT_KEY.test(key)) {
    keepTenantKey(key)
    if ((await reload(queries)) !== null) return
    forgetTenantKey()
    throw new ApiError(
      401,
      'This API key is not accepted: it may have been revoked or cut off when it was copied.',
      {},
      null,
      null,
    )
  }
  await send(call('POST', '/admin/session', { headers: { 'x-api-key': key } }))
  await reload(queries)
}

/** Signs in with the token of a sign-in link, which works once. Throws `ApiError` if it is not accepted. */
export async function signInWithToken(queries: QueryClient, token: string): Promise<void> {
  forgetTenantKey()
  await send(call('POST', '/admin/session', { body: { token } }))
  await reload(queries)
}

/** Where Cloudflare Access ends its own session. */
const ACCESS_SIGN_OUT = '/cdn-cgi/access/logout'

/**
 * Ends the session, in force when this returns, and forgets all that was loaded. Throws `ApiError` if the session could not be
 * ended: the caller is then still signed in, and is shown so.
 */
export async function signOut(queries: QueryClient): Promise<void> {
  if (tenantKey() === null) await endSession()
  const wasByAccess = isByAccess()
  sessionStorage.clear()
  // Not `clear`: the shell watches this entry, and would not notice another one of its name.
  queries.setQueryData<Me | null>(meQuery.queryKey, null)
  forgetAnswers(queries)
  if (wasByAccess) window.location.assign(ACCESS_SIGN_OUT)
}

async function endSession(): Promise<void> {
  try {
    await send(call('DELETE', '/admin/session'))
  } catch (error) {
    // It had ended before.
    if (!(error instanceof ApiError && (error.status === 401 || error.status === 404))) throw error
  }
}

/** Forgets what was loaded for somebody else, and asks who is signed in. */
async function reload(queries: QueryClient): Promise<Me | null> {
  forgetAnswers(queries)
  return queries.fetchQuery({ ...meQuery, staleTime: 0 })
}

function forgetAnswers(queries: QueryClient): void {
  queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== meQuery.queryKey[0] })
}
