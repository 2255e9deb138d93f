/**
 * Derives the configuration of any environment from one wrangler.toml. Wrangler's own `[env.staging]` inherits no binding, so each would have to be
 * written twice. Instead everything that has a name in the account gets the same name with `-staging` behind it. Pure:
 * deploy/main.mjs provisions the result and gives it to wrangler.
 */
import path from 'node:path'

/** Sections without a name that is unique in an account: two Workers may have the same. */
const WITHOUT_NAMES = new Set([
  'account_id',
  'assets',
  'build',
  'compatibility_date',
  'compatibility_flags',
  'durable_objects',
  'keep_names',
  'kv_namespaces',
  'limits',
  'main',
  'migrations',
  'minify',
  'observability',
  'placement',
  'secrets',
  'triggers',
  'upload_source_maps',
  'vars',
  'version_metadata',
  'workers_dev',
])

/** How each of the other sections is renamed. */
const RENAMED = {
  name: (name, rename) => rename(name),
  d1_databases: (list, rename) => list.map((d1) => ({ ...d1, database_name: rename(d1.database_name) })),
  r2_buckets: (list, rename) => list.map((r2) => ({ ...r2, bucket_name: rename(r2.bucket_name) })),
  workflows: (list, rename) => list.map((workflow) => ({ ...workflow, name: rename(workflow.name) })),
  queues: ({ producers = [], consumers = [] }, rename) => ({
    producers: producers.map((producer) => ({ ...producer, queue: rename(producer.queue) })),
    consumers: consumers.map(({ dead_letter_queue: deadLetters, ...consumer }) => ({
      ...consumer,
      queue: rename(consumer.queue),
      ...(deadLetters && { dead_letter_queue: rename(deadLetters) }),
    })),
  }),
  analytics_engine_datasets: (list, rename) =>
    list.map((set) => ({ ...set, dataset: rename(set.dataset ?? set.binding).replaceAll('-', '_') })),
  // Alerts are about production.
  tail_consumers: () => undefined,
  // A domain belongs to production; the others are served on workers.dev.
  route: () => undefined,
  routes: () => undefined,
}

/**
 * Returns the configuration of an environment (null: production) from that of wrangler.toml, with this number of databases. Its
 * paths are absolute, so that the file may be in any folder. Throws for a section that might make two environments share something.
 */
export function configOf(base, environment, root, databases = 1) {
  const located = {
    ...base,
    main: path.resolve(root, base.main),
    assets: { ...base.assets, directory: path.resolve(root, base.assets.directory) },
    d1_databases: withFurther(base.d1_databases, databases).map((d1) => ({
      ...d1,
      migrations_dir: path.resolve(root, d1.migrations_dir),
    })),
  }
  if (environment === null) return located
  const rename = (name) => `${name}-${environment}`
  return Object.fromEntries(
    Object.entries(located).map(([section, value]) => {
      if (WITHOUT_NAMES.has(section)) return [section, value]
      if (Object.hasOwn(RENAMED, section)) return [section, RENAMED[section](value, rename)]
      throw new Error(
        `wrangler.toml has [${section}], and ${environment} must not share it with production: define in scripts/environment.mjs how it is named there`,
      )
    }),
  )
}

/**
 * Returns all databases: `DB` of wrangler.toml, then `DB_1`, `DB_2` and so on, whose names have the number behind. The migrations
 * are the same.
 */
export function withFurther([directory], databases) {
  const further = Array.from({ length: databases - 1 }, (_, at) => ({
    ...directory,
    binding: bindingOf(at + 1),
    database_name: `${directory.database_name}-${at + 1}`,
  }))
  return [directory, ...further]
}

/** Returns the name of the binding of the database with this number. */
export function bindingOf(number) {
  return number === 0 ? 'DB' : `DB_${number}`
}

/** Returns the numbers of an environment's databases among the names of an account's, in their order. */
export function numbersOf(base, environment, names) {
  const [{ database_name: first }] = base.d1_databases
  const end = environment === null ? '' : `-${environment}`
  const further = names
    .filter((name) => name.startsWith(`${first}-`) && name.endsWith(end))
    .map((name) => name.slice(first.length + 1, name.length - end.length))
    .filter((text) => /^[1-9][0-9]*$/.test(text))
    .map(Number)
  return [...(names.includes(`${first}${end}`) ? [0] : []), ...further.sort((a, b) => a - b)]
}

/** Returns the resources that must exist before the Worker is deployed. Durable Objects, Workflows and cron come with the Worker. */
export function resourcesOf(config) {
  const { producers = [], consumers = [] } = config.queues ?? {}
  const queues = [
    ...producers.map((producer) => producer.queue),
    ...consumers.flatMap((consumer) => [consumer.queue, consumer.dead_letter_queue ?? []].flat()),
  ]
  return {
    databases: config.d1_databases.map((d1) => d1.database_name),
    // The titles wrangler itself gives to namespaces it provisions.
    namespaces: config.kv_namespaces.map(
      ({ binding }) => `${config.name}-${binding.toLowerCase().replaceAll('_', '-')}`,
    ),
    buckets: (config.r2_buckets ?? []).map((r2) => r2.bucket_name),
    queues: [...new Set(queues)],
    secrets: config.secrets.required,
  }
}

/** Returns the configuration without Analytics Engine: Roster runs, and counts nothing. */
export function withoutAnalytics({ analytics_engine_datasets: _, ...config }) {
  return config
}

/**
 * Returns the configuration of a deployment whose data stays in a jurisdiction, unchanged for null. KV is left out, because it has copies
 * everywhere, and so is the region of the gates.
 */
export function withJurisdiction(config, jurisdiction) {
  if (jurisdiction === null) return config
  const inside = (list = []) => list.map((binding) => ({ ...binding, jurisdiction }))
  return {
    ...config,
    kv_namespaces: [],
    workflows: inside(config.workflows),
    r2_buckets: inside(config.r2_buckets),
    vars: { ...config.vars, JURISDICTION: jurisdiction, GATE_LOCATION_HINT: '' },
  }
}

/** Returns the configuration with the ids of the account. Gates are created in the region of the D1 primary, unless wrangler.toml names one. */
export function withIds(config, { databaseIds, namespaceIds, primaryRegion }) {
  return {
    ...config,
    d1_databases: config.d1_databases.map((d1, at) => ({ ...d1, database_id: databaseIds[at] })),
    kv_namespaces: config.kv_namespaces.map((kv, at) => ({ ...kv, id: namespaceIds[at] })),
    vars: { ...config.vars, GATE_LOCATION_HINT: config.vars.GATE_LOCATION_HINT || (primaryRegion ?? '') },
  }
}
