/**
 * D1 is set back, by Time Travel or from a backup, while KV, isolates and gates keep data of the discarded history. Then
 * the data epoch is raised and the cron brings the gates up to date, as docs/operations.md has it. From then on Roster
 * answers only from D1.
 */
import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { COUNT_BEHIND, RAISE_DATA_EPOCH } from '../../../scripts/backup/data-epoch.ts'
import { services } from '../../../src/composition/services.ts'
import { customersInMemory } from '../../../src/gate/isolate/memory.ts'
import { applyPendingPolicies } from '../../../src/tenants/operations.ts'
import { failingD1 } from '../support/failing-d1.ts'
import { admin, call, newCustomer, newKey, newTenant, type TestTenant } from '../support/roster.ts'
import { lostBookmarks, momentOf, setBack } from '../support/set-back.ts'

const CONFIRMED_WITHIN_MS = 301_000

let bookmarks: ReturnType<typeof lostBookmarks>

beforeEach(() => {
  bookmarks = lostBookmarks(env.DB)
})
afterEach(() => {
  bookmarks.restore()
  vi.restoreAllMocks()
})

const get = ({ live: { key } }: TestTenant, path: string, headers: Record<string, string> = {}) =>
  call('GET', `/v1/customers${path}`, { key, headers })
const rename = ({ live: { key } }: TestTenant, id: string, name: string) =>
  call('PUT', `/v1/customers/${id}`, { key, body: { name } })

function until(happened: () => Promise<unknown>) {
  return vi.waitUntil(happened, { timeout: 120_000, interval: 50 })
}

/** Raises the data epoch and runs the cron, the steps after D1 was set back. */
async function raiseDataEpoch() {
  await env.DB.prepare(RAISE_DATA_EPOCH).run()
  await sweep()
  expect(await env.DB.prepare(COUNT_BEHIND).first('behind')).toBe(0)
}

function sweep() {
  return applyPendingPolicies(
    services.tenants(env, { actor: 'sweep', role: null, sessionId: null, requestId: null, reason: null }),
  )
}

/** Returns the bookmarks that the gate has stored. */
function bookmarksOfGate({ tenantId }: TestTenant): Promise<(string | null)[]> {
  return runInDurableObject(env.GATE.getByName(`${tenantId}:live`), (_, { storage }) =>
    storage.sql
      .exec<{ bookmark: string | null }>(
        `SELECT body ->> 'bookmark' AS bookmark FROM writes UNION ALL SELECT body ->> 'bookmark' FROM singletons WHERE name = 'stable'`,
      )
      .toArray()
      .map(({ bookmark }) => bookmark),
  )
}

/** Changes a customer and creates another; memory and KV have both as they are now. */
async function changedSince(tenant: TestTenant) {
  const { id } = await newCustomer(tenant.live.key, { external_id: `kept ${tenant.tenantId}`, name: 'then' })
  const moment = await momentOf(env.DB)
  const renamed = await rename(tenant, id, 'since')
  const { id: newer } = await newCustomer(tenant.live.key, { external_id: `newer ${tenant.tenantId}` })
  const token = renamed.headers.get('consistency-token') ?? ''
  for (const one of [id, newer]) await get(tenant, `/${one}`, { 'consistency-token': token })
  await until(async () => (await env.CACHE.get(`c:${tenant.tenantId}:live:${newer}`)) !== null)
  await until(async () => (await env.CACHE.get(`c:${tenant.tenantId}:live:${id}`))?.includes('since'))
  return { id, newer, moment, token }
}

async function setBackTo(moment: Awaited<ReturnType<typeof momentOf>>) {
  bookmarks.lose()
  await setBack(env.DB, moment)
}

it('answers only what D1 has, once the data epoch is raised and the gates have followed', async () => {
  const tenant = await newTenant()
  const { id, newer, moment, token } = await changedSince(tenant)
  await setBackTo(moment)
  // Memory still answers from the discarded history, which is the reason for that step.
  expect((await get(tenant, `/${id}`)).body.name).toBe('since')

  await raiseDataEpoch()
  for (const forget of [() => undefined, () => customersInMemory.clear()]) {
    forget()
    expect(await get(tenant, `/${id}`)).toMatchObject({ status: 200, body: { name: 'then' } })
    expect((await get(tenant, `/${newer}`)).status).toBe(404)
    expect((await get(tenant, `/external/newer%20${tenant.tenantId}`)).status).toBe(404)
    expect((await get(tenant, '')).body.items.map((one: { id: string }) => one.id)).toEqual([id])
    // A token of the discarded history is accepted, and not waited for.
    const withToken = await get(tenant, `/${id}`, { 'consistency-token': token })
    expect(withToken).toMatchObject({ status: 200, body: { name: 'then' } })
    const listed = await get(tenant, '', { 'consistency-token': token })
    expect([listed.status, listed.body.pagination.total]).toEqual([200, 1])
  }
  expect(bookmarks.countLostStarts()).toBe(0)
  expect((await bookmarksOfGate(tenant)).filter((bookmark) => bookmark?.startsWith('f'))).toEqual([])
})

