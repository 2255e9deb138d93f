/**
 * Conditional requests (RFC 9110, section 13), at every route that changes something: each contract either says that its
 * resource has a version, and then has an entry below, or refuses the headers. A condition that does not hold changes
 * nothing, and of many changes at once under one condition only the first is made. The grammar of the headers is tested in
 * test/node/http; here each of its forms is sent to every route.
 */
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { contracts, credentialsFor, exampleOf, nameOf } from '../support/contracts.ts'
import { newOperator } from '../support/operators.ts'
import { ADMIN_KEY, type Called, call, newCustomer, newTenant, type TestTenant } from '../support/roster.ts'

const CONDITIONS = ['if-match', 'if-none-match', 'if-unmodified-since'] as const
type Conditions = Partial<Record<(typeof CONDITIONS)[number], string>>

const changes = contracts.filter(({ method }) => method !== 'get')
const HOOK = 'http://127.0.0.1:9/'
const SETTINGS = '/v1/settings/customer_onboarding'
const DAY_MS = 24 * 3_600_000

/** A resource that a route changes. */
interface Resource {
  /** The path of the change, and the one that shows the resource. */
  path: string
  shown: string
  version: number
  /** The body of a change that can be made once, if it needs one. */
  body?: object
}

let numbers = 0

async function customer(tenant: TestTenant, pathOf: (made: { id: string; external_id: string }) => string) {
  const made = await newCustomer(tenant.live.key, { external_id: `conditional_${numbers++}` })
  return { path: pathOf(made), shown: `/v1/customers/${made.id}`, version: 1 }
}

async function endpoint(tenant: TestTenant): Promise<Resource> {
  const { body } = await call('POST', '/v1/webhooks/endpoints', { key: tenant.live.key, body: { url: HOOK } })
  const path = `/v1/webhooks/endpoints/${body.id}`
  return { path, shown: path, version: 1 }
}

async function endpointOfTenant(tenant: TestTenant): Promise<Resource> {
  const { path } = await endpoint(tenant)
  const shown = path.replace('/v1', `/admin/customers/${tenant.tenantId}`)
  return { path: shown, shown, version: 1 }
}

async function operator(): Promise<Resource> {
  const { operatorId } = await newOperator('viewer')
  const path = `/admin/operators/${operatorId}`
  return { path, shown: path, version: 1 }
}

async function archivedCustomer(tenant: TestTenant): Promise<Resource> {
  const made = await customer(tenant, ({ id }) => `/v1/customers/${id}/restore`)
  await call('DELETE', made.shown, { key: tenant.live.key })
  return { ...made, version: 2 }
}

async function customerToMerge(tenant: TestTenant): Promise<Resource> {
  const { id: into } = await newCustomer(tenant.live.key)
  return { ...(await customer(tenant, ({ id }) => `/v1/customers/${id}/merge`)), body: { into } }
}

async function customerToUnmerge(tenant: TestTenant): Promise<Resource> {
  const { key } = tenant.live
  const { id: source } = await newCustomer(key)
  const made = await customer(tenant, ({ id }) => `/v1/customers/${id}/unmerge`)
  await call('POST', `/v1/customers/${source}/merge`, { key, body: { into: made.shown.split('/').at(-1) } })
  return { ...made, version: 2, body: { source } }
}

async function changedCustomer(tenant: TestTenant): Promise<Resource> {
  const made = await customer(tenant, ({ id }) => `/v1/customers/${id}/revert`)
  await call('PATCH', made.shown, { key: tenant.live.key, body: { name: 'Changed' } })
  return { ...made, version: 2, body: { version: 1 } }
}

interface Route {
  make(tenant: TestTenant): Promise<Resource>
  /** The body of the n-th change. Each differs from the one before. Absent: the change can be made once. */
  bodyOf?(n: number): object
}

const named = (n: number) => ({ name: `Name ${n}` })

