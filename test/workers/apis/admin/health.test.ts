/** The state of the deployment: what is counted and listed, how it is bounded, and what it costs. */
import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import worker from '../../../../src/index.ts'
import { addErrorCounts, sweepErrorCounts } from '../../../../src/storage/error-counts.ts'
import { readHealth } from '../../../../src/storage/health.ts'
import { metered, spent } from '../../storage/support.ts'
import { ADMIN_KEY, call, newTenant, requestTo } from '../../support/roster.ts'

const MINUTE_MS = 60_000
const NONE = { total: 0, total_is_capped: false }

async function health() {
  const { status, body } = await call('GET', '/admin/health', { headers: { 'x-api-key': ADMIN_KEY } })
  expect(status).toBe(200)
  return body
}

/** Adds endpoints of a tenant, each failing since its number of milliseconds. */
function addEndpoints(tenantId: string, count: number, more: { failingSince?: string; enabled?: number } = {}) {
  const { failingSince = 'i', enabled = 1 } = more
  return env.DB.prepare(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
     INSERT INTO webhook_endpoints (tenant_id, mode, id, url, description, enabled, secrets, sealed_by, failing_since, created_at, updated_at, created_by, version)
     SELECT ?2, 'live', hex(randomblob(8)), 'https://hooks.example.com:8443/secret/path', '', ${enabled}, '', '', ${failingSince}, 0, 0, 'key_1', 1 FROM n`,
  )
    .bind(count, tenantId)
    .run()
}

/** Adds deliveries of which each tenth is due, and the others wait behind it. */
function addDeliveries(tenantId: string, count: number, dueAtMs: number) {
  return env.DB.prepare(
    `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 - 1)
     INSERT INTO webhook_deliveries (tenant_id, mode, endpoint_id, event_id, event_type, customer_id, status, claims, next_attempt_at, created_at)
     SELECT ?2, 'live', 'we_1', 'evt_' || i, 'customer.updated', 'cust_1', 'pending', 0, iif(i % 10 = 0, ?3 + i, 8640000000000000), 0 FROM n`,
  )
    .bind(count, tenantId, dueAtMs)
    .run()
}

beforeEach(async () => {
  const tables = ['webhook_endpoints', 'webhook_deliveries', 'error_counts']
  // Tests of other files may have left changes and deletions under way.
  const finished = 'UPDATE tenants SET deleted_at = NULL, policy_applied_version = policy_version'
  const statements = [...tables.map((table) => `DELETE FROM ${table}`), finished]
  await env.DB.batch(statements.map((statement) => env.DB.prepare(statement)))
})

describe('the health of a deployment', () => {
  it('is empty where nothing is wrong, and says how full the database is', async () => {
    const { databases, ...rest } = await health()
    expect(databases).toEqual([{ name: 'DB', bytes: expect.any(Number), bytes_max: 10_000_000_000 }])
    expect(databases[0].bytes).toBeGreaterThan(100_000)
    expect(rest).toEqual({
      archive: { objects: 0, events: 0, bytes: 0, complete_before: null },
      outbox: { pending: 0, pending_is_capped: false, oldest_due_at: null },
      failing_endpoints: { ...NONE, items: [] },
      errors_last_hour: { total: 0, by_api: [] },
      unfinished: { changes: NONE, deletions: NONE },
    })
  })

  it('lists the endpoints that fail, those first that have failed for longest, and shows no more of a URL than its host', async () => {
    const { tenantId } = await newTenant()
    await addEndpoints(tenantId, 3)
    await addEndpoints(tenantId, 2, { failingSince: 'NULL' })
    await addEndpoints(tenantId, 2, { enabled: 0 })
    const { failing_endpoints: failing } = await health()
    expect(failing).toMatchObject({ total: 3, total_is_capped: false })
    const since = failing.items.map((one: { failing_since: string }) => Date.parse(one.failing_since))
    expect(since).toEqual([1, 2, 3])
    expect(failing.items[0]).toMatchObject({ tenant_id: tenantId, mode: 'live', url_host: 'hooks.example.com:8443' })
    expect(JSON.stringify(failing)).not.toContain('secret')
  })

  it('counts the deliveries that are not done, and says when the first is due', async () => {
    const { tenantId } = await newTenant()
    await addDeliveries(tenantId, 20, Date.UTC(2026, 0, 1))
    const oldest = { oldest_due_at: '2026-01-01T00:00:00.000Z' }
    expect((await health()).outbox).toEqual({ pending: 20, pending_is_capped: false, ...oldest })
  })

  it('adds up the errors of the last hour by API and status, those of all isolates, and no earlier ones', async () => {
    const minuteMs = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS
    const v1 = { api: 'v1', status: 503 }
    await addErrorCounts(env.DB, [{ ...v1, minuteMs, count: 2 }])
    await addErrorCounts(env.DB, [
      { ...v1, minuteMs, count: 3 },
      { ...v1, minuteMs: minuteMs - 10 * MINUTE_MS, count: 1 },
      { api: 'rpc', status: 500, minuteMs, count: 4 },
      { ...v1, minuteMs: minuteMs - 61 * MINUTE_MS, count: 9 },
    ])
    expect((await health()).errors_last_hour).toEqual({
      total: 10,
      by_api: [
        { api: 'rpc', status: 500, count: 4 },
        { ...v1, count: 6 },
      ],
    })
    await sweepErrorCounts(env.DB, minuteMs + 1_440 * MINUTE_MS - 30 * MINUTE_MS)
    const { results } = await env.DB.prepare('SELECT sum(count) AS count FROM error_counts').all()
    expect(results).toEqual([{ count: 10 }])
  })

  it('counts a response of Roster with 503, and none that its caller is to blame for', async () => {
    const { live } = await newTenant()
    const gateAway = () => {
      throw new Error('the gate is away')
    }
    // An isolate stores its counts every ten seconds. Those of earlier tests are stored first.
    const laterMs = (ms: number) => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms })
    onTestFinished(() => void vi.useRealTimers())
    laterMs(11_000)
    await health()
    const { total } = (await health()).errors_last_hour
    laterMs(11_000)
    const statuses = []
    for (const key of [live.key, 'sk_live_unknown']) {
      const context = createExecutionContext()
      const request = requestTo('/v1/customers', { headers: { authorization: `Bearer ${key}` } })
      const broken = { ...env, ANALYTICS: undefined, GATE: { getByName: gateAway } } as unknown as Cloudflare.Env
      statuses.push((await worker.fetch(request, broken, context)).status)
      await waitOnExecutionContext(context)
    }
    expect(statuses).toEqual([503, 401])
    const { errors_last_hour: errors } = await health()
    expect(errors.total).toBe(total + 1)
    expect(errors.by_api).toContainEqual({ api: 'v1', status: 503, count: expect.any(Number) })
  })

  it('shows the change that is not in force, and the tenant that is being deleted', async () => {
    const [behind, deleted] = [await newTenant(), await newTenant()]
    await env.DB.batch([
      env.DB.prepare('UPDATE tenants SET policy_version = policy_version + 1 WHERE id = ?').bind(behind.tenantId),
      env.DB.prepare('UPDATE tenants SET deleted_at = 1 WHERE id = ?').bind(deleted.tenantId),
    ])
    const { unfinished } = await health()
    expect(unfinished).toEqual({ changes: { ...NONE, total: 1 }, deletions: { ...NONE, total: 1 } })
  })

  it('counts to a bound and reads little, however much there is', async () => {
    const { tenantId } = await newTenant()
    await addEndpoints(tenantId, 20)
    for (let other = 0; other < 60; other++) await addEndpoints(crypto.randomUUID(), 20, { failingSince: '100 + i' })
    await addDeliveries(tenantId, 20_000, 1)
    const { d1, costs } = metered(env.DB)
    const { failingEndpoints, outbox } = await readHealth([d1], Date.now())
    expect(failingEndpoints).toMatchObject({ total: 1_000, isCapped: true })
    expect(failingEndpoints.items.map(({ tenantId: id }) => id)).toEqual(Array(20).fill(tenantId))
    expect(outbox).toEqual({ pending: { total: 1_000, isCapped: true }, oldestDueAtMs: 1 })
    expect(spent(costs).rowsRead).toBeLessThan(8_000)
  })
})
