/** Tenants in several databases: where the rows of each one are, and that everybody finds them there. */
import { createScheduledController } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import worker from '../../../src/index.ts'
import { databaseInId, newTenantId } from '../../../src/shared/ids.ts'
import { sweepDeletedTenants } from '../../../src/storage/tenants/deletions.ts'
import { copyTenant, roomiestDatabase } from '../../../src/storage/tenants/placement.ts'
import { mergeRemovedWords } from '../support/removed-words.ts'
import { ADMIN_KEY, admin, call, newCustomer, newTenant, type TestTenant } from '../support/roster.ts'
import { databases, directory, newTenantIn, tablesWith } from './support.ts'

/** Tables of the directory that have rows of tenants. */
const IN_DIRECTORY = ['tenants', 'api_keys', 'admin_audit', 'idempotency_records', 'search_scopes']

let tenant: TestTenant
beforeEach(async () => {
  tenant = await newTenantIn(2)
})

const columnOf = (d1: D1Database, column: string, tenantId: string) =>
  d1.prepare(`SELECT ${column} FROM tenants WHERE id = ?`).bind(tenantId).first(column)

describe('a new tenant', () => {
  it('is in the database with the most room, with everything that it has', async () => {
    const number = await roomiestDatabase(databases)
    const { tenantId, live } = await newTenant()
    expect(databaseInId(tenantId)).toBe(number)
    const { id } = await newCustomer(live.key, { external_id: 'a', integrations: [{ provider: 'stripe', id: '1' }] })
    const endpoint = { url: 'http://127.0.0.1:9/', description: '' }
    expect((await call('POST', '/v1/webhooks/endpoints', { key: live.key, body: endpoint })).status).toBe(201)
    const step = { type: 'set_metadata', metadata: { onboarded: 'yes' } }
    const settings = { workflows: { default: { steps: [step] } } }
    const path = '/v1/settings/customer_onboarding'
    expect((await call('PUT', path, { key: live.key, body: settings })).status).toBe(200)
    const changed = { key: live.key, body: { name: 'New' }, headers: { 'idempotency-key': 'once' } }
    await call('PUT', `/v1/customers/${id}`, changed)
    await newCustomer(live.key, { external_id: 'b' })

    const own = databases[number] as D1Database
    expect(await tablesWith(own, tenantId)).toEqual(
      expect.arrayContaining([
        'customers',
        'events',
        'onboarding_runs',
        'settings',
        'storage_use',
        'webhook_endpoints',
      ]),
    )
    for (const other of databases.filter((d1) => d1 !== own)) {
      const found = await tablesWith(other, tenantId)
      expect(found.filter((name) => other !== directory || !IN_DIRECTORY.includes(name))).toEqual([])
    }

    const shown = await call('GET', `/v1/customers/external/a`, { key: live.key })
    expect(shown.body).toMatchObject({ id, name: 'New' })
    const { body } = await call('GET', '/v1/customers', { key: live.key })
    expect(body.items).toHaveLength(2)
    expect((await call('GET', '/v1/events', { key: live.key })).body.items.length).toBeGreaterThan(2)
    expect((await admin('GET', `/${tenantId}/usage`)).body.live.stored_bytes).toBeGreaterThan(1_000)
  })

  it('is in none that does not respond', async () => {
    const sized = (bytes: number) =>
      ({ prepare: () => ({ run: async () => ({ meta: { size_after: bytes } }) }) }) as unknown as D1Database
    const away = { prepare: () => ({ run: () => Promise.reject(new Error('away')) }) } as unknown as D1Database
    expect(await roomiestDatabase([sized(9e6), sized(1e6), sized(4e6)])).toBe(1)
    expect(await roomiestDatabase([sized(9e6), away, sized(4e6)])).toBe(2)
    expect(await roomiestDatabase([sized(1e6), sized(1.5e6), sized(3e6)])).toBe(1)
    expect(await roomiestDatabase([away])).toBe(0)
  })

  it('has the number of its database in its id, which sorts by time all the same', () => {
    for (const number of [0, 1, 4_095]) {
      const id = newTenantId(1_800_000_000_000, number)
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      expect(databaseInId(id)).toBe(number)
      expect(id < newTenantId(1_800_000_000_001, 0)).toBe(true)
    }
  })
})

it('is found in another database than its id says, by its first request and the next ones', async () => {
  const { live, tenantId } = await newTenantIn(1)
  const { key } = live
  const { id } = await newCustomer(key)
  for (let time = 0; time < 2; time++) expect((await call('GET', `/v1/customers/${id}`, { key })).status).toBe(200)
  const found = await Promise.all(databases.map((d1) => tablesWith(d1, tenantId)))
  expect(found.map((names) => names.includes('customers'))).toEqual([false, true, false])
})

