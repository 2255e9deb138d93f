/**
 * D1 allows 1,000 queries an invocation. Each route gets its most expensive request, and the queries of isolate and
 * gate together stay well below that. A route without a case fails.
 */
import { env } from 'cloudflare:workers'
import { inspectRoutes } from 'hono/dev'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { templateOf } from '../../../openapi/build.ts'
import { createApp } from '../../../src/app.ts'
import { services } from '../../../src/composition/services.ts'
import { importLines } from '../import/support.ts'
import { configure, RECEIVER, receive, SETTINGS } from '../onboarding/support.ts'
import { type CountedD1, countedD1 } from '../support/d1-calls.ts'
import { fromConsole, newOperator, newToken, signIn } from '../support/operators.ts'
import { ADMIN_KEY, admin, type Called, call, newCustomer, newKey, newTenant } from '../support/roster.ts'

/** The share of D1's 1,000 that a request may use. */
const STATEMENTS_MAX = 900
/** Most requests are nowhere near that: more than this is a loop that needs a reason, in `HEAVY`. */
const LIGHT_MAX = 30
const HEAVY: Record<string, number> = {
  'POST /v1/customers/import': STATEMENTS_MAX,
  // Each of ten parts asks once whether the archive has older ones.
  'POST /v1/webhooks/endpoints/{endpoint_id}/redeliver': 40,
  // One change for each of 100 customers.
  'POST /v1/undo': 120,
  // One query for each customer of the page, where one read cannot hold all children of a page.
  'GET /v1/customers': 120,
  'POST /v1/customers/search': 120,
}

interface Scenario {
  tenantId: string
  key: string
  /** The first of 100 customers; it has so many children that those of the others are read one by one. */
  id: string
}

type Case = (scenario: Scenario) => Promise<() => Promise<Called>>

const EXPAND = 'parent_customer,children,integrations,aliases'
const keyed = () => ({ 'idempotency-key': crypto.randomUUID() })
const operator = () => ({ 'x-api-key': ADMIN_KEY, ...keyed() })
const requestTo =
  (
    method: string,
    path: string | ((scenario: Scenario) => string),
    body?: object,
    headers?: () => Record<string, string>,
  ): Case =>
  async (scenario) =>
  () =>
    call(method, typeof path === 'string' ? path : path(scenario), {
      key: scenario.key,
      body,
      headers: headers?.() ?? {},
    })
/** Sends a request about a customer of its own. */
const about =
  (method: string, path: (id: string, externalId: string) => string, body?: object): Case =>
  async ({ key }) => {
    const { id, external_id } = await newCustomer(key)
    return () => call(method, path(id, external_id), { key, body, headers: method === 'POST' ? keyed() : {} })
  }
const atEndpoint =
  (method: string, path: string, body?: object): Case =>
  async ({ key }) => {
    const made = await call('POST', '/v1/webhooks/endpoints', { key, body: { url: RECEIVER } })
    const headers = method === 'POST' ? keyed() : {}
    return async () => {
      const answer = await call(method, `/v1/webhooks/endpoints/${made.body.id}${path}`, { key, body, headers })
      await call('DELETE', `/v1/webhooks/endpoints/${made.body.id}`, { key })
      return answer
    }
  }
const asOperator =
  (method: string, path: string | ((scenario: Scenario) => string), body?: object): Case =>
  async (scenario) =>
  () =>
    call(method, `/admin/${typeof path === 'string' ? path : path(scenario)}`, { headers: operator(), body })
const atEndpointAsOperator =
  (method: string, body?: object): Case =>
  async ({ tenantId, key }) => {
    const made = await call('POST', '/v1/webhooks/endpoints', { key, body: { url: RECEIVER } })
    const at = `/${tenantId}/webhooks/endpoints/${made.body.id}`
    return async () => {
      const answer = await admin(method, at, body)
      await call('DELETE', `/v1/webhooks/endpoints/${made.body.id}`, { key })
      return answer
    }
  }

const ofOperator =
  (method: string, path = '', body?: object): Case =>
  async () => {
    const { operatorId } = await newOperator('viewer')
    return () => call(method, `/admin/operators/${operatorId}${path}`, { headers: operator(), body })
  }
const inSession =
  (method: string, path: string): Case =>
  async () => {
    const cookie = await signIn((await newOperator('viewer')).key)
    return () => fromConsole(cookie, method, path)
  }

