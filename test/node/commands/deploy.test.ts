/** Tests `npm run deploy`: the script and the real wrangler, as processes against an account on loopback. */
import { execFile } from 'node:child_process'
import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { WRONG_USAGE } from '../../../scripts/command-line.ts'
import { readOptions } from '../../../scripts/deploy/options.mjs'
import { ACCOUNT, FakeCloudflare } from '../support/fake-cloudflare/account.ts'
import { deployTo, environmentOf, smallProject } from '../support/fake-cloudflare/run.ts'

/** 32 random bytes. */
const SECRET = /^[0-9a-f]{64}$/
const home = mkdtempSync(path.join(tmpdir(), 'roster-deploy-'))
const project = smallProject(home)
let account: FakeCloudflare

afterAll(() => rmSync(home, { recursive: true }))

/** Deploys the small project; `cwd` is that of another. */
function deploy(args: string[] = [], options: { cwd?: string; env?: Record<string, string> } = {}) {
  return deployTo(account, home, args, { cwd: project, ...options })
}

/** Returns the bindings of a deployed Worker by their names. */
function bindingsOf(worker: string) {
  return Object.fromEntries((account.workers.get(worker)?.bindings ?? []).map((binding) => [binding.name, binding]))
}

const creations = (changes: string[]) =>
  changes.filter((change) => /^POST \/(d1|storage|r2|queues$)|^PUT \/(d1|workers\/subdomain)/.test(change))

describe('an account that is deployed to again and again', () => {
  type Deployed = Awaited<ReturnType<typeof deploy>>
  let early: Deployed
  let first: Deployed

  beforeAll(async () => {
    account = await FakeCloudflare.start()
    early = await deploy(['--upload'])
    first = await deploy([], { cwd: process.cwd() })
  })

  afterEach(() => {
    account.refuseNothing()
    expect(account.unknown).toEqual([])
  })

  afterAll(() => account.stop())

  it('creates what is missing, applies the migrations before the first version, and shows the secrets it made once', async () => {
    const { pid, code, output, changes } = first
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
    // The first operator is whose token this is.
    expect(account.admitted).toEqual([
      'POST /admin/operators {"name":"ops@acme.example","email":"ops@acme.example","role":"owner"}',
      'POST /admin/operators/op_1/sign_in_links ',
    ])
    expect(output).toContain(`${account.origin}/console/sign-in#token=ol_1`)
    expect(account.workers.get('roster')?.codeUpdate).toEqual({ mode: 'immediate' })
    // The folder wrangler read its configuration from is gone.
    expect(readdirSync('.wrangler').filter((name) => name.startsWith(`deploy-${pid}-`))).toEqual([])

    const again = await deploy()
    expect(again.code).toBe(0)
    expect(creations(again.changes)).toEqual([])
    expect(again.changes).toContain('POST /workers/scripts/roster/deployments')
    expect(again.changes.filter((change) => change.endsWith('/import'))).toEqual([])
    expect(account.workers.get('roster')?.codeUpdate).toEqual({ mode: 'immediate' })
    expect(again.output).not.toContain('shown this once')
    expect(again.output).not.toContain('sign-in')
    expect(account.admitted).toHaveLength(2)
    expect(bindingsOf('roster')).toMatchObject({ ADMIN_KEYS, SIGNING_SECRETS })
  })

  it('uploads a version that serves no requests when another one serves', async () => {
    expect(early.output).toContain('deploy it without --upload first')
    expect(early.changes).toEqual([])
    const { code, output, changes } = await deploy(['--upload'])
    expect(output).toMatch(
      /npx wrangler versions deploy [0-9a-f-]{36}@10% .*--durable-objects-code-update-mode immediate/,
    )
    expect(output).toMatch(/finish with `npm run deploy`, or with `npx wrangler triggers deploy --name roster`/)
    expect(output).toContain('npx wrangler versions secret put <name> --name roster')
    expect(code).toBe(0)
    expect(changes).toContain('POST /workers/scripts/roster/versions')
    expect(changes.filter((change) => /deployments|PUT .*scripts\/roster$/.test(change))).toEqual([])

    // The command it names, for all of the traffic. The first deployment set the mode, too.
    Object.assign(account.workers.get('roster') ?? {}, { codeUpdate: null })
    const [, command = ''] = /npx wrangler (versions deploy .*)/.exec(output) ?? []
    const args = command.replace('@10% OLD@90%', '@100%').split(' ')
    const env = { ...environmentOf(account, home), CLOUDFLARE_ACCOUNT_ID: ACCOUNT, CI: '1' }
    await promisify(execFile)(process.execPath, ['node_modules/wrangler/bin/wrangler.js', ...args, '--yes'], { env })
    expect(account.workers.get('roster')?.codeUpdate).toEqual({ mode: 'immediate' })
    account.changes.length = 0
  })

  it('deploys nothing when a migration fails', async () => {
    account.refuse(/^POST \/d1\/database\/[^/]+\/import$/, 400, 7500, 'incomplete input: SQLITE_ERROR')
    const { code, output, changes } = await deploy(['--env', 'staging', '--location', 'apac'])
    expect(code).toBe(1)
    expect(output).toMatch(
      /The migrations of roster-staging \(0000_\w+\.sql, .*\) failed, see above\. D1 has cut the file at the wrong place/,
    )
    expect(output).toContain('no new version was deployed')
    expect(changes.filter((change) => change.includes('/scripts/'))).toEqual([])
  })

  it('continues after it broke off, creates nothing twice, and then shows the secrets', async () => {
    account.refuse(/^PUT \/workers\/scripts\/roster-staging$/, 400, 10021, 'Refused for the test')
    const broken = await deploy(['--env', 'staging'])
    expect(broken.code).toBe(1)
    expect(broken.output).toContain('`wrangler deploy` failed')
    expect(broken.output).not.toContain('shown this once')
    account.refuseNothing()
    const { code, output, changes } = await deploy(['--env', 'staging'])
    expect(code).toBe(0)
    expect(creations(changes)).toEqual([])
    expect(output).toContain(bindingsOf('roster-staging').ADMIN_KEYS?.text)
  })

  it('gives another environment everything of its own, by the same wrangler.toml', () => {
    const production = bindingsOf('roster')
    const staging = bindingsOf('roster-staging')
    expect(Object.keys(staging).sort()).toEqual(Object.keys(production).sort())
    expect(staging.GATE_LOCATION_HINT?.text).toBe('apac')
    // These are the Worker's own anyway; everything else is by a name or an id, or is a secret.
    const ofWorker = ['durable_object_namespace', 'version_metadata', 'plain_text']
    const own = Object.values(staging).filter(({ type }) => !ofWorker.includes(type))
    expect(own.length).toBeGreaterThan(4)
    for (const binding of own) expect(production[binding.name]).not.toEqual(binding)
    for (const made of [account.databases, account.queues, account.workflows, account.buckets]) {
      const names = [...(made as Map<string, unknown> | Set<string>).keys()]
      const ofProduction = names.filter((name) => !name.endsWith('-staging'))
      expect(names.filter((name) => name.endsWith('-staging'))).toEqual(ofProduction.map((name) => `${name}-staging`))
    }
  })
})

