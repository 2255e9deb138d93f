/**
 * The commands of `npm run tenant`: for each its arguments and options, its requests to the admin API, and how it prints the
 * response. tenant.mjs sends the requests: it passes in `api(method, path, body?)`.
 */
import { spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline/promises'
import { plainText } from '../src/shared/shown-text.ts'
import { configurationCommands, ENDPOINT_COLUMNS } from './tenant-configuration.mjs'
import { count, day, facts, table } from './terminal.mjs'

/** Roster refused the request, or the operator has to fix something. */
export class TenantError extends Error {}

const PAGE = 100
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

const option = (help) => ({ type: 'string', help })

/** The fields of a tenant: the help of the option, and the place in the body. */
const FIELDS = {
  email: { help: 'contact address', at: ['contact_email'] },
  tier: { help: 'starter, growth, scale, enterprise or custom', at: ['tier'] },
  rate: { help: 'requests a second, of tier custom', at: ['limits', 'requests_per_second'] },
  burst: { help: 'requests at once, of tier custom', at: ['limits', 'burst'] },
  'annual-limit': {
    help: 'admitted live requests a contract year, of tier custom',
    at: ['limits', 'annual_validation_limit'],
  },
  'storage-bytes': { help: 'bytes that live mode may store, of tier custom', at: ['limits', 'storage_bytes'] },
  'annual-commitment': { help: 'USD a contract year, of tier custom', at: ['limits', 'annual_commitment'] },
  'contract-start': { help: 'a date such as 2026-01-20', at: ['contract_start'] },
  'contract-end': { help: 'a date such as 2027-01-20', at: ['contract_end'] },
}
const tenantOptions = Object.fromEntries(Object.entries(FIELDS).map(([name, { help }]) => [name, option(help)]))

export const COMMANDS = {
  create: {
    args: ['<company>'],
    help: 'a new tenant',
    options: { ...tenantOptions, email: option('contact address; default: yours from git config') },
    run: (api, [company], values) =>
      api('POST', '/admin/customers', {
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
    run: (api, _, { status, tier, search }) => everyPage(api, '/admin/customers', { status, tier, search }),
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
    run: async (api, [tenant]) => api('GET', await pathOf(api, tenant)),
    show: showTenant,
  },
  update: {
    args: ['<tenant>'],
    help: 'change the given fields; in force everywhere when it returns',
    options: { name: option('company name'), ...tenantOptions },
    run: async (api, [tenant], values) => {
      const body = { ...(values.name !== undefined && { company_name: values.name }), ...bodyOf(values) }
      if (Object.keys(body).length === 0)
        throw new TenantError('There is nothing to change: give at least one option, such as --tier growth.')
      return api('PUT', await pathOf(api, tenant), body)
    },
    show: showTenant,
  },
  suspend: {
    args: ['<tenant>'],
    help: 'refuse all its keys; in force everywhere when it returns',
    run: async (api, [tenant]) => api('PUT', await pathOf(api, tenant), { status: 'suspended' }),
    show: (tenant) => `${plainText(tenant.company_name)} is suspended.`,
  },
  reactivate: {
    args: ['<tenant>'],
    help: 'admit its keys again',
    run: async (api, [tenant]) => api('PUT', await pathOf(api, tenant), { status: 'active' }),
    show: (tenant) => `${plainText(tenant.company_name)} is active.`,
  },
  delete: {
    args: ['<tenant>'],
    help: 'delete a suspended tenant with everything it has, for good',
    options: { confirm: option('its company name; without it the command asks for it') },
    run: async (api, [tenant], { confirm }) => {
      const path = await pathOf(api, tenant)
      const known = await api('GET', path)
      if (known.status !== 'suspended') throw new TenantError(notSuspended(known))
      const name = confirm ?? (await asked(known))
      if (name !== known.company_name) {
        throw new TenantError(
          `Nothing was deleted: the name of this tenant is ${JSON.stringify(plainText(known.company_name))}. Give it with --confirm.`,
        )
      }
      return api('DELETE', path, undefined, { 'x-confirm': encodeURIComponent(name) })
    },
    show: (deletion) =>
      `${plainText(deletion.company_name)} is deleted. Its data is gone within the hour; \`npm run tenant -- audit ${deletion.customer_id}\` shows the receipt.`,
  },
  usage: {
    args: ['<tenant>'],
    help: 'requests by day and outcome, those of the year and the bytes stored with their limits',
    run: async (api, [tenant]) => api('GET', `${await pathOf(api, tenant)}/usage`),
    show: ({ live, test }) => {
      const share = `${((100 * live.admitted_this_year) / live.annual_validation_limit).toFixed(1)} %`
      const year = `${count(live.admitted_this_year)} of ${count(live.annual_validation_limit)} live requests since ${live.contract_year_start} (${share})`
      const days = [
        ...live.days.map((one) => ({ ...one, mode: 'live' })),
        ...test.days.map((one) => ({ ...one, mode: 'test' })),
      ]
      const columns = { DAY: (one) => one.date, MODE: (one) => one.mode, ADMITTED: (one) => count(one.admitted) }
      const stored = (mode) => `${megabytes(mode.stored_bytes)} of ${megabytes(mode.storage_bytes)}`
      const storage = `stored: ${stored(live)} live, ${stored(test)} test`
      return `${year}\n${storage}\n\n${table(days, { ...columns, 'RATE LIMITED': (one) => count(one.rate_limited) })}`
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
      until: option('a date or a time'),
      limit: option('how many, up to 100; default: 50'),
    },
    run: async (api, [tenant], { type, actor, customer, since, until, limit }) => {
      const tenantId = tenant && (await idOf(api, tenant))
      const query = {
        tenant_id: tenantId,
        type,
        actor,
        customer_id: customer,
        start_time: since,
        end_time: until,
        limit,
      }
      return api('GET', `/admin/audit${queryOf(query)}`)
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
      mode: option('live or test; default: live'),
      scopes: option('comma-separated; default: all'),
      expires: option('a date or a time'),
    },
    run: async (api, [tenant], { name, mode, scopes, expires }) =>
      api(
        'POST',
        `${await pathOf(api, tenant)}/keys`,
        defined({ name, mode, scopes: scopes?.split(','), expires_at: expires }),
      ),
    show: showKey,
  },
  'key list': {
    args: ['<tenant>'],
    help: 'its keys, without their secrets',
    run: async (api, [tenant]) => everyPage(api, `${await pathOf(api, tenant)}/keys`, {}),
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
    options: { 'overlap-seconds': option('how long the old one stays valid; default: 0') },
    run: async (api, [tenant, key], values) => {
      const overlap = values['overlap-seconds']
      return api(
        'POST',
        `${await keyPath(api, tenant, key)}/rotate`,
        overlap && { overlap_seconds: number(overlap, 'overlap-seconds') },
      )
    },
    show: showKey,
  },
  'key revoke': {
    args: ['<tenant>', '<key>'],
    help: 'refuse a key, in force everywhere when it returns, and list the webhook endpoints it made',
    run: async (api, [tenant, key]) => {
      const path = await pathOf(api, tenant)
      await api('DELETE', `${path}/keys/${encodeURIComponent(key)}`)
      const { items } = await api('GET', `${path}/webhooks/endpoints`)
      return { key_id: key, endpoints: items.filter(({ created_by: by }) => by === key) }
    },
    show: ({ key_id: key, endpoints }) => {
      const revoked = `${plainText(key)} is revoked.`
      if (endpoints.length === 0) return revoked
      const list = table(endpoints, ENDPOINT_COLUMNS)
      return `${revoked} Events are still sent to the endpoints that were made with it. To stop one: npm run tenant -- endpoint disable\n\n${list}`
    },
  },
  ...configurationCommands(pathOf),
}

/** Returns the body of a request about a tenant, from the given options. */
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

/** Returns the operator's own e-mail address, the default of `--email`. Throws `TenantError` if git has none. */
function gitEmail() {
  const email = spawnSync('git', ['config', 'user.email'], { encoding: 'utf8' }).stdout?.trim()
  if (email) return email
  throw new TenantError('A tenant needs a contact address: give --email.')
}

async function pathOf(api, tenant) {
  return `/admin/customers/${await idOf(api, tenant)}`
}

async function keyPath(api, tenant, key) {
  return `${await pathOf(api, tenant)}/keys/${encodeURIComponent(key)}`
}

/** Returns the id of a tenant that is given by its id or its company name. Throws `TenantError` unless exactly one tenant has it. */
async function idOf(api, tenant) {
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

function notSuspended({ company_name: name, customer_id: id }) {
  return `Nothing was deleted: ${plainText(name)} is active. Suspend it first: npm run tenant -- suspend ${id}`
}

/** Returns the company name that the operator types. Throws `TenantError` if nobody is at the terminal. */
async function asked({ company_name: name }) {
  if (!process.stdin.isTTY) throw new TenantError('Nothing was deleted: confirm it with --confirm "<company name>".')
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const typed = await terminal.question(
    `This deletes ${plainText(name)} with its customers, events and keys, for good.\nType its name to go on: `,
  )
  terminal.close()
  return typed
}

async function everyPage(api, path, query) {
  const items = []
  for (let cursor; ; ) {
    const page = await api('GET', `${path}${queryOf({ ...query, limit: PAGE, cursor })}`)
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

function megabytes(bytes) {
  return `${count(Math.round(bytes / 100_000) / 10)} MB`
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
    storage: megabytes(limits.storage_bytes),
    contract: `${tenant.contract_start ? day(tenant.contract_start) : '…'} to ${tenant.contract_end ? day(tenant.contract_end) : '…'}`,
    created: tenant.created_at,
    changed: tenant.updated_at,
  })
}

function showKey(key) {
  const fields = {
    id: key.key_id,
    name: key.name,
    mode: key.mode,
    scopes: key.scopes.join(','),
    expires: key.expires_at ?? 'never',
  }
  return `${facts(fields)}\n\nThe key, shown this once:\n\n  ${key.key}`
}
