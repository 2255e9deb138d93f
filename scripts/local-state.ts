/**
 * Looks at the data of `npm start`: how many databases it has, and whether another version of Roster made it, so that the migrations
 * of this clone cannot be applied.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/**
 * Returns what to do about the data in `stateFolder`, in two lines, or null if the migrations of this clone can be applied to it.
 * Only reads: whether the data is still needed is for its owner to say.
 */
export function adviceOnLocalState(stateFolder: string, migrationsFolder: string): string | null {
  const known = new Set(readdirSync(migrationsFolder))
  const unknown = ledgersOf(stateFolder)
    .flat()
    .filter((name) => !known.has(name))
  if (unknown.length === 0) return null
  const folder = path.relative('', stateFolder)
  const command = process.platform === 'win32' ? 'move' : 'mv'
  return [
    `The local data in ${folder} is from another version of Roster: ${unknown[0]} was applied to it, which is not in ${migrationsFolder}/.`,
    `Move it away with \`${command} "${folder}" "${freeName(folder)}"\` and start again, or use another folder: PERSIST_TO=.roster/new npm start`,
  ].join('\n')
}

/** Returns whether all migrations of this clone were applied to so many local D1 databases. */
export function isMigrated(stateFolder: string, migrationsFolder: string, databases: number): boolean {
  const names = readdirSync(migrationsFolder).filter((name) => name.endsWith('.sql'))
  const ledgers = ledgersOf(stateFolder)
  return ledgers.length >= databases && ledgers.every((applied) => names.every((name) => applied.includes(name)))
}

const DATABASES_FILE = 'databases.json'

/** Returns how many databases the data in `stateFolder` has. */
export function localDatabaseCount(stateFolder: string): number {
  const file = path.join(stateFolder, DATABASES_FILE)
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).databases : 1
}

/** Makes later starts on this folder find so many databases. */
export function keepLocalDatabaseCount(stateFolder: string, databases: number): void {
  if (databases === localDatabaseCount(stateFolder)) return
  mkdirSync(stateFolder, { recursive: true })
  writeFileSync(path.join(stateFolder, DATABASES_FILE), `${JSON.stringify({ databases })}\n`)
}

/**
 * Returns the applied migrations of each local D1 database that has any. Wrangler decides in which folder they are; a test runs the
 * real one.
 */
function ledgersOf(stateFolder: string): string[][] {
  const folder = path.join(stateFolder, 'v3/d1/miniflare-D1DatabaseObject')
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((file) => file.endsWith('.sqlite'))
    .map((file) => ledgerOf(path.join(folder, file)))
    .filter((applied) => applied.length > 0)
}

function ledgerOf(file: string): string[] {
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    const hasLedger = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'd1_migrations'").get()
    return hasLedger
      ? database
          .prepare('SELECT name FROM d1_migrations ORDER BY id')
          .all()
          .map(({ name }) => String(name))
      : []
  } finally {
    database.close()
  }
}

function freeName(folder: string): string {
  for (let number = 1; ; number++) {
    const name = `${folder}.old${number === 1 ? '' : number}`
    if (!existsSync(name)) return name
  }
}
