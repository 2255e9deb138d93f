/** Finds which databases a deployment has, and decides what a further one may change about them. */
import { configOf, numbersOf } from '../environment.mjs'
import { Stop } from './refusals.mjs'

/** Returns the databases of an environment that are in the account, `{number, name, jurisdiction}`, in the order of their numbers. */
export async function databasesThere(api, base, environment) {
  const all = await api.databases()
  const numbers = numbersOf(
    base,
    environment,
    all.map(({ name }) => name),
  )
  const config = configOf(base, environment, process.cwd(), (numbers.at(-1) ?? 0) + 1)
  return numbers.map((number) => {
    const { database_name: name } = config.d1_databases[number]
    const { jurisdiction } = all.find((database) => database.name === name)
    return { number, name, jurisdiction: jurisdiction ?? null }
  })
}

/**
 * Returns how many databases the deployment is to have: `--databases`, else as many as are there. Throws `Stop` for fewer than are
 * there, for more in a version that not all requests get, and if one between them is missing.
 */
export function databaseCount(there, { databases: wanted, upload }) {
  const found = Math.max(1, (there.at(-1)?.number ?? 0) + 1)
  const gap = there.findIndex(({ number }, at) => number !== at)
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
 * Returns the jurisdiction of the deployment: that of its databases, else the wanted one. Null for none. Throws `Stop` if another is
 * wanted, because D1 cannot change it, and for `--location`, which D1 ignores there.
 */
export function jurisdictionOf(there, wanted, { location }) {
  const other = there.find(({ jurisdiction }) => jurisdiction !== there[0].jurisdiction)
  if (other) {
    throw new Stop(
      `${there[0].name} was made ${inJurisdiction(there[0].jurisdiction)}, and ${other.name} ${inJurisdiction(other.jurisdiction)}. All databases of a deployment must be in the same. Nothing was changed.`,
    )
  }
  if (there.length > 0 && wanted !== null && wanted !== there[0].jurisdiction) {
    throw new Stop(
      `${there[0].name} was made ${inJurisdiction(there[0].jurisdiction)}, and Cloudflare never changes that. To have the data ${inJurisdiction(wanted)}, restore a backup into another environment: docs/operations/deploy.md, "Data in one jurisdiction". Nothing was changed.`,
    )
  }
  const jurisdiction = there[0]?.jurisdiction ?? wanted
  if (jurisdiction && location) {
    throw new Stop(
      `--location does not go with the jurisdiction ${jurisdiction}: Cloudflare ignores it there. Nothing was changed.`,
    )
  }
  return jurisdiction
}

/** Returns the words for where something was made. */
export function inJurisdiction(jurisdiction) {
  return jurisdiction ? `in the jurisdiction ${jurisdiction}` : 'without a jurisdiction'
}
