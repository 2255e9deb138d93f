import { createExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import * as fc from 'fast-check'
import { Webhook } from 'standardwebhooks'
import { afterEach, describe, expect, it, vi } from 'vitest'
import worker from '../../../src/index.ts'
import { ONBOARDING_BOUNDS } from '../../../src/onboarding/steps.ts'
import { call, newCustomer, newKey, newTenant, newTenantOfBothModes, requestTo } from '../support/roster.ts'
import { loggedIn } from '../tenants/support.ts'
import { configure, hurry, RECEIVER, receive, SETTINGS, waitForRun } from './support.ts'

afterEach(() => vi.restoreAllMocks())

const STEPS = [{ type: 'wait', seconds: 1 }]
const put = (key: string, body: unknown, headers: Record<string, string> = {}) =>
  call('PUT', SETTINGS, { key, body, headers })

describe('settings of onboarding', () => {
  it('are empty until they are set, and are answered as they were set', async () => {
    const { live, test } = await newTenantOfBothModes()
    const before = await call('GET', SETTINGS, { key: live.key })
    expect(before.body).toEqual({ workflows: {}, updated_at: null, updated_by: null })
    expect(before.headers.get('etag')).toBe('"0"')
    const steps = [
      { type: 'set_metadata', name: null, metadata: { plan: 'trial', old: null } },
      { type: 'webhook', name: 'billing', url: RECEIVER },
      { type: 'wait', name: null, seconds: 60 },
      { type: 'wait_for', name: null, signal: 'signed', timeout_seconds: 3_600 },
    ]
    const set = await put(live.key, { workflows: { default: { steps }, 'v2.beta': { steps: STEPS } } })
    expect(set.headers.get('etag')).toBe('"1"')
    const after = await call('GET', SETTINGS, { key: live.key })
    expect(after.body.workflows.default.steps).toEqual(steps)
    expect(after.body.updated_by).toBe(live.keyId)
    expect((await call('GET', SETTINGS, { key: test.key })).body.workflows).toEqual({})
  })

  it('are replaced as a whole, and keep their version when nothing differs', async () => {
    const { live } = await newTenant()
    await configure(live.key, { one: { steps: STEPS }, two: { steps: STEPS } })
    expect((await put(live.key, { workflows: { one: { steps: STEPS } } })).headers.get('etag')).toBe('"2"')
    expect((await put(live.key, { workflows: { one: { steps: STEPS } } })).headers.get('etag')).toBe('"2"')
    expect(Object.keys((await call('GET', SETTINGS, { key: live.key })).body.workflows)).toEqual(['one'])
    expect((await put(live.key, { workflows: {} })).headers.get('etag')).toBe('"3"')
  })

  it('are not replaced when they have changed since the caller read them', async () => {
    const { live } = await newTenant()
    const body = { workflows: { one: { steps: STEPS } } }
    expect((await put(live.key, body, { 'if-match': '"1"' })).status).toBe(412)
    expect((await put(live.key, body, { 'if-match': '"0"' })).status).toBe(200)
    const stale = await put(live.key, { workflows: {} }, { 'if-match': '"0"' })
    expect(stale.status).toBe(412)
    expect(stale.body.message).toBe(
      'The setting has changed since it was read: read it again and repeat the change on what it is now',
    )
    expect((await put(live.key, { workflows: {} }, { 'if-match': '"1"' })).status).toBe(200)
    const fresh = await call('GET', SETTINGS, { key: live.key, headers: { 'if-none-match': '"2"' } })
    expect(fresh.status).toBe(304)
  })

  it('change once when many callers set them at once: one of them receives the secret', async () => {
    const { live } = await newTenant()
    const all = await Promise.all(
      Array.from({ length: 10 }, (_, at) =>
        put(live.key, { workflows: { [`w${at}`]: { steps: STEPS } } }, { 'if-match': '"0"' }),
      ),
    )
    expect(all.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(all.filter(({ text }) => text.includes('whsec_'))).toHaveLength(1)
  })

  it('need the scope onboarding:manage', async () => {
    const { tenantId } = await newTenant()
    const { key } = await newKey(tenantId, { mode: 'live', scopes: ['customers:read', 'customers:write'] })
    for (const [method, path, body] of [
      ['GET', SETTINGS, undefined],
      ['PUT', SETTINGS, { workflows: {} }],
      ['POST', `${SETTINGS}/rotate`, {}],
    ] as const) {
      const { status, body: refused } = await call(method, path, { key, body })
      expect([status, refused.details.scope]).toEqual([403, 'onboarding:manage'])
    }
  })

  it('are replaced only by callers that may change customers too, because their steps do', async () => {
    const { tenantId } = await newTenant()
    const { key } = await newKey(tenantId, { mode: 'live', scopes: ['onboarding:manage'] })
    const { status, body } = await call('PUT', SETTINGS, { key, body: { workflows: {} } })
    expect([status, body.details.scope]).toEqual([403, 'customers:write'])
    expect((await call('GET', SETTINGS, { key })).body.workflows).toEqual({})
  })

  it('have workflows of at most 16 KB, since every run has a copy', async () => {
    const { live } = await newTenant()
    const metadata = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`key_${at}`, 'x'.repeat(500)]))
    const put = (steps: object[]) => call('PUT', SETTINGS, { key: live.key, body: { workflows: { big: { steps } } } })
    const step = { type: 'set_metadata', metadata }
    expect((await put([step])).status).toBe(200)
    const { status, body } = await put([step, step])
    expect([status, body.details.errors[0].field]).toEqual([400, 'workflows.big.steps'])
  })
})

