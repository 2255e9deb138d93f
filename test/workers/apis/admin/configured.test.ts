/**
 * Operators see and stop what a tenant has configured: webhook endpoints and onboarding, also while the tenant is
 * suspended, each change with its author and reason in the audit.
 */
import { describe, expect, it } from 'vitest'
import { ADMIN_KEY, admin, call, newTenant, newTenantOfBothModes } from '../../support/roster.ts'

const URL = 'http://localhost:9/hook'

async function tenantWithEndpoints() {
  const tenant = await newTenantOfBothModes()
  const made: { id: string; secret: string }[] = []
  for (const { key } of [tenant.live, tenant.test]) {
    const { status, body, text } = await call('POST', '/v1/webhooks/endpoints', { key, body: { url: URL } })
    expect(status, text).toBe(201)
    made.push(body)
  }
  const [live, test] = made as [{ id: string; secret: string }, { id: string; secret: string }]
  return { ...tenant, endpoints: `/${tenant.tenantId}/webhooks/endpoints`, liveId: live.id, testId: test.id, made }
}

async function auditOf(tenantId: string, type: string) {
  const { body } = await call('GET', `/admin/audit?tenant_id=${tenantId}&type=${type}`, {
    headers: { 'x-api-key': ADMIN_KEY },
  })
  return body.items
}

describe('the endpoints of a tenant', () => {
  it('are listed in both modes with the key that made each, and without a secret, also while it is suspended', async () => {
    const { tenantId, endpoints, liveId, testId, live, test, made } = await tenantWithEndpoints()
    await admin('PUT', `/${tenantId}`, { status: 'suspended' })
    const { status, body, text } = await admin('GET', endpoints)
    expect(status).toBe(200)
    expect(body.items).toMatchObject([
      { id: liveId, mode: 'live', url: URL, created_by: live.keyId, enabled: true },
      { id: testId, mode: 'test', url: URL, created_by: test.keyId, enabled: true },
    ])
    for (const { secret } of made) expect(text).not.toContain(secret)
    expect((await admin('GET', `${endpoints}/${testId}`)).body).toEqual(body.items[1])
  })

  it('are disabled by an operator under a precondition, which the tenant sees and the audit names', async () => {
    const { tenantId, endpoints, liveId, live } = await tenantWithEndpoints()
    const headers = { 'x-api-key': ADMIN_KEY, 'x-reason': 'key leaked', 'if-match': '"7"' }
    const path = `/admin/customers${endpoints}/${liveId}`
    const stale = await call('PATCH', path, { headers, body: { enabled: false } })
    expect([stale.status, await auditOf(tenantId, 'webhook.endpoint.updated')]).toEqual([412, []])
    headers['if-match'] = '"1"'
    const disabled = await call('PATCH', path, { headers, body: { enabled: false } })
    expect([disabled.status, disabled.body.status, disabled.headers.get('etag')]).toEqual([200, 'disabled', '"2"'])
    const seen = await call('GET', `/v1/webhooks/endpoints/${liveId}`, { key: live.key })
    expect(seen.body).toMatchObject({ enabled: false })
    const [entry, ...others] = await auditOf(tenantId, 'webhook.endpoint.updated')
    expect(entry).toMatchObject({
      ...{ tenant_id: tenantId, mode: 'live', reason: 'key leaked', actor: expect.stringMatching(/^admin/) },
      before: { id: liveId, enabled: true, created_by: live.keyId },
      after: { id: liveId, enabled: false },
    })
    expect([others, JSON.stringify(entry)]).toEqual([[], expect.not.stringContaining('whsec_')])
    // Repeated, it changes nothing, and says nothing.
    expect((await admin('PATCH', `${endpoints}/${liveId}`, { enabled: false })).status).toBe(200)
    expect(await auditOf(tenantId, 'webhook.endpoint.updated')).toHaveLength(1)
  })

  it('are deleted by an operator, once', async () => {
    const { tenantId, endpoints, testId, test } = await tenantWithEndpoints()
    expect((await admin('DELETE', `${endpoints}/${testId}`)).status).toBe(204)
    expect((await admin('DELETE', `${endpoints}/${testId}`)).status).toBe(404)
    expect((await call('GET', '/v1/webhooks/endpoints', { key: test.key })).body.items).toEqual([])
    expect(await auditOf(tenantId, 'webhook.endpoint.deleted')).toMatchObject([
      { mode: 'test', before: { id: testId, url: URL }, after: null },
    ])
  })

  it('are not those of another tenant, whatever the method', async () => {
    const { liveId } = await tenantWithEndpoints()
    const { endpoints } = await tenantWithEndpoints()
    for (const [method, body] of [
      ['GET', undefined],
      ['PATCH', { enabled: false }],
      ['DELETE', undefined],
    ] as const) {
      const { status, body: refused } = await admin(method, `${endpoints}/${liveId}`, body)
      expect([method, status, refused.code]).toEqual([method, 404, 'not_found'])
    }
    expect((await admin('GET', '/00000000-0000-4000-8000-000000000000/webhooks/endpoints')).status).toBe(404)
  })
})

it('shows an operator the onboarding of both modes without a secret', async () => {
  const { tenantId, live } = await newTenant()
  const workflows = { default: { steps: [{ type: 'wait', name: null, seconds: 60 }] } }
  const { body } = await call('PUT', '/v1/settings/customer_onboarding', { key: live.key, body: { workflows } })
  const shown = await admin('GET', `/${tenantId}/settings/customer_onboarding`)
  expect(shown.body).toEqual({
    live: { workflows, updated_at: body.updated_at, updated_by: live.keyId },
    test: { workflows: {}, updated_at: null, updated_by: null },
  })
  expect(shown.text).not.toContain('whsec_')
})
