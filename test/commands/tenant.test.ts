/** What `npm run tenant` promises, run as a process of its own against a served Roster. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { bearer, Client } from '../isolates/client.ts'
import { CLUSTER_ADMIN_KEY, type Cluster, startCluster } from '../support/cluster.ts'

const script = path.resolve('scripts/tenant.mjs')
/** Where there is no .dev.vars. */
const folder = mkdtempSync(path.join(tmpdir(), 'roster-tenant-'))
let cluster: Cluster
let url: string

beforeAll(async () => {
  cluster = await startCluster({ edges: 1 })
  url = cluster.edges[0]?.href ?? ''
}, 60_000)

afterAll(async () => {
  rmSync(folder, { recursive: true })
  await cluster.dispose()
})

async function tenant(args: string[], env: Record<string, string> = { ROSTER_ADMIN_KEY: CLUSTER_ADMIN_KEY }) {
  const { PATH = '' } = process.env
  const author = { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'user.email', GIT_CONFIG_VALUE_0: 'operator@example.com' }
  const child = spawn(process.execPath, [script, ...(args.includes('--url') ? args : [...args, '--url', url])], {
    cwd: folder,
    env: { PATH, ...author, ...env },
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

/** What a request with this key is answered. */
async function statusOf(key: string) {
  const { status } = await new Client(cluster).send(0, 'GET', '/v1/customers?limit=1', bearer(key))
  return status
}

it('makes a tenant with a name and a tier, whose contact is whoever made it', async () => {
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

it('changes what is given and nothing else, of a tenant by its name', async () => {
  const made = await json(['create', 'Globex', '--email', 'a@example.com', '--contract-start', '2026-01-01'])
  const limits = ['--rate', '70', '--burst', '90', '--annual-limit', '5000', '--annual-commitment', '10']
  const { code, stdout } = await tenant(['update', 'globex', '--tier', 'custom', ...limits])
  expect(code).toBe(0)
  expect(stdout).toContain('custom: 70 requests/s, 90 at once')
  expect(await json(['get', 'Globex'])).toMatchObject({
    customer_id: made.customer_id,
    contact_email: 'a@example.com',
    contract_start: '2026-01-01T00:00:00.000Z',
    limits: { requests_per_second: 70, burst: 90, annual_commitment: 10, annual_validation_limit: 5000 },
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
    /of 1,000,000 live requests since .* \(\d\.\d %\)\n\nDAY +MODE +ADMITTED +RATE LIMITED/,
  )
  const audit = (await tenant(['audit', 'Initech', '--type', 'tenant.updated'])).stdout
  expect(audit.split('\n')).toHaveLength(4)
  expect(audit).toMatch(/tenant\.updated .* admin +unpaid\n/)
})

it('takes the admin key of .dev.vars for a local Roster, and for no other', async () => {
  writeFileSync(path.join(folder, '.dev.vars'), `ADMIN_KEYS=${CLUSTER_ADMIN_KEY}\n`)
  expect((await tenant(['list'], {})).code).toBe(0)
  const elsewhere = await tenant(['list', '--url', 'https://roster.example'], {})
  expect(elsewhere.stderr).toContain('There is no admin key: set ROSTER_ADMIN_KEY')
  expect(elsewhere.code).toBe(2)
  rmSync(path.join(folder, '.dev.vars'))
})

it('says what to do when it is refused or not understood, on stderr, and by its exit code', async () => {
  await json(['create', 'Twins'])
  await json(['create', 'Twins'])
  const missing = '00000000-0000-4000-8000-000000000000'
  const failures: [string[], RegExp, number][] = [
    [['create', 'Bad', '--tier', 'gold'], /tier .*: .*starter/, 1],
    [['create', 'Bad', '--email', 'nobody'], /contact_email is not a valid e-mail address: /, 1],
    [['create', 'Bad', '--rate', 'many'], /--rate many: use a whole number/, 1],
    [['get', missing], /no such/i, 1],
    [['get', 'Nobody & Sons'], /No tenant is called "Nobody & Sons"\. See `npm run tenant -- list`/, 1],
    [
      ['suspend', 'Twins'],
      /Several tenants are called "Twins"\. Say the id of the one you mean:\n {2}[0-9a-f-]{36} {2}Twins/,
      1,
    ],
    [['update', 'Twins'], /nothing to change/, 1],
    [['list', '--admin-key', 'wrong-admin-key-0123456789abcdef'], /The admin key is not accepted/, 1],
    [['list', '--url', 'http://127.0.0.1:9'], /Nothing answers at .*Start it with `npm start`/, 1],
    [['list', '--url', 'roster.example'], /write it with its https/, 2],
    [['create'], /<company> is missing\.\n\nnpm run tenant -- create <company>/, 2],
    [['create', 'Acme', 'Corp'], /"Corp" is one word too many: quote/, 2],
    [['list', '--colour', 'red'], /--colour[\s\S]*npm run tenant -- list/, 2],
    [['delete', 'Acme'], /There is no command "delete"/, 2],
  ]
  for (const [args, message, expected] of failures) {
    const { code, stdout, stderr } = await tenant(args)
    expect(stderr).toMatch(message)
    expect(stdout).toBe('')
    expect(code).toBe(expected)
  }
})

it('explains itself and each command', async () => {
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
