/** `npm run restore`: writes a backup into a database that is new or empty. */
import { createReadStream, createWriteStream, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { localDatabase, remoteDatabase } from './backup/database.mjs'
import { writeImportFile } from './backup/import-file.mjs'
import { apiOf, databaseOf, readOptions, run, stateFolder, WHERE_USAGE } from './backup/options.mjs'
import { SCHEMA } from './backup/schema.mjs'
import { LOCATIONS } from './deploy/options.mjs'
import { provideDatabase } from './deploy/provision.mjs'
import { Stop } from './deploy/refusals.mjs'

const USAGE = `npm run restore -- <file> [options]

  file           a file of \`npm run backup\`, may be compressed (.gz)
  --location <region>  where the primary of a new D1 is: ${LOCATIONS.join(', ')}; default: near you
${WHERE_USAGE}`

await run(main)

async function main() {
  const { values, positionals } = readOptions(USAGE, { location: { type: 'string' } })
  const [file] = positionals
  if (file === undefined || !existsSync(file)) throw new Stop(`Name the file of the backup.\n\n${USAGE}`)
  if (values.location !== undefined && !LOCATIONS.includes(values.location))
    throw new Stop(`--location ${values.location}: use one of ${LOCATIONS.join(', ')}`)
  const { config, binding, name } = databaseOf(values.env)
  mkdirSync('.wrangler', { recursive: true })
  const folder = mkdtempSync('.wrangler/restore-')
  let target = null
  try {
    const sql = path.join(folder, 'import.sql')
    const { takenAt, rows } = writeImportFile(await uncompressed(file, folder), sql)
    target = await open(values, config, { name, binding })
    await requireEmpty(target, values.local, name)
    console.log(`Restoring ${rows} rows as of ${takenAt} …`)
    await target.apply(sql)
    console.log(nextStep(values, name))
  } finally {
    await target?.close()
    rmSync(folder, { recursive: true })
  }
}

async function uncompressed(file, folder) {
  if (!file.endsWith('.gz')) return file
  const plain = path.join(folder, 'backup.sqlite')
  await pipeline(createReadStream(file), createGunzip(), createWriteStream(plain))
  return plain
}

async function open({ local, location }, config, { name, binding }) {
  if (local) {
    mkdirSync(stateFolder(), { recursive: true })
    return localDatabase(binding, stateFolder())
  }
  const api = await apiOf(config)
  return remoteDatabase(api, await provideDatabase(api, name, { location, dryRun: false }))
}

async function requireEmpty(target, isLocal, name) {
  const tables = (await target.query(SCHEMA)).filter(({ type }) => type === 'table')
  if (tables.length === 0) return
  const remove = isLocal
    ? `choose a new folder: PERSIST_TO=… npm run restore`
    : `\`npx wrangler d1 delete ${name}\`, and run the same command again`
  throw new Stop(
    `The database has tables (${tables[0].name}, …), and a backup is restored to an empty one. Nothing was changed. To delete all that it holds: ${remove}.`,
  )
}

function nextStep({ local, env }, name) {
  if (local) return 'Restored. Start it: `npm start`'
  const suffix = env === undefined ? '' : ` -- --env ${env}`
  return `Restored to ${name}, which no Worker serves yet. Now run \`npm run deploy${suffix}\`, then \`npm run restored${suffix}\``
}
