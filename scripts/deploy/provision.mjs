/** Finds what Roster needs in the account by its name, and creates what is missing. Changes nothing that is there. */
import { setTimeout as wait } from 'node:timers/promises'
import { numbersOf } from '../environment.mjs'
import { LOCATIONS } from './options.mjs'
import { noSubdomain, Stop } from './refusals.mjs'

/** The location hints of Durable Objects. */
const REGIONS = ['wnam', 'enam', 'sam', 'weur', 'eeur', 'apac', 'oc', 'afr', 'me']
const REGION_POLL_MS = 1_000
const REGION_POLLS = 15

/** Returns the account's workers.dev subdomain. Throws `Stop` if it has none and `--subdomain` names none. */
export async function provideSubdomain(api, options, context) {
  const known = await api.subdomain()
  if (known) return report('workers.dev subdomain', known, 'found', known)
  if (!options.subdomain) throw new Stop(noSubdomain(context))
  if (options.dryRun) return report('workers.dev subdomain', options.subdomain, 'would be created', options.subdomain)
  await api.createSubdomain(options.subdomain)
  return report('workers.dev subdomain', options.subdomain, 'created', options.subdomain)
}

/**
 * Returns how many databases the environment is to have: `--databases`, else as many as are there. Throws `Stop` for fewer than are
 * there, for more in a version that not all requests get, and if one between them is missing.
 */
export async function databaseCount(api, base, { environment, databases: wanted, upload }) {
  const names = (await api.databases()).map(({ name }) => name)
  const numbers = numbersOf(base, environment, names)
  const found = Math.max(1, (numbers.at(-1) ?? 0) + 1)
  const gap = numbers.findIndex((number, at) => number !== at)
  if (gap !== -1) {
    throw new Stop(
      `Database ${gap} of this deployment is missing, and there are further ones: somebody deleted it, and a new one would be empty. Restore it from a backup with \`npm run restore -- <file> --database ${gap}\` (docs/operations/restore.md), then run the same command again. Nothing was changed.`,
    )
  }
  if (wanted !== null && wanted < found) {
    throw new Stop(
      `This deployment has ${found} databases, and tenants may be in each: none is taken away. Leave --databases out to keep them. Nothing was changed.`,
    )
  }
  if (upload && wanted !== null && wanted > found) {
    throw new Stop(
      '--databases does not go with --upload: a tenant that the new version puts into a new database would be unknown to the version that serves the other requests. Add the databases with a deployment of the version that serves now. Nothing was changed.',
    )
  }
  return wanted ?? found
}

/**
 * Provides all databases of the configuration, and returns them with the region of the gates (null in a dry run that finds none).
 * The further ones are made in the region of the first, because the gates are there.
 */
export async function provideDatabases(api, config, options) {
  const [first, ...further] = config.d1_databases.map((d1) => d1.database_name)
  const databases = [await provideDatabase(api, first, options)]
  const region = config.vars.GATE_LOCATION_HINT || (databases[0] && (await primaryRegion(api, databases[0], options)))
  const location = options.location ?? (LOCATIONS.includes(region) ? region : null)
  for (const name of further) databases.push(await provideDatabase(api, name, { ...options, location }))
  return { databases, region }
}

/**
 * Returns the D1 database of that name as the API describes it, with read replication on. A dry run returns null for a
 * missing one.
 */
export async function provideDatabase(api, name, options) {
  let database = await api.database(name)
  if (database === null) {
    if (options.dryRun) return report('D1 database', name, 'would be created', null)
    const { uuid } = await api.createDatabase(name, options.location)
    // The response to a creation lacks some fields.
    database = { ...(await api.database(uuid)), uuid }
    report('D1 database', name, 'created')
  } else report('D1 database', name, 'found')
  if (database.read_replication?.mode === 'auto') report('read replication', name, 'on')
  else if (options.dryRun) report('read replication', name, 'would be switched on')
  else {
    await api.replicate(database.uuid)
    report('read replication', name, 'switched on')
  }
  return database
}

/**
 * Returns the region of the D1 primary, as Durable Objects name it: `weur`. D1 may not say it for some seconds after
 * the creation; then it is where the database was created, or what `--location` asks for. Throws `Stop` if the region
 * stays unknown, because gates never move. `sleep` is for tests.
 * @param {(ms: number) => Promise<unknown>} sleep
 */
export async function primaryRegion(api, database, options, sleep = wait) {
  let region = regionIn(database.running_in_region)
  let known = database
  for (let polls = 0; region === null && polls < REGION_POLLS; polls++) {
    await sleep(REGION_POLL_MS)
    known = (await api.database(database.uuid)) ?? known
    region = regionIn(known.running_in_region)
  }
  region ??= regionIn(known.created_in_region) ?? options.location
  if (region !== null) return report('region of the gates', database.name, region, region)
  throw new Stop(
    `D1 does not say where the primary of ${database.name} is, and gates must be near it: in a wrong region each write crosses an ocean, and a gate never moves. Look on https://dash.cloudflare.com/${api.account}/workers/d1 and run the same command with --location <region>. No version was deployed.`,
  )
}

function regionIn(name) {
  const region = name?.toLowerCase()
  return REGIONS.includes(region) ? region : null
}

/** Returns the ids of the KV namespaces, in the order of their titles. A dry run leaves the missing ones out. */
export async function provideNamespaces(api, titles, options) {
  const found = await api.namespaces()
  const ids = []
  for (const title of titles) {
    const known = found.find((namespace) => namespace.title === title)
    if (known) ids.push(report('KV namespace', title, 'found', known.id))
    else if (options.dryRun) report('KV namespace', title, 'would be created')
    else ids.push(report('KV namespace', title, 'created', (await api.createNamespace(title)).id))
  }
  return ids
}

export async function provideQueue(api, name, options) {
  if (await api.hasQueue(name)) return report('queue', name, 'found')
  if (!options.dryRun) await api.createQueue(name)
  return report('queue', name, options.dryRun ? 'would be created' : 'created')
}

/** Prints a line about one thing in the account, and returns `value`. */
export function report(kind, name, state, value) {
  console.log(`  ${kind.padEnd(22)} ${name.padEnd(28)} ${state}`)
  return value
}
