/**
 * The webhook routes: input, responses and what stays secret. Delivery is tested in `test/node` with a real receiver, its
 * order and retries in `events/`.
 */
import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { readEnv } from '../../../../src/env.ts'
import { vault } from '../../events/support.ts'
import { call, newKey, newTenant, newTenantOfBothModes } from '../../support/roster.ts'
import { loggedIn } from '../../tenants/support.ts'

const PATH = '/v1/webhooks/endpoints'
/** An address of this machine: these tests run without a resolver. Nothing listens there. */
const HOOK = 'http://127.0.0.1:9/hook'
const NOBODY = 'whe_01ARZ3NDEKTSV4RRFFQ69G5FAV'

async function newCaller() {
  const { tenantId, live, test } = await newTenantOfBothModes()
  const as = (key: string) => (method: string, path: string, body?: unknown) =>
    call(method, `${PATH}${path}`, { key, ...(body !== undefined && { body }) })
  return { tenantId, key: live.key, send: as(live.key), sendTest: as(test.key) }
}

async function newEndpoint(send: Awaited<ReturnType<typeof newCaller>>['send'], fields: object = {}) {
  const { status, body } = await send('POST', '', { url: HOOK, ...fields })
  expect(status).toBe(201)
  return body
}

describe('an endpoint', () => {
  it('is created with the sent fields and defaults, and returned with its secret this once', async () => {
    const { send } = await newCaller()
    const made = await newEndpoint(send)
    expect(made).toEqual({
      id: expect.stringMatching(/^whe_[0-9A-Z]{26}$/),
      ...{ url: HOOK, description: '', event_types: null, enabled: true, status: 'ok' },
      ...{ disabled_reason: null, failing_since: null, secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/) },
      ...{ created_at: expect.any(String), updated_at: made.created_at, created_by: expect.stringMatching(/^key_/) },
    })
    const { secret, ...shown } = made
    expect((await send('GET', `/${made.id}`)).body).toEqual(shown)
    expect((await send('GET', '')).body).toEqual({ items: [shown] })
    const other = await newEndpoint(send, {
      ...{ description: 'Billing', event_types: ['customer.created', 'customer.created'], enabled: false },
    })
    expect(other).toMatchObject({ description: 'Billing', event_types: ['customer.created'], status: 'disabled' })
    expect((await send('GET', '')).body.items.map(({ id }: { id: string }) => id)).toEqual([other.id, made.id])
  })

  it('keeps fields that a change does not name; null or empty text clears', async () => {
    const { send } = await newCaller()
    const {
      id,
      secret: _,
      ...made
    } = await newEndpoint(send, {
      description: 'Billing',
      event_types: ['customer.erased'],
    })
    const changed = async (body: object) => (await send('PATCH', `/${id}`, body)).body
    const at = { updated_at: expect.any(String) }
    expect(await changed({})).toEqual({ id, ...made, ...at })
    expect(await changed({ url: 'http://127.0.0.1:9/other' })).toMatchObject({
      ...{ url: 'http://127.0.0.1:9/other', description: 'Billing', event_types: ['customer.erased'] },
    })
    expect(await changed({ description: null, event_types: null })).toMatchObject({
      description: '',
      event_types: null,
    })
    expect(await changed({ enabled: false })).toMatchObject({
      enabled: false,
      status: 'disabled',
      disabled_reason: null,
    })
  })

  it('starts afresh when it is enabled after Roster disabled it', async () => {
    const { send } = await newCaller()
    const { id } = await newEndpoint(send)
    await env.DB.prepare(
      `UPDATE webhook_endpoints SET enabled = 0, disabled_reason = 'failing', failing_since = 1 WHERE id = ?`,
    )
      .bind(id)
      .run()
    expect((await send('GET', `/${id}`)).body).toMatchObject({
      ...{ status: 'disabled', disabled_reason: 'failing', failing_since: '1970-01-01T00:00:00.001Z' },
    })
    expect((await send('PATCH', `/${id}`, { enabled: true })).body).toMatchObject({
      ...{ status: 'ok', disabled_reason: null, failing_since: null },
    })
  })

  it('returns 404 for the second delete', async () => {
    const { send } = await newCaller()
    const { id } = await newEndpoint(send)
    expect((await send('DELETE', `/${id}`)).status).toBe(204)
    expect((await send('DELETE', `/${id}`)).status).toBe(404)
    expect((await send('GET', '')).body).toEqual({ items: [] })
  })

  it('can be one of twenty for each mode, however many are created at once', async () => {
    const { send, sendTest } = await newCaller()
    const made = await Promise.all(Array.from({ length: 25 }, () => send('POST', '', { url: HOOK })))
    expect(made.filter(({ status }) => status === 201)).toHaveLength(20)
    const refused = made.find(({ status }) => status === 400)?.body
    expect(refused).toMatchObject({ code: 'invalid_operation', details: { reason: 'too_many_endpoints' } })
    expect(refused.message).toMatch(/delete one first/)
    expect((await sendTest('POST', '', { url: HOOK })).status).toBe(201)
  })

  it('is answered as one that does not exist, byte for byte, when it is another tenant’s or mode’s', async () => {
    const [us, them] = [await newCaller(), await newCaller()]
    const theirs = (await newEndpoint(them.send)).id
    const ofTest = (await us.sendTest('POST', '', { url: HOOK })).body.id
    const requests: [string, string, object?][] = [
      ['GET', ''],
      ['PATCH', '', { description: 'ours' }],
      ['PATCH', '', { url: 'https://10.0.0.1/' }],
      ['DELETE', ''],
      ['POST', '/rotate', {}],
      ['POST', '/test', {}],
      ['GET', '/deliveries'],
      ['POST', '/redeliver', { failed: true }],
      ['POST', '/retry', {}],
    ]
    for (const [method, path, body] of requests) {
      const [missing, ...others] = await Promise.all(
        [NOBODY, theirs, ofTest, 'nonsense'].map((id) => us.send(method, `/${id}${path}`, body)),
      )
      expect([method, path, missing?.status]).toEqual([method, path, 404])
      for (const other of others)
        expect([method, path, other.status, other.text]).toEqual([method, path, 404, missing?.text])
    }
    expect((await them.send('GET', `/${theirs}`)).body).toMatchObject({ url: HOOK, description: '' })
  })

  it('requires the scope of webhooks', async () => {
    const { tenantId } = await newCaller()
    const { key } = await newKey(tenantId, { scopes: ['customers:read', 'customers:write', 'events:read'] })
    for (const [method, path, body] of [
      ['GET', ''],
      ['POST', '', { url: HOOK }],
      ['DELETE', `/${NOBODY}`],
      ['POST', `/${NOBODY}/test`, {}],
    ] as const) {
      const { status, body: answered } = await call(method, PATH + path, { key, body })
      expect([method, path, status, answered.details]).toEqual([
        ...[method, path, 403, { reason: 'missing_scope', scope: 'webhooks:manage' }],
      ])
    }
  })
})

