/** Tests `npm run deploy -- --jurisdiction eu`: the script and the real wrangler against an account on loopback. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { readOptions } from '../../../scripts/deploy/options.mjs'
import { FakeCloudflare } from '../support/fake-cloudflare/account.ts'
import { deployTo, smallProject } from '../support/fake-cloudflare/run.ts'

const home = mkdtempSync(path.join(tmpdir(), 'roster-jurisdiction-'))
const cwd = smallProject(home)
let account: FakeCloudflare

beforeAll(async () => {
  account = await FakeCloudflare.start()
})

afterEach(() => expect(account.unknown).toEqual([]))

afterAll(() => {
  account.stop()
  rmSync(home, { recursive: true })
})

const deploy = (...args: string[]) => deployTo(account, home, args, { cwd })

/** Expects that everything which stores data of customers is in the EU, and that there is no KV. */
function expectEverythingInEu(databases: number) {
  const stored = [...account.databases.values(), ...account.queues.values(), ...account.workflows.values()]
  expect(stored).toHaveLength(databases + 2)
  for (const one of stored) expect(one).toMatchObject({ jurisdiction: 'eu' })
  expect([...account.namespaces]).toEqual([])
  expect([...account.buckets]).toEqual([['roster-archive', 'eu']])
  const bindings = account.workers.get('roster')?.bindings ?? []
  expect(bindings.map(({ name }) => name)).not.toContain('CACHE')
  expect(bindings).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ name: 'JURISDICTION', text: 'eu' }),
      expect.objectContaining({ name: 'ARCHIVE', jurisdiction: 'eu' }),
      expect.objectContaining({ name: 'GATE_LOCATION_HINT', text: '' }),
    ]),
  )
}

it('makes everything in the jurisdiction, without KV and without replicas', async () => {
  const { code, output } = await deploy('--jurisdiction', 'eu', '--databases', '2')
  expect(output).toMatch(/D1 database +roster-1 +created in eu/)
  expect(code).toBe(0)
  expectEverythingInEu(2)
  for (const { read_replication } of account.databases.values()) expect(read_replication.mode).toBe('disabled')
})

it('stays there without the option, and with further databases', async () => {
  expect((await deploy('--databases', '3')).code).toBe(0)
  expectEverythingInEu(3)
})

it('refuses another jurisdiction, and a location, before it has changed anything', async () => {
  account.d1.create('roster-world')
  for (const [args, message] of [
    [['--jurisdiction', 'us'], /roster was made in the jurisdiction eu, and Cloudflare never changes that/],
    [['--location', 'weur'], /--location does not go with the jurisdiction eu/],
    [['--env', 'world', '--jurisdiction', 'eu'], /roster-world was made without a jurisdiction, and Cloudflare never/],
    [['--env', 'new', '--jurisdiction', 'eu', '--location', 'weur'], /--location does not go with/],
  ] as const) {
    const { code, output, changes } = await deploy(...args)
    expect(output).toMatch(message)
    expect([code, changes]).toEqual([1, []])
  }
  account.d1.create('roster-1-world', '', 'weur', 'eu')
  const mixed = await deploy('--env', 'world')
  expect(mixed.output).toContain(
    'roster-world was made without a jurisdiction, and roster-1-world in the jurisdiction eu',
  )
  expect([mixed.code, mixed.changes]).toEqual([1, []])
  expect(() => readOptions(['--jurisdiction', 'mars'])).toThrow('--jurisdiction mars: use one of eu, us, fedramp')
})

it('deploys no version when something is elsewhere', async () => {
  account.queues.set('roster-outbox-new', { consumers: [] })
  const queue = await deploy('--env', 'new', '--jurisdiction', 'eu')
  expect(queue.output).toContain(
    'The queue roster-outbox-new was made without a jurisdiction, and the databases are to be',
  )
  const create = account.d1.create.bind(account.d1)
  account.d1.create = (name) => create(name)
  const ignored = await deploy('--env', 'other', '--jurisdiction', 'eu')
  expect(ignored.output).toContain('Cloudflare does not say that the new D1 database roster-other is in eu')
  for (const { code, changes } of [queue, ignored]) {
    expect(code).toBe(1)
    expect(changes.filter((change) => change.includes('/scripts/'))).toEqual([])
  }
})
