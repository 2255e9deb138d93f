/** Tests that isolates which had the old customer in memory read an imported change. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { bearer, Client, pause } from './client.ts'

let cluster: Cluster
let client: Client

beforeAll(async () => {
  cluster = await startCluster({ edges: 2 })
  client = new Client(cluster)
})

afterAll(() => cluster.dispose())

async function importNames(key: string, names: Record<string, string>): Promise<string> {
  const lines = Object.entries(names).map(([externalId, name]) => JSON.stringify({ external_id: externalId, name }))
  const headers = { ...bearer(key), 'content-type': 'application/x-ndjson' }
  const url = new URL('/v1/customers/import', cluster.edges[0])
  const answer = await fetch(url, { method: 'POST', headers, body: lines.join('\n') })
  const results = (await answer.text()).trimEnd().split('\n')
  return JSON.parse(results.at(-1) ?? '').consistency_token
}

it('reads an imported change at once with the token of its chunk, and without it a second later, in every isolate', async () => {
  const tenant = await client.newTenant({ tier: 'enterprise' })
  const ids = await Promise.all(['a', 'b'].map((externalId) => client.newCustomer(tenant, externalId)))
  const [a = '', b = ''] = ids
  await pause(1_100)
  for (let round = 0; round < 3; round++) for (const id of ids) await client.read(1, tenant, id)
  const token = await importNames(tenant.key, { a: 'New A', b: 'New B' })
  expect((await client.read(1, tenant, a, token)).body.name).toBe('New A')
  await pause(1_100)
  expect((await client.read(1, tenant, b)).body.name).toBe('New B')
})
