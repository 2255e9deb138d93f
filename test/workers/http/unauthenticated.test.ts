/**
 * Every route refuses callers without a right: the routes are taken from the app itself, so that a new one cannot be
 * forgotten. Another tenant's resource is answered, byte for byte, like one that does not exist.
 */
import { inspectRoutes } from 'hono/dev'
import { describe, expect, it } from 'vitest'
import { createApp } from '../../../src/app.ts'
import { services } from '../../../src/composition/services.ts'
import { mintKey } from '../../../src/tenants/key-format.ts'
import {
  ADMIN_KEY,
  type Called,
  call,
  newCustomer,
  newTenant,
  newTenantOfBothModes,
  type TestTenant,
} from '../support/roster.ts'

/** Served to any caller. Adding a route here is a decision about security. */
const PUBLIC = new Set(['GET /healthz', 'GET /readyz'])

const SIGNING_SECRET = 'test-signing-secret-0123456789abcdef'

interface Route {
  method: string
  path: string
}

const routes: Route[] = [
  ...new Map(
    inspectRoutes(createApp(services))
      .filter(({ isMiddleware }) => !isMiddleware)
      .map(({ method, path }) => [`${method} ${path}`, { method, path }]),
  ).values(),
].filter(({ method, path }) => !PUBLIC.has(`${method} ${path}`))

const isAdmin = ({ path }: Route) => path.startsWith('/admin')
const nameOf = ({ method, path }: Route) => `${method} ${path}`

/** Nothing listens there. */
const WEBHOOK_URL = 'http://127.0.0.1:9/'

const SIGNAL = 'go'

/** Creates a tenant that has one of everything that a path can name. */
async function createFullTenant() {
  const tenant = await newTenant()
  const workflows = { default: { steps: [{ type: 'wait_for', signal: SIGNAL, timeout_seconds: 3_600 }] } }
  await call('PUT', '/v1/settings/customer_onboarding', { key: tenant.live.key, body: { workflows } })
  const customer = await newCustomer(tenant.live.key, { external_id: 'user_1', name: 'Acme' })
  const endpoint = await call('POST', '/v1/webhooks/endpoints', { key: tenant.live.key, body: { url: WEBHOOK_URL } })
  return { tenant, customer, names: { ...namesOf(tenant, customer), endpoint_id: endpoint.body.id } }
}

function namesOf(tenant: TestTenant, customer: { id: string; external_id: string }): Record<string, string> {
  return {
    id: customer.id,
    external_id: customer.external_id,
    customer_id: tenant.tenantId,
    key_id: tenant.live.keyId,
    operator_id: 'op_01JD3VQ4X8N2M7R5T9W6YBZKCE',
  }
}

function pathOf({ path }: Route, names: Record<string, string>): string {
  return path.replaceAll(/:(\w+)/g, (_whole, name: string) => {
    const value = names[name]
    if (value === undefined) throw new Error(`this test does not know what :${name} in ${path} stands for`)
    return encodeURIComponent(value)
  })
}

/** The bodies of routes that read the body before they look up the resource. */
const BODIES: Record<string, object> = {
  'POST /v1/customers/:id/merge': { into: 'cust_01ARZ3NDEKTSV4RRFFQ69G5FAW' },
  'POST /v1/customers/:id/unmerge': { source: 'cust_01ARZ3NDEKTSV4RRFFQ69G5FAW' },
  'POST /v1/customers/:id/revert': { version: 1 },
  'POST /v1/customers/:id/onboarding/signal': { signal: SIGNAL },
}

function sendRequest(route: Route, names: Record<string, string>, headers: Record<string, string>): Promise<Called> {
  const body = ['POST', 'PUT', 'PATCH'].includes(route.method) ? (BODIES[nameOf(route)] ?? {}) : undefined
  return call(route.method, pathOf(route, names), { body, headers })
}

