/**
 * One wrangler.toml, any number of environments. Wrangler's own `[env.staging]` inherits no binding, so each would have to be
 * written twice; instead everything that has a name in the account is called the same with `-staging` behind it. Pure: what it
 * answers is for deploy.mjs to provision and to hand to wrangler.
 */
import path from 'node:path'

/** What says nothing that two Workers of one account could not both say. */
const WITHOUT_NAMES = new Set([
  'account_id',
  'assets',
  'build',
  'compatibility_date',
  'compatibility_flags',
  'durable_objects',
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
  // A domain belongs to production; the others are served on workers.dev.
  route: () => undefined,
  routes: () => undefined,
}

/**
 * The configuration of an environment (null: production) from what wrangler.toml says, for a file in any folder: paths are
 * absolute. Throws for a section that might make two environments share something.
 */
export function configOf(base, environment, root) {
  const located = {
    ...base,
    main: path.resolve(root, base.main),
    assets: { ...base.assets, directory: path.resolve(root, base.assets.directory) },
    d1_databases: base.d1_databases.map((d1) => ({ ...d1, migrations_dir: path.resolve(root, d1.migrations_dir) })),
  }
  if (environment === null) return located
  const rename = (name) => `${name}-${environment}`
  return Object.fromEntries(
    Object.entries(located).map(([section, value]) => {
      if (WITHOUT_NAMES.has(section)) return [section, value]
      if (Object.hasOwn(RENAMED, section)) return [section, RENAMED[section](value, rename)]
      throw new Error(
        `wrangler.toml has [${section}], and ${environment} must not share it with production: say in scripts/environment.mjs how it is named there`,
      )
    }),
  )
}

/** What has to be in the account before the Worker can be: Durable Objects, Workflows and cron come with the Worker itself. */
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
    queues: [...new Set(queues)],
    secrets: config.secrets.required,
  }
}

/** The same configuration with the ids the account gave. Gates are made where the D1 primary is, unless wrangler.toml says where. */
export function withIds(config, { databaseIds, namespaceIds, primaryRegion }) {
  return {
    ...config,
    d1_databases: config.d1_databases.map((d1, at) => ({ ...d1, database_id: databaseIds[at] })),
    kv_namespaces: config.kv_namespaces.map((kv, at) => ({ ...kv, id: namespaceIds[at] })),
    vars: { ...config.vars, GATE_LOCATION_HINT: config.vars.GATE_LOCATION_HINT || primaryRegion },
  }
}
