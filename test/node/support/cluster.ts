/**
 * Starts several Workers, each with its own isolate, that share one gate, D1 and KV, in one workerd: for the protocol this equals
 * a deployment. For tests and benches that run in plain Node.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, type LegacyWorkerOptions, Miniflare } from 'miniflare'
import { bindingOf } from '../../../scripts/environment.mjs'

export const CLUSTER_ADMIN_KEY = 'cluster-admin-key-0123456789abcdef'

/** Owns the Durable Objects; the edges reach them by binding, as isolates elsewhere in the world do. */
const HOME = 'home'

export interface Cluster {
  /** The URL of each isolate. */
  edges: URL[]
  /** The URL of a further Worker by its name. */
  urlOf(worker: string): Promise<URL>
  miniflare: Miniflare
  /** Makes the gate of a tenant and mode lose its memory; its storage stays. */
  evictGate(gateName: string): Promise<void>
  /** Ends all Workers in the middle of their work, and starts them again on the same storage. The URLs of the edges change. */
  restart(): Promise<void>
  dispose(): Promise<void>
}

const bundles = new Map<string, Promise<string>>()

/** Returns a Worker as one file, as `wrangler deploy` would upload it. It is bundled once in a process. */
export function bundle(entry: string): Promise<string> {
  const bundled = bundles.get(entry) ?? bundleNow(entry)
  bundles.set(entry, bundled)
  return bundled
}

async function bundleNow(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    minify: true,
    keepNames: false,
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*'],
  })
  return outputFiles[0]?.text ?? ''
}

/** Starts `edges` isolates and the `others`, with the migrations applied. */
export async function startCluster(options: {
  edges: number
  /** The number of D1 databases, `DB` with them. By default 1. */
  databases?: number
  others?: LegacyWorkerOptions[]
  /** Tail Workers that receive the logs of all Workers of Roster. */
  tails?: string[]
  /** True to print no logs of the Workers. */
  quiet?: boolean
  /** True to let V8's inspector look into all Workers. */
  inspected?: boolean
  /** The main module of all Workers of Roster; by default that of a deployment. */
  entry?: string
  /** Returns further variables of a Worker of Roster, by its name: `home` has the gates, `edge-1` is the first isolate. */
  variables?: (name: string) => Record<string, string>
}): Promise<Cluster> {
  const script = await bundle(options.entry ?? 'src/index.ts')
  const isolateNames = Array.from({ length: options.edges }, (_, at) => `edge-${at + 1}`)
  const bindings = Array.from({ length: options.databases ?? 1 }, (_, number) => bindingOf(number))
  const rosters = [HOME, ...isolateNames].map((name) => ({
    ...worker(name, script, bindings, options.variables?.(name)),
    tails: options.tails ?? [],
  }))
  const workers = [...rosters, ...(options.others ?? [])]
  const miniflareOptions = convertV4MiniflareOptions({
    unsafeInspectDurableObjects: true,
    workers,
    ...(options.quiet && { handleStructuredLogs: () => undefined }),
    ...(options.inspected && { inspectorPort: 0 }),
  })
  const miniflare = new Miniflare(miniflareOptions)
  await miniflare.ready
  for (const binding of bindings) await migrate(miniflare, binding)
  const isolateUrls = () => Promise.all(isolateNames.map((name) => miniflare.unsafeGetDirectURL(name)))
  const edges = await isolateUrls()
  return {
    miniflare,
    edges,
    async restart() {
      await miniflare.setOptions(miniflareOptions)
      edges.splice(0, edges.length, ...(await isolateUrls()))
    },
    urlOf: (name) => miniflare.unsafeGetDirectURL(name),
    evictGate: (name) => miniflare.unsafeEvictDurableObject(HOME, 'TenantGate', { name }),
    dispose: () => miniflare.dispose(),
  }
}

function worker(
  name: string,
  script: string,
  databases: string[],
  variables: Record<string, string> = {},
): LegacyWorkerOptions {
  const scriptName = name === HOME ? {} : { scriptName: HOME }
  return {
    name,
    modules: true,
    script,
    compatibilityDate: '2026-11-01',
    compatibilityFlags: ['global_fetch_strictly_public'],
    d1Databases: Object.fromEntries(databases.map((binding) => [binding, `roster-${binding}`])),
    kvNamespaces: { CACHE: 'cache' },
    r2Buckets: { ARCHIVE: 'archive' },
    analyticsEngineDatasets: { ANALYTICS: { dataset: 'roster_requests' } },
    queueProducers: { OUTBOX: 'roster-outbox' },
    ...(name === HOME && { queueConsumers: { 'roster-outbox': { maxBatchTimeout: 0 } } }),
    workflows: { ONBOARDING: { name: 'roster-onboarding', className: 'Onboarding', ...scriptName } },
    durableObjects: {
      GATE: { className: 'TenantGate', useSQLite: true, ...scriptName },
      ADMIN_GUARD: { className: 'AdminGuard', useSQLite: true, ...scriptName },
    },
    bindings: {
      ADMIN_KEYS: CLUSTER_ADMIN_KEY,
      SIGNING_SECRETS: 'cluster-signing-secret-0123456789abcdef',
      ALLOW_LOCAL_WEBHOOKS: 'true',
      DEPLOYED: 'false',
      ...variables,
    },
    unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
  }
}

async function migrate(miniflare: Miniflare, binding: string): Promise<void> {
  const db = await miniflare.getD1Database(binding, HOME)
  for (const file of readdirSync('migrations')
    .filter((name) => name.endsWith('.sql'))
    .sort()) {
    const statements = readFileSync(`migrations/${file}`, 'utf8').split('--> statement-breakpoint')
    await db.batch(statements.map((statement) => db.prepare(statement)))
  }
}
