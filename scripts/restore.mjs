/** `npm run restore`: writes a backup into databases that are new or empty. */
import { createReadStream, createWriteStream, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { RAISE_DATA_EPOCH } from './backup/data-epoch.ts'
import { localDatabase, remoteDatabase } from './backup/database.mjs'
import { fileOf } from './backup/files.mjs'
import { factsOf, writeImportFile } from './backup/import-file.mjs'
import { apiOf, configurationOf, databasesIn, readOptions, run, stateFolder, WHERE_USAGE } from './backup/options.mjs'
import { SCHEMA } from './backup/schema.mjs'
import { jurisdictionOf } from './deploy/existing.mjs'
import { JURISDICTIONS, LOCATIONS } from './deploy/options.mjs'
import { provideDatabases } from './deploy/provision.mjs'
import { Stop } from './deploy/refusals.mjs'
import { keepLocalDatabaseCount, localDatabaseCount } from './local-state.ts'

const USAGE = `npm run restore -- <file> [options]

  file           the first file of \`npm run backup\`; those of further databases are beside it. They may be compressed (.gz)
  --database <number>  only this database of the backup, such as 2; 0 is the directory
  --location <region>  where the primary of a new D1 is: ${LOCATIONS.join(', ')}; default: near you
  --jurisdiction <name>  where a new D1 stays: ${JURISDICTIONS.join(', ')}; default: where the other databases are
${WHERE_USAGE}`

await run(main)

async function main() {
  const string = { type: 'string' }
  const { values, positionals } = readOptions(USAGE, { location: string, jurisdiction: string, database: string })
  const [first] = positionals
  if (first === undefined || !existsSync(first)) throw new Stop(`Name the file of the backup.\n\n${USAGE}`)
  if (values.location !== undefined && !LOCATIONS.includes(values.location))
    throw new Stop(`--location ${values.location}: use one of ${LOCATIONS.join(', ')}`)
  if (values.jurisdiction !== undefined && !JURISDICTIONS.includes(values.jurisdiction))
    throw new Stop(`--jurisdiction ${values.jurisdiction}: use one of ${JURISDICTIONS.join(', ')}`)
  mkdirSync('.wrangler', { recursive: true })
  const folder = mkdtempSync(`.wrangler/restore-${process.pid}-`)
  try {
    const files = await filesToRestore(first, values.database, folder)
    const { targets, directory } = await targetsOf([...files.keys()], values)
    for (const target of targets.values()) await withDatabase(target, (database) => requireEmpty(database, target))
    for (const [number, file] of files) await restore(file, targets.get(number), folder)
    if (!files.has(0)) await withDatabase(directory, raiseDataEpoch)
    console.log(nextStep(values, [...targets.values()]))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Returns the files of the databases to restore, by their numbers. Throws `Stop` if one is missing, or is that of another database. */
async function filesToRestore(first, wanted, folder) {
  const { number: found, databases } = factsOf(await uncompressed(first, folder))
  if (wanted !== undefined && !/^[0-9]+$/.test(wanted)) throw new Stop(`--database ${wanted}: use a number, such as 2`)
  const only = wanted === undefined ? null : Number(wanted)
  if (only === found) return new Map([[found, first]])
  if (found !== 0) {
    throw new Stop(
      `${first} is database ${found} of a backup of ${databases}. Name the file of database 0, which restores all, or say --database ${found}. Nothing was changed.`,
    )
  }
  const numbers = only === null ? Array.from({ length: databases }, (_, number) => number) : [only]
  const files = new Map(numbers.map((number) => [number, fileOf(first, number)]))
  for (const [number, file] of files) {
    if (!existsSync(file)) {
      throw new Stop(
        `${file} is missing: the backup is of ${databases} databases, and this is number ${number}. Nothing was changed.`,
      )
    }
    const { number: is } = factsOf(await uncompressed(file, folder))
    if (is !== number) throw new Stop(`${file} is database ${is} of a backup, not ${number}. Nothing was changed.`)
  }
  return files
}

async function uncompressed(file, folder) {
  if (!file.endsWith('.gz')) return file
  const plain = path.join(folder, 'backup.sqlite')
  await pipeline(createReadStream(file), createGunzip(), createWriteStream(plain))
  return plain
}

/**
 * Returns the databases to restore to by their numbers, and the directory, each as `{name, isLocal, open}`. Makes those that an account
 * lacks. Throws `Stop` if one is to be restored for which there is no directory.
 */
async function targetsOf(numbers, values) {
  const config = configurationOf(values.env, Math.max(...numbers) + 1)
  const needed = [...new Set([0, ...numbers])]
  const needs = needed.map((number) => config.d1_databases[number])
  const open = values.local
    ? openLocal(numbers)
    : await openRemote(needs, { config, values, isNew: numbers.includes(0) })
  const all = new Map(
    needed.map((number, at) => [
      number,
      { name: needs[at].database_name, isLocal: values.local, open: () => open(number, at) },
    ]),
  )
  return { targets: new Map(numbers.map((number) => [number, all.get(number)])), directory: all.get(0) }
}

function openLocal(numbers) {
  mkdirSync(stateFolder(), { recursive: true })
  keepLocalDatabaseCount(
    stateFolder(),
    Math.max(localDatabaseCount(stateFolder()), ...numbers.map((number) => number + 1)),
  )
  return (number) => localDatabase(number, stateFolder())
}

async function openRemote(needs, { config, values, isNew }) {
  const api = await apiOf(config)
  const there = await databasesIn(api, values.env)
  if (!isNew && there[0]?.number !== 0) {
    throw new Stop(
      `There is no D1 database ${needs[0].database_name}, which has the tenants: restore that one first. Nothing was changed.`,
    )
  }
  const location = values.location ?? null
  const jurisdiction = jurisdictionOf(there, values.jurisdiction ?? null, { location })
  const options = { location, jurisdiction, dryRun: false }
  const { databases } = await provideDatabases(api, { ...config, d1_databases: needs }, options)
  return async (_number, at) => remoteDatabase(api, databases[at])
}

async function withDatabase({ open }, use) {
  const database = await open()
  try {
    return await use(database)
  } finally {
    await database.close()
  }
}

async function requireEmpty(database, { name, isLocal }) {
  const tables = (await database.query(SCHEMA)).filter(({ type }) => type === 'table')
  if (tables.length === 0) return
  const remove = isLocal
    ? `choose a new folder: PERSIST_TO=… npm run restore`
    : `\`npx wrangler d1 delete ${name}\`, and run the same command again`
  throw new Stop(
    `The database ${name} has tables (${tables[0].name}, …), and a backup is restored to an empty one. Nothing was restored. To delete all that it holds: ${remove}.`,
  )
}

async function restore(file, target, folder) {
  const sql = path.join(folder, 'import.sql')
  const { takenAt, rows } = writeImportFile(await uncompressed(file, folder), sql)
  console.log(`Restoring ${rows} rows as of ${takenAt} to ${target.name} …`)
  await withDatabase(target, (database) => database.apply(sql))
}

/** The data epoch of all databases is in the directory. An empty one gets its own when it is restored. */
async function raiseDataEpoch(directory) {
  const tables = await directory.query(SCHEMA)
  if (tables.some(({ name }) => name === 'deployment')) await directory.query(RAISE_DATA_EPOCH)
}

function nextStep({ local, env }, targets) {
  if (local) return 'Restored. Start it: `npm start`'
  const suffix = env === undefined ? '' : ` -- --env ${env}`
  const names = targets.map(({ name }) => name).join(', ')
  return `Restored to ${names}, which no Worker serves yet. Now run \`npm run deploy${suffix}\`, then \`npm run restored${suffix}\``
}
