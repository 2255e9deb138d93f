/**
 * `npm run restored`: the step after a D1 was set back or restored, whichever it was. Raises the data epoch, which is in the directory,
 * and waits until every gate has followed: from then on Roster answers only what D1 has. Safe to run again.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { COUNT_BEHIND, RAISE_DATA_EPOCH } from './backup/data-epoch.ts'
import { localDatabase, remoteDatabase } from './backup/database.mjs'
import { apiOf, configurationOf, readOptions, run, stateFolder, WHERE_USAGE } from './backup/options.mjs'
import { Stop } from './deploy/refusals.mjs'

const USAGE = `npm run restored -- [options]

${WHERE_USAGE}`
const OF_LOCAL = `The data epoch is raised. The gates follow within a minute of \`npm start\`, which runs the cron. To not wait for it:
  curl http://127.0.0.1:8787/cdn-cgi/local/scheduled`
/** The cron runs once a minute and brings 250 tenants up to date. */
const LOOK_EVERY_MS = 5_000
const NO_PROGRESS_MAX_MS = 300_000

await run(main)

async function main() {
  const { values } = readOptions(USAGE)
  const config = configurationOf(values.env)
  const [{ database_name: name }] = config.d1_databases
  const database = values.local ? await localDatabase(0, stateFolder()) : await remote(config, name)
  try {
    await database.query(RAISE_DATA_EPOCH)
    if (values.local) return console.log(OF_LOCAL)
    console.log('The data epoch is raised. The cron brings the gates up to date within a minute; waiting …')
    await followed(database, name)
    console.log('Every gate has followed: Roster answers only what D1 has.')
  } finally {
    await database.close()
  }
}

async function remote(config, name) {
  const api = await apiOf(config)
  const database = await api.database(name)
  if (database === null) throw new Stop(`There is no D1 database ${name} in the account.`)
  return remoteDatabase(api, database)
}

async function followed(database, name) {
  let fewest = Number.POSITIVE_INFINITY
  for (let waitedMs = 0; waitedMs < NO_PROGRESS_MAX_MS; waitedMs += LOOK_EVERY_MS) {
    const [{ behind }] = await database.query(COUNT_BEHIND)
    if (behind === 0) return
    if (behind < fewest) {
      fewest = behind
      waitedMs = 0
      console.log(`  tenants to go: ${behind}`)
    }
    await sleep(LOOK_EVERY_MS)
  }
  throw new Stop(
    `The gates of ${fewest} tenants do not follow. Is a version deployed that serves ${name}, and does its cron run? \`npm run tail\` shows policy_not_applied with the reason. Then run the same command again.`,
  )
}
