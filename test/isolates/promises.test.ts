/**
 * The three promises, seen from outside: three isolates of their own under load, one gate, one D1, one KV, in workerd.
 * The model tests know every interleaving; these know that the real parts behave as the model takes them to.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { bearer, Client, pause, worstExcess } from './client.ts'

let cluster: Cluster
let client: Client

beforeAll(async () => {
  cluster = await startCluster({ edges: 3 })
  client = new Client(cluster)
}, 60_000)

afterAll(() => cluster.dispose())

const gateOf = (tenantId: string) => `${tenantId}:live`

describe('C1: limits are exact over all isolates', () => {
  it.each([
    { tier: 'starter', rate: 10, burst: 20, offeredPerEdge: 20 },
    { tier: 'growth', rate: 50, burst: 100, offeredPerEdge: 60 },
  ])('$tier admits at most burst + rate × T, and not much less', async ({ tier, rate, burst, offeredPerEdge }) => {
    const tenant = await client.newTenant({ tier })
    const id = await client.newCustomer(tenant, 'c1')
    const load = client.load(tenant, id, offeredPerEdge)
    await pause(5_000)
    const answered = await load.stop()
    expect(worstExcess(answered, rate, burst)).toBeLessThanOrEqual(0)
    const admitted = answered.filter(({ status }) => status === 200).length
    expect(admitted).toBeGreaterThan(0.8 * (burst + rate * 5))
    expect(answered.filter(({ status }) => status !== 200 && status !== 429)).toEqual([])
  })

  it('also when the gate loses its memory in the middle', async () => {
    const tenant = await client.newTenant({ tier: 'growth' })
    const id = await client.newCustomer(tenant, 'c1-evicted')
    const load = client.load(tenant, id, 60)
    for (let eviction = 0; eviction < 3; eviction++) {
      await pause(1_200)
      await cluster.evictGate(gateOf(tenant.tenantId))
    }
    await pause(1_200)
    expect(worstExcess(await load.stop(), 50, 100)).toBeLessThanOrEqual(0)
  })
})

describe('C2: what was answered is in force everywhere', () => {
  it.each([
    { change: 'a suspension', refused: 403 },
    { change: 'a revoked key', refused: 401 },
  ])('after $change nothing is admitted at any isolate', async ({ change, refused }) => {
    const tenant = await client.newTenant({ tier: 'scale' })
    const id = await client.newCustomer(tenant, 'c2')
    const load = client.load(tenant, id, 40)
    await pause(1_000)
    const path = `/${tenant.tenantId}`
    const { status } =
      refused === 403
        ? await client.admin('PUT', path, { status: 'suspended' })
        : await client.admin('DELETE', `${path}/keys/${tenant.keyId}`)
    const inForceAtMs = performance.now()
    expect(status, change).toBeLessThan(300)
    await pause(1_500)
    const answered = await load.stop()
    const before = answered.filter(({ answeredAtMs }) => answeredAtMs < inForceAtMs)
    const after = answered.filter(({ sentAtMs }) => sentAtMs > inForceAtMs)
    expect(before.filter(({ status }) => status === 200).length).toBeGreaterThan(100)
    expect(after.length).toBeGreaterThan(100)
    expect(after.filter((answer) => answer.status !== refused)).toEqual([])
  })

  it('after a change of tier the next answer of every isolate shows the new policy', async () => {
    const tenant = await client.newTenant({ tier: 'scale' })
    const id = await client.newCustomer(tenant, 'c2-tier')
    const load = client.load(tenant, id, 20)
    await pause(500)
    for (const [tier, policy] of [
      ['growth', '"growth";q=100;w=2'],
      ['enterprise', '"enterprise";q=2000;w=2'],
    ]) {
      await client.admin('PUT', `/${tenant.tenantId}`, { tier })
      const answers = await Promise.all([0, 1, 2].map((edge) => client.read(edge, tenant, id)))
      expect(answers.map(({ headers }) => headers.get('ratelimit-policy'))).toEqual([policy, policy, policy])
    }
    await load.stop()
  })

  it('a tenant without traffic does not make its operator wait', async () => {
    const tenant = await client.newTenant({ tier: 'scale' })
    await pause(1_200)
    const sentAtMs = performance.now()
    await client.admin('PUT', `/${tenant.tenantId}`, { tier: 'growth' })
    expect(performance.now() - sentAtMs).toBeLessThan(250)
  })
})

describe('C3: reads are fresh', () => {
  it('a write that prefers strong consistency is shown by every isolate when it is answered, without its token', async () => {
    const tenant = await client.newTenant({ tier: 'enterprise' })
    const id = await client.newCustomer(tenant, 'c3-strong')
    const load = client.load(tenant, id, 50)
    for (let write = 1; write <= 3; write++) {
      await pause(300)
      const headers = { ...bearer(tenant.key), prefer: 'consistency=strong' }
      await client.send(write % 3, 'PUT', `/v1/customers/${id}`, headers, { name: String(write) })
      const seen = await Promise.all([0, 1, 2].map((edge) => client.read(edge, tenant, id)))
      expect(seen.map(({ body }) => body.name)).toEqual([write, write, write].map(String))
    }
    await load.stop()
  })

  it('with the token of a write every isolate shows it at once, without it after a second, evictions or not', async () => {
    const tenant = await client.newTenant({ tier: 'enterprise' })
    const id = await client.newCustomer(tenant, 'c3')
    const load = client.load(tenant, id, 50)
    const late: Promise<void>[] = []
    for (let write = 1; write <= 12; write++) {
      const { headers, body } = await client.rename(write % 3, tenant, id, String(write))
      expect(body.name).toBe(String(write))
      const token = headers.get('consistency-token') ?? ''
      for (const edge of [0, 1, 2]) {
        const { body: seen } = await client.read(edge, tenant, id, token)
        expect(Number(seen.name), `edge ${edge} with the token`).toBeGreaterThanOrEqual(write)
      }
      late.push(
        pause(1_000).then(async () => {
          const seen = await Promise.all([0, 1, 2].map((edge) => client.read(edge, tenant, id)))
          for (const { body: customer } of seen) expect(Number(customer.name)).toBeGreaterThanOrEqual(write)
        }),
      )
      // Rejections are looked at when all have come.
      for (const check of late) check.catch(() => undefined)
      if (write % 4 === 0) await cluster.evictGate(gateOf(tenant.tenantId))
      await pause(150)
    }
    await Promise.all(late)
    const answered = await load.stop()
    expect(answered.filter(({ status }) => status !== 200)).toEqual([])
  })
})
