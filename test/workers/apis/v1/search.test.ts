/** Searches: text in all of Unicode, names that are not known, and the largest requests that validation lets through. */
import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { FIELDS, searchBody } from '../../../../src/apis/v1/customers/list-schema.ts'
import { importLines } from '../../import/support.ts'
import {
  ADMIN_KEY,
  admin,
  call,
  newCustomer,
  newTenant,
  newTenantOfBothModes,
  type TestTenantOfBothModes,
} from '../../support/roster.ts'
import { BOUND_CALLER, bound } from '../drivers.ts'

let tenant: TestTenantOfBothModes

beforeAll(async () => {
  tenant = await newTenantOfBothModes()
})

const v1 = (method: string, path: string, body?: object) =>
  call(method, `/v1/customers${path}`, { key: tenant.live.key, body })
const search = (body: object) => v1('POST', '/search', body)

/** Returns the external ids of the customers whose field contains the text, or does not. */
async function found(field: string, text: string, operator = 'contains'): Promise<string[]> {
  const { body } = await search({ filters: [{ field, operator, value: { string: text } }], order: 'asc' })
  return body.items.map((customer: { external_id: string }) => customer.external_id)
}

describe('text of any script', () => {
  it.each([
    ['name', 'Jürgen MÜLLER', ['müller', 'MULLER', 'mu\u0308ller', 'gen m']],
    ['name', 'Straßenbahn AG', ['strasse', 'STRASSE', 'straße']],
    ['name', 'İstanbul Işık', ['istanbul', 'ISIK', 'ışık']],
    ['name', 'ＡＣＭＥ　１２３', ['acme', '123']],
    ['name', 'Οδυσσεύς', ['ΟΔΥΣΣΕΥΣ', 'οδυσσευς']],
    ['email', 'ÉLODIE@example.com', ['élodie', 'elodie@EXAMPLE']],
    ['address_city', 'Łódź', ['lodz', 'ŁÓDŹ']],
    ['contact', '＋４９ 30', ['+49']],
    ['external_id', 'Kündin/42', ['kundin', 'KÜNDIN/4']],
  ])('in %s as %j is found as %j, after a creation, an import and a change', async (field, stored, wanted) => {
    const ids = [0, 1, 2].map((at) =>
      field === 'external_id' ? `${stored}-${at}` : `fold-${field}-${wanted[0]}-${at}`,
    )
    const value = (at: number) => (field === 'external_id' ? {} : { [field]: stored, metadata: { at: String(at) } })
    const [created = '', imported = '', changed = ''] = ids
    await newCustomer(tenant.live.key, { external_id: created, ...value(0) })
    await importLines(tenant.live.key, [{ external_id: imported, ...value(1) }])
    const { id } = await newCustomer(tenant.live.key, { external_id: `${changed}-before` })
    await v1('PUT', `/${id}`, { external_id: changed, ...value(2) })
    for (const text of wanted) {
      expect(
        (await found(field, text)).filter((one) => ids.includes(one)),
        text,
      ).toEqual(ids)
      expect(
        (await found(field, text, 'not_contains')).filter((one) => ids.includes(one)),
        text,
      ).toEqual([])
    }
    if (field === 'external_id') return
    // A change to plain text leaves nothing of the text before.
    await v1('PUT', `/${id}`, { [field]: field === 'email' ? 'ada@example.com' : 'Plain' })
    await importLines(tenant.live.key, [{ external_id: imported, [field]: null }])
    for (const text of wanted) {
      if (text === '+49') continue
      expect(
        (await found(field, text)).filter((one) => ids.includes(one)),
        text,
      ).toEqual([created])
    }
  })

  it('is found as accents alone, and only where it has them', async () => {
    await newCustomer(tenant.live.key, { external_id: 'accent', name: 'a\u0301' })
    expect(await found('name', '\u0301')).toEqual(['accent'])
  })

  it('stays out of events and exports, and goes with an erasure', async () => {
    const { id } = await newCustomer(tenant.live.key, {
      external_id: 'Zoë',
      name: 'Zoë Çelik',
      email: 'zoë@example.com',
    })
    const rows = async () => {
      const { results } = await env.DB.prepare('SELECT folded FROM customers WHERE id = ?')
        .bind(id)
        .all<{ folded: string }>()
      return results.map(({ folded }) => folded)
    }
    expect(await rows()).toEqual([JSON.stringify({ external_id: 'zoe', name: 'zoe celik', email: 'zoe@example.com' })])
    const events = await env.DB.prepare('SELECT after FROM events WHERE customer_id = ?')
      .bind(id)
      .all<{ after: string }>()
    expect(JSON.stringify(events.results)).not.toMatch(/folded|celik/)
    expect((await v1('GET', '/export')).text).not.toMatch(/folded|celik/)
    await v1('POST', `/${id}/erase`)
    expect(await rows()).toEqual(['{}'])
  })

  it('takes no room and no further row for text of ASCII', async () => {
    const { id } = await newCustomer(tenant.live.key, { name: 'Ada', email: 'ADA@example.com' })
    const row = await env.DB.prepare('SELECT folded FROM customers WHERE id = ?').bind(id).first<{ folded: string }>()
    expect(row?.folded).toBe('{}')
  })

  it("is found by operators in a tenant's name, and no longer after a change", async () => {
    const { tenantId } = await newTenantOfBothModes({ company_name: 'Žižkov Bräu', contact_email: 'ops@bräu.example' })
    const listed = async (text: string) => {
      const { body } = await admin('GET', `?search=${encodeURIComponent(text)}`)
      return body.items.map((one: { customer_id: string }) => one.customer_id)
    }
    for (const text of ['zizkov', 'ŽIŽKOV', 'BRAU', 'ops@brau']) expect(await listed(text)).toEqual([tenantId])
    await admin('PUT', `/${tenantId}`, { company_name: 'Plain', contact_email: 'ops@plain.example' })
    for (const text of ['zizkov', 'brau']) expect(await listed(text)).toEqual([])
    expect(await listed('PLAIN')).toEqual([tenantId])
  })
})

