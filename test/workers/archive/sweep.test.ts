/** The sweep of the archive: what it moves and when, what it deletes, and how far one run goes. */

import { env } from 'cloudflare:workers'
import { encodeTime } from 'ulid'
import { expect, it } from 'vitest'
import type { Scope } from '../../../src/registry/customer.ts'
import { RUN_BOUNDS, sweepArchive } from '../../../src/storage/archive/sweep.ts'
import { metered, spent } from '../storage/support.ts'
import { addIdleTenants, removeIdleTenants } from '../support/idle-tenants.ts'
import {
  ADMIN_KEY,
  admin,
  call,
  newCustomer,
  newTenantOfBothModes,
  type TestTenantOfBothModes,
} from '../support/roster.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** A full hour, because a round begins then. */
const NOW_MS = Math.ceil(Date.now() / HOUR_MS) * HOUR_MS
const deps = { d1: env.DB, archive: env.ARCHIVE, eventDays: 14 }

/** Makes the events of a customer older, to the beginning of a day or so much later. */
async function age({ tenantId }: TestTenantOfBothModes, customerId: string, days: number, afterMs = 0): Promise<void> {
  const timeMs = Math.floor((NOW_MS - days * DAY_MS) / DAY_MS) * DAY_MS + afterMs
  await env.DB.prepare(
    `UPDATE events SET id = 'evt_' || ?3 || substr(id, 15), created_at = ?4 WHERE tenant_id = ?1 AND customer_id = ?2`,
  )
    .bind(tenantId, customerId, encodeTime(timeMs, 10), timeMs)
    .run()
}

async function inD1(tenantId: string): Promise<number> {
  return (
    (await env.DB.prepare('SELECT count(*) AS n FROM events WHERE tenant_id = ?').bind(tenantId).first<number>('n')) ??
    -1
  )
}

const objectsOf = async ({ tenantId }: Pick<Scope, 'tenantId'>) =>
  (await env.ARCHIVE.list({ prefix: `events/${tenantId}/` })).objects.map(({ key }) =>
    key.split('/').slice(2, 4).join(),
  )
const bytesOf = (tenantId: string) =>
  env.DB.prepare(`SELECT bytes FROM storage_use WHERE tenant_id = ? AND mode = 'live'`)
    .bind(tenantId)
    .first<number>('bytes')
const health = async () => (await call('GET', '/admin/health', { headers: { 'x-api-key': ADMIN_KEY } })).body.archive

it('moves whole days that are old enough, of every tenant and mode, once an hour, and they count in no budget', async () => {
  const tenants = [await newTenantOfBothModes(), await newTenantOfBothModes()]
  expect(await health()).toEqual({ objects: 0, events: 0, bytes: 0, complete_before: null })
  for (const tenant of tenants) {
    for (const { key } of [tenant.live, tenant.test]) {
      for (const [days, afterMs] of [
        [20, 0],
        [15, 0],
        [15, DAY_MS - 1],
        [14, 0],
        [1, 0],
      ] as const) {
        await age(tenant, (await newCustomer(key, { name: 'x'.repeat(200) })).id, days, afterMs)
      }
    }
  }
  const before = (await bytesOf(tenants[0]?.tenantId as string)) ?? 0
  await sweepArchive(deps, NOW_MS + 120_000)
  expect(await objectsOf(tenants[0] as TestTenantOfBothModes)).toEqual([])
  // A run of six objects is not enough for eight, and the next minute goes on.
  await sweepArchive(deps, NOW_MS)
  await sweepArchive(deps, NOW_MS + 60_000)
  await sweepArchive(deps, NOW_MS + 180_000)
  const day = (days: number) => new Date(NOW_MS - days * DAY_MS).toISOString().slice(0, 10)
  for (const tenant of tenants) {
    expect(await objectsOf(tenant)).toEqual(
      ['live', 'test'].flatMap((mode) => [`${mode},${day(20)}`, `${mode},${day(15)}`]),
    )
    expect(await inD1(tenant.tenantId)).toBe(4)
  }
  expect(before - ((await bytesOf(tenants[0]?.tenantId as string)) ?? 0)).toBeGreaterThan(3 * 700)
  expect(await health()).toMatchObject({
    objects: 8,
    events: 12,
    bytes: expect.any(Number),
    complete_before: new Date(Math.floor((NOW_MS - 14 * DAY_MS) / DAY_MS) * DAY_MS).toISOString(),
  })
})

it('deletes the objects that are older than the retention of their tenant, and no others', async () => {
  const tenants = [await newTenantOfBothModes(), await newTenantOfBothModes()]
  for (const tenant of tenants) {
    for (const days of [402, 399, 60]) await age(tenant, (await newCustomer(tenant.live.key)).id, days)
  }
  const [one, other] = tenants as [TestTenantOfBothModes, TestTenantOfBothModes]
  expect((await admin('PUT', `/${other.tenantId}`, { event_retention_days: 90 })).body.event_retention_days).toBe(90)
  for (let minute = 0; minute < 4; minute++) await sweepArchive(deps, NOW_MS + minute * 60_000)
  await sweepArchive(deps, NOW_MS + HOUR_MS)
  expect([(await objectsOf(one)).length, (await objectsOf(other)).length]).toEqual([2, 1])
  await sweepArchive(deps, NOW_MS + 10 * DAY_MS)
  expect([(await objectsOf(one)).length, (await objectsOf(other)).length]).toEqual([1, 1])
  const { key } = one.live
  expect((await call('GET', '/v1/events?limit=10', { key })).body.items).toHaveLength(1)
})

it('goes on with others when R2 fails, comes back to what failed, and says that it is behind', async () => {
  const tenant = await newTenantOfBothModes()
  await age(tenant, (await newCustomer(tenant.live.key)).id, 30)
  const was = (await health()).complete_before
  const put = () => Promise.reject(new Error('put: Unspecified error (0)'))
  const archive = { put, delete: (names: string[]) => env.ARCHIVE.delete(names) } as unknown as R2Bucket
  await sweepArchive({ ...deps, archive }, NOW_MS + DAY_MS)
  expect([await inD1(tenant.tenantId), (await health()).complete_before]).toEqual([1, was])
  for (let minute = 0; minute < 3; minute++) await sweepArchive(deps, NOW_MS + DAY_MS + HOUR_MS + minute * 60_000)
  expect(await inD1(tenant.tenantId)).toBe(0)
  expect(Date.parse((await health()).complete_before)).toBeGreaterThan(Date.parse(was))
})

it('goes through many tenants in pieces, and reads a few rows of each once an hour', async () => {
  const tenants = 600
  await addIdleTenants(tenants)
  const tenant = await newTenantOfBothModes()
  await age(tenant, (await newCustomer(tenant.live.key)).id, 30)
  const rows: number[] = []
  const statements: number[] = []
  for (let minute = 0; minute < 10; minute++) {
    const { d1, costs } = metered(env.DB)
    await sweepArchive({ ...deps, d1 }, NOW_MS + 2 * DAY_MS + minute * 60_000)
    rows.push(spent(costs).rowsRead)
    statements.push(costs.length)
  }
  expect(await inD1(tenant.tenantId)).toBe(0)
  expect(Math.max(...rows)).toBeLessThan(15 * RUN_BOUNDS.tenants)
  expect(Math.max(...statements)).toBeLessThan(110)
  expect(rows.slice(8).every((n) => n <= 1)).toBe(true)
  await removeIdleTenants()
})
