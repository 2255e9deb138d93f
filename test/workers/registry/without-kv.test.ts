/**
 * A Roster in a jurisdiction has no KV, because KV has copies of its values all over the world: everything works, and no customer
 * gets there. The whole Worker runs with the bindings that a deployment has there.
 */
import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { customersInMemory } from '../../../src/gate/isolate/memory.ts'
import worker from '../../../src/index.ts'
import { sweepErasures } from '../../../src/storage/customers/erasures.ts'
import { sweepDeletedTenants } from '../../../src/storage/tenants/deletions.ts'
import { mergeRemovedWords } from '../support/removed-words.ts'
import { ADMIN_KEY, admin, call, newTenant, requestTo, type TestTenant } from '../support/roster.ts'

/** Counting leaves a timer of some seconds behind an answer, and these tests wait until nothing is left. */
const WITH_KV = { ...env, ANALYTICS: undefined } as unknown as Cloudflare.Env
const WITHOUT_KV = { ...WITH_KV, CACHE: undefined, JURISDICTION: 'eu' } as unknown as Cloudflare.Env

/** Sends a request, and waits until what it left to do is done. */
async function send(given: Cloudflare.Env, tenant: TestTenant, method: string, path: string, body?: object) {
  const context = createExecutionContext()
  const headers = { authorization: `Bearer ${tenant.live.key}`, 'content-type': 'application/json' }
  const init = { method, headers, ...(body && { body: JSON.stringify(body) }) }
  const answer = await worker.fetch(requestTo(path, init), given, context)
  const text = await answer.text()
  await waitOnExecutionContext(context)
  expect(answer.status, `${method} ${path}: ${text}`).toBeLessThan(300)
  return { answer, body: text === '' ? null : JSON.parse(text) }
}

/** Returns the keys of a tenant in KV. */
async function keysOf({ tenantId }: TestTenant): Promise<string[]> {
  const lists = await Promise.all(['c', 'x'].map((kind) => env.CACHE.list({ prefix: `${kind}:${tenantId}:` })))
  return lists.flatMap(({ keys }) => keys.map(({ name }) => name))
}

/** Makes, reads, changes and finds a customer through this Worker. Returns its id and what was in KV meanwhile. */
async function live(given: Cloudflare.Env, tenant: TestTenant) {
  const ask = (method: string, path: string, body?: object) => send(given, tenant, method, path, body)
  const { id } = (await ask('POST', '/v1/customers', { external_id: 'ada', name: 'Ada' })).body
  customersInMemory.clear()
  for (const path of [id, id, 'external/ada', 'external/ada']) {
    expect((await ask('GET', `/v1/customers/${path}`)).body).toMatchObject({ id, name: 'Ada' })
  }
  const between = await keysOf(tenant)
  await ask('PUT', `/v1/customers/${id}`, { name: 'Ada L.', external_id: 'ada l' })
  expect((await ask('GET', '/v1/customers/external/ada%20l')).body.name).toBe('Ada L.')
  expect((await ask('GET', '/v1/customers?q=ada')).body.items).toMatchObject([{ id }])
  expect((await ask('GET', `/customers?reference_id=ada%20l`)).body.data).toMatchObject([{ id }])
  return { id, between }
}

it('serves every request, and puts no customer into KV', async () => {
  const control = await newTenant()
  expect((await live(WITH_KV, control)).between).toHaveLength(2)
  const tenant = await newTenant()
  const { id, between } = await live(WITHOUT_KV, tenant)
  expect([...between, ...(await keysOf(tenant))]).toEqual([])
  const { answer } = await send(WITHOUT_KV, tenant, 'GET', `/v1/customers/${id}`)
  expect(answer.headers.get('cache-status')).toBe('roster; hit; detail=memory')
  customersInMemory.clear()
  const cold = await send(WITHOUT_KV, tenant, 'GET', `/v1/customers/${id}`)
  expect(cold.answer.headers.get('cache-status')).toBe('roster; fwd=miss')
})

it('erases customers and deletes tenants, where there is no KV to clean', async () => {
  const tenant = await newTenant()
  const { id } = await live(WITHOUT_KV, tenant)
  await send(WITHOUT_KV, tenant, 'POST', `/v1/customers/${id}/erase`)
  const left = () => env.DB.prepare('SELECT count(*) AS n FROM erasures WHERE tenant_id = ?').bind(tenant.tenantId)
  expect(await left().first('n')).toBe(1)
  const laterMs = Date.now() + 600_000
  await sweepErasures(env.DB, null, laterMs)
  expect(await left().first('n')).toBe(0)

  await admin('PUT', `/${tenant.tenantId}`, { status: 'suspended' })
  const headers = { 'x-api-key': ADMIN_KEY, 'x-confirm': encodeURIComponent('Test Company') }
  expect((await call('DELETE', `/admin/customers/${tenant.tenantId}`, { headers })).status).toBe(202)
  const forgetGate = (tenantId: string, mode: string) => env.GATE.getByName(`${tenantId}:${mode}`).forget()
  const deps = { databases: [env.DB], kv: null, archive: env.ARCHIVE, forgetGate }
  await sweepDeletedTenants(deps, laterMs)
  await mergeRemovedWords()
  await sweepDeletedTenants(deps, laterMs)
  const row = env.DB.prepare('SELECT count(*) AS n FROM tenants WHERE id = ?').bind(tenant.tenantId)
  expect(await row.first('n')).toBe(0)
})

it('is ready', async () => {
  const answer = await worker.fetch(requestTo('/readyz'), WITHOUT_KV, createExecutionContext())
  expect(await answer.json()).toMatchObject({ status: 'ready', checks: { kv: 'ok' } })
})
