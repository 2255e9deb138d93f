/** Tests `npm run backup`, `restore` and `restored` with the database of an account, as processes with the real wrangler. */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { gunzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeEach, expect, it } from 'vitest'
import { FakeCloudflare } from '../support/fake-cloudflare/account.ts'
import { environmentOf } from '../support/fake-cloudflare/run.ts'

const home = mkdtempSync(path.join(tmpdir(), 'roster-backup-'))
const migrations = readdirSync('migrations')
  .filter((name) => name.endsWith('.sql'))
  .sort()
  .map((name) => readFileSync(`migrations/${name}`, 'utf8'))
  .join('\n')
const SEED = `INSERT INTO tenants (id, company_name, contact_email, tier, status, requests_per_second, burst, annual_commitment,
    annual_validation_limit, storage_bytes, metadata, created_at, updated_at, version, policy_version, policy_applied_version)
  VALUES ('t1', 'Globex', 'ops@example.com', 'scale', 'active', 200, 400, 0, 1000, 1000000, '{}', 1, 1, 1, 3, 3);
  INSERT INTO api_keys (tenant_id, id, mode, name, secret_hash, scopes, created_at) VALUES
    ('t1', 'key_1', 'live', 'a', 'h1', '[]', 1), ('t1', 'key_2', 'test', 'it''s; b', 'h2', '[]', 1);`
let account: FakeCloudflare
/** The processes of a test. Other tests back up and restore meanwhile. */
let pids: number[] = []

beforeEach(async () => {
  account = await FakeCloudflare.start()
  pids = []
})

afterEach(() => {
  account.stop()
  expect(account.unknown).toEqual([])
  const isOurs = (name: string) => pids.some((pid) => name.includes(`-${pid}-`))
  expect(readdirSync('.wrangler').filter(isOurs)).toEqual([])
})

afterAll(() => rmSync(home, { recursive: true }))

function run(script: string, args: string[], onOutput: (output: string) => void = () => undefined) {
  const child = spawn(process.execPath, [path.resolve(`scripts/${script}.mjs`), ...args], {
    env: environmentOf(account, home),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (child.pid) pids.push(child.pid)
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output += text
      onOutput(output)
    })
  }
  return new Promise<{ code: number | null; output: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, output })),
  )
}

const keysOf = (sqlite: DatabaseSync | undefined) => sqlite?.prepare('SELECT * FROM api_keys ORDER BY id').all()
const epochOf = (sqlite: DatabaseSync | undefined) =>
  Number(sqlite?.prepare('SELECT data_epoch AS n FROM deployment').get()?.n)

it('backs up to a file and to R2, restores that to a new database, and waits until every gate has followed', async () => {
  const { sqlite: before } = account.d1.create('roster-staging', migrations + SEED)
  const file = path.join(home, 'staging.sqlite')
  const backup = await run('backup', [file, '--env', 'staging', '--r2', 'backups'])
  expect(backup.output).toMatch(/staging\.sqlite has \d+ rows as of 2\d{3}-.*\nIn R2: backups\/staging\.sqlite\.gz\n/)
  expect(backup.code).toBe(0)
  const object = account.objects.get('backups/staging.sqlite.gz') ?? Buffer.of()
  expect(gunzipSync(object).equals(readFileSync(file))).toBe(true)

  account.databases.clear()
  rmSync(file)
  writeFileSync(`${file}.gz`, object)
  const restored = await run('restore', [`${file}.gz`, '--env', 'staging', '--location', 'weur'])
  expect(restored.output).toContain(
    'Now run `npm run deploy -- --env staging`, then `npm run restored -- --env staging`',
  )
  expect(restored.code).toBe(0)
  const after = account.databases.get('roster-staging')
  expect(after).toMatchObject({ region: 'weur', read_replication: { mode: 'auto' } })
  expect(keysOf(after?.sqlite)).toEqual(keysOf(before))
  expect(epochOf(after?.sqlite)).toBeGreaterThan(epochOf(before))

  const epoch = epochOf(after?.sqlite)
  const followed = await run('restored', ['--env', 'staging'], (output) => {
    if (!output.includes('tenants to go: 1')) return
    after?.sqlite.exec('UPDATE tenants SET policy_applied_version = policy_version')
  })
  expect(followed.output).toContain('Every gate has followed')
  expect(followed.code).toBe(0)
  expect(epochOf(after?.sqlite)).toBeGreaterThan(epoch)
})

