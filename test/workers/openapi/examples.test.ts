/**
 * Sends the example of every operation of the OpenAPI document to the real app: the response has the documented status, its
 * body has the form of the documented schema and of the documented example. Every parameter is sent with its example too.
 * `npm run openapi:check` compares the examples with their schemas.
 */
import { describe, expect, it } from 'vitest'
import type { Json } from '../../../openapi/json-schema.ts'
import document from '../../../public/openapi.json'
import { resolved } from '../support/documented.ts'
import { newOperatorKey, newToken, signIn } from '../support/operators.ts'
import { ADMIN_KEY, type Called, call, newCustomer, newTenant, type TestTenant } from '../support/roster.ts'

const METHODS = ['get', 'put', 'post', 'patch', 'delete']
/** Served as files, without the Worker. */
const FILES = ['/', '/docs', '/openapi.json']

interface Operation {
  name: string
  method: string
  path: string
  operation: Json
  parameters: Json[]
}

const operations = Object.entries<Json>(document.paths)
  .filter(([path]) => !FILES.includes(path))
  .flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method): Operation => {
      const operation = item[method]
      const name = `${method.toUpperCase()} ${path}`
      return { name, method: method.toUpperCase(), path, operation, parameters: operation.parameters.map(resolved) }
    }),
  )

const byId = new Map(operations.map((one) => [one.operation.operationId, one]))

/** The tenant that an example is sent for, and the values of the path parameters. */
interface State {
  tenant: TestTenant
  values: Record<string, string>
  token: string
}

/** These tests have one database. */
const NEEDS_DATABASES = new Set(['moveTenant', 'getTenantMove', 'abortTenantMove'])

/** The operations whose customer must not exist before. */
const CREATES = new Set(['createCustomer', 'flatpeakCreateCustomer', 'importCustomers'])
/** The operations that make the state of another one, in this order, beside the customer. They are sent with their examples. */
const BEFORE: Record<string, string[]> = {
  restoreCustomer: ['archiveCustomer'],
  revertCustomer: ['updateCustomerByQuery'],
  undoChanges: ['updateCustomerByQuery'],
  deleteTenant: ['updateTenant'],
  retryWebhooks: ['createWebhookEndpoint', 'updateCustomerByQuery', 'listWebhookDeliveries'],
  getOwnTenant: ['createKey'],
  listOwnKeys: ['createKey'],
  rotateOnboardingSecret: ['replaceOnboardingSettings'],
  getCustomerOnboarding: ['replaceOnboardingSettings'],
  signalCustomerOnboarding: ['replaceOnboardingSettings'],
  retryCustomerOnboarding: ['replaceOnboardingSettings'],
  getOnboardingSettings: ['replaceOnboardingSettings'],
  listEvents: ['updateCustomerByQuery'],
  listCustomerEvents: ['updateCustomerByQuery'],
  listAudit: ['updateTenant'],
}
/** The operations that come after the creation of the customer: an onboarding begins with the customer instead. */
const AFTER_CREATION = new Set([
  'restoreCustomer',
  'revertCustomer',
  'undoChanges',
  'deleteTenant',
  'retryWebhooks',
  'listEvents',
  'listCustomerEvents',
  'listAudit',
])
/** Reads have the same state if they need the same things before, so that fewer tenants are made. */
const ofReads = new Map<string, Promise<State>>()

async function stateFor({ method, path, operation: { operationId } }: Operation): Promise<State> {
  const before = [...(BEFORE[operationId] ?? [])]
  if (!CREATES.has(operationId)) {
    const creates = operationId.startsWith('flatpeak') ? 'flatpeakCreateCustomer' : 'createCustomer'
    before.splice(AFTER_CREATION.has(operationId) ? 0 : before.length, 0, creates)
  }
  if (path.includes('{endpoint_id}') && !before.includes('createWebhookEndpoint')) before.push('createWebhookEndpoint')
  if (path.startsWith('/admin/customers/') && path.includes('/keys')) before.push('createKey')
  if (/operators|session|\/me$/.test(path)) return withOperator(await makeState(before))
  if (operationId === 'mergeCustomer') return withTwin(await makeState(before))
  if (operationId === 'unmergeCustomer') return withMergedTwin(await makeState(before))
  if (method !== 'GET') return makeState(before)
  const key = before.join()
  const state = ofReads.get(key) ?? makeState(before)
  ofReads.set(key, state)
  return state
}