describe('a mistake is named with its fix', () => {
  it.each<[string, object, string[]]>([
    ['no URL', {}, ['url']],
    ['a URL that is not public', { url: 'https://10.0.0.1/' }, ['url']],
    ['credentials', { url: 'https://user:secret@hooks.example.com/' }, ['url']],
    ['http', { url: 'http://hooks.example.com/' }, ['url']],
    ['an unknown type', { url: HOOK, event_types: ['customer.exploded'] }, ['event_types.0']],
    ['no type', { url: HOOK, event_types: [] }, ['event_types']],
    ['a long description', { url: HOOK, description: 'x'.repeat(501) }, ['description']],
    ['several at once', { url: 7, enabled: 'yes' }, ['url', 'enabled']],
  ])('%s', async (_, body, fields) => {
    const { send } = await newCaller()
    const { status, body: answered } = await send('POST', '', body)
    expect(status).toBe(400)
    expect(answered.details.errors.map(({ field }: { field: string }) => field)).toEqual(fields)
    for (const { fix } of answered.details.errors) expect(fix).toMatch(/./)
    expect((await send('GET', '')).body.items).toEqual([])
  })

  it.each<[object, string]>([
    [{}, ''],
    [{ failed: true, since: '2026-01-20' }, ''],
    [{ failed: false }, 'failed'],
    [{ event_id: 'evt_1' }, 'event_id'],
    [{ since: 'yesterday' }, 'since'],
    [{ failed: true, cursor: 'x' }, 'cursor'],
  ])('names the field of a redelivery: %j', async (body, field) => {
    const { send } = await newCaller()
    const { id } = await newEndpoint(send)
    const { status, body: answered } = await send('POST', `/${id}/redeliver`, body)
    expect([status, answered.details.errors?.[0]?.field]).toEqual([400, field])
  })

  it('names a missing event', async () => {
    const { send } = await newCaller()
    const { id } = await newEndpoint(send)
    const { status, body } = await send('POST', `/${id}/redeliver`, { event_id: 'evt_01ARZ3NDEKTSV4RRFFQ69G5FAV' })
    expect([status, body.message]).toEqual([404, expect.stringMatching(/^There is no such event /)])
  })

  it('names a query, and a sixth secret that would sign along', async () => {
    const { send } = await newCaller()
    const { id } = await newEndpoint(send)
    expect((await send('GET', `/${id}/deliveries?status=lost&limit=0&x=1`)).body.details.errors).toHaveLength(3)
    for (let rotations = 0; rotations < 4; rotations++) {
      expect((await send('POST', `/${id}/rotate`)).status).toBe(201)
    }
    const sixth = await send('POST', `/${id}/rotate`)
    expect([sixth.status, sixth.body.details.errors[0].field]).toEqual([400, 'overlap_seconds'])
    expect((await send('POST', `/${id}/rotate`, { overlap_seconds: 0 })).status).toBe(201)
    expect((await send('POST', `/${id}/rotate`)).status).toBe(201)
  })

  it('returns success or a 4xx for any body', async () => {
    const { send } = await newCaller()
    const { id } = await newEndpoint(send)
    const value = fc.oneof(
      fc.jsonValue(),
      fc.webUrl(),
      fc.constantFrom(null, true, 'https://127.1/', '', '\\', 'https://['),
    )
    const body = fc.dictionary(
      fc.constantFrom(
        'url',
        'description',
        'event_types',
        'enabled',
        'overlap_seconds',
        'since',
        'failed',
        'cursor',
        'x',
      ),
      value,
    )
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(`/${id}`, `/${id}/rotate`, `/${id}/redeliver`, ''), body, async (path, sent) => {
        // A name would be looked up, and no resolver runs here.
        if (typeof sent.url === 'string' && /^https?:\/\/[^/]*[a-z]/i.test(sent.url)) return
        const { status } = await send(path === `/${id}` ? 'PATCH' : 'POST', path, sent)
        expect(status, JSON.stringify(sent)).toBeLessThan(500)
      }),
      { numRuns: 150 },
    )
  })
})

