import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { mintKey } from '../../../src/tenants/key-format.ts'
import { admin, call, newTenant } from '../support/roster.ts'

it('returns 401 for a key that was signed here for a missing tenant, on reads and on writes', async () => {
  const { key } = await mintKey(crypto.randomUUID(), 'live', env.SIGNING_SECRETS)
  expect((await call('GET', '/v1/customers', { key })).status).toBe(401)
  expect((await call('POST', '/v1/customers', { key, body: { external_id: 'x' } })).status).toBe(401)
})

it('never reports a change as in force when D1 was set back behind the policy of the gate', async () => {
  const { tenantId, live } = await newTenant({ tier: 'growth' })
  await admin('PUT', `/${tenantId}`, { tier: 'scale' })
  await env.DB.prepare('UPDATE tenants SET policy_version = 1, policy_applied_version = 1 WHERE id = ?')
    .bind(tenantId)
    .run()
  const { status } = await admin('PUT', `/${tenantId}`, { status: 'suspended' })
  expect(status).toBe(503)
  await env.DB.prepare('UPDATE tenants SET policy_version = policy_version + 1000000 WHERE id = ?').bind(tenantId).run()
  expect((await admin('PUT', `/${tenantId}`, { status: 'suspended', tier: 'growth' })).status).toBe(200)
  expect((await call('GET', '/v1/customers', { key: live.key })).status).toBe(403)
})