describe('the secret', () => {
  it('is returned once, and signs along for the requested time when another takes its place', async () => {
    const { live } = await newTenant()
    expect((await call('POST', `${SETTINGS}/rotate`, { key: live.key })).status).toBe(404)
    const first = await configure(live.key, { default: { steps: [{ type: 'webhook', url: RECEIVER }] } })
    expect(
      await configure(live.key, { default: { steps: [{ type: 'webhook', url: `${RECEIVER}/2` }] } }),
    ).toBeUndefined()
    const rotate = async (seconds: number): Promise<string> =>
      (await call('POST', `${SETTINGS}/rotate`, { key: live.key, body: { overlap_seconds: seconds } })).body.secret
    const verifying = async (secrets: string[]) => {
      await using _ = await hurry()
      const received = receive(() => new Response('OK'))
      const { id } = await newCustomer(live.key)
      await waitForRun(live.key, id, 'completed')
      const { text = '', headers = new Headers() } = received[0] ?? {}
      return secrets.map((secret) => {
        try {
          return Boolean(new Webhook(secret).verify(text, Object.fromEntries(headers)))
        } catch {
          return false
        }
      })
    }
    const second = await rotate(3_600)
    expect(await verifying([first, second])).toEqual([true, true])
    const third = await rotate(0)
    expect(await verifying([first, second, third])).toEqual([false, false, true])
    const { text } = await call('GET', SETTINGS, { key: live.key })
    expect(text).not.toContain('whsec_')
  })

  it('stays one when the rotation is repeated with its key, and five sign at once at most', async () => {
    const { live } = await newTenant()
    await configure(live.key, {})
    const rotate = (headers: Record<string, string>, body: object = {}) =>
      call('POST', `${SETTINGS}/rotate`, { key: live.key, headers, body })
    const first = await rotate({ 'idempotency-key': 'one' })
    const again = await rotate({ 'idempotency-key': 'one' })
    expect([again.status, again.text]).toEqual([201, first.text])
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect((await rotate({ 'idempotency-key': 'one' }, { overlap_seconds: 1 })).status).toBe(422)
    for (let more = 0; more < 3; more++) expect((await rotate({})).status).toBe(201)
    const { status, body } = await rotate({})
    expect([status, body.details.errors[0].field]).toEqual([400, 'overlap_seconds'])
    expect((await rotate({}, { overlap_seconds: 0 })).status).toBe(201)
  })
})