it('returns a secret only when it is created, and never logs it', async () => {
  const lines: string[] = []
  for (const level of ['info', 'warn', 'error'] as const) {
    vi.spyOn(console, level).mockImplementation((line) => void lines.push(String(line)))
  }
  const { send } = await newCaller()
  const { id, secret: first } = await newEndpoint(send, { url: 'http://127.0.0.1:9/' })
  const { secret: second } = (await send('POST', `/${id}/rotate`)).body
  const answers = await Promise.all([
    send('GET', ''),
    send('GET', `/${id}`),
    send('PATCH', `/${id}`, { enabled: true }),
    send('POST', `/${id}/test`),
    send('GET', `/${id}/deliveries`),
    send('POST', `/${id}/redeliver`, { since: '2026-01-20' }),
    send('POST', `/${id}/rotate`, { overlap_seconds: -1 }),
  ])
  answers.push(await send('DELETE', `/${id}`))
  vi.restoreAllMocks()
  expect(first).not.toBe(second)
  for (const secret of [first, second]) {
    for (const { text } of answers) expect(text).not.toContain(secret)
    expect(lines.join('\n')).not.toContain(secret)
  }
  expect(answers[3]?.body).toMatchObject({ delivered: false, error: 'connection_failed', status_code: null })
})

it('logs each change once, with its actor; a repeat that changes nothing is not logged', async () => {
  const { tenantId, live } = await newTenant()
  const send = (method: string, path: string, body?: object, headers = {}) =>
    call(method, `${PATH}${path}`, { key: live.key, headers, ...(body && { body }) })
  let endpointId = ''
  const lines = await loggedIn(async () => {
    for (let sent = 0; sent < 2; sent++) {
      endpointId = (await send('POST', '', { url: HOOK }, { 'idempotency-key': 'one' })).body.id
    }
    await send('PATCH', `/${endpointId}`, { description: 'Billing' })
    await send('POST', `/${endpointId}/rotate`, {})
    await send('POST', `/${endpointId}/redeliver`, { since: '2026-01-20' })
    await send('POST', `/${endpointId}/retry`)
    await send('DELETE', `/${endpointId}`)
  })
  const by = { level: 'info', requestId: expect.any(String), endpointId, actor: live.keyId, tenantId, mode: 'live' }
  expect(lines.map((line) => JSON.parse(line)).filter(({ event }) => event.startsWith('webhook'))).toEqual([
    { ...by, event: 'webhook_endpoint_created' },
    { ...by, event: 'webhook_endpoint_updated' },
    { ...by, event: 'webhook_secret_rotated' },
    { ...by, event: 'webhooks_redelivered', count: 0 },
    { ...by, event: 'webhooks_retried', count: 0 },
    { ...by, event: 'webhook_endpoint_deleted' },
  ])
})

