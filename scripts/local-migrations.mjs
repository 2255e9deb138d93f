/** Applies the migrations to the local D1 databases of `npm start`, which must not be running. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { localDatabase } from './backup/database.mjs'
import { LEDGER_NAMES, statementsOf, TABLES } from './deploy/migrations.mjs'

/**
 * Applies what is missing to each of so many databases, whole or not at all. `wrangler d1 migrations apply` would take seconds for
 * each migration.
 */
export async function migrateLocal(stateFolder, migrationsFolder, databases) {
  for (let number = 0; number < databases; number++) {
    const database = await localDatabase(number, stateFolder)
    try {
      const applied = await appliedTo(database)
      const pending = readdirSync(migrationsFolder)
        .filter((name) => name.endsWith('.sql') && !applied.includes(name))
        .sort()
        .map((name) => ({ name, text: readFileSync(path.join(migrationsFolder, name), 'utf8') }))
      if (pending.length > 0) await database.batch(statementsOf(pending))
    } finally {
      await database.close()
    }
  }
}

async function appliedTo(database) {
  const tables = await database.query(TABLES)
  if (!tables.some(({ name }) => name === 'd1_migrations')) return []
  return (await database.query(LEDGER_NAMES)).map(({ name }) => name)
}