/** One entry for each change of a resource that has a version. */
const ROUTES: Record<string, Route> = {
  'PUT /v1/customers': { make: (tenant) => customer(tenant, ({ id }) => `/v1/customers?id=${id}`), bodyOf: named },
  'PUT /v1/customers/:id': { make: (tenant) => customer(tenant, ({ id }) => `/v1/customers/${id}`), bodyOf: named },
  'PUT /v1/customers/external/:external_id': {
    make: (tenant) => customer(tenant, ({ external_id }) => `/v1/customers/external/${external_id}`),
    bodyOf: named,
  },
  'PATCH /v1/customers/:id': { make: (tenant) => customer(tenant, ({ id }) => `/v1/customers/${id}`), bodyOf: named },
  'DELETE /v1/customers/:id': { make: (tenant) => customer(tenant, ({ id }) => `/v1/customers/${id}`) },
  'POST /v1/customers/:id/restore': { make: archivedCustomer },
  'POST /v1/customers/:id/revert': { make: changedCustomer },
  'POST /v1/customers/:id/erase': { make: (tenant) => customer(tenant, ({ id }) => `/v1/customers/${id}/erase`) },
  'POST /v1/customers/:id/merge': { make: customerToMerge },
  'POST /v1/customers/:id/unmerge': { make: customerToUnmerge },
  'PATCH /customers/:id': {
    make: (tenant) => customer(tenant, ({ id }) => `/customers/${id}`),
    bodyOf: (n) => ({ devices: [`dev_${n}`] }),
  },
  'DELETE /customers/:id': { make: (tenant) => customer(tenant, ({ id }) => `/customers/${id}`) },
  'PATCH /v1/webhooks/endpoints/:endpoint_id': { make: endpoint, bodyOf: (n) => ({ description: `Number ${n}` }) },
  'DELETE /v1/webhooks/endpoints/:endpoint_id': { make: endpoint },
  [`PUT ${SETTINGS}`]: {
    async make(tenant) {
      const body = { workflows: { first: { steps: [{ type: 'wait', seconds: 60 }] } } }
      await call('PUT', SETTINGS, { key: tenant.live.key, body })
      return { path: SETTINGS, shown: SETTINGS, version: 1 }
    },
    bodyOf: (n) => ({ workflows: { [`w${n}`]: { steps: [{ type: 'wait', seconds: 60 }] } } }),
  },
  'PATCH /admin/customers/:customer_id/webhooks/endpoints/:endpoint_id': {
    make: endpointOfTenant,
    bodyOf: (n) => ({ enabled: n % 2 === 0 }),
  },
  'DELETE /admin/customers/:customer_id/webhooks/endpoints/:endpoint_id': { make: endpointOfTenant },
  'PUT /admin/customers/:customer_id': {
    make: async ({ tenantId }) => ({
      path: `/admin/customers/${tenantId}`,
      shown: `/admin/customers/${tenantId}`,
      version: 1,
    }),
    bodyOf: (n) => ({ company_name: `Company ${n}` }),
  },
  'PATCH /admin/operators/:operator_id': { make: operator, bodyOf: (n) => ({ name: `Operator ${n}` }) },
  'DELETE /admin/operators/:operator_id': { make: operator },
}

const OLD = new Date(0).toUTCString()
const dateIn = (ms: number) => new Date(Date.now() + ms).toUTCString()

/** Conditions that do not hold for a resource in version `v`. */
const unmet = (v: number): Conditions[] => [
  { 'if-match': '"999"' },
  { 'if-match': 'W/"999"' },
  { 'if-match': `"${v + 1}", "999"` },
  { 'if-match': `"0${v}"` },
  { 'if-match': '"33a64df551425fcc55e4d42a148795d9f25f89d4"' },
  { 'if-match': '""' },
  { 'if-match': `"${v},${v}"` },
  { 'if-none-match': '*' },
  { 'if-none-match': `"${v}"` },
  { 'if-none-match': `"999" , W/"${v}"` },
  { 'if-unmodified-since': OLD },
  { 'if-unmodified-since': 'Saturday, 01-Jan-00 00:00:00 GMT' },
  { 'if-unmodified-since': 'Thu Jan  1 00:00:00 1970' },
  { 'if-match': '*', 'if-none-match': '*' },
  { 'if-match': `"${v}"`, 'if-none-match': `"${v}"` },
]