async function makeState(before: string[]): Promise<State> {
  const tenant = await newTenant(byId.get('createTenant')?.operation.requestBody.content['application/json'].example)
  const state: State = { tenant, values: { customer_id: tenant.tenantId, key_id: tenant.live.keyId }, token: '' }
  for (const operationId of before) {
    const { body, headers } = await succeed(operationId, state)
    state.token = headers.get('consistency-token') ?? state.token
    if (operationId === 'createWebhookEndpoint') state.values.endpoint_id = body.id
    if (operationId === 'listWebhookDeliveries') state.values.delivery_id = body.items[0].id
    if (operationId === 'createKey') {
      state.values.key_id = body.key_id
      state.tenant.live = { key: body.key, keyId: body.key_id }
    }
    if (CREATES.has(operationId)) Object.assign(state.values, { id: body.id, external_id: 'user_12345' })
  }
  return state
}

/** Adds the customer that the example of a merge merges into the one of all examples. */
async function withTwin(state: State): Promise<State> {
  const twin = await newCustomer(state.tenant.live.key, {
    external_id: 'user_67890',
    email: 'accounts@acme.com',
    metadata: { seats: '7' },
    integration_entity_mapping: [{ provider: 'stripe', id: 'cus_NffrFeUfNV2Hib' }],
  })
  return { ...state, values: { ...state.values, id: twin.id, survivor_id: state.values.id ?? '' } }
}

/** Adds the same, merged already. */
async function withMergedTwin(state: State): Promise<State> {
  const { key } = state.tenant.live
  const id = state.values.id ?? ''
  const { values } = await withTwin(state)
  await call('POST', `/v1/customers/${values.id}/merge`, { key, body: { into: id } })
  await call('PATCH', `/v1/customers/${id}`, { key, body: { contact: '+14155550100' } })
  return { ...state, values: { ...state.values, twin_id: values.id ?? '' } }
}

/** Adds an operator like that of the examples, with a key, a sign-in link and a session. */
async function withOperator(state: State): Promise<State> {
  const body = { name: 'Ada Lovelace', email: addressOfAda(), role: 'support' }
  const made = await call('POST', '/admin/operators', { headers: { 'x-api-key': ADMIN_KEY }, body })
  const operatorId: string = made.body.operator_id
  const { key, keyId } = await newOperatorKey(operatorId, { name: 'laptop' })
  const [cookie, token] = [await signIn(key), await newToken(operatorId)]
  const values = { operator_id: operatorId, key_id: keyId, operator_key: key, cookie, token }
  return { ...state, values: { ...state.values, ...values } }
}

/** No two operators may have the same address. */
const addressOfAda = () => `ada.${crypto.randomUUID()}@acme.com`

async function succeed(operationId: string, state: State): Promise<Called> {
  const operation = byId.get(operationId)
  if (!operation) throw new Error(`no operation has the id ${operationId}`)
  const called = await send(operation, state, {})
  if (called.status >= 300) throw new Error(`${operationId}: ${called.status} ${called.text}`)
  return called
}

function credentials({ operation }: Operation, { tenant, values }: State): Record<string, string> {
  const [name] = Object.keys(operation.security?.[0] ?? {})
  // The others are sent by an owner.
  if (operation.operationId === 'startSession') return {}
  if (operation.operationId === 'getMe') return { 'x-api-key': values.operator_key ?? '' }
  if (/Session$/.test(operation.operationId)) return { cookie: values.cookie ?? '', 'roster-console': '1' }
  if (name === 'adminKey') return { 'x-api-key': ADMIN_KEY }
  if (name === 'account') return { authorization: `Basic ${btoa(`${tenant.tenantId}:${tenant.live.key}`)}` }
  return name === 'key' ? { authorization: `Bearer ${tenant.live.key}` } : {}
}

interface Sent {
  query?: string
  headers?: Json
  /** The content type of the body. Without it, the first one that is documented. */
  type?: string | undefined
}

