/**
 * Tests `npm run deploy -- --check` from start to clean-up: the script and the real wrangler, as processes against an account on
 * loopback that runs the probe Worker. For behaviour that only Cloudflare has, the account responds in its place.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeEach, expect, it, vi } from 'vitest'
import { splitLikeD1Query } from '../../shared/d1-splitter.ts'
import { FakeCloudflare } from '../support/fake-cloudflare/account.ts'
import { deployTo, environmentOf } from '../support/fake-cloudflare/run.ts'
import type { Production } from '../support/fake-cloudflare/worker-host.ts'

vi.setConfig({ testTimeout: 600_000 })
const home = mkdtempSync(path.join(tmpdir(), 'roster-deploy-check-'))
let account: FakeCloudflare
let children: ChildProcess[] = []

beforeEach(async () => {
  account = await FakeCloudflare.start()
  account.host.production = asDocumented
  // Several people report that parentheses help; the model assumes that they do not.
  account.d1.splitter = (sql) =>
    sql.includes('(CASE') ? sql.split(/;(?:\n(?=CREATE)|$)/).filter(Boolean) : splitLikeD1Query(sql)
})

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  children = []
  await account.host.stop()
  account.stop()
  expect(account.unknown).toEqual([])
})

afterAll(() => rmSync(home, { recursive: true }))

/** Cloudflare answers for hosts that do not, has jurisdictions, and D1 takes 1,000 queries of an invocation. */
const asDocumented: Production = async (endpoint, body, local) => {
  if (endpoint === 'reach') {
    const status = { dead: 522, unknown: 530, closed: 521, certificate: 526 }[String(body.target)] ?? 500
    return { status, headers: { server: 'cloudflare' }, body: `error code: ${status}`, error: null }
  }
  if (endpoint === 'queries' && body.shape === 'single')
    return { asked: body.count, passed: 1_000, error: 'D1_ERROR: Too many API requests by single worker invocation.' }
  // Workerd implements no jurisdictions.
  if (endpoint === 'jurisdiction') return { reported: body.jurisdiction, isAnother: true }
  return local()
}

