/** Responses and logs while D1 has no room: 507 at once for every change, while reads go on. */
import { createExecutionContext, createMessageBatch, getQueueResult } from 'cloudflare:test'
import { env, exports } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { deliverMessage } from '../../../src/events/messages.ts'
import { customersInMemory } from '../../../src/gate/isolate/memory.ts'
import worker from '../../../src/index.ts'
import { logDatabaseSize } from '../../../src/storage/database-size.ts'
import { exportAll, importLines } from '../import/support.ts'
import { fillD1 } from '../support/full-d1.ts'
import { admin, call, newCustomer, newTenant } from '../support/roster.ts'

let d1: ReturnType<typeof fillD1> | undefined
afterEach(() => {
  d1?.makeRoom()
  vi.restoreAllMocks()
})

/** Returns the lines that are logged from now on. */
function logged(): { event: string; [field: string]: unknown }[] {
  const lines: { event: string }[] = []
  for (const level of ['info', 'warn', 'error'] as const) {
    vi.spyOn(console, level).mockImplementation((line) => void lines.push({ level, ...JSON.parse(String(line)) }))
  }
  return lines
}

const HOOK = 'http://127.0.0.1:9/'
const STEPS = { workflows: { default: { steps: [{ type: 'set_metadata', metadata: { plan: 'trial' } }] } } }

describe('a change', () => {
  it('is 507 in the error shape of each API, is not retryable, and changes nothing', async () => {
    const { tenantId, live } = await newTenant()
    const { id } = await newCustomer(live.key, { external_id: 'a', name: 'Ada' })
    d1 = fillD1()
    const asV1 = (method: string, path: string, body?: object) =>
      call(method, path, { key: live.key, ...(body && { body }) })
    const refused = [
      await asV1('POST', '/v1/customers', { external_id: 'b' }),
      await asV1('PUT', `/v1/customers/${id}`, { name: 'Eve' }),
      await asV1('PUT', '/v1/customers/external/a', { name: 'Eve' }),
      await asV1('PATCH', `/v1/customers/${id}`, { name: 'Eve' }),
      await asV1('DELETE', `/v1/customers/${id}`),
      await asV1('POST', '/v1/webhooks/endpoints', { url: HOOK }),
      await asV1('PUT', '/v1/settings/customer_onboarding', STEPS),
      await admin('PUT', `/${tenantId}`, { company_name: 'Other' }),
      await admin('POST', `/${tenantId}/keys`, { name: 'more', mode: 'live' }),
    ]
    for (const { status, headers, body } of refused) {
      expect([status, body.code, headers.get('retry-after')]).toEqual([507, 'insufficient_storage', null])
      expect(body.message).toContain('nothing was changed')
    }
    const flatpeak = await call('PATCH', `/customers/${id}`, { key: live.key, body: { reference_id: 'c' } })
    expect(flatpeak).toMatchObject({ status: 507, body: { type: 'api_error', code: 'insufficient_storage' } })
    d1.makeRoom()
    expect(await asV1('GET', `/v1/customers/${id}`)).toMatchObject({ body: { name: 'Ada', external_id: 'a' } })
    expect((await exportAll(live.key)).length).toBe(1)
  })

  it('fails with that reason for a bound Worker', async () => {
    const { tenantId } = await newTenant()
    const props = { tenantId, mode: 'live', scopes: ['customers:write', 'customers:read'], caller: 'billing' }
    d1 = fillD1()
    const customers = (
      exports as unknown as { Customers(options: object): { create(input: object): Promise<object> } }
    ).Customers({ props })
    expect(await customers.create({ externalId: 'a' })).toEqual({
      ok: false,
      failure: { reason: 'insufficient_storage', message: expect.stringContaining('full') },
    })
  })

  it('is made when it is sent again with its idempotency-key once there is room', async () => {
    const { live } = await newTenant()
    const create = () =>
      call('POST', '/v1/customers', {
        key: live.key,
        body: { external_id: 'a' },
        headers: { 'idempotency-key': 'one' },
      })
    const endpoint = () =>
      call('POST', '/v1/webhooks/endpoints', {
        key: live.key,
        body: { url: HOOK },
        headers: { 'idempotency-key': 'two' },
      })
    d1 = fillD1()
    expect([(await create()).status, (await endpoint()).status]).toEqual([507, 507])
    d1.makeRoom()
    for (const send of [create, endpoint]) {
      const { status, headers } = await send()
      expect([status, headers.get('idempotent-replayed')]).toEqual([201, null])
    }
  })

  it('returns 507 to a repeat too, and 409 once there is room, when its refusal cannot be stored under its key', async () => {
    const { live } = await newTenant()
    await newCustomer(live.key, { external_id: 'a' })
    const create = () =>
      call('POST', '/v1/customers', {
        key: live.key,
        body: { external_id: 'a' },
        headers: { 'idempotency-key': 'one' },
      })
    d1 = fillD1()
    expect((await create()).status).toBe(507)
    d1.makeRoom()
    expect((await create()).status).toBe(409)
  })

  it('gets the same answer as concurrent ones', async () => {
    const { live } = await newTenant()
    d1 = fillD1()
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        call('POST', '/v1/customers', { key: live.key, body: { external_id: `c_${at}` } }),
      ),
    )
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set([507]))
  })
})

