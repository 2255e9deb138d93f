/** The audit: every change through any API with its actor, time, request, reason and content. */
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { auditLog } from '../../../../src/storage/tenants/audit-reads.ts'
import { insertMany, metered, nthId, spent } from '../../storage/support.ts'
import { ADMIN_KEY, admin, call, newCustomer, newTenant, type TestTenant } from '../../support/roster.ts'

interface Entry {
  id: string
  type: string
  [field: string]: unknown
}

async function audit(query: Record<string, string | number> = {}) {
  const text = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]))
  return call('GET', `/admin/audit?${text}`, { headers: { 'x-api-key': ADMIN_KEY } })
}

/** Returns the entries oldest first, in the order of the changes. */
async function entriesOf(tenant: { tenantId: string }, query: Record<string, string | number> = {}): Promise<Entry[]> {
  const { status, body } = await audit({ tenant_id: tenant.tenantId, limit: 100, ...query })
  expect(status).toBe(200)
  return body.items.toReversed()
}

function asOperator(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  return call(method, `/admin/customers${path}`, { headers: { 'x-api-key': ADMIN_KEY, ...headers }, body })
}

describe('a change of a customer', () => {
  it('records a change through every API: actor, time, request, reason, before and after', async () => {
    const tenant = await newTenant()
    const { key, keyId } = tenant.live
    const headers = (n: number) => ({ 'x-request-id': `req-${n}`, 'x-reason': `reason ${n}` })
    const body = { external_id: 'user_1', name: 'Acme' }
    const { id } = (await call('POST', '/v1/customers', { key, headers: headers(1), body })).body
    await call('PATCH', `/customers/${id}`, {
      key,
      headers: headers(2),
      body: { personal_details: { email: 'a@b.example' } },
    })
    await call('PUT', `/v1/customers/${id}`, { key, headers: headers(3), body: { email: 'a@b.example' } })
    await call('DELETE', `/v1/customers/${id}`, { key, headers: headers(4) })
    await call('POST', `/v1/customers/${id}/restore`, { key })

    const entries = await entriesOf(tenant, { customer_id: id })
    expect(entries.map(({ type, request_id, reason }) => [type, request_id, reason])).toEqual([
      ['customer.created', 'req-1', 'reason 1'],
      ['customer.updated', 'req-2', 'reason 2'],
      // The third request changed nothing, so it has no entry.
      ['customer.archived', 'req-4', 'reason 4'],
      ['customer.restored', expect.any(String), null],
    ])
    for (const entry of entries) {
      expect(entry).toMatchObject({
        tenant_id: tenant.tenantId,
        mode: 'live',
        customer_id: id,
        key_id: null,
        actor: keyId,
      })
      expect(entry.created_at).toMatch(/^\d{4}-.*Z$/)
    }
    expect(entries[0]?.before).toBeNull()
    expect(entries[0]?.after).toMatchObject({ name: 'Acme', email: null, archived_at: null })
    expect(entries[1]).toMatchObject({ before: entries[0]?.after, after: { name: 'Acme', email: 'a@b.example' } })
    expect(entries[2]?.after).toMatchObject({ archived_at: entries[2]?.created_at, stamps: { updated_by: keyId } })
  })
})

describe('a change of a tenant or a key', () => {
  it('records the state before and after, and records nothing where nothing changed', async () => {
    const made = await asOperator(
      'POST',
      '',
      { company_name: 'Acme', contact_email: 'a@b.example' },
      { 'x-reason': 'new' },
    )
    const tenantId = made.body.customer_id
    const first = await asOperator('POST', `/${tenantId}/keys`, { name: 'one' })
    await asOperator('PUT', `/${tenantId}`, { status: 'suspended' }, { 'x-reason': 'unpaid', 'x-request-id': 'req-7' })
    await asOperator('PUT', `/${tenantId}`, { status: 'suspended' })
    await asOperator('PUT', `/${tenantId}`, {})
    const second = await asOperator('POST', `/${tenantId}/keys/${first.body.key_id}/rotate`, { overlap_seconds: 60 })
    await asOperator('DELETE', `/${tenantId}/keys/${second.body.key_id}`)
    await asOperator('DELETE', `/${tenantId}/keys/${second.body.key_id}`)

    const entries = await entriesOf({ tenantId })
    expect(entries.map(({ type, key_id }) => [type, key_id])).toEqual([
      ['tenant.created', null],
      ['key.created', first.body.key_id],
      ['tenant.updated', null],
      ['key.rotated', first.body.key_id],
      ['key.created', second.body.key_id],
      ['key.revoked', second.body.key_id],
    ])
    for (const entry of entries) expect(entry).toMatchObject({ actor: 'admin', tenant_id: tenantId, customer_id: null })
    const [created, , updated, rotated, replacement, revoked] = entries
    expect(created).toMatchObject({
      before: null,
      reason: 'new',
      mode: null,
      after: { company_name: 'Acme', tier: 'starter' },
    })
    expect(updated).toMatchObject({
      before: created?.after,
      after: { ...(created?.after as object), status: 'suspended', updated_at: expect.any(String) },
      reason: 'unpaid',
      request_id: 'req-7',
    })
    expect(rotated).toMatchObject({
      mode: 'live',
      before: { expires_at: null },
      after: { expires_at: expect.stringMatching(/Z$/) },
    })
    expect(replacement).toMatchObject({ before: null, after: { name: 'one', rotated_from: first.body.key_id } })
    expect(revoked).toMatchObject({ before: { revoked_at: null }, after: { revoked_at: expect.stringMatching(/Z$/) } })
    const text = JSON.stringify(entries)
    for (const { body } of [first, second]) expect(text).not.toContain(body.key.slice(8))
    expect(text).not.toMatch(/hash|secret/i)
  })

  it('does not record a refused change', async () => {
    const { tenantId } = await newTenant()
    const before = await entriesOf({ tenantId })
    await asOperator('PUT', `/${tenantId}`, { contract_start: '2026-02-01', contract_end: '2026-01-01' })
    await asOperator('PUT', `/${tenantId}`, { limits: { burst: 5 } })
    await asOperator('DELETE', `/${tenantId}/keys/key_01JD0000000000000000000000`)
    expect(await entriesOf({ tenantId })).toEqual(before)
  })
})