function start(args: string[]) {
  const command = ['scripts/deploy/main.mjs', '--check', '--url', account.origin, ...args]
  const child = spawn(process.execPath, command, {
    env: environmentOf(account, home),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  const run = { child, stdout: '', stderr: '', ended: Promise.resolve<number | null>(null) }
  child.stdout.on('data', (text) => (run.stdout += text))
  child.stderr.on('data', (text) => (run.stderr += text))
  run.ended = new Promise((resolve) => child.on('close', resolve))
  return run
}

async function check(args: string[] = []) {
  const run = start(args)
  const code = await run.ended
  return { code, stdout: run.stdout, stderr: run.stderr }
}

/** Resolves when the run has printed the text. */
function printed(run: ReturnType<typeof start>, text: string): Promise<void> {
  return new Promise((resolve) => {
    const look = () => run.stderr.includes(text) && resolve()
    run.child.stderr?.on('data', look)
    look()
  })
}

const inAccount = () => [...account.workers.keys(), ...account.databases.keys()]

it('finds all as expected on an account that behaves as documented, and leaves nothing behind', async () => {
  const roster = account.d1.create('roster')
  const { code, stdout, stderr } = await check(['--json'])
  const { checks, exitCode } = JSON.parse(stdout)
  expect(checks.filter(({ verdict }: { verdict: string }) => verdict !== 'expected')).toEqual([])
  expect(new Set(checks.map(({ number }: { number: number }) => number)).size).toBe(10)
  expect([code, exitCode]).toEqual([0, 0])
  expect(stderr).toMatch(/creates {4}up to two Workers and six D1 databases, all named roster-check-[0-9a-f]{8}…/)
  expect(stderr).toMatch(/costs .* cent/)
  expect(stderr).toContain('[10/10] 10. Jurisdiction')
  expect(stderr).toMatch(/removed {3}Worker roster-check-[0-9a-f]{8}-counting/)
  expect(inAccount()).toEqual([roster.name])
  expect(account.changes.filter((change) => change.includes(roster.uuid) || change.includes('/roster/'))).toEqual([])
})

it('shows what differs, what that means and where to change Roster, and continues after an experiment that fails', async () => {
  account.scripts.hasAnalytics = false
  account.host.production = async (endpoint, body, local) => {
    if (endpoint === 'rows' && body.insert === 3) return { rows: [1, 3], bookmark: '00000000-0', error: null }
    if (endpoint === 'burn') throw new Error('the object is overloaded')
    return asDocumented(endpoint, body, local)
  }
  const { code, stdout } = await check(['--only', '2,4,8'])
  expect(stdout).toMatch(/^2 {2}Analytics Engine .* not enabled \(10089\) +DIFFERS$/m)
  expect(stdout).toMatch(/^4 {2}after a restart .* the probe Worker answered 502 to burn.* unclear$/m)
  expect(stdout).toMatch(/^8 {2}read with a newer bookmark .* ok$/m)
  expect(stdout).toMatch(/^8 {2}bookmark of the next write .* 00000000-0 ≤ 00000000-\S+ +differs, harmless$/m)
  expect(stdout).toMatch(
    /8\. bookmark of the next write: differs, harmless\n {4}After a restore .*\n {4}change: docs\/operations\/restore\.md/,
  )
  expect(code).toBe(1)
  expect(inAccount()).toEqual([])
})

it('removes what it created when it is interrupted', async () => {
  account.host.production = (endpoint, body, local) =>
    endpoint === 'burn' ? new Promise(() => {}) : asDocumented(endpoint, body, local)
  const run = start(['--only', '3,4'])
  await printed(run, '[2/2] 4.')
  expect(inAccount()).toHaveLength(3)
  run.child.kill('SIGINT')
  expect(await run.ended).toBe(2)
  expect(run.stderr).toContain('Interrupted by SIGINT.')
  expect(run.stdout).toBe('')
  expect(inAccount()).toEqual([])
})

it('finds what a killed run left behind, names what itself cannot remove, and removes all with --remove-leftovers', async () => {
  account.d1.create('roster-check-notes')
  account.host.production = (endpoint, body, local) =>
    endpoint === 'burn' ? new Promise(() => {}) : asDocumented(endpoint, body, local)
  const killed = start(['--only', '3,4'])
  await printed(killed, '[2/2] 4.')
  killed.child.kill('SIGKILL')
  await killed.ended
  const left = inAccount()
  expect(left).toHaveLength(4)

  // It cannot remove its own either.
  account.refuse(/^DELETE \/d1/, 400, 7500, 'D1 is busy')
  const careful = await check(['--only', '3'])
  expect(careful.stderr).toMatch(/NOT removed D1 database roster-check-[0-9a-f]{8}: .*D1 is busy/)
  expect(careful.stderr).toContain('The next `npm run deploy -- --check` offers to remove it.')
  expect(careful.stdout).toContain('1 checks: 1 as expected')
  expect(careful.code).toBe(2)
  expect(careful.stderr).toContain('An earlier check left this behind')
  for (const name of left.filter((name) => name !== 'roster-check-notes')) expect(careful.stderr).toContain(name)
  expect(careful.stderr).toContain('--remove-leftovers removes it')
  expect(inAccount().filter((name) => left.includes(name))).toEqual(left)
  account.refuseNothing()

  const { code } = await check(['--only', '3', '--remove-leftovers'])
  expect(code).toBe(0)
  expect(inAccount()).toEqual(['roster-check-notes'])
})

it('refuses options of the check in a deployment, and those of a deployment in the check', async () => {
  const deployed = await deployTo(account, home, ['--only', '4'])
  expect(deployed.output).toContain('--only needs --check')
  expect(deployed.code).toBe(1)
  const { stderr, code } = await check(['--env', 'staging'])
  expect(stderr).toContain('--env does not go with --check')
  expect(code).toBe(2)
  expect(account.changes).toEqual([])
})

it('creates nothing when it cannot run', async () => {
  account.subdomain = null
  const unknown = await check(['--only', '3,12'])
  expect(unknown.stderr).toContain('there is no experiment 12')
  expect(unknown.code).toBe(2)
  expect(account.changes).toEqual([])
  account.refuse(/^POST \/d1\/database$/, 403, 10000, 'Authentication error')
  const { code, stderr } = await check(['--only', '3'])
  expect(stderr).toContain('Account › D1 › Edit')
  expect(code).toBe(2)
  expect(inAccount()).toEqual([])
})
