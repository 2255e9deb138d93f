import { createScheduledController } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { encodeTime } from 'ulid'
import { describe, expect, it, vi } from 'vitest'
import worker from '../../../src/index.ts'
import { sweepOldRecords } from '../../../src/storage/events/retention.ts'
import { admin, call, newCustomer, newTenant, newTenantOfBothModes, type TestTenant } from '../support/roster.ts'
import { metered, spent } from './support.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** A full hour, because the sweep runs its work then. */
const NOW_MS = Math.ceil(Date.now() / HOUR_MS) * HOUR_MS

/** Makes the events of a customer older by so much. */
async function age(tenant: TestTenant, customerId: string, byMs: number): Promise<void> {
  const time = encodeTime(NOW_MS - byMs, 10)
  await env.DB.prepare(
    `UPDATE events SET id = 'evt_' || ?3 || substr(id, 15) WHERE tenant_id = ?1 AND customer_id = ?2`,
  )
    .bind(tenant.tenantId, customerId, time)
    .run()
}

async function typesOf(tenant: TestTenant, customerId: string): Promise<string[]> {
  const { results } = await env.DB.prepare('SELECT type FROM events WHERE tenant_id = ?1 AND customer_id = ?2')
    .bind(tenant.tenantId, customerId)
    .all<{ type: string }>()
  return results.map(({ type }) => type)
}

