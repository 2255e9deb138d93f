/**
 * The mistakes that a person makes with an API, at each of the four: every answer says what was sent, what is allowed and
 * what to do, in these words. No answer repeats a key, or a character that a terminal acts on.
 */
import { beforeAll, expect, it } from 'vitest'
import { toErrorResponse } from '../../../src/apis/rpc/errors.ts'
import type { Failure } from '../../../src/registry/errors.ts'
import {
  ADMIN_KEY,
  admin,
  type Called,
  call,
  newCustomer,
  newTenant,
  newTenantOfBothModes,
  type TestTenant,
  type TestTenantOfBothModes,
} from '../support/roster.ts'

let tenant: TestTenantOfBothModes
let suspended: TestTenant
let revoked: string
let limited: TestTenant
let takenBy: string

beforeAll(async () => {
  tenant = await newTenantOfBothModes()
  suspended = await newTenant()
  await admin('PUT', `/${suspended.tenantId}`, { status: 'suspended' })
  const gone = (await admin('POST', `/${tenant.tenantId}/keys`, {})).body
  await admin('DELETE', `/${tenant.tenantId}/keys/${gone.key_id}`)
  revoked = gone.key
  const limits = { requests_per_second: 10, burst: 20, annual_validation_limit: 1, annual_commitment: 0 }
  limited = await newTenant({ tier: 'custom', limits, contract_start: '2020-03-01' })
  takenBy = (await newCustomer(tenant.live.key, { external_id: 'taken' })).id
})

interface Sent {
  method: string
  path: string
  headers?: Record<string, string>
  body?: unknown
}

/** Returns the text that a person reads: that of the answer, and the fix of each field. */
function read({ body }: Called): string {
  const fixes = (body.details?.errors ?? []).map(({ fix }: { fix: string }) => `: ${fix}`)
  return `${body.message}${fixes.join('')}${body.hint === undefined ? '' : `. ${body.hint}`}`
}

function send({ method, path, headers = {}, body }: Sent): Promise<Called> {
  return call(method, path, { headers, body })
}

const JSON_TYPE = { 'content-type': 'application/json' }
const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
const asOperator = { 'x-api-key': ADMIN_KEY }

const NO_KEY = 'No API key was sent: send Authorization: Bearer <key>, or x-api-key: <key>'
const OTHER_SCHEME =
  'The authorization header is no bearer token: send Authorization: Bearer <key>, or x-api-key: <key>'
const NOT_AN_API_KEY =
  'What was sent is no API key: one begins with sk_live_ or sk_test_. The key of an operator is for /admin, and for /v1 with roster-tenant and roster-mode'
const CUT_KEY =
  'The API key is not whole: one is sk_live_ or sk_test_ and 65 letters and digits. Copy it again, without quotes or spaces'
const REVOKED_KEY =
  'The API key is not valid: it was revoked or rotated, has expired, or is of another deployment. Send one that is in use'
const OLD_TOKEN = 'The token is not valid or has expired: get another from GET /login, or send an API key'
const AT_ADMIN =
  'What was sent is an API key of a tenant, which is for /v1 and /customers: send the key of an operator as x-api-key'
const OLD_JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln'

const AS_JSON = 'send one JSON object, such as {"name": "Acme"}'
const SUSPENDED =
  'The account is suspended: all its keys are refused until the operator of this service makes it active again'

it('says what kind of key was sent, and which one is needed', async () => {
  const { key } = tenant.live
  const v1: [headers: Record<string, string>, text: string][] = [
    [{}, NO_KEY],
    [{ authorization: '' }, NO_KEY],
    [{ authorization: 'Basic YTpi' }, OTHER_SCHEME],
    [{ authorization: key }, OTHER_SCHEME],
    [bearer(ADMIN_KEY), NOT_AN_API_KEY],
    [asOperator, NOT_AN_API_KEY],
    [bearer(key.slice(0, -3)), CUT_KEY],
    [{ 'x-api-key': `"${key}"` }, NOT_AN_API_KEY],
    [bearer(revoked), REVOKED_KEY],
    [bearer(key.replace('sk_live_', 'sk_test_')), REVOKED_KEY],
    [bearer(OLD_JWT), OLD_TOKEN],
  ]
  for (const [headers, text] of v1) {
    const answers = [
      await send({ method: 'GET', path: '/v1/customers', headers }),
      await send({ method: 'GET', path: '/customers', headers }),
    ]
    expect([headers, ...answers.map(read)]).toEqual([headers, text, `Bad credentials. ${text}`])
    expect(answers.map(({ status }) => status)).toEqual([401, 403])
  }
  const operator: [headers: Record<string, string>, text: string][] = [
    [{}, 'No key was sent: send the key of an operator, or an admin key, as x-api-key: <key>'],
    [bearer(ADMIN_KEY), 'The key of an operator is not sent as authorization: send it as x-api-key: <key>'],
    [{ 'x-api-key': key }, AT_ADMIN],
    [bearer(key), AT_ADMIN],
    [
      { 'x-api-key': 'wrong-admin-key-of-some-length' },
      'The key is not valid: it was revoked or has expired, or it is none. Send the key of an operator, or one of the deployment’s ADMIN_KEYS, as x-api-key',
    ],
  ]
  for (const [headers, text] of operator) {
    const answer = await send({ method: 'GET', path: '/admin/customers', headers })
    expect([headers, answer.status, read(answer)]).toEqual([headers, 401, text])
  }
})

