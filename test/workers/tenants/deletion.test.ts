/**
 * The deletion of a tenant: what it needs, what is in force when it is answered, and that everything of the tenant goes
 * and nothing of another, also if it is interrupted again and again.
 */
import {
  createExecutionContext,
  createScheduledController,
  runInDurableObject,
  waitOnExecutionContext,
} from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import worker from '../../../src/index.ts'
import type { Scope } from '../../../src/registry/customer.ts'
import { MERGE_REST_MS, sweepRemovedWords } from '../../../src/storage/customers/removed-words.ts'
import { type DeletionDeps, sweepDeletedTenants } from '../../../src/storage/tenants/deletions.ts'
import { deleteTenant, updateTenant } from '../../../src/tenants/operations.ts'
import { receive } from '../onboarding/support.ts'
import { insertMany } from '../storage/support.ts'
import { everythingStored } from '../support/everything-stored.ts'
import { mergeRemovedWords } from '../support/removed-words.ts'
import {
  ADMIN_KEY,
  admin,
  call,
  newCustomer,
  newTenant,
  newTenantOfBothModes,
  type TestTenantOfBothModes,
} from '../support/roster.ts'
import { tenantWithEverything } from './full-tenant.ts'
import { failureOf, hand, make } from './support.ts'

const LATER_MS = 300_000
const MODES = ['live', 'test'] as const

beforeEach(() => receive(() => new Response('OK')))
afterEach(() => vi.restoreAllMocks())

const deps: DeletionDeps = {
  databases: [env.DB],
  kv: env.CACHE,
  archive: env.ARCHIVE,
  forgetGate: (tenantId, mode) => env.GATE.getByName(`${tenantId}:${mode}`).forget(),
}

/** Makes a tenant with two customers in each mode, one below the other. */
async function tenantWithSome(name: string): Promise<TestTenantOfBothModes> {
  const tenant = await newTenantOfBothModes({ company_name: name })
  for (const mode of MODES) {
    const { key } = tenant[mode]
    const { id } = await newCustomer(key)
    await newCustomer(key, { parent_customer_id: id })
  }
  return tenant
}

function remove(tenantId: string, confirm: string | null) {
  return call('DELETE', `/admin/customers/${tenantId}`, {
    headers: { 'x-api-key': ADMIN_KEY, ...(confirm !== null && { 'x-confirm': confirm }) },
  })
}

/** Returns how many rows of the tenant each table has that has a column for tenants; the view has those of `customer_places`. */
async function rowsOf(tenantId: string): Promise<Record<string, number>> {
  const { results } = await env.DB.prepare(
    // Those of moves are empty but for a tenant that is moved.
    `SELECT name FROM sqlite_master WHERE (type = 'table' OR name = 'customer_numbers') AND sql LIKE '%tenant_id%' AND name NOT IN (
      'moves', 'arriving_tenants', 'leaving_tenants', 'moving_changes'
    )`,
  ).all<{ name: string }>()
  const counts = await env.DB.batch<{ n: number }>(
    results.map(({ name }) => env.DB.prepare(`SELECT count(*) AS n FROM "${name}" WHERE tenant_id = ?`).bind(tenantId)),
  )
  return Object.fromEntries(results.map(({ name }, at) => [name, counts[at]?.results[0]?.n ?? -1]))
}

async function objectsOf(tenantId: string): Promise<string[]> {
  const { objects } = await env.ARCHIVE.list({ prefix: `events/${tenantId}/` })
  return objects.map(({ key }) => key)
}

async function valuesOf(tenantId: string): Promise<string[]> {
  const { keys } = await env.CACHE.list()
  return keys.map(({ name }) => name).filter((name) => name.includes(tenantId))
}

