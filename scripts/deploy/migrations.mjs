/**
 * Applies the migrations to a D1 database of the account, by D1's import: one file with all that are missing and their
 * rows in the ledger, applied whole or not at all. D1's `/query`, which `wrangler d1 migrations apply` uses, cuts a
 * file into statements first, and cuts some triggers at the wrong place.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { CloudflareError } from '../cloudflare-api.mjs'
import { explain, explainD1, failureIn, Stop } from './refusals.mjs'
import { captured } from './wrangler.mjs'

/** Wrangler's own ledger, so that `wrangler d1 migrations list` agrees. */
const LEDGER = `CREATE TABLE IF NOT EXISTS d1_migrations(
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  name       TEXT UNIQUE,
  applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
);`
export const TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
export const LEDGER_NAMES = 'SELECT name FROM d1_migrations ORDER BY id'
/** Tables that a new database may have. */
const NOBODYS_TABLE = /^(sqlite_|_cf_|d1_migrations$)/
/** The polling of a database that is busy with an import: the pause, and the number of polls. */
const BUSY_POLL_MS = 2_000
const BUSY_POLLS = 60

/**
 * Returns the migrations that are to be applied: `{name, text}`. Throws `Stop` for a database of another project or of
 * a newer Roster, and for a migration that SQLite on this machine refuses. `config` is the database's section in
 * wrangler.toml.
 */
export async function pendingMigrations(api, database, config) {
  const all = readdirSync(config.migrations_dir)
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .map((name) => ({ name, text: readFileSync(path.join(config.migrations_dir, name), 'utf8') }))
  rehearse(all)
  const names = all.map(({ name }) => name)
  const { tables, applied } = await ledgerOf(api, database)
  const others = applied.filter((name) => !names.includes(name))
  if (others.length > 0) {
    throw new Stop(
      `The D1 database ${database.name} has migrations that are not in ${path.basename(config.migrations_dir)}/: ${others.join(', ')}. A newer Roster was deployed to it, or it belongs to something else. Deploy from a checkout that has them; to deploy older code on purpose, take only them from the newer one: \`git checkout <newer> -- migrations\`. Nothing was changed.`,
    )
  }
  const foreign = tables.filter((name) => !NOBODYS_TABLE.test(name))
  if (applied.length === 0 && foreign.length > 0) {
    throw new Stop(
      `The D1 database ${database.name} has tables (${foreign.slice(0, 5).join(', ')}) and no record of a migration: it belongs to something else. Give Roster another name in wrangler.toml, or deploy with --env. Nothing was changed.`,
    )
  }
  return all.filter(({ name }) => !applied.includes(name))
}

/** Applies the migrations to an empty database on this machine. Throws `Stop` for the first that SQLite refuses. */
function rehearse(migrations) {
  const sqlite = new DatabaseSync(':memory:')
  for (const { name, text } of migrations) {
    try {
      sqlite.exec(text)
    } catch (error) {
      throw new Stop(
        `The migration ${name} is wrong, or does not fit those before it: ${error.message}. Nothing was changed.`,
      )
    }
  }
  sqlite.close()
}

/**
 * Applies what `pendingMigrations` returned for each database, one database after the other. Throws `Stop` at the first where they
 * could not be applied; then none of them is there. `where` is `{folder, file, context}`: where generated files go, wrangler's
 * configuration, and the context of `explain`.
 */
export async function migrateAll(api, databases, pending, where) {
  for (const [at, database] of databases.entries()) {
    const progress = databases.length === 1 ? '' : ` (${at + 1} of ${databases.length})`
    await migrate(api, database, pending[at], { ...where, progress })
  }
}

async function migrate(api, database, pending, { folder, file, context, progress }) {
  if (pending.length === 0) return console.log(`\nThe migrations of ${database.name} are all applied${progress}.`)
  console.log(
    `\nApplying the migrations to ${database.name}${progress}; D1 answers no queries meanwhile, usually for seconds …`,
  )
  const names = pending.map(({ name }) => name)
  const sql = path.join(folder, 'migrations.sql')
  writeFileSync(sql, importOf(pending))
  const args = ['d1', 'execute', database.name, '--remote', '--yes', '--file', sql, '--config', file]
  const { code, output } = await captured(args, api.account)
  // Wrangler may lose sight of a running import, and may fail after a successful one. The ledger decides.
  const { applied } = await ledgerOf(api, database).catch((error) => {
    console.error(output)
    throw error
  })
  if (names.every((name) => applied.includes(name))) return console.log(`  applied: ${names.join(', ')}`)
  console.error(output)
  throw new Stop(
    `The migrations of ${database.name} (${names.join(', ')}) ${code === 0 ? 'left no record' : 'failed, see above'}. ${explain(failureIn(output), context) ?? explainD1(output)}
None of them was applied to it, and no new version was deployed: what runs is what ran before. SQLite on this machine takes them all. Once the cause is gone, run the same command again.`,
  )
}

/** Returns the text to import: the migrations (`{name, text}`), each with its row in the ledger. */
export function importOf(migrations) {
  return `${LEDGER}\n${migrations.map(({ name, text }) => `${text}\n${ledgerRowOf(name)}\n`).join('\n')}`
}

/** Returns the same as single statements, for the one transaction in which `npm start` applies them. */
export function statementsOf(migrations) {
  const statements = ({ name, text }) => [...text.split('--> statement-breakpoint'), ledgerRowOf(name)]
  return [LEDGER, ...migrations.flatMap(statements)]
}

function ledgerRowOf(name) {
  return `INSERT INTO d1_migrations (name) VALUES ('${name.replaceAll("'", "''")}');`
}

/** Returns the names of the tables and of the applied migrations. Waits while another import is running. */
async function ledgerOf(api, database) {
  const tables = (await whenFree(() => api.query(database.uuid, TABLES))).map(({ name }) => name)
  if (!tables.includes('d1_migrations')) return { tables, applied: [] }
  const rows = await whenFree(() => api.query(database.uuid, LEDGER_NAMES))
  return { tables, applied: rows.map(({ name }) => name) }
}

async function whenFree(query) {
  for (let polls = 0; ; polls++) {
    try {
      return await query()
    } catch (error) {
      const isBusy = error instanceof CloudflareError && /long-running (import|export)/.test(error.message)
      if (!isBusy || polls === BUSY_POLLS) throw error
      if (polls === 0) console.log('  D1 is busy with an import or export; waiting …')
      await sleep(BUSY_POLL_MS)
    }
  }
}