/** Conditions that hold for it. */
const met = (v: number): Conditions[] => [
  { 'if-match': `"${v}"` },
  { 'if-match': `W/"${v}"` },
  { 'if-match': `"999",\t"${v}" ,` },
  { 'if-match': `"${v}-k3x9"` },
  { 'if-match': '*' },
  { 'if-match': `"${v}"`, 'if-unmodified-since': OLD },
  { 'if-none-match': '"999", "abc"' },
  { 'if-unmodified-since': dateIn(DAY_MS) },
  { 'if-unmodified-since': 'yesterday' },
]

const malformed: Conditions[] = [
  { 'if-match': '1' },
  { 'if-match': 'W/1' },
  { 'if-match': '"1' },
  { 'if-match': '"1" "2"' },
  { 'if-match': '"1, 1"' },
  { 'if-match': '*, "1"' },
  { 'if-none-match': '1' },
  { 'if-none-match': '"1", *' },
]

/** The tenant of customers and endpoints: one for all of them. */
let shared: Promise<TestTenant> | undefined
function customersAndEndpoints(): Promise<TestTenant> {
  shared ??= newTenant()
  return shared
}

/** Returns a tenant for a route. Those that change the tenant itself, or what each new customer starts, have their own. */
function tenantFor(route: string): Promise<TestTenant> {
  return /settings|admin/.test(route) ? newTenant() : customersAndEndpoints()
}

function problemFieldOf({ body }: Called): string {
  return body.param ?? body.details?.errors?.[0]?.field
}

describe('a change of something without a version', () => {
  const unversioned = changes.filter(({ versioned }) => !versioned)

  it.each(unversioned.map((contract) => ({ name: nameOf(contract), contract })))(
    'is refused if it is conditional: $name',
    async ({ contract }) => {
      const tenant = await customersAndEndpoints()
      const { method, url, headers, body } = exampleOf(contract)
      for (const name of CONDITIONS) {
        const given = { ...headers, ...credentialsFor(url, tenant.live.key), [name]: '*' }
        const refused = await call(method, url, { headers: given, body })
        expect([name, refused.status, problemFieldOf(refused)]).toEqual([name, 400, name])
      }
    },
  )
})