it('has its status and limits in its database when a change of them is answered', async () => {
  const { tenantId } = tenant
  const own = databases[2] as D1Database
  expect(await columnOf(own, 'status', tenantId)).toBe('active')
  await admin('PUT', `/${tenantId}`, { status: 'suspended' })
  expect(await columnOf(own, 'status', tenantId)).toBe('suspended')
  await admin('PUT', `/${tenantId}`, { status: 'active', tier: 'custom', limits: { storage_bytes: 1_500 } })
  expect(await columnOf(own, 'storage_bytes', tenantId)).toBe(1_500)
  await admin('PUT', `/${tenantId}`, { limits: { storage_bytes: 1_400 }, event_retention_days: 90 })
  expect(await columnOf(own, 'storage_bytes', tenantId)).toBe(1_400)
  expect(await columnOf(own, 'event_retention_days', tenantId)).toBe(90)
  const refused = await call('POST', '/v1/customers', { key: tenant.live.key, body: { external_id: 'too much' } })
  expect(refused.status).toBe(507)
})

it('keeps a newer copy than the one that comes late', async () => {
  const { tenantId } = tenant
  const [, , own] = databases as [D1Database, D1Database, D1Database]
  await own
    .prepare(`UPDATE tenants SET status = 'suspended', policy_version = policy_version + 1 WHERE id = ?`)
    .bind(tenantId)
    .run()
  await copyTenant(databases, tenantId)
  expect(await columnOf(own, 'status', tenantId)).toBe('suspended')
})

it('is deleted there, too', async () => {
  const { tenantId } = tenant
  await newCustomer(tenant.live.key)
  await admin('PUT', `/${tenantId}`, { status: 'suspended' })
  const headers = { 'x-api-key': ADMIN_KEY, 'x-confirm': 'Test Company' }
  expect((await call('DELETE', `/admin/customers/${tenantId}`, { headers })).status).toBeLessThan(300)
  const forgetGate = (id: string, mode: string) => env.GATE.getByName(`${id}:${mode}`).forget()
  const deps = { databases, kv: env.CACHE, archive: env.ARCHIVE, forgetGate }
  await sweepDeletedTenants(deps, Date.now() + 300_000)
  await mergeRemovedWords(databases[2])
  await sweepDeletedTenants(deps, Date.now() + 300_000)
  for (const d1 of databases)
    expect((await tablesWith(d1, tenantId)).filter((name) => name !== 'admin_audit')).toEqual([])
  const { body } = await call('GET', `/admin/audit?tenant_id=${tenantId}&type=tenant.deleted`, { headers })
  expect(body.items[0].after).toMatchObject({ customers: 1, completed_at: expect.any(String) })
})

it('is not deleted while it is moved', async () => {
  const { tenantId } = tenant
  await directory
    .prepare(
      `INSERT INTO moves (tenant_id, id, from_database, to_database, state, actor, created_at, updated_at)
       VALUES (?, 'mov_1', 2, 1, 'copying', 'admin', 1, 1)`,
    )
    .bind(tenantId)
    .run()
  await admin('PUT', `/${tenantId}`, { status: 'suspended' })
  const headers = { 'x-api-key': ADMIN_KEY, 'x-confirm': 'Test Company' }
  const remove = () => call('DELETE', `/admin/customers/${tenantId}`, { headers })
  expect(await remove()).toMatchObject({ status: 409, text: expect.stringContaining('being moved to database 1') })
  await directory.prepare(`UPDATE moves SET state = 'cleaning' WHERE tenant_id = ?`).bind(tenantId).run()
  expect((await remove()).status).toBe(202)
  await directory.prepare('UPDATE moves SET ended_at = 1 WHERE tenant_id = ?').bind(tenantId).run()
})

it('has its database swept by a message of the queue', async () => {
  const own = databases[2] as D1Database
  await own
    .prepare(
      `INSERT INTO idempotency_records (tenant_id, mode, key, fingerprint, expires_at) VALUES (?, 'live', 'old', '', 1)`,
    )
    .bind(tenant.tenantId)
    .run()
  await worker.scheduled(createScheduledController(), env)
  await vi.waitFor(async () => expect(await tablesWith(own, tenant.tenantId)).not.toContain('idempotency_records'), {
    timeout: 60_000,
    interval: 50,
  })
})
