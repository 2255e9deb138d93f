/** `npm run backup`: copies each D1 database, as of one moment, into a SQLite file while Roster serves. */
import { createReadStream, createWriteStream, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { copyDatabase } from './backup/copy.mjs'
import { localDatabase, remoteDatabase } from './backup/database.mjs'
import { fileOf } from './backup/files.mjs'
import { apiOf, configurationOf, databasesIn, readOptions, run, stateFolder, WHERE_USAGE } from './backup/options.mjs'
import { Stop } from './deploy/refusals.mjs'
import { captured } from './deploy/wrangler.mjs'

const USAGE = `npm run backup -- [file] [options]

  file           the file to write; default: <database>-<time>.sqlite. Each further database is in a file beside it: <file>-1.sqlite
  --r2 <bucket>  also put it into this R2 bucket of the account, compressed
${WHERE_USAGE}`

await run(main)

async function main() {
  const { values, positionals } = readOptions(USAGE, { r2: { type: 'string' } })
  const api = values.local ? null : await apiOf(configurationOf(values.env))
  if (api === null && values.r2) throw new Stop('--r2 is for a database of an account.')
  const there = await databasesIn(api, values.env)
  const names = namesOf(there, values)
  const time = new Date().toISOString().slice(0, 19).replaceAll(':', '-')
  const files = names.map((_, number) => fileOf(positionals[0] ?? `${names[0]}-${time}.sqlite`, number))
  const taken = files.find(existsSync)
  if (taken) throw new Stop(`There is a file ${taken} already. Name another.`)
  mkdirSync('.wrangler', { recursive: true })
  const folder = mkdtempSync(`.wrangler/backup-${process.pid}-`)
  try {
    await copyAll(api, names, { files, folder })
    for (const file of values.r2 ? files : []) {
      await putInR2(api, file, { bucket: values.r2, jurisdiction: there[0].jurisdiction, folder })
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Returns the names of the databases by their numbers. Throws `Stop` if there is none, or one between them is missing. */
function namesOf(there, { env, local }) {
  const { d1_databases: all } = configurationOf(env, (there.at(-1)?.number ?? 0) + 1)
  const missing = all.find((_, at) => !there.some(({ number }) => number === at))
  if (missing && local) throw new Stop(`There is no local database in ${stateFolder()}. Start it once: \`npm start\`.`)
  if (missing) throw new Stop(`There is no D1 database ${missing.database_name} in the account.`)
  return all.map((d1) => d1.database_name)
}

/**
 * Copies each database to its file, or leaves no file. The directory is first, so that a tenant that is moved meanwhile is still where
 * the copy of the directory has it: its rows stay there for an hour.
 */
async function copyAll(api, names, { files, folder }) {
  const databases = names.length
  try {
    for (const [number, file] of files.entries()) {
      const progress = databases > 1 ? ` (${number + 1} of ${databases})` : ''
      console.log(`Copying ${api ? names[number] : 'the local database'}${progress} …`)
      const source = await open(api, names[number], number)
      const { rows, takenAt } = await copyDatabase(source, file, { folder, number, databases }).finally(source.close)
      console.log(`${file} has ${rows} rows as of ${takenAt}, ${statSync(file).size} bytes. It holds personal data.`)
    }
  } catch (error) {
    for (const file of files) rmSync(file, { force: true })
    throw error
  }
}

async function open(api, name, number) {
  return api ? remoteDatabase(api, await api.database(name)) : localDatabase(number, stateFolder())
}

/** Puts a file into a bucket of the jurisdiction of the databases. A bucket of the same name elsewhere is another one. */
async function putInR2(api, file, { bucket, jurisdiction, folder }) {
  const object = `${bucket}/${path.basename(file)}.gz`
  const compressed = path.join(folder, 'backup.gz')
  await pipeline(createReadStream(file), createGzip(), createWriteStream(compressed))
  const how = ['--remote', '--force', ...(jurisdiction ? ['--jurisdiction', jurisdiction] : [])]
  const what = ['--content-type', 'application/gzip', '--file', compressed]
  const { code, output } = await captured(['r2', 'object', 'put', object, ...how, ...what], api.account)
  if (code !== 0) throw new Stop(`${output}\nThe backup is in ${file}, and not in R2, see above.`)
  console.log(`In R2: ${object}`)
}