describe('a name that is not known', () => {
  it.each([
    ['a field of a search', () => search({ emial: 'x@example.com' }), 'emial', 'email'],
    ['a field of a filter', () => search({ filters: [{ feild: 'name', operator: 'eq' }] }), 'filters.0.field', 'feild'],
    [
      'an operator',
      () => search({ filters: [{ field: 'name', operator: 'contain' }] }),
      'filters.0.operator',
      'contains',
    ],
    ['a field to sort by', () => search({ sort: [{ field: 'createdAt' }] }), 'sort.0.field', 'created_at'],
    ['a parameter', () => v1('GET', '?externalId=a'), 'externalId', 'external_id'],
    ['a status', () => v1('GET', '?status=archivd'), 'status.0', 'archived'],
    ['a status of an export', () => v1('GET', '/export?status=archivd'), 'status', 'archived'],
    ['an expansion', () => v1('GET', '?expand=childern'), 'expand', 'children'],
    ['a required field', () => v1('POST', '', { externalid: 'a' }), 'external_id', 'externalid'],
    [
      'a type of event',
      () => call('GET', '/v1/events?type=customer.update', { key: tenant.live.key }),
      'type',
      'customer.updated',
    ],
    [
      'a tier',
      () => admin('POST', '', { company_name: 'A', contact_email: 'a@example.com', tier: 'growht' }),
      'tier',
      'growth',
    ],
    [
      'a scope',
      () => admin('POST', `/${tenant.tenantId}/keys`, { scopes: ['customer:read'] }),
      'scopes.0',
      'customers:read',
    ],
    ['a parameter of operators', () => admin('GET', '?serch=a'), 'serch', 'search'],
  ])('such as %s is refused with the nearest one', async (_, send, field, nearest) => {
    const { status, body } = await send()
    const problem = body.details.errors.find((one: { field: string }) => one.field === field)
    expect([status, problem?.message], JSON.stringify(body)).toEqual([400, expect.stringContaining(nearest)])
    expect(body.message).toContain(nearest)
  })

  it('is refused in FlatPeak with the nearest one, and in every body that asks for it', async () => {
    const { key } = tenant.live
    const listed = await call('GET', '/customers?refrence_id=a', { key })
    expect([listed.status, listed.body.param]).toEqual([400, 'refrence_id'])
    expect(listed.body.message).toContain('did you mean reference_id?')
    const headers = { prefer: 'handling=strict' }
    const made = await call('POST', '/v1/customers', { key, headers, body: { external_id: 'strict', nmae: 'Ada' } })
    expect([made.status, made.body.message]).toEqual([400, 'nmae is not a field of this request, did you mean name?'])
  })
})

