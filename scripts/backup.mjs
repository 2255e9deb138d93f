/** `npm run backup`: copies the D1 database, as of one moment, into a SQLite file while Roster serves. */
import { createReadStream, createWriteStream, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { copyDatabase } from './backup/copy.mjs'
import { hasLocalState, localDatabase, remoteDatabase } from './backup/database.mjs'
import { apiOf, databaseOf, readOptions, run, stateFolder, WHERE_USAGE } from './backup/options.mjs'
import { Stop } from './deploy/refusals.mjs'
import { captured } from './deploy/wrangler.mjs'

const USAGE = `npm run backup -- [file] [options]

  file           the file to write; default: <database>-<time>.sqlite
  --r2 <bucket>  also put it into this R2 bucket of the account, compressed
${WHERE_USAGE}`

await run(main)

async function main() {
  const { values, positionals } = readOptions(USAGE, { r2: { type: 'string' } })
  const { config, binding, name } = databaseOf(values.env)
  const file = positionals[0] ?? `${name}-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}.sqlite`
  if (existsSync(file)) throw new Stop(`There is a file ${file} already. Name another.`)
  const api = values.local ? null : await apiOf(config)
  const source = await open(api, { name, binding })
  mkdirSync('.wrangler', { recursive: true })
  const folder = mkdtempSync('.wrangler/backup-')
  console.log(`Copying ${values.local ? 'the local database' : name} …`)
  try {
    const { rows, takenAt } = await copyDatabase(source, file, { folder })
    console.log(`${file} has ${rows} rows as of ${takenAt}, ${statSync(file).size} bytes. It holds personal data.`)
    if (values.r2) await putInR2(api, file, `${values.r2}/${path.basename(file)}.gz`, folder)
  } catch (error) {
    rmSync(file, { force: true })
    throw error
  } finally {
    await source.close()
    rmSync(folder, { recursive: true })
  }
}

async function open(api, { name, binding }) {
  if (api === null) {
    const folder = stateFolder()
    if (!hasLocalState(folder)) throw new Stop(`There is no local database in ${folder}. Start it once: \`npm start\`.`)
    return localDatabase(binding, folder)
  }
  const database = await api.database(name)
  if (database === null) throw new Stop(`There is no D1 database ${name} in the account.`)
  return remoteDatabase(api, database)
}

async function putInR2(api, file, object, folder) {
  if (api === null) throw new Stop('--r2 is for a database of an account.')
  const compressed = path.join(folder, 'backup.gz')
  await pipeline(createReadStream(file), createGzip(), createWriteStream(compressed))
  const { code, output } = await captured(
    ['r2', 'object', 'put', object, '--remote', '--force', '--content-type', 'application/gzip', '--file', compressed],
    api.account,
  )
  if (code !== 0) throw new Stop(`${output}\nThe backup is in ${file}, and not in R2, see above.`)
  console.log(`In R2: ${object}`)
}
