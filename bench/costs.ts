/**
 * Measures what each kind of request costs, as CPU time of the server: reads of one customer from memory, by both ids, a
 * 304 and a 429, and what a cold read, a list and a change cost beyond the floor, a Worker that makes the same calls and
 * nothing else (workers/floor.ts). Run it by itself with `node bench/costs.ts`. Needs Linux.
 */
import { Client, type Tenant } from '../test/node/isolates/client.ts'
import { bundle, type Cluster, startCluster } from '../test/node/support/cluster.ts'
import { keepInMemory } from '../test/node/support/memory.ts'
import { answered, type Load, median } from './ratio.ts'
import { serverCpuMs } from './server-cpu.ts'

const ROUNDS = Number(process.env.ROUNDS ?? 9)
const SECONDS = Number(process.env.SECONDS ?? 1)
/** Enough that no cold read meets a customer that was read before. */
const CUSTOMERS = 20_000
const FEW = 1_000
const JSON_TYPE = { 'content-type': 'application/json' }

/** Requests a second, and CPU time of each request in microseconds. */
export interface Cost {
  perSecond: number
  us: number
}

/** By load, the cost in each round. */
export type Costs = Record<string, Cost[]>

/**
 * Returns the median of what `compare` makes of both loads in each round. The machine may be faster or slower for a minute, which
 * is the same for both loads of a round, and not for the medians of each.
 */
export function medianOfRounds(costs: Costs, a: string, b: string, compare: (a: Cost, b: Cost) => number): number {
  const [ofA, ofB] = [roundsOf(costs, a), roundsOf(costs, b)]
  return median(ofA.map((cost, round) => compare(cost, ofB[round] as Cost)))
}

export function medianOf(costs: Costs, load: string, what: keyof Cost): number {
  return median(roundsOf(costs, load).map((cost) => cost[what]))
}

function roundsOf(costs: Costs, load: string): Cost[] {
  const rounds = costs[load]
  if (!rounds) throw new Error(`no load is called ${load}`)
  return rounds
}

export async function measureCosts(wanted: readonly string[] = []): Promise<Costs> {
  keepInMemory()
  const cluster = await startCluster({
    edges: 1,
    quiet: true,
    others: [await bare(), await floor(), await floorHome()],
  })
  try {
    const loads = await loadsOf(cluster)
    const names = Object.keys(loads).filter((name) => wanted.length === 0 || wanted.includes(name))
    const rounds: Costs = Object.fromEntries(names.map((name) => [name, []]))
    // The first round warms up. Each begins with another load: the one that comes after many changes is slower.
    for (let round = 0; round <= ROUNDS; round++) {
      const first = round % names.length
      for (const name of [...names.slice(first), ...names.slice(0, first)]) {
        const measured = await measure((loads[name] as () => Load)())
        if (round > 0) rounds[name]?.push(measured)
      }
    }
    return rounds
  } finally {
    await cluster.dispose()
  }
}

async function measure(load: Load): Promise<Cost> {
  const beforeMs = serverCpuMs()
  const { requestsPerSecond, count } = await answered(load)
  return { perSecond: requestsPerSecond, us: ((serverCpuMs() - beforeMs) * 1_000) / count }
}

const worker = { modules: true, compatibilityDate: '2026-11-01', unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }] }

async function bare() {
  return { ...worker, name: 'bare', script: await bundle('bench/workers/bare.ts'), bindings: { BODY: body(0) } }
}

async function floor() {
  return {
    ...(await floorHome()),
    name: 'floor',
    durableObjects: { HOME: { className: 'FloorGate', scriptName: 'floor-home' } },
  }
}

async function floorHome() {
  return {
    ...worker,
    name: 'floor-home',
    script: await bundle('bench/workers/floor.ts'),
    d1Databases: { DB: 'roster-DB' },
    kvNamespaces: { CACHE: 'cache' },
    r2Buckets: { ARCHIVE: 'archive' },
    durableObjects: { HOME: { className: 'FloorGate', useSQLite: true } },
  }
}

function body(at: number): string {
  return JSON.stringify({ id: idOf(at), external_id: `user_${at}`, ...FIELDS })
}

const FIELDS = {
  name: 'Acme Corporation',
  email: 'billing@acme.com',
  address_line1: '123 Main Street',
  address_city: 'San Francisco',
  address_state: 'CA',
  address_postal_code: '94105',
  address_country: 'US',
  metadata: { plan_tier: 'enterprise', account_manager: 'jane_doe' },
}

function idOf(at: number): string {
  return `cust_01KB${String(at).padStart(22, '0')}`
}