describe('the list', () => {
  /** Creates two tenants with changes of every kind in turn. */
  async function busy() {
    const tenants = [await newTenant(), await newTenant()] as [TestTenant, TestTenant]
    for (let n = 0; n < 4; n++) {
      for (const { live, test, tenantId } of tenants) {
        await newCustomer(live.key)
        await newCustomer(test.key)
        await asOperator('PUT', `/${tenantId}`, { company_name: `Company ${n}` })
      }
    }
    return tenants
  }

  it('lists all tenants’ changes newest first, and pages without gaps or repeats while more changes are made', async () => {
    const tenants = await busy()
    const ids: string[] = []
    const seen: string[] = []
    for (let cursor = '', pages = 0; pages < 100; pages++) {
      const { body } = await audit({ limit: 5, ...(cursor && { cursor }) })
      for (const { id, tenant_id } of body.items) {
        ids.push(id)
        if (tenants.some(({ tenantId }) => tenantId === tenant_id)) seen.push(id)
      }
      await newCustomer(tenants[0].live.key)
      cursor = body.pagination.next_cursor
      expect(body.pagination.has_more).toBe(cursor !== null)
      if (!cursor) break
    }
    expect(ids).toEqual(ids.toSorted().toReversed())
    expect(new Set(ids).size).toBe(ids.length)
    // Each tenant has its own creation, its two keys, and three changes four times over.
    expect(seen).toHaveLength(2 * (3 + 3 * 4))
  })

  it('lists only what matches the filters, alone and together', async () => {
    const [us, them] = await busy()
    const all = await entriesOf(us)
    expect(all).toHaveLength(15)
    for (const { tenant_id } of all) expect(tenant_id).toBe(us.tenantId)
    const byKey = await entriesOf(us, { actor: us.test.keyId })
    expect(byKey.map(({ type, mode }) => `${mode} ${type}`)).toEqual(Array(4).fill('test customer.created'))
    expect((await entriesOf(us, { type: 'tenant.updated' })).length).toBe(4)
    expect(await entriesOf(us, { actor: 'admin', type: 'customer.created' })).toEqual([])
    const [customer] = byKey
    const one = await audit({ customer_id: String(customer?.customer_id) })
    expect(one.body.items).toEqual([customer])
    expect((await audit({ customer_id: String(customer?.customer_id), tenant_id: them.tenantId })).body.items).toEqual(
      [],
    )
    const stamps = all.map(({ created_at }) => String(created_at))
    const [start, end] = [stamps[3] as string, stamps[9] as string]
    const between = await entriesOf(us, { start_time: start, end_time: end })
    expect(between).toEqual(all.filter(({ created_at }) => String(created_at) >= start && String(created_at) < end))
    expect(await entriesOf(us, { start_time: '2999-01-01' })).toEqual([])
    expect(await entriesOf(us, { end_time: '1999-01-01' })).toEqual([])
  })

  it('reads one row for each tenant and mode plus a few pages, however many events exist', async () => {
    const tenant = await newTenant()
    await insertMany({ tenantId: tenant.tenantId, mode: 'live' }, 20_000)
    const { results } = await env.DB.prepare('SELECT id FROM tenants').all()
    const { d1, costs } = metered(env.DB)
    const limit = 50
    const queries = [{}, { tenantId: tenant.tenantId }, { customerId: nthId(7) }, { endMs: Date.UTC(2001, 0, 1) }]
    for (const query of queries) {
      costs.length = 0
      const { items } = await auditLog(d1).read(query, { limit, afterId: null })
      expect(items.length).toBeGreaterThan(0)
      const { rowsRead } = spent(costs)
      // The query reads the ids of a page, then its documents; the operators' record has no index and is read whole.
      expect([query, rowsRead < 12 * results.length + 10 * limit]).toEqual([query, true])
    }
  })

  it('refuses an unknown filter and names the field', async () => {
    for (const [name, value] of [
      ['tenant_id', 'nobody'],
      ['customer_id', 'nobody'],
      ['type', 'customer.deleted'],
      ['start_time', 'yesterday'],
      ['end_time', ''],
      ['cursor', 'x'],
      ['limit', '0'],
      ['actor', ''],
      ['action', 'x'],
    ] as const) {
      const { status, body } = await audit({ [name]: value })
      expect([name, status, body.details?.errors[0].field]).toEqual([name, 400, name])
    }
  })

  it('is open to operators only', async () => {
    const tenant = await newTenant()
    expect((await call('GET', '/admin/audit', { key: tenant.live.key })).status).toBe(401)
    expect((await admin('GET', '')).status).toBe(200)
  })
})