function send(one: Operation, state: State, { query, headers = {}, type }: Sent) {
  const contents = Object.entries<Json>(one.operation.requestBody?.content ?? {})
  const content = contents.find(([name]) => name === type) ?? contents[0]
  const path = one.path + (query ?? NEEDED[one.operation.operationId] ?? '')
  const url = path.replaceAll(/\{(\w+)\}/g, (_whole, name) => encodeURIComponent(state.values[name] ?? ''))
  return call(one.method, url, {
    headers: { ...credentials(one, state), ...(content && { 'content-type': content[0] }), ...headers },
    ...(content && { body: reachable(content[1].example, state.values) }),
  })
}

/**
 * Replaces the hosts of the examples, because the host that runs the tests cannot look up a name, and what differs in each
 * state.
 */
function reachable(
  example: Json,
  {
    delivery_id: deliveryId = '',
    key_id: keyId = '',
    token = '',
    survivor_id: survivorId = '',
    twin_id: twinId,
  }: State['values'],
): Json {
  if (typeof example === 'string') return example
  const text = JSON.stringify(example).replaceAll(/https:\/\/\w+\.example\.com/g, 'http://127.0.0.1:9')
  const own = text.replaceAll('whd_01JD3VQ4X8N2M7R5T9W6YBZKCE01JD3VQ4X9', deliveryId)
  if (example.into !== undefined) return { ...example, into: survivorId }
  if (example.source !== undefined && twinId) return { ...example, source: twinId }
  return JSON.parse(
    own
      .replaceAll('key_01JD3VQ4X8N2M7R5T9W6YBZKCE', keyId)
      .replaceAll('ol_01JD3VQ4X8…', token)
      .replaceAll('ada@acme.com', addressOfAda()),
  )
}

/**
 * Returns the query string that sends the example of a parameter. Ids in it become those of the state, and the moment of a
 * customer as it was becomes now: the example is from before it was created.
 */
function queryOf({ name, style, example, schema }: Json, { values }: State): string {
  const shown = name === 'as_of' ? new Date().toISOString() : (example ?? schema.examples[0])
  const text = (value: unknown) => encodeURIComponent(/^cust_/.test(String(value)) ? (values.id ?? '') : String(value))
  if (style === 'deepObject') return `?${Object.entries(shown).map(([key, value]) => `${name}[${key}]=${text(value)}`)}`
  return `?${name}=${[shown].flat().map(text).join(',')}`
}

/** The parameters of an import that only CSV has. */
const OF_CSV = new Set(['delimiter', 'map'])
/**
 * The headers whose examples would make the response 304 or 412, or say that the body is compressed, and those that only an
 * operator sends.
 */
const NOT_SENT = new Set(['if-none-match', 'content-encoding', 'roster-tenant', 'roster-mode'])

/** Returns the other headers, each with its example. */
function headersOf({ parameters, operation }: Operation, { token }: State): Record<string, string> {
  const values: Record<string, string> = {
    'consistency-token': token,
    // Admin requests of all tenants share the keys.
    'idempotency-key': crypto.randomUUID(),
    ...(['restoreCustomer', 'revertCustomer'].includes(operation.operationId) && { 'if-match': '"2"' }),
    ...(operation.operationId === 'unmergeCustomer' && { 'if-match': '"3"' }),
    // An operator's etag is also that of its last request.
    ...(['replaceOnboardingSettings', 'getOperator'].includes(operation.operationId) && { 'if-match': '' }),
  }
  const headers = parameters.filter(({ in: place, name }) => place === 'header' && !NOT_SENT.has(name))
  const shown = headers.map(({ name, example }) => [name, values[name] ?? example])
  return Object.fromEntries(shown.filter(([, value]) => value !== ''))
}

/** The query without which an operation names no customer, or shows what other tests did. */
const NEEDED: Record<string, string> = {
  updateCustomerByQuery: '?external_customer_id=user_12345',
  listAudit: '?type=tenant.updated&tenant_id={customer_id}',
  listTenants: '?search=ops%40acme.com',
  findAcrossTenants: '?q={id}',
}
/** The fields that change while the steps run in the background. */
const RUNNING = /\.(?:status|started_at|finished_at)\b/

/** The fields of the health of all tenants that are of whichever test comes first. */
const OF_OTHERS = /^\.(?:failing_endpoints|errors_last_hour)\.\w+\[\]\.(?:company_name|mode|url_host|api) /

