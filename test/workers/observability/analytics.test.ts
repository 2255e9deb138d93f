/**
 * The rows that reach Analytics Engine: the number of requests of each kind, written seldom, and nothing of their content.
 */
import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Customers } from '../../../src/entrypoints/rpc.ts'
import worker from '../../../src/index.ts'
import { Analytics } from '../../../src/observability/analytics.ts'
import type { CountedResponse, Point } from '../../../src/observability/request-counts.ts'
import { ADMIN_KEY, requestTo } from '../support/roster.ts'

afterEach(() => vi.restoreAllMocks())

const READ = { api: 'v1', route: 'GET /v1/customers/:id' }
const REQUESTS = 0

function answered(tenantId: string, label = READ): CountedResponse {
  return { scope: { tenantId, mode: 'live' }, label, status: 200, source: 'memory', startedAtMs: 1_000_000, io: null }
}

describe('writing', () => {
  function started(writeDataPoint: (point?: AnalyticsEngineDataPoint) => void) {
    let wake: () => void = () => undefined
    const timers: Promise<unknown>[] = []
    const sleep = vi.fn(() => new Promise<void>((resolve) => (wake = resolve)))
    const analytics = new Analytics(sleep)
    const executionCtx = { waitUntil: (work: Promise<unknown>) => void timers.push(work) }
    return {
      timers,
      count: (one: CountedResponse, nowMs: number) => analytics.count(one, nowMs, { writeDataPoint }, { executionCtx }),
      async goOff() {
        wake()
        await Promise.all(timers)
      },
    }
  }

  it('happens once in five seconds, behind the answer, however many requests there are', async () => {
    const points: Point[] = []
    const { timers, count, goOff } = started((point) => points.push(point as Point))
    for (let at = 0; at < 4_000; at++) count(answered('t'), 1_000_000 + at)
    expect([points.length, timers.length]).toEqual([0, 1])
    await goOff()
    expect(points.map(({ doubles }) => doubles[REQUESTS])).toEqual([4_000])
    count(answered('t'), 1_004_999)
    expect(timers).toHaveLength(1)
    count(answered('t'), 1_005_000)
    expect(timers).toHaveLength(2)
    await goOff()
    expect(points.map(({ doubles }) => doubles[REQUESTS])).toEqual([4_000, 2])
  })

  it('is not delayed when there are as many rows as one invocation may write', () => {
    const points: Point[] = []
    const { count } = started((point) => points.push(point as Point))
    for (let at = 0; at < 600; at++) count(answered(`tenant-${at}`), 1_000_000)
    expect(points).toHaveLength(500)
  })

  it('logs a failure, and fails no request', async () => {
    const error = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const { count, goOff } = started(() => {
      throw new Error('no more points')
    })
    count(answered('t'), 1_000_000)
    await goOff()
    expect(error.mock.calls.map(([line]) => JSON.parse(line))).toMatchObject([
      { event: 'analytics_failed', error: 'Error: no more points' },
    ])
  })
})

describe('the counts', () => {
  it('cover every request at every API, under its route, without anything that names a customer', async () => {
    const points: Point[] = []
    const bindings = { ...env, ANALYTICS: { writeDataPoint: (point: Point) => void points.push(point) } }
    const contexts: ExecutionContext[] = []
    async function send(method: string, path: string, headers: Record<string, string> = {}, body?: object) {
      const context = createExecutionContext()
      contexts.push(context)
      const init = { method, headers: { 'content-type': 'application/json', ...headers } }
      const request = requestTo(path, body ? { ...init, body: JSON.stringify(body) } : init)
      const answer = await worker.fetch(request, bindings as unknown as Cloudflare.Env, context)
      const text = await answer.text()
      return text === '' ? {} : JSON.parse(text)
    }
    const operator = { 'x-api-key': ADMIN_KEY }
    const company = { company_name: 'Private Company', contact_email: 'ceo@private.example', tier: 'enterprise' }
    const { customer_id: tenantId } = await send('POST', '/admin/customers', operator, company)
    const { key } = await send('POST', `/admin/customers/${tenantId}/keys`, operator, { name: 'k' })
    const bearer = { authorization: `Bearer ${key}` }
    const person = { external_id: 'ada@private.example', name: 'Ada Private' }
    const { id } = await send('POST', '/v1/customers', bearer, person)
    for (let times = 0; times < 40; times++) await send('GET', `/v1/customers/${id}`, bearer)
    await send('GET', '/v1/customers/external/ada%40private.example', bearer)
    await send('GET', '/v1/customers?email=ada@private.example', bearer)
    await send('GET', '/v1/customers/cust_private', bearer)
    await send('GET', `/customers/${id}`, bearer)
    await send('GET', '/v1/private-path', bearer)
    await send('PROPFIND', `/v1/customers/${id}`, bearer)
    await send('GET', '/private-path')
    await send('GET', `/v1/customers/${id}`, { authorization: 'Bearer private' })
    const context = createExecutionContext()
    contexts.push(context)
    const props = { tenantId, mode: 'live', scopes: ['customers:read'], caller: 'billing' }
    const rpc = new Customers(Object.assign(context, { props }) as never, bindings as unknown as Cloudflare.Env)
    await rpc.get(id)
    await rpc.get('cust_private')

    await Promise.all(contexts.map(waitOnExecutionContext))
    const requests: Record<string, number> = {}
    for (const { indexes, blobs, doubles } of points) {
      const label = [indexes[0] === tenantId ? 'tenant' : indexes[0], ...blobs].join(' ')
      requests[label] = (requests[label] ?? 0) + (doubles[REQUESTS] ?? 0)
    }
    expect(requests).toEqual({
      'none none admin POST /admin/customers 2xx': 1,
      'none none admin POST /admin/customers/:customer_id/keys 2xx': 1,
      'tenant live v1 POST /v1/customers 2xx': 1,
      'tenant live v1 GET /v1/customers/:id 2xx': 40,
      'tenant live v1 GET /v1/customers/external/:external_id 2xx': 1,
      'tenant live v1 GET /v1/customers 2xx': 1,
      'tenant live v1 GET /v1/customers/:id 4xx': 1,
      'tenant live flatpeak GET /customers/:id 2xx': 1,
      'tenant live v1 ALL /v1/* 4xx': 2,
      'none none v1 ALL /* 4xx': 1,
      'none none v1 GET /v1/customers/:id 4xx': 1,
      'tenant live rpc get 2xx': 1,
      'tenant live rpc get 4xx': 1,
    })
    expect(JSON.stringify(points).toLowerCase()).not.toContain('private')
    expect(JSON.stringify(points)).not.toContain(id)

    const totals = points
      .filter(({ indexes }) => indexes[0] === tenantId)
      .reduce<number[]>((sums, { doubles }) => doubles.map((value, at) => value + (sums[at] ?? 0)), [])
    const [, memory = 0, kv = 0, d1 = 0, gateCalls = 0] = totals
    expect(memory + kv + d1).toBe(44)
    expect(memory).toBeGreaterThanOrEqual(39)
    expect(gateCalls).toBeGreaterThanOrEqual(2)
    expect(points.length).toBeLessThan(30)
  })
})
