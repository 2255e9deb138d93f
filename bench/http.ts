/**
 * Measures a hot read: `GET /v1/customers/{id}` with key, limit and all headers, against a bare Hono route that returns
 * the same bytes, and against the usual design, all three in one workerd. `npm run bench` runs it.
 */
import { bundle, CLUSTER_ADMIN_KEY, type Cluster, startCluster } from '../test/node/support/cluster.ts'
import { compare, type Load } from './ratio.ts'

const ROUNDS = Number(process.env.ROUNDS ?? 5)
const SECONDS = Number(process.env.SECONDS ?? 4)
const CONNECTIONS = 16
/** High enough that no request is refused: the bench measures the cost of checking a limit. */
const NO_LIMIT = {
  tier: 'custom',
  limits: { requests_per_second: 100_000, burst: 1_000_000, annual_validation_limit: 1e12 },
}

export interface HttpFigures {
  hotOverBare: { ratio: number; ratios: number[] }
  hotOverUsual: { ratio: number; ratios: number[] }
}

export async function measureHttp(): Promise<HttpFigures> {
  const probe = await startCluster({ edges: 1 })
  const { body } = await prepare(probe)
  await probe.dispose()

  const cluster = await startCluster({
    edges: 1,
    others: [
      {
        name: 'bare',
        modules: true,
        script: await bundle('bench/workers/bare.ts'),
        compatibilityDate: '2026-11-01',
        bindings: { BODY: body },
        unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
      },
      {
        name: 'usual',
        modules: true,
        script: await bundle('bench/workers/usual.ts'),
        compatibilityDate: '2026-11-01',
        kvNamespaces: { CACHE: 'usual' },
        durableObjects: { LIMITER: { className: 'Limiter', useSQLite: true } },
        unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
      },
    ],
  })
  try {
    const { id, key, body: hotBody } = await prepare(cluster)
    const kv = (await cluster.miniflare.getKVNamespace('CACHE', 'usual')) as unknown as KvWriter
    await kv.put(`key:${key}`, JSON.stringify({ id: 'tenant', ratePerSecond: 1_000_000, burst: 2_000_000 }))
    await kv.put(`customer:tenant:${id}`, hotBody)

    const load = (origin: URL): Load => ({
      url: new URL(`/v1/customers/${id}`, origin).href,
      headers: { authorization: `Bearer ${key}` },
      connections: CONNECTIONS,
      seconds: SECONDS,
    })
    const hot = load(cluster.edges[0] as URL)
    const bare = load(await cluster.urlOf('bare'))
    const usual = load(await cluster.urlOf('usual'))
    for (const warm of [hot, bare, usual]) await compare(warm, warm, 1)
    return { hotOverBare: await compare(hot, bare, ROUNDS), hotOverUsual: await compare(hot, usual, ROUNDS) }
  } finally {
    await cluster.dispose()
  }
}

/** The methods of a KV namespace that are used here; the types of workerd are not those of Node. */
interface KvWriter {
  put(key: string, value: string): Promise<void>
}

/**
 * Creates a tenant with a limit that is never reached. Returns its key, and the id and the response body of one
 * customer.
 */
async function prepare({ edges }: Cluster): Promise<{ id: string; key: string; body: string }> {
  const origin = edges[0] as URL
  const send = async (path: string, headers: Record<string, string>, body: object) => {
    const answer = await fetch(new URL(path, origin), {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
    if (!answer.ok) throw new Error(`POST ${path} answered ${answer.status} ${await answer.text()}`)
    return (await answer.json()) as Record<string, string>
  }
  const admin = { 'x-api-key': CLUSTER_ADMIN_KEY }
  const tenant = await send('/admin/customers', admin, {
    company_name: 'Bench',
    contact_email: 'b@example.com',
    ...NO_LIMIT,
  })
  const { key = '' } = await send(`/admin/customers/${tenant.customer_id}/keys`, admin, { name: 'bench' })
  const { id = '' } = await send(
    '/v1/customers',
    { authorization: `Bearer ${key}` },
    {
      external_id: 'user_12345',
      name: 'Acme Corporation',
      email: 'billing@acme.com',
      address_line1: '123 Main Street',
      address_city: 'San Francisco',
      address_state: 'CA',
      address_postal_code: '94105',
      address_country: 'US',
      metadata: { plan_tier: 'enterprise', account_manager: 'jane_doe' },
    },
  )
  const answer = await fetch(new URL(`/v1/customers/${id}`, origin), { headers: { authorization: `Bearer ${key}` } })
  return { id, key, body: await answer.text() }
}
