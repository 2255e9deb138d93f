/** Authentication at the FlatPeak API: login, bearer tokens, keys and their scopes. */
import { describe, expect, it } from 'vitest'
import { admin, newTenant, newTenantOfBothModes, TWO_REQUESTS } from '../../support/roster.ts'
import { call, error } from './caller.ts'

let references = 0

function create(key: string) {
  return call('POST', '/customers', { key, body: { reference_id: `ref_${references++}` } })
}

describe('GET /login', () => {
  const basic = (id: string, key: string) => ({ authorization: `Basic ${btoa(`${id}:${key}`)}` })

  it('exchanges an account and its key for a bearer token of the FlatPeak API', async () => {
    const { tenantId, live, test } = await newTenantOfBothModes()
    for (const { key, liveMode } of [
      { key: live.key, liveMode: true },
      { key: test.key, liveMode: false },
    ]) {
      const { status, body, headers } = await call('GET', '/login', { headers: basic(tenantId, key) })
      expect([status, body]).toEqual([
        200,
        { object: 'token', live_mode: liveMode, bearer_token: expect.any(String), expires_in: 3600 },
      ])
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('ratelimit')).not.toBeNull()
      const created = await create(body.bearer_token)
      expect([created.status, created.body.live_mode]).toEqual([201, liveMode])
      expect((await call('GET', `/customers/${created.body.id}`, { key })).status).toBe(200)
    }
    expect((await call('GET', '/login', { headers: basic(tenantId.toUpperCase(), live.key) })).status).toBe(200)
  })

  it('refuses every unknown caller with the same body', async () => {
    const [mine, other] = [await newTenant(), await newTenant()]
    const token = (await call('GET', '/login', { headers: basic(mine.tenantId, mine.live.key) })).body.bearer_token
    const strangers: Record<string, string>[] = [
      {},
      { authorization: `Bearer ${mine.live.key}` },
      { authorization: 'Basic' },
      { authorization: 'Basic !!!' },
      { authorization: `Basic ${btoa(mine.live.key)}` },
      basic(other.tenantId, mine.live.key),
      basic('', mine.live.key),
      basic(mine.tenantId, ''),
      basic(mine.tenantId, 'sk_live_wrong'),
      basic(mine.tenantId, `${mine.live.key.slice(0, -1)}${mine.live.key.endsWith('0') ? '1' : '0'}`),
      basic(mine.tenantId, token),
    ]
    for (const headers of strangers) {
      for (const path of ['/login', '/login?next=1']) {
        const { status, body } = await call('GET', path, { headers })
        expect([status, body], JSON.stringify(headers)).toEqual([
          403,
          error('invalid_request', 'access_denied', 'Bad credentials', {
            hint: expect.stringContaining('The account id or the API key is not right'),
          }),
        ])
      }
    }
    const odd = await call('GET', '/login?next=1', { headers: basic(mine.tenantId, mine.live.key) })
    expect([odd.status, odd.body.param]).toEqual([400, 'next'])
  })

  it('makes tokens that die with their key, and none for a dead key', async () => {
    const { tenantId, live } = await newTenant()
    const login = () => call('GET', '/login', { headers: basic(tenantId, live.key) })
    const token = (await login()).body.bearer_token
    expect((await call('GET', '/customers', { key: token })).status).toBe(200)
    expect((await admin('DELETE', `/${tenantId}/keys/${live.keyId}`)).status).toBe(204)
    for (const refused of [await login(), await call('GET', '/customers', { key: token })]) {
      expect([refused.status, refused.body.code]).toEqual([403, 'access_denied'])
    }
  })

  it('answers a suspended account with 422, and costs a permit like any request', async () => {
    const { tenantId, live } = await newTenant({ tier: 'custom', limits: TWO_REQUESTS })
    const login = () => call('GET', '/login', { headers: basic(tenantId, live.key) })
    const statuses = [await login(), await login(), await login()].map(({ status }) => status)
    expect(statuses).toEqual([200, 200, 429])
    await admin('PUT', `/${tenantId}`, { status: 'suspended' })
    const suspended = await login()
    expect([suspended.status, suspended.body]).toEqual([
      422,
      error('api_error', 'account_disabled', expect.any(String)),
    ])
  })
})

describe('a key', () => {
  it('is refused with 403 where it lacks the needed scope', async () => {
    const { tenantId, live } = await newTenant()
    const { body: reader } = await admin('POST', `/${tenantId}/keys`, { scopes: ['customers:read'] })
    const { body: writer } = await admin('POST', `/${tenantId}/keys`, { scopes: ['customers:write'] })
    const { body } = await create(live.key)
    const path = `/customers/${body.id}`
    expect((await call('GET', path, { key: reader.key })).status).toBe(200)
    for (const refused of [
      await create(reader.key),
      await call('PATCH', path, { key: reader.key, body: { devices: [] } }),
      await call('DELETE', path, { key: reader.key }),
      await call('GET', path, { key: writer.key }),
      await call('GET', '/customers', { key: writer.key }),
    ]) {
      expect([refused.status, refused.body.code]).toEqual([403, 'access_denied'])
    }
    expect((await call('PATCH', path, { key: writer.key, body: { devices: [] } })).status).toBe(202)
  })
})
