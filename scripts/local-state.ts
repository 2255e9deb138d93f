/** Recognises local data that another version of Roster made, to which the migrations of this clone cannot be applied. */
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/**
 * Returns what to do about the data in `stateFolder`, in two lines, or null if the migrations of this clone can be applied to it.
 * Only reads: whether the data is still needed is for its owner to say.
 */
export function adviceOnLocalState(stateFolder: string, migrationsFolder: string): string | null {
  const known = new Set(readdirSync(migrationsFolder))
  const unknown = appliedTo(stateFolder).filter((name) => !known.has(name))
  if (unknown.length === 0) return null
  const folder = path.relative('', stateFolder)
  const command = process.platform === 'win32' ? 'move' : 'mv'
  return [
    `The local data in ${folder} is from another version of Roster: ${unknown[0]} was applied to it, which is not in ${migrationsFolder}/.`,
    `Move it away with \`${command} "${folder}" "${freeName(folder)}"\` and start again, or use another folder: PERSIST_TO=.roster/new npm start`,
  ].join('\n')
}

/** Returns the migrations of this clone that the local D1 lacks, in their order. */
export function pendingMigrations(stateFolder: string, migrationsFolder: string): string[] {
  const applied = new Set(appliedTo(stateFolder))
  return readdirSync(migrationsFolder)
    .filter((name) => name.endsWith('.sql') && !applied.has(name))
    .sort()
}

/** Returns the applied migrations of all local D1 databases. Wrangler decides in which folder they are; a test runs the real one. */
function appliedTo(stateFolder: string): string[] {
  const folder = path.join(stateFolder, 'v3/d1/miniflare-D1DatabaseObject')
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((file) => file.endsWith('.sqlite'))
    .flatMap((file) => ledgerOf(path.join(folder, file)))
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
