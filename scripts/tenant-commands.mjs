/**
 * The commands of `npm run tenant`: for each its arguments and options, its requests to the admin API, and how it prints the
 * response. tenant.mjs sends the requests: it passes in `api(method, path, body?)`.
 */
import { spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline/promises'
import { plainText } from '../src/shared/shown-text.ts'
import { configurationCommands } from './tenant-configuration.mjs'
import { keyCommands } from './tenant-keys.mjs'
import { lookUpCommands } from './tenant-look-ups.mjs'
import { everyPage, number, option, pathOf, TenantError } from './tenant-requests.mjs'
import { count, day, facts, table } from './terminal.mjs'

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
  'retention-days': {
    help: 'days for which changes of customers are kept',
    at: ['event_retention_days'],
    isNumber: true,
  },
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
  move: {
    args: ['<tenant>'],
    help: 'move it to another database, or show its last move',
    options: {
      to: option('the number of the database: 0 is DB, 1 is DB_1'),
      abort: { type: 'boolean', help: 'take the move back' },
    },
    run: async (api, [tenant], { to, abort }) => {
      const path = `${await pathOf(api, tenant)}/move`
      if (abort) return untilOver(api, path, await api('DELETE', path), ['aborted'])
      if (to === undefined) return api('GET', path)
      return untilOver(api, path, await api('POST', path, { database: number(to, '--to') }), [
        'cleaning',
        'done',
        'aborted',
      ])
    },
    show: showMove,
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
  ...lookUpCommands,
  ...keyCommands,
  ...configurationCommands,
}

/** How often the progress of a move is looked at. */
const MOVE_LOOK_EVERY_MS = 1_000

/** Shows the progress of a move until it has one of these states. The move goes on without it. */
async function untilOver(api, path, first, states) {
  for (let move = first, shown = ''; ; move = await api('GET', path)) {
    const line = showMove(move)
    if (line !== shown) console.error(line)
    shown = line
    if (states.includes(move.status)) return move
    await new Promise((resolve) => setTimeout(resolve, MOVE_LOOK_EVERY_MS))
  }
}

function showMove({ from, to, status, rows_copied, rows_copied_again, problem }) {
  const rows = `${count(rows_copied)} rows copied, ${count(rows_copied_again)} again`
  const why = problem === null ? '' : `: ${plainText(problem)}`
  return `database ${from} to ${to}: ${status}, ${rows}${why}`
}

/** Returns the body of a request about a tenant, from the given options. */
function bodyOf(values) {
  const body = {}
  for (const [name, { at, isNumber }] of Object.entries(FIELDS)) {
    if (values[name] === undefined) continue
    const [field, inner] = at
    if (inner === undefined) body[field] = isNumber ? number(values[name], name) : values[name]
    else body[field] = { ...body[field], [inner]: number(values[name], name) }
  }
  return body
}

/** Returns the operator's own e-mail address, the default of `--email`. Throws `TenantError` if git has none. */
function gitEmail() {
  const email = spawnSync('git', ['config', 'user.email'], { encoding: 'utf8' }).stdout?.trim()
  if (email) return email
  throw new TenantError('A tenant needs a contact address: give --email.')
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
    history: `${count(tenant.event_retention_days)} days`,
    database: tenant.database === 0 ? 'DB' : `DB_${tenant.database}`,
    created: tenant.created_at,
    changed: tenant.updated_at,
  })
}