it('deletes everything of the tenant and nothing of another, and keeps a receipt', async () => {
  const name = 'Deleted Größe & Söhne'
  const tenant = await tenantWithEverything(name)
  const neighbour = await tenantWithEverything('Neighbour')
  const { tenantId } = tenant
  const before = await rowsOf(tenantId)
  // Every table that a tenant can have rows in has some.
  expect(Object.entries(before).filter(([, n]) => n === 0)).toEqual([])
  expect((await valuesOf(tenantId)).length).toBeGreaterThan(0)
  expect((await objectsOf(tenantId)).length).toBe(2)
  const rowsOfNeighbour = await rowsOf(neighbour.tenantId)
  const valuesOfNeighbour = await valuesOf(neighbour.tenantId)

  expect((await admin('PUT', `/${tenantId}`, { status: 'suspended' })).status).toBe(200)
  const deleted = await remove(tenantId, encodeURIComponent(name))
  expect(deleted).toMatchObject({
    status: 202,
    body: { customer_id: tenantId, company_name: name, status: 'deleting', deleted_at: expect.any(String) },
  })
  for (const mode of MODES) expect((await call('GET', '/v1/customers', { key: tenant[mode].key })).status).toBe(401)
  const { key } = tenant.live
  expect((await call('POST', '/v1/customers', { key, body: { external_id: 'x' } })).status).toBe(401)
  for (const [method, path, body] of [
    ['GET', ''],
    ['GET', '/usage'],
    ['GET', '/keys'],
    ['PUT', '', { status: 'active' }],
    ['POST', '/keys', {}],
    ['DELETE', `/keys/${tenant.live.keyId}`],
    ['POST', `/keys/${tenant.live.keyId}/rotate`],
  ] as const) {
    expect([method, path, (await admin(method, `/${tenantId}${path}`, body)).status]).toEqual([method, path, 404])
  }
  const { items } = (await admin('GET', `?search=${encodeURIComponent('deleted.example')}`)).body
  expect(items.map(({ customer_id: id }: { customer_id: string }) => id)).toEqual([neighbour.tenantId])

  await sweepDeletedTenants(deps, Date.now())
  // Not finished before KV has settled: the same receipt again.
  expect((await remove(tenantId, encodeURIComponent(name))).body).toEqual(deleted.body)
  await sweepDeletedTenants(deps, Date.now() + LATER_MS)
  // Nor before its words have left the index.
  expect((await remove(tenantId, encodeURIComponent(name))).body).toEqual(deleted.body)
  await mergeRemovedWords()
  await sweepDeletedTenants(deps, Date.now() + LATER_MS)
  expect((await remove(tenantId, encodeURIComponent(name))).status).toBe(404)

  const left = Object.entries(await rowsOf(tenantId)).filter(([, n]) => n > 0)
  expect(left).toEqual([['admin_audit', 1]])
  // The next tenant gets the number of the deleted one, and must not get its places.
  const ofNobody =
    'SELECT count(*) AS n FROM customer_places WHERE scope >> 1 NOT IN (SELECT number FROM search_scopes)'
  expect(await env.DB.prepare(ofNobody).first('n')).toBe(0)
  expect(await valuesOf(tenantId)).toEqual([])
  expect(await objectsOf(tenantId)).toEqual([])
  expect((await objectsOf(neighbour.tenantId)).length).toBe(2)
  const stored = await everythingStored(MODES.map((mode) => `${tenantId}:${mode}`))
  expect(stored).not.toContain(`${name.length}@deleted.example`)
  const receipts = (await call('GET', `/admin/audit?tenant_id=${tenantId}`, { headers: { 'x-api-key': ADMIN_KEY } }))
    .body
  expect(receipts.items).toMatchObject([
    {
      type: 'tenant.deleted',
      actor: 'admin',
      before: { company_name: name, status: 'suspended' },
      after: { customers: 6, completed_at: expect.stringMatching(/Z$/) },
    },
  ])
  expect(await rowsOf(neighbour.tenantId)).toEqual(rowsOfNeighbour)
  expect(await valuesOf(neighbour.tenantId)).toEqual(valuesOfNeighbour)
  expect((await call('GET', '/v1/customers/external/renamed', { key: neighbour.live.key })).status).toBe(200)
})

it('continues where a run stopped, whatever it stopped at', async () => {
  const { tenantId } = await tenantWithSome('Interrupted')
  await admin('PUT', `/${tenantId}`, { status: 'suspended' })
  const hour = Date.now() + 3_600_000
  const deletedAtMs = Date.now()
  await env.DB.prepare('UPDATE tenants SET deleted_at = ? WHERE id = ?').bind(deletedAtMs, tenantId).run()
  let runs = 0
  for (; (await everyRowOf(tenantId)) > 0 && runs < 200; runs++) {
    const failing = { ...deps, forgetGate: runs < 4 ? () => Promise.reject(new Error('away')) : deps.forgetGate }
    await sweepDeletedTenants(failing, hour, { statements: 22 + (runs % 2), kvKeys: 1, objects: 1 })
    await sweepRemovedWords(env.DB, hour + runs * MERGE_REST_MS)
  }
  expect(runs).toBeGreaterThan(4)
  expect(runs).toBeLessThan(200)
  expect(await valuesOf(tenantId)).toEqual([])
  expect(Object.entries(await rowsOf(tenantId)).filter(([, n]) => n > 0)).toEqual([])
})

