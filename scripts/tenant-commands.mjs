/**
 * The commands of `npm run tenant`: for each its words and options, what it asks of the operator's door, and how the answer reads
 * in a terminal. Sending is for tenant.mjs, which hands in `door(method, path, body?)`.
 */
import { spawnSync } from 'node:child_process'
import { count, day, facts, table } from './terminal.mjs'

/** Roster said no, or there is something to mend. */
export class TenantError extends Error {}

const PAGE = 100
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

const option = (help) => ({ type: 'string', help })

/** What a tenant can be told: the option, and how it goes into the body. */
const FIELDS = {
  email: { help: 'contact address', at: ['contact_email'] },
  tier: { help: 'starter, growth, scale, enterprise or custom', at: ['tier'] },
  rate: { help: 'requests a second, of tier custom', at: ['limits', 'requests_per_second'] },
  burst: { help: 'requests at once, of tier custom', at: ['limits', 'burst'] },
  'annual-limit': {
    help: 'admitted live requests a contract year, of tier custom',
    at: ['limits', 'annual_validation_limit'],
  },
  'annual-commitment': { help: 'USD a contract year, of tier custom', at: ['limits', 'annual_commitment'] },
  'contract-start': { help: 'a date such as 2026-01-20', at: ['contract_start'] },
  'contract-end': { help: 'likewise', at: ['contract_end'] },
}
const tenantOptions = Object.fromEntries(Object.entries(FIELDS).map(([name, { help }]) => [name, option(help)]))

export const COMMANDS = {
  create: {
    args: ['<company>'],
    help: 'a new tenant',
    options: { ...tenantOptions, email: option('contact address; else yours, as git knows it') },
    run: (door, [company], values) =>
      door('POST', '/admin/customers', {
        company_name: company,
        ...bodyOf({ ...values, email: values.email ?? gitEmail() }),
      }),
    show: (tenant) => `${showTenant(tenant)}\n\nIts first key:  npm run tenant -- key create ${tenant.customer_id}`,
  },
  list: {
    args: [],
    help: 'all tenants',
    options: {
      status: option('active or suspended'),
      tier: option('of this tier'),
      search: option('in name or address'),
    },
    run: (door, _, { status, tier, search }) => everyPage(door, '/admin/customers', { status, tier, search }),
    show: ({ items }) =>
      table(items, {
        TENANT: (tenant) => tenant.customer_id,
        COMPANY: (tenant) => tenant.company_name,
        TIER: (tenant) => tenant.tier,
        STATUS: (tenant) => tenant.status,
        'RATE/S': (tenant) => tenant.limits.requests_per_second,
        CREATED: (tenant) => day(tenant.created_at),
      }),
  },
  get: {
    args: ['<tenant>'],
    help: 'one tenant',
    run: async (door, [tenant]) => door('GET', await pathOf(door, tenant)),
    show: showTenant,
  },
  update: {
    args: ['<tenant>'],
    help: 'change what is given; in force everywhere when it is answered',
    options: { name: option('company name'), ...tenantOptions },
    run: async (door, [tenant], values) => {
      const body = { ...(values.name !== undefined && { company_name: values.name }), ...bodyOf(values) }
      if (Object.keys(body).length === 0)
        throw new TenantError('There is nothing to change: say at least one option, such as --tier growth.')
      return door('PUT', await pathOf(door, tenant), body)
    },
    show: showTenant,
  },
  suspend: {
    args: ['<tenant>'],
    help: 'refuse all its keys, everywhere, by the time this is answered',
    run: async (door, [tenant]) => door('PUT', await pathOf(door, tenant), { status: 'suspended' }),
    show: (tenant) => `${tenant.company_name} is suspended.`,
  },
  reactivate: {
    args: ['<tenant>'],
    help: 'admit its keys again',
    run: async (door, [tenant]) => door('PUT', await pathOf(door, tenant), { status: 'active' }),
    show: (tenant) => `${tenant.company_name} is active.`,
  },
  usage: {
    args: ['<tenant>'],
    help: 'requests by day and outcome, and the year against its limit',
    run: async (door, [tenant]) => door('GET', `${await pathOf(door, tenant)}/usage`),
    show: ({ live, test }) => {
      const share = `${((100 * live.admitted_this_year) / live.annual_validation_limit).toFixed(1)} %`
      const year = `${count(live.admitted_this_year)} of ${count(live.annual_validation_limit)} live requests since ${live.contract_year_start} (${share})`
      const days = [
        ...live.days.map((one) => ({ ...one, mode: 'live' })),
        ...test.days.map((one) => ({ ...one, mode: 'test' })),
      ]
      const columns = { DAY: (one) => one.date, MODE: (one) => one.mode, ADMITTED: (one) => count(one.admitted) }
      return `${year}\n\n${table(days, { ...columns, 'RATE LIMITED': (one) => count(one.rate_limited) })}`
    },
  },
  audit: {
    args: ['[tenant]'],
    help: 'who changed what, newest first',
    options: {
      type: option('such as tenant.updated'),
      actor: option('the id of a key, admin, or a bound Worker'),
      customer: option('the id of a customer'),
      since: option('a date or a time'),
      until: option('likewise'),
      limit: option('how many, up to 100; else 50'),
    },
    run: async (door, [tenant], { type, actor, customer, since, until, limit }) => {
      const tenantId = tenant && (await idOf(door, tenant))
      const query = {
        tenant_id: tenantId,
        type,
        actor,
        customer_id: customer,
        start_time: since,
        end_time: until,
        limit,
      }
      return door('GET', `/admin/audit${queryOf(query)}`)
    },
    show: ({ items }) =>
      table(items, {
        TIME: (entry) => entry.created_at,
        WHAT: (entry) => entry.type,
        WHOSE: (entry) => entry.tenant_id,
        WHICH: (entry) => entry.customer_id ?? entry.key_id ?? '',
        WHO: (entry) => entry.actor,
        WHY: (entry) => entry.reason ?? '',
      }),
  },
  'key create': {
    args: ['<tenant>'],
    help: 'a new key, shown this once',
    options: {
      name: option('what it is for'),
      mode: option('live or test; else live'),
      scopes: option('comma-separated; else all'),
      expires: option('a date or a time'),
    },
    run: async (door, [tenant], { name, mode, scopes, expires }) =>
      door(
        'POST',
        `${await pathOf(door, tenant)}/keys`,
        defined({ name, mode, scopes: scopes?.split(','), expires_at: expires }),
      ),
    show: showKey,
  },
  'key list': {
    args: ['<tenant>'],
    help: 'its keys, without what they are',
    run: async (door, [tenant]) => everyPage(door, `${await pathOf(door, tenant)}/keys`, {}),
    show: ({ items }) =>
      table(items, {
        KEY: (key) => key.key_id,
        NAME: (key) => key.name,
        MODE: (key) => key.mode,
        STATUS: (key) => key.status,
        CREATED: (key) => day(key.created_at),
        EXPIRES: (key) => (key.expires_at ? day(key.expires_at) : 'never'),
        SCOPES: (key) => key.scopes.join(','),
      }),
  },
  'key rotate': {
    args: ['<tenant>', '<key>'],
    help: 'a new key in place of one',
    options: { 'overlap-seconds': option('how long the old one stays good; else 0') },
    run: async (door, [tenant, key], values) => {
      const overlap = values['overlap-seconds']
      return door(
        'POST',
        `${await keyPath(door, tenant, key)}/rotate`,
        overlap && { overlap_seconds: number(overlap, 'overlap-seconds') },
      )
    },
    show: showKey,
  },
  'key revoke': {
    args: ['<tenant>', '<key>'],
    help: 'dead everywhere by the time this is answered',
    run: async (door, [tenant, key]) => door('DELETE', await keyPath(door, tenant, key)),
    show: (_, [, key]) => `${key} is revoked.`,
  },
}

