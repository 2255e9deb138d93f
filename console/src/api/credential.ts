/**
 * The credential of the tab, and whose it is. An operator's session is a cookie that no script can read. A tenant's key stays
 * in the tab: a reload keeps it, closing the tab forgets it, and no other tab or site sees it.
 */
const KEY = 'roster.tenant-key'
const CALLER = 'roster.caller'
const ACCESS = 'roster.access'

/** Returns the API key that a tenant has signed in with in this tab, or null. */
export function tenantKey(): string | null {
  return sessionStorage.getItem(KEY)
}

export function keepTenantKey(key: string): void {
  sessionStorage.setItem(KEY, key)
}

export function forgetTenantKey(): void {
  sessionStorage.removeItem(KEY)
}

/**
 * Forgets what the tab keeps of another caller: names of customers and half-made edits. Returns whether there was another
 * one. A session that ends and begins anew loses nothing.
 */
export function keepForCaller(caller: string): boolean {
  if (sessionStorage.getItem(CALLER) === caller) return false
  const key = tenantKey()
  sessionStorage.clear()
  if (key !== null) keepTenantKey(key)
  sessionStorage.setItem(CALLER, caller)
  return true
}

/** Says if somebody was signed in in this tab who has not signed out: the session has ended meanwhile. */
export function hasSessionEnded(): boolean {
  return sessionStorage.getItem(CALLER) !== null
}

/** Notes that Cloudflare Access has signed the operator in. It would do so again after a sign-out here. */
export function noteAccess(): void {
  sessionStorage.setItem(ACCESS, 'yes')
}

export function isByAccess(): boolean {
  return sessionStorage.getItem(ACCESS) !== null
}

/** Returns the headers that say who asks. The cookie of a session only counts with `roster-console`, which no link or form can send. */
export function credentialHeaders(): Record<string, string> {
  const key = tenantKey()
  return key === null ? { 'roster-console': '1' } : { authorization: `Bearer ${key}` }
}