it('leaves no word of many customers in the index, and every word of others, wherever runs stop', async () => {
  const scopes = await Promise.all(
    [0, 1].map(async () => ({ tenantId: (await newTenant()).tenantId, mode: 'live' as const })),
  )
  const [scope, neighbour] = scopes as [Scope, Scope]
  for (const [at, each] of scopes.entries()) {
    await insertMany(each, 1_200)
    // Deleted words must be in several parts of the index: the parts of a single one would be left out at once.
    for (const name of ['first', 'second']) {
      await env.DB.prepare(
        `UPDATE customers SET name = ?2 || id, change_id = ?2 || id WHERE tenant_id = ?1 AND id LIKE '%7'`,
      )
        .bind(each.tenantId, `${name}${at === 0 ? 'deleted' : 'kept'}`)
        .run()
    }
  }
  const countIn = async (place: string, word: string) =>
    (await env.DB.prepare(`SELECT count(*) AS n FROM ${place} WHERE instr(bytes, CAST(? AS blob)) > 0`)
      .bind(word)
      .first<number>('n')) ?? 0
  const inPages = (word: string) => countIn('(SELECT block AS bytes FROM customer_search_data)', word)
  /** The words that part two pages of the index. */
  const betweenPages = (word: string) => countIn('(SELECT term AS bytes FROM customer_search_idx)', word)
  const left = async (word: string) => (await inPages(word)) + (await betweenPages(word))
  const codeOf = async ({ tenantId }: Scope) =>
    await env.DB.prepare(`SELECT printf('%05x', number) AS code FROM search_scopes WHERE tenant_id = ?`)
      .bind(tenantId)
      .first<string>('code')
  const codes = [await codeOf(scope), await codeOf(neighbour)]
  const found = async (code: string | null | undefined) =>
    await env.DB.prepare('SELECT count(*) AS n FROM customer_search WHERE customer_search MATCH ?')
      .bind(`"${code}acust_"*`)
      .first<number>('n')
  expect(await inPages('conddeleted')).toBeGreaterThan(0)
  expect(await betweenPages(`${codes[0]}acust_`)).toBeGreaterThan(0)
  await env.DB.prepare(`UPDATE tenants SET status = 'suspended', deleted_at = 1 WHERE id = ?`)
    .bind(scope.tenantId)
    .run()
  let runs = 0
  for (; (await everyRowOf(scope.tenantId)) > 0 && runs < 100; runs++) {
    await sweepDeletedTenants(deps, Date.now(), { statements: 22, kvKeys: 1, objects: 1 })
    await sweepRemovedWords(env.DB, Date.now() + runs * MERGE_REST_MS)
  }
  expect(runs).toBeGreaterThan(2)
  expect(runs).toBeLessThan(100)
  expect([await left('conddeleted'), await left(`${codes[0]}acust_`)]).toEqual([0, 0])
  expect([await found(codes[0]), await found(codes[1])]).toEqual([0, 1_200])
  expect(await left('condkept')).toBeGreaterThan(0)
  await mergeRemovedWords()
  expect((await env.DB.prepare(`SELECT * FROM sweeps WHERE name LIKE 'index:%'`).all()).results).toEqual([])
  // The merge has come to its end: there is one part.
  expect(await env.DB.prepare('SELECT count(DISTINCT segid) AS n FROM customer_search_idx').first('n')).toBe(1)
  await env.DB.prepare(`INSERT INTO customer_search (customer_search) VALUES ('integrity-check')`).run()
})

async function everyRowOf(tenantId: string): Promise<number> {
  const row = await env.DB.prepare('SELECT count(*) AS n FROM tenants WHERE id = ?')
    .bind(tenantId)
    .first<{ n: number }>()
  return row?.n ?? 0
}

