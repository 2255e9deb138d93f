/** Finds what Roster needs in the account by its name, and creates what is missing. Changes nothing that is there. */
import { setTimeout as wait } from 'node:timers/promises'
import { inJurisdiction } from './existing.mjs'
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
 * Provides all databases of the configuration, and returns them with the region of the gates: null in a dry run that finds none, and in
 * a jurisdiction, which decides alone. Elsewhere the further ones are made in the region of the first, because the gates are there.
 */
export async function provideDatabases(api, config, options) {
  const [first, ...further] = config.d1_databases.map((d1) => d1.database_name)
  const databases = [await provideDatabase(api, first, options)]
  const region = options.jurisdiction ? null : await regionOf(api, config, databases[0], options)
  const location = options.location ?? (LOCATIONS.includes(region) ? region : null)
  for (const name of further) databases.push(await provideDatabase(api, name, { ...options, location }))
  return { databases, region }
}

async function regionOf(api, config, first, options) {
  return config.vars.GATE_LOCATION_HINT || (first && (await primaryRegion(api, first, options)))
}

/**
 * Returns the D1 database of that name as the API describes it, with read replication on. A dry run returns null for a
 * missing one. Throws `Stop` if a new one is not in the jurisdiction.
 */
export async function provideDatabase(api, name, options) {
  let database = await api.database(name)
  if (database === null) {
    if (options.dryRun) return report('D1 database', name, 'would be created', null)
    const { uuid } = await api.createDatabase(name, options)
    // The response to a creation lacks some fields.
    database = { ...(await api.database(uuid)), uuid }
    if ((database.jurisdiction ?? null) !== (options.jurisdiction ?? null)) {
      throw new Stop(
        `Cloudflare does not say that the new D1 database ${name} is in ${options.jurisdiction}. Run the same command again; if it stays so, delete the database and ask Cloudflare. No version was deployed.`,
      )
    }
    report('D1 database', name, options.jurisdiction ? `created in ${options.jurisdiction}` : 'created')
  } else report('D1 database', name, 'found')
  await provideReplicas(api, database, { name, ...options })
  return database
}

/** Switches read replication on. Cloudflare does not document whether replicas stay in a jurisdiction, so it is left off there. */
async function provideReplicas(api, database, { name, jurisdiction, dryRun }) {
  if (database.read_replication?.mode === 'auto') return report('read replication', name, 'on')
  if (jurisdiction) return report('read replication', name, `off, because of ${jurisdiction}`)
  if (dryRun) return report('read replication', name, 'would be switched on')
  await api.replicate(database.uuid)
  report('read replication', name, 'switched on')
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

/** Throws `Stop` for a queue that is not in the jurisdiction, because a queue keeps its own. */
export async function provideQueue(api, name, { dryRun, jurisdiction }) {
  const found = await api.queue(name)
  if (found && (found.jurisdiction ?? null) !== (jurisdiction ?? null)) {
    throw new Stop(
      `The queue ${name} was made ${inJurisdiction(found.jurisdiction)}, and the databases are to be ${inJurisdiction(jurisdiction)}. Delete it (docs/operations/deploy.md, "Uninstall"), and run the same command again: its messages are only signals, and the sweep finds the work. No version was deployed.`,
    )
  }
  if (found) return report('queue', name, 'found')
  if (!dryRun) await api.createQueue(name, jurisdiction)
  return report('queue', name, dryRun ? 'would be created' : 'created')
}

export async function provideBucket(api, name, options) {
  if (await api.hasBucket(name, options.jurisdiction)) return report('R2 bucket', name, 'found')
  if (!options.dryRun) await api.createBucket(name, options)
  return report('R2 bucket', name, options.dryRun ? 'would be created' : 'created')
}

/** Prints a line about one thing in the account, and returns `value`. */
export function report(kind, name, state, value) {
  console.log(`  ${kind.padEnd(22)} ${name.padEnd(28)} ${state}`)
  return value
}