/** Values that differ from tenant to tenant and from time to time. Two of the same form are the same. */
const FORMS = [
  /^(?:cust|evt|key|whe|whd|whsec|sk_live|op|opk|ok|ses)_/,
  /^ada(?:\.[\w-]+)?@acme\.com$/,
  /^https:\/\/[\w.]+\/console\/sign-in#token=ol_/,
  /^(?:req_|[0-9a-f]{8}-[0-9a-f]{4}-)/,
  /^\d{4}-\d\d-\d\d(?:T[\d:.]+Z)?$/,
  /^(?:https:\/\/\w+\.example\.com|http:\/\/127\.0\.0\.1:9)\/roster$/,
  /^(?:\w+\.example\.com|127\.0\.0\.1:9)$/,
  /^[\w-]+\.[\w-]+\.[\w-]+$/,
]

function firstLine(lines: string): Json {
  return JSON.parse(lines.slice(0, lines.indexOf('\n')))
}

/** Returns the places where the response has another field, or another text, than the example. */
function differences(example: Json, real: Json, at = ''): string[] {
  if (Array.isArray(example) && Array.isArray(real)) {
    return example.length > 0 && real.length > 0 ? differences(example[0], real[0], `${at}[]`) : []
  }
  if (typeof example === 'string' && typeof real === 'string') {
    const isSame = example === real || FORMS.some((form) => form.test(example) && form.test(real))
    return isSame ? [] : [`${at} is ${JSON.stringify(real)}, in the example ${JSON.stringify(example)}`]
  }
  if (typeof example !== 'object' || typeof real !== 'object' || example === null || real === null) return []
  return [...new Set([...Object.keys(example), ...Object.keys(real)])].flatMap((name) => {
    if (!(name in example)) return [`the example has no ${at}.${name}`]
    if (!(name in real)) return [`the response has no ${at}.${name}`]
    return differences(example[name], real[name], `${at}.${name}`)
  })
}

describe('the OpenAPI document', () => {
  it.each(
    operations
      .filter(({ operation }) => !NEEDS_DATABASES.has(operation.operationId))
      .map((one) => [one.name, one] as const),
  )('has a true example of %s', async (_name, one) => {
    const state = await stateFor(one)
    const { operationId } = one.operation
    const called = await send(one, state, { headers: headersOf(one, state) })
    expect([called.status < 300, called.text]).toEqual([true, called.text])
    const { content = {} } = resolved(one.operation.responses[called.status])
    const found = differences(content['application/json']?.example, called.body)
    const lines = content['application/x-ndjson']?.example
    if (lines !== undefined) found.push(...differences(firstLine(lines), firstLine(called.text)))
    const ofOthers = operationId.endsWith('Onboarding')
      ? RUNNING
      : operationId === 'getDeploymentHealth'
        ? OF_OTHERS
        : null
    expect(found.filter((one) => !ofOthers?.test(one))).toEqual([])

    for (const parameter of one.parameters.filter(({ in: place }) => place === 'query')) {
      // A cursor belongs to the request that returned it, so the one in the document is of no use.
      if (parameter.name === 'cursor') continue
      const { status, text } = await send(one, state, {
        // The customer exists by then.
        query:
          queryOf(parameter, state) +
          (operationId === 'createCustomer' && parameter.name === 'expand' ? '&if_exists=return' : ''),
        type: OF_CSV.has(parameter.name) ? 'text/csv' : undefined,
      })
      expect([parameter.name, status < 300, text]).toEqual([parameter.name, true, text])
    }
  })

  it('has an import as CSV that creates the same customers', async () => {
    const one = byId.get('importCustomers')
    if (!one) throw new Error('the document has no import')
    const { text } = await send(one, await stateFor(one), { type: 'text/csv' })
    const results = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(results.map(({ result, external_id: id }) => [result, id])).toEqual([
      ['created', 'user_1'],
      ['created', 'user_2'],
    ])
  })

  it('has the columns of an export as CSV', async () => {
    const one = byId.get('exportCustomers')
    if (!one) throw new Error('the document has no export')
    const { text } = await send(one, await stateFor(one), { query: '?format=csv' })
    const [head, row] = resolved(one.operation.responses[200]).content['text/csv'].example.split('\r\n')
    expect(text.split('\r\n')[0]).toBe(head)
    expect(row).toContain('user_12345,Acme Corporation')
  })
})
