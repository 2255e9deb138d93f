/** Tests the refusals of a deployment, one each: the command recognises it, and prints where to go and what to do next. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { CloudflareApi } from '../../../scripts/cloudflare-api.mjs'
import { importOf } from '../../../scripts/deploy/migrations.mjs'
import { primaryRegion } from '../../../scripts/deploy/provision.mjs'
import { ready } from '../../../scripts/deploy/ready.mjs'
import { explain, failureIn } from '../../../scripts/deploy/refusals.mjs'
import { ACCOUNT, FakeCloudflare } from '../support/fake-cloudflare/account.ts'
import { deployTo, smallProject } from '../support/fake-cloudflare/run.ts'

const home = mkdtempSync(path.join(tmpdir(), 'roster-refusals-'))
const cwd = smallProject(home)
const dashboard = `https://dash.cloudflare.com/${ACCOUNT}`
const context = { account: ACCOUNT, worker: 'roster', byToken: true }
let account: FakeCloudflare

beforeEach(async () => {
  account = await FakeCloudflare.start()
})

afterEach(() => {
  account.stop()
  vi.restoreAllMocks()
  expect(account.unknown).toEqual([])
})

afterAll(() => rmSync(home, { recursive: true }))

/** The output of a deployment that ends with the exit code 1. */
async function refused(...args: string[]): Promise<string> {
  const { code, output } = await deployTo(account, home, args, { cwd })
  expect(code).toBe(1)
  return output
}

/** Makes the database of Roster with all its migrations, where a test is about what follows. */
function migrated(): void {
  const names = readdirSync('migrations').filter((name) => name.endsWith('.sql'))
  const all = names.sort().map((name) => ({ name, text: readFileSync(`migrations/${name}`, 'utf8') }))
  account.d1.create('roster', importOf(all))
}

describe('Analytics Engine', () => {
  it('prints where to switch it on, and deploys without it with --without-analytics', async () => {
    migrated()
    account.scripts.hasAnalytics = false
    const output = await refused()
    expect(output).toContain(`Open ${dashboard}/workers/analytics-engine once`)
    expect(output).toContain('with --without-analytics')
    expect(output).not.toContain('shown this once')
    const without = await deployTo(account, home, ['--without-analytics'], { cwd })
    expect(without.output).toContain('Deployed without Analytics Engine: Roster does everything')
    expect(without.code).toBe(0)
    const bindings = account.workers.get('roster')?.bindings.map(({ name }) => name)
    expect(bindings).toContain('DB')
    expect(bindings).not.toContain('ANALYTICS')
  })
})

describe('a plan that is too small', () => {
  const plans = `${dashboard}/workers/plans`

  it('names the plan when there is no room for a database', async () => {
    account.plan = 'free'
    for (let at = 0; at < 10; at++) account.d1.create(`other-${at}`)
    const output = await refused()
    expect(output).toContain('as many D1 databases as its plan allows')
    expect(output).toContain(plans)
  })

  it('names the plan when there are no queues', async () => {
    account.refuse(/^POST \/queues$/, 403, 100129, 'Queues are unavailable on the free plan.')
    const output = await refused()
    expect(output).toContain('Queues are unavailable on the free plan')
    expect(output).toContain(plans)
  })

  it('reports the deployed version and shows its secrets when no cron trigger is left', async () => {
    migrated()
    account.plan = 'free'
    account.scripts.otherCrons = 5
    const output = await refused()
    expect(output).toContain('as many cron triggers as its plan allows')
    expect(output).toContain(plans)
    expect(output).toContain('shown this once')
  })

  it('names the plan when it takes no limits', () => {
    const message = 'A request to the Cloudflare API (/accounts/0a1b/workers/scripts/roster) failed.'
    expect(explain(failureIn(message, 100328), context)).toMatch(/The Free plan takes no `limits`.*\/workers\/plans/)
  })
})

