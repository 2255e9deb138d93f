/**
 * Lists and searches of the v1 API, end to end. The storage tests cover filters, sorts and pages; these show that v1's
 * parameters reach storage and that the answers follow the contract.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { call, newCustomer, newTenant } from '../../support/roster.ts'

const SEEDED = 12

/** Twelve customers: `c0` … `c11`, each with a distinct value to search for. Read only. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into whatever JSON an answer holds
let seeded: { key: string; customers: any[]; ids: string[] }

beforeAll(async () => {
  const { key } = (await newTenant()).live
  // biome-ignore lint/suspicious/noExplicitAny: as above
  const customers: any[] = []
  for (let at = 0; at < SEEDED; at++) {
    customers.push(
      await newCustomer(key, {
        external_id: `c${at}`,
        name: at % 2 === 0 ? `Even ${at}` : `Odd ${at}`,
        email: at === 3 ? 'Three@Example.com' : null,
        address_country: at < 6 ? 'DE' : 'US',
        status: at === 5 ? 'draft' : 'published',
        metadata: at < 4 ? { plan: 'pro', nth: at, 'a.b"c': 'odd key' } : { plan: 'free' },
        ...(at > 8 && { parent_customer_external_id: 'c0' }),
      }),
    )
  }
  const archived = await newCustomer(key, { external_id: 'archived', metadata: { plan: 'pro' } })
  await call('DELETE', `/v1/customers/${archived.id}`, { key })
  seeded = { key, customers: [...customers, archived], ids: customers.map(({ id }) => id) }
})

const get = (query: string) => call('GET', `/v1/customers${query}`, { key: seeded.key })
const search = (body?: unknown) => call('POST', '/v1/customers/search', { key: seeded.key, body })
const names = (body: { items: { external_id: string }[] }) => body.items.map((item) => item.external_id)
const sorted = (body: { items: { external_id: string }[] }) =>
  names(body).sort((a, b) => Number(a.slice(1)) - Number(b.slice(1)))

describe('a list', () => {
  it('returns all customers that are not archived, newest first, fifty at a time, with the exact total', async () => {
    const { status, body, headers } = await get('')
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json'])
    expect(body).toEqual({
      items: seeded.customers.slice(0, SEEDED).reverse(),
      pagination: { total: SEEDED, limit: 50, offset: SEEDED, next_cursor: null, has_more: false },
    })
    expect((await search({})).body).toEqual(body)
    expect((await search()).body).toEqual(body)
  })

  it('returns a page of the requested limit, beginning at the offset', async () => {
    const first = await get('?limit=5')
    expect(names(first.body)).toEqual(['c11', 'c10', 'c9', 'c8', 'c7'])
    expect(first.body.pagination).toEqual({
      total: SEEDED,
      limit: 5,
      offset: 5,
      next_cursor: expect.stringMatching(/^[A-Za-z0-9_-]+$/),
      has_more: true,
    })
    const last = await get('?limit=5&offset=10')
    expect([names(last.body), last.body.pagination]).toMatchObject([
      ['c1', 'c0'],
      { offset: 12, next_cursor: null, has_more: false },
    ])
    const beyond = await get('?offset=1000')
    expect([beyond.body.items, beyond.body.pagination.total]).toEqual([[], SEEDED])
  })

  it.each([
    '',
    '&sort=name',
    '&sort=-address_country,name:desc',
    '&order=asc',
    '&sort=created_at:desc',
    '&sort=email,id:desc',
    '&sort=status,updated_at',
    '&metadata[plan]=pro',
  ])('paged by cursor is the same list as in one piece, and so by offset (%s)', async (parameters) => {
    const whole = names((await get(`?limit=1000${parameters}`)).body)
    const byCursor: string[] = []
    const byOffset: string[] = []
    let cursor = ''
    for (let offset = 0; offset < whole.length; ) {
      const page = await get(`?limit=5${parameters}${cursor}`)
      byCursor.push(...names(page.body))
      byOffset.push(...names((await get(`?limit=5${parameters}&offset=${offset}`)).body))
      offset = page.body.pagination.offset
      expect([offset, page.body.pagination.total]).toEqual([byCursor.length, whole.length])
      cursor = `&cursor=${page.body.pagination.next_cursor}`
    }
    expect(byCursor).toEqual(whole)
    expect(byOffset).toEqual(whole)
    expect(cursor).toBe('&cursor=null')
  })

  it('returns 400 for a cursor of another order and for a malformed one', async () => {
    const { body } = await get('?limit=5&sort=name')
    const cursor = body.pagination.next_cursor
    expect((await get(`?sort=name&cursor=${cursor}`)).status).toBe(200)
    for (const query of [
      `?cursor=${cursor}`,
      `?sort=-name&cursor=${cursor}`,
      '?cursor=x',
      '?cursor=',
      `?sort=name&cursor=${cursor}AA`,
    ]) {
      const refused = await get(query)
      expect([query, refused.status, refused.body.details.errors[0].field]).toEqual([query, 400, 'cursor'])
    }
  })

  it('pages by cursor without gaps or repeats while customers are created, changed and archived', async () => {
    const { key } = (await newTenant()).live
    const made: string[] = []
    for (let at = 0; at < 12; at++) made.push((await newCustomer(key)).id)
    const seen: string[] = []
    let cursor = ''
    for (let page = 0; page < 4; page++) {
      const { body } = await call('GET', `/v1/customers?limit=3${cursor}`, { key })
      seen.push(...body.items.map((item: { id: string }) => item.id))
      cursor = `&cursor=${body.pagination.next_cursor}`
      await newCustomer(key)
      await call('PUT', `/v1/customers/${made[page]}`, { key, body: { name: `Changed ${page}` } })
      if (page === 0) await call('DELETE', `/v1/customers/${seen[0]}`, { key })
    }
    expect(seen).toEqual(made.toReversed())
  })
})

describe('filters', () => {
  it.each<[string, () => string, unknown, string[]]>([
    [
      'customer_ids',
      () => `?customer_ids=${seeded.ids[1]},${seeded.ids[2]}`,
      () => ({ customer_ids: [seeded.ids[1], seeded.ids[2]] }),
      ['c1', 'c2'],
    ],
    [
      'external_ids',
      () => '?external_ids=c1&external_ids=c2,nobody',
      { external_ids: ['c1', 'c2', 'nobody'] },
      ['c1', 'c2'],
    ],
    ['external_id', () => '?external_id=c7', { external_id: 'c7' }, ['c7']],
    ['email, whatever its case', () => '?email=three@example.COM', { email: 'three@example.COM' }, ['c3']],
    ['metadata, one', () => '?metadata[plan]=pro', { metadata: { plan: 'pro' } }, ['c0', 'c1', 'c2', 'c3']],
    ['metadata, all', () => '?metadata={"plan":"pro","nth":2}', { metadata: { plan: 'pro', nth: 2 } }, ['c2']],
    [
      'metadata, an odd key',
      () => '?metadata[a.b"c]=odd%20key&limit=2',
      { metadata: { 'a.b"c': 'odd key' }, limit: 2 },
      ['c2', 'c3'],
    ],
    [
      'parent_customer_id',
      () => `?parent_customer_id=${seeded.ids[0]}`,
      () => ({ parent_customer_id: seeded.ids[0] }),
      ['c9', 'c10', 'c11'],
    ],
    [
      'parent_customer_ids',
      () => `?parent_customer_ids=${seeded.ids[0]}`,
      () => ({ parent_customer_ids: [seeded.ids[0]] }),
      ['c9', 'c10', 'c11'],
    ],
    ['status', () => '?status=draft', { status: 'draft' }, ['c5']],
    [
      'several that must all hold',
      () => '?metadata[plan]=free&status=draft',
      { metadata: { plan: 'free' }, status: ['draft'] },
      ['c5'],
    ],
    ['none that match', () => '?external_id=nobody', { external_id: 'nobody' }, []],
    ['a list of none', () => '?external_ids=nobody', { customer_ids: [] }, []],
  ])('%s', async (_what, query, body, expected) => {
    const fromQuery = await get(query())
    const fromSearch = await search(typeof body === 'function' ? body() : body)
    expect([fromQuery.status, sorted(fromQuery.body)]).toEqual([200, expected])
    expect(sorted(fromSearch.body)).toEqual(expected)
    if (!('limit' in Object(body))) expect(fromQuery.body.pagination.total).toBe(expected.length)
  })

  it('include archived customers only on request', async () => {
    expect(names((await get('?status=archived')).body)).toEqual(['archived'])
    expect((await get('?status=archived,draft')).body.pagination.total).toBe(2)
    expect((await get('?status=published&status=draft&status=archived')).body.pagination.total).toBe(SEEDED + 1)
    expect(names((await get('?external_id=archived')).body)).toEqual([])
    const notDraft = { filters: [{ field: 'status', operator: 'not_in', value: { array: ['draft'] } }] }
    expect((await search(notDraft)).body.pagination.total).toBe(SEEDED - 1)
  })

  it('treat start_time as inclusive and end_time as exclusive, and apply both', async () => {
    const [from, to] = [seeded.customers[4].created_at, seeded.customers[8].created_at]
    const within = seeded.customers.slice(0, SEEDED).filter(({ created_at: at }) => at >= from && at < to)
    const expected = within.map((customer) => customer.external_id)
    expect(expected).toContain('c4')
    expect(sorted((await get(`?start_time=${from}&end_time=${to}`)).body)).toEqual(expected)
    expect(sorted((await search({ start_time: from, end_time: to })).body)).toEqual(expected)
    const inBerlin = from.replace('Z', '+00:00')
    expect(sorted((await get(`?start_time=${encodeURIComponent(inBerlin)}&end_time=${to}`)).body)).toEqual(expected)
    expect((await get('?start_time=2000-01-01&end_time=2000-01-02')).body.pagination.total).toBe(0)
  })

  it.each([
    ['name', 'eq', 'string', 'Even 2', ['c2']],
    ['name', 'contains', 'string', 'even 1', ['c10']],
    ['name', 'contains', 'string', '%', []],
    ['name', 'not_contains', 'string', 'even', ['c1', 'c3', 'c5', 'c7', 'c9', 'c11']],
    ['name', 'gt', 'string', 'Odd 7', ['c9']],
    ['name', 'gte', 'string', 'Odd 7', ['c7', 'c9']],
    ['name', 'lt', 'string', 'Even 10', ['c0']],
    ['external_id', 'in', 'array', ['c1', 'c4', 'x'], ['c1', 'c4']],
    ['address_country', 'not_in', 'array', ['DE'], ['c6', 'c7', 'c8', 'c9', 'c10', 'c11']],
    ['email', 'eq', 'string', 'THREE@example.com', ['c3']],
    ['email', 'contains', 'string', 'three', ['c3']],
    ['status', 'eq', 'string', 'draft', ['c5']],
    ['status', 'in', 'array', ['draft'], ['c5']],
    ['created_at', 'after', 'date', '2100-01-01', []],
    ['updated_at', 'before', 'date', '2000-01-01T00:00:00Z', []],
    ['created_at', 'in', 'array', ['2000-01-01'], []],
  ])('%s %s (%s)', async (field, operator, dataType, value, expected) => {
    const filters = [{ field, operator, data_type: dataType, value: { [dataType]: value } }]
    const found = await search({ filters })
    expect([found.status, sorted(found.body)]).toEqual([200, expected])
    expect(sorted((await get(`?filters=${encodeURIComponent(JSON.stringify(filters))}`)).body)).toEqual(expected)
  })

  it('find times before, after, at and from a moment', async () => {
    const at = seeded.customers[6].created_at
    const count = async (operator: string) =>
      (await search({ filters: [{ field: 'created_at', operator, value: { date: at } }] })).body.pagination.total
    const times = seeded.customers.slice(0, SEEDED).map((customer) => customer.created_at)
    expect(await count('before')).toBe(times.filter((time) => time < at).length)
    expect(await count('lt')).toBe(times.filter((time) => time < at).length)
    expect(await count('after')).toBe(times.filter((time) => time > at).length)
    expect(await count('gt')).toBe(times.filter((time) => time > at).length)
    expect(await count('gte')).toBe(times.filter((time) => time >= at).length)
    expect(await count('eq')).toBe(times.filter((time) => time === at).length)
  })
})

describe('order', () => {
  it('follows sort, key by key', async () => {
    const query = await get('?sort=address_country:desc,name&limit=3')
    expect(names(query.body)).toEqual(['c10', 'c6', 'c8'])
    const sort = [
      { field: 'address_country', direction: 'desc' },
      { field: 'name', direction: 'asc' },
    ]
    const searched = await search({ sort, limit: 3 })
    // The list and the search each seal a cursor of their own.
    const pagination = { ...query.body.pagination, next_cursor: expect.any(String) }
    expect(searched.body).toEqual({ ...query.body, pagination })
    const next = [
      await get(`?sort=address_country:desc,name&limit=3&cursor=${query.body.pagination.next_cursor}`),
      await search({ sort, limit: 3, cursor: searched.body.pagination.next_cursor }),
    ]
    expect(next.map(({ body }) => names(body))).toEqual(Array(2).fill(['c11', 'c7', 'c9']))
  })

  it('reverses the list with order alone', async () => {
    expect(names((await get('?order=asc&limit=2')).body)).toEqual(['c0', 'c1'])
    expect(names((await search({ order: 'desc', limit: 2 })).body)).toEqual(['c11', 'c10'])
  })
})

describe('expand', () => {
  it('shows parents, children, integrations and aliases on every item', async () => {
    const { body } = await get('?external_ids=c0,c9,c1&expand=parent_customer,children,integrations,aliases&order=asc')
    const [c0, c1, c9] = body.items
    expect(c0.children.map((child: { external_id: string }) => child.external_id)).toEqual(['c11', 'c10', 'c9'])
    expect(c9.parent_customer).toEqual(seeded.customers[0])
    expect(c1).toEqual({ ...seeded.customers[1], children: [], integrations: [], old_external_ids: [] })
    const inSearch = await search({ external_id: 'c9', expand: 'parent_customer' })
    expect(inSearch.body.items[0].parent_customer.external_id).toBe('c0')
    const asList = await search({ external_id: 'c9', expand: ['parent_customer', 'aliases'] })
    expect(asList.body.items[0]).toMatchObject({ parent_customer: { external_id: 'c0' }, old_external_ids: [] })
  })

  it('shows an archived parent, and former external ids in byte order', async () => {
    const { key } = (await newTenant()).live
    const parent = await newCustomer(key, {})
    const child = await newCustomer(key, { external_id: 'b', parent_customer_id: parent.id })
    for (const id of ['a', 'c']) await call('PUT', `/v1/customers/${child.id}`, { key, body: { external_id: id } })
    await call('DELETE', `/v1/customers/${child.id}`, { key })
    await call('DELETE', `/v1/customers/${parent.id}`, { key })
    const { body } = await call('GET', '/v1/customers?status=archived&expand=parent_customer,children,aliases', { key })
    expect(body.items[0]).toMatchObject({ id: child.id, parent_customer: { id: parent.id, status: 'archived' } })
    expect(body.items[1]).toMatchObject({ id: parent.id, children: [] })
  })
})

describe('bad parameters', () => {
  it('return 400 by their name when unknown, however often they are given', async () => {
    for (const [query, field] of [
      ['?emial=a@example.com', 'emial'],
      ['?page=2&page=3', 'page'],
      ['?__proto__=x', '__proto__'],
      ['?constructor=x', 'constructor'],
      ['?metadata.plan=pro', 'metadata.plan'],
    ] as const) {
      const refused = await get(query)
      expect([query, refused.status, refused.body.details.errors[0].field]).toEqual([query, 400, field])
    }
  })

  it('return 400 in the query string of a search', async () => {
    const refused = await call('POST', '/v1/customers/search?limit=5', { key: seeded.key, body: {} })
    expect([refused.status, refused.body.details.errors[0].field]).toEqual([400, 'limit'])
  })

  it('return 400 with NUL in any of them', async () => {
    for (const query of [
      '?external_id=a%00',
      '?metadata[a]=%00',
      `?filters=${encodeURIComponent('[{"field":"name","operator":"eq","value":{"string":"\\u0000"}}]')}`,
    ]) {
      expect([query, (await get(query)).status]).toEqual([query, 400])
    }
  })
})