it('returns 503 for a host that cannot be resolved now, and logs a line without its name', async () => {
  const { tenantId, live } = await newTenant()
  vi.spyOn(globalThis, 'fetch').mockRejectedValue(new Error('no resolver'))
  const lines = await loggedIn(async () => {
    const { status } = await call('POST', PATH, { key: live.key, body: { url: 'https://hooks.unknown.example/' } })
    expect(status).toBe(503)
  })
  vi.restoreAllMocks()
  const line = lines.find((one) => one.includes('lookup_failed')) ?? '{}'
  expect(JSON.parse(line)).toEqual({
    ...{ level: 'warn', event: 'lookup_failed', error: 'Error: no resolver', tenantId, mode: 'live' },
  })
})

describe('ALLOW_LOCAL_WEBHOOKS', () => {
  const bindings = (given: object) => ({ ...env, ...given }) as Cloudflare.Env

  it('stops a deployment from starting, and names the variable to remove', () => {
    for (const given of [{ DEPLOYED: 'true' }, { DEPLOYED: undefined }, { DEPLOYED: '' }]) {
      expect(() => readEnv(bindings(given))).toThrow(/ALLOW_LOCAL_WEBHOOKS is for development/)
    }
  })

  it('is off by default, and a deployment without it starts', () => {
    expect(readEnv(bindings({})).allowLocalWebhooks).toBe(true)
    const deployed = { ALLOW_LOCAL_WEBHOOKS: undefined, DEPLOYED: 'true' }
    expect(readEnv(bindings(deployed)).allowLocalWebhooks).toBe(false)
    expect(readEnv(bindings({ ALLOW_LOCAL_WEBHOOKS: 'yes' })).allowLocalWebhooks).toBe(false)
  })
})