/** The body of a tenant from the options that were given. */
function bodyOf(values) {
  const body = {}
  for (const [name, { at }] of Object.entries(FIELDS)) {
    if (values[name] === undefined) continue
    const [field, inner] = at
    if (inner === undefined) body[field] = values[name]
    else body[field] = { ...body[field], [inner]: number(values[name], name) }
  }
  return body
}

function number(text, name) {
  if (/^\d+$/.test(text)) return Number(text)
  throw new TenantError(`--${name} ${text}: use a whole number`)
}

/** The operator's own address is the likeliest one for a tenant that was made in a hurry. */
function gitEmail() {
  const email = spawnSync('git', ['config', 'user.email'], { encoding: 'utf8' }).stdout?.trim()
  if (email) return email
  throw new TenantError('A tenant has a contact address: say --email.')
}

async function pathOf(door, tenant) {
  return `/admin/customers/${await idOf(door, tenant)}`
}

async function keyPath(door, tenant, key) {
  return `${await pathOf(door, tenant)}/keys/${encodeURIComponent(key)}`
}

/** An id as it is; a company name when exactly one tenant has it. */
async function idOf(door, tenant) {
  if (UUID.test(tenant)) return tenant
  const { items } = await everyPage(door, '/admin/customers', { search: tenant })
  const named = items.filter(({ company_name: name }) => name.toLowerCase() === tenant.toLowerCase())
  if (named.length === 1) return named[0].customer_id
  const near = named.length > 0 ? named : items
  const list = near.map(({ customer_id: id, company_name: name }) => `\n  ${id}  ${name}`).join('')
  const problem = named.length > 1 ? `Several tenants are called "${tenant}"` : `No tenant is called "${tenant}"`
  throw new TenantError(
    near.length > 0
      ? `${problem}. Say the id of the one you mean:${list}`
      : `${problem}. See \`npm run tenant -- list\`.`,
  )
}

async function everyPage(door, path, query) {
  const items = []
  for (let cursor; ; ) {
    const page = await door('GET', `${path}${queryOf({ ...query, limit: PAGE, cursor })}`)
    items.push(...page.items)
    cursor = page.pagination.next_cursor
    if (!page.pagination.has_more) return { items }
  }
}

function queryOf(query) {
  const text = new URLSearchParams(defined(query)).toString()
  return text && `?${text}`
}

function defined(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

function showTenant(tenant) {
  const { limits } = tenant
  return facts({
    tenant: tenant.customer_id,
    company: tenant.company_name,
    contact: tenant.contact_email,
    status: tenant.status,
    tier: `${tenant.tier}: ${count(limits.requests_per_second)} requests/s, ${count(limits.burst)} at once`,
    year: `${count(limits.annual_validation_limit)} live requests, ${count(limits.annual_commitment)} USD`,
    contract: `${tenant.contract_start ? day(tenant.contract_start) : '…'} to ${tenant.contract_end ? day(tenant.contract_end) : '…'}`,
    created: tenant.created_at,
    changed: tenant.updated_at,
  })
}

function showKey(key) {
  const told = {
    id: key.key_id,
    name: key.name,
    mode: key.mode,
    scopes: key.scopes.join(','),
    expires: key.expires_at ?? 'never',
  }
  return `${facts(told)}\n\nThe key, shown this once:\n\n  ${key.key}`
}