it('caches again, and keeps the promises of tokens and strong writes, in the history that goes on', async () => {
  const tenant = await newTenant()
  const { id, moment, token } = await changedSince(tenant)
  await setBackTo(moment)
  await raiseDataEpoch()
  await get(tenant, `/${id}`)
  expect((await get(tenant, `/${id}`)).headers.get('cache-status')).toContain('detail=memory')
  const again = await rename(tenant, id, 'anew')
  expect([again.status, again.headers.get('etag')]).toEqual([200, '"2"'])
  const newToken = again.headers.get('consistency-token') ?? ''
  expect((await get(tenant, `/${id}`, { 'consistency-token': newToken })).body.name).toBe('anew')
  customersInMemory.clear()
  expect((await get(tenant, `/${id}`, { 'consistency-token': newToken })).body.name).toBe('anew')
  // The etags of the discarded version and of the new one are the same text; the answer is never the old one.
  expect((await get(tenant, `/${id}`, { 'consistency-token': token })).body.name).toBe('anew')
  expect(bookmarks.countLostStarts()).toBe(0)
})

it('recovers when D1 is set back twice, the second time to before the first', async () => {
  const tenant = await newTenant()
  const first = await changedSince(tenant)
  await setBackTo(first.moment)
  await raiseDataEpoch()
  await rename(tenant, first.id, 'between')
  await admin('PUT', `/${tenant.tenantId}`, { tier: 'growth' })
  await setBackTo(first.moment)
  await raiseDataEpoch()
  expect((await get(tenant, `/${first.id}`)).body.name).toBe('then')
  // A change of policy is in force when it is answered, as always.
  expect((await admin('PUT', `/${tenant.tenantId}`, { status: 'suspended' })).status).toBe(200)
  expect((await get(tenant, `/${first.id}`)).status).toBe(403)
})

it('reverts later changes of operators: keys, suspensions, tiers', async () => {
  const tenant = await newTenant({ tier: 'scale' })
  const { id, moment } = await changedSince(tenant)
  const since = await newKey(tenant.tenantId, { mode: 'live' })
  expect((await call('GET', `/v1/customers/${id}`, { key: since.key })).status).toBe(200)
  await admin('DELETE', `/${tenant.tenantId}/keys/${tenant.live.keyId}`)
  await admin('PUT', `/${tenant.tenantId}`, { tier: 'growth' })
  await setBackTo(moment)
  await raiseDataEpoch()
  expect((await call('GET', `/v1/customers/${id}`, { key: since.key })).status).toBe(401)
  const answer = await get(tenant, `/${id}`)
  expect([answer.status, answer.headers.get('ratelimit-policy')]).toEqual([200, '"scale";q=400;w=2'])
})

it('refuses the keys of a tenant that was created since, within five minutes, though nothing notifies its gate', async () => {
  const moment = await momentOf(env.DB)
  const tenant = await newTenant()
  const { id } = await newCustomer(tenant.live.key)
  expect((await get(tenant, `/${id}`)).status).toBe(200)
  await setBackTo(moment)
  await raiseDataEpoch()
  const nowMs = Date.now()
  vi.spyOn(Date, 'now').mockImplementation(() => nowMs + CONFIRMED_WITHIN_MS)
  await get(tenant, `/${id}`)
  vi.spyOn(Date, 'now').mockImplementation(() => nowMs + CONFIRMED_WITHIN_MS + 2_000)
  await until(async () => (await get(tenant, `/${id}`)).status === 401)
})

it('shows a write that was on its way to D1 when the gate followed', async () => {
  bookmarks.restore()
  const tenant = await newTenant()
  const { id, moment } = await changedSince(tenant)
  await setBack(env.DB, moment)
  const d1 = failingD1()
  d1.fail(['held'])
  const late = rename(tenant, id, 'late')
  await d1.holds()
  d1.heal()
  await env.DB.prepare(RAISE_DATA_EPOCH).run()
  // It ends when the write is through; the gate has followed before.
  const followed = sweep()
  await until(async () => (await get(tenant, `/${id}`)).body.name === 'then')
  d1.release()
  expect((await late).status).toBe(200)
  await followed
  d1.restore()
  expect((await get(tenant, `/${id}`)).body.name).toBe('late')
  customersInMemory.clear()
  expect((await get(tenant, `/${id}`)).body.name).toBe('late')
})

it('costs a tenant nothing but caches when the data epoch is raised without need', async () => {
  const tenant = await newTenant()
  const { id } = await newCustomer(tenant.live.key, { name: 'Ada' })
  await raiseDataEpoch()
  expect((await get(tenant, `/${id}`)).body.name).toBe('Ada')
  expect((await rename(tenant, id, 'Eve')).status).toBe(200)
  expect((await get(tenant, `/${id}`)).status).toBe(200)
})
