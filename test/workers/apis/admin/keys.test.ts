/** API keys at the admin API: shown once, then valid and invalid exactly as stated, at every API of the tenant. */
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { admin, call, newCustomer, newTenant, newTenantOfBothModes } from '../../support/roster.ts'

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

/** Returns the status that each API gives to a key: v1, FlatPeak, FlatPeak's login. */
async function apis(tenantId: string, key: string): Promise<number[]> {
  const basic = { authorization: `Basic ${btoa(`${tenantId}:${key}`)}` }
  return [
    (await call('GET', '/v1/customers', { key })).status,
    (await call('GET', '/v1/customers', { headers: { 'x-api-key': key } })).status,
    (await call('GET', '/customers', { key })).status,
    (await call('GET', '/login', { headers: basic })).status,
  ]
}

/**
 * Runs `observe` with a time in seconds, and again with twice the time whenever it returns null: the machine was too slow
 * to observe before that time was over. Returns the last result of `observe`.
 */
async function longEnough<Observed>(observe: (seconds: number) => Promise<Observed | null>): Promise<Observed> {
  for (let seconds = 2; ; seconds *= 2) {
    const seen = await observe(seconds)
    if (seen !== null) return seen
  }
}

const ALIVE = [200, 200, 200, 200]
const DEAD = [401, 401, 403, 403]

describe('a new key', () => {
  it('is shown once, with its defaults, and is stored nowhere in clear text', async () => {
    const { tenantId } = await newTenant()
    const { status, body } = await admin('POST', `/${tenantId}/keys`)
    expect([status, body]).toEqual([
      201,
      {
        key_id: expect.stringMatching(/^key_[0-9A-Z]{26}$/),
        key: expect.stringMatching(/^sk_live_[0-9A-Za-z]{65}$/),
        name: 'default',
        mode: 'live',
        scopes: ['customers:read', 'customers:write', 'events:read', 'webhooks:manage', 'onboarding:manage'],
        expires_at: null,
        created_at: expect.stringMatching(ISO),
        last_used_at: null,
      },
    ])
    const unused = await admin('GET', `/${tenantId}/keys`)
    const { key, ...rest } = body
    expect(unused.body.items[0]).toEqual({ ...rest, status: 'active', revoked_at: null, rotated_from: null })
    expect(await apis(tenantId, body.key)).toEqual(ALIVE)
    const list = await admin('GET', `/${tenantId}/keys`)
    expect(list.body.pagination).toEqual({ limit: 50, next_cursor: null, has_more: false })
    expect(list.text).not.toContain(key)
    const { results } = await env.DB.prepare('SELECT * FROM api_keys WHERE tenant_id = ?').bind(tenantId).all()
    expect(JSON.stringify(results)).not.toContain(key.slice('sk_live_'.length))
  })

  it('has the requested name, mode, scopes and end', async () => {
    const { tenantId } = await newTenant()
    const expires_at = '2999-01-01T00:00:00.000Z'
    const requested = { name: 'ci', mode: 'test', scopes: ['events:read'], expires_at }
    const { body } = await admin('POST', `/${tenantId}/keys`, { ...requested, scopes: ['events:read', 'events:read'] })
    expect(body).toMatchObject({ ...requested, key: expect.stringMatching(/^sk_test_/) })
    const cleared = await admin('POST', `/${tenantId}/keys`, { name: '', expires_at: null })
    expect(cleared.body).toMatchObject({ name: 'default', expires_at: null })
  })

  it('is not created from bad input', async () => {
    const { tenantId } = await newTenant()
    for (const [field, input] of [
      ['name', { name: 'x'.repeat(101) }],
      ['mode', { mode: 'prod' }],
      ['mode', { mode: null }],
      ['scopes', { scopes: [] }],
      ['scopes.0', { scopes: ['admin'] }],
      ['scopes', { scopes: 'customers:read' }],
      ['expires_at', { expires_at: '2020-01-01' }],
      ['expires_at', { expires_at: 'never' }],
      ['', []],
    ] as const) {
      const { status, body } = await admin('POST', `/${tenantId}/keys`, input)
      expect([status, body.code, body.details.errors[0].field], JSON.stringify(input)).toEqual([
        400,
        'validation_error',
        field,
      ])
    }
    expect((await admin('GET', `/${tenantId}/keys`)).body.items).toHaveLength(1)
  })

  it('opens only its own mode and tenant', async () => {
    const [mine, other] = [await newTenantOfBothModes(), await newTenantOfBothModes()]
    const { id } = await newCustomer(mine.live.key)
    const seen = async (key: string) => (await call('GET', `/customers/${id}`, { key })).status
    expect(await Promise.all([mine.live.key, mine.test.key, other.live.key].map(seen))).toEqual([200, 404, 404])
  })
})