describe('the largest request that is valid', () => {
  const long = (character: string) => character.repeat(500)
  const text = fc.constantFrom(long('a'), long('ü'), long('\u{1f600}').slice(0, 500), `${long('%').slice(1)}_`)
  const operatorsOf = (field: string) => {
    if (field === 'status') return ['eq', 'in', 'not_in']
    return field.endsWith('_at')
      ? ['eq', 'gt', 'lt', 'gte', 'before', 'after']
      : ['eq', 'contains', 'not_contains', 'gt', 'gte', 'lt']
  }
  const filter = fc.constantFrom(...Object.keys(FIELDS)).chain((field) =>
    fc.record({
      field: fc.constant(field),
      operator: fc.constantFrom(...operatorsOf(field)),
      value: fc.record({
        string: field === 'status' ? fc.constant('draft') : text,
        date: fc.constant('2026-01-20T15:00:00Z'),
        array: fc.constant(['draft']),
      }),
    }),
  )
  const orders = fc.shuffledSubarray(Object.keys(FIELDS), { minLength: 15, maxLength: 15 })
  const names = (count: number) => Array.from({ length: count }, (_, at) => `${long('n').slice(0, 120)}${at}`)
  const whole = fc.record({
    filters: fc.array(filter, { minLength: 30, maxLength: 30 }),
    sort: orders.map((fields) => fields.map((field) => ({ field, direction: 'desc' }))),
    customer_ids: fc.constant(names(100)),
    external_ids: fc.constant(names(1_000)),
    external_id: text.map((one) => Array.from(one).slice(0, 255).join('')),
    email: text,
    parent_customer_id: text,
    parent_customer_ids: fc.constant(names(100)),
    status: fc.constant(['published', 'draft', 'archived']),
    start_time: fc.constant('2020-01-01'),
    end_time: fc.constant('2030-01-01'),
    metadata: fc.constant(Object.fromEntries(names(50).map((name, at) => [`k${at}`, name]))),
    expand: fc.constant('parent_customer,children,integrations,aliases'),
    limit: fc.constant(100),
  })

  it('is served by a search, whatever it filters and sorts by', async () => {
    await fc.assert(
      fc.asyncProperty(whole, async (body) => {
        expect(searchBody().safeParse(body).error).toBeUndefined()
        expect((await search(body)).status).toBe(200)
      }),
      { numRuns: Number(env.MODEL_RUNS || 8) },
    )
  })

  it('is served by a search with thirty equal times of creation, and by one with a cursor in fifteen orders', async () => {
    const at = { field: 'created_at', operator: 'eq', value: { date: '2026-01-20T15:00:00Z' } }
    expect((await search({ filters: Array.from({ length: 30 }, () => at), start_time: '2020-01-01' })).status).toBe(200)
    await Promise.all([newCustomer(tenant.live.key), newCustomer(tenant.live.key)])
    const wide = {
      filters: Array.from({ length: 30 }, () => ({
        field: 'name',
        operator: 'not_contains',
        value: { string: long('z') },
      })),
      sort: Object.keys(FIELDS)
        .slice(0, 15)
        .map((field) => ({ field })),
      start_time: '2020-01-01',
      end_time: '2090-01-01',
      status: ['published', 'draft'],
      limit: 1,
    }
    const { body } = await search(wide)
    const next = await search({ ...wide, cursor: body.pagination.next_cursor })
    expect([next.status, next.body.items.length], next.text).toEqual([200, 1])
  })

  it('is served by every other list with filters', async () => {
    const { key } = tenant.live
    const longest = encodeURIComponent(long('ü'))
    const types = 'customer.created,customer.updated,customer.archived,customer.restored,customer.erased'
    const times = 'start_time=2020-01-01&end_time=2090-01-01'
    const answers = [
      await call('GET', `/v1/events?type=${types}&${times}&limit=100`, { key }),
      await call('GET', `/customers?reference_id=${longest.slice(0, 255 * 6)}&limit=100`, { key }),
      await call('GET', '/v1/customers/export?status=published,draft,archived&include_archived=true', { key }),
      await admin('GET', `?search=${encodeURIComponent(long('ü').slice(0, 255))}&status=active&tier=custom`),
      await call(
        'GET',
        `/admin/audit?tenant_id=${tenant.tenantId}&actor=${long('a').slice(0, 255)}&type=key.created&${times}`,
        {
          headers: { 'x-api-key': ADMIN_KEY },
        },
      ),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    const customers = bound({
      tenantId: tenant.tenantId,
      mode: 'live',
      scopes: ['customers:read'],
      caller: BOUND_CALLER,
    })
    const externalIds = Array.from({ length: 1_000 }, (_, at) => `${'\u0001'.repeat(250)}${at}`)
    expect(
      await customers.list({
        externalIds,
        metadata: Object.fromEntries(names(50).map((name, at) => [`k${at}`, name])),
      }),
    ).toMatchObject({ ok: true })
  })
})

describe('a statement that D1 refuses', () => {
  it('is 500 and logged with the reason, at every API and in the gate, while a passing failure is 503', async () => {
    const { key } = tenant.live
    const { id } = await newCustomer(key, { name: 'Ada' })
    const lines = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const statement = Object.getPrototypeOf(env.DB.prepare('SELECT 1')) as D1PreparedStatement
    const session = Object.getPrototypeOf(env.DB.withSession()) as D1DatabaseSession
    const spies = (message: string) => {
      const fail = () => Promise.reject(new Error(message))
      return [
        ...(['all', 'raw', 'first'] as const).map((name) =>
          vi.spyOn(statement, name).mockImplementation(fail as never),
        ),
        ...[session, Object.getPrototypeOf(env.DB) as D1Database].map((one) =>
          vi.spyOn(one, 'batch').mockImplementation(fail as never),
        ),
      ]
    }
    const everywhere = async () => {
      const customers = bound({
        tenantId: tenant.tenantId,
        mode: 'live',
        scopes: ['customers:read'],
        caller: BOUND_CALLER,
      })
      const listed = await customers.list({})
      return [
        (await search({})).status,
        (await call('GET', '/customers', { key })).status,
        (await call('GET', '/v1/events', { key })).status,
        (await v1('PUT', `/${id}`, { name: 'Ada L.' })).status,
        (await v1('PUT', '/external/unknown-one', { name: 'Ada L.' })).status,
        (await admin('GET', '')).status,
        (await call('GET', '/admin/audit', { headers: { 'x-api-key': ADMIN_KEY } })).status,
        listed.ok ? 'ok' : listed.failure.reason,
      ]
    }
    try {
      const broken = spies('D1_ERROR: too many SQL variables at offset 7: SQLITE_ERROR')
      expect(await everywhere()).toEqual([500, 500, 500, 500, 500, 500, 500, 'internal'])
      for (const spy of broken) spy.mockRestore()
      const logged = lines.mock.calls.map(([line]) => JSON.parse(String(line)))
      const reasons = logged.filter(({ event }) => event === 'statement_failed' || event === 'failed')
      expect(reasons.length).toBeGreaterThanOrEqual(7)
      for (const { error } of reasons) expect(error).toContain('too many SQL variables')
      expect(JSON.stringify(logged)).not.toContain('Ada')
      const passing = spies('D1_ERROR: D1 DB is overloaded. Requests queued for too long.')
      expect(await everywhere()).toEqual([503, 503, 503, 503, 503, 503, 503, 'unavailable'])
      for (const spy of passing) spy.mockRestore()
    } finally {
      vi.restoreAllMocks()
    }
  })
})

describe("a call of FlexPrice's API that Roster is not for", () => {
  it.each([
    '/v1/customers/usage',
    '/v1/customers/wallets',
    '/v1/customers/:id/wallets',
    '/v1/customers/:id/entitlements',
    '/v1/customers/:id/invoices/summary',
    '/v1/customers/:id/grants/upcoming',
    '/v1/customers/:id/usage',
    '/v1/customers/:id/subscriptions',
    '/v1/customers/:id/credit_grants',
    '/v1/subscriptions',
    '/v1/wallets/wallet_1/top-up',
  ])('%s is 501 and says what to use instead', async (template) => {
    const { id } = await newCustomer(tenant.live.key)
    const path = template.replace(':id', id)
    const { status, body } = await call('GET', path, { key: tenant.live.key })
    expect([status, body.code, body.details.reason]).toEqual([501, 'not_supported', 'not_supported'])
    expect(body.message).toContain(body.details.instead)
    expect((await call('GET', path)).status).toBe(401)
  })

  it('does not shadow an external id of that name, a route of Roster, or an id that does not exist', async () => {
    await newCustomer(tenant.live.key, { external_id: 'usage' })
    expect((await v1('GET', '/external/usage')).status).toBe(200)
    expect((await v1('GET', '/lookup/usage')).status).toBe(200)
    expect((await v1('GET', '/cust_01JD3VQ4X8N2M7R5T9W6YBZKCE')).status).toBe(404)
    expect((await v1('GET', '/nobody')).status).toBe(404)
    expect((await call('GET', '/v1/nothing', { key: tenant.live.key })).body.code).toBe('not_found')
    expect((await call('DELETE', '/v1/events', { key: tenant.live.key })).status).toBe(405)
  })
})

describe('q', () => {
  const asked = async (q: string, more = '') => v1('GET', `?q=${encodeURIComponent(q)}${more}`)
  const shown = async (q: string, more = '') => {
    const { status, body } = await asked(q, more)
    expect(status).toBe(200)
    return body.items.map((customer: { id: string }) => customer.id)
  }

  it('finds customers by the beginnings of words, in the query and in the body, through every page, at once', async () => {
    const word = crypto.randomUUID().slice(0, 8)
    const made: string[] = []
    for (const name of [`Ada ${word}`, `Ádám ${word}`, `Bob ${word}`]) {
      const { id } = await newCustomer(tenant.live.key, { external_id: crypto.randomUUID(), name })
      made.unshift(id)
      expect(await shown(word)).toEqual(made)
    }
    const [bob = '', adam = '', ada = ''] = made
    expect(await shown(`AD ${word}`)).toEqual([adam, ada])
    const { body } = await search({ q: word, limit: 2 })
    expect(body.items.map((customer: { id: string }) => customer.id)).toEqual([bob, adam])
    expect(body.pagination).toMatchObject({ total: 3, offset: 2, has_more: true })
    const next = await search({ q: word, limit: 2, cursor: body.pagination.next_cursor })
    expect(next.body).toMatchObject({ items: [{ id: ada }], pagination: { total: 3, offset: 3, has_more: false } })
    const { status: ofOther } = await search({ q: `${word}x`, cursor: body.pagination.next_cursor })
    expect(ofOther).toBe(400)
    const test = await call('GET', `/v1/customers?q=${word}`, { key: tenant.test.key })
    expect(test.body.items).toEqual([])
    const cursor = encodeURIComponent(body.pagination.next_cursor)
    expect((await call('GET', `/v1/customers?q=${word}&cursor=${cursor}`, { key: tenant.test.key })).status).toBe(400)
  })

  it('finds archived customers on request, and in the RPC list', async () => {
    const word = crypto.randomUUID().slice(0, 13)
    const { id: kept } = await newCustomer(tenant.live.key, { external_id: `${word}-1`, status: 'draft' })
    const { id: archived } = await newCustomer(tenant.live.key, { external_id: `${word}-2` })
    await v1('DELETE', `/${archived}`)
    expect(await shown(word)).toEqual([kept])
    expect(await shown(word, '&status=archived')).toEqual([archived])
    expect(await shown(word, '&status=published,draft,archived')).toEqual([archived, kept])
    const registry = bound({
      tenantId: tenant.tenantId,
      mode: 'live',
      scopes: ['customers:read'],
      caller: BOUND_CALLER,
    })
    expect(await registry.list({ q: word })).toMatchObject({ ok: true, customers: [{ id: kept }] })
    expect(await registry.list({ q: word, order: 'oldest' })).toMatchObject({ failure: { reason: 'invalid_input' } })
    expect(await registry.list({ q: word, email: 'a@b.c' })).toMatchObject({ failure: { reason: 'invalid_input' } })
  })

  it.each([
    ['email', '&email=a@b.c'],
    ['metadata', '&metadata[plan]=pro'],
    ['sort', '&sort=-name'],
    ['order', '&order=asc'],
    ['offset', '&offset=50'],
    ['start_time', '&start_time=2026-01-01'],
    ['status', '&status=draft'],
    ['status', '&status=published,archived'],
  ])('is refused together with %s (%s)', async (field, more) => {
    const { status, body } = await asked('acme', more)
    expect({ status, field: body.details.errors[0].field }).toEqual({ status: 400, field })
  })

  it.each([
    ['no word', ' '],
    ['nothing', ''],
    ['nine words', 'a b c d e f g h i'],
    ['201 characters', 'a'.repeat(201)],
    ['a NUL', 'a\0b'],
  ])('is refused with %s', async (_, q) => {
    const { status, body } = await asked(q)
    expect({ status, field: body.details.errors[0].field }).toEqual({ status: 400, field: 'q' })
    expect((await search({ q })).status).toBe(400)
  })

  it('takes any text literally: quotation marks, operators and signs of the index, control characters', async () => {
    const signs = [...Array(0x80).keys()].slice(1).map((code) => String.fromCharCode(code))
    const texts = [
      '"a"* OR b',
      'NEAR(a b)',
      '{tokens}:a',
      'tokens : a',
      '^a',
      '-a',
      'a AND NOT b',
      "'; DROP TABLE customers; --",
    ]
    // A tenant whose customers an operator or a wildcard would find, all of them.
    const { live } = await newTenant()
    for (const name of ['a b', 'b a', 'a c']) await newCustomer(live.key, { external_id: `${name} x`, name })
    for (const q of [signs.join(''), ...signs.map((sign) => `a${sign}b`), ...texts]) {
      const { status, body } = await call('POST', '/v1/customers/search', { key: live.key, body: { q } })
      expect([200, 400], JSON.stringify(q)).toContain(status)
      // A control character parts words, so it leaves those of two customers.
      if (status === 200) expect(body.pagination.total, JSON.stringify(q)).toBe(/^a[\0-\x20\x7f]b$/.test(q) ? 2 : 0)
    }
    // Any of these may be the beginning of a word.
    for (const q of fc.sample(fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }), 40)) {
      expect([200, 400], JSON.stringify(q)).toContain((await search({ q })).status)
    }
  })
})
