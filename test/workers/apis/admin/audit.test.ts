/** The audit: every change through any API with its actor, time, request, reason and content. */

import { env } from 'cloudflare:workers'
import { decodeTime } from 'ulid'
import { describe, expect, it } from 'vitest'
import { auditLog } from '../../../../src/storage/tenants/audit-reads.ts'
import type { AuditQuery, PageRequest } from '../../../../src/tenants/ports.ts'
import { insertMany, metered, spent } from '../../storage/support.ts'
import { addIdleTenants } from '../../support/idle-tenants.ts'
import {
  ADMIN_KEY,
  admin,
  call,
  newCustomer,
  newTenant,
  newTenantOfBothModes,
  type TestTenantOfBothModes,
} from '../../support/roster.ts'

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

const DAY_MS = 86_400_000

/** Reads a page, with the rows that it took. */
async function read(query: AuditQuery, page: PageRequest) {
  const { d1, costs } = metered(env.DB)
  const result = await auditLog([d1]).read(query, page)
  return { page: result, rowsRead: spent(costs).rowsRead }
}

/** Adds tenants that have nothing but the record of their creation. */
async function manyTenants(count: number): Promise<void> {
  await addIdleTenants(count)
  await env.DB.prepare(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
    INSERT INTO admin_audit (id, type, tenant_id, actor, created_at)
    SELECT printf('evt_0%025x', i), 'tenant.created', printf('00000000-0000-7000-8000-%012x', i), 'admin', 0 FROM n`,
  )
    .bind(count)
    .run()
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
    expect(entries.map(({ changes }) => changes)).toEqual([
      [],
      [{ field: 'email', before: null, after: 'a@b.example' }],
      [{ field: 'archived_at', before: null, after: entries[2]?.created_at }],
      [{ field: 'archived_at', before: entries[2]?.created_at, after: null }],
    ])
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
    expect([created?.changes, replacement?.changes]).toEqual([[], []])
    expect(updated?.changes).toEqual([{ field: 'status', before: 'active', after: 'suspended' }])
    expect(rotated?.changes).toEqual([{ field: 'expires_at', before: null, after: expect.stringMatching(/Z$/) }])
    expect(revoked?.changes).toEqual([{ field: 'revoked_at', before: null, after: expect.stringMatching(/Z$/) }])
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
    const { tenantId } = await newTenantOfBothModes()
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
    const tenants = [await newTenantOfBothModes(), await newTenantOfBothModes()] as [
      TestTenantOfBothModes,
      TestTenantOfBothModes,
    ]
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
    // Newest first by commit. An id is made at most 11 s before its change is committed, so ids are in that order but for those.
    const times = ids.map((id) => decodeTime(id.slice(4)))
    let earliest = Number.POSITIVE_INFINITY
    for (const time of times) {
      expect(time).toBeLessThanOrEqual(earliest + 11_000)
      earliest = Math.min(earliest, time)
    }
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
    const ofRequest = await entriesOf(us, { request_id: String(customer?.request_id) })
    expect(ofRequest).toEqual([customer])
    const suspended = all.find(({ type }) => type === 'tenant.updated')
    expect((await audit({ request_id: String(suspended?.request_id) })).body.items).toEqual([suspended])
    expect(await entriesOf(us, { request_id: 'nobody' })).toEqual([])
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

  it('reads a page of what it shows, however many tenants, events and records of operators there are', async () => {
    const tenant = await newTenant()
    const scope = { tenantId: tenant.tenantId, mode: 'live' } as const
    await insertMany(scope, 20_000)
    await manyTenants(3_000)
    const newest = await newCustomer(tenant.live.key, { external_id: 'newest' })
    const queries = [
      {},
      { tenantId: tenant.tenantId },
      { tenantId: tenant.tenantId, type: 'tenant.created' },
      { customerId: newest.id },
      { customerId: newest.id, tenantId: tenant.tenantId },
      { endMs: Date.UTC(2001, 0, 1) },
      { startMs: Date.now() + DAY_MS },
    ]
    for (const query of queries) {
      const { rowsRead } = await read(query, { limit: 50, afterId: null })
      // The ids of a page, their tenants, and its documents.
      expect([query, rowsRead < 500]).toEqual([query, true])
    }
    // The filter looks at records of operators alone, and at 5,000 of them at most.
    const ofAll = await read({ type: 'tenant.created' }, { limit: 50, afterId: null })
    expect([ofAll.page.items.length, ofAll.rowsRead < 5_500]).toEqual([50, true])
  })

  it('looks at a bounded number of rows for a filter that finds nothing, and goes on by cursor to the end', async () => {
    const tenant = await newTenant()
    await insertMany({ tenantId: tenant.tenantId, mode: 'live' }, 12_000)
    const made = await newCustomer(tenant.live.key, { external_id: 'newest' })
    const filters = [{ actor: 'nobody' }, { requestId: 'nobody' }, { requestId: 'nobody', tenantId: tenant.tenantId }]
    for (const query of [...filters, { actor: 'nobody', tenantId: tenant.tenantId }]) {
      let pages = 0
      for (let afterId: string | null = null, more = true; more; pages++) {
        const { page, rowsRead } = await read(query, { limit: 50, afterId })
        expect(rowsRead).toBeLessThan(4 * 5_000)
        expect(page.items).toEqual([])
        afterId = page.position
        more = page.hasMore
      }
      expect(pages).toBeGreaterThanOrEqual(3)
    }
    // A match behind many rows that do not match is found by a later page.
    await env.DB.prepare(
      "UPDATE events SET actor = 'somebody' WHERE rowid = (SELECT min(rowid) FROM events WHERE tenant_id = ?1)",
    )
      .bind(tenant.tenantId)
      .run()
    const found: unknown[] = []
    for (let cursor = ''; ; ) {
      const { body } = await audit({ actor: 'somebody', ...(cursor && { cursor }) })
      found.push(...body.items)
      cursor = body.pagination.next_cursor
      if (!cursor) break
    }
    expect(found).toMatchObject([{ actor: 'somebody', tenant_id: tenant.tenantId }])
    expect(made.id).not.toBe((found[0] as Entry).customer_id)
  })

  it('ends a page early whose documents are long', async () => {
    const tenant = await newTenant()
    await newCustomer(tenant.live.key)
    await env.DB.prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30)
       INSERT INTO events (tenant_id, mode, id, type, customer_id, version, actor, after, created_at)
       SELECT e.tenant_id, e.mode, substr(e.id, 1, 27) || printf('%03d', n.i), e.type, e.customer_id, e.version, e.actor,
         json_set(e.after, '$.name', printf('%.*c', 60000, 'x')), e.created_at
       FROM n CROSS JOIN events e WHERE e.tenant_id = ?1`,
    )
      .bind(tenant.tenantId)
      .run()
    const sizes: number[] = []
    for (let cursor = ''; ; ) {
      const { body, text } = await audit({ tenant_id: tenant.tenantId, limit: 100, ...(cursor && { cursor }) })
      expect(text.length).toBeLessThan(1.2 * 1024 * 1024)
      sizes.push(body.items.length)
      cursor = body.pagination.next_cursor
      if (!cursor) break
    }
    expect(sizes.length).toBeGreaterThan(1)
    expect(sizes.reduce((sum, one) => sum + one, 0)).toBe(33)
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
      ['request_id', ''],
      ['action', 'x'],
    ] as const) {
      const { status, body } = await audit({ [name]: value })
      expect([name, status, body.details?.errors[0].field]).toEqual([name, 400, name])
    }
  })

  it('finds a range of time among the events of all tenants, and reads little outside of it', async () => {
    const tenants = [await newTenant(), await newTenant()]
    for (const { live } of tenants) await newCustomer(live.key, { external_id: 'in the past' })
    const HOUR_MS = 3_600_000
    // One event an hour, of each tenant in turn, behind all others.
    const beganMs = Date.UTC(2100, 0, 1)
    const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
    const shifts = [45, 40, 35, 30, 25, 20, 15, 10, 5, 0]
    const time = shifts.map((shift) => `substr('${digits}', ((ms >> ${shift}) & 31) + 1, 1)`).join(' || ')
    await env.DB.prepare(
      `WITH RECURSIVE n(i, ms) AS (SELECT 0, ?3 UNION ALL SELECT i + 1, ms + ${HOUR_MS} FROM n WHERE i < 5000)
       INSERT INTO events (tenant_id, mode, id, type, customer_id, version, actor, after, created_at)
       SELECT iif(i % 2 = 0, ?1, ?2), 'live', 'evt_' || ${time} || printf('%016d', i), 'customer.updated', 'cust_1', i, 'key_1', '{}', ms
       FROM (SELECT i, CAST(ms AS INTEGER) AS ms FROM n) ORDER BY i`,
    )
      .bind(tenants[0]?.tenantId, tenants[1]?.tenantId, beganMs)
      .run()
    for (const [from, to] of [
      [0, 10],
      [2_000, 2_010],
      [4_991, 5_001],
      [4_000, 4_100],
    ] as const) {
      const range = { startMs: beganMs + from * HOUR_MS, endMs: beganMs + to * HOUR_MS }
      const found: number[] = []
      let rows = 0
      for (let afterId: string | null = null, more = true; more; ) {
        const { page, rowsRead } = await read(range, { limit: 30, afterId })
        rows += rowsRead
        found.push(...page.items.map(({ createdAtMs }) => (createdAtMs - beganMs) / HOUR_MS))
        afterId = page.position
        more = page.hasMore
      }
      expect(found).toEqual(Array.from({ length: to - from }, (_, at) => to - 1 - at))
      expect([from, rows < 600 + 10 * (to - from)]).toEqual([from, true])
    }
  })

  it('is open to operators only', async () => {
    const tenant = await newTenant()
    expect((await call('GET', '/admin/audit', { key: tenant.live.key })).status).toBe(401)
    expect((await admin('GET', '')).status).toBe(200)
  })
})
