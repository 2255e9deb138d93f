/**
 * Requests to the admin API that several commands of `npm run tenant` share: the path of a tenant that is named, all pages of a list,
 * values of options. `api(method, path, body?)` sends a request.
 */
import { plainText } from '../src/shared/shown-text.ts'
import { table } from './terminal.mjs'

/** Roster refused the request, or the operator has to fix something. */
export class TenantError extends Error {}

const PAGE = 100
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export const option = (help) => ({ type: 'string', help })

export function number(text, name) {
  if (/^\d+$/.test(text)) return Number(text)
  throw new TenantError(`--${name} ${text}: use a whole number`)
}

export async function pathOf(api, tenant) {
  return `/admin/customers/${await idOf(api, tenant)}`
}

/** Returns the id of a tenant that is given by its id or its company name. Throws `TenantError` unless exactly one tenant has it. */
export async function idOf(api, tenant) {
  if (UUID.test(tenant)) return tenant
  const { items } = await everyPage(api, '/admin/customers', { search: tenant })
  const named = items.filter(({ company_name: name }) => name.toLowerCase() === tenant.toLowerCase())
  if (named.length === 1) return named[0].customer_id
  const near = named.length > 0 ? named : items
  const called = `called ${JSON.stringify(plainText(tenant))}`
  const problem = named.length > 1 ? `${named.length} tenants are ${called}` : `No tenant is ${called}`
  if (near.length === 0) throw new TenantError(`${problem}. See \`npm run tenant -- list\`.`)
  throw new TenantError(
    `${problem}. Run the command again with the id of one in place of the name:\n\n${table(near, CANDIDATE)}`,
  )
}

/** The columns that tell tenants of one name apart. */
const CANDIDATE = {
  TENANT: (tenant) => tenant.customer_id,
  COMPANY: (tenant) => tenant.company_name,
  TIER: (tenant) => tenant.tier,
  STATUS: (tenant) => tenant.status,
  CONTACT: (tenant) => tenant.contact_email,
  CREATED: (tenant) => tenant.created_at.slice(0, 16).replace('T', ' '),
}

export async function everyPage(api, path, query) {
  const items = []
  for (let cursor; ; ) {
    const page = await api('GET', `${path}${queryOf({ ...query, limit: PAGE, cursor })}`)
    items.push(...page.items)
    cursor = page.pagination.next_cursor
    if (!page.pagination.has_more) return { items }
  }
}

export function queryOf(query) {
  const text = new URLSearchParams(defined(query)).toString()
  return text && `?${text}`
}

export function defined(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}
