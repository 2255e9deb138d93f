/** Tests how a deployment applies the migrations: by import, with their ledger, also after a failure. With the real wrangler. */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeEach, expect, it, vi } from 'vitest'
import { CloudflareApi } from '../../../scripts/cloudflare-api.mjs'
import { importOf, migrateAll, pendingMigrations } from '../../../scripts/deploy/migrations.mjs'
import { ACCOUNT, FakeCloudflare } from '../support/fake-cloudflare/account.ts'
import type { FakeDatabase } from '../support/fake-cloudflare/d1.ts'
import { environmentOf } from '../support/fake-cloudflare/run.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'roster-migrations-'))
const migrations = path.join(folder, 'migrations')
const file = path.join(folder, 'wrangler.json')
const FIRST = 'CREATE TABLE one (id INTEGER);\n'
// D1's /query would end the trigger at the END of the CASE, and begin a text at the apostrophe.
const TRIGGER = `CREATE TABLE two (id INTEGER);
-- It's here; and kept.
CREATE TRIGGER two_counted AFTER INSERT ON two BEGIN
  INSERT INTO one VALUES (CASE WHEN new.id > 0 THEN 1 ELSE 2 END);
  DELETE FROM one WHERE id = 3;
END;
`
let account: FakeCloudflare
let database: FakeDatabase
let api: CloudflareApi

beforeEach(async () => {
  account = await FakeCloudflare.start()
  for (const [name, value] of Object.entries(environmentOf(account, folder))) vi.stubEnv(name, value)
  vi.spyOn(console, 'log').mockImplementation(() => {})
  vi.spyOn(console, 'error').mockImplementation(() => {})
  database = account.d1.create('roster')
  api = new CloudflareApi('test-token')
  api.account = ACCOUNT
  rmSync(migrations, { recursive: true, force: true })
  mkdirSync(migrations)
  write('0000_first.sql', FIRST)
  write('0001_trigger.sql', TRIGGER)
  const d1 = { binding: 'DB', database_name: 'roster', database_id: database.uuid, migrations_dir: migrations }
  writeFileSync(file, JSON.stringify({ name: 'roster', compatibility_date: '2026-01-01', d1_databases: [d1] }))
})

afterEach(() => {
  account.stop()
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
  expect(account.unknown).toEqual([])
})

afterAll(() => rmSync(folder, { recursive: true }))

function write(name: string, sql: string) {
  writeFileSync(path.join(migrations, name), sql)
}

const pending = () => pendingMigrations(api, database, { migrations_dir: migrations })

async function apply(found?: Awaited<ReturnType<typeof pending>>) {
  const context = { account: ACCOUNT, worker: 'roster', byToken: true }
  await migrateAll(api, [database], [found ?? (await pending())], { folder, file, context })
}

function wrangler(args: string[], env: Record<string, string>) {
  return promisify(execFile)(process.execPath, ['node_modules/wrangler/bin/wrangler.js', ...args], { env })
}

const namesOf = (table: string) =>
  database.sqlite
    .prepare(`SELECT name FROM ${table}`)
    .all()
    .map(({ name }) => name)
const imports = () => account.d1.ran.filter(({ by }) => by === 'import')

it('applies them in one import, with their rows in the ledger that wrangler reads, and none twice', async () => {
  expect((await pending()).map(({ name }) => name)).toEqual(['0000_first.sql', '0001_trigger.sql'])
  await apply()
  expect(namesOf('sqlite_master')).toEqual(expect.arrayContaining(['one', 'two', 'two_counted']))
  expect(namesOf('d1_migrations')).toEqual(['0000_first.sql', '0001_trigger.sql'])
  const others = account.d1.ran.filter(({ by, sql }) => by === 'query' && !sql.startsWith('SELECT name'))
  expect(others).toEqual([])
  expect(await pending()).toEqual([])
  await apply()
  expect(imports()).toHaveLength(1)

  const list = ['d1', 'migrations', 'list', 'roster', '--remote', '--config', file]
  const env = { ...environmentOf(account, folder), CLOUDFLARE_ACCOUNT_ID: ACCOUNT }
  const { stdout } = await wrangler(list, env)
  expect(stdout).toContain('No migrations to apply')
})

it('applies none when one fails, names them and the reason, and continues once the cause is gone', async () => {
  write('0002_last.sql', 'CREATE TABLE three (id INTEGER);')
  const found = await pending()
  database.sqlite.exec('CREATE TABLE three (id INTEGER)')
  await expect(apply(found)).rejects.toThrow(
    /0000_first\.sql, 0001_trigger\.sql, 0002_last\.sql\) failed.*changed it by hand.*None of them was applied/s,
  )
  expect(console.error).toHaveBeenCalledWith(expect.stringContaining('table three already exists'))
  expect(namesOf('sqlite_master')).toEqual(['three'])
  database.sqlite.exec('DROP TABLE three')
  await apply()
  expect(namesOf('d1_migrations')).toEqual(['0000_first.sql', '0001_trigger.sql', '0002_last.sql'])
})

it('names a migration that SQLite refuses before it has called D1', async () => {
  write('0002_last.sql', 'INSERT INTO nowhere VALUES (1);')
  await expect(pending()).rejects.toThrow(/The migration 0002_last\.sql is wrong.*no such table: nowhere/)
  expect(account.d1.ran).toEqual([])
})

it('believes the ledger when wrangler lost the answer of an import that went well', async () => {
  account.d1.mishap = 'answer lost'
  await apply()
  expect(namesOf('d1_migrations')).toEqual(['0000_first.sql', '0001_trigger.sql'])
  expect(imports()).toHaveLength(1)
})

it('waits while another import is running', async () => {
  account.d1.busyFor = 1
  expect(await pending()).toHaveLength(2)
  expect(console.log).toHaveBeenCalledWith(expect.stringContaining('D1 is busy'))
})

it('refuses a database that a newer Roster or another project has written', async () => {
  database.sqlite.exec(importOf(await pending()))
  database.sqlite.exec("INSERT INTO d1_migrations (name) VALUES ('0002_newer.sql')")
  await expect(pending()).rejects.toThrow(/has migrations that are not in migrations\/: 0002_newer\.sql/)
  database = account.d1.create('others', 'CREATE TABLE posts (id INTEGER); CREATE TABLE _cf_KV (key TEXT);')
  await expect(pending()).rejects.toThrow(/others has tables \(posts\) and no record of a migration/)
  database = account.d1.create(
    'fresh',
    'CREATE TABLE _cf_KV (key TEXT); CREATE TABLE d1_migrations (id INTEGER, name TEXT);',
  )
  expect(await pending()).toHaveLength(2)
})

it.each([
  ['the END of a CASE', 'CREATE TRIGGER t AFTER INSERT ON one BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; SELECT 3; END;'],
  ['an apostrophe in a comment', "-- It's here.\nCREATE TABLE three (id INTEGER);\nCREATE TABLE four (id INTEGER);"],
])('would fail in /query, which wrangler uses for migrations: %s', async (_, sql) => {
  write('0001_trigger.sql', sql)
  const env = { ...environmentOf(account, folder), CLOUDFLARE_ACCOUNT_ID: ACCOUNT, CI: '1' }
  await expect(wrangler(['d1', 'migrations', 'apply', 'roster', '--remote', '--config', file], env)).rejects.toThrow(
    /code: 7500/,
  )
  expect(namesOf('d1_migrations')).toEqual(['0000_first.sql'])
  await apply()
  expect(namesOf('d1_migrations')).toEqual(['0000_first.sql', '0001_trigger.sql'])
})