describe('a change of a resource with a version', () => {
  const versioned = changes.filter((contract) => contract.versioned).map((contract) => nameOf(contract))

  it('is in the table below, for each contract that says so', () => {
    expect(Object.keys(ROUTES).toSorted()).toEqual(versioned.toSorted())
  })

  it.each(Object.entries(ROUTES))('is made only if its conditions hold: %s', async (route, { make, bodyOf }) => {
    const [method = ''] = route.split(' ')
    const tenant = await tenantFor(route)
    const headersFor = (path: string) => credentialsFor(path, tenant.live.key)
    const send = ({ path, body }: Resource, conditions: Conditions, n = 0) =>
      call(method, path, { headers: { ...headersFor(path), ...conditions }, body: bodyOf?.(n) ?? body })
    const look = ({ shown }: Resource) => call('GET', shown, { headers: headersFor(shown) })

    let resource = await make(tenant)
    // They change nothing, and so all are sent at once.
    const refusedOf = (all: Conditions[]) =>
      Promise.all(all.map(async (one) => [one, await send(resource, one)] as const))
    const before = await look(resource)
    expect(before.headers.get('etag')).toBe(`"${resource.version}"`)
    for (const [conditions, { status, body }] of await refusedOf(unmet(resource.version))) {
      expect([conditions, status, body.code]).toEqual([conditions, 412, 'version_conflict'])
      if (body.details) expect(body.details).toEqual({ current_version: resource.version })
    }
    for (const [conditions, refused] of await refusedOf(malformed)) {
      expect([conditions, refused.status, problemFieldOf(refused)]).toEqual([
        conditions,
        400,
        Object.keys(conditions)[0],
      ])
    }
    const after = await look(resource)
    expect([after.text, after.headers.get('etag')]).toEqual([before.text, before.headers.get('etag')])

    for (let n = 0; n < met(1).length; n++) {
      if (n > 0 && !bodyOf) resource = await make(tenant)
      const conditions = met(resource.version)[n] ?? {}
      const { status, headers, text } = await send(resource, conditions, n + 1)
      expect([conditions, status, status < 300 || text]).toEqual([conditions, status, true])
      resource = { ...resource, version: resource.version + 1 }
      if (bodyOf) expect([conditions, headers.get('etag')]).toEqual([conditions, `"${resource.version}"`])
    }
  })

  it.each(Object.entries(ROUTES).filter(([route]) => !/external|settings|PUT \/v1\/customers$/.test(route)))(
    'is 404 for what does not exist, whatever its conditions: %s',
    async (route, { bodyOf }) => {
      const tenant = await customersAndEndpoints()
      const contract = changes.find((one) => nameOf(one) === route)
      if (!contract) throw new Error(route)
      const { method, url, body } = exampleOf(contract)
      const conditions: Conditions[] = [{ 'if-match': '"1"' }, { 'if-match': '*' }, { 'if-none-match': '*' }]
      for (const given of conditions) {
        const headers = { ...credentialsFor(url, tenant.live.key), ...given }
        expect((await call(method, url, { headers, body: bodyOf?.(1) ?? body })).status).toBe(404)
      }
    },
  )

  // `enabled` has only two values, so some of twenty changes of it change nothing.
  it.each(Object.entries(ROUTES).filter(([route, { bodyOf }]) => bodyOf && !route.startsWith('PATCH /admin')))(
    'is made once of twenty at once under one condition: %s',
    async (route, { make, bodyOf }) => {
      const [method = ''] = route.split(' ')
      const tenant = await tenantFor(route)
      const { path, shown, version } = await make(tenant)
      const headers = { ...credentialsFor(path, tenant.live.key), 'if-match': `"999", "${version}"` }
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) => call(method, path, { headers, body: bodyOf?.(n) })),
      )
      expect(answers.map(({ status }) => (status < 300 ? 'made' : status)).toSorted()).toEqual([
        ...Array(19).fill(412),
        'made',
      ])
      const now = await call('GET', shown, { headers: credentialsFor(shown, tenant.live.key) })
      expect(now.headers.get('etag')).toBe(`"${version + 1}"`)
    },
  )
})