it('is done by the sweep of each minute, and empties the gates', async () => {
  const { tenantId } = await tenantWithSome('Swept')
  await admin('PUT', `/${tenantId}`, { status: 'suspended' })
  expect((await remove(tenantId, 'Swept')).status).toBe(202)
  await env.DB.prepare('UPDATE tenants SET deleted_at = deleted_at - ? WHERE id = ?').bind(LATER_MS, tenantId).run()
  // As if no other merge had begun of late.
  await env.DB.prepare('UPDATE search_merges SET begun_at = 0').run()
  for (let minute = 1; minute <= 3; minute++) {
    const execution = createExecutionContext()
    await worker.scheduled(createScheduledController(), env)
    await waitOnExecutionContext(execution)
  }
  expect(await everyRowOf(tenantId)).toBe(0)
  for (const mode of MODES) {
    const rows = await runInDurableObject(env.GATE.getByName(`${tenantId}:${mode}`), (_gate, { storage }) =>
      ['singletons', 'writes'].flatMap((table) => storage.sql.exec(`SELECT * FROM ${table}`).toArray()),
    )
    expect(rows).toEqual([])
  }
})

it('refuses a tenant that is active or not named, and changes nothing', async () => {
  const { tenantId, live } = await newTenant({ company_name: 'Globex' })
  expect(await remove(tenantId, 'Globex')).toMatchObject({
    status: 400,
    body: {
      code: 'invalid_operation',
      message:
        'Globex is not suspended: send PUT with {"status": "suspended"} first. Only a suspended customer can be deleted',
    },
  })
  await admin('PUT', `/${tenantId}`, { status: 'suspended' })
  for (const confirm of [null, '', 'globex', 'Globex Inc', '%', tenantId]) {
    const { status, body } = await remove(tenantId, confirm)
    expect([confirm, status]).toEqual([confirm, 400])
    expect(body.details.errors).toMatchObject([{ field: 'x-confirm', fix: expect.stringContaining('send Globex to') }])
  }
  expect((await remove(crypto.randomUUID(), 'Globex')).status).toBe(404)
  expect((await admin('PUT', `/${tenantId}`, { status: 'active' })).status).toBe(200)
  expect((await call('GET', '/v1/customers', { key: live.key })).status).toBe(200)
})

it('takes a name as any client can send it', async () => {
  for (const [name, confirm] of [
    ['Müller', 'M%C3%BCller'],
    ['100 % Ökö', '100 %25 %C3%96k%C3%B6'],
    ['50% off', '50% off'],
    ['日本', encodeURIComponent('日本')],
    ['Café', new TextDecoder('latin1').decode(new TextEncoder().encode('Café'))],
  ] as const) {
    const { tenantId } = await newTenant({ company_name: name, status: 'suspended' })
    expect([name, (await remove(tenantId, confirm)).status]).toEqual([name, 202])
  }
})

it('is answered when it is in force, and cannot be overtaken by a reactivation', async () => {
  const mine = hand()
  const { id } = await make(mine.deps, { companyName: 'Acme', status: 'suspended' })
  mine.live = { waitMs: 700 }
  mine.steps.length = 0
  await deleteTenant(mine.deps, id, ['Acme'])
  expect(mine.steps).toEqual(['live reads undefined', 'test reads undefined', 'sleeps 700', 'applied 2'])
  expect(await failureOf(updateTenant(mine.deps, id, { status: 'active' }))).toMatchObject({ reason: 'not_found' })

  const again = hand()
  const broken = await make(again.deps, { companyName: 'Acme', status: 'suspended' })
  again.test = new Error('away')
  expect(await failureOf(deleteTenant(again.deps, broken.id, ['Acme']))).toMatchObject({ reason: 'unavailable' })
  // Nothing is deleted before the gates have heard of it.
  await sweepDeletedTenants(deps, Date.now() + LATER_MS)
  expect(await everyRowOf(broken.id)).toBe(1)
  again.test = { waitMs: 0 }
  await deleteTenant(again.deps, broken.id, ['Acme'])
})

it('keeps a gate whose tenant is there', async () => {
  const { tenantId, live } = await newTenant()
  await newCustomer(live.key)
  expect(await env.GATE.getByName(`${tenantId}:live`).forget()).toBe(false)
  expect((await call('GET', '/v1/customers', { key: live.key })).body.items).toHaveLength(1)
})
