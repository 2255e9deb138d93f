/** A tenant that has something in every table and store that may hold data of a tenant. */
import { env } from 'cloudflare:workers'
import { expect } from 'vitest'
import { readEnv } from '../../../src/env.ts'
import { databaseInId } from '../../../src/shared/ids.ts'
import { archived } from '../archive/support.ts'
import { newEndpoint } from '../events/support.ts'
import { RECEIVER } from '../onboarding/support.ts'
import { actAs } from '../operators/support.ts'
import { call, newCustomer, newTenantOfBothModes, type TestTenantOfBothModes } from '../support/roster.ts'

export async function tenantWithEverything(name: string): Promise<TestTenantOfBothModes> {
  const tenant = await newTenantOfBothModes({ company_name: name, contact_email: `${name.length}@deleted.example` })
  for (const mode of ['live', 'test'] as const) {
    const { key } = tenant[mode]
    const scope = { tenantId: tenant.tenantId, mode }
    const d1 = readEnv(env).databases[databaseInId(tenant.tenantId)]
    await newEndpoint(scope, { url: RECEIVER }, d1)
    const steps = [{ type: 'wait', seconds: 86_400 }]
    const body = { workflows: { default: { steps } } }
    const inMode = { headers: { 'roster-mode': mode } }
    const settings = await actAs(tenant.tenantId, 'PUT', '/v1/settings/customer_onboarding', { ...inMode, body })
    expect(settings.status).toBe(200)
    const parent = await newCustomer(key, {
      email: 'ada@deleted.example',
      integration_entity_mapping: [{ provider: 'stripe', id: 'cus_1' }],
    })
    // The younger one becomes the parent, so the order of ids is not the order in which they can be deleted.
    const root = await newCustomer(key)
    await call('PATCH', `/v1/customers/${parent.id}`, {
      key,
      body: { parent_customer_id: root.id, external_id: 'renamed' },
    })
    await archived(scope, undefined, d1)
    await newCustomer(key, { parent_customer_id: parent.id })
    const corrected = { ...inMode, body: { name: 'Corrected' } }
    expect((await actAs(tenant.tenantId, 'PATCH', `/v1/customers/${root.id}`, corrected)).status).toBe(200)
    const twin = await newCustomer(key)
    await call('POST', `/v1/customers/${twin.id}/merge`, { key, body: { into: root.id } })
    const gone = await newCustomer(key)
    // Leaves a receipt of its own, and an event that ordinary retention keeps.
    await call('POST', `/v1/customers/${gone.id}/erase`, { key, headers: { 'idempotency-key': 'erase' } })
    // Puts both kinds of values into KV.
    expect((await call('GET', `/v1/customers/external/renamed`, { key })).status).toBe(200)
  }
  return tenant
}