describe('a token', () => {
  const forbidden = [403, 10000, 'Authentication error'] as const

  it.each([
    [/^GET \/workers\/subdomain$/, 'Account › Workers Scripts › Edit'],
    [/^GET \/d1\/database\/roster$/, 'Account › D1 › Edit'],
    [/^POST \/d1\/database$/, 'Account › D1 › Edit'],
    [/^GET \/storage\/kv\/namespaces$/, 'Account › Workers KV Storage › Edit'],
    [/^GET \/queues$/, 'Account › Queues › Edit'],
    [/^GET \/r2\/buckets\/roster-archive$/, 'Account › Workers R2 Storage › Edit'],
    [/^GET \/accounts$/, 'Account › Account Settings › Read'],
  ])('names the missing permission for %s', async (call, permission) => {
    account.refuse(call, ...forbidden)
    const output = await refused()
    expect(output).toContain(`The API token misses the permission ${permission}`)
    expect(output).toContain('https://dash.cloudflare.com/profile/api-tokens')
  })

  it('names the missing permission when wrangler fails', async () => {
    // It may read D1.
    account.refuse(/^POST \/d1\/database\/[^/]+\/import$/, ...forbidden)
    expect(await refused()).toContain('misses the permission Account › D1 › Edit')
    account.refuseNothing()
    migrated()
    account.refuse(/^PUT \/workers\/scripts\/roster$/, ...forbidden)
    expect(await refused()).toContain('misses the permission Account › Workers Scripts › Edit')
    account.refuseNothing()
    account.refuse(/^PUT \/workflows\/roster-onboarding$/, ...forbidden)
    expect(await refused()).toContain('misses the permission Account › Workers Scripts › Edit')
  })

  it('asks for another token when it is malformed or expired', async () => {
    account.refuse(/./, 400, 6003, 'Invalid request headers')
    expect(await refused()).toContain('CLOUDFLARE_API_TOKEN is not a valid token, or has expired')
    account.refuseNothing()
    account.refuse(/./, 403, 9109, 'Invalid access token')
    expect(await refused()).toContain('CLOUDFLARE_API_TOKEN is not a valid token, or has expired')
  })

  it('asks an operator who logged in to log in again, not for a token', () => {
    const failure = { code: 10000, status: 403, text: 'Authentication error', resource: '/queues' }
    expect(explain(failure, { ...context, byToken: false })).toMatch(
      /\(Account › Queues › Edit\)\. Run `npx wrangler login`/,
    )
  })
})

describe('a workers.dev subdomain', () => {
  it('asks for a name when none is registered', async () => {
    account.subdomain = null
    const output = await refused()
    expect(output).toContain('https://roster.<name>.workers.dev')
    expect(output).toContain(`${dashboard}/workers-and-pages`)
    const message = 'A request to the Cloudflare API (/accounts/0a1b/workers/scripts/roster) failed.'
    expect(explain(failureIn(message, 10063), context)).toContain('--subdomain <name>')
  })

  it('explains that the name is taken, or that the e-mail address is not confirmed', async () => {
    account.subdomain = null
    account.refuse(/^PUT \/workers\/subdomain$/, 409, 10031, 'Subdomain is unavailable')
    expect(await refused('--subdomain', 'acme')).toContain('Choose another with --subdomain')
    account.refuseNothing()
    account.refuse(/^PUT \/workers\/subdomain$/, 403, 10034, 'workers.api.error.email_verification_required')
    expect(await refused('--subdomain', 'acme')).toContain('Confirm the e-mail address')
  })
})

