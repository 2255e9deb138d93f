/** An isolate fills KV with few values, because a put costs as much as ten reads, and its memory with all that it can. */
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { customersInMemory } from '../../../src/gate/isolate/memory.ts'
import { call, newCustomer, newTenant } from '../support/roster.ts'

const READS = 40

const sourceOf = async (key: string, path: string) => (await call('GET', path, { key })).headers.get('cache-status')

/** Returns the number of values that KV has of the tenant: customers, and their external ids. */
async function inKv(tenantId: string): Promise<[customers: number, externalIds: number]> {
  const listed = await Promise.all(['c', 'x'].map((kind) => env.CACHE.list({ prefix: `${kind}:${tenantId}:` })))
  const [customers = 0, externalIds = 0] = listed.map(({ keys }) => keys.length)
  return [customers, externalIds]
}

it('puts nothing into KV for customers that are read once, and each once that is read again', async () => {
  const { live, tenantId } = await newTenant({ tier: 'enterprise' })
  const customers = []
  for (let at = 0; at < READS; at++) customers.push(await newCustomer(live.key, { external_id: `user_${at}` }))
  customersInMemory.clear()
  for (const { id } of customers) expect(await sourceOf(live.key, `/v1/customers/${id}`)).toBe('roster; fwd=miss')
  expect(await inKv(tenantId)).toEqual([0, 0])
  const again = customers.slice(0, 3)
  for (const { id } of [...again, ...again]) {
    expect(await sourceOf(live.key, `/v1/customers/${id}`)).toBe('roster; hit; detail=memory')
  }
  await expect.poll(() => inKv(tenantId)).toEqual([3, 0])
  for (const time of [1, 2]) {
    expect(await sourceOf(live.key, '/v1/customers/external/user_9'), String(time)).toBe('roster; hit; detail=memory')
  }
  await expect.poll(() => inKv(tenantId)).toEqual([4, 1])
  // A machine that is busy for a moment may make KV so slow that D1 answers first.
  const fromKv = async () => {
    customersInMemory.clear()
    return sourceOf(live.key, `/v1/customers/${again[0]?.id}`)
  }
  await expect.poll(fromKv).toBe('roster; hit; detail=kv')
})

it('answers from memory in the isolate that has made the change', async () => {
  const { live } = await newTenant()
  const { id } = await newCustomer(live.key, { external_id: 'user_1' })
  for (const path of [`/v1/customers/${id}`, '/v1/customers/external/user_1']) {
    expect(await sourceOf(live.key, path)).toBe('roster; hit; detail=memory')
  }
  const written = await call('PUT', `/v1/customers/${id}`, { key: live.key, body: { name: 'Ada' } })
  const read = await call('GET', `/v1/customers/${id}`, { key: live.key })
  expect(read.headers.get('cache-status')).toBe('roster; hit; detail=memory')
  expect([read.body, read.headers.get('etag')]).toEqual([written.body, written.headers.get('etag')])
  await call('DELETE', `/v1/customers/${id}`, { key: live.key })
  const archived = await call('GET', `/v1/customers/${id}`, { key: live.key })
  expect(archived.body).toMatchObject({ status: 'archived', name: 'Ada' })
  expect((await call('GET', '/v1/customers/external/user_1', { key: live.key })).status).toBe(404)
})
