/**
 * One database of several is set back, by Time Travel or from a backup: raising the data epoch in the directory is enough for its tenants,
 * whose gates follow, and for the copies that it has of the directory.
 */
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { COUNT_BEHIND, RAISE_DATA_EPOCH } from '../../../scripts/backup/data-epoch.ts'
import { services } from '../../../src/composition/services.ts'
import { customersInMemory } from '../../../src/gate/isolate/memory.ts'
import { copyOperators } from '../../../src/storage/operators/copies.ts'
import { applyPendingPolicies } from '../../../src/tenants/operations.ts'
import { asOwner, newOperator } from '../support/operators.ts'
import { admin, call, newCustomer } from '../support/roster.ts'
import { momentOf, setBack } from '../support/set-back.ts'
import { databases, directory, newTenantIn } from './support.ts'

it('is read as it is now, and has the tenants and operators of the directory again', async () => {
  const own = databases[1] as D1Database
  const { tenantId, live } = await newTenantIn(1)
  const { operatorId } = await newOperator('support')
  const { id } = await newCustomer(live.key, { name: 'before' })
  const nameNow = async () => (await call('GET', `/v1/customers/${id}`, { key: live.key })).body.name
  const moment = await momentOf(own)
  await call('PUT', `/v1/customers/${id}`, { key: live.key, body: { name: 'after' } })
  expect(await nameNow()).toBe('after')
  await admin('PUT', `/${tenantId}`, { tier: 'custom', limits: { storage_bytes: 5_000_000 } })
  await asOwner('PATCH', `/admin/operators/${operatorId}`, { body: { role: 'viewer' } })

  await setBack(own, moment)
  await directory.prepare(RAISE_DATA_EPOCH).run()
  const author = { actor: 'sweep', role: null, sessionId: null, requestId: null, reason: null }
  await applyPendingPolicies(services.tenants(env, author))
  await copyOperators(databases)
  expect(await directory.prepare(COUNT_BEHIND).first('behind')).toBe(0)

  expect(await nameNow()).toBe('before')
  customersInMemory.clear()
  expect(await nameNow()).toBe('before')
  const { body } = await call('PUT', `/v1/customers/${id}`, { key: live.key, body: { name: 'again' } })
  expect([body.name, await nameNow()]).toEqual(['again', 'again'])
  const ofTenant = own.prepare('SELECT storage_bytes FROM tenants WHERE id = ?').bind(tenantId)
  expect(await ofTenant.first('storage_bytes')).toBe(5_000_000)
  const ofOperator = own.prepare('SELECT role FROM operators WHERE id = ?').bind(operatorId)
  expect(await ofOperator.first('role')).toBe('viewer')
})