describe('an idempotency-key', () => {
  const keyed = (tenant: { key: string }, path: string, body: object, headers: Record<string, string> = {}) =>
    call('POST', `${PATH}${path}`, { key: tenant.key, body, headers: { 'idempotency-key': 'the-same', ...headers } })

  it('counts as another request’s when its stored response cannot be opened, its secret rotated out', async () => {
    const caller = await newCaller()
    const first = await keyed(caller, '', { url: HOOK })
    expect(first.status).toBe(201)
    await env.DB.prepare('UPDATE idempotency_records SET sealed = ?').bind('A'.repeat(60)).run()
    const again = await keyed(caller, '', { url: HOOK })
    expect([again.status, again.body.code]).toEqual([422, 'idempotency_mismatch'])
    expect((await call('GET', PATH, { key: caller.key })).body.items).toHaveLength(1)
  })

  it('makes one endpoint of any number of requests, each answered with the same secret', async () => {
    const caller = await newCaller()
    const answers = await Promise.all(Array.from({ length: 5 }, () => keyed(caller, '', { url: HOOK })))
    expect(answers.map(({ status }) => status)).toEqual(Array(5).fill(201))
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1)
    expect(answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true')).toHaveLength(4)
    expect((await caller.send('GET', '')).body.items).toHaveLength(1)
    const other = await newKey(caller.tenantId, {})
    expect((await keyed({ key: other.key }, '', { url: HOOK })).text).toBe(answers[0]?.text)
  })

  it('rotates once, tests once, redelivers once, retries once', async () => {
    const caller = await newCaller()
    const { id } = await newEndpoint(caller.send, { url: 'http://127.0.0.1:9/' })
    for (const [path, body] of [
      ['/rotate', {}],
      ['/test', {}],
      ['/redeliver', { failed: true }],
      ['/retry', {}],
    ] as const) {
      const headers = { 'idempotency-key': path }
      const [first, again] = [
        await keyed(caller, `/${id}${path}`, body, headers),
        await keyed(caller, `/${id}${path}`, body, headers),
      ]
      expect([path, again.text, again.headers.get('idempotent-replayed')]).toEqual([path, first.text, 'true'])
    }
    const row = await env.DB.prepare('SELECT secrets FROM webhook_endpoints WHERE id = ?')
      .bind(id)
      .first<string>('secrets')
    expect(await vault.open(row ?? '')).toHaveLength(2)
  })

  it('is refused with another request, and separate for each tenant and mode', async () => {
    const [us, them] = [await newCaller(), await newCaller()]
    const first = await keyed(us, '', { url: HOOK })
    const other = await keyed(us, '', { url: `${HOOK}/other` })
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_mismatch'])
    expect((await keyed(them, '', { url: HOOK })).body.id).not.toBe(first.body.id)
  })

  it('makes a customer and an endpoint, each once: the two do not share their keys', async () => {
    const caller = await newCaller()
    const headers = { 'idempotency-key': 'the-same' }
    const customers = [1, 2].map(() =>
      call('POST', '/v1/customers', { key: caller.key, headers, body: { external_id: 'a' } }),
    )
    const endpoints = [1, 2].map(() => keyed(caller, '', { url: HOOK }))
    for (const two of [await Promise.all(customers), await Promise.all(endpoints)]) {
      const made = two.filter(({ status }) => status === 201)
      expect(made.length).toBeGreaterThan(0)
      expect(new Set(made.map(({ body }) => body.id)).size).toBe(1)
    }
  })

  it('stores a refusal too, and no stored response has a secret in clear text', async () => {
    const caller = await newCaller()
    for (const replayed of [null, 'true']) {
      const refused = await keyed(caller, `/${NOBODY}/rotate`, {})
      expect([refused.status, refused.headers.get('idempotent-replayed')]).toEqual([404, replayed])
    }
    const { body } = await keyed(caller, '', { url: HOOK }, { 'idempotency-key': 'secret' })
    const { results } = await env.DB.prepare('SELECT * FROM idempotency_records WHERE sealed IS NOT NULL').all()
    expect(results.length).toBeGreaterThan(0)
    expect(JSON.stringify(results)).not.toContain(body.secret)
  })
})