it('says what is wrong with a body, at every API alike', async () => {
  const json = { ...JSON_TYPE }
  const bodies: [headers: Record<string, string>, body: unknown, status: number, problem: string][] = [
    [{}, undefined, 400, `body is missing: ${AS_JSON}`],
    [json, undefined, 400, `body is missing: ${AS_JSON}`],
    [json, '', 400, `body is missing: ${AS_JSON}`],
    [json, '{"name": "x",}', 400, `body is not JSON: line 1, column 14: ${AS_JSON}`],
    [json, '{\n "name": sekret\n}', 400, `body is not JSON: ${AS_JSON}`],
    [json, '{"name": "x"', 400, `body is not JSON: line 1, column 13: ${AS_JSON}`],
    [
      { 'content-type': 'text/plain' },
      '{}',
      415,
      'content-type is "text/plain", which is not read here: send content-type: application/json',
    ],
  ]
  const routes = [
    { method: 'POST', path: '/v1/customers', key: bearer(tenant.live.key), prefix: 'the ' },
    { method: 'POST', path: '/customers', key: bearer(tenant.live.key), prefix: 'The ' },
    { method: 'POST', path: '/admin/customers', key: asOperator, prefix: 'the ' },
  ]
  for (const { method, path, key, prefix } of routes) {
    for (const [headers, body, status, problem] of bodies) {
      const answer = await send({ method, path, headers: { ...key, ...headers }, body })
      const expected = problem.startsWith('body') ? prefix + problem : problem
      expect([path, body, answer.status, read(answer)]).toEqual([path, body, status, expected])
    }
  }
})

it('says what was sent and what is allowed, for names that are taken, unknown or too long', async () => {
  const { key } = tenant.live
  const mode = 'in the mode of this key'
  const long = 'n'.repeat(256)
  const answers: [Sent, status: number, text: string][] = [
    [
      { method: 'POST', path: '/v1/customers', headers: bearer(key), body: { external_id: 'taken' } },
      409,
      `external_id "taken" belongs to another customer, ${takenBy}: send an external_id that no other customer has, or change or archive the one that has it`,
    ],
    [
      { method: 'POST', path: '/customers', headers: bearer(key), body: { reference_id: 'taken' } },
      409,
      `Reference ID already exists. "taken" belongs to ${takenBy}: send another reference_id, or change or delete that one`,
    ],
    [
      { method: 'GET', path: '/v1/customers/cust_01JD3VQ4X8N2M7R5T9W6YBZKCE', headers: bearer(key) },
      404,
      `There is no such customer ${mode}: check the id, and whether the key is for live or test`,
    ],
    [
      { method: 'GET', path: `/v1/customers/${takenBy}`, headers: bearer(tenant.test.key) },
      404,
      `There is no such customer ${mode}: check the id, and whether the key is for live or test`,
    ],
    [
      { method: 'GET', path: '/customers/nobody', headers: bearer(key) },
      404,
      `Not Found. There is no such customer ${mode}: check the id, and whether the key is for live or test`,
    ],
    [
      { method: 'GET', path: `/admin/customers/${crypto.randomUUID()}`, headers: asOperator },
      404,
      'There is no tenant with this customer_id: GET /admin/customers lists them',
    ],
    [
      { method: 'GET', path: '/v1/customer', headers: bearer(key) },
      404,
      'There is nothing at this path: /docs has every path with its methods',
    ],
    [
      { method: 'POST', path: '/v1/customers', headers: bearer(key), body: { external_id: 'x', name: long } },
      400,
      'name is longer than 255 characters, it has 256: shorten it to 255 characters',
    ],
    [
      { method: 'POST', path: '/customers', headers: bearer(key), body: { reference_id: long } },
      400,
      'reference_id is longer than 255 characters, it has 256: shorten it to 255 characters',
    ],
    [
      { method: 'GET', path: '/v1/customers?limit=-1', headers: bearer(key) },
      400,
      'limit is under the minimum of 1: send at least 1',
    ],
    [
      { method: 'GET', path: '/v1/customers?cursor=', headers: bearer(key) },
      400,
      'cursor is empty: send next_cursor of the page before, or leave it out to begin with the first page',
    ],
    [
      {
        method: 'PATCH',
        path: `/v1/customers/${takenBy}`,
        headers: { ...bearer(key), 'x-reason': 'red \u009b31m' },
        body: { name: 'x' },
      },
      400,
      'x-reason "red  31m" has control or invisible characters: write it as plain text on one line',
    ],
    [
      {
        method: 'PUT',
        path: `/admin/customers/${tenant.tenantId}`,
        headers: { ...asOperator, 'x-reason': 'r'.repeat(501) },
        body: { company_name: 'x' },
      },
      400,
      'x-reason is longer than 500 characters: it has 501: say it in 500',
    ],
  ]
  for (const [sent, status, text] of answers) {
    const answer = await send(sent)
    expect([sent.path, answer.status, read(answer)]).toEqual([sent.path, status, text])
  }
})

