/**
 * An operator who names a tenant uses the v1 API as that tenant would, without a permit of the tenant, and also while it
 * is suspended. Nobody else can name one.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { newOperator } from '../support/operators.ts'
import {
  ADMIN_KEY,
  admin,
  call,
  newAddress,
  newCustomer,
  newKey,
  newTenant,
  newTenantOfBothModes,
  type TestTenant,
  type TestTenantOfBothModes,
} from '../support/roster.ts'
import { actAs, asTenant, REASON } from './support.ts'

let tenant: TestTenantOfBothModes

beforeAll(async () => {
  tenant = await newTenantOfBothModes()
})

const suspend = ({ tenantId }: TestTenant) => admin('PUT', `/${tenantId}`, { status: 'suspended' })
const refusalOf = ({ status, body }: Awaited<ReturnType<typeof call>>) => [status, body.code, body.details?.reason]
const fieldOf = ({ status, body }: Awaited<ReturnType<typeof call>>) => [status, body.details.errors[0].field]

describe('an operator who names a tenant', () => {
  it('reads what the tenant has just written, and the tenant reads what the operator has', async () => {
    const { id } = await newCustomer(tenant.live.key, { name: 'Acme' })
    const read = await actAs(tenant.tenantId, 'GET', `/v1/customers/${id}`)
    expect(read.body).toMatchObject({ id, name: 'Acme', tenant_id: tenant.tenantId })
    const written = await actAs(tenant.tenantId, 'PATCH', `/v1/customers/${id}`, { body: { name: 'Acme AG' } })
    expect(written.body).toMatchObject({ name: 'Acme AG', updated_by: 'admin' })
    const token = { 'consistency-token': written.headers.get('consistency-token') ?? '' }
    const seen = await call('GET', `/v1/customers/${id}`, { key: tenant.live.key, headers: token })
    expect(seen.body).toMatchObject({ name: 'Acme AG' })
  })

  it('works in the mode that it names', async () => {
    const { id } = await newCustomer(tenant.test.key)
    expect((await actAs(tenant.tenantId, 'GET', `/v1/customers/${id}`)).status).toBe(404)
    const headers = { 'roster-mode': 'test' }
    expect((await actAs(tenant.tenantId, 'GET', `/v1/customers/${id}`, { headers })).status).toBe(200)
  })

  it('creates, finds, lists, exports, imports, archives, restores and erases', async () => {
    const { tenantId } = await newTenant()
    const created = await actAs(tenantId, 'POST', '/v1/customers', { body: { external_id: 'a', name: 'Ada' } })
    expect([created.status, created.body.created_by]).toEqual([201, 'admin'])
    const { id } = created.body
    expect((await actAs(tenantId, 'GET', '/v1/customers/external/a')).body.id).toBe(id)
    const lines = '{"external_id": "b", "name": "Bo"}\n{"external_id": "a", "name": "Ada L"}\n'
    const imported = await actAs(tenantId, 'POST', '/v1/customers/import', {
      body: lines,
      headers: { 'content-type': 'application/x-ndjson' },
    })
    expect(imported.text.match(/"result":"\w+"/g)).toEqual(['"result":"created"', '"result":"updated"'])
    const listed = await actAs(tenantId, 'GET', '/v1/customers?limit=1')
    expect(listed.body.pagination).toMatchObject({ total: 2, has_more: true })
    const cursor = listed.body.pagination.next_cursor
    expect((await actAs(tenantId, 'GET', `/v1/customers?limit=1&cursor=${cursor}`)).body.items).toHaveLength(1)
    expect((await actAs(tenantId, 'POST', '/v1/customers/search', { body: { q: 'ada' } })).body.items[0].id).toBe(id)
    expect((await actAs(tenantId, 'GET', '/v1/customers/export')).text.trim().split('\n')).toHaveLength(2)
    expect((await actAs(tenantId, 'DELETE', `/v1/customers/${id}`)).status).toBe(204)
    expect((await actAs(tenantId, 'POST', `/v1/customers/${id}/restore`)).status).toBe(200)
    expect((await actAs(tenantId, 'GET', `/v1/customers/${id}?expand=aliases,children`)).body.id).toBe(id)
    expect((await actAs(tenantId, 'POST', `/v1/customers/${id}/erase`)).status).toBe(200)
    const types = (await actAs(tenantId, 'GET', '/v1/events')).body.items.map((one: { type: string }) => one.type)
    expect(types).toContain('customer.erased')
  })

  it('meets the rules that the tenant meets', async () => {
    const { id } = await newCustomer(tenant.live.key, { external_id: 'taken' })
    const again = await actAs(tenant.tenantId, 'POST', '/v1/customers', { body: { external_id: 'taken' } })
    expect(refusalOf(again)).toEqual([409, 'already_exists', 'external_id_taken'])
    const headers = { 'if-match': '"7"' }
    const conflict = await actAs(tenant.tenantId, 'PATCH', `/v1/customers/${id}`, { body: { name: 'x' }, headers })
    expect(conflict.status).toBe(412)
  })

  it('gets neither rate limits nor a permit of the tenant, however much it asks for', async () => {
    const { tenantId, live } = await newTenant({ tier: 'starter' })
    const { id } = await newCustomer(live.key)
    const usage = async () => {
      const { stored_bytes: _bytes, ...counts } = (await admin('GET', `/${tenantId}/usage`)).body.live
      return counts
    }
    const before = await usage()
    const burst = 20
    for (let sent = 0; sent < 2 * burst; sent++) {
      const read = await actAs(tenantId, 'GET', `/v1/customers/${id}`)
      const written = await actAs(tenantId, 'PATCH', `/v1/customers/${id}`, { body: { name: `n${sent}` } })
      expect([read.status, written.status]).toEqual([200, 200])
      expect([read.headers.get('ratelimit'), written.headers.get('ratelimit')]).toEqual([null, null])
    }
    expect(await usage()).toEqual(before)
    expect((await call('GET', `/v1/customers/${id}`, { key: live.key })).status).toBe(200)
  })

  it('works for a suspended tenant, whose own keys are refused', async () => {
    const suspended = await newTenant()
    const { id } = await newCustomer(suspended.live.key)
    await suspend(suspended)
    expect((await call('GET', `/v1/customers/${id}`, { key: suspended.live.key })).status).toBe(403)
    expect((await actAs(suspended.tenantId, 'GET', `/v1/customers/${id}`)).status).toBe(200)
    const changed = await actAs(suspended.tenantId, 'PATCH', `/v1/customers/${id}`, { body: { name: 'Corrected' } })
    expect(changed.body).toMatchObject({ name: 'Corrected' })
    expect((await actAs(suspended.tenantId, 'GET', '/v1/customers')).body.items).toHaveLength(1)
  })

  it('has to give a reason for a change, and for nothing else', async () => {
    const { id } = await newCustomer(tenant.live.key)
    for (const reason of ['', '  ']) {
      const headers = { 'x-reason': reason }
      const patch = () => actAs(tenant.tenantId, 'PATCH', `/v1/customers/${id}`, { body: { name: 'x' }, headers })
      expect(fieldOf(await patch())).toEqual([400, 'x-reason'])
      expect((await actAs(tenant.tenantId, 'GET', `/v1/customers/${id}`, { headers })).status).toBe(200)
      expect((await actAs(tenant.tenantId, 'POST', '/v1/customers/search', { body: {}, headers })).status).toBe(200)
    }
  })

  it('gets 404 for a tenant that does not exist, and 400 for a mode that is none', async () => {
    for (const tenantId of ['00000000-0000-4000-8000-000000000000', 'acme', '']) {
      expect((await actAs(tenantId, 'GET', '/v1/customers')).status).toBe(404)
    }
    for (const mode of ['production', '']) {
      const headers = { 'roster-mode': mode }
      expect(fieldOf(await actAs(tenant.tenantId, 'GET', '/v1/customers', { headers }))).toEqual([400, 'roster-mode'])
    }
    const headers = { 'roster-tenant': tenant.tenantId, 'x-api-key': ADMIN_KEY }
    expect(fieldOf(await call('GET', '/v1/customers', { headers }))).toEqual([400, 'roster-mode'])
  })

  it('gets 404 for a deleted tenant, and changes nothing of it', async () => {
    const gone = await newTenant({ company_name: 'Gone' })
    const { id } = await newCustomer(gone.live.key)
    await suspend(gone)
    const headers = { 'x-api-key': ADMIN_KEY, 'x-confirm': 'Gone' }
    expect((await call('DELETE', `/admin/customers/${gone.tenantId}`, { headers })).status).toBe(202)
    expect((await actAs(gone.tenantId, 'GET', `/v1/customers/${id}`)).status).toBe(404)
    expect((await actAs(gone.tenantId, 'POST', '/v1/customers', { body: { external_id: 'new' } })).status).toBe(404)
  })

  it('does not get the response that the tenant got for an idempotency key, nor the reverse', async () => {
    const headers = { 'idempotency-key': 'one' }
    const body = { external_id: 'keyed' }
    const first = await call('POST', '/v1/customers', { key: tenant.live.key, body, headers })
    expect(first.status).toBe(201)
    expect((await actAs(tenant.tenantId, 'POST', '/v1/customers', { body, headers })).status).toBe(409)
    const again = await actAs(tenant.tenantId, 'POST', '/v1/customers', { body, headers })
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([409, 'true'])
  })

  it('gets 400 for a consistency token that is none', async () => {
    const headers = { 'consistency-token': 'made-up' }
    const read = await actAs(tenant.tenantId, 'GET', '/v1/customers', { headers })
    expect(fieldOf(read)).toEqual([400, 'consistency-token'])
  })
})

describe('a caller who is no operator', () => {
  it('is refused with its own key, whichever tenant it names', async () => {
    const other = await newTenant()
    for (const { tenantId } of [tenant, other]) {
      const headers = asTenant(tenantId)
      const named = await call('GET', '/v1/customers', { key: tenant.live.key, headers })
      expect(refusalOf(named)).toEqual([403, 'permission_denied', 'operators_only'])
      const beside = await call('GET', '/v1/customers', { headers: { ...headers, 'x-api-key': tenant.live.key } })
      expect(refusalOf(beside)).toEqual([403, 'permission_denied', 'operators_only'])
      const both = { ...headers, 'x-api-key': ADMIN_KEY }
      expect((await call('GET', '/v1/customers', { key: tenant.live.key, headers: both })).status).toBe(403)
    }
  })

  it('is refused without a credential, and with a wrong admin key', async () => {
    const headers = { ...asTenant(tenant.tenantId), 'cf-connecting-ip': newAddress() }
    expect((await call('GET', '/v1/customers', { headers })).status).toBe(401)
    const guess = () => call('GET', '/v1/customers', { headers: { ...headers, 'x-api-key': 'no-admin-key' } })
    const statuses: number[] = []
    for (let sent = 0; sent < 11; sent++) statuses.push((await guess()).status)
    expect(statuses).toEqual([...Array(10).fill(401), 429])
  })

  it('learns nothing about tenants', async () => {
    const ask = (tenantId: string) => call('GET', '/v1/customers', { headers: asTenant(tenantId) })
    const [known, unknown] = [await ask(tenant.tenantId), await ask('00000000-0000-4000-8000-000000000000')]
    expect(known.text).toBe(unknown.text)
  })

  it('cannot name a tenant at the FlatPeak API', async () => {
    const headers = { 'x-api-key': ADMIN_KEY, ...asTenant(tenant.tenantId) }
    expect((await call('GET', '/customers', { headers })).status).toBe(403)
    expect((await call('GET', '/customers', { key: tenant.live.key, headers: asTenant(tenant.tenantId) })).status).toBe(
      403,
    )
  })
})

it('states the reason with which an operator changed a customer, in the audit', async () => {
  const { id } = await newCustomer(tenant.live.key)
  await actAs(tenant.tenantId, 'PATCH', `/v1/customers/${id}`, { body: { name: 'Changed' } })
  const audit = await call('GET', `/admin/audit?customer_id=${id}`, { headers: { 'x-api-key': ADMIN_KEY } })
  expect(audit.body.items[0]).toMatchObject({ actor: 'admin', reason: REASON, type: 'customer.updated' })
})

it('states the same of each customer in an undo, which an operator who may only read cannot begin', async () => {
  const { tenantId, live } = await newTenant()
  const { id } = await newCustomer(live.key, { name: 'Right' })
  const other = await newKey(tenantId, { mode: 'live' })
  await call('PATCH', `/v1/customers/${id}`, { key: other.key, body: { name: 'Wrong' } })
  const body = { actor: other.keyId, since: '2020-01-01' }
  const viewer = await newOperator('viewer')
  const headers = { 'x-api-key': viewer.key, ...asTenant(tenantId) }
  const refused = await call('POST', '/v1/undo', { headers, body })
  expect(refusalOf(refused)).toEqual([403, 'permission_denied', 'missing_role'])
  const unexplained = await actAs(tenantId, 'POST', '/v1/undo', { body, headers: { 'x-reason': '' } })
  expect(fieldOf(unexplained)).toEqual([400, 'x-reason'])
  const undone = await actAs(tenantId, 'POST', '/v1/undo', { body })
  expect([undone.status, undone.text]).toEqual([200, expect.stringContaining('"reverted":1')])
  expect((await call('GET', `/v1/customers/${id}`, { key: live.key })).body.name).toBe('Right')
  const audit = await call('GET', `/admin/audit?customer_id=${id}`, { headers: { 'x-api-key': ADMIN_KEY } })
  const [{ actor, role, reason, type }] = audit.body.items
  expect([actor, role, reason, type]).toEqual(['admin', 'owner', REASON, 'customer.updated'])
})

it('states the same of both customers and each child of an unmerge', async () => {
  const { tenantId, live } = await newTenant()
  const survivor = await newCustomer(live.key)
  const source = await newCustomer(live.key)
  const child = await newCustomer(live.key, { parent_customer_id: source.id })
  const support = await newOperator('support')
  const headers = { 'x-api-key': support.key, ...asTenant(tenantId) }
  const send = (path: string, body: object) => call('POST', `/v1/customers/${path}`, { headers, body })
  expect((await send(`${source.id}/merge`, { into: survivor.id })).status).toBe(200)
  expect((await send(`${survivor.id}/unmerge`, { source: source.id })).status).toBe(200)
  for (const [{ id }, of] of [
    [survivor, ['customer.unmerged', 'customer.merged']],
    [source, ['customer.restored']],
    [child, ['customer.updated', 'customer.updated']],
  ] as const) {
    const audit = await call('GET', `/admin/audit?customer_id=${id}`, { headers: { 'x-api-key': ADMIN_KEY } })
    const by = { actor: support.operatorId, role: 'support', reason: REASON }
    expect(audit.body.items.slice(0, -1)).toMatchObject(of.map((type) => ({ type, ...by })))
  }
})

it('states in the audit who changed and deleted an endpoint as the tenant, and why', async () => {
  const url = 'http://127.0.0.1:9/'
  const made = await call('POST', '/v1/webhooks/endpoints', { key: tenant.live.key, body: { url } })
  const path = `/v1/webhooks/endpoints/${made.body.id}`
  expect((await actAs(tenant.tenantId, 'PATCH', path, { body: { description: 'Checked' } })).status).toBe(200)
  expect((await actAs(tenant.tenantId, 'DELETE', path)).status).toBe(204)
  const audit = await call('GET', `/admin/audit?tenant_id=${tenant.tenantId}&limit=100`, {
    headers: { 'x-api-key': ADMIN_KEY },
  })
  const types = ['webhook.endpoint.deleted', 'webhook.endpoint.updated']
  expect(audit.body.items.filter((one: { type: string }) => types.includes(one.type))).toMatchObject(
    types.map((type) => ({ type, actor: 'admin', role: 'owner', reason: REASON })),
  )
})
