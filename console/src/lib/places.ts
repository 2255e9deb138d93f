/**
 * Addresses of the same place in another mode or for another tenant. Pure.
 */
/**
 * Returns the address in the other mode. A customer or an endpoint is of one mode only, so its place there is the list it
 * would be in.
 */
export function inMode(href: string, mode: 'live' | 'test'): string {
  const url = new URL(href, 'https://roster.invalid')
  const [, base, tenantId] = /^(.*)\/tenants\/([0-9a-f-]{36})\/(?:live|test)\/customers\//.exec(url.pathname) ?? []
  if (tenantId !== undefined) return `${base}/?tenant=${tenantId}&mode=${mode}`
  const [, ofTenant] = /^(.*\/tenants\/[0-9a-f-]{36})\/(?:live|test)\/endpoints\//.exec(url.pathname) ?? []
  if (ofTenant !== undefined) return `${ofTenant}?tab=webhooks&mode=${mode}`
  url.searchParams.set('mode', mode)
  return `${url.pathname}${url.search}`
}

/** Returns the address for another tenant: the same kind of screen where there is one, else the search within it. */
export function withTenant(href: string, tenantId: string | null, mode: string): string {
  const { pathname, searchParams } = new URL(href, 'https://roster.invalid')
  const path = pathname.replace(/^\/console/, '') || '/'
  if (/^\/tenants\/[0-9a-f-]{36}$/.test(path)) {
    const tab = searchParams.get('tab')
    return tenantId === null ? '/console/tenants' : `/console/tenants/${tenantId}${tab === null ? '' : `?tab=${tab}`}`
  }
  if (path === '/audit') return tenantId === null ? '/console/audit' : `/console/audit?tenant_id=${tenantId}`
  const within = tenantId === null ? '' : `?tenant=${tenantId}&mode=${mode}`
  return path === '/import' ? `/console/import${within}` : `/console/${within}`
}