describe('if-none-match: *', () => {
  const CREATE = { 'if-none-match': '*' }
  const put = (tenant: TestTenant, externalId: string, headers: Record<string, string>, name = 'Acme') =>
    call('PUT', `/v1/customers/external/${externalId}`, { key: tenant.live.key, headers, body: { name } })

  it('lets an upsert create a customer, and never change one', async () => {
    const tenant = await newTenant()
    const made = await put(tenant, 'c1', CREATE)
    expect(made.status).toBe(201)
    const again = await put(tenant, 'c1', CREATE, 'Other')
    expect([again.status, again.body.details]).toEqual([412, { current_version: 1 }])
    expect(again.body.message).toContain('exists')
    // The same names, and so nothing to change.
    expect((await put(tenant, 'c1', CREATE)).status).toBe(412)
    expect((await call('GET', '/v1/customers/external/c1', { key: tenant.live.key })).body.name).toBe('Acme')
  })

  it('finds a customer by its former external id too, and none once it is archived', async () => {
    const tenant = await newTenant()
    const { body } = await put(tenant, 'before', CREATE)
    await call('PATCH', `/v1/customers/${body.id}`, { key: tenant.live.key, body: { external_id: 'after' } })
    expect((await put(tenant, 'before', CREATE)).status).toBe(412)
    await call('DELETE', `/v1/customers/${body.id}`, { key: tenant.live.key })
    expect((await put(tenant, 'after', CREATE)).status).toBe(201)
  })

  it('creates one customer of fifty upserts at once, and the others change nothing', async () => {
    const tenant = await newTenant()
    const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => put(tenant, 'c1', CREATE, `Name ${n}`)))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, ...Array(49).fill(412)])
    const { headers } = await call('GET', '/v1/customers/external/c1', { key: tenant.live.key })
    expect(headers.get('etag')).toBe('"1"')
  })

  it('and if-match on a customer that does not exist yet', async () => {
    const tenant = await newTenant()
    for (const tag of ['"1"', '*', '"abc"', '"0"']) {
      const refused = await put(tenant, 'c1', { 'if-match': tag })
      expect([tag, refused.status, refused.body.details]).toEqual([tag, 412, { current_version: 0 }])
    }
    expect((await put(tenant, 'c1', { 'if-none-match': '"1"', 'if-unmodified-since': OLD })).status).toBe(201)
  })

  it('lets onboarding settings be put for the first time only; before it they have version 0', async () => {
    const tenant = await newTenant()
    const putSettings = (headers: Record<string, string>, name = 'a') => {
      const body = { workflows: { [name]: { steps: [{ type: 'wait', seconds: 60 }] } } }
      return call('PUT', SETTINGS, { key: tenant.live.key, headers, body })
    }
    const unmetBefore: Record<string, string>[] = [
      { 'if-match': '*' },
      { 'if-match': '"1"' },
      { 'if-none-match': '"0"' },
    ]
    for (const headers of unmetBefore) {
      expect((await putSettings(headers)).status).toBe(412)
    }
    const answers = await Promise.all(['a', 'b', 'c'].map((name) => putSettings(CREATE, name)))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 412, 412])
    expect((await putSettings({ 'if-match': '"0"' }, 'd')).status).toBe(412)
    expect((await putSettings({ 'if-match': '*' }, 'd')).status).toBe(200)
  })
})

describe('the version of an endpoint', () => {
  it('rises when Roster itself changes what is shown, and when its secret is rotated', async () => {
    const tenant = await newTenant()
    const { path } = await endpoint(tenant)
    const etag = async () => (await call('GET', path, { key: tenant.live.key })).headers.get('etag')
    const rotated = await call('POST', `${path}/rotate`, { key: tenant.live.key })
    expect([rotated.headers.get('etag'), await etag()]).toEqual(['"2"', '"2"'])
    expect((await call('PATCH', path, { key: tenant.live.key, body: {} })).headers.get('etag')).toBe('"2"')
    await newCustomer(tenant.live.key)
    // Nothing listens at its URL, so the delivery fails, and the endpoint is shown as failing.
    await expect.poll(etag, { interval: 100, timeout: 60_000 }).toBe('"3"')
    const stale = await call('DELETE', path, { key: tenant.live.key, headers: { 'if-match': '"2"' } })
    expect(stale.status).toBe(412)
    const row = await env.DB.prepare('SELECT failing_since, version FROM webhook_endpoints WHERE tenant_id = ?')
      .bind(tenant.tenantId)
      .first()
    expect(row).toEqual({ failing_since: expect.any(Number), version: 3 })
  })
})

