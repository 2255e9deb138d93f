/** A tenant sees itself at `/v1/tenant`: the part of the mode of its key, and nothing of another tenant. */
import { beforeAll, describe, expect, it } from 'vitest'
import { actAs } from '../operators/support.ts'
import {
  admin,
  call,
  newCustomer,
  newKey,
  newTenant,
  newTenantOfBothModes,
  type TestTenantOfBothModes,
  TWO_REQUESTS,
} from '../support/roster.ts'

let tenant: TestTenantOfBothModes

beforeAll(async () => {
  tenant = await newTenantOfBothModes({ company_name: 'Acme', tier: 'scale' })
})

const ROUTES = ['/v1/tenant', '/v1/tenant/usage', '/v1/tenant/keys']

describe('GET /v1/tenant', () => {
  it('returns the limits of the mode, and the key that was sent', async () => {
    const { body } = await call('GET', '/v1/tenant', { key: tenant.live.key })
    expect(body).toEqual({
      tenant_id: tenant.tenantId,
      company_name: 'Acme',
      tier: 'scale',
      status: 'active',
      mode: 'live',
      limits: {
        requests_per_second: 200,
        burst: 400,
        annual_validation_limit: 30_000_000,
        storage_bytes: 2_000_000_000,
      },
      key: { key_id: tenant.live.keyId, name: 'test', scopes: expect.any(Array), expires_at: null },
    })
    const inTest = await call('GET', '/v1/tenant', { key: tenant.test.key })
    expect(inTest.body).toMatchObject({
      mode: 'test',
      limits: { requests_per_second: 10, annual_validation_limit: null, storage_bytes: 50_000_000 },
      key: { key_id: tenant.test.keyId },
    })
  })

  it('returns no key to an operator, and the status also of a suspended tenant', async () => {
    const suspended = await newTenantOfBothModes()
    await admin('PUT', `/${suspended.tenantId}`, { status: 'suspended' })
    const { body } = await actAs(suspended.tenantId, 'GET', '/v1/tenant')
    expect(body).toMatchObject({ tenant_id: suspended.tenantId, status: 'suspended', key: null })
  })
})

describe('GET /v1/tenant/usage', () => {
  it('returns what the operator sees of the same mode', async () => {
    await newCustomer(tenant.live.key)
    await newCustomer(tenant.test.key)
    for (const mode of ['live', 'test'] as const) {
      const headers = { 'roster-mode': mode }
      const own = await actAs(tenant.tenantId, 'GET', '/v1/tenant/usage', { headers })
      const { body } = await admin('GET', `/${tenant.tenantId}/usage`)
      const limit = mode === 'live' ? {} : { annual_validation_limit: null }
      expect(own.body).toEqual({ tenant_id: tenant.tenantId, mode, ...body[mode], ...limit })
      expect(own.body.stored_bytes).toBeGreaterThan(0)
      expect((await call('GET', '/v1/tenant/usage', { key: tenant[mode].key })).body).toMatchObject({ mode })
    }
  })
})

describe('GET /v1/tenant/keys', () => {
  it('lists the keys of the mode, newest first, by pages, and never a text', async () => {
    const { tenantId, live, test } = await newTenantOfBothModes()
    const { keyId: billing } = await newKey(tenantId, { name: 'billing', scopes: ['customers:read'] })
    await admin('DELETE', `/${tenantId}/keys/${billing}`)
    const first = await call('GET', '/v1/tenant/keys?limit=1', { key: live.key })
    expect(first.body.items).toMatchObject([{ key_id: billing, name: 'billing', status: 'revoked' }])
    const cursor = first.body.pagination.next_cursor
    const second = await call('GET', `/v1/tenant/keys?limit=1&cursor=${cursor}`, { key: live.key })
    expect(second.body.items).toMatchObject([{ key_id: live.keyId, mode: 'live', status: 'active' }])
    expect(second.body.pagination).toMatchObject({ has_more: false, next_cursor: null })
    const inTest = await call('GET', '/v1/tenant/keys', { key: test.key })
    expect(inTest.body.items.map((key: { key_id: string }) => key.key_id)).toEqual([test.keyId])
    expect(first.text + second.text + inTest.text).not.toMatch(/sk_|hash/)
    expect((await call('GET', `/v1/tenant/keys?cursor=${cursor}`, { key: test.key })).status).toBe(400)
  })
})

describe('each of these routes', () => {
  it.each(ROUTES)('takes any key of the tenant, and none that is not in use: %s', async (path) => {
    for (const scope of ['customers:read', 'onboarding:manage']) {
      const { key, keyId } = await newKey(tenant.tenantId, { scopes: [scope] })
      expect((await call('GET', path, { key })).status).toBe(200)
      await admin('DELETE', `/${tenant.tenantId}/keys/${keyId}`)
      expect((await call('GET', path, { key })).status).toBe(401)
    }
    expect((await call('GET', path)).status).toBe(401)
  })

  it.each(ROUTES)('is refused while the tenant is suspended: %s', async (path) => {
    const suspended = await newTenant()
    await admin('PUT', `/${suspended.tenantId}`, { status: 'suspended' })
    expect((await call('GET', path, { key: suspended.live.key })).status).toBe(403)
  })

  it.each(ROUTES)('takes a permit: %s', async (path) => {
    const { tenantId, live } = await newTenant({ tier: 'custom', limits: TWO_REQUESTS })
    const statuses: number[] = []
    for (let sent = 0; sent < 3; sent++) statuses.push((await call('GET', path, { key: live.key })).status)
    expect(statuses).toEqual([200, 200, 429])
    expect((await admin('GET', `/${tenantId}/usage`)).body.live.admitted_this_year).toBeLessThanOrEqual(2)
  })
})
