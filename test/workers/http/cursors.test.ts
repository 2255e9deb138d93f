/**
 * Cursors of every route that pages: each continues its own list, and is refused with another query, tenant, mode or route
 * and in any other form. The routes are those whose contract has a cursor, so a new one fails here until it is driven too.
 */
import { env } from 'cloudflare:workers'
import { beforeAll, describe, expect, it } from 'vitest'
import { pageCursor } from '../../../src/http/cursor.ts'
import { BOUND_CALLER, bound } from '../apis/drivers.ts'
import { contracts, nameOf } from '../support/contracts.ts'
import { asOwner, newOperator } from '../support/operators.ts'
import {
  ADMIN_KEY,
  type Called,
  call,
  newCustomer,
  newTenant,
  newTenantOfBothModes,
  type TestTenant,
  type TestTenantOfBothModes,
} from '../support/roster.ts'

const paged = contracts.filter(({ pagedBy }) => pagedBy !== null)

type Query = Record<string, unknown>
interface Driver {
  path(): string
  /** The query of the first page, and another one. The route of keys has one query only. */
  query: Query
  other: Query | null
  /** False if the list is over all tenants. */
  ofTenant: boolean
  /** Set if a page that continues takes more rows than a test makes: the cursor is made by hand. */
  position?: string
}

let tenant: TestTenantOfBothModes
let stranger: TestTenant
let customerId: string
let endpointId: string

const drivers: Record<string, Driver> = {
  'GET /v1/customers': { path: () => '/v1/customers', query: {}, other: { status: 'draft' }, ofTenant: true },
  'POST /v1/customers/search': {
    path: () => '/v1/customers/search',
    query: { metadata: { a: '1' } },
    other: { metadata: { a: '2' } },
    ofTenant: true,
  },
  'GET /v1/events': { path: () => '/v1/events', query: {}, other: { order: 'asc' }, ofTenant: true },
  'GET /v1/customers/:id/events': {
    path: () => `/v1/customers/${customerId}/events`,
    query: {},
    other: { order: 'asc' },
    ofTenant: true,
  },
  'GET /v1/webhooks/endpoints/:endpoint_id/deliveries': {
    path: () => `/v1/webhooks/endpoints/${endpointId}/deliveries`,
    query: {},
    other: { status: 'delivered' },
    ofTenant: true,
  },
  'POST /v1/webhooks/endpoints/:endpoint_id/redeliver': {
    path: () => `/v1/webhooks/endpoints/${endpointId}/redeliver`,
    query: { failed: true },
    other: { since: '2026-01-01' },
    ofTenant: true,
    position: 'evt_01JD3VQ4X8N2M7R5T9W6YBZKCE',
  },
  'GET /admin/customers': {
    path: () => '/admin/customers',
    query: { tier: 'enterprise' },
    other: { tier: 'custom' },
    ofTenant: false,
  },
  'GET /admin/customers/:customer_id/keys': {
    path: () => `/admin/customers/${tenant.tenantId}/keys`,
    query: {},
    other: null,
    ofTenant: false,
  },
  'GET /v1/tenant/keys': { path: () => '/v1/tenant/keys', query: {}, other: null, ofTenant: true },
  'GET /admin/operators': { path: () => '/admin/operators', query: {}, other: null, ofTenant: false },
  'GET /admin/audit': {
    path: () => '/admin/audit',
    query: { type: 'key.created' },
    other: { type: 'tenant.created' },
    ofTenant: false,
  },
}

beforeAll(async () => {
  tenant = await newTenantOfBothModes()
  stranger = await newTenant()
  const { body } = await call('POST', '/v1/webhooks/endpoints', {
    key: tenant.live.key,
    body: { url: 'http://127.0.0.1:9/hook' },
  })
  endpointId = body.id
  // A second of each, so that a page of one goes on.
  await asOwner('POST', `/admin/customers/${tenant.tenantId}/keys`, { body: { mode: 'live' } })
  for (const role of ['viewer', 'support'] as const) await newOperator(role)
  customerId = (await newCustomer(tenant.live.key, { metadata: { a: '1' } })).id
  await newCustomer(tenant.live.key, { metadata: { a: '1' } })
  await call('PUT', `/v1/customers/${customerId}`, { key: tenant.live.key, body: { name: 'Ada' } })
})

function send(name: string, query: Query, key = tenant.live.key): Promise<Called> {
  const { path, ofTenant } = drivers[name] as Driver
  const headers: Record<string, string> = ofTenant ? { authorization: `Bearer ${key}` } : { 'x-api-key': ADMIN_KEY }
  if (name.startsWith('POST')) return call('POST', path(), { headers, body: query })
  return call('GET', `${path()}?${new URLSearchParams(query as Record<string, string>)}`, { headers })
}

