/**
 * Roster with the distances of a deployment: each call to the gate, to D1 and to KV takes the time that it takes from this Worker's
 * region. Everything else is Roster as it is deployed. `npm run bench:distance` runs one such Worker for each region.
 */

import roster, { TenantGate as Gate } from '../../src/index.ts'
import type { Distances, Outage } from '../distance/regions.ts'

export { AdminGuard, Customers, Onboarding } from '../../src/index.ts'

type Place = 'gate' | 'database' | 'kv'

const OUT: Record<Outage, readonly Place[]> = { region: ['gate', 'database', 'kv'], database: ['database'] }
/** A location of Cloudflare keeps what it read from KV, also that there is nothing, for this long. */
const KV_CACHED_MS = 60_000

interface Env extends Cloudflare.Env {
  /** `Distances` as JSON. */
  DISTANCES: string
}

let outage: { places: readonly Place[]; untilMs: number } = { places: [], untilMs: 0 }

/** The gate, at no distance from itself. */
export class TenantGate extends Gate {
  constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
    super(ctx, atDistance(env as Env))
  }
}

export default {
  fetch(request, env, execution) {
    const { pathname, searchParams } = new URL(request.url)
    if (pathname !== '/outage') return roster.fetch(request, atDistance(env), execution)
    const places = OUT[searchParams.get('of') as Outage]
    outage = { places, untilMs: Date.now() + Number(searchParams.get('ms')) }
    return new Response()
  },
  queue: (batch, env) => roster.queue(batch as Parameters<typeof roster.queue>[0], atDistance(env)),
} satisfies ExportedHandler<Env>

/** Roster keeps what it derives from an `env`, so each has one. */
const wrapped = new WeakMap<Env, Cloudflare.Env>()

function atDistance(env: Env): Cloudflare.Env {
  const known = wrapped.get(env)
  if (known) return known
  const distances = JSON.parse(env.DISTANCES) as Distances
  const distant = {
    ...env,
    DB: distantD1(env.DB, distances.database),
    CACHE: distantKv(env.CACHE, distances),
    GATE: distantGates(env.GATE, distances.gate),
  }
  wrapped.set(env, distant)
  return distant
}

/** Makes a call over there and back. During an outage nothing comes back until it ends; then the connection is found broken. */
async function trip<T>(place: Place, roundTripMs: number, call: () => Promise<T>): Promise<T> {
  await leg(place, roundTripMs / 2)
  return await call().finally(() => leg(place, roundTripMs / 2))
}

async function leg(place: Place, ms: number): Promise<void> {
  if (ms > 0) await scheduler.wait(ms)
  const { places, untilMs } = outage
  const leftMs = untilMs - Date.now()
  if (leftMs <= 0 || !places.includes(place)) return
  await scheduler.wait(leftMs)
  throw new Error('Network connection lost.')
}

function distantGates(gates: Cloudflare.Env['GATE'], ms: number): Cloudflare.Env['GATE'] {
  const getByName = (name: string, options?: DurableObjectNamespaceGetDurableObjectOptions) => {
    const stub = gates.getByName(name, options)
    return new Proxy(stub, {
      get: (target, method: string) => (message: unknown) =>
        trip('gate', ms, async () => await (target as unknown as Record<string, Method>)[method]?.(message)),
    })
  }
  return { getByName } as Cloudflare.Env['GATE']
}

type Method = (...args: unknown[]) => Promise<unknown>

function distantKv(kv: KVNamespace, { kvHit, kvMiss }: Distances): KVNamespace {
  const cached = new Map<string, { text: string | null; untilMs: number }>()
  const keep = (key: string, text: string | null) => cached.set(key, { text, untilMs: Date.now() + KV_CACHED_MS })
  const distant = {
    async get(key: string, type?: 'json') {
      const known = cached.get(key)
      if (known && known.untilMs > Date.now()) await scheduler.wait(kvHit)
      else keep(key, await trip('kv', kvMiss, () => kv.get(key)))
      const text = cached.get(key)?.text ?? null
      return type === 'json' && text !== null ? JSON.parse(text) : text
    },
    async put(key: string, text: string, options?: KVNamespacePutOptions) {
      await trip('kv', kvMiss, () => kv.put(key, text, options))
      keep(key, text)
    },
    async delete(key: string) {
      await trip('kv', kvMiss, () => kv.delete(key))
      cached.delete(key)
    },
    list: (options?: KVNamespaceListOptions) => trip('kv', kvMiss, () => kv.list(options)),
  }
  return distant as unknown as KVNamespace
}

/** Every statement goes to the primary: a replica nearby would only make reads faster. */
function distantD1(db: D1Database, ms: number): D1Database {
  const originals = new WeakMap<D1PreparedStatement, D1PreparedStatement>()
  const statement = (original: D1PreparedStatement): D1PreparedStatement => {
    const run = (method: 'first' | 'run' | 'all' | 'raw', args: unknown[]) =>
      trip('database', ms, () => (original[method] as Method).apply(original, args))
    const distant = {
      bind: (...values: unknown[]) => statement(original.bind(...values)),
      first: (...args: unknown[]) => run('first', args),
      run: (...args: unknown[]) => run('run', args),
      all: (...args: unknown[]) => run('all', args),
      raw: (...args: unknown[]) => run('raw', args),
    } as unknown as D1PreparedStatement
    originals.set(distant, original)
    return distant
  }
  const over = (target: D1Database | D1DatabaseSession) => ({
    prepare: (query: string) => statement(target.prepare(query)),
    batch: (statements: D1PreparedStatement[]) =>
      trip('database', ms, () => target.batch(statements.map((each) => originals.get(each) ?? each))),
  })
  const withSession = (start?: D1SessionBookmark | D1SessionConstraint) => {
    const session = db.withSession(start)
    return { ...over(session), getBookmark: () => session.getBookmark() }
  }
  return { ...over(db), withSession } as unknown as D1Database
}