it('logs each change once, with its actor; a repeat that changes nothing is not logged', async () => {
  const { tenantId, live } = await newTenant()
  const key = live.key
  const twice = { key, headers: { 'idempotency-key': 'one' } }
  let customerId = ''
  const lines = await loggedIn(async () => {
    await configure(key, { default: { steps: [{ type: 'wait_for', signal: 'go', timeout_seconds: 60 }] } })
    for (let sent = 0; sent < 2; sent++) await call('POST', `${SETTINGS}/rotate`, { ...twice, body: {} })
    customerId = (await newCustomer(key)).id
    for (let sent = 0; sent < 2; sent++) {
      const path = `/v1/customers/${customerId}/onboarding/signal`
      expect(
        (await call('POST', path, { ...twice, headers: { 'idempotency-key': 'two' }, body: { signal: 'go' } })).status,
      ).toBe(202)
    }
  })
  const changes = lines.map((line) => JSON.parse(line)).filter(({ event }) => event.startsWith('onboarding_'))
  const by = { level: 'info', requestId: expect.any(String), actor: live.keyId, tenantId, mode: 'live' }
  expect(changes).toEqual([
    { ...by, event: 'onboarding_settings_replaced', version: 1 },
    { ...by, event: 'onboarding_secret_rotated' },
    { ...by, event: 'onboarding_signalled', customerId },
  ])
})

describe('invalid settings', () => {
  const wait = { type: 'wait', seconds: 1 }
  it.each([
    [{}, 'workflows', 'is required'],
    [{ workflows: [] }, 'workflows', 'is not an object'],
    [{ workflows: { default: {} } }, 'workflows.default.steps', 'is required'],
    [{ workflows: { default: { steps: [] } } }, 'workflows.default.steps', 'is empty'],
    [
      { workflows: { default: { steps: Array(21).fill(wait) } } },
      'workflows.default.steps',
      'has more than 20 entries',
    ],
    [{ workflows: { '': { steps: [wait] } } }, 'workflows.', 'is no name for a workflow'],
    [
      { workflows: { ['n'.repeat(41)]: { steps: [wait] } } },
      `workflows.${'n'.repeat(41)}`,
      'is no name for a workflow',
    ],
    [
      { workflows: Object.fromEntries(Array.from({ length: 11 }, (_, at) => [`w${at}`, { steps: [wait] }])) },
      'workflows',
      'has more than 10 entries',
    ],
    [
      { workflows: { default: { steps: [wait, wait, { type: 'webhook', url: 'https://10.0.0.1/' }] } } },
      'workflows.default.steps.2.url',
      'names an address',
    ],
    [
      { workflows: { a: { steps: [{ type: 'webhook', url: 'ftp://example.com/' }] } } },
      'workflows.a.steps.0.url',
      'is not an https URL',
    ],
    [
      { workflows: { a: { steps: [{ type: 'email' }] } } },
      'workflows.a.steps.0.type',
      'is none of set_metadata, webhook, wait, wait_for',
    ],
    [
      { workflows: { a: { steps: [{ ...wait, seconds: 31_536_001 }] } } },
      'workflows.a.steps.0.seconds',
      'is over the maximum of 31536000',
    ],
    [
      { workflows: { a: { steps: [{ ...wait, name: 'n'.repeat(101) }] } } },
      'workflows.a.steps.0.name',
      'is longer than 100 characters',
    ],
    [
      { workflows: { a: { steps: [{ type: 'wait_for', signal: 'a b', timeout_seconds: 1 }] } } },
      'workflows.a.steps.0.signal',
      'is not the name of a signal',
    ],
    [
      { workflows: { a: { steps: [{ type: 'set_metadata', metadata: { k: {} } }] } } },
      'workflows.a.steps.0.metadata.k',
      'is not text',
    ],
  ])('are refused by the name of the field: %j', async (body, field, message) => {
    const { live } = await newTenant()
    const refused = await put(live.key, body)
    expect(refused.status).toBe(400)
    expect(refused.body.details.errors[0]).toMatchObject({ field, message: expect.stringContaining(message) })
  })

  it('return every wrong URL at once, and an unknown field only with strict handling', async () => {
    const { live } = await newTenant()
    const steps = [
      { type: 'webhook', url: 'http://192.168.0.1/' },
      wait,
      { type: 'webhook', url: 'https://[fc00::1]/' },
    ]
    const { body } = await put(live.key, { workflows: { a: { steps } } })
    const fields = body.details.errors.map(({ field }: { field: string }) => field)
    expect(fields).toEqual(['workflows.a.steps.0.url', 'workflows.a.steps.2.url'])
    const odd = { workflows: { a: { steps: [{ ...wait, minutes: 1 }] } } }
    const strict = await put(live.key, odd, { prefer: 'handling=strict' })
    expect(strict.body.details.errors[0].field).toBe('workflows.a.steps.0.minutes')
    expect((await put(live.key, odd)).status).toBe(200)
  })

  it('are refused and change nothing, whatever they are; accepted ones are answered as sent', async () => {
    const { live } = await newTenant()
    const name = fc.oneof(fc.string({ maxLength: 50 }), fc.constantFrom('default', '__proto__', 'constructor', 'a.b'))
    const step = fc.oneof(
      fc.record({
        type: fc.constant('wait'),
        seconds: fc.oneof(fc.integer(), fc.double(), fc.integer({ min: 1, max: 9 })),
      }),
      fc.record({
        type: fc.constant('set_metadata'),
        metadata: fc.dictionary(fc.string({ maxLength: 45 }), fc.string()),
      }),
      fc.record({
        type: fc.constant('wait_for'),
        signal: fc.string({ maxLength: 45 }),
        timeout_seconds: fc.integer({ min: -1, max: 40_000_000 }),
      }),
      fc.jsonValue(),
    )
    const body = fc.record({
      workflows: fc.dictionary(name, fc.oneof(fc.record({ steps: fc.array(step, { maxLength: 22 }) }), fc.jsonValue())),
    })
    await fc.assert(
      fc.asyncProperty(body, async (sent) => {
        const before = await call('GET', SETTINGS, { key: live.key })
        const { status, body: answered } = await put(live.key, sent)
        const after = await call('GET', SETTINGS, { key: live.key })
        if (status === 400) {
          expect(answered.details.errors[0].field).toMatch(/^workflows/)
          expect(after.text).toBe(before.text)
        } else {
          expect(status).toBe(200)
          expect(Object.keys(after.body.workflows)).toEqual(Object.keys(sent.workflows))
          expect(Object.keys(sent.workflows).length).toBeLessThanOrEqual(ONBOARDING_BOUNDS.workflowsMax)
        }
      }),
      { numRuns: 60 },
    )
  })
})

