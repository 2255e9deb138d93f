import { env } from 'cloudflare:workers'
import { decodeTime, encodeTime } from 'ulid'
import { describe, expect, it } from 'vitest'
import { call, newCustomer, newKey, newTenant, newTenantOfBothModes, type TestTenant } from '../support/roster.ts'

async function everyKindOfChange(key: string) {
  const { id } = await newCustomer(key, { name: 'Ada', metadata: { plan: 'pro' } })
  await call('PATCH', `/v1/customers/${id}`, {
    key,
    body: { name: 'Ada Lovelace', metadata: { plan: null, seats: 3 } },
  })
  await call('PATCH', `/customers/${id}`, { key, body: { personal_details: { preferred_locale: 'en-GB' } } })
  await call('DELETE', `/v1/customers/${id}`, { key })
  await call('POST', `/v1/customers/${id}/restore`, { key, headers: { 'x-request-id': 'restoring' } })
  return id as string
}

async function eventsOf(tenant: TestTenant, query = '', key = tenant.live.key) {
  const { status, body } = await call('GET', `/v1/events${query}`, { key })
  expect(status).toBe(200)
  return body
}

/** Makes the events of the tenant older by so much: the time of an id is in its first ten characters. */
async function age(tenant: TestTenant, byMs: number): Promise<void> {
  const { results } = await env.DB.prepare('SELECT id FROM events WHERE tenant_id = ?')
    .bind(tenant.tenantId)
    .all<{ id: string }>()
  for (const { id } of results) {
    const older = `evt_${encodeTime(decodeTime(id.slice(4)) - byMs, 10)}${id.slice(14)}`
    await env.DB.prepare('UPDATE events SET id = ?2 WHERE tenant_id = ?1 AND id = ?3')
      .bind(tenant.tenantId, older, id)
      .run()
  }
}

interface LogItem {
  type: string
  data: { customer: { name: string; status: string }; previous_attributes: object; version: number }
}