async function loadsOf(cluster: Cluster): Promise<Record<string, () => Load>> {
  const client = new Client(cluster)
  const tenant = await tenantWith(client, 100_000)
  const refused = await tenantWith(client, 1)
  // The floor writes rows without Roster's gates, so it has a tenant of its own.
  const floorTenant = await tenantWith(client, 100_000)
  for (const { tenantId } of [tenant, floorTenant]) await fill(cluster, tenantId)
  const [roster, bareUrl] = [cluster.edges[0] as URL, await cluster.urlOf('bare')]
  const floorUrl = new URL(`/${floorTenant.tenantId}/`, await cluster.urlOf('floor'))
  const headers = { authorization: `Bearer ${tenant.key}` }
  const get = (origin: URL, path: string, more: Partial<Load> = {}): Load => {
    return { url: new URL(`.${path}`, origin).href, headers, connections: 32, seconds: SECONDS, ...more }
  }
  let used = FEW
  const cold = (origin: URL) => () => {
    const ids = Array.from({ length: (CUSTOMERS - FEW) / (2 * ROUNDS + 2) }, () => idOf(used++))
    return get(origin, '/', {
      requests: ids.map((id) => ({ method: 'GET', path: `${origin.pathname}v1/customers/${id}`, headers })),
    })
  }
  let version = 0
  const put = (origin: URL, id: string) => {
    const request = {
      method: 'PUT',
      path: `${origin.pathname}v1/customers/${id}`,
      headers: { ...headers, ...JSON_TYPE },
    }
    return { ...request, body: JSON.stringify({ name: `Acme ${version++}` }) }
  }
  const puts = (origin: URL, connections: number) => () => {
    const requests = Array.from({ length: 2_000 }, (_, at) => put(origin, idOf(at % connections)))
    // One writer is answered some 300 times a second: too few for V8 to have compiled what they run.
    return get(origin, '/', { connections, requests, seconds: 3 * SECONDS })
  }
  for (let at = 0; at < FEW; at++) await client.read(0, tenant, idOf(at))
  const few = Array.from({ length: FEW }, (_, at) => ({ method: 'GET', path: `/v1/customers/${idOf(at)}`, headers }))
  const mixed = few.map((read, at) => (at % 20 === 0 ? put(roster, idOf((at * 7) % FEW)) : read))
  const hot = `/v1/customers/${idOf(0)}`
  return {
    hot: () => get(roster, hot),
    bare: () => get(bareUrl, hot),
    'bare with headers': () => get(bareUrl, `/headers/${idOf(0)}`),
    'hot by external id': () => get(roster, '/v1/customers/external/user_0'),
    'not modified': () => get(roster, hot, { headers: { ...headers, 'if-none-match': '*' }, expected: 304 }),
    refused: () => get(roster, hot, { headers: { authorization: `Bearer ${refused.key}` }, expected: 429 }),
    'one of 1,000': () => get(roster, '/', { requests: few }),
    cold: cold(roster),
    'cold, floor': cold(floorUrl),
    list: () => get(roster, '/v1/customers?limit=50'),
    'list, floor': () => get(floorUrl, '/v1/customers'),
    'one writer': puts(roster, 1),
    'one writer, floor': puts(floorUrl, 1),
    '32 writers': puts(roster, 32),
    '32 writers, floor': puts(floorUrl, 32),
    '95 % reads, 5 % changes of 1,000': () => get(roster, '/', { requests: mixed }),
  }
}

/** Creates a tenant with this rate, which has used up its burst if the rate is low. */
async function tenantWith(client: Client, ratePerSecond: number): Promise<Tenant> {
  const tenant = await client.newTenant({
    tier: 'custom',
    limits: {
      requests_per_second: ratePerSecond,
      burst: 10 * ratePerSecond,
      annual_validation_limit: 1e12,
      storage_bytes: 1e10,
    },
  })
  if (ratePerSecond < 10) for (let read = 0; read < 20; read++) await client.read(0, tenant, idOf(0))
  return tenant
}

/** Puts the customers into D1 as creations would, which would take longer one by one. */
async function fill(cluster: Cluster, tenantId: string): Promise<void> {
  const db = await cluster.miniflare.getD1Database('DB', 'home')
  for (let from = 0; from < CUSTOMERS; from += 500) {
    const rows = Array.from({ length: 500 }, (_, at) => ({ id: idOf(from + at), externalId: `user_${from + at}` }))
    await db
      .prepare(
        `INSERT INTO customers (tenant_id, mode, id, external_id, name, email, address_line1, address_city, address_state,
           address_postal_code, address_country, timezone, metadata, integrations, profile, status, version, created_at,
           updated_at, created_by, updated_by, change_id)
         SELECT ?1, 'live', value ->> 'id', value ->> 'externalId', ?3 ->> 'name', ?3 ->> 'email', ?3 ->> 'address_line1',
           ?3 ->> 'address_city', ?3 ->> 'address_state', ?3 ->> 'address_postal_code', ?3 ->> 'address_country', 'UTC',
           ?3 ->> 'metadata', '[]', '{}', 'published', 1, 1767225600000, 1767225600000, 'bench', 'bench',
           'evt_' || substr(value ->> 'id', 6)
         FROM json_each(?2)`,
      )
      .bind(tenantId, JSON.stringify(rows), JSON.stringify(FIELDS))
      .run()
  }
}

if (import.meta.main) {
  const costs = await measureCosts(process.argv.slice(2))
  const toHot = (load: string) =>
    costs.hot ? { 'CPU ÷ hot': medianOfRounds(costs, load, 'hot', (a, b) => a.us / b.us).toFixed(2) } : {}
  const rows = Object.keys(costs).map((load) => {
    return [load, { 'a second': medianOf(costs, load, 'perSecond'), µs: medianOf(costs, load, 'us'), ...toHot(load) }]
  })
  console.table(Object.fromEntries(rows))
}