it('returns 503 with retry-after while D1 or the engine is unreachable', async () => {
  const { tenantId, live } = await newTenant()
  await configure(live.key, { default: { steps: [{ type: 'wait_for', signal: 'go', timeout_seconds: 60 }] } })
  const { id } = await newCustomer(live.key)
  const request = async (method: string, path: string, body: object | null, broken: object) => {
    const context = createExecutionContext()
    const headers = { authorization: `Bearer ${live.key}`, 'content-type': 'application/json' }
    const init = { method, headers, ...(body && { body: JSON.stringify(body) }) }
    const answer = await worker.fetch(requestTo(path, init), { ...env, ...broken } as never, context)
    return [answer.status, answer.headers.get('retry-after')]
  }
  const away = () => {
    throw new Error('away')
  }
  const D1_AWAY = { DB: { withSession: away } }
  const SIGNAL = [`/v1/customers/${id}/onboarding/signal`, { signal: 'go' }] as const
  const lines = await loggedIn(async () => {
    expect(await request('GET', SETTINGS, null, D1_AWAY)).toEqual([503, '1'])
  })
  const failed = lines.map((line) => JSON.parse(line)).filter(({ event }) => event === 'storage_failed')
  expect(failed).toEqual([
    { level: 'error', event: 'storage_failed', kind: 'uncertain', error: 'Error: away', tenantId, mode: 'live' },
  ])
  expect(await request('PUT', SETTINGS, { workflows: {} }, D1_AWAY)).toEqual([503, '1'])
  expect(await request('POST', `${SETTINGS}/rotate`, {}, D1_AWAY)).toEqual([503, '1'])
  expect(await request('GET', `/v1/customers/${id}/onboarding`, null, D1_AWAY)).toEqual([503, '1'])
  expect(await request('POST', ...SIGNAL, D1_AWAY)).toEqual([503, '1'])
  expect(await request('POST', ...SIGNAL, { ONBOARDING: { get: away } })).toEqual([503, '1'])
  expect(await request('POST', ...SIGNAL, {})).toEqual([202, null])
  await waitForRun(live.key, id, 'completed')
})