async function cursorOf(name: string): Promise<string> {
  const { path, query, position } = drivers[name] as Driver
  if (position !== undefined) {
    const list = { path: path(), scope: `${tenant.tenantId} live`, query }
    return (await (await pageCursor(env.SIGNING_SECRETS.split(','), list, null)).next(position)) ?? ''
  }
  const { body } = await send(name, { ...query, limit: 1 })
  return body.pagination.next_cursor
}

function expectRefused(answer: Called, message: RegExp): void {
  const [problem] = answer.body.details?.errors ?? []
  expect([answer.status, problem?.field, problem?.message], answer.text).toEqual([
    400,
    'cursor',
    expect.stringMatching(message),
  ])
  expect(problem.fix).toContain('first page')
}

it('is driven here at every route whose contract has one', () => {
  expect(Object.keys(drivers).toSorted()).toEqual(paged.map(nameOf).toSorted())
  expect(paged.length).toBeGreaterThan(8)
})

describe.each(Object.keys(drivers))('%s with a cursor', (name) => {
  const { query, other, ofTenant } = drivers[name] as Driver

  it('continues the list, also with another limit', async () => {
    const cursor = await cursorOf(name)
    const isBody = name.startsWith('POST')
    const limits = name.endsWith('redeliver') ? [{}] : [{ limit: isBody ? 1 : '1' }, { limit: isBody ? 50 : '50' }]
    for (const limit of limits) expect((await send(name, { ...query, ...limit, cursor })).status).toBeLessThan(300)
  })

  it('refuses that of another query, key or route, and any other form', async () => {
    const cursor = await cursorOf(name)
    if (other) expectRefused(await send(name, { ...other, cursor }), /other filters or another order/)
    if (ofTenant) {
      for (const { key } of [stranger.live, tenant.test]) {
        expectRefused(await send(name, { ...query, cursor }, key), /another list/)
      }
    }
    for (const foreign of Object.keys(drivers).filter((one) => one !== name)) {
      expectRefused(await send(name, { ...query, cursor: await cursorOf(foreign) }), /another list/)
    }
    for (const text of [cursor.slice(0, -1), `${cursor}A`, customerId, btoa(customerId), 'x'.repeat(40), '..']) {
      expectRefused(await send(name, { ...query, cursor: text }), /is not a cursor/)
    }
    expectRefused(await send(name, { ...query, cursor: '' }), /is empty/)
  })
})

describe('the cursor of RPC', () => {
  const list = (mode: 'live' | 'test', query: object) =>
    bound({ tenantId: tenant.tenantId, mode, scopes: ['customers:read'], caller: BOUND_CALLER }).list(query)

  it('continues its list, and is refused with another query, mode or form', async () => {
    const first = await list('live', { limit: 1 })
    const cursor = (first.ok && first.nextCursor) || ''
    expect(await list('live', { limit: 2, cursor })).toMatchObject({ ok: true })
    const refused = [
      await list('live', { order: 'oldest', cursor }),
      await list('live', { email: 'ada@example.com', cursor }),
      await list('test', { cursor }),
      await list('live', { cursor: customerId }),
      await list('live', { cursor: await cursorOf('GET /v1/customers') }),
    ]
    for (const answer of refused) {
      expect(answer).toMatchObject({
        ok: false,
        failure: {
          reason: 'invalid_input',
          problems: [{ field: 'cursor', fix: expect.stringContaining('first page') }],
        },
      })
    }
  })
})

describe('an id in place of a cursor', () => {
  it.each(['starting_after', 'ending_before'])(
    'is refused as %s if it is of another tenant or mode',
    async (parameter) => {
      const path = `/customers?${parameter}=${customerId}`
      expect((await call('GET', path, { key: tenant.live.key })).status).toBe(200)
      const unknown = `/customers?${parameter}=cust_01JD3VQ4X8N2M7R5T9W6YBZKCE`
      const answers = [
        await call('GET', path, { key: stranger.live.key }),
        await call('GET', path, { key: tenant.test.key }),
        await call('GET', unknown, { key: tenant.live.key }),
      ]
      for (const { status, body } of answers) {
        expect([status, body.code, body.param]).toEqual([400, 'invalid_parameter', parameter])
      }
    },
  )

  it('is refused as the beginning of an export if it is of another tenant or mode; that of an erased customer is not', async () => {
    const { id } = await newCustomer(tenant.live.key)
    await call('POST', `/v1/customers/${id}/erase`, { key: tenant.live.key })
    const path = `/v1/customers/export?after=${id}`
    expect((await call('GET', path, { key: tenant.live.key })).status).toBe(200)
    for (const { key } of [stranger.live, tenant.test]) {
      const { status, body } = await call('GET', path, { key })
      expect([status, body.details.errors[0].field]).toEqual([400, 'after'])
    }
  })
})