const STEPS = Array.from({ length: 20 }, () => ({ type: 'webhook', url: RECEIVER }))
const WORKFLOWS = Object.fromEntries(Array.from({ length: 10 }, (_, at) => [`w${at}`, { steps: STEPS }]))
const AWAITED = { default: { steps: [{ type: 'wait_for', signal: 'go', timeout_seconds: 86_400 }] } }
const onboarded =
  (path: string, body?: object): Case =>
  async ({ key }) => {
    await configure(key, AWAITED)
    const { id } = await newCustomer(key)
    await configure(key, {})
    const sent = body && { body }
    return () => call('POST', `/v1/customers/${id}/onboarding${path}`, { key, ...sent, headers: keyed() })
  }

const CASES: Record<string, Case> = {
  'GET /healthz': requestTo('GET', '/healthz'),
  'GET /readyz': requestTo('GET', '/readyz'),
  'POST /v1/customers/import': async ({ key }) => {
    const lines = Array.from({ length: 500 }, (_, at) => ({ external_id: 'again', name: `N ${at}` }))
    return () => importLines(key, lines)
  },
  // One statement for each page of 500: export.ts bounds the pages of a request.
  'GET /v1/customers/export': requestTo('GET', '/v1/customers/export?include_archived=true'),
  'GET /v1/customers': requestTo('GET', `/v1/customers?limit=100&sort=created_at:asc&expand=${EXPAND}`),
  'POST /v1/customers/search': requestTo('POST', '/v1/customers/search', {
    limit: 100,
    expand: EXPAND,
    sort: [{ field: 'created_at', direction: 'asc' }],
  }),
  'POST /v1/customers': requestTo('POST', '/v1/customers', { external_id: 'made', email: 'a@example.com' }, keyed),
  'PUT /v1/customers': about('PUT', (_id, externalId) => `/v1/customers?external_customer_id=${externalId}`, {
    external_id: 'renamed',
  }),
  'GET /v1/customers/{id}': requestTo('GET', ({ id }) => `/v1/customers/${id}?expand=${EXPAND}`),
  'GET /v1/customers/{id}/duplicates': requestTo('GET', ({ id }) => `/v1/customers/${id}/duplicates`),
  // Below another and with as many children as it may move.
  'PUT /v1/customers/{id}': async ({ key, id }) => {
    const { id: above } = await newCustomer(key)
    return () => call('PUT', `/v1/customers/${id}`, { key, body: { parent_customer_id: above } })
  },
  'PATCH /v1/customers/{id}': about('PATCH', (id) => `/v1/customers/${id}`, { metadata: { a: '1' } }),
  'DELETE /v1/customers/{id}': about('DELETE', (id) => `/v1/customers/${id}`),
  'GET /v1/customers/external/{external_id}': requestTo('GET', `/v1/customers/external/parent_1?expand=${EXPAND}`),
  'PUT /v1/customers/external/{external_id}': requestTo('PUT', '/v1/customers/external/upserted', { name: 'New' }),
  'GET /v1/customers/lookup/{external_id}': requestTo('GET', `/v1/customers/lookup/parent_2?expand=${EXPAND}`),
  'POST /v1/undo': async ({ key }) => {
    const headers = { 'x-request-id': 'undone' }
    await importLines(
      key,
      Array.from({ length: 100 }, (_, at) => ({ external_id: `undone_${at}` })),
      { headers },
    )
    return () => call('POST', '/v1/undo', { key, body: { import_id: 'undone', since: '2020-01-01' } })
  },
  'POST /v1/customers/{id}/revert': async ({ key }) => {
    const { id } = await newCustomer(key)
    await call('PATCH', `/v1/customers/${id}`, { key, body: { name: 'Changed' } })
    return () => call('POST', `/v1/customers/${id}/revert`, { key, headers: keyed(), body: { version: 1 } })
  },
  'POST /v1/customers/{id}/restore': async ({ key }) => {
    const { id } = await newCustomer(key)
    await call('DELETE', `/v1/customers/${id}`, { key })
    return () => call('POST', `/v1/customers/${id}/restore`, { key, headers: keyed() })
  },
  'POST /v1/customers/{id}/merge': async ({ key }) => {
    const [{ id: into }, { id }] = [await newCustomer(key), await newCustomer(key)]
    for (let at = 0; at < 5; at++) await newCustomer(key, { parent_customer_id: id })
    return () => call('POST', `/v1/customers/${id}/merge`, { key, body: { into }, headers: keyed() })
  },
  'POST /v1/customers/{id}/unmerge': async ({ key }) => {
    const [{ id: into }, { id }] = [await newCustomer(key), await newCustomer(key)]
    for (let at = 0; at < 5; at++) await newCustomer(key, { parent_customer_id: id })
    await call('POST', `/v1/customers/${id}/merge`, { key, body: { into } })
    return () => call('POST', `/v1/customers/${into}/unmerge`, { key, body: { source: id }, headers: keyed() })
  },
  'POST /v1/customers/{id}/erase': async ({ key }) => {
    const { id } = await newCustomer(key)
    for (let at = 0; at < 20; at++)
      await call('PUT', `/v1/customers/${id}`, { key, body: { external_id: `was_${at}` } })
    return () => call('POST', `/v1/customers/${id}/erase`, { key, headers: keyed() })
  },
  'GET /v1/customers/{id}/events': requestTo('GET', ({ id }) => `/v1/customers/${id}/events?limit=100`),
  'GET /v1/customers/{id}/onboarding': async (scenario) => {
    await configure(scenario.key, AWAITED)
    const { id } = await newCustomer(scenario.key)
    await configure(scenario.key, {})
    return () => call('GET', `/v1/customers/${id}/onboarding`, { key: scenario.key })
  },
  'POST /v1/customers/{id}/onboarding/signal': onboarded('/signal', { signal: 'go' }),
  'POST /v1/customers/{id}/onboarding/retry': onboarded('/retry'),
  'GET /v1/tenant': requestTo('GET', '/v1/tenant'),
  'GET /v1/tenant/usage': requestTo('GET', '/v1/tenant/usage'),
  'GET /v1/tenant/keys': requestTo('GET', '/v1/tenant/keys?limit=100'),
  'GET /v1/events': requestTo('GET', '/v1/events?limit=100'),
  'GET /v1/webhooks/endpoints': requestTo('GET', '/v1/webhooks/endpoints'),
  'POST /v1/webhooks/endpoints': requestTo('POST', '/v1/webhooks/endpoints', { url: RECEIVER, enabled: false }, keyed),
  'GET /v1/webhooks/endpoints/{endpoint_id}': atEndpoint('GET', ''),
  'PATCH /v1/webhooks/endpoints/{endpoint_id}': atEndpoint('PATCH', '', { description: 'new', url: RECEIVER }),
  'DELETE /v1/webhooks/endpoints/{endpoint_id}': atEndpoint('DELETE', ''),
  'POST /v1/webhooks/endpoints/{endpoint_id}/rotate': atEndpoint('POST', '/rotate', {}),
  'POST /v1/webhooks/endpoints/{endpoint_id}/test': atEndpoint('POST', '/test', {}),
  'GET /v1/webhooks/endpoints/{endpoint_id}/deliveries': atEndpoint('GET', '/deliveries?limit=100'),
  'POST /v1/webhooks/endpoints/{endpoint_id}/retry': atEndpoint('POST', '/retry', {}),
  // A thousand events, of more customers than that.
  'POST /v1/webhooks/endpoints/{endpoint_id}/redeliver': atEndpoint('POST', '/redeliver', {
    since: new Date(Date.now() - 3_600_000).toISOString(),
  }),
  [`GET ${SETTINGS}`]: requestTo('GET', SETTINGS),
  [`PUT ${SETTINGS}`]: requestTo('PUT', SETTINGS, { workflows: WORKFLOWS }),
  [`POST ${SETTINGS}/rotate`]: async ({ key }) => {
    await configure(key, {})
    return () => call('POST', `${SETTINGS}/rotate`, { key, body: {}, headers: keyed() })
  },
  'GET /customers': requestTo('GET', '/customers?limit=100'),
  'POST /customers': requestTo('POST', '/customers', { reference_id: 'flat', email: 'flat@example.com' }, keyed),
  'GET /customers/{id}': requestTo('GET', ({ id }) => `/customers/${id}`),
  'PATCH /customers/{id}': about('PATCH', (id) => `/customers/${id}`, { email: 'new@example.com' }),
  'DELETE /customers/{id}': about('DELETE', (id) => `/customers/${id}`),
  'GET /login': async ({ tenantId, key }) => {
    const headers = { authorization: `Basic ${btoa(`${tenantId}:${key}`)}` }
    return () => call('GET', '/login', { headers })
  },
  'GET /admin/customers': asOperator('GET', 'customers?limit=100'),
  'POST /admin/customers': asOperator('POST', 'customers', { company_name: 'New', contact_email: 'a@example.com' }),
  'GET /admin/customers/{customer_id}': asOperator('GET', ({ tenantId }) => `customers/${tenantId}`),
  'PUT /admin/customers/{customer_id}': asOperator('PUT', ({ tenantId }) => `customers/${tenantId}`, {
    company_name: 'Other',
    tier: 'enterprise',
  }),
  'GET /admin/customers/{customer_id}/usage': asOperator('GET', ({ tenantId }) => `customers/${tenantId}/usage`),
  'GET /admin/customers/{customer_id}/keys': asOperator(
    'GET',
    ({ tenantId }) => `customers/${tenantId}/keys?limit=100`,
  ),
  'POST /admin/customers/{customer_id}/keys': asOperator('POST', ({ tenantId }) => `customers/${tenantId}/keys`, {
    name: 'new',
  }),
  'DELETE /admin/customers/{customer_id}/keys/{key_id}': async ({ tenantId }) => {
    const { keyId } = await newKey(tenantId, {})
    return () => admin('DELETE', `/${tenantId}/keys/${keyId}`)
  },
  'POST /admin/customers/{customer_id}/keys/{key_id}/rotate': async ({ tenantId }) => {
    const { keyId } = await newKey(tenantId, {})
    return () => call('POST', `/admin/customers/${tenantId}/keys/${keyId}/rotate`, { headers: operator(), body: {} })
  },
  'DELETE /admin/customers/{customer_id}': async () => {
    const { tenantId } = await newTenant()
    await admin('PUT', `/${tenantId}`, { company_name: 'Gone', status: 'suspended' })
    return () => call('DELETE', `/admin/customers/${tenantId}`, { headers: { ...operator(), 'x-confirm': 'Gone' } })
  },
  'GET /admin/customers/{customer_id}/webhooks/endpoints': asOperator(
    'GET',
    ({ tenantId }) => `customers/${tenantId}/webhooks/endpoints`,
  ),
  'GET /admin/customers/{customer_id}/webhooks/endpoints/{endpoint_id}': atEndpointAsOperator('GET'),
  'PATCH /admin/customers/{customer_id}/webhooks/endpoints/{endpoint_id}': atEndpointAsOperator('PATCH', {
    enabled: false,
  }),
  'DELETE /admin/customers/{customer_id}/webhooks/endpoints/{endpoint_id}': atEndpointAsOperator('DELETE'),
  'GET /admin/customers/{customer_id}/settings/customer_onboarding': asOperator(
    'GET',
    ({ tenantId }) => `customers/${tenantId}/settings/customer_onboarding`,
  ),
  'GET /admin/audit': asOperator('GET', ({ tenantId }) => `audit?tenant_id=${tenantId}&limit=100`),
  'GET /admin/health': asOperator('GET', () => 'health'),
  'GET /admin/search': asOperator('GET', () => 'search?q=user_1'),
  'GET /admin/operators': asOperator('GET', 'operators?limit=100'),
  'POST /admin/operators': async () => {
    const body = { name: 'New', email: `${crypto.randomUUID()}@example.com`, role: 'viewer' }
    return () => call('POST', '/admin/operators', { headers: operator(), body })
  },
  'GET /admin/operators/{operator_id}': ofOperator('GET'),
  'PATCH /admin/operators/{operator_id}': ofOperator('PATCH', '', { role: 'admin', name: 'Other' }),
  'DELETE /admin/operators/{operator_id}': ofOperator('DELETE'),
  'GET /admin/operators/{operator_id}/keys': ofOperator('GET', '/keys'),
  'POST /admin/operators/{operator_id}/keys': ofOperator('POST', '/keys', {}),
  'DELETE /admin/operators/{operator_id}/keys/{key_id}': async () => {
    const { operatorId, keyId } = await newOperator('viewer')
    return () => call('DELETE', `/admin/operators/${operatorId}/keys/${keyId}`, { headers: operator() })
  },
  'POST /admin/operators/{operator_id}/sign_in_links': ofOperator('POST', '/sign_in_links'),
  // By a link, in a browser that has another session.
  'POST /admin/session': async () => {
    const { operatorId, key } = await newOperator('viewer')
    const [cookie, token] = [await signIn(key), await newToken(operatorId)]
    return () => call('POST', '/admin/session', { headers: { cookie }, body: { token } })
  },
  'GET /admin/session': inSession('GET', '/admin/session'),
  'DELETE /admin/session': inSession('DELETE', '/admin/session'),
  'GET /admin/me': inSession('GET', '/admin/me'),
}

