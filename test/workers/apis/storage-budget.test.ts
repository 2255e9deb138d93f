/** A tenant may store so many bytes in a mode: at the limit changes are 507 at every API, and only archiving and erasing go on. */
import { describe, expect, it } from 'vitest'
import { importLines } from '../import/support.ts'
import { countedD1 } from '../support/d1-calls.ts'
import { admin, call, newCustomer, newTenantOfBothModes } from '../support/roster.ts'
import { accountOf, apis } from './drivers.ts'

const CUSTOM = { requests_per_second: 200, burst: 400, annual_commitment: 0, annual_validation_limit: 1_000_000 }

/** Returns a tenant that may store no further byte in live mode, with a customer. */
async function fullTenant() {
  const tenant = await newTenantOfBothModes({ tier: 'custom', limits: CUSTOM })
  const { id } = await newCustomer(tenant.live.key, { external_id: 'first' })
  const { live } = await usageOf(tenant.tenantId)
  const limit = (storageBytes: number) =>
    admin('PUT', `/${tenant.tenantId}`, { limits: { storage_bytes: storageBytes } })
  await limit(live.stored_bytes)
  return { ...tenant, id, limit, usedBytes: live.stored_bytes as number }
}

async function usageOf(tenantId: string) {
  return (await admin('GET', `/${tenantId}/usage`)).body
}

describe('a tenant whose storage is used up', () => {
  it.each(apis)(
    'changes and creates nothing through $name, but archives, and everything again with more',
    async (api) => {
      const { tenantId, id, limit, usedBytes } = await fullTenant()
      const account = await accountOf(tenantId, 'live')
      for (const refused of [
        await api.create(account, { externalId: 'second' }),
        await api.update(account, id, { email: 'a@example.com' }),
      ]) {
        expect(refused).toMatchObject({ ok: false, reason: 'insufficient_storage' })
        expect(JSON.stringify(refused)).toMatch(/storage of this account.*erase customers/)
      }
      expect((await usageOf(tenantId)).live).toMatchObject({ stored_bytes: usedBytes, storage_bytes: usedBytes })
      await limit(usedBytes + 5_000)
      expect(await api.update(account, id, { email: 'a@example.com' })).toMatchObject({ ok: true, version: 2 })
      await limit(usedBytes)
      expect(await api.archive(account, id)).toMatchObject({ ok: true })
    },
  )

  it('imports nothing: 507 in place of a result, and no line is tried by itself', async () => {
    const { tenantId, live, usedBytes } = await fullTenant()
    const lines = Array.from({ length: 200 }, (_, at) => ({ external_id: `c_${at}` }))
    const d1 = countedD1()
    for (const dryRun of [true, false]) {
      d1.take()
      const { status, results } = await importLines(live.key, lines, { dryRun })
      expect([status, results.filter(({ result }) => result === 'created')]).toEqual([200, []])
      expect(JSON.stringify(results)).toMatch(/storage of this account/)
      expect(d1.take().statements).toBeLessThanOrEqual(10)
    }
    d1.restore()
    expect((await usageOf(tenantId)).live.stored_bytes).toBe(usedBytes)
  })

  it('erases customers, which makes room, and changes test mode, which has a limit of its own', async () => {
    const { tenantId, live, test, id, limit } = await fullTenant()
    const { key } = live
    await limit(100_000)
    const metadata = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`k${at}`, 'x'.repeat(500)]))
    await call('PUT', `/v1/customers/${id}`, { key, body: { metadata } })
    const before = (await usageOf(tenantId)).live.stored_bytes
    await limit(before)
    expect((await call('POST', '/v1/customers', { key, body: { external_id: 'b' } })).status).toBe(507)
    expect((await call('POST', `/v1/customers/${id}/erase`, { key })).status).toBe(200)
    const usage = await usageOf(tenantId)
    expect(usage.live.stored_bytes).toBeLessThan(before - 15_000)
    expect((await call('POST', '/v1/customers', { key, body: { external_id: 'b' } })).status).toBe(201)
    await newCustomer(test.key)
    expect(usage.test).toMatchObject({ stored_bytes: 0, storage_bytes: 50_000_000 })
    expect((await usageOf(tenantId)).test.stored_bytes).toBeGreaterThan(0)
  })

  it('is refused for the same request with the same key only as long as it has no room', async () => {
    const { live, limit } = await fullTenant()
    const create = () =>
      call('POST', '/v1/customers', { key: live.key, body: { external_id: 'k' }, headers: { 'idempotency-key': 'k' } })
    const { status, body } = await create()
    expect([status, body.code, body.details.reason]).toEqual([507, 'insufficient_storage', 'storage_used_up'])
    await limit(100_000)
    expect((await create()).status).toBe(201)
  })
})
