/** An operator may repeat a POST with an Idempotency-Key: it runs once, and every repeat gets the same response. */
import { createExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { createApp } from '../../../../src/app.ts'
import { services } from '../../../../src/composition/services.ts'
import { sweepIdempotencyRecords } from '../../../../src/storage/idempotency/records.ts'
import { everythingStored } from '../../support/everything-stored.ts'
import { ADMIN_KEY, type Called, call, newKey, newTenant, requestTo } from '../../support/roster.ts'
import { COMPANY, error, make } from './operator.ts'

const DAY_MS = 24 * 3_600_000

function post(path: string, idempotencyKey: string, body?: object): Promise<Called> {
  const headers = { 'x-api-key': ADMIN_KEY, 'idempotency-key': idempotencyKey }
  return call('POST', `/admin/customers${path}`, { headers, ...(body && { body }) })
}

function responseOf({ status, text, headers }: Called) {
  return { status, text, replayed: headers.get('idempotent-replayed') }
}

async function auditTypes(tenantId: string): Promise<string[]> {
  const { body } = await call('GET', `/admin/audit?tenant_id=${tenantId}`, { headers: { 'x-api-key': ADMIN_KEY } })
  return body.items.map(({ type }: { type: string }) => type)
}

describe('a keyed POST', () => {
  it('creates a tenant once, and answers byte for byte the same', async () => {
    const key = crypto.randomUUID()
    const body = { ...COMPANY, tier: 'scale', metadata: { b: 1, a: { c: null } } }
    const first = await post('', key, body)
    expect(responseOf(first)).toMatchObject({ status: 201, replayed: null })
    const id = first.body.customer_id
    await call('PUT', `/admin/customers/${id}`, { headers: { 'x-api-key': ADMIN_KEY }, body: { tier: 'growth' } })
    expect(responseOf(await post('', key, body))).toEqual({ ...responseOf(first), replayed: 'true' })
    expect(responseOf(await post('', `"${key}"`, body))).toEqual({ ...responseOf(first), replayed: 'true' })
    expect(await auditTypes(id)).toEqual(['tenant.updated', 'tenant.created'])
  })

  it('returns the same key to a repeat of a creation or a rotation, and the key works', async () => {
    const { customer_id: id } = await make()
    const [one, two] = [crypto.randomUUID(), crypto.randomUUID()]
    const created = await post(`/${id}/keys`, one, { name: 'billing' })
    expect(responseOf(await post(`/${id}/keys`, one, { name: 'billing' }))).toEqual({
      ...responseOf(created),
      replayed: 'true',
    })
    const path = `/${id}/keys/${created.body.key_id}/rotate`
    const rotated = await post(path, two)
    expect(responseOf(await post(path, two))).toEqual({ ...responseOf(rotated), replayed: 'true' })
    const { key } = (await post(path, two)).body
    expect((await call('GET', '/v1/customers', { key })).status).toBe(200)
    expect((await auditTypes(id)).toSorted()).toEqual(['key.created', 'key.created', 'key.rotated', 'tenant.created'])
  })

  it('makes one tenant and one key of fifty concurrent requests, and answers all alike', async () => {
    const [one, two] = [crypto.randomUUID(), crypto.randomUUID()]
    const tenants = await Promise.all(Array.from({ length: 50 }, () => post('', one, COMPANY)))
    expect(new Set(tenants.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
    expect(tenants.filter(({ headers }) => !headers.has('idempotent-replayed'))).toHaveLength(1)
    const path = `/${tenants[0]?.body.customer_id}/keys`
    const keys = await Promise.all(Array.from({ length: 50 }, () => post(path, two)))
    expect(new Set(keys.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
    const kept = await call('GET', `/admin/customers${path}`, { headers: { 'x-api-key': ADMIN_KEY } })
    expect(kept.body.items).toHaveLength(1)
  })

  it('is refused when its key belongs to another request: another body, path or admin key', async () => {
    const { customer_id: id } = await make()
    const key = crypto.randomUUID()
    const first = await post('', key, COMPANY)
    const mismatch = error(422, 'idempotency_mismatch')
    for (const other of [await post('', key, { ...COMPANY, tier: 'scale' }), await post(`/${id}/keys`, key, {})]) {
      expect([other.status, other.body]).toEqual([422, mismatch])
    }
    const second = 'second-admin-key-of-several'
    const several = { ...env, ADMIN_KEYS: `${ADMIN_KEY},${second}` }
    const withKey = async (adminKey: string) => {
      const headers = { 'x-api-key': adminKey, 'idempotency-key': key, 'content-type': 'application/json' }
      const init = { method: 'POST', headers, body: JSON.stringify(COMPANY) }
      return (await createApp(services).fetch(requestTo('/admin/customers', init), several, createExecutionContext()))
        .status
    }
    expect([await withKey(second), await withKey(ADMIN_KEY)]).toEqual([422, 201])
    expect(responseOf(await post('', key, COMPANY)).text).toBe(first.text)
  })

  it('repeats a refusal with the same body', async () => {
    const key = crypto.randomUUID()
    const path = `/${crypto.randomUUID()}/keys`
    const first = await post(path, key, {})
    expect(first.status).toBe(404)
    expect(responseOf(await post(path, key, {}))).toEqual({ ...responseOf(first), replayed: 'true' })
  })

  it('names the header to fix when the key is malformed', async () => {
    const { status, body } = await post('', 'two words', COMPANY)
    expect([status, body.details.errors[0].field]).toEqual([400, 'idempotency-key'])
  })
})

describe('the stored response of a keyed POST', () => {
  it('cannot be read from the database: no API key, no admin key, no idempotency key', async () => {
    const { tenantId } = await newTenant()
    const idempotencyKey = `order-of-${crypto.randomUUID()}`
    const body = { ...COMPANY, contact_email: `${crypto.randomUUID()}@example.com` }
    const { key } = (await post(`/${tenantId}/keys`, idempotencyKey)).body
    const plain = await newKey(tenantId, {})
    const stored = await everythingStored([`${tenantId}:live`])
    const secretOf = (text: string) => text.slice('sk_live_'.length)
    for (const secret of [key, secretOf(key), secretOf(plain.key), ADMIN_KEY, idempotencyKey]) {
      expect(stored).not.toContain(secret)
    }
    await post('', idempotencyKey + 2, body)
    const records = await env.DB.prepare('SELECT * FROM idempotency_records WHERE sealed IS NOT NULL').all()
    expect(records.results.length).toBeGreaterThan(1)
    const sealed = records.results.map((record) => Buffer.from(String(record.sealed), 'base64url').toString('latin1'))
    for (const secret of [key, body.contact_email]) {
      expect(JSON.stringify(records.results)).not.toContain(secret)
      expect(sealed.join()).not.toContain(secret)
    }
  })

  it('is sealed anew each time: equal responses do not look equal', async () => {
    const answers = [crypto.randomUUID(), crypto.randomUUID()].map((key) => post(`/${crypto.randomUUID()}/keys`, key))
    await Promise.all(answers)
    const { results } = await env.DB.prepare('SELECT sealed FROM idempotency_records WHERE sealed IS NOT NULL').all<{
      sealed: string
    }>()
    expect(new Set(results.map(({ sealed }) => sealed)).size).toBe(results.length)
  })

  it('is deleted after a day, however many there are', async () => {
    const key = crypto.randomUUID()
    const first = await post('', key, COMPANY)
    await sweepIdempotencyRecords(env.DB, Date.now() + DAY_MS - 60_000)
    expect(responseOf(await post('', key, COMPANY)).replayed).toBe('true')
    await env.DB.prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
       INSERT INTO idempotency_records (tenant_id, mode, key, fingerprint, sealed, expires_at)
       SELECT '', '', 'k' || i, '', '', 1 FROM n`,
    ).run()
    await services.sweep(env)
    expect(await env.DB.prepare('SELECT 1 FROM idempotency_records WHERE expires_at = 1').first()).toBeNull()
    expect(responseOf(await post('', key, COMPANY)).replayed).toBe('true')
    await sweepIdempotencyRecords(env.DB, Date.now() + DAY_MS + 1)
    expect((await post('', key, COMPANY)).body.customer_id).not.toBe(first.body.customer_id)
  })
})