const routed = inspectRoutes(createApp(services))
  .filter(({ isMiddleware }) => !isMiddleware)
  .map(({ method, path }) => `${method} ${templateOf(path)}`)

let d1: CountedD1

beforeEach(() => {
  // The consequences of a change run in another invocation: d1-background.test.ts counts it.
  vi.spyOn(Object.getPrototypeOf(env.OUTBOX), 'sendBatch').mockResolvedValue(undefined)
  receive(() => new Response('OK'))
  d1 = countedD1()
})
afterEach(() => {
  d1.restore()
  vi.restoreAllMocks()
})
afterAll(() => vi.restoreAllMocks())

describe('the counter', () => {
  it('counts each kind of call once, and a batch by its statements', async () => {
    const session = env.DB.withSession('first-primary')
    const one = () => env.DB.prepare('SELECT ?').bind(1)
    for (const runQuery of [() => one().run(), () => one().all(), () => one().raw(), () => one().first()]) {
      await runQuery()
      expect(d1.take()).toEqual({ trips: 1, statements: 1 })
    }
    for (const client of [env.DB, session]) {
      await client.batch([one(), one()])
      expect(d1.take()).toEqual({ trips: 1, statements: 2 })
    }
  })
})

describe('the statements of one request', () => {
  let scenario: Scenario
  beforeAll(async () => {
    const { tenantId, live } = await newTenant()
    const parents = Array.from({ length: 100 }, (_, at) => ({ external_id: `parent_${at}` }))
    const children = Array.from({ length: 1_000 }, (_, at) => ({
      external_id: `child_${at}`,
      parent_customer_external_id: 'parent_0',
    }))
    const { results } = await importLines(live.key, [...parents, ...children])
    scenario = { tenantId, key: live.key, id: results[0]?.id ?? '' }
  })

  // Moves need several databases, and are two or three statements.
  it('are counted for every route', () => {
    expect([...routed].filter((name) => !name.endsWith('/move')).toSorted()).toEqual(Object.keys(CASES).toSorted())
  })

  it.each(Object.entries(CASES))('%s', async (name, prepare) => {
    const request = await prepare(scenario)
    d1.take()
    const { status, text } = await request()
    const { statements } = d1.take()
    expect(status, text).toBeLessThan(300)
    expect(statements).toBeLessThanOrEqual(HEAVY[name] ?? LIGHT_MAX)
  })
})

