/** Operators act on tenants in every database as in the directory: with what they may do when a change of that is answered. */
import { expect, it } from 'vitest'
import { copyOperators } from '../../../src/storage/operators/copies.ts'
import { asOwner, callWith, fromConsole, newOperator, signIn } from '../support/operators.ts'
import { ADMIN_KEY, call, newCustomer } from '../support/roster.ts'
import { databases, directory, newTenantIn } from './support.ts'

const others = databases.slice(1)

function rolesOf(operatorId: string): Promise<unknown[]> {
  const role = (d1: D1Database) => d1.prepare('SELECT role FROM operators WHERE id = ?').bind(operatorId).first('role')
  return Promise.all(others.map(role))
}

const sessionsOf = (operatorId: string) =>
  Promise.all(
    others.map((d1) =>
      d1.prepare('SELECT count(*) AS n FROM operator_sessions WHERE operator_id = ?').bind(operatorId).first('n'),
    ),
  )

it('have their role in every database when a change of it is answered, and nothing else of them', async () => {
  const { operatorId, key, email } = await newOperator('owner')
  expect(await rolesOf(operatorId)).toEqual(['owner', 'owner'])
  await newOperator('owner')
  await asOwner('PATCH', `/admin/operators/${operatorId}`, { body: { role: 'support' } })
  expect(await rolesOf(operatorId)).toEqual(['support', 'support'])

  const cookie = await signIn(key)
  expect(await sessionsOf(operatorId)).toEqual([1, 1])
  expect((await fromConsole(cookie, 'DELETE', '/admin/session')).status).toBe(204)
  expect(await sessionsOf(operatorId)).toEqual([0, 0])

  const { results } = await (others[0] as D1Database).prepare('SELECT * FROM operators').all()
  expect(JSON.stringify(results)).not.toContain(email)
  await signIn(key)
  await asOwner('DELETE', `/admin/operators/${operatorId}`)
  expect(await rolesOf(operatorId)).toEqual([null, null])
  expect(await sessionsOf(operatorId)).toEqual([0, 0])
})

it('change customers and endpoints there, and are refused in the very transaction once they may not', async () => {
  const tenant = await newTenantIn(1)
  const { id } = await newCustomer(tenant.live.key)
  const own = databases[1] as D1Database
  const { operatorId, key } = await newOperator('support')
  const headers = { 'roster-tenant': tenant.tenantId, 'roster-mode': 'live', 'x-reason': 'ticket 1' }
  const rename = (name: string) => callWith(key, 'PUT', `/v1/customers/${id}`, { body: { name }, headers })
  expect((await rename('One')).status).toBe(200)
  expect((await callWith(key, 'GET', `/v1/customers/${id}`, { headers })).body.name).toBe('One')
  const { body } = await call('GET', `/admin/audit?tenant_id=${tenant.tenantId}&actor=${operatorId}`, {
    headers: { 'x-api-key': ADMIN_KEY },
  })
  expect(body.items).toMatchObject([{ type: 'customer.updated', role: 'support', reason: 'ticket 1' }])
  // As if the operator were demoted after its request was let in.
  await own.prepare(`UPDATE operators SET role = 'viewer' WHERE id = ?`).bind(operatorId).run()
  expect((await rename('Two')).status).toBe(401)
  expect((await call('GET', `/v1/customers/${id}`, { key: tenant.live.key })).body.name).toBe('One')
})

it('are copied by the sweep when a database was away, and never from an older state', async () => {
  const { operatorId } = await newOperator('admin')
  const [first] = others as [D1Database]
  /** The directory as it is now, for good. */
  const version = await directory.prepare('SELECT operators_version AS v FROM deployment').first<number>('v')
  const frozen = await directory
    .prepare(
      `SELECT (SELECT json_group_array(json_array(id, role)) FROM operators) AS operators,
        (SELECT json_group_array(json_array(id, operator_id)) FROM operator_sessions) AS sessions`,
    )
    .first<{ operators: string; sessions: string }>()
  const older = {
    withSession: () => ({
      prepare: () => ({ bind: () => ({ all: async () => ({ results: [{ version, ...frozen }] }) }) }),
    }),
  } as unknown as D1Database
  await asOwner('PATCH', `/admin/operators/${operatorId}`, { body: { role: 'viewer' } })
  await copyOperators([older, ...others])
  expect(await rolesOf(operatorId)).toEqual(['viewer', 'viewer'])

  // A change that a database missed.
  await first.prepare('UPDATE deployment SET operators_copied_version = 0').run()
  await first.prepare(`UPDATE operators SET role = 'admin' WHERE id = ?`).bind(operatorId).run()
  await copyOperators(databases)
  expect(await rolesOf(operatorId)).toEqual(['viewer', 'viewer'])
})