describe('a read of a resource with a version', () => {
  it('is 304 for an etag of the caller, weak or strong or in a list, with the headers a cache needs; HEAD too', async () => {
    const tenant = await newTenant()
    const made = await newCustomer(tenant.live.key, { external_id: 'c1' })
    const { path: hook } = await endpoint(tenant)
    const paths = [
      `/v1/customers/${made.id}`,
      `/v1/customers/${made.id}?expand=aliases`,
      '/v1/customers/external/c1',
      '/v1/customers/lookup/c1',
      `/customers/${made.id}`,
      hook,
      SETTINGS,
      `/admin/customers/${tenant.tenantId}`,
      hook.replace('/v1', `/admin/customers/${tenant.tenantId}`),
    ]
    for (const path of paths) {
      const read = (headers: Record<string, string>, method = 'GET') =>
        call(method, path, { headers: { ...credentialsFor(path, tenant.live.key), ...headers } })
      const full = await read({})
      const etag = full.headers.get('etag') ?? ''
      expect([path, etag]).toEqual([path, expect.stringMatching(/^"\d+(-[0-9a-z]+)?"$/)])
      const tags = [etag, `W/${etag}`, `"abc", ${etag}`, `, W/${etag} ,`, '*']
      const unchanged = tags.flatMap((tag) => ['GET', 'HEAD'].map((method) => ({ tag, method })))
      await Promise.all(
        unchanged.map(async ({ tag, method }) => {
          const { status, text, headers } = await read({ 'if-none-match': tag }, method)
          expect([path, tag, status, text, headers.get('etag')]).toEqual([path, tag, 304, '', etag])
          expect(headers.get('cache-control')).toBe(full.headers.get('cache-control'))
        }),
      )
      const others: Record<string, string>[] = [
        { 'if-none-match': '"abc"' },
        { 'if-none-match': etag.replaceAll('"', '') },
        { 'if-modified-since': dateIn(DAY_MS) },
        { 'if-match': `"abc", W/${etag}` },
        { range: 'bytes=0-1', 'if-range': etag },
      ]
      for (const headers of others) {
        const { status, text } = await read(headers)
        expect([path, headers, status, text]).toEqual([path, headers, 200, full.text])
      }
      expect((await read({ 'if-match': '"abc"' })).status).toBe(412)
      expect((await read({ 'if-match': etag.replaceAll('"', '') })).status).toBe(400)
    }
  })

  it('is every read that has an etag: no other route of one resource has one', async () => {
    const tenant = await newTenant()
    const made = await newCustomer(tenant.live.key, { external_id: 'c1' })
    const { path: hook } = await endpoint(tenant)
    const names = {
      id: made.id,
      external_id: 'c1',
      customer_id: tenant.tenantId,
      endpoint_id: hook.split('/').at(-1) ?? '',
    }
    const tagged: string[] = []
    for (const contract of contracts.filter(({ method }) => method === 'get')) {
      const { method, url } = exampleOf(contract, names)
      const { headers } = await call(method, url, { headers: credentialsFor(url, tenant.live.key) })
      if (headers.has('etag')) tagged.push(nameOf(contract))
    }
    expect(tagged.toSorted()).toEqual(
      [
        'GET /admin/customers/:customer_id',
        'GET /admin/customers/:customer_id/webhooks/endpoints/:endpoint_id',
        'GET /customers/:id',
        'GET /v1/customers/:id',
        'GET /v1/customers/external/:external_id',
        'GET /v1/customers/lookup/:external_id',
        `GET ${SETTINGS}`,
        'GET /v1/webhooks/endpoints/:endpoint_id',
      ].toSorted(),
    )
  })
})

it('leaves the audit log of a tenant alone when the condition of its change does not hold', async () => {
  const { tenantId } = await newTenant()
  const headers = { 'x-api-key': ADMIN_KEY, 'if-match': '"999"' }
  const path = `/admin/customers/${tenantId}`
  expect((await call('PUT', path, { headers, body: { tier: 'starter' } })).status).toBe(412)
  expect((await call('PUT', path, { headers, body: {} })).status).toBe(412)
  const { body } = await call('GET', `/admin/audit?tenant_id=${tenantId}&type=tenant.updated`, {
    headers: { 'x-api-key': ADMIN_KEY },
  })
  expect(body.items).toEqual([])
})
