/**
 * Erasing a customer: afterwards no stored data refers to the person, the receipt lists what was done, and nothing brings
 * the customer back.
 */

import { createExecutionContext, createScheduledController, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { eq } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import worker from '../../../src/index.ts'
import { toBase64Url, utf8 } from '../../../src/shared/bytes.ts'
import { events } from '../../../src/storage/schema/tables.ts'
import { db } from '../storage/support.ts'
import { everythingStored } from '../support/everything-stored.ts'
import { mergeRemovedWords } from '../support/removed-words.ts'
import { type Called, call, newCustomer, newTenant, newTenantOfBothModes, type TestTenant } from '../support/roster.ts'

const MISSING = 'cust_01JD0000000000000000000000'

function at(tenant: TestTenant, headers: Record<string, string> = {}) {
  return (method: string, path: string, body?: unknown) =>
    call(method, path, { key: tenant.live.key, headers, ...(body !== undefined && { body }) })
}

function erase(tenant: TestTenant, id: string, headers: Record<string, string> = {}): Promise<Called> {
  return at(tenant, headers)('POST', `/v1/customers/${id}/erase`)
}

/** Creates a person with data in every place that can hold some. */
async function knownPerson(tenant: TestTenant, who = 'jane', phone = '5550123') {
  const send = at(tenant, { 'x-reason': `asked by ${who}` })
  const parent = await newCustomer(tenant.live.key)
  const made = await call('POST', '/v1/customers', {
    key: tenant.live.key,
    headers: { 'idempotency-key': `${who}-key`, 'x-reason': `${who} wants in` },
    body: {
      external_id: `${who}-first-id`,
      name: `${who} Personname`,
      email: `${who}@person.example`,
      contact: `+1${phone}`,
      address_line1: `7 ${who} Street`,
      address_city: `${who} Town`,
      metadata: { nickname: who },
      integration_entity_mapping: [{ provider: 'stripe', id: `cus_${who}` }],
      parent_customer_id: parent.id,
    },
  })
  expect(made.status).toBe(201)
  const { id } = made.body
  await send('PUT', `/v1/customers/${id}`, { external_id: `${who}-second-id`, name: `${who} Othername` })
  await send('PATCH', `/customers/${id}`, { geo_location: { latitude: `51.${phone}`, longitude: '0.654321' } })
  const refused = await call('POST', '/v1/customers', {
    key: tenant.live.key,
    headers: { 'idempotency-key': `${who}-refused` },
    body: { external_id: `${who}-second-id`, name: `${who} Personname` },
  })
  expect(refused.status).toBe(409)
  // By now both ids, the customer in KV and memory, and the list have been read.
  for (const path of [
    `/${id}`,
    `/external/${who}-first-id`,
    `/external/${who}-second-id`,
    '',
    `?email=${who}@person.example`,
  ]) {
    expect((await send('GET', `/v1/customers${path}`)).status).toBe(200)
  }
  return { id, parentId: parent.id }
}

async function hashOf(text: string): Promise<string> {
  return toBase64Url(await crypto.subtle.digest('SHA-256', utf8(text)))
}

describe('an erased customer', () => {
  it('leaves no trace of the person in any stored data', async () => {
    const tenant = await newTenant()
    const who = `jane${crypto.randomUUID().slice(0, 8)}`
    const phone = String(Math.floor(1e11 + Math.random() * 9e11))
    const { id } = await knownPerson(tenant, who, phone)
    const gates = [`${tenant.tenantId}:live`, `${tenant.tenantId}:test`]
    const hashes = await Promise.all([`${who}-first-id`, `${who}-second-id`].map(hashOf))
    const before = await everythingStored(gates)
    for (const trace of [who, phone]) expect(before, 'the test would find it').toContain(trace)
    await expect.poll(() => everythingStored(gates), { timeout: 120_000 }).toContain(hashes[1])

    const receipt = await erase(tenant, id)
    expect([receipt.status, receipt.body]).toEqual([
      200,
      {
        id,
        status: 'erased',
        erased_at: expect.stringMatching(/^\d{4}-.*Z$/),
        erased_by: tenant.live.keyId,
        rows: {
          customers: 1,
          events: 3,
          aliases: 1,
          integrations: 1,
          idempotency_records: 2,
          webhook_attempts: 0,
          onboarding_runs: 0,
        },
        rows_total: 8,
      },
    ])
    await mergeRemovedWords()
    const after = await everythingStored(gates)
    for (const trace of [who, phone]) expect(after).not.toContain(trace)
    // The keys of its external ids are kept for the second sweep of KV, and gone with it.
    await sweepLater()
    const swept = await everythingStored(gates)
    for (const hash of hashes) expect(swept).not.toContain(hash)
    expect(swept).toContain(id)
  })

  it('is gone from KV again when a concurrent reader had put it back', async () => {
    const tenant = await newTenant()
    const { id } = await knownPerson(tenant)
    await erase(tenant, id)
    const scope = `${tenant.tenantId}:live`
    const late = [
      `c:${scope}:${id}`,
      `x:${scope}:${await hashOf('jane-first-id')}`,
      `x:${scope}:${await hashOf('jane-second-id')}`,
    ]
    for (const key of late) await env.CACHE.put(key, JSON.stringify({ v: 1, asof: 1, value: { id, name: 'Jane' } }))
    await sweepLater()
    for (const key of late) expect(await env.CACHE.get(key)).toBeNull()
    const { results } = await env.DB.prepare('SELECT * FROM erasures WHERE tenant_id = ?').bind(tenant.tenantId).all()
    expect(results).toEqual([])
  })

  it('is answered by every API like one that never existed', async () => {
    const tenant = await newTenant()
    const { id, parentId } = await knownPerson(tenant)
    const { headers } = await erase(tenant, id)
    const send = at(tenant, { 'consistency-token': headers.get('consistency-token') ?? '' })
    const requests: [string, string, unknown?][] = [
      ['GET', '/v1/customers/{id}'],
      ['GET', '/v1/customers/{id}?expand=aliases'],
      ['PUT', '/v1/customers/{id}', { name: 'Back' }],
      ['PATCH', '/v1/customers/{id}', { name: 'Back' }],
      ['DELETE', '/v1/customers/{id}'],
      ['POST', '/v1/customers/{id}/restore'],
      ['POST', '/v1/customers/{id}/revert', { version: 1 }],
      ['GET', '/v1/customers/{id}?version=1'],
      ['GET', '/customers/{id}'],
      ['PATCH', '/customers/{id}', {}],
      ['DELETE', '/customers/{id}'],
    ]
    for (const [method, path, body] of requests) {
      const [gone, never] = [
        await send(method, path.replace('{id}', id), body),
        await send(method, path.replace('{id}', MISSING), body),
      ]
      expect([method, path, gone.status, textOf(gone)]).toEqual([method, path, 404, textOf(never)])
    }
    for (const externalId of ['jane-first-id', 'jane-second-id', id]) {
      expect((await send('GET', `/v1/customers/external/${externalId}`)).status).toBe(404)
    }
    for (const query of ['?status=archived', `?customer_ids=${id}`, `?parent_customer_id=${parentId}`, '']) {
      const { status, body } = await send('GET', `/v1/customers${query}`)
      expect([query, status, body.items.map((item: { id: string }) => item.id)]).toEqual([
        query,
        200,
        query === '' ? [parentId] : [],
      ])
      expect(body.pagination.total).toBe(body.items.length)
    }
    expect((await send('GET', '/customers')).body.data.map((item: { id: string }) => item.id)).toEqual([parentId])
  })

  it('is not named by the stored refusal of a request about the customer that it had been merged into', async () => {
    const tenant = await newTenant()
    const who = `jane${crypto.randomUUID().slice(0, 8)}`
    const survivor = await newCustomer(tenant.live.key, { external_id: 's' })
    const source = await newCustomer(tenant.live.key, { external_id: who })
    const send = at(tenant)
    await send('POST', `/v1/customers/${source.id}/merge`, { into: survivor.id })
    await send('PATCH', `/v1/customers/${survivor.id}`, { external_id: who })
    const refused = await at(tenant, { 'idempotency-key': 'k' })('POST', '/v1/customers', { external_id: who })
    expect([refused.status, refused.text]).toEqual([409, expect.stringContaining(who)])
    await send('PATCH', `/v1/customers/${survivor.id}`, { external_id: 's' })
    expect((await send('POST', `/v1/customers/${survivor.id}/unmerge`, { source: source.id })).status).toBe(200)
    const gates = [`${tenant.tenantId}:live`]
    expect(await everythingStored(gates)).toContain(who)
    expect((await erase(tenant, source.id)).status).toBe(200)
    await mergeRemovedWords()
    expect(await everythingStored(gates)).not.toContain(who)
  })

  it('is in no stored response about the customer that it had been merged into, whose others stay', async () => {
    const tenant = await newTenant()
    const keyed = (key: string, path: string, body: object) =>
      at(tenant, { 'idempotency-key': key })('POST', `/v1/customers${path}`, body)
    const made = await keyed('made', '', { external_id: 's' })
    const source = await newCustomer(tenant.live.key, { external_id: 'a', name: 'Jane' })
    const { id } = made.body
    await keyed('merged', `/${source.id}/merge`, { into: id })
    await keyed('unmerged', `/${id}/unmerge`, { source: source.id })
    await at(tenant)('DELETE', `/v1/customers/${id}`)
    const restored = await keyed('restored', `/${id}/restore`, { name: 'Acme' })
    expect((await erase(tenant, source.id)).status).toBe(200)
    const again = [
      await keyed('made', '', { external_id: 's' }),
      await keyed('merged', `/${source.id}/merge`, { into: id }),
      await keyed('unmerged', `/${id}/unmerge`, { source: source.id }),
      await keyed('restored', `/${id}/restore`, { name: 'Acme' }),
    ]
    expect(again.map(({ status }) => status)).toEqual([201, 422, 422, 200])
    expect(again.map(({ text }) => text)).toMatchObject({ 0: made.text, 3: restored.text })
  })

  it('frees its external ids and its integrations', async () => {
    const tenant = await newTenant()
    const { id } = await knownPerson(tenant)
    await erase(tenant, id)
    for (const external_id of ['jane-first-id', 'jane-second-id']) {
      const integration_entity_mapping = external_id === 'jane-first-id' ? [{ provider: 'stripe', id: 'cus_jane' }] : []
      const again = await at(tenant)('POST', '/v1/customers', { external_id, integration_entity_mapping })
      expect(again.status).toBe(201)
      expect(again.body.id).not.toBe(id)
    }
  })

  it('leaves one event without personal data, and in its other events only that something was done', async () => {
    const tenant = await newTenant()
    const { id } = await knownPerson(tenant)
    const { body } = await erase(tenant, id, { 'x-reason': 'ticket 7', 'x-request-id': 'req-erase' })
    const log = await db.select().from(events).where(eq(events.customerId, id)).orderBy(events.version)
    expect(log.map(({ type, reason, before, version, actor }) => [type, reason, before, version, actor])).toEqual([
      ['customer.created', null, null, 1, tenant.live.keyId],
      ['customer.updated', null, null, 2, tenant.live.keyId],
      ['customer.updated', null, null, 3, tenant.live.keyId],
      ['customer.erased', 'ticket 7', null, 4, tenant.live.keyId],
    ])
    expect(log.at(-1)).toMatchObject({ requestId: 'req-erase', after: { external_id: id, erased_rows: body.rows } })
    const impersonal = ['archived_at', 'erased_rows', 'external_id', 'stamps', 'status']
    for (const { after } of log) {
      expect(after.external_id).toBe(id)
      expect(Object.keys(after).filter((name) => !impersonal.includes(name))).toEqual([])
    }
  })
})

describe('erasing', () => {
  it('answers the same receipt however often it is requested, with a key and without', async () => {
    const tenant = await newTenant()
    const { id } = await knownPerson(tenant)
    const key = { 'idempotency-key': 'k' }
    const first = await erase(tenant, id, key)
    expect(first.status).toBe(200)
    for (const headers of [key, {}, { 'idempotency-key': 'another' }]) {
      const { status, text } = await erase(tenant, id, headers)
      expect([status, text]).toEqual([200, first.text])
    }
    expect((await db.select().from(events).where(eq(events.customerId, id))).length).toBe(4)
  })

  it('works on an archived customer too, and keeps the totals right', async () => {
    const tenant = await newTenant()
    const { id } = await knownPerson(tenant)
    const send = at(tenant)
    await send('DELETE', `/v1/customers/${id}`)
    const { body, headers } = await erase(tenant, id)
    expect(body.rows).toMatchObject({ customers: 1, events: 4, aliases: 0, integrations: 0 })
    const token = { 'consistency-token': headers.get('consistency-token') ?? '' }
    const archived = await at(tenant, token)('GET', '/v1/customers?status=archived')
    expect([archived.body.items, archived.body.pagination.total]).toEqual([[], 0])
  })

  it('is refused while the customer has children, for another version, for another tenant’s, and without the scope', async () => {
    const tenant = await newTenantOfBothModes()
    const parent = await newCustomer(tenant.live.key)
    const child = await newCustomer(tenant.live.key, { parent_customer_id: parent.id })
    const stranger = await newTenantOfBothModes()
    const answers = [
      await erase(tenant, parent.id),
      await erase(tenant, child.id, { 'if-match': '"7"' }),
      await erase(stranger, child.id),
      await call('POST', `/v1/customers/${child.id}/erase`, { key: tenant.test.key }),
      await erase(tenant, MISSING),
    ]
    expect(answers.map(({ status }) => status)).toEqual([400, 412, 404, 404, 404])
    expect(answers[0]?.body.details.reason).toBe('has_children')
    expect((await erase(tenant, child.id, { 'if-match': '"1"' })).status).toBe(200)
    expect((await erase(tenant, parent.id)).status).toBe(200)
  })

  it('is not undone by a late repeat of the request that created the customer', async () => {
    const tenant = await newTenant()
    const request = {
      key: tenant.live.key,
      headers: { 'idempotency-key': 'k' },
      body: { external_id: 'user_1', name: 'Jane' },
    }
    const made = await call('POST', '/v1/customers', request)
    await erase(tenant, made.body.id)
    const late = await call('POST', '/v1/customers', request)
    expect([late.status, late.body.code]).toEqual([422, 'idempotency_mismatch'])
    expect((await at(tenant)('GET', '/v1/customers')).body.items).toEqual([])
  })

  it('is done once by twenty at once, and all get the one receipt', async () => {
    const tenant = await newTenant()
    const { id } = await knownPerson(tenant)
    const answers = await Promise.all(Array.from({ length: 20 }, () => erase(tenant, id)))
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
    expect(answers[0]?.status).toBe(200)
  })
})

/** Runs the cron of more than a minute from now. */
async function sweepLater(): Promise<void> {
  await env.DB.prepare('UPDATE erasures SET due_at = due_at - 61000').run()
  const context = createExecutionContext()
  await worker.scheduled(createScheduledController(), env)
  await waitOnExecutionContext(context)
}

function textOf({ text }: Called): string {
  return text.replaceAll(/"time_created":"[^"]*"/g, '')
}