describe('the trips of a change', () => {
  const trips = async (request: () => Promise<Called>) => {
    d1.take()
    const { status, text } = await request()
    expect(status, text).toBeLessThan(300)
    return d1.take().trips
  }

  it('are one, by either id of a customer that the gate has seen, whether it changes anything or not', async () => {
    const { live } = await newTenant()
    const { id, external_id } = await newCustomer(live.key)
    for (const path of [`/${id}`, `/external/${external_id}`, `?external_customer_id=${external_id}`]) {
      for (const name of [`Ada at ${path}`, `Ada at ${path}`]) {
        const change = () => call('PUT', `/v1/customers${path}`, { key: live.key, body: { name } })
        expect([path, await trips(change)]).toEqual([path, 1])
      }
    }
  })

  it('are one with a setting of onboarding that has no workflow, and two with one that has', async () => {
    const { live } = await newTenant()
    const { id } = await newCustomer(live.key)
    let names = 0
    const change = () => call('PUT', `/v1/customers/${id}`, { key: live.key, body: { name: `Ada ${names++}` } })
    await configure(live.key, {})
    expect(await trips(change)).toBe(1)
    await configure(live.key, AWAITED)
    expect(await trips(change)).toBe(2)
    await configure(live.key, {})
    expect(await trips(change)).toBe(1)
  })
})

describe('the statements of a batch of the gate', () => {
  it('are few enough where a rule refuses one of as many writes as may wait, each with a key', async () => {
    const { live } = await newTenant()
    const parents = await importLines(
      live.key,
      Array.from({ length: 57 }, (_, at) => ({ external_id: `p_${at}` })),
    )
    await importLines(
      live.key,
      Array.from({ length: 57 }, (_, at) => ({ external_id: `c_${at}`, parent_customer_external_id: `p_${at}` })),
    )
    d1.take()
    const answers = await Promise.all(
      parents.results.map(({ id }) => call('POST', `/v1/customers/${id}/erase`, { key: live.key, headers: keyed() })),
    )
    expect(new Set(answers.map(({ body }) => body.details?.reason))).toEqual(new Set(['has_children']))
    const { statements } = d1.take()
    console.error(`D1CALLS batch ${statements}`)
    expect(statements).toBeLessThanOrEqual(STATEMENTS_MAX)
    // Nearly all of them in one batch, or the bound would prove nothing.
    expect(statements).toBeGreaterThan(56 * 8)
  })
})