describe('the last use of a key', () => {
  const lastUsed = async (tenantId: string, keyId: string) => {
    const { body } = await admin('GET', `/${tenantId}/keys`)
    return body.items.find(({ key_id }: { key_id: string }) => key_id === keyId).last_used_at
  }
  const minute = (atMs: number) => new Date(Math.floor(atMs / 60_000) * 60_000).toISOString()

  it.each([
    ['GET', '/v1/customers', 'live'],
    ['GET', '/customers', 'test'],
    ['POST', '/v1/customers', 'live'],
  ] as const)('is shown to the minute at once: %s %s in %s mode', async (method, path, mode) => {
    const { tenantId, ...keys } = await newTenantOfBothModes()
    const [used, other] = mode === 'live' ? [keys.live, keys.test] : [keys.test, keys.live]
    const beganMs = Date.now()
    await call(method, path, { key: used.key, ...(method === 'POST' && { body: { external_id: 'a' } }) })
    const between = [minute(beganMs), minute(Date.now())]
    expect(between).toContain(await lastUsed(tenantId, used.keyId))
    expect(await lastUsed(tenantId, other.keyId)).toBeNull()
  })

  it('stays after a revocation, and is not moved by requests that are refused for it', async () => {
    const { tenantId, live, test } = await newTenantOfBothModes()
    await call('GET', '/v1/customers', { key: live.key })
    const used = await lastUsed(tenantId, live.keyId)
    for (const { keyId } of [live, test]) await admin('DELETE', `/${tenantId}/keys/${keyId}`)
    await call('GET', '/v1/customers', { key: test.key })
    expect([await lastUsed(tenantId, live.keyId), await lastUsed(tenantId, test.keyId)]).toEqual([used, null])
  })
})

describe('a revoked key', () => {
  it('is refused by every API once the revocation is answered, and other keys are not', async () => {
    const { tenantId, live } = await newTenant()
    const { body: spare } = await admin('POST', `/${tenantId}/keys`, {})
    expect(await apis(tenantId, live.key)).toEqual(ALIVE)
    const revoked = await admin('DELETE', `/${tenantId}/keys/${live.keyId}`)
    expect([revoked.status, revoked.text]).toEqual([204, ''])
    expect(await apis(tenantId, live.key)).toEqual(DEAD)
    expect(await apis(tenantId, spare.key)).toEqual(ALIVE)
    const [, listed] = (await admin('GET', `/${tenantId}/keys`)).body.items.toReversed()
    expect(listed).toMatchObject({ status: 'active' })
    const { body } = await admin('GET', `/${tenantId}/keys`)
    const item = body.items.find(({ key_id }: { key_id: string }) => key_id === live.keyId)
    expect(item).toMatchObject({ status: 'revoked', revoked_at: expect.stringMatching(ISO) })
  })

  it('can be revoked again, so that an interrupted request can be repeated; an unknown one cannot', async () => {
    const [mine, other] = [await newTenant(), await newTenant()]
    for (const status of [204, 204]) {
      expect((await admin('DELETE', `/${mine.tenantId}/keys/${mine.live.keyId}`)).status).toBe(status)
    }
    for (const id of [other.live.keyId, 'key_01JD0000000000000000000000', 'key_1', '%00']) {
      const { status, body } = await admin('DELETE', `/${mine.tenantId}/keys/${id}`)
      expect([status, body.code], id).toEqual([404, 'not_found'])
    }
    expect(await apis(other.tenantId, other.live.key)).toEqual(ALIVE)
  })
})

