/**
 * A tenant is moved to another database while it is read and written at every isolate: nobody is refused, no write is lost, and the
 * three promises hold.
 */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { Client, pause, worstExcess } from './client.ts'

let cluster: Cluster
let client: Client

beforeAll(async () => {
  cluster = await startCluster({ edges: 3, databases: 3 })
  client = new Client(cluster)
})

afterAll(() => cluster.dispose())

/** Follows the move of a tenant until its status is one of these. Returns it. */
async function followMove(tenantId: string, ends: string[]): Promise<string> {
  for (;;) {
    const { body } = await client.admin('GET', `/${tenantId}/move`)
    if (ends.includes(body.status)) return body.status
    await pause(30)
  }
}

it.each([
  ['', false],
  [', though its gate loses its memory', true],
])(
  'moves a tenant under load, with no request refused, no write lost and no promise broken%s',
  async (_, isEvicted) => {
    const tenant = await client.newTenant({ tier: 'scale' })
    const { tenantId } = tenant
    const id = await client.newCustomer(tenant, 'moved')
    const from = (await client.admin('GET', `/${tenantId}`)).body.database
    const to = (from + 1) % 3
    const load = client.load(tenant, id, 20)
    const created: string[] = []
    const late: Promise<void>[] = []
    let isOver = false
    let write = 0
    const writing = (async () => {
      while (!isOver) {
        created.push(await client.newCustomer(tenant, `new_${++write}`))
        const renamed = await client.rename(write % 3, tenant, id, String(write))
        expect(renamed.status).toBe(200)
        await client.expectSeen(tenant, id, renamed, write, late)
      }
    })()
    writing.catch(() => undefined)
    await pause(300)
    expect((await client.admin('POST', `/${tenantId}/move`, { database: to })).status).toBe(202)
    if (isEvicted) {
      await followMove(tenantId, ['frozen', 'flipped', 'cleaning'])
      await cluster.evictGate(`${tenantId}:live`)
    }
    expect(await followMove(tenantId, ['cleaning', 'aborted'])).toBe('cleaning')
    const writes = write
    while (write < writes + 5) await pause(10)
    isOver = true
    await writing
    await Promise.all(late)
    const answered = await load.stop()
    expect(answered.filter(({ status }) => status !== 200 && status !== 429)).toEqual([])
    expect(worstExcess(answered, 200, 400)).toBeLessThanOrEqual(0)
    expect((await client.admin('GET', `/${tenantId}`)).body.database).toBe(to)
    for (const one of created) expect((await client.read(1, tenant, one)).status).toBe(200)
  },
)

it('stays where it was when the move is taken back', async () => {
  const tenant = await client.newTenant({ tier: 'scale' })
  const { tenantId } = tenant
  const id = await client.newCustomer(tenant, 'stays')
  const from = (await client.admin('GET', `/${tenantId}`)).body.database
  await client.admin('POST', `/${tenantId}/move`, { database: (from + 1) % 3 })
  const { status } = await client.admin('DELETE', `/${tenantId}/move`)
  const end = await followMove(tenantId, ['cleaning', 'aborted'])
  // A move of so little may be over before it can be taken back.
  expect([status, end]).toEqual(end === 'aborted' ? [202, 'aborted'] : [409, 'cleaning'])
  expect((await client.rename(1, tenant, id, 'New')).status).toBe(200)
  expect((await client.read(2, tenant, id)).status).toBe(200)
  expect((await client.admin('GET', `/${tenantId}`)).body.database).toBe(end === 'aborted' ? from : (from + 1) % 3)
})
