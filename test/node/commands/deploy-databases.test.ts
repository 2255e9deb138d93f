/** Tests `npm run deploy` with several databases: the script and the real wrangler against an account on loopback. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { readOptions } from '../../../scripts/deploy/options.mjs'
import { FakeCloudflare } from '../support/fake-cloudflare/account.ts'
import { deployTo, smallProject } from '../support/fake-cloudflare/run.ts'

const home = mkdtempSync(path.join(tmpdir(), 'roster-databases-'))
const cwd = smallProject(home)
let account: FakeCloudflare

beforeAll(async () => {
  account = await FakeCloudflare.start()
})

afterEach(() => {
  account.refuseNothing()
  expect(account.unknown).toEqual([])
})

afterAll(() => {
  account.stop()
  rmSync(home, { recursive: true })
})

const deploy = (...args: string[]) => deployTo(account, home, ['--env', 'staging', ...args], { cwd })
const NAMES = ['roster-staging', 'roster-1-staging', 'roster-2-staging']

/** Returns the names of the databases that the deployed Worker has, by their bindings. */
function bound() {
  const bindings = account.workers.get('roster-staging')?.bindings ?? []
  const databases = bindings.filter(({ name }) => /^DB(_\d+)?$/.test(name))
  return Object.fromEntries(databases.map(({ name, id }) => [name, account.d1.find(String(id))?.name]))
}

it('makes the databases in one region, migrates each and binds them by their numbers', async () => {
  const { code, output, changes } = await deploy('--databases', '3', '--location', 'apac')
  expect(output).toContain('Applying the migrations to roster-2-staging (3 of 3)')
  expect(output).toMatch(/migration +0000_tenants\.sql +will be applied to roster-staging, roster-1-staging, roster-2/)
  expect(code).toBe(0)
  expect(bound()).toEqual({ DB: NAMES[0], DB_1: NAMES[1], DB_2: NAMES[2] })
  for (const { sqlite, region, read_replication } of account.databases.values()) {
    expect([region, read_replication]).toEqual(['apac', { mode: 'auto' }])
    expect(sqlite.prepare('SELECT count(*) AS n FROM customers').get()).toEqual({ n: 0 })
  }
  const imports = changes.flatMap((change, at) => (change.endsWith('/import') ? [at] : []))
  expect(imports.at(-1)).toBeLessThan(changes.indexOf('PUT /workers/scripts/roster-staging'))
})

it('keeps them in later deployments, and makes further ones where the first is', async () => {
  expect((await deploy()).code).toBe(0)
  expect(Object.values(bound())).toEqual(NAMES)
  account.refuse(/^PUT \/workers\/scripts/, 400, 10021, 'Refused for the test')
  const more = await deploy('--databases', '4')
  expect(more.changes).toContain('POST /d1/database')
  expect(account.databases.get('roster-3-staging')).toMatchObject({ region: 'apac' })
})

it('takes none away, and adds none to a version that serves a part of the requests', async () => {
  for (const fewer of ['1', '3']) {
    const { code, output, changes } = await deploy('--databases', fewer)
    expect(output).toContain('has 4 databases, and tenants may be in each')
    expect([code, changes]).toEqual([1, []])
  }
  const uploaded = await deploy('--databases', '5', '--upload')
  expect(uploaded.output).toContain('--databases does not go with --upload')
  expect([uploaded.code, uploaded.changes]).toEqual([1, []])
  for (const wrong of ['0', '2.5', 'many', '101']) {
    expect(() => readOptions(['--databases', wrong])).toThrow(`--databases ${wrong}: use a number from 1 to 100`)
  }
})

it('deploys no version when a migration fails in one of them, and names that one', async () => {
  const uuid = `00000000-0000-4000-8000-${String(account.databases.size + 1).padStart(12, '0')}`
  account.refuse(new RegExp(`^POST /d1/database/${uuid}/import$`), 400, 7500, 'incomplete input: SQLITE_ERROR')
  const { code, output, changes } = await deploy('--databases', '5')
  expect(output).toMatch(/The migrations of roster-4-staging \(0000_\w+\.sql, .*\) failed, see above/)
  expect(code).toBe(1)
  expect(changes.filter((change) => change.includes('/scripts/'))).toEqual([])
})

it('makes no empty database in the place of one that was deleted', async () => {
  account.databases.delete('roster-1-staging')
  const { code, output, changes } = await deploy()
  expect(output).toMatch(/Database 1 of this deployment is missing.*npm run restore -- <file> --database 1/)
  expect([code, changes]).toEqual([1, []])
  for (const name of ['roster', 'roster-1']) account.d1.create(name)
  expect((await deploy('--dry-run')).output).toContain('Database 1 of this deployment is missing')
})