describe('GET /v1/events', () => {
  it('returns every change, newest first, with the customer as it was after and before it', async () => {
    const tenant = await newTenant()
    const id = await everyKindOfChange(tenant.live.key)
    const { items, pagination } = await eventsOf(tenant)
    expect(pagination).toEqual({ limit: 50, next_cursor: null, has_more: false })
    expect(
      items.map(({ type, data: { customer, previous_attributes: previous, version } }: LogItem) => [
        type,
        version,
        customer.name,
        customer.status,
        previous,
      ]),
    ).toEqual([
      ['customer.restored', 5, 'Ada Lovelace', 'published', { status: 'archived' }],
      ['customer.archived', 4, 'Ada Lovelace', 'archived', { status: 'published' }],
      ['customer.updated', 3, 'Ada Lovelace', 'published', { profile: {} }],
      ['customer.updated', 2, 'Ada Lovelace', 'published', { name: 'Ada', metadata: { plan: 'pro' } }],
      ['customer.created', 1, 'Ada', 'published', {}],
    ])
    const [restored] = items
    expect(restored.data).toMatchObject({ actor: tenant.live.keyId, request_id: 'restoring', detail: null })
    const now = await call('GET', `/v1/customers/${id}`, { key: tenant.live.key })
    // The event also has what only the FlatPeak API shows.
    const profile = { personal_details: { preferred_locale: 'en-GB' } }
    expect(restored.data.customer).toEqual({ ...now.body, integrations: [], profile })
  })

  it('is limited to one tenant and mode', async () => {
    const [tenant, other] = await Promise.all([newTenantOfBothModes(), newTenantOfBothModes()])
    await newCustomer(tenant.live.key)
    expect((await eventsOf(tenant)).items).toHaveLength(1)
    expect((await eventsOf(other)).items).toHaveLength(0)
    expect((await eventsOf(tenant, '', tenant.test.key)).items).toHaveLength(0)
  })

  it('needs the scope events:read', async () => {
    const tenant = await newTenant()
    const { key } = await newKey(tenant.tenantId, { scopes: ['customers:read', 'customers:write'] })
    const refused = await call('GET', '/v1/events', { key })
    expect([refused.status, refused.body.details.reason]).toEqual([403, 'missing_scope'])
    const { key: reader } = await newKey(tenant.tenantId, { scopes: ['events:read'] })
    expect((await call('GET', '/v1/events', { key: reader })).status).toBe(200)
  })

  it('filters by type and by time, to the millisecond', async () => {
    const tenant = await newTenant()
    await everyKindOfChange(tenant.live.key)
    const typesOf = (page: { items: { type: string }[] }) => page.items.map(({ type }) => type)
    expect(typesOf(await eventsOf(tenant, '?type=customer.created,customer.archived'))).toEqual([
      'customer.archived',
      'customer.created',
    ])
    const { items } = await eventsOf(tenant)
    const { timestamp } = items[1]
    const after = new Date(Date.parse(timestamp) + 1).toISOString()
    const isAt = (item: { timestamp: string }) => item.timestamp === timestamp
    expect((await eventsOf(tenant, `?start_time=${timestamp}`)).items.some(isAt)).toBe(true)
    expect((await eventsOf(tenant, `?start_time=${after}`)).items.some(isAt)).toBe(false)
    expect((await eventsOf(tenant, `?end_time=${after}`)).items.some(isAt)).toBe(true)
    expect((await eventsOf(tenant, `?end_time=${timestamp}`)).items.some(isAt)).toBe(false)
    const wrong = await call('GET', '/v1/events?type=customer.born', { key: tenant.live.key })
    expect([wrong.status, wrong.body.details.errors[0].field]).toEqual([400, 'type'])
  })

  it('pages without gaps or repeats while more changes happen', async () => {
    const tenant = await newTenant()
    const { key } = tenant.live
    for (let at = 0; at < 7; at++) await newCustomer(key)
    const before = (await eventsOf(tenant)).items.map(({ id }: { id: string }) => id)
    const seen: string[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page = await eventsOf(tenant, `?limit=2${cursor && `&cursor=${cursor}`}`)
      seen.push(...page.items.map(({ id }: { id: string }) => id))
      cursor = page.pagination.next_cursor
      await newCustomer(key)
    }
    expect(seen).toEqual(before)
  })

  it('reads a bounded number of events for a rare type, and continues behind them on the next page', async () => {
    const tenant = await newTenant()
    const { id } = await newCustomer(tenant.live.key)
    await call('DELETE', `/v1/customers/${id}`, { key: tenant.live.key })
    // 12,000 later events of another type, an hour ahead of the two.
    await age(tenant, 3_600_000)
    await env.DB.prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
       INSERT INTO events (tenant_id, mode, id, type, customer_id, version, actor, after, created_at)
       SELECT e.tenant_id, e.mode, 'evt_01M' || printf('%023d', n.i), 'customer.updated', e.customer_id, 1, e.actor, e.after, e.created_at
       FROM n CROSS JOIN events e WHERE e.tenant_id = ?1 AND e.type = 'customer.created'`,
    )
      .bind(tenant.tenantId)
      .run()
    for (const order of ['desc', 'asc']) {
      const found: string[] = []
      const pages: number[] = []
      for (let cursor: string | null = ''; cursor !== null; ) {
        const page = await eventsOf(tenant, `?type=customer.archived&order=${order}${cursor && `&cursor=${cursor}`}`)
        found.push(...page.items.map(({ type }: LogItem) => type))
        pages.push(page.items.length)
        cursor = page.pagination.has_more ? page.pagination.next_cursor : null
      }
      expect([order, found, pages.length]).toEqual([order, ['customer.archived'], 3])
    }
  })

  it('ends a page at 256 KB, and continues behind it', async () => {
    const tenant = await newTenant()
    const metadata = Object.fromEntries(Array.from({ length: 43 }, (_, at) => [`k${at}`, '語'.repeat(500)]))
    const { id } = await newCustomer(tenant.live.key, { metadata })
    for (let n = 0; n < 9; n++)
      await call('PUT', `/v1/customers/${id}`, { key: tenant.live.key, body: { name: `N${n}` } })
    await newCustomer(tenant.live.key)
    const paths = ['/v1/events?type=customer.created,customer.updated&', '/v1/events?', `/v1/customers/${id}/events?`]
    for (const path of paths) {
      const pages: number[] = []
      const found = new Set<string>()
      for (let cursor: string | null = ''; cursor !== null; ) {
        const page = await call('GET', `${path}limit=100${cursor && `&cursor=${cursor}`}`, { key: tenant.live.key })
        expect(new TextEncoder().encode(page.text).length).toBeLessThan((256 + 70) * 1024)
        for (const event of page.body.items) found.add(event.id)
        pages.push(page.body.items.length)
        cursor = page.body.pagination.next_cursor
        expect(page.body.pagination.has_more).toBe(cursor !== null)
      }
      const isAll = path.startsWith('/v1/events')
      expect([pages, found.size]).toEqual(isAll ? [[5, 4, 2], 11] : [[4, 4, 2], 10])
    }
  })

  it('shows, oldest first, only events that no older one can still precede, and continues from the last cursor', async () => {
    const tenant = await newTenant()
    await everyKindOfChange(tenant.live.key)
    const first = await eventsOf(tenant, '?order=asc')
    expect([first.items, first.pagination]).toEqual([[], { limit: 50, next_cursor: null, has_more: false }])
    await age(tenant, 5_000)
    expect((await eventsOf(tenant, '?order=asc')).items).toHaveLength(0)
    await age(tenant, 6_500)
    const settled = await eventsOf(tenant, '?order=asc&limit=5')
    expect(settled.items.map(({ data }: { data: { version: number } }) => data.version)).toEqual([1, 2, 3, 4, 5])
    expect(settled.pagination).toMatchObject({ has_more: false, next_cursor: expect.any(String) })
    await newCustomer(tenant.live.key)
    const following = `?order=asc&cursor=${settled.pagination.next_cursor}`
    const nothing = await eventsOf(tenant, following)
    expect([nothing.items, nothing.pagination.next_cursor]).toEqual([[], settled.pagination.next_cursor])
    await age(tenant, 12_000)
    // All of them are older now, so the cursor is behind all but the one that came later.
    expect((await eventsOf(tenant, '?order=asc')).items).toHaveLength(6)
  })
})

describe('GET /v1/customers/{id}/events', () => {
  it('returns the events of one customer', async () => {
    const tenant = await newTenant()
    const id = await everyKindOfChange(tenant.live.key)
    await newCustomer(tenant.live.key)
    const { status, body } = await call('GET', `/v1/customers/${id}/events?limit=2`, { key: tenant.live.key })
    expect([status, body.items.map(({ type }: { type: string }) => type)]).toEqual([
      200,
      ['customer.restored', 'customer.archived'],
    ])
    const next = await call('GET', `/v1/customers/${id}/events?cursor=${body.pagination.next_cursor}`, {
      key: tenant.live.key,
    })
    expect(next.body.items).toHaveLength(3)
  })

  it('answers alike for a customer that never existed, one of another tenant, and an erased one', async () => {
    const [tenant, other] = await Promise.all([newTenant(), newTenant()])
    const { key } = tenant.live
    const [erased, foreign] = await Promise.all([newCustomer(key), newCustomer(other.live.key)])
    await call('POST', `/v1/customers/${erased.id}/erase`, { key })
    const ids = ['cust_01JD3VQ4X8N2M7R5T9W6YBZKCE', foreign.id, erased.id, 'garbage']
    const answers = await Promise.all(ids.map((id) => call('GET', `/v1/customers/${id}/events`, { key })))
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1)
    expect(answers[0]?.status).toBe(404)
  })
})
