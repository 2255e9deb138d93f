import { createScheduledController } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it, vi } from 'vitest'
import worker from '../../../src/index.ts'
import { sweepOldRecords } from '../../../src/storage/events/retention.ts'
import { addIdleTenants, removeIdleTenants } from '../support/idle-tenants.ts'
import { admin, newTenantOfBothModes } from '../support/roster.ts'
import { metered, spent } from './support.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** A full hour, because the sweep runs its work then. */
/** The hour that has begun: after a clock that was set ahead, ids stay ahead of the clock, in other files too. */
const NOW_MS = Math.floor(Date.now() / HOUR_MS) * HOUR_MS

describe('the sweep of old records', () => {
  it('goes through some tenants in each run, goes on where it stopped, and costs rows by tenant once an hour', async () => {
    const tenants = 700
    await addIdleTenants(tenants)
    const last = await newTenantOfBothModes()
    await admin('DELETE', `/${last.tenantId}/keys/${last.test.keyId}`)
    await env.DB.prepare('UPDATE api_keys SET revoked_at = 1 WHERE id = ?').bind(last.test.keyId).run()
    const runs: number[] = []
    for (let minute = 0; minute < 60; minute++) {
      const { d1, costs } = metered(env.DB)
      await sweepOldRecords(d1, NOW_MS + minute * 60_000)
      runs.push(spent(costs).rowsRead)
    }
    expect((await admin('GET', `/${last.tenantId}/keys`)).body.items).toHaveLength(1)
    // Two runs may begin in an hour. Each tenant is read, and its keys.
    expect(Math.max(...runs)).toBeLessThan(2_500)
    expect(runs.slice(10).every((rows) => rows <= 1)).toBe(true)
    expect(runs.reduce((sum, rows) => sum + rows, 0)).toBeLessThan(2 * 8 * (tenants + 20))
    await removeIdleTenants()
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
