/** The copy of a tenant in another database is what it was copied from, whatever changes meanwhile, and the original is left as it was. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { arrivalOf, catchUp, copyPage, copyWhole } from '../../../src/storage/moves/copy.ts'
import { begin, type Ends, finish, freeze, letStay } from '../../../src/storage/moves/marks.ts'
import { removeCopy, removeLeft } from '../../../src/storage/moves/removal.ts'
import { differingTables } from '../../../src/storage/moves/verify.ts'
import { receive } from '../onboarding/support.ts'
import { call, newCustomer, type TestTenant } from '../support/roster.ts'
import { tenantWithEverything } from '../tenants/full-tenant.ts'
import { copyTenantRow, countsOfTenant, expectNoMarks, rowsOfTenant, untilQuiet } from './moved.ts'
import { databases, endsOf } from './support.ts'

beforeEach(() => receive(() => new Response('OK')))
afterEach(() => vi.restoreAllMocks())

async function copyAll(ends: Ends, pageRows: number): Promise<number> {
  let pages = 1
  while (!(await copyPage(ends, pageRows))) pages++
  return pages
}

async function catchUpAll(ends: Ends): Promise<void> {
  while ((await catchUp(ends, 7)) > 0) {}
}

it('copies everything of a tenant, and what changes meanwhile', async () => {
  const neighbour = await tenantWithEverything('Neighbour')
  const tenant = await tenantWithEverything('Moved')
  const { tenantId } = tenant
  const ends = await endsOf(tenantId)
  const { from, to } = ends
  await untilQuiet(from, tenantId)
  const before = await rowsOfTenant(from, tenantId)
  for (const [table, rows] of Object.entries(before)) expect(rows.length, table).toBeGreaterThan(0)
  await copyTenantRow(from, to, tenantId)
  const neighbourThere = await countsOfTenant(to, neighbour.tenantId)

  await begin(ends)
  await begin(ends)
  const pages = await copyAll(ends, 3)
  expect(pages).toBeGreaterThan(20)
  await freeze(ends)
  await copyWhole(ends)
  expect(await differingTables(ends)).toEqual([])
  const copy = await rowsOfTenant(to, tenantId)
  expect(copy).toEqual(before)
  expect(await rowsOfTenant(from, tenantId)).toEqual(before)
  await finish(ends, await arrivalOf(ends))
  expect(await rowsOfTenant(to, tenantId)).toEqual(before)
  while (!(await removeLeft({ db: from, tenantId, moveId: ends.moveId, budget: { statements: 40 } }))) {}
  expect(await countsOfTenant(from, tenantId)).toEqual({})
  await expectNoMarks(databases)
  expect(await countsOfTenant(to, neighbour.tenantId)).toEqual(neighbourThere)
})

/** Changes of all kinds, of old customers and new ones. Each run of it changes something else. */
async function changeSome(from: D1Database, { tenantId, live }: TestTenant, round: number) {
  const { key } = live
  const list = await call('GET', '/v1/customers?limit=100', { key })
  const ids: string[] = list.body.items.map(({ id }: { id: string }) => id)
  const [one, two] = [
    await newCustomer(key, { external_id: `a${round}` }),
    await newCustomer(key, { external_id: `b${round}` }),
  ]
  const patch = (id: string, body: unknown) => call('PATCH', `/v1/customers/${id}`, { key, body })
  // Two customers change their external ids, so each has at a time the id that the copy of the other has.
  await patch(one.id, { external_id: `c${round}` })
  await patch(two.id, { external_id: `a${round}` })
  await patch(one.id, {
    external_id: `b${round}`,
    integration_entity_mapping: [{ provider: 'stripe', id: `cus_r${round}` }],
  })
  for (const id of ids.slice(0, 2)) await patch(id, { name: `Changed ${round}`, metadata: { round: String(round) } })
  const twin = await newCustomer(key)
  await call('POST', `/v1/customers/${twin.id}/merge`, { key, body: { into: two.id } })
  const gone = await newCustomer(key, { name: 'Grace Hopper' })
  await call('DELETE', `/v1/customers/${gone.id}`, { key })
  await call('POST', `/v1/customers/${gone.id}/erase`, { key, headers: { 'idempotency-key': `erase ${round}` } })
  await from
    .prepare(
      "DELETE FROM events WHERE rowid = (SELECT max(rowid) FROM events WHERE tenant_id = ? AND type = 'customer.updated')",
    )
    .bind(tenantId)
    .run()
}

it('catches up with all that changes while it copies, and can begin anew after an abort', async () => {
  const tenant = await tenantWithEverything('Changing')
  const { tenantId } = tenant
  const ends = await endsOf(tenantId)
  const { from, to } = ends
  const [before, beforeThere] = [await countsOfTenant(from, tenantId), await countsOfTenant(to, tenantId)]
  expect(beforeThere).toEqual({})
  await copyTenantRow(from, to, tenantId)
  await begin(ends)
  await changeSome(from, tenant, 1)
  for (let page = 0, isLast = false; !isLast; page++) {
    isLast = await copyPage(ends, 4)
    if (page % 12 === 5) await changeSome(from, tenant, 10 + page)
    if (page % 12 === 11) await catchUp(ends, 9)
  }
  await changeSome(from, tenant, 2)
  await catchUpAll(ends)
  await changeSome(from, tenant, 3)
  await untilQuiet(from, tenantId)
  await freeze(ends)
  await catchUpAll(ends)
  await copyWhole(ends)
  const original = await rowsOfTenant(from, tenantId)
  expect(await rowsOfTenant(to, tenantId)).toEqual(original)
  expect(await differingTables(ends)).toEqual([])

  const refused = await call('POST', '/v1/customers', { key: tenant.live.key, body: { external_id: 'frozen' } })
  expect(refused.status).toBe(503)
  await letStay(ends)
  while (!(await removeCopy({ db: to, tenantId, moveId: ends.moveId, budget: { statements: 40 } }))) {}
  expect(await countsOfTenant(to, tenantId)).toEqual({})
  expect(Object.keys(await countsOfTenant(from, tenantId))).toEqual(Object.keys(before))
  expect(await rowsOfTenant(from, tenantId)).toEqual(original)
  await newCustomer(tenant.live.key)

  const again = { ...ends, moveId: 'mov_2' }
  await begin(again)
  await copyAll(again, 100)
  await freeze(again)
  await copyWhole(again)
  const last = await rowsOfTenant(from, tenantId)
  await finish(again, await arrivalOf(again))
  while (!(await removeLeft({ db: from, tenantId, moveId: again.moveId, budget: { statements: 40 } }))) {}
  expect(await countsOfTenant(from, tenantId)).toEqual({})
  expect(await rowsOfTenant(to, tenantId)).toEqual(last)
  await expectNoMarks(databases)
})