describe('a fresh account', () => {
  beforeEach(async () => {
    account = await FakeCloudflare.start()
  })

  afterEach(() => {
    account.stop()
    expect(account.unknown).toEqual([])
  })

  it('prints in a dry run what it would do, and does nothing', async () => {
    const { code, output, changes } = await deploy(['--dry-run', '--env', 'staging'])
    expect(output).toMatch(/D1 database +roster-staging +would be created/)
    expect(output).toMatch(/KV namespace +roster-staging-cache +would be created/)
    expect(output).toMatch(/R2 bucket +roster-archive-staging +would be created/)
    expect(output).toMatch(/secret +ADMIN_KEYS +will be made/)
    expect(code).toBe(0)
    expect(changes).toEqual([])
  })

  it('prints what is missing before it has changed anything', async () => {
    account.subdomain = null
    const cwd = smallProject(home)
    appendFileSync(path.join(cwd, 'wrangler.toml'), '\n[[vectorize]]\nbinding = "NEAR"\nindex_name = "near"\n')
    const refusals: [Parameters<typeof deploy>, RegExp, code?: number][] = [
      [[[], { env: {} }], /Run `npx wrangler login`, or set CLOUDFLARE_API_TOKEN/],
      [[], /no workers\.dev subdomain yet. Run the same command with --subdomain/],
      [[['--env', 'staging'], { cwd }], /\[vectorize\], and staging must not share it with production/],
      [[['--location', 'mars']], /--location mars: use one of wnam/],
      // The command line itself is wrong.
      [[['--force']], /There is no option --force.*npm run deploy -- \[options\]/s, WRONG_USAGE],
    ]
    for (const [call, message, expected = 1] of refusals) {
      const { code, output, changes } = await deploy(...call)
      expect(output).toMatch(message)
      expect(code).toBe(expected)
      expect(changes).toEqual([])
    }
    expect(() => readOptions(['--env', 'Staging'])).toThrow(/--env Staging: use/)
    expect((await deploy(['--subdomain', 'acme', '--dry-run'])).output).toMatch(
      /workers\.dev subdomain +acme +would be created/,
    )
  })
})
