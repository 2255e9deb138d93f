/**
 * Responses while KV, D1 or the gate is unreachable or returns wrong data: the whole Worker with one of its bindings
 * replaced by a broken one. The gate has bindings of its own, so it works on while the isolate's are broken.
 */
import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env as bound } from 'cloudflare:workers'
import { afterEach, expect, it, vi } from 'vitest'
import { customersInMemory } from '../../../src/gate/isolate/memory.ts'
import worker from '../../../src/index.ts'
import { admin, newCustomer, newTenant, requestTo, type TestTenant } from '../support/roster.ts'

/** Counting leaves a timer of some seconds behind an answer, and these tests wait until nothing is left. */
const env = { ...bound, ANALYTICS: undefined } as unknown as Cloudflare.Env

afterEach(() => vi.restoreAllMocks())

/** Reads with some bindings replaced. */
async function read(tenant: TestTenant, id: string, broken: object = {}) {
  const context = createExecutionContext()
  const request = requestTo(`/v1/customers/${id}`, {
    headers: { authorization: `Bearer ${tenant.live.key}` },
  })
  const answer = await worker.fetch(request, { ...env, ...broken }, context)
  const body: { name?: string } = await answer.json()
  await waitOnExecutionContext(context)
  return { status: answer.status, headers: answer.headers, body, from: answer.headers.get('cache-status') }
}

async function rename(tenant: TestTenant, id: string, name: string) {
  const context = createExecutionContext()
  const headers = { authorization: `Bearer ${tenant.live.key}`, 'content-type': 'application/json' }
  const request = requestTo(`/v1/customers/${id}`, {
    method: 'PUT',
    headers,
    body: JSON.stringify({ name }),
  })
  const answer = await worker.fetch(request, env, context)
  await waitOnExecutionContext(context)
  return answer
}

function away(what: string): never {
  throw new Error(`${what} is away`)
}

const KV_AWAY = { CACHE: { get: async () => away('KV'), put: async () => away('KV') } }
const KV_HANGS = { CACHE: { get: () => new Promise(() => undefined), put: async () => undefined } }
const D1_AWAY = { DB: { withSession: () => away('D1'), prepare: () => away('D1'), batch: () => away('D1') } }
const GATE_AWAY = { GATE: { getByName: () => away('the gate') } }

const aSecond = () => scheduler.wait(1_050)

it('reads correctly without KV, and with a KV that does not answer', async () => {
  const tenant = await newTenant()
  const { id } = await newCustomer(tenant.live.key, { name: 'Ada' })
  for (const broken of [KV_AWAY, KV_HANGS]) {
    customersInMemory.clear()
    expect(await read(tenant, id, broken)).toMatchObject({
      status: 200,
      body: { name: 'Ada' },
      from: 'roster; fwd=miss',
    })
  }
})

it('never answers an old value in KV a second after the change, whatever its age', async () => {
  const tenant = await newTenant()
  const { id } = await newCustomer(tenant.live.key, { name: 'old' })
  await read(tenant, id)
  const key = `c:${tenant.tenantId}:live:${id}`
  const old = await env.CACHE.get(key)
  expect(old).toContain('"old"')
  await rename(tenant, id, 'new')
  await aSecond()
  await env.CACHE.put(key, old as string)
  customersInMemory.clear()
  expect(await read(tenant, id)).toMatchObject({ body: { name: 'new' }, from: 'roster; fwd=miss' })
})

it('answers a value in KV that nothing has changed since', async () => {
  const tenant = await newTenant()
  const { id } = await newCustomer(tenant.live.key, { name: 'Ada' })
  await aSecond()
  await read(tenant, id)
  customersInMemory.clear()
  expect(await read(tenant, id, D1_AWAY)).toMatchObject({ body: { name: 'Ada' }, from: 'roster; hit; detail=kv' })
})

it('ignores KV without a value, or with one that Roster did not write', async () => {
  const tenant = await newTenant()
  const { id } = await newCustomer(tenant.live.key, { name: 'Ada' })
  const key = `c:${tenant.tenantId}:live:${id}`
  for (const stored of [
    null,
    '{"v":0,"asof":999999,"value":null}',
    '"text"',
    '{"v":1,"asof":999999,"value":{"id":"other"}}',
  ]) {
    if (stored === null) await env.CACHE.delete(key)
    else await env.CACHE.put(key, stored)
    customersInMemory.clear()
    expect(await read(tenant, id), String(stored)).toMatchObject({ status: 200, body: { name: 'Ada' } })
  }
})

it('serves hot reads without D1, and answers others with 503 and retry-after', async () => {
  const tenant = await newTenant()
  const { id } = await newCustomer(tenant.live.key, { name: 'Ada' })
  await read(tenant, id)
  await aSecond()
  await read(tenant, id)
  expect(await read(tenant, id, D1_AWAY)).toMatchObject({ status: 200, from: 'roster; hit; detail=memory' })
  customersInMemory.clear()
  const cold = await read(tenant, id, { ...D1_AWAY, ...KV_AWAY })
  expect(cold.status).toBe(503)
  expect(cold.headers.get('retry-after')).toBe('1')
  expect(cold.body).toMatchObject({ code: 'service_unavailable' })
})

it('counts what it answers with 503 in the usage of the tenant, and no error of the caller', async () => {
  const tenant = await newTenant()
  const { id } = await newCustomer(tenant.live.key)
  for (let failed = 0; failed < 2; failed++) {
    customersInMemory.clear()
    expect((await read(tenant, id, { ...D1_AWAY, ...KV_AWAY })).status).toBe(503)
  }
  expect((await read(tenant, 'cust_01JD3VQ4X8N2M7R5T9W6YBZKCE')).status).toBe(404)
  await aSecond()
  // The isolate reports with the request for its next lease.
  await read(tenant, id)
  const { body } = await admin('GET', `/${tenant.tenantId}/usage`)
  expect(body.live.days).toMatchObject([{ errors: 2 }])
  expect(body.test.days).toEqual([])
})

it('admits requests for the second of a lease without the gate, then none', async () => {
  const tenant = await newTenant()
  const { id } = await newCustomer(tenant.live.key)
  for (let warm = 0; warm < 20; warm++) await read(tenant, id)
  const answers: { sentAtMs: number; status: number }[] = []
  const cutOffAtMs = Date.now()
  while ((answers.at(-1)?.sentAtMs ?? 0) <= cutOffAtMs + 1_500) {
    const sentAtMs = Date.now()
    const { status } = await read(tenant, id, GATE_AWAY)
    answers.push({ sentAtMs, status })
    await scheduler.wait(20)
  }
  expect(answers[0]?.status).toBe(200)
  expect(answers.filter(({ sentAtMs, status }) => sentAtMs > cutOffAtMs + 1_000 && status !== 503)).toEqual([])
  const refused = await read(tenant, id, GATE_AWAY)
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
})

it('returns 503 for a write that cannot reach the gate, and does not make it', async () => {
  const tenant = await newTenant()
  const { id } = await newCustomer(tenant.live.key, { name: 'Ada' })
  const headers = { authorization: `Bearer ${tenant.live.key}`, 'content-type': 'application/json' }
  const request = requestTo(`/v1/customers/${id}`, { method: 'PUT', headers, body: '{"name":"Eve"}' })
  const context = createExecutionContext()
  const answer = await worker.fetch(request, { ...env, ...GATE_AWAY } as unknown as Cloudflare.Env, context)
  expect(answer.status).toBe(503)
  expect(answer.headers.get('retry-after')).toBe('1')
  await aSecond()
  expect((await read(tenant, id)).body.name).toBe('Ada')
})
