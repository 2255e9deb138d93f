/** What `npm run deploy` promises: the script and the real wrangler, run as processes against an account on loopback. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeEach, expect, it } from 'vitest'
import { FakeCloudflare } from '../support/fake-cloudflare.ts'

/** 32 random bytes. */
const SECRET = /^[0-9a-f]{64}$/
const script = path.resolve('scripts/deploy.mjs')
const home = mkdtempSync(path.join(tmpdir(), 'roster-deploy-'))
const token = { CLOUDFLARE_API_TOKEN: 'test-token' }
let account: FakeCloudflare

beforeEach(async () => {
  account = await FakeCloudflare.start()
})

afterEach(() => {
  account.stop()
  expect(account.unknown).toEqual([])
})

afterAll(() => rmSync(home, { recursive: true }))

async function deploy(args: string[] = [], options: { cwd?: string; env?: Record<string, string> } = {}) {
  // Nothing of whoever runs the tests: no login, no settings, no account.
  const { PATH = '' } = process.env
  const clean = {
    PATH,
    HOME: home,
    XDG_CONFIG_HOME: home,
    WRANGLER_HIDE_BANNER: 'true',
    WRANGLER_SEND_METRICS: 'false',
  }
  const child = spawn(process.execPath, [script, '--url', account.origin, ...args], {
    cwd: options.cwd ?? process.cwd(),
    env: { ...clean, CLOUDFLARE_API_BASE_URL: account.origin, ...(options.env ?? token) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text))
  const code = await new Promise((resolve) => child.on('close', resolve))
  return { code, output, changes: account.changes.splice(0) }
}

/** What a Worker was deployed with, by the names of its bindings. */
function bindingsOf(worker: string) {
  return Object.fromEntries((account.workers.get(worker)?.bindings ?? []).map((binding) => [binding.name, binding]))
}

const creations = (changes: string[]) =>
  changes.filter((change) => /^POST \/(d1|storage|queues$)|^PUT \/(d1|workers\/subdomain)/.test(change))

it('creates what is missing, applies the migrations before the first version, and shows the secrets it made once', async () => {
  const { code, output, changes } = await deploy()
  expect(output).toContain(`Roster is served on ${account.origin}`)
  expect(code).toBe(0)
  expect(changes.indexOf('PUT /workers/scripts/roster')).toBeGreaterThan(changes.indexOf('POST /d1/database'))
  expect(account.workers.get('roster')?.tablesAtUpload).toEqual(
    expect.arrayContaining(['customers', 'tenants', 'events']),
  )
  expect(account.databases.get('roster')?.read_replication).toEqual({ mode: 'auto' })
  expect([...account.namespaces.keys()]).toEqual(['roster-cache'])

  const { ADMIN_KEYS, SIGNING_SECRETS, DB, CACHE, GATE_LOCATION_HINT } = bindingsOf('roster')
  expect(DB?.id).toBe(account.databases.get('roster')?.uuid)
  expect(CACHE?.namespace_id).toBe(account.namespaces.get('roster-cache'))
  expect(GATE_LOCATION_HINT?.text).toBe('weur')
  expect(ADMIN_KEYS?.text).toMatch(SECRET)
  expect(SIGNING_SECRETS?.text).toMatch(SECRET)
  for (const secret of [ADMIN_KEYS, SIGNING_SECRETS]) expect(output.split(secret?.text ?? '')).toHaveLength(2)
  expect(ADMIN_KEYS?.text).not.toBe(SIGNING_SECRETS?.text)
  // The folder wrangler read its configuration from is gone.
  expect(readdirSync('.wrangler').filter((name) => name.startsWith('deploy-'))).toEqual([])

  const again = await deploy()
  expect(again.code).toBe(0)
  expect(creations(again.changes)).toEqual([])
  expect(again.changes).toContain('POST /workers/scripts/roster/deployments')
  expect(again.output).not.toContain('shown this once')
  expect(bindingsOf('roster')).toMatchObject({ ADMIN_KEYS, SIGNING_SECRETS })
})

it('uploads a version that serves nobody, after its migrations, when there is one that serves', async () => {
  const early = await deploy(['--upload'])
  expect(early.output).toContain('deploy it without --upload first')
  expect(early.changes).toEqual([])
  await deploy()
  const { code, output, changes } = await deploy(['--upload'])
  expect(output).toContain('Worker Version ID')
  expect(code).toBe(0)
  expect(changes).toContain('POST /workers/scripts/roster/versions')
  expect(changes.filter((change) => /deployments|PUT .*scripts\/roster$/.test(change))).toEqual([])
})

it('gives another environment everything of its own, by the same wrangler.toml', async () => {
  await deploy()
  const { code } = await deploy(['--env', 'staging', '--location', 'apac'])
  expect(code).toBe(0)
  const production = bindingsOf('roster')
  const staging = bindingsOf('roster-staging')
  expect(Object.keys(staging).sort()).toEqual(Object.keys(production).sort())
  expect(staging.GATE_LOCATION_HINT?.text).toBe('apac')
  // These are the Worker's own anyway; everything else is by a name or an id, or is a secret.
  const ofWorker = ['durable_object_namespace', 'version_metadata', 'plain_text']
  const own = Object.values(staging).filter(({ type }) => !ofWorker.includes(type))
  expect(own.length).toBeGreaterThan(4)
  for (const binding of own) expect(production[binding.name]).not.toEqual(binding)
  for (const made of [account.databases, account.queues, account.workflows]) {
    const names = [...(made as Map<string, unknown>).keys()]
    const ofProduction = names.filter((name) => !name.endsWith('-staging'))
    expect(names.filter((name) => name.endsWith('-staging'))).toEqual(ofProduction.map((name) => `${name}-staging`))
  }
})

it('goes on after it broke off, creates nothing twice, and then shows the secrets', async () => {
  account.refuseUploads = true
  const broken = await deploy()
  expect(broken.code).toBe(1)
  expect(broken.output).toContain('`wrangler deploy` failed')
  expect(broken.output).not.toContain('shown this once')
  account.refuseUploads = false
  const { code, output, changes } = await deploy()
  expect(code).toBe(0)
  expect(creations(changes)).toEqual([])
  expect(output).toContain(bindingsOf('roster').ADMIN_KEYS?.text)
})

it('deploys nothing when a migration fails', async () => {
  account.refuseMigrations = true
  const { code, output, changes } = await deploy()
  expect(code).toBe(1)
  expect(output).toContain('Nothing was deployed')
  expect(changes.filter((change) => change.includes('/scripts/'))).toEqual([])
})

it('says in a dry run what it would do, and does none of it', async () => {
  const { code, output, changes } = await deploy(['--dry-run', '--env', 'staging'])
  expect(output).toMatch(/D1 database +roster-staging +would be created/)
  expect(output).toMatch(/KV namespace +roster-staging-cache +would be created/)
  expect(output).toMatch(/secret +ADMIN_KEYS +will be made/)
  expect(code).toBe(0)
  expect(changes).toEqual([])
})

it('says what is needed before it has changed anything', async () => {
  account.subdomain = null
  const folder = mkdtempSync(path.join(home, 'project-'))
  const more = '\n[[r2_buckets]]\nbinding = "FILES"\nbucket_name = "files"\n'
  writeFileSync(path.join(folder, 'wrangler.toml'), readFileSync('wrangler.toml', 'utf8') + more)
  const refusals: [Parameters<typeof deploy>, RegExp][] = [
    [[[], { env: {} }], /Run `npx wrangler login`, or set CLOUDFLARE_API_TOKEN/],
    [[], /no workers\.dev subdomain yet. Choose one with --subdomain/],
    [[['--env', 'staging'], { cwd: folder }], /\[r2_buckets\], and staging must not share it with production/],
    [[['--env', 'Staging']], /--env Staging: use/],
    [[['--location', 'mars']], /--location mars: use one of wnam/],
    [[['--force']], /npm run deploy -- \[options\]/],
  ]
  for (const [call, message] of refusals) {
    const { code, output, changes } = await deploy(...call)
    expect(output).toMatch(message)
    expect(code).toBe(1)
    expect(changes).toEqual([])
  }
  expect((await deploy(['--subdomain', 'acme', '--dry-run'])).output).toMatch(
    /workers\.dev subdomain +acme +would be created/,
  )
})
