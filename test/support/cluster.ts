/**
 * Several Workers of their own, each with its own isolate, that share one gate, D1 and KV, in one workerd: what a
 * deployment is to the protocol. For tests and benches that run in plain Node.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, type LegacyWorkerOptions, Miniflare } from 'miniflare'

export const CLUSTER_ADMIN_KEY = 'cluster-admin-key-0123456789abcdef'

/** Owns the Durable Objects; the edges reach them by binding, as isolates elsewhere in the world do. */
const HOME = 'home'

export interface Cluster {
  /** Where each isolate listens. */
  edges: URL[]
  /** The URL of a further Worker by its name. */
  urlOf(worker: string): Promise<URL>
  miniflare: Miniflare
  /** The gate of a tenant and mode loses its memory; its storage stays. */
  evictGate(gateName: string): Promise<void>
  /** Ends all of it in the middle of whatever it does, and starts it again on the same storage. The edges listen elsewhere. */
  restart(): Promise<void>
  dispose(): Promise<void>
}

/** One file, as `wrangler deploy` would upload it. */
export async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    minify: true,
    keepNames: true,
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*'],
  })
  return outputFiles[0]?.text ?? ''
}

/** Starts `edges` isolates and whatever `others` are given, with the migrations applied. */
export async function startCluster(options: { edges: number; others?: LegacyWorkerOptions[] }): Promise<Cluster> {
  const script = await bundle('src/index.ts')
  const edgeNames = Array.from({ length: options.edges }, (_, at) => `edge-${at + 1}`)
  const workers = [worker(HOME, script), ...edgeNames.map((name) => worker(name, script)), ...(options.others ?? [])]
  const miniflareOptions = convertV4MiniflareOptions({ workers })
  const miniflare = new Miniflare(miniflareOptions)
  await miniflare.ready
  await migrate(miniflare)
  const edgeUrls = () => Promise.all(edgeNames.map((name) => miniflare.unsafeGetDirectURL(name)))
  const edges = await edgeUrls()
  return {
    miniflare,
    edges,
    async restart() {
      await miniflare.setOptions(miniflareOptions)
      edges.splice(0, edges.length, ...(await edgeUrls()))
    },
    urlOf: (name) => miniflare.unsafeGetDirectURL(name),
    evictGate: (name) => miniflare.unsafeEvictDurableObject(HOME, 'TenantGate', { name }),
    dispose: () => miniflare.dispose(),
  }
}

function worker(name: string, script: string): LegacyWorkerOptions {
  const scriptName = name === HOME ? {} : { scriptName: HOME }
  return {
    name,
    modules: true,
    script,
    compatibilityDate: '2026-11-01',
    compatibilityFlags: ['global_fetch_strictly_public'],
    d1Databases: { DB: 'roster' },
    kvNamespaces: { CACHE: 'cache' },
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
    },
    unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
  }
}

async function migrate(miniflare: Miniflare): Promise<void> {
  const db = await miniflare.getD1Database('DB', HOME)
  for (const file of readdirSync('migrations')
    .filter((name) => name.endsWith('.sql'))
    .sort()) {
    const statements = readFileSync(`migrations/${file}`, 'utf8').split('--> statement-breakpoint')
    await db.batch(statements.map((statement) => db.prepare(statement)))
  }
}
