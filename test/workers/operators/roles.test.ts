/**
 * Every route of the v1 API for each kind of caller that names a tenant: an operator with the role of its contract is let
 * in, and nobody else. The requests are the examples of the OpenAPI document.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import type { AnyContract } from '../../../src/http/contract-types.ts'
import { atLeast, ROLES, type Role } from '../../../src/operators/operator.ts'
import { contracts, exampleOf, nameOf } from '../support/contracts.ts'
import { newOperator, signIn } from '../support/operators.ts'
import { call, newTenant, type TestTenant } from '../support/roster.ts'
import { asTenant } from './support.ts'

const routes = contracts.filter(({ path }) => path.startsWith('/v1/'))

let tenant: TestTenant
const operators: { role: Role; headers: Record<string, string> }[] = []

beforeAll(async () => {
  tenant = await newTenant()
  for (const role of ROLES) {
    const { key } = await newOperator(role)
    operators.push({ role, headers: { 'x-api-key': key } })
    operators.push({ role, headers: { cookie: await signIn(key), 'roster-console': '1' } })
  }
})

/** Sends the documented example of the route, about resources that do not exist, with a reason. */
function send(contract: AnyContract, headers: Record<string, string>) {
  const { method, url, headers: ofExample, body } = exampleOf(contract)
  return call(method, url, {
    body: reachable(body),
    headers: { ...ofExample, ...asTenant(tenant.tenantId), ...headers },
  })
}

/** Replaces the hosts of the example, because the host that runs the tests cannot look up a name. */
function reachable(body: unknown): unknown {
  if (typeof body !== 'object') return body
  return JSON.parse(JSON.stringify(body).replaceAll(/https:\/\/\w+\.example\.com/g, 'http://127.0.0.1:9'))
}

describe('a route of the v1 API', () => {
  it('states the role of an operator', () => {
    expect(routes.length).toBeGreaterThan(30)
    expect(routes.filter(({ role }) => role === null)).toEqual([])
    expect(new Set(routes.map(({ role }) => role))).toEqual(new Set(['viewer', 'support', 'admin']))
  })

  it.each(routes.map((contract) => [nameOf(contract), contract] as const))(
    'lets in an operator with its role, and nobody else who names a tenant: %s',
    async (_name, contract) => {
      const ofTenant: Record<string, string>[] = [
        { authorization: `Bearer ${tenant.live.key}` },
        { 'x-api-key': tenant.live.key },
      ]
      for (const headers of ofTenant) {
        const { status, body } = await send(contract, headers)
        expect([status, body.details.reason]).toEqual([403, 'operators_only'])
      }
      expect((await send(contract, {})).status).toBe(401)
      for (const { role, headers } of operators) {
        const { status, body, text } = await send(contract, headers)
        if (atLeast(role, contract.role as Role)) {
          expect([role, [401, 403, 429].includes(status) || status >= 500], text).toEqual([role, false])
        } else {
          const details = { reason: 'missing_role', role, needed: contract.role }
          expect([status, body.code, body.details]).toEqual([403, 'permission_denied', details])
        }
      }
    },
  )

  it.each(routes.filter(({ role }) => role !== 'viewer').map((contract) => [nameOf(contract), contract] as const))(
    'changes nothing without a reason: %s',
    async (_name, contract) => {
      const { headers } = operators.at(-1) ?? {}
      const { status, body } = await send(contract, { ...headers, 'x-reason': '' })
      expect([status, body.details.errors[0].field]).toEqual([400, 'x-reason'])
    },
  )
})