describe('the region of the D1 primary', () => {
  const sleep = async () => undefined
  const options = { location: null }
  let api: CloudflareApi

  beforeEach(() => {
    api = new CloudflareApi('test-token', account.origin)
    api.account = ACCOUNT
    vi.spyOn(console, 'log').mockImplementation(() => {})
  })

  it('repeats the request until D1 returns the region', async () => {
    account.d1.regionIsSecretFor = 3
    const { uuid } = account.d1.create('roster', '', 'apac')
    expect(await primaryRegion(api, await api.database(uuid), options, sleep)).toBe('apac')
  })

  it('uses the region of the creation, or --location, when D1 never returns one', async () => {
    account.d1.regionIsSecretFor = Number.POSITIVE_INFINITY
    const { uuid } = account.d1.create('roster')
    const found = await api.database(uuid)
    const created = vi.spyOn(api, 'database').mockResolvedValue({ ...found, created_in_region: 'ENAM' })
    expect(await primaryRegion(api, found, options, sleep)).toBe('enam')
    created.mockRestore()
    expect(await primaryRegion(api, found, { location: 'oc' }, sleep)).toBe('oc')
  })

  it('stops the deployment when the region stays unknown, and when gates cannot be in it', async () => {
    account.d1.regionIsSecretFor = Number.POSITIVE_INFINITY
    const { uuid } = account.d1.create('roster')
    const found = await api.database(uuid)
    const message = /does not say where the primary of roster is.*--location <region>/s
    await expect(primaryRegion(api, found, options, sleep)).rejects.toThrow(message)
    const elsewhere = { ...found, running_in_region: 'MOON' }
    await expect(primaryRegion(api, elsewhere, options, sleep)).rejects.toThrow(message)
  })
})

describe('D1', () => {
  it('explains that D1 failed, or is busy', async () => {
    account.d1.create('roster')
    account.refuse(/\/query$/, 500, 7500, 'internal error; reference = e_Gz3')
    expect(await refused()).toMatch(/reference = e_Gz3 \[code: 7500\]\nThis is a failure of D1, not of the SQL/)
  })

  it.each([
    ['table customers already exists: SQLITE_ERROR', /somebody changed it by hand/],
    ['too many arguments on function json_object: SQLITE_ERROR', /32 arguments/],
    ['incomplete input: SQLITE_ERROR', /use iif\(\)/],
    ['Currently processing a long-running export.', /in a minute/],
    ['something else', /see its message above/],
  ])('explains refused SQL: %s', (text, meaning) => {
    expect(explain({ code: 7500, status: 400, text, resource: '/d1/database/1/query' }, context)).toMatch(meaning)
  })
})

describe('a deployed Roster', () => {
  let answer: { status: number; body: string }
  const server = createServer((_, response) => response.writeHead(answer.status).end(answer.body))
  const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const once = { timeoutMs: 0, pollMs: 0 }

  beforeEach(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    vi.spyOn(console, 'log').mockImplementation(() => {})
  })

  afterEach(() => {
    server.close()
    server.closeAllConnections()
  })

  it.each([404, 530])('reports no failed deployment when its name does not lead to it yet: %s', async (status) => {
    answer = { status, body: 'error code: 1016' }
    await ready(url(), 'roster-staging', once)
    expect(console.log).toHaveBeenLastCalledWith(expect.stringContaining('That is not a failed deployment'))
  })

  it('reports no failed deployment when nothing responds', async () => {
    server.close()
    await ready('http://127.0.0.1:9', 'roster', once)
    expect(console.log).toHaveBeenLastCalledWith(expect.stringContaining('That is not a failed deployment'))
  })

  it('reports a failed deployment when Roster responds that it is not ready', async () => {
    answer = { status: 503, body: '{"status":"not ready","failing":["d1"]}' }
    await expect(ready(url(), 'roster-staging', once)).rejects.toThrow(
      /answers 503 .*"failing".*npm run tail.*rollback --name roster-staging/s,
    )
  })
})

it('prints what is wrong with the network', async () => {
  const { code, output } = await deployTo(account, home, [], {
    cwd,
    env: { CLOUDFLARE_API_TOKEN: 'test-token', CLOUDFLARE_API_BASE_URL: 'http://127.0.0.1:9' },
  })
  expect(output).toMatch(/fetch failed: .+/)
  expect(code).toBe(1)
})