it('backs up every database, restores all or one, and raises the data epoch of the directory each time', async () => {
  const names = ['roster', 'roster-1']
  const keyOf = (name: string) => `UPDATE api_keys SET name = '${name}' WHERE id = 'key_1'`
  for (const name of names) account.d1.create(name, migrations + SEED).sqlite.exec(keyOf(name))
  const keyIn = (name: string) => keysOf(account.databases.get(name)?.sqlite)?.[0]?.name
  const epochs = () => names.map((name) => epochOf(account.databases.get(name)?.sqlite))
  const file = path.join(home, 'several.sqlite')
  const backup = await run('backup', [file])
  expect(backup.output).toContain('Copying roster-1 (2 of 2)')
  expect(backup.code).toBe(0)
  const before = epochs()

  account.databases.delete('roster-1')
  const one = await run('restore', [file, '--database', '1'])
  expect(one.output).toContain('Restored to roster-1, which no Worker serves yet')
  expect(one.code).toBe(0)
  expect(keyIn('roster-1')).toBe('roster-1')
  expect(epochs()).toEqual([expect.toSatisfy((epoch) => epoch > Number(before[0])), ...before.slice(1)])

  const elsewhere = await run('restore', [file, '--database', '1', '--jurisdiction', 'eu'])
  expect(elsewhere.output).toContain('roster was made without a jurisdiction, and Cloudflare never changes that')
  account.databases.clear()
  expect((await run('restore', [file, '--database', '1'])).output).toContain('There is no D1 database roster, which')
  const sibling = path.join(home, 'several-1.sqlite')
  const other = await run('restore', [sibling])
  expect(other.output).toContain('is database 1 of a backup of 2. Name the file of database 0')
  renameSync(sibling, `${sibling}.away`)
  expect((await run('restore', [file])).output).toContain('several-1.sqlite is missing: the backup is of 2 databases')
  expect(account.databases.size).toBe(0)
  renameSync(`${sibling}.away`, sibling)
  const all = await run('restore', [file, '--jurisdiction', 'eu'])
  expect(all.output).toContain('Restored to roster, roster-1, which')
  expect(all.code).toBe(0)
  expect(names.map(keyIn)).toEqual(names)
  for (const name of names) expect(account.databases.get(name)).toMatchObject({ jurisdiction: 'eu' })
  const after = epochs()
  expect(after[0]).toBeGreaterThan(Number(before[0]))
  expect(after.slice(1)).toEqual(before.slice(1))
})

it('refuses to restore over tables or from another file, and to back up a missing database or over a file', async () => {
  account.d1.create('roster', migrations + SEED)
  const file = path.join(home, 'production.sqlite')
  expect((await run('backup', [file])).code).toBe(0)
  const over = await run('restore', [file])
  expect(over).toMatchObject({ code: 1 })
  expect(over.output).toContain('Nothing was restored. To delete all that it holds: `npx wrangler d1 delete roster`')
  expect((await run('backup', [file])).output).toContain('already. Name another.')
  const none = await run('backup', [path.join(home, 'none.sqlite'), '--env', 'nowhere'])
  expect([none.code, existsSync(path.join(home, 'none.sqlite'))]).toEqual([1, false])
  expect(none.output).toContain('There is no D1 database roster-nowhere')
  const other = path.join(home, 'other.sqlite')
  writeFileSync(other, 'PK')
  expect((await run('restore', [other])).output).toContain('is not a backup')
})