it('keeps serving reads, from memory and from D1, of this tenant and of others', async () => {
  const [full, other] = await Promise.all([newTenant(), newTenant()])
  const [one, two] = [await newCustomer(full.live.key), await newCustomer(other.live.key)]
  d1 = fillD1()
  expect((await call('POST', '/v1/customers', { key: full.live.key, body: { external_id: 'b' } })).status).toBe(507)
  for (let read = 0; read < 2; read++) {
    expect((await call('GET', `/v1/customers/${one.id}`, { key: full.live.key })).status).toBe(200)
    expect((await call('GET', `/v1/customers/${two.id}`, { key: other.live.key })).status).toBe(200)
    expect((await call('GET', '/v1/customers', { key: other.live.key })).body.items).toHaveLength(1)
    customersInMemory.clear()
  }
})

it.each([false, true])(
  'ends an import at the first line that found no room, and says so (dry run: %s)',
  async (dryRun) => {
    const { live } = await newTenant()
    d1 = fillD1()
    const lines = ['not json', { external_id: 'a' }, { external_id: 'b' }]
    const { status, results } = await importLines(live.key, lines, { dryRun })
    expect([status, results.map(({ line, result, stopped }) => [line, result, stopped])]).toEqual([
      200,
      [
        [1, 'error', undefined],
        [2, 'error', true],
      ],
    ])
    expect(results[1]?.errors[0]?.message).toContain('The database is full')
    // One attempt: Roster does not repeat what cannot succeed.
    expect(d1.refused()).toBe(1)
    d1.makeRoom()
    expect(await exportAll(live.key)).toEqual([])
  },
)

describe('the log', () => {
  it('has a line of its own for each change, not a failure that passes', async () => {
    const { tenantId, live } = await newTenant()
    const lines = logged()
    d1 = fillD1()
    await call('POST', '/v1/customers', { key: live.key, body: { external_id: 'a' } })
    await admin('PUT', `/${tenantId}`, { company_name: 'Other' })
    const full = lines.filter(({ event }) => event === 'database_full')
    expect(full).toMatchObject([
      { level: 'error', error: 'Error: D1_ERROR: Exceeded maximum DB size', tenantId, mode: 'live' },
      { level: 'error', error: 'Error: D1_ERROR: Exceeded maximum DB size' },
    ])
    expect(lines.some(({ event }) => event === 'storage_failed')).toBe(false)
    expect(lines.filter(({ event, reason }) => event === 'refused' && reason === 'insufficient_storage')).not.toEqual(
      [],
    )
  })

  it('has one line for a message of the queue: it is left to the sweep and does not come again at once', async () => {
    const { tenantId } = await newTenant()
    const scope = { tenantId, mode: 'live' } as const
    const lines = logged()
    d1 = fillD1()
    const batch = createMessageBatch('roster-outbox', [
      { id: '1', timestamp: new Date(), attempts: 1, body: deliverMessage(scope, 'whe_1', 'cust_1') },
      { id: '2', timestamp: new Date(), attempts: 1, body: { v: 1, kind: 'onboard', ...scope, customerId: 'cust_1' } },
    ])
    const context = createExecutionContext()
    await worker.queue(batch, env)
    const result = await getQueueResult(batch, context)
    expect([result.explicitAcks.toSorted(), result.retryMessages]).toEqual([['1', '2'], []])
    expect(lines.map(({ event }) => event)).not.toContain('message_failed')
    expect(lines.map(({ event }) => event)).toContain('database_full')
  })

  it('has a line an hour about the size, and a warning from 80 % of 10 GB on', async () => {
    const atSize = async (bytes: number, nowMs = 0) => {
      const lines = logged()
      const database = { prepare: () => ({ run: async () => ({ meta: { size_after: bytes } }) }) }
      await logDatabaseSize(database as unknown as D1Database, 0, nowMs)
      return lines
    }
    expect(await atSize(7_999_999_999)).toMatchObject([{ level: 'info', event: 'database_size', percent: 79 }])
    expect(await atSize(8_000_000_000)).toMatchObject([
      { level: 'warn', event: 'database_nearly_full', bytes: 8_000_000_000, bytesMax: 10_000_000_000, percent: 80 },
    ])
    expect(await atSize(8_000_000_000, 120_000)).toEqual([])
    const lines = logged()
    await logDatabaseSize(env.DB, 0, 0)
    expect(lines).toMatchObject([{ event: 'database_size', bytes: expect.any(Number) }])
    expect(lines[0]?.bytes).toBeGreaterThan(0)
  })
})