it('looks each host up once, however many URLs name it, and refuses more than twenty hosts without a look-up', async () => {
  const { live } = await newTenant()
  const records = {
    Status: 0,
    Answer: [
      { type: 1, data: '93.184.215.14' },
      { type: 28, data: '2606:2800:21f:cb07::1' },
    ],
  }
  const lookUps = vi.spyOn(globalThis, 'fetch').mockImplementation(async () => Response.json(records))
  const stepsOf = (urls: string[]) => ({
    workflows: Object.fromEntries(
      Array.from({ length: Math.ceil(urls.length / 10) }, (_, at) => [
        `w${at}`,
        { steps: urls.slice(10 * at, 10 * at + 10).map((url) => ({ type: 'webhook', url })) },
      ]),
    ),
  })
  const oneHost = Array.from(
    { length: 30 },
    (_, at) => `https://one.${live.keyId.toLowerCase().replaceAll('_', '')}.example.com/${at}`,
  )
  expect((await put(live.key, stepsOf(oneHost))).status).toBe(200)
  expect(lookUps).toHaveBeenCalledTimes(2)
  const hosts = Array.from({ length: 21 }, (_, at) => `https://h${at}.example.com/`)
  const refused = await put(live.key, stepsOf(hosts))
  expect([refused.status, refused.body.details?.errors[0].field]).toEqual([400, 'workflows'])
  expect(refused.body.details.errors[0].message).toBe('has steps that call 21 hosts')
  expect(lookUps).toHaveBeenCalledTimes(2)
})

it('returns 503 for a host that cannot be resolved now, and logs a line without its name', async () => {
  const { tenantId, live } = await newTenant()
  vi.spyOn(globalThis, 'fetch').mockRejectedValue(new Error('no resolver'))
  const steps = [{ type: 'webhook', url: 'https://hooks.unknown.example/' }]
  const lines = await loggedIn(async () => {
    expect((await put(live.key, { workflows: { default: { steps } } })).status).toBe(503)
  })
  const line = lines.find((one) => one.includes('lookup_failed')) ?? '{}'
  expect(JSON.parse(line)).toEqual({
    ...{ level: 'warn', event: 'lookup_failed', error: 'Error: no resolver', tenantId, mode: 'live' },
  })
})

describe('the onboarding of a customer', () => {
  it('is the same bytes for other tenants as for a customer that does not exist', async () => {
    const { live } = await newTenant()
    const other = await newTenant()
    await configure(live.key, { default: { steps: [{ type: 'wait_for', signal: 'go', timeout_seconds: 60 }] } })
    const { id } = await newCustomer(live.key)
    await waitForRun(live.key, id, 'waiting', 0)
    const plain = await newCustomer(other.live.key)
    for (const key of [other.live.key, live.key.replace('live', 'live')]) {
      const missing = key === live.key ? plain.id : id
      const headers = { 'x-request-id': 'same' }
      const get = await call('GET', `/v1/customers/${missing}/onboarding`, { key, headers })
      const none = await call('GET', '/v1/customers/cust_none/onboarding', { key, headers })
      expect([get.status, get.text]).toEqual([404, none.text])
      const sent = await call('POST', `/v1/customers/${missing}/onboarding/signal`, {
        key,
        headers,
        body: { signal: 'go' },
      })
      expect([sent.status, sent.text]).toEqual([404, none.text])
    }
  })

  it('is shown with the scope customers:read, and receives signals with customers:write', async () => {
    const { tenantId, live } = await newTenant()
    await configure(live.key, { default: { steps: [{ type: 'wait_for', signal: 'go', timeout_seconds: 60 }] } })
    const { id } = await newCustomer(live.key)
    const reader = await newKey(tenantId, { mode: 'live', scopes: ['customers:read'] })
    const writer = await newKey(tenantId, { mode: 'live', scopes: ['customers:write'] })
    const path = `/v1/customers/${id}/onboarding`
    const body = { signal: 'go' }
    expect((await call('GET', path, { key: reader.key })).status).toBe(200)
    expect((await call('GET', path, { key: writer.key })).status).toBe(403)
    expect((await call('POST', `${path}/signal`, { key: reader.key, body })).status).toBe(403)
    expect((await call('POST', `${path}/signal`, { key: writer.key, body })).status).toBe(202)
  })
})