describe('a rotated key', () => {
  it('is refused at once without an overlap, and its successor is valid', async () => {
    const { tenantId, live } = await newTenant()
    expect(await apis(tenantId, live.key)).toEqual(ALIVE)
    const { status, body } = await admin('POST', `/${tenantId}/keys/${live.keyId}/rotate`)
    expect(status).toBe(201)
    expect(body).toMatchObject({
      name: 'test',
      mode: 'live',
      key: expect.stringMatching(/^sk_live_/),
      expires_at: null,
    })
    expect(await apis(tenantId, live.key)).toEqual(DEAD)
    expect(await apis(tenantId, body.key)).toEqual(ALIVE)
    const [listed] = (await admin('GET', `/${tenantId}/keys`)).body.items
    expect(listed).toMatchObject({ key_id: body.key_id, rotated_from: live.keyId, status: 'active' })
  })

  it('stays valid beside its successor for the overlap, and no longer', async () => {
    const { tenantId, live, body, endsAtMs } = await longEnough(async (seconds) => {
      const sentAtMs = Date.now()
      const { tenantId, live } = await newTenant()
      const rotation = { overlap_seconds: seconds }
      const { body } = await admin('POST', `/${tenantId}/keys/${live.keyId}/rotate`, rotation)
      const endsAtMs = Date.now() + 1_000 * seconds
      const seen = [await apis(tenantId, live.key), await apis(tenantId, body.key)]
      const again = await admin('POST', `/${tenantId}/keys/${live.keyId}/rotate`, rotation)
      if (Date.now() >= sentAtMs + 1_000 * seconds) return null
      expect(seen).toEqual([ALIVE, ALIVE])
      expect([again.status, again.body.details.errors[0].message]).toEqual([400, expect.stringContaining(body.key_id)])
      return { tenantId, live, body, endsAtMs }
    })
    await scheduler.wait(endsAtMs - Date.now())
    expect([await apis(tenantId, live.key), await apis(tenantId, body.key)]).toEqual([DEAD, ALIVE])
  })

  it('is not created from bad input, nor from a key that is unknown or dead', async () => {
    const { tenantId, live, test } = await newTenantOfBothModes()
    for (const [field, input] of [
      ['overlap_seconds', { overlap_seconds: -1 }],
      ['overlap_seconds', { overlap_seconds: 30 * 24 * 3600 + 1 }],
      ['overlap_seconds', { overlap_seconds: 0.5 }],
      ['overlap_seconds', { overlap_seconds: '60' }],
      ['expires_at', { expires_at: '2020-01-01' }],
    ] as const) {
      const { status, body } = await admin('POST', `/${tenantId}/keys/${live.keyId}/rotate`, input)
      expect([status, body.details.errors[0].field], JSON.stringify(input)).toEqual([400, field])
    }
    await admin('DELETE', `/${tenantId}/keys/${test.keyId}`)
    for (const id of [test.keyId, 'key_01JD0000000000000000000000', 'nothing']) {
      expect((await admin('POST', `/${tenantId}/keys/${id}/rotate`, {})).status).toBe(404)
    }
    expect((await admin('GET', `/${tenantId}/keys`)).body.items).toHaveLength(2)
    expect(await apis(tenantId, live.key)).toEqual(ALIVE)
  })
})

describe('a key with an end', () => {
  it('is refused by every API after that time, whatever an isolate had cached before', async () => {
    const { tenantId } = await newTenant()
    const { body, endsAtMs } = await longEnough(async (seconds) => {
      const endsAtMs = Date.now() + 1_000 * seconds
      const { body } = await admin('POST', `/${tenantId}/keys`, { expires_at: new Date(endsAtMs).toISOString() })
      const seen = await apis(tenantId, body.key)
      if (Date.now() >= endsAtMs) return null
      expect(seen).toEqual(ALIVE)
      return { body, endsAtMs }
    })
    await scheduler.wait(endsAtMs - Date.now() + 1)
    expect(await apis(tenantId, body.key)).toEqual(DEAD)
    expect((await admin('GET', `/${tenantId}/keys`)).body.items[0]).toMatchObject({ status: 'expired' })
  })
})

describe('a suspended tenant', () => {
  it('is refused by every API, reads and writes, in both modes, until it is active again with its data', async () => {
    const { tenantId, live, test } = await newTenantOfBothModes()
    const { id } = await newCustomer(live.key, { name: 'kept' })
    expect(await apis(tenantId, live.key)).toEqual(ALIVE)
    await admin('PUT', `/${tenantId}`, { status: 'suspended' })
    for (const { key } of [live, test]) {
      expect(await apis(tenantId, key)).toEqual([403, 403, 422, 422])
      const v1 = await call('GET', `/v1/customers/${id}`, { key })
      expect([v1.status, v1.body.details.reason]).toEqual([403, 'tenant_suspended'])
      expect((await call('POST', '/v1/customers', { key, body: { external_id: 'new' } })).status).toBe(403)
      expect((await call('GET', `/customers/${id}`, { key })).body.code).toBe('account_disabled')
      expect((await call('PATCH', `/customers/${id}`, { key, body: { devices: [] } })).status).toBe(422)
      // A suspended tenant does not even learn what is wrong with its input.
      expect((await call('PATCH', `/customers/${id}`, { key, body: { devices: 7 } })).status).toBe(422)
      expect((await call('GET', '/customers/nonsense', { key })).status).toBe(422)
    }
    expect((await admin('GET', `/${tenantId}`)).body.status).toBe('suspended')
    await admin('PUT', `/${tenantId}`, { status: 'active' })
    for (const { key } of [live, test]) expect(await apis(tenantId, key)).toEqual(ALIVE)
    expect((await call('GET', `/v1/customers/${id}`, { key: live.key })).body.name).toBe('kept')
  })
})

describe('a change of tier', () => {
  it('takes effect on the limit that the next response names', async () => {
    const { tenantId, live } = await newTenant({ tier: 'starter' })
    const policy = async () => (await call('GET', '/customers', { key: live.key })).headers.get('ratelimit-policy')
    expect(await policy()).toBe('"starter";q=20;w=2')
    await admin('PUT', `/${tenantId}`, { tier: 'scale' })
    expect(await policy()).toBe('"scale";q=400;w=2')
  })
})
