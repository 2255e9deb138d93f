/** Tests `npm run tenant` as a process of its own against a served Roster. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seedDemo } from '../../../scripts/demo.ts'
import { bearer, Client } from '../isolates/client.ts'
import { CLUSTER_ADMIN_KEY, type Cluster, startCluster } from '../support/cluster.ts'

const script = path.resolve('scripts/tenant.mjs')
/** A folder without .dev.vars. */
const folder = mkdtempSync(path.join(tmpdir(), 'roster-tenant-'))
let cluster: Cluster
let url: string

beforeAll(async () => {
  cluster = await startCluster({ edges: 1, databases: 2 })
  url = cluster.edges[0]?.href ?? ''
})

afterAll(async () => {
  rmSync(folder, { recursive: true })
  await cluster.dispose()
})

async function tenant(args: string[], env: Record<string, string> = { ROSTER_ADMIN_KEY: CLUSTER_ADMIN_KEY }) {
  const { PATH = '', NODE_COMPILE_CACHE = '' } = process.env
  const author = { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'user.email', GIT_CONFIG_VALUE_0: 'operator@example.com' }
  const child = spawn(process.execPath, [script, ...(args.includes('--url') ? args : [...args, '--url', url])], {
    cwd: folder,
    env: { PATH, NODE_COMPILE_CACHE, ...author, ...env },
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (text) => (stdout += text))
  child.stderr.on('data', (text) => (stderr += text))
  const code = await new Promise((resolve) => child.on('close', resolve))
  return { code, stdout, stderr }
}

async function json(args: string[]) {
  const { code, stdout, stderr } = await tenant([...args, '--json'])
  expect(stderr).toBe('')
  expect(code).toBe(0)
  return JSON.parse(stdout)
}

/** Returns the status of a request with this key. */
async function statusOf(key: string) {
  const { status } = await new Client(cluster).send(0, 'GET', '/v1/customers?limit=1', bearer(key))
  return status
}

it('makes a tenant with a name and a tier, whose contact is the operator', async () => {
  const { code, stdout } = await tenant(['create', 'Acme', '--tier', 'scale'])
  expect(code).toBe(0)
  expect(stdout).toMatch(
    /company +Acme\ncontact +operator@example\.com\nstatus +active\ntier +scale: 200 requests\/s, 400 at once/,
  )
  const [, id] = /npm run tenant -- key create ([0-9a-f-]{36})/.exec(stdout) ?? []
  expect(await json(['get', id ?? ''])).toMatchObject({ company_name: 'Acme', tier: 'scale' })
  expect((await tenant(['list', '--tier', 'scale'])).stdout).toMatch(
    new RegExp(
      `^TENANT +COMPANY +TIER +STATUS +RATE/S +CREATED\\n(.*\\n)*${id} +Acme +scale +active +200 +\\d{4}-`,
      'm',
    ),
  )
})

it('moves a tenant to another database, and shows how far it is until it is there', async () => {
  const { database } = await json(['create', 'Mover', '--email', 'a@example.com'])
  const to = 1 - database
  const moved = await tenant(['move', 'Mover', '--to', String(to)])
  expect(moved.code).toBe(0)
  expect(moved.stdout).toMatch(new RegExp(`^database ${database} to ${to}: cleaning, [0-9]+ rows copied`))
  expect(await json(['get', 'Mover'])).toMatchObject({ database: to })
  expect(await json(['move', 'Mover'])).toMatchObject({ status: 'cleaning', problem: null })
  const late = await tenant(['move', 'Mover', '--abort'])
  expect(late.code).toBe(1)
  expect(late.stderr).toContain('is being moved')
})

it('changes the given fields and nothing else, of a tenant by its name', async () => {
  const made = await json(['create', 'Globex', '--email', 'a@example.com', '--contract-start', '2026-01-01'])
  const limits = [
    '--rate',
    '70',
    '--burst',
    '90',
    '--annual-limit',
    '5000',
    '--annual-commitment',
    '10',
    '--storage-bytes',
    '8000',
  ]
  const { code, stdout } = await tenant(['update', 'globex', '--tier', 'custom', ...limits])
  expect(code).toBe(0)
  expect(stdout).toContain('custom: 70 requests/s, 90 at once')
  expect(await json(['get', 'Globex'])).toMatchObject({
    customer_id: made.customer_id,
    contact_email: 'a@example.com',
    contract_start: '2026-01-01T00:00:00.000Z',
    limits: {
      requests_per_second: 70,
      burst: 90,
      annual_commitment: 10,
      annual_validation_limit: 5000,
      storage_bytes: 8000,
    },
  })
})

it('makes, lists, rotates and revokes keys, and suspends and reactivates their tenant, in force when it returns', async () => {
  await json(['create', 'Initech'])
  const { stdout } = await tenant(['key', 'create', 'Initech', '--name', 'billing', '--scopes', 'customers:read'])
  const [, key = ''] = /shown this once:\n\n {2}(sk_live_\S+)\n$/.exec(stdout) ?? []
  const [, keyId = ''] = /^id +(key_\S+)/.exec(stdout) ?? []
  expect(await statusOf(key)).toBe(200)

  expect((await tenant(['suspend', 'Initech', '--reason', 'unpaid'])).stdout).toBe('Initech is suspended.\n')
  expect(await statusOf(key)).toBe(403)
  expect((await tenant(['reactivate', 'Initech'])).stdout).toBe('Initech is active.\n')
  expect(await statusOf(key)).toBe(200)

  const rotated = await json(['key', 'rotate', 'Initech', keyId])
  expect(await statusOf(key)).toBe(401)
  expect(await statusOf(rotated.key)).toBe(200)
  expect((await tenant(['key', 'revoke', 'Initech', rotated.key_id])).stdout).toBe(`${rotated.key_id} is revoked.\n`)
  expect(await statusOf(rotated.key)).toBe(401)
  const listed = (await tenant(['key', 'list', 'Initech'])).stdout
  expect(listed).toMatch(/^KEY +NAME +MODE +STATUS +CREATED +EXPIRES +SCOPES\n/)
  expect(listed).toMatch(
    new RegExp(`${rotated.key_id} +billing +live +revoked +\\d{4}-\\d\\d-\\d\\d +never +customers:read`),
  )

  expect((await tenant(['usage', 'Initech'])).stdout).toMatch(
    /of 1,000,000 live requests since .* \(\d\.\d %\)\nstored: 0 MB of 100 MB live, 0 MB of 50 MB test\n\nDAY +MODE +ADMITTED +RATE LIMITED/,
  )
  const audit = (await tenant(['audit', 'Initech', '--type', 'tenant.updated'])).stdout
  expect(audit.split('\n')).toHaveLength(6)
  expect(audit).toMatch(/tenant\.updated .* admin +unpaid\n {2}status: "active" → "suspended"\n$/)
})

it('lists, disables and deletes webhook endpoints, also those that a revoked key made', async () => {
  await json(['create', 'Hooli'])
  const made = await json(['key', 'create', 'Hooli'])
  const sent = await fetch(new URL('/v1/webhooks/endpoints', url), {
    method: 'POST',
    headers: { ...bearer(made.key), 'content-type': 'application/json' },
    body: JSON.stringify({ url: 'http://127.0.0.1:9/hook' }),
  })
  const { id } = (await sent.json()) as { id: string }
  const row = (status: string) => new RegExp(`${id} +live +${status} +\\d{4}-\\d\\d-\\d\\d +${made.key_id} +http://127`)
  expect((await tenant(['endpoint', 'list', 'Hooli'])).stdout).toMatch(row('ok'))
  expect((await tenant(['key', 'revoke', 'Hooli', made.key_id])).stdout).toMatch(row('ok'))
  expect((await tenant(['endpoint', 'disable', 'Hooli', id])).stdout).toBe(`${id} is disabled.\n`)
  expect((await tenant(['endpoint', 'list', 'Hooli'])).stdout).toMatch(row('disabled'))
  expect((await tenant(['endpoint', 'enable', 'Hooli', id])).stdout).toBe(`${id} is enabled.\n`)
  expect((await tenant(['endpoint', 'delete', 'Hooli', id])).stdout).toBe(`${id} is deleted.\n`)
  expect((await tenant(['endpoint', 'list', 'Hooli'])).stdout).not.toContain(id)
  expect((await tenant(['onboarding', 'Hooli'])).code).toBe(0)
})

it('shows what each change of the audit changed, a field a line, and finds a change by its request', async () => {
  const { customer_id: id } = await json(['create', 'Umbrella', '--tier', 'growth'])
  expect((await tenant(['update', id, '--name', 'Umbrella\u202e & Sons', '--tier', 'scale'])).code).toBe(0)
  const [updated, created] = (await json(['audit', id])).items
  const [heading, first, ...changes] = (await tenant(['audit', id])).stdout.split('\n')
  expect(heading).toMatch(/^TIME +WHAT +WHOSE +WHICH +WHO +WHY$/)
  expect(first).toContain('tenant.updated')
  expect(changes.slice(0, 3)).toEqual([
    '  company_name: "Umbrella" → "Umbrella  & Sons"',
    '  tier: "growth" → "scale"',
    expect.stringMatching(/^ {2}limits\.requests_per_second: \d+ → 200$/),
  ])
  expect(changes.at(-2)).toContain('tenant.created')
  expect(changes).toHaveLength(updated.changes.length + 2)
  expect((await json(['audit', '--request', created.request_id])).items).toEqual([created])
})

it('reads on while pages of the audit are short, up to a bound, and says if there may be more', async () => {
  const asked: string[] = []
  let last = 3
  const server = createServer((request, response) => {
    const query = new URL(request.url ?? '', 'http://x').searchParams
    asked.push(`${query.get('cursor')} ${query.get('limit')}`)
    const next = asked.length < last ? `page-${asked.length}` : null
    const entry = { id: `evt_${asked.length}`, created_at: 'then', type: 'x', actor: 'admin', changes: [] }
    const items = asked.length > 1 ? [entry] : []
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ items, pagination: { limit: 50, next_cursor: next, has_more: next !== null } }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { items } = await json(['audit', '--actor', 'admin', '--url', at])
  expect(items.map(({ id }: { id: string }) => id)).toEqual(['evt_2', 'evt_3'])
  expect(asked).toEqual(['null null', 'page-1 50', 'page-2 49'])
  asked.length = 0
  last = 1_000
  expect((await tenant(['audit', '--url', at])).stdout).toMatch(/\n\nThere may be older ones: .*\n$/)
  expect(asked).toHaveLength(20)
  server.close()
})

it('searches the customers and tenants of all by an id, an external id or an address', async () => {
  const made = await json(['create', 'Stark', '--email', 'search@stark.example'])
  const { key } = await json(['key', 'create', 'Stark', '--mode', 'test'])
  const { status, body } = await new Client(cluster).send(0, 'POST', '/v1/customers', bearer(key), {
    external_id: 'stark_1',
    name: 'Pepper',
    email: 'search@stark.example',
  })
  expect(status).toBe(201)
  const { stdout } = await tenant(['search', 'search@stark.example'])
  const [, customers = '', tenants = ''] = stdout.split(/^Customers\n|\n\nTenants\n/m)
  expect(customers).toMatch(/^CUSTOMER +EXTERNAL ID +NAME +EMAIL +STATUS +MODE +TENANT +COMPANY\n/)
  expect(customers).toMatch(
    new RegExp(`\n${body.id} +stark_1 +Pepper +search@stark.example +published +test +${made.customer_id} +Stark$`),
  )
  expect(tenants).toMatch(/^TENANT +COMPANY +CONTACT +STATUS\n/)
  expect(tenants).toMatch(new RegExp(`\n${made.customer_id} +Stark +search@stark.example +active\n$`))
  expect((await tenant(['search', 'nobody'])).stdout).toBe('Customers\nNone.\n\nTenants\nNone.\n')
})

it('takes the admin key of .dev.vars for a local Roster, and for no other', async () => {
  writeFileSync(path.join(folder, '.dev.vars'), `ADMIN_KEYS=${CLUSTER_ADMIN_KEY}\n`)
  expect((await tenant(['list'], {})).code).toBe(0)
  const elsewhere = await tenant(['list', '--url', 'https://roster.example'], {})
  expect(elsewhere.stderr).toContain('There is no admin key: set ROSTER_ADMIN_KEY')
  expect(elsewhere.code).toBe(2)
  rmSync(path.join(folder, '.dev.vars'))
})

it('prints what to do after a refusal or a wrong command line on stderr, and sets its exit code', async () => {
  await json(['create', 'Twins'])
  await json(['create', 'Twins'])
  const missing = '00000000-0000-4000-8000-000000000000'
  const failures: [string[], RegExp, number][] = [
    [['create', 'Bad', '--tier', 'gold'], /tier .*: .*starter/, 1],
    [['create', 'Bad', '--email', 'nobody'], /contact_email is not a valid e-mail address: /, 1],
    [['create', 'Bad', '--rate', 'many'], /--rate many: use a whole number/, 1],
    [['get', missing], /There is no tenant with this customer_id/, 1],
    [['get', 'Nobody & Sons'], /No tenant is called "Nobody & Sons"\. See `npm run tenant -- list`/, 1],
    [
      ['suspend', 'Twins'],
      /2 tenants are called "Twins"\. Run the command again with the id of one .*:\n\nTENANT .*CREATED\n[0-9a-f-]{36} {2}Twins/,
      1,
    ],
    [['delete', 'Twins', '--confirm', 'Twins'], /2 tenants are called "Twins"/, 1],
    [['update', 'Twins'], /nothing to change/, 1],
    [['list', '--admin-key', 'wrong-admin-key-0123456789abcdef'], /The admin key is not accepted/, 1],
    [['list', '--url', 'http://127.0.0.1:9'], /Nothing answers at .*Start it with `npm start`/, 1],
    [['list', '--url', 'roster.example'], /^--url "roster\.example" has no https:\/\/ in front\. Write it such as/, 2],
    [
      ['list', '--admin-key', 'cut\nin-two'],
      /^--admin-key contains a line break at character 4 of 10\. Copy it again/,
      2,
    ],
    [['list', '--reason', 'a\u001bb'], /--reason has a line break or another control character/, 2],
    [['create'], /<company> is missing\.\n\nnpm run tenant -- create <company>/, 2],
    [['create', 'Acme', 'Corp'], /"Corp" is one word too many: quote/, 2],
    [['list', '--colour', 'red'], /^There is no option --colour\n\nnpm run tenant -- list/, 2],
    [['destroy', 'Acme'], /^There is no command "destroy"\.\n/, 2],
    [['suspnd', 'Acme'], /^There is no command "suspnd", did you mean suspend\?\n/, 2],
    [
      ['delete', 'Acme'],
      /Nothing was deleted: Acme is active\. Suspend it first: npm run tenant -- suspend [0-9a-f-]{36}/,
      1,
    ],
  ]
  for (const [args, message, expected] of failures) {
    const { code, stdout, stderr } = await tenant(args)
    expect(stderr).toMatch(message)
    expect(stdout).toBe('')
    expect(code).toBe(expected)
  }
})

it('deletes a suspended tenant whose name is confirmed, and shows the receipt', async () => {
  const name = 'Größe & Söhne'
  const { customer_id: id } = await json(['create', name])
  const { key } = await json(['key', 'create', id])
  await json(['suspend', id])
  const unconfirmed = await tenant(['delete', id])
  expect([unconfirmed.code, unconfirmed.stderr]).toEqual([
    1,
    'Nothing was deleted: confirm it with --confirm "<company name>".\n',
  ])
  const wrong = await tenant(['delete', id, '--confirm', 'Große'])
  expect(wrong.stderr).toBe(`Nothing was deleted: the name of this tenant is "${name}". Give it with --confirm.\n`)
  expect((await json(['get', id])).status).toBe('suspended')

  const { stdout, code } = await tenant(['delete', id, '--confirm', name, '--reason', 'Vertrag gekündigt'])
  expect([code, stdout]).toEqual([
    0,
    `${name} is deleted. Its data is gone within the hour; \`npm run tenant -- audit ${id}\` shows the receipt.\n`,
  ])
  expect(await statusOf(key)).toBe(401)
  expect((await tenant(['get', id])).stderr).toContain('There is no tenant with this customer_id')
  const { items } = await json(['audit', id])
  expect(items[0]).toMatchObject({ type: 'tenant.deleted', reason: 'Vertrag gekündigt' })
})

it('prints what a tenant or an operator wrote without characters that a terminal acts on', async () => {
  const made = await json(['create', 'Evil\u001b]0;pwned\u0007\u202eCorp'])
  for (const args of [['list'], ['get', made.customer_id], ['suspend', made.customer_id], ['get', 'Evil\u001b']]) {
    const { stdout, stderr } = await tenant(args)
    expect(stdout + stderr).toContain('Evil')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a terminal acts on
    expect(stdout + stderr).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
  }
})

describe('the demo tenant of npm start', () => {
  const start = (stateFolder: string) =>
    seedDemo({ origin: url.replace(/\/$/, ''), adminKey: CLUSTER_ADMIN_KEY, stateFolder })
  const demoTenants = async () => (await json(['list', '--search', 'ops@demo.example'])).items.length

  it('is recognised by its kept id, whatever it is called and whatever became of its keys', async () => {
    const state = mkdtempSync(path.join(folder, 'state-'))
    const first = await start(state)
    const before = await demoTenants()
    expect(first).toMatchObject({
      company: 'Demo Energy',
      tier: 'scale',
      notes: [],
      parentId: expect.stringMatching(/^cust_/),
    })
    expect(await start(state)).toEqual(first)

    await json(['update', first.tenantId, '--name', 'Renamed', '--tier', 'growth'])
    expect(await start(state)).toEqual({ ...first, company: 'Renamed', tier: 'growth' })

    await json(['suspend', first.tenantId])
    const suspended = await start(state)
    expect(suspended).toMatchObject({ tenantId: first.tenantId, liveKey: first.liveKey, parentId: first.parentId })
    expect(suspended.notes).toEqual([
      expect.stringContaining(
        `The demo tenant is suspended, so its keys are refused. This admits them again: npm run tenant -- reactivate ${first.tenantId}`,
      ),
    ])
    await json(['reactivate', first.tenantId])

    const { items } = await json(['key', 'list', first.tenantId])
    for (const { key_id: id, mode } of items) if (mode === 'live') await json(['key', 'revoke', first.tenantId, id])
    const rekeyed = await start(state)
    expect(rekeyed).toMatchObject({ tenantId: first.tenantId, testKey: first.testKey, parentId: first.parentId })
    expect(rekeyed.notes).toEqual(['The live key of the demo tenant was revoked or has expired, so it has a new one.'])
    expect(await statusOf(rekeyed.liveKey)).toBe(200)
    expect((await start(state)).notes).toEqual([])
    expect(await demoTenants()).toBe(before)

    await json(['suspend', first.tenantId])
    await json(['delete', first.tenantId, '--confirm', 'Renamed'])
    const anew = await start(state)
    expect(anew.notes).toEqual(['The demo tenant was deleted, so this is a new one.'])
    expect(anew.tenantId).not.toBe(first.tenantId)
  })
})

it('prints the help of all and of each command', async () => {
  const { stdout, code } = await tenant(['--help'], {})
  expect(code).toBe(0)
  const commands = [...stdout.matchAll(/^ {2}([a-z]+(?: [a-z]+)?) .*? {2}/gm)].map(([, name = '']) => name)
  expect(commands).toEqual(expect.arrayContaining(['create', 'list', 'suspend', 'key create', 'key revoke', 'audit']))
  for (const command of commands) {
    const help = await tenant([...command.split(' '), '--help'], {})
    expect(help.stdout).toMatch(new RegExp(`^npm run tenant -- ${command} [\\s\\S]*--json`))
    expect(help.code).toBe(0)
  }
})

it('sends the service token of Cloudflare Access, where the admin API is behind it', async () => {
  const sent: Record<string, unknown>[] = []
  const access = createServer((request, response) => {
    sent.push(request.headers)
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"items":[],"pagination":{"has_more":false}}')
  })
  await new Promise<void>((resolve) => access.listen(0, '127.0.0.1', resolve))
  const at = `http://127.0.0.1:${(access.address() as AddressInfo).port}`
  const token = { CF_ACCESS_CLIENT_ID: 'id.access', CF_ACCESS_CLIENT_SECRET: 'secret' }
  for (const env of [token, {}]) {
    const { code } = await tenant(['list', '--url', at], { ROSTER_ADMIN_KEY: CLUSTER_ADMIN_KEY, ...env })
    expect(code).toBe(0)
  }
  access.close()
  expect(sent[0]).toMatchObject({ 'cf-access-client-id': 'id.access', 'cf-access-client-secret': 'secret' })
  expect(sent[1]).not.toHaveProperty('cf-access-client-id')
})
