/** Compares the files of migrations/ with the records of drizzle-kit in migrations/meta. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import config from '../../../drizzle.config.ts'

const names = readdirSync('migrations')
  .filter((name) => name.endsWith('.sql'))
  .sort()
const numberOf = (at: number) => String(at).padStart(4, '0')

function json(file: string) {
  return JSON.parse(readFileSync(`migrations/meta/${file}`, 'utf8'))
}

it('numbers migrations from 0000 without a gap, each with its entry in the journal and its snapshot', () => {
  const entries: { idx: number; tag: string }[] = json('_journal.json').entries
  expect(names).toEqual(entries.map(({ tag }) => `${tag}.sql`))
  expect(entries.map(({ idx }) => idx)).toEqual(names.map((_, at) => at))
  expect(names.map((name) => name.slice(0, 4))).toEqual(names.map((_, at) => numberOf(at)))
  const snapshots = names.map((_, at) => json(`${numberOf(at)}_snapshot.json`))
  const ids = ['00000000-0000-0000-0000-000000000000', ...snapshots.map(({ id }) => id)]
  expect(snapshots.map(({ prevId }) => prevId)).toEqual(ids.slice(0, -1))
})

it('leaves drizzle-kit nothing to generate: the tables of src/storage are those of the newest snapshot', () => {
  // drizzle-kit writes into its folder, so it gets a copy. It takes only a relative path.
  const copy = mkdtempSync(path.join(tmpdir(), 'roster-migrations-'))
  cpSync('migrations', copy, { recursive: true })
  const args = [
    'generate',
    '--dialect',
    config.dialect,
    '--schema',
    String(config.schema),
    '--out',
    path.relative('', copy),
  ]
  const { stdout, stderr } = spawnSync(process.execPath, ['node_modules/drizzle-kit/bin.cjs', ...args], {
    encoding: 'utf8',
  })
  rmSync(copy, { recursive: true })
  expect(stdout + stderr).toContain('No schema changes, nothing to migrate')
})