/** Returns the bytes of an answer, without the parts that differ on every one. */
function bytesOf({ status, headers, text }: Called): string {
  const shown = [...headers].filter(([name]) => name !== 'x-request-id' && !name.includes('ratelimit'))
  return JSON.stringify([status, shown, text.replaceAll(/"time_created":"[^"]*"/g, '"time_created":""')])
}

/** Returns the status for bad credentials: 403 at FlatPeak's API, 401 at the others. */
function refusalStatus({ path }: Route): number {
  return /^\/(?:customers|login)(?:\/|$)/.test(path) ? 403 : 401
}

/** Returns the credential without what distinguishes one well-formed key from another. */
function formOf(headers: Record<string, string>): string {
  const shown = JSON.stringify(headers).replace(/(?<=Basic )[\w+/]+=*/, (encoded) => atob(encoded))
  return shown.replaceAll(/sk_live_\w+/g, 'sk_live_…')
}

describe('every route', () => {
  it('is one of the APIs that this test covers, and each API has routes', () => {
    for (const api of ['/v1/customers', '/customers', '/admin/customers', '/login']) {
      expect(routes.filter(({ path }) => path.startsWith(api)).length, api).toBeGreaterThan(0)
    }
  })

  it('refuses a caller without a key, with an invented one, or with one of another deployment, and does nothing', async () => {
    const { tenant, customer, names } = await createFullTenant()
    const [elsewhere, neverIssued] = await Promise.all([
      mintKey(tenant.tenantId, 'live', 'another-signing-secret-0123456789'),
      mintKey(tenant.tenantId, 'live', SIGNING_SECRET),
    ])
    const keys = ['garbage', `sk_live_${'A'.repeat(65)}`, elsewhere.key, neverIssued.key, 'eyJhbGciOiJub25lIn0.e30.']
    const credentials: Record<string, string>[] = [
      {},
      ...keys.flatMap((key): Record<string, string>[] => [
        { authorization: `Bearer ${key}` },
        { 'x-api-key': key },
        { authorization: `Basic ${btoa(`${tenant.tenantId}:${key}`)}` },
      ]),
      { authorization: 'Bearer ' },
      { authorization: tenant.live.key },
      { 'x-api-key': '' },
      { authorization: `Bearer ${ADMIN_KEY.slice(0, -1)}`, 'x-api-key': ADMIN_KEY.slice(0, -1) },
    ]
    for (const route of routes) {
      const answers = await Promise.all(credentials.map((headers) => sendRequest(route, names, headers)))
      const bodies = new Map<string, Set<string>>()
      for (const [at, answer] of answers.entries()) {
        expect([nameOf(route), credentials[at], answer.status]).toEqual([
          nameOf(route),
          credentials[at],
          refusalStatus(route),
        ])
        expect(answer.headers.get('x-request-id')).toMatch(/./)
        const text = answer.text.replaceAll(/"time_created":"[^"]*"/g, '')
        const form = formOf(credentials[at] ?? {})
        bodies.set(form, (bodies.get(form) ?? new Set()).add(text))
      }
      // A body says what form the credential has, which its sender knows, and never which guess was closer.
      for (const [form, texts] of bodies)
        expect([nameOf(route), form, ...texts]).toEqual([nameOf(route), form, expect.any(String)])
    }
    expect((await call('GET', `/v1/customers/${customer.id}`, { key: tenant.live.key })).body).toEqual(customer)
    const keysNow = await call('GET', `/admin/customers/${tenant.tenantId}/keys`, {
      headers: { 'x-api-key': ADMIN_KEY },
    })
    expect(keysNow.body.items).toHaveLength(1)
  })

  it("refuses the admin key on a route of a tenant, and a tenant's key on a route of the operator", async () => {
    const { tenant, names } = await createFullTenant()
    for (const route of routes) {
      const wrong = isAdmin(route) ? tenant.live.key : ADMIN_KEY
      const credentials: Record<string, string>[] = [{ 'x-api-key': wrong }, { authorization: `Bearer ${wrong}` }]
      for (const headers of credentials) {
        const { status } = await sendRequest(route, names, headers)
        expect([nameOf(route), headers, status]).toEqual([nameOf(route), headers, refusalStatus(route)])
      }
      if (!isAdmin(route)) continue
      const asBearer = await sendRequest(route, names, { authorization: `Bearer ${ADMIN_KEY}` })
      expect([nameOf(route), asBearer.status]).toEqual([nameOf(route), 401])
    }
  })

  it('answers an unknown path and another method only to authenticated callers', async () => {
    for (const path of [
      '/v1/customers/a/b/c',
      '/v1/nothing',
      '/customers/a/b/c',
      '/admin/nothing',
      '/admin/customers/a/b/c/d',
    ]) {
      const { status } = await sendRequest({ method: 'GET', path }, {}, {})
      expect([path, status]).toEqual([path, refusalStatus({ method: 'GET', path })])
    }
  })
})

describe('missing resources and those of another tenant', () => {
  /** These routes create the resource that they name, so it cannot be missing. */
  const CREATES = new Set(['PUT /v1/customers/external/:external_id'])
  const named = routes.filter(
    (route) => !isAdmin(route) && /:(?:id|external_id)\b/.test(route.path) && !CREATES.has(nameOf(route)),
  )

  it('cover routes of both APIs of a tenant', () => {
    expect(named.filter(({ path }) => path.startsWith('/v1/')).length).toBeGreaterThan(5)
    expect(named.filter(({ path }) => path.startsWith('/customers')).length).toBeGreaterThan(2)
  })

  it.each(named.map((route) => [nameOf(route), route] as const))('get the same bytes from %s', async (_name, route) => {
    const us = await newTenantOfBothModes()
    const them = await createFullTenant()
    const ofTest = await newCustomer(us.test.key, { external_id: 'of_test' })
    const missing = { id: 'cust_01ARZ3NDEKTSV4RRFFQ69G5FAV', external_id: 'nobody' }
    const headers = { authorization: `Bearer ${us.live.key}` }
    const [first, ...others] = [missing, them.names, namesOf(us, ofTest)].map((names) =>
      sendRequest(route, names, headers),
    )
    const expected = bytesOf(await (first as Promise<Called>))
    expect(JSON.parse(expected)[0]).toBe(404)
    for (const other of others) expect(bytesOf(await other)).toBe(expected)
    expect((await call('GET', `/v1/customers/${them.customer.id}`, { key: them.tenant.live.key })).body).toEqual(
      them.customer,
    )
  })

  it('get the same answer by query, in a body and in a list too', async () => {
    const us = await newTenant()
    const them = await createFullTenant()
    const { id, external_id: externalId } = them.customer
    const pairs: [string, string, string, object?][] = [
      ['PUT', '/v1/customers?id=%', id, { name: 'Ours' }],
      ['PUT', '/v1/customers?external_customer_id=%', externalId, { name: 'Ours' }],
      ['GET', '/v1/customers?customer_ids=%&expand=parent_customer,children,aliases', id],
      ['GET', '/v1/customers?external_id=%', externalId],
      ['GET', '/v1/customers?parent_customer_id=%', id],
      ['POST', '/v1/customers', id, { external_id: 'ours', parent_customer_id: '%' }],
      ['POST', '/v1/customers', externalId, { external_id: 'ours', parent_customer_external_id: '%' }],
      ['POST', '/v1/customers/search', id, { customer_ids: ['%'] }],
      ['GET', '/customers?reference_id=%', externalId],
      ['GET', '/customers?starting_after=%', id],
    ]
    for (const [method, path, theirs, body] of pairs) {
      const missing = theirs.startsWith('cust_') ? 'cust_01ARZ3NDEKTSV4RRFFQ69G5FAV' : 'nobody'
      const [ofTheirs, ofNobody] = await Promise.all(
        [theirs, missing].map((name) =>
          call(method, path.replace('%', name), {
            key: us.live.key,
            body: body && JSON.stringify(body).replace('%', name),
          }),
        ),
      )
      expect([path, ofTheirs && bytesOf(ofTheirs)]).toEqual([path, ofNobody && bytesOf(ofNobody)])
    }
  })

  it("get the same answer from the operator's routes, for a key of another tenant", async () => {
    const us = await newTenant()
    const them = await newTenant()
    const ofKeys = routes.filter(({ path }) => path.includes('customers/:customer_id/keys/:key_id'))
    expect(ofKeys).not.toEqual([])
    for (const route of ofKeys) {
      const [theirs, missing] = await Promise.all(
        [them.live.keyId, 'key_01ARZ3NDEKTSV4RRFFQ69G5FAV'].map((keyId) =>
          sendRequest(route, { customer_id: us.tenantId, key_id: keyId }, { 'x-api-key': ADMIN_KEY }),
        ),
      )
      expect(theirs?.status).toBe(404)
      expect(theirs && bytesOf(theirs)).toBe(missing && bytesOf(missing))
    }
    expect((await call('GET', '/v1/customers', { key: them.live.key })).status).toBe(200)
  })
})
