/**
 * Every route of the app is stated by one contract, and the scope that a contract states is the one that is enforced: a key
 * with every other scope is refused, a key with only the stated ones is not. The requests are the examples of the OpenAPI
 * document, so that each would be taken if the key had the scope.
 */
import { inspectRoutes } from 'hono/dev'
import { describe, expect, it } from 'vitest'
import { createApp } from '../../../src/app.ts'
import { services } from '../../../src/composition/services.ts'
import type { AnyContract } from '../../../src/http/contract-types.ts'
import { SCOPES } from '../../../src/tenants/tenant.ts'
import { contracts, exampleOf, nameOf } from '../support/contracts.ts'
import { call, newKey, newTenant } from '../support/roster.ts'

/** Sends the documented example of the route with this key. */
function send(contract: AnyContract, key: string) {
  const { method, url, headers, body } = exampleOf(contract)
  return call(method, url, { key, headers, body })
}

describe('the contracts', () => {
  const stated = contracts.map(nameOf)
  const routed = inspectRoutes(createApp(services))
    .filter(({ isMiddleware }) => !isMiddleware)
    .map(nameOf)

  it('state every route of the app once, and no other', () => {
    expect(stated.toSorted()).toEqual(routed.toSorted())
    expect(new Set(stated).size).toBe(stated.length)
    expect(stated.length).toBeGreaterThan(40)
  })

  it('require a scope wherever a tenant’s key is accepted, except where a tenant sees only itself', () => {
    const open = contracts.filter(({ scopes }) => scopes.length === 0).map(nameOf)
    expect(open.filter((name) => !name.includes(' /admin/')).toSorted()).toEqual([
      'GET /healthz',
      'GET /login',
      'GET /readyz',
      'GET /v1/tenant',
      'GET /v1/tenant/keys',
      'GET /v1/tenant/usage',
    ])
  })
})

describe('the role that a contract states', () => {
  const roleOf = new Map(contracts.map((contract) => [nameOf(contract), contract.role]))

  it('is stated by every route of operators, and follows from the scopes of a route of tenants', () => {
    const withoutRole = [...roleOf].filter(([, role]) => role === null).map(([name]) => name)
    expect(withoutRole.toSorted()).toEqual(['GET /healthz', 'GET /login', 'GET /readyz', 'POST /admin/session'])
    for (const { method, scopes, role, path } of contracts) {
      if (role === null || path.startsWith('/admin/')) continue
      if (method === 'get') expect([path, role]).toEqual([path, 'viewer'])
      if (scopes.includes('customers:write') && method !== 'get') expect([path, role]).not.toEqual([path, 'viewer'])
    }
  })

  it.each([
    ['GET /admin/audit', 'viewer'],
    ['PUT /admin/customers/:customer_id', 'admin'],
    ['DELETE /admin/customers/:customer_id', 'owner'],
    ['GET /v1/webhooks/endpoints', 'viewer'],
    ['POST /v1/customers/search', 'viewer'],
    ['PATCH /v1/customers/:id', 'support'],
    ['POST /v1/customers/:id/onboarding/signal', 'support'],
    ['POST /v1/webhooks/endpoints/:endpoint_id/redeliver', 'support'],
    ['POST /v1/customers/:id/erase', 'admin'],
    ['POST /v1/webhooks/endpoints', 'admin'],
    ['PUT /v1/settings/customer_onboarding', 'admin'],
  ])('is, for %s, %s', (name, role) => expect(roleOf.get(name)).toBe(role))
})

describe('a scope that a contract states', () => {
  const scoped = contracts.filter(({ scopes }) => scopes.length > 0)

  it.each(scoped.flatMap((contract) => contract.scopes.map((scope) => ({ name: nameOf(contract), scope, contract }))))(
    'is enforced: $name refuses a key with every scope but $scope',
    async ({ scope, contract }) => {
      const { tenantId } = await newTenant()
      const { key } = await newKey(tenantId, { scopes: SCOPES.filter((other) => other !== scope) })
      const refused = await send(contract, key)
      const code = refused.body.code === 'access_denied' ? 'permission_denied' : refused.body.code
      expect([refused.status, code]).toEqual([403, 'permission_denied'])
      expect(refused.text).toContain(`has no scope ${scope}`)
    },
  )

  it.each(scoped.map((contract) => ({ name: nameOf(contract), contract })))(
    'is enough: $name lets a key with only its scopes in',
    async ({ contract }) => {
      const { tenantId } = await newTenant()
      const { key } = await newKey(tenantId, { scopes: contract.scopes })
      const { status, text } = await send(contract, key)
      // 503: a URL of a webhook is looked up in the DNS, which a test may not reach.
      expect([200, 201, 202, 204, 400, 404, 503], text).toContain(status)
      expect(text).not.toContain('has no scope')
    },
  )
})