it('says that a parameter was given more than once, and takes one that is a list', async () => {
  const { key } = tenant.live
  const twice: [path: string, name: string, values: string[]][] = [
    ['/v1/customers', 'limit', ['1', '2']],
    ['/v1/customers', 'order', ['asc', 'asc']],
    ['/v1/customers', 'email', ['a@example.com', 'b@example.com']],
    ['/v1/customers', 'sort', ['name', 'email']],
    ['/v1/customers/export', 'format', ['csv', 'ndjson']],
    ['/v1/events', 'limit', ['1', '2']],
    ['/customers', 'reference_id', ['a', 'b']],
    ['/admin/customers', 'tier', ['scale', 'growth']],
  ]
  for (const [path, name, values] of twice) {
    const headers = path.startsWith('/admin') ? asOperator : bearer(key)
    const query = values.map((value) => `${name}=${value}`).join('&')
    const answer = await send({ method: 'GET', path: `${path}?${query}`, headers })
    expect([path, name, answer.status, read(answer)]).toEqual([
      path,
      name,
      400,
      `${name} is given more than once: send it once`,
    ])
  }
  for (const query of [
    'status=draft&status=published',
    'expand=children&expand=integrations',
    'external_ids=a&external_ids=b',
  ]) {
    expect((await send({ method: 'GET', path: `/v1/customers?${query}`, headers: bearer(key) })).status).toBe(200)
  }
})

it('says who can help when the account is suspended, the year is used up, or a scope is missing', async () => {
  const { key } = suspended.live
  for (const [path, status] of [
    ['/v1/customers', 403],
    ['/customers', 422],
  ] as const) {
    const answer = await send({ method: 'GET', path, headers: bearer(key) })
    expect([answer.status, read(answer)]).toEqual([status, SUSPENDED])
  }
  const few = (await admin('POST', `/${tenant.tenantId}/keys`, { scopes: ['events:read'] })).body.key
  expect(read(await send({ method: 'GET', path: '/v1/customers', headers: bearer(few) }))).toBe(
    'The key has no scope customers:read: send a key that has it, or have the operator make one',
  )

  expect((await send({ method: 'GET', path: '/v1/customers', headers: bearer(limited.live.key) })).status).toBe(200)
  const now = new Date()
  const yearOf = (year: number) => Date.UTC(year, 2, 1)
  const nextYearMs =
    yearOf(now.getUTCFullYear()) > now.getTime() ? yearOf(now.getUTCFullYear()) : yearOf(now.getUTCFullYear() + 1)
  for (const sent of [
    { method: 'GET', path: '/v1/customers' },
    { method: 'POST', path: '/v1/customers', body: { external_id: 'x' } },
    { method: 'GET', path: '/customers' },
  ]) {
    const answer = await send({ ...sent, headers: bearer(limited.live.key) })
    expect([answer.status, read(answer)]).toEqual([
      429,
      'The requests of this contract year are used up: wait for the next one, as retry-after says, or have the limit raised',
    ])
    const untilMs = Date.now() + Number(answer.headers.get('retry-after')) * 1_000
    // Two clocks, and whole seconds: within a day of the end of the year.
    expect(Math.abs(untilMs - nextYearMs)).toBeLessThan(86_400_000)
  }
})

it.each<[Failure, string]>([
  [
    { reason: 'not_found', resource: 'customer' },
    'There is no such customer in the mode of this binding: check the id, and props.mode',
  ],
  [
    { reason: 'external_id_taken', externalId: 'a\u009bb', customerId: 'cust_1' },
    'externalId "a b" belongs to another customer, cust_1: send another, or archive that one',
  ],
  [
    { reason: 'missing_scope', scope: 'customers:read' },
    'The binding has no scope customers:read: add it to props.scopes',
  ],
  [
    { reason: 'tenant_suspended' },
    'The tenant is suspended: all its calls are refused until the operator makes it active again',
  ],
  [
    { reason: 'annual_limit_reached', retryAfterMs: 7 },
    'The requests of this contract year are used up: wait for retryAfterMs, or have the limit raised',
  ],
  [
    {
      reason: 'invalid_input',
      problems: [{ field: 'name', message: 'is longer than 255 characters, it has 256', fix: 'shorten it' }],
    },
    'name is longer than 255 characters, it has 256: shorten it',
  ],
])('says the same to a bound Worker: %o', (failure, text) => {
  expect(toErrorResponse(failure).message).toBe(text)
})