describe('the sweep of old records', () => {
  it('deletes events after 90 days, not a millisecond sooner, of every tenant and mode', async () => {
    const tenants = await Promise.all([newTenantOfBothModes(), newTenantOfBothModes()])
    for (const tenant of tenants) {
      for (const { key } of [tenant.live, tenant.test]) {
        const [old, young] = await Promise.all([newCustomer(key), newCustomer(key)])
        await age(tenant, old.id, 90 * DAY_MS + 1)
        await age(tenant, young.id, 90 * DAY_MS)
        await sweepOldRecords(env.DB, NOW_MS)
        expect(await typesOf(tenant, old.id)).toEqual([])
        expect(await typesOf(tenant, young.id)).toEqual(['customer.created'])
        expect((await call('GET', `/v1/customers/${old.id}`, { key })).status).toBe(200)
      }
    }
  })

  it('works once an hour', async () => {
    const tenant = await newTenant()
    const { id } = await newCustomer(tenant.live.key)
    await age(tenant, id, 100 * DAY_MS)
    await sweepOldRecords(env.DB, NOW_MS + 120_000)
    expect(await typesOf(tenant, id)).toHaveLength(1)
    await sweepOldRecords(env.DB, NOW_MS + 119_999)
    expect(await typesOf(tenant, id)).toHaveLength(0)
  })

  it('goes through some tenants in each run, goes on where it stopped, and costs rows by tenant once an hour', async () => {
    const tenants = 700
    await env.DB.prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
       INSERT INTO tenants (id, company_name, contact_email, tier, status, requests_per_second, burst, annual_commitment,
         annual_validation_limit, storage_bytes, metadata, created_at, updated_at, version, policy_version, policy_applied_version)
       SELECT printf('00000000-0000-7000-8000-%012x', i), 'Idle', 'a@b.example', 'starter', 'active', 10, 20, 0, 1, 1, '{}', 0, 0, 1, 1, 1
       FROM n`,
    )
      .bind(tenants)
      .run()
    const last = await newTenant()
    const { id } = await newCustomer(last.live.key)
    await age(last, id, 100 * DAY_MS)
    const runs: number[] = []
    for (let minute = 0; minute < 60; minute++) {
      const { d1, costs } = metered(env.DB)
      await sweepOldRecords(d1, NOW_MS + minute * 60_000)
      runs.push(spent(costs).rowsRead)
    }
    expect(await typesOf(last, id)).toEqual([])
    // Two runs may begin in an hour. Each tenant is read, and its keys; there are no events of most.
    expect(Math.max(...runs)).toBeLessThan(2_500)
    expect(runs.slice(10).every((rows) => rows <= 1)).toBe(true)
    expect(runs.reduce((sum, rows) => sum + rows, 0)).toBeLessThan(2 * 8 * (tenants + 20))
    await env.DB.prepare("DELETE FROM tenants WHERE company_name = 'Idle'").run()
  })

  it('looks at the tenants of its run alone while it deletes what many have', async () => {
    const tenant = await newTenant()
    const { id } = await newCustomer(tenant.live.key)
    await env.DB.prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
       INSERT INTO events (tenant_id, mode, id, type, customer_id, version, actor, after, created_at)
       SELECT e.tenant_id, e.mode, e.id || n.i, e.type, e.customer_id, e.version, e.actor, '{}', e.created_at
       FROM n CROSS JOIN events e WHERE e.tenant_id = ?1`,
    )
      .bind(tenant.tenantId)
      .run()
    await age(tenant, id, 100 * DAY_MS)
    await sweepOldRecords(env.DB, NOW_MS)
    const left = (await typesOf(tenant, id)).length
    expect([left > 0, left < 60_000]).toEqual([true, true])
    // A later minute of the same hour goes on, although it would begin nothing.
    await sweepOldRecords(env.DB, NOW_MS + 30 * 60_000)
    expect(await typesOf(tenant, id)).toEqual([])
  })

  it('deletes more in one run than one statement may', async () => {
    const tenant = await newTenant()
    const { id } = await newCustomer(tenant.live.key)
    await env.DB.prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
       INSERT INTO events (tenant_id, mode, id, type, customer_id, version, actor, after, created_at)
       SELECT e.tenant_id, e.mode, e.id || n.i, e.type, e.customer_id, e.version, e.actor, e.after, e.created_at
       FROM n CROSS JOIN events e WHERE e.tenant_id = ?1`,
    )
      .bind(tenant.tenantId)
      .run()
    await age(tenant, id, 91 * DAY_MS)
    expect(await typesOf(tenant, id)).toHaveLength(1201)
    await sweepOldRecords(env.DB, NOW_MS)
    expect(await typesOf(tenant, id)).toHaveLength(0)
  })

  it('keeps the receipt of an erasure, which answers a repeat', async () => {
    const tenant = await newTenant()
    const { key } = tenant.live
    const { id } = await newCustomer(key)
    const receipt = await call('POST', `/v1/customers/${id}/erase`, { key })
    // The latest event is found by its id, which stays as it is; only the others are made older.
    await env.DB.prepare(
      `UPDATE events SET id = 'evt_' || ?2 || substr(id, 15) WHERE customer_id = ?1 AND type <> 'customer.erased'`,
    )
      .bind(id, encodeTime(NOW_MS - 91 * DAY_MS, 10))
      .run()
    await sweepOldRecords(env.DB, NOW_MS + 365 * DAY_MS)
    expect(await typesOf(tenant, id)).toEqual(['customer.erased'])
    expect((await call('POST', `/v1/customers/${id}/erase`, { key })).body).toEqual(receipt.body)
  })

  it('deletes a key 90 days after it died, and records of operators after two years', async () => {
    const tenant = await newTenantOfBothModes()
    const { keyId } = tenant.test
    await admin('DELETE', `/${tenant.tenantId}/keys/${keyId}`)
    const keysOf = async () =>
      (await admin('GET', `/${tenant.tenantId}/keys`)).body.items.map(({ key_id: id }: { key_id: string }) => id)
    await sweepOldRecords(env.DB, NOW_MS + 89 * DAY_MS)
    expect(await keysOf()).toContain(keyId)
    await sweepOldRecords(env.DB, NOW_MS + 91 * DAY_MS)
    expect(await keysOf()).toEqual([tenant.live.keyId])
    const audited = () => env.DB.prepare('SELECT count(*) AS n FROM admin_audit').first<{ n: number }>()
    expect((await audited())?.n).toBeGreaterThan(3)
    await sweepOldRecords(env.DB, NOW_MS + 729 * DAY_MS)
    expect((await audited())?.n).toBeGreaterThan(3)
    await sweepOldRecords(env.DB, NOW_MS + 731 * DAY_MS)
    expect((await audited())?.n).toBe(0)
  })
})

it('gathers no statistics, with which SQLite would choose other indexes than those that the tests of costs measure', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: NOW_MS })
  await worker.scheduled(createScheduledController(), env)
  vi.useRealTimers()
  const gathered = "SELECT name FROM sqlite_master WHERE name LIKE 'sqlite_stat%'"
  expect((await env.DB.prepare(gathered).all()).results).toEqual([])
})
