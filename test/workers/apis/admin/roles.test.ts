/**
 * Every route of the admin API for nobody and for each of the four roles: who has the role of its contract is let in, and
 * everybody else is refused before anything happens. The requests are the examples of the OpenAPI document.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { adminContracts } from '../../../../src/apis/admin/contract.ts'
import type { AnyContract } from '../../../../src/http/contract-types.ts'
import { atLeast, ROLES } from '../../../../src/operators/operator.ts'
import { exampleOf, nameOf } from '../../support/contracts.ts'
import { asOwner, fromConsole, newOperator, type Role, signIn } from '../../support/operators.ts'
import { ADMIN_KEY, call } from '../../support/roster.ts'

const contracts: AnyContract[] = Object.values(adminContracts)
const guarded = contracts.filter(({ role }) => role !== null)

/** The credentials of each caller: nobody, and in each role a key and a session. */
const callers: { caller: Role | 'nobody'; headers: Record<string, string> }[] = []

beforeAll(async () => {
  callers.push({ caller: 'nobody', headers: {} })
  for (const role of ROLES) {
    const { key } = await newOperator(role)
    const cookie = await signIn(key)
    callers.push({ caller: role, headers: { 'x-api-key': key } })
    callers.push({ caller: role, headers: { cookie, 'roster-console': '1' } })
  }
})

describe('a route of the admin API', () => {
  it('states a role, except the sign-in', () => {
    expect(contracts.filter(({ role }) => role === null).map(nameOf)).toEqual(['POST /admin/session'])
    expect(new Set(guarded.map(({ role }) => role))).toEqual(new Set(['viewer', 'admin', 'owner']))
  })

  it('that only reads lets every role in, and one that changes something no viewer, unless it is about operators or oneself', () => {
    for (const { method, path, role } of guarded) {
      if (/^\/admin\/(?:operators|session)/.test(path)) continue
      expect([method, path, role === 'viewer']).toEqual([method, path, method === 'get'])
    }
  })

  it.each(guarded.map((contract) => [nameOf(contract), contract] as const))(
    'lets in who has its role, and nobody else: %s',
    async (name, contract) => {
      for (const { caller, headers } of callers) {
        // It would leave the next routes without the session.
        if (name === 'DELETE /admin/session' && 'cookie' in headers) continue
        const example = exampleOf(contract)
        // The names of the path exist nowhere, so a caller who is let in gets 404 there.
        const answer = await call(example.method, example.url, {
          ...(example.body !== undefined && { body: example.body }),
          headers: { ...example.headers, ...headers },
        })
        const isIn = caller !== 'nobody' && atLeast(caller, contract.role as Role)
        if (caller === 'nobody') expect([name, caller, answer.status]).toEqual([name, caller, 401])
        else if (isIn) {
          expect([name, caller, answer.status < 300 || [400, 404, 409].includes(answer.status)], answer.text).toEqual([
            name,
            caller,
            true,
          ])
        } else {
          expect([name, caller, answer.status, answer.body.code, answer.body.details]).toEqual([
            ...[name, caller, 403, 'permission_denied'],
            { reason: 'missing_role', role: caller, needed: contract.role },
          ])
        }
      }
    },
  )

  it('changes nothing for whom it refuses', async () => {
    const { operatorId } = await newOperator('viewer')
    const tenant = await asOwner('POST', '/admin/customers', {
      body: { company_name: 'Kept', contact_email: 'a@example.com' },
    })
    const paths = [`/admin/customers/${tenant.body.customer_id}`, `/admin/operators/${operatorId}`]
    for (const { caller, headers } of callers) {
      if (caller === 'owner' || caller === 'admin') continue
      const body = { company_name: 'Changed', name: 'Changed', role: 'owner' }
      for (const method of ['PUT', 'PATCH', 'DELETE']) {
        for (const path of paths) await call(method, path, { headers, ...(method !== 'DELETE' && { body }) })
      }
    }
    expect((await asOwner('GET', paths[0] ?? '')).body).toEqual(tenant.body)
    expect((await asOwner('GET', paths[1] ?? '')).body).toMatchObject({ role: 'viewer', name: 'A viewer' })
  })

  it('lets an admin key in as an owner', async () => {
    const { body } = await call('GET', '/admin/me', { headers: { 'x-api-key': ADMIN_KEY } })
    expect(body).toEqual({
      ...{ operator_id: null, name: 'admin', email: null, role: 'owner', via: 'admin_key' },
      ...{ session_id: null, session_expires_at: null },
    })
  })

  it('is let in by a session as by its key', async () => {
    const cookie = await signIn(ADMIN_KEY)
    expect((await fromConsole(cookie, 'GET', '/admin/operators?limit=1')).status).toBe(200)
  })
})
