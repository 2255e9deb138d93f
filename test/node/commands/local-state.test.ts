/**
 * Tests `npm start` on data that another version of Roster made: it prints what to do and changes nothing. The real wrangler
 * makes the data, because scripts/local-state.ts has to know where wrangler keeps it.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import {
  adviceOnLocalState,
  isMigrated,
  keepLocalDatabaseCount,
  localDatabaseCount,
} from '../../../scripts/local-state.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'roster state '))
const state = path.join(folder, 'state')
const D1_FOLDER = 'v3/d1/miniflare-D1DatabaseObject'
const WRANGLER = path.resolve('node_modules/wrangler/bin/wrangler.js')

/** Data to which wrangler has applied one migration, which is not in migrations/. */
const made = path.join(folder, 'made')

beforeAll(() => {
  const clone = mkdtempSync(path.join(folder, 'clone-'))
  mkdirSync(path.join(clone, 'migrations'))
  // A table of today, which stops the migrations of today.
  writeFileSync(path.join(clone, 'migrations', '0000_registry.sql'), 'CREATE TABLE tenants (a);\n')
  cpSync('wrangler.toml', path.join(clone, 'wrangler.toml'))
  const args = [WRANGLER, 'd1', 'migrations', 'apply', 'DB', '--local', '--persist-to', made]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: clone, env: { ...process.env, CI: '1' } })
  expect(status, `${stdout}${stderr}`).toBe(0)
})

/** Makes data to which the named migrations of an earlier clone were applied: that of wrangler, with these rows in its ledger. */
function applied(...names: string[]): void {
  cpSync(made, state, { recursive: true })
  const ledgers = readdirSync(path.join(state, D1_FOLDER)).filter((file) => /^[0-9a-f]{64}\.sqlite$/.test(file))
  expect(ledgers).toHaveLength(1)
  const database = new DatabaseSync(path.join(state, D1_FOLDER, String(ledgers[0])))
  expect(database.prepare('SELECT name FROM d1_migrations').all()).toEqual([{ name: '0000_registry.sql' }])
  database.exec('DELETE FROM d1_migrations')
  for (const name of names) database.prepare('INSERT INTO d1_migrations (name) VALUES (?)').run(name)
  database.close()
}

/** Returns every file of the database with its bytes, without the files that SQLite makes for readers. */
function contents(): Record<string, string> {
  const files = readdirSync(state, { recursive: true, withFileTypes: true }).filter((file) => file.isFile())
  return Object.fromEntries(
    files
      .map((file) => path.join(file.parentPath, file.name))
      .filter((file) => !/-(shm|wal)$/.test(file))
      .map((file) => [path.relative(state, file), readFileSync(file, 'base64')]),
  )
}

beforeEach(() => rmSync(state, { recursive: true, force: true }))
afterAll(() => rmSync(folder, { recursive: true }))

it('prints in two lines what the data is and how to move it away, and changes nothing', () => {
  applied('0000_registry.sql', '0001_customer_rules.sql')
  const before = contents()
  const env = { ...process.env, PERSIST_TO: state }
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/start.mjs'], {
    env,
    encoding: 'utf8',
  })
  const [what, todo, ...rest] = stderr.trimEnd().split('\n')
  expect([status, stdout, rest]).toEqual([1, '', []])
  expect(what).toMatch(
    / is from another version of Roster: 0000_registry\.sql was applied to it, which is not in migrations\/\.$/,
  )
  expect(contents()).toEqual(before)

  const [, command = ''] = /^Move it away with `([^`]+)` and start again, or .*PERSIST_TO=/.exec(todo ?? '') ?? []
  expect(spawnSync('sh', ['-c', command]).status).toBe(0)
  expect(adviceOnLocalState(state, 'migrations')).toBeNull()
  expect(readdirSync(folder)).toContain('state.old')
})

it('accepts data of this version, also when migrations are still to be applied', () => {
  const [first = '', second = ''] = readdirSync('migrations').sort()
  expect(adviceOnLocalState(state, 'migrations')).toBeNull()
  applied(first, second)
  expect(adviceOnLocalState(state, 'migrations')).toBeNull()
  rmSync(state, { recursive: true })
  applied(first, second, '9999_of_a_newer_clone.sql')
  expect(adviceOnLocalState(state, 'migrations')).toContain('9999_of_a_newer_clone.sql was applied to it')
})

it('keeps the databases that the data has, and refuses to start with fewer', () => {
  expect(localDatabaseCount(state)).toBe(1)
  keepLocalDatabaseCount(state, 1)
  expect(existsSync(state)).toBe(false)
  keepLocalDatabaseCount(state, 3)
  expect(localDatabaseCount(state)).toBe(3)
  for (const [DATABASES, message] of [
    ['2', 'has 3 databases, and tenants may be in each'],
    ['many', 'DATABASES is many: use a number from 1'],
  ] as const) {
    const env = { ...process.env, PERSIST_TO: state, DATABASES }
    const { status, stderr } = spawnSync(process.execPath, ['scripts/start.mjs'], { env, encoding: 'utf8' })
    expect([status, stderr]).toEqual([1, expect.stringContaining(message)])
  }
  expect(localDatabaseCount(state)).toBe(3)
})

it('finds migrations to apply while any of the databases lacks one', () => {
  const all = readdirSync('migrations').filter((name) => name.endsWith('.sql'))
  expect(isMigrated(state, 'migrations', 1)).toBe(false)
  applied(...all)
  expect([isMigrated(state, 'migrations', 1), isMigrated(state, 'migrations', 2)]).toEqual([true, false])
  rmSync(state, { recursive: true })
  applied(...all.slice(1))
  expect(isMigrated(state, 'migrations', 1)).toBe(false)
})

it('never proposes a folder that exists already', () => {
  applied('0000_registry.sql')
  for (const taken of ['state.old', 'state.old2']) mkdirSync(path.join(folder, taken), { recursive: true })
  expect(adviceOnLocalState(state, 'migrations')).toContain('state.old3"`')
})
