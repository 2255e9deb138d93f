/** The commands of `npm run tenant` that look through all tenants: the audit, and the search for a customer or a tenant. */
import { idOf, option, queryOf } from './tenant-requests.mjs'
import { table } from './terminal.mjs'

export const lookUpCommands = {
  audit: {
    args: ['[tenant]'],
    help: 'who changed what, newest first, with each field that changed',
    options: {
      type: option('such as tenant.updated'),
      actor: option('the id of a key or an operator, admin, or a bound Worker'),
      customer: option('the id of a customer'),
      request: option('the x-request-id of the request that made the change'),
      since: option('a date or a time'),
      until: option('a date or a time'),
      limit: option('how many, up to 100; default: 50'),
    },
    run: async (api, [tenant], { type, actor, customer, request, since, until, limit }) => {
      const tenantId = tenant && (await idOf(api, tenant))
      const query = {
        tenant_id: tenantId,
        type,
        actor,
        customer_id: customer,
        request_id: request,
        start_time: since,
        end_time: until,
        limit,
      }
      return newestEntries(api, query)
    },
    show: ({ items, pagination }) => {
      const isShort = pagination.has_more && items.length < pagination.limit
      const more = isShort ? '\n\nThere may be older ones: name a tenant, or a time with --until.' : ''
      return `${table(items, ENTRY, (entry) => entry.changes.map(showChange))}${more}`
    },
  },
  search: {
    args: ['<text>'],
    help: 'customers and tenants, by this id, external id or e-mail address; customers by the beginnings of words too',
    run: async (api, [text]) => api('GET', `/admin/search${queryOf({ q: text })}`),
    show: ({ customers, tenants, has_more: hasMore, all_tenants_searched: isOfAll }) => {
      const more = hasMore ? '\n\nThere may be more: search for an id, or for more of the words.' : ''
      const some = isOfAll
        ? ''
        : '\n\nWords were looked for in the 100 oldest tenants. Ids and addresses are found in all of them.'
      return `Customers\n${table(customers, CUSTOMER)}\n\nTenants\n${table(tenants, TENANT)}${more}${some}`
    },
  },
}

/** Pages of the audit that are read for a list: one may be short or empty and have more behind it. */
const PAGES_MAX = 20

/** Returns the newest entries as one page. */
async function newestEntries(api, query) {
  const items = []
  let page = await api('GET', `/admin/audit${queryOf(query)}`)
  const { limit } = page.pagination
  items.push(...page.items)
  for (let pages = 1; items.length < limit && page.pagination.has_more && pages < PAGES_MAX; pages++) {
    const next = { ...query, limit: limit - items.length, cursor: page.pagination.next_cursor }
    page = await api('GET', `/admin/audit${queryOf(next)}`)
    items.push(...page.items)
  }
  return { items, pagination: { ...page.pagination, limit } }
}

const ENTRY = {
  TIME: (entry) => entry.created_at,
  WHAT: (entry) => entry.type,
  WHOSE: (entry) => entry.tenant_id ?? '',
  WHICH: (entry) => entry.customer_id ?? entry.key_id ?? entry.operator_id ?? '',
  WHO: (entry) => entry.actor,
  WHY: (entry) => entry.reason ?? '',
}

const CUSTOMER = {
  CUSTOMER: (customer) => customer.customer_id,
  'EXTERNAL ID': (customer) => customer.external_id,
  NAME: (customer) => customer.name,
  EMAIL: (customer) => customer.email ?? '',
  STATUS: (customer) => customer.status,
  MODE: (customer) => customer.mode,
  TENANT: (customer) => customer.tenant_id,
  COMPANY: (customer) => customer.company_name,
}

const TENANT = {
  TENANT: (tenant) => tenant.customer_id,
  COMPANY: (tenant) => tenant.company_name,
  CONTACT: (tenant) => tenant.contact_email,
  STATUS: (tenant) => tenant.status,
}

/** Values are JSON, which tells a null from a text and escapes line breaks. */
function showChange({ field, before, after }) {
  return `${field}: ${JSON.stringify(before)} → ${JSON.stringify(after)}`
}
