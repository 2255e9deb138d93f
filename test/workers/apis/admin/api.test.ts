/** The admin API over HTTP: tenants, their tiers and their contracts, by the reference document of the Admin Customer API. */
import { describe, expect, it } from 'vitest'
import { ADMIN_KEY, admin, call, newTenant } from '../../support/roster.ts'
import { COMPANY, error, make, problem } from './operator.ts'

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
/** Each tier's limits. The two figures of `scale` come from the reference document. */
const TIER_TABLE = {
  starter: {
    requests_per_second: 10,
    burst: 20,
    annual_commitment: 0,
    annual_validation_limit: 1_000_000,
    storage_bytes: 100_000_000,
  },
  growth: {
    requests_per_second: 50,
    burst: 100,
    annual_commitment: 100_000,
    annual_validation_limit: 6_000_000,
    storage_bytes: 500_000_000,
  },
  scale: {
    requests_per_second: 200,
    burst: 400,
    annual_commitment: 500_000,
    annual_validation_limit: 30_000_000,
    storage_bytes: 2_000_000_000,
  },
  enterprise: {
    requests_per_second: 1_000,
    burst: 2_000,
    annual_commitment: 1_500_000,
    annual_validation_limit: 120_000_000,
    storage_bytes: 6_000_000_000,
  },
}

describe('the document’s examples', () => {
  it('upgrades a tier, suspends and reactivates, and returns the updated customer', async () => {
    const { customer_id, updated_at } = await make()
    const upgraded = await admin('PUT', `/${customer_id}`, { tier: 'scale' })
    expect(upgraded.status).toBe(200)
    expect(upgraded.body).toMatchObject({
      customer_id,
      company_name: 'Acme Financial',
      contact_email: 'compliance@acmefinancial.com',
      tier: 'scale',
      status: 'active',
      annual_commitment: 500000,
      annual_validation_limit: 30000000,
    })
    expect(Date.parse(upgraded.body.updated_at)).toBeGreaterThanOrEqual(Date.parse(updated_at))
    for (const status of ['suspended', 'active']) {
      const changed = await admin('PUT', `/${customer_id}`, { status })
      expect([changed.status, changed.body]).toEqual([
        200,
        { ...upgraded.body, status, updated_at: changed.body.updated_at },
      ])
    }
  })

  it('refuses the placeholders of the document and names each field where they are invalid', async () => {
    const { customer_id } = await make()
    const { status, body } = await admin('PUT', `/${customer_id}`, {
      company_name: '<string>',
      contact_email: '<string>',
      tier: '<string>',
      status: '<string>',
      contract_start: '<string>',
      contract_end: '<string>',
      metadata: {},
    })
    expect([status, body]).toEqual([400, error(400, 'validation_error')])
    const fields = body.details.errors.map(({ field }: { field: string }) => field)
    expect(fields).toEqual(['contact_email', 'tier', 'status', 'contract_start', 'contract_end'])
  })
})

describe('a tenant', () => {
  it('is created with the given fields and defaults for the rest, and reads back as created', async () => {
    const body = await make()
    expect(body).toEqual({
      customer_id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
      ...COMPANY,
      tier: 'starter',
      status: 'active',
      annual_commitment: 0,
      annual_validation_limit: 1_000_000,
      contract_start: null,
      contract_end: null,
      limits: TIER_TABLE.starter,
      event_retention_days: 400,
      database: 0,
      metadata: {},
      created_at: expect.stringMatching(ISO),
      updated_at: body.created_at,
    })
    expect((await admin('GET', `/${body.customer_id}`)).body).toEqual(body)
    expect((await admin('GET', `/${body.customer_id.toUpperCase()}`)).body).toEqual(body)
    const full = {
      tier: 'growth',
      status: 'suspended',
      contract_start: '2026-01-01T00:00:00.000Z',
      contract_end: '2026-12-31T00:00:00.000Z',
    }
    const sent = `{"company_name":"A","contact_email":"a@b.co","tier":"growth","status":"suspended","contract_start":"2026-01-01","contract_end":"2026-12-31T01:00:00+01:00","metadata":{"":null,"__proto__":{"deep":[1,2.5,"é"]},"constructor":"x"}}`
    const made = await call('POST', '/admin/customers', { headers: { 'x-api-key': ADMIN_KEY }, body: sent })
    expect(made.status).toBe(201)
    expect(made.body).toMatchObject(full)
    expect(made.text).toContain('"metadata":{"":null,"__proto__":{"deep":[1,2.5,"é"]},"constructor":"x"}')
    expect((await admin('GET', `/${made.body.customer_id}`)).text).toBe(made.text)
  })

  it('has exactly the limits of its tier', async () => {
    const { customer_id } = await make()
    for (const [tier, limits] of Object.entries(TIER_TABLE)) {
      const { annual_commitment, annual_validation_limit } = limits
      const expected = { tier, limits, annual_commitment, annual_validation_limit }
      expect(await make({ tier })).toMatchObject(expected)
      expect((await admin('PUT', `/${customer_id}`, { tier })).body).toMatchObject(expected)
    }
    const custom = await admin('PUT', `/${customer_id}`, { tier: 'custom' })
    expect(custom.body).toMatchObject({ tier: 'custom', limits: TIER_TABLE.enterprise })
    const figures = { annual_commitment: 7, annual_validation_limit: 11 }
    const given = { requests_per_second: 3, burst: 5, ...figures, storage_bytes: 13 }
    const set = await admin('PUT', `/${customer_id}`, { limits: given })
    expect(set.body).toMatchObject({ limits: given, ...figures })
    expect((await admin('PUT', `/${customer_id}`, { tier: 'custom', limits: { burst: 6 } })).body.limits).toEqual({
      ...given,
      burst: 6,
    })
    expect(await make({ tier: 'custom', limits: given })).toMatchObject({ limits: given })
    expect(await make({ tier: 'custom', limits: { burst: 9 } })).toMatchObject({
      limits: { ...TIER_TABLE.starter, burst: 9 },
    })
  })

  it('changes only the given fields; null and empty text clear the fields that can be empty', async () => {
    const before = await make({
      contract_start: '2026-01-01',
      contract_end: '2025-12-31T23:59:59-10:00',
      metadata: { a: 1 },
    })
    const { customer_id } = before
    expect((await admin('PUT', `/${customer_id}`, {})).body).toEqual(before)
    const renamed = (await admin('PUT', `/${customer_id}`, { company_name: 'B', nonsense: true })).body
    expect(renamed).toEqual({ ...before, company_name: 'B', updated_at: renamed.updated_at })
    const replaced = (await admin('PUT', `/${customer_id}`, { metadata: { b: 2 } })).body
    expect(replaced.metadata).toEqual({ b: 2 })
    const cleared = (await admin('PUT', `/${customer_id}`, { contract_start: null, contract_end: '', metadata: null }))
      .body
    expect(cleared).toMatchObject({ contract_start: null, contract_end: null, metadata: {} })
  })

  it('keeps both of two concurrent changes of different fields', async () => {
    const { customer_id } = await make()
    const changes = [
      { company_name: 'Raced' },
      { contact_email: 'raced@example.com' },
      { tier: 'growth' },
      { status: 'suspended' },
      { metadata: { raced: true } },
      { contract_start: '2026-03-01' },
    ]
    const answers = await Promise.all(changes.map((change) => admin('PUT', `/${customer_id}`, change)))
    expect(answers.map(({ status }) => status)).toEqual(changes.map(() => 200))
    expect((await admin('GET', `/${customer_id}`)).body).toMatchObject({
      ...Object.assign({}, ...changes),
      contract_start: '2026-03-01T00:00:00.000Z',
    })
  })

  it('keeps working after its contract has ended: only an operator ends the service', async () => {
    const { tenantId, live } = await newTenant()
    const { body } = await admin('PUT', `/${tenantId}`, { contract_start: '2001-01-01', contract_end: '2002-01-01' })
    expect(body).toMatchObject({ contract_end: '2002-01-01T00:00:00.000Z', status: 'active' })
    expect((await call('GET', '/customers', { key: live.key })).status).toBe(200)
  })

  it('returns 404 on every path for an unknown id and for an id that is not a UUID', async () => {
    for (const id of [crypto.randomUUID(), 'acme', '%00', '550e8400e29b41d4a716446655440000']) {
      for (const { status, body } of [
        await admin('GET', `/${id}`),
        await admin('PUT', `/${id}`, { tier: 'scale' }),
        await admin('GET', `/${id}/keys`),
        await admin('POST', `/${id}/keys`, {}),
        await admin('DELETE', `/${id}/keys/key_01JD0000000000000000000000`),
        await admin('POST', `/${id}/keys/key_01JD0000000000000000000000/rotate`, {}),
      ]) {
        expect([status, body], id).toEqual([404, error(404, 'not_found', {})])
      }
    }
  })
})

describe('the list of tenants', () => {
  it('pages by cursor and filters by status, tier and search', async () => {
    const mark = crypto.randomUUID()
    const made = []
    for (const tier of ['starter', 'scale', 'scale']) made.unshift(await make({ company_name: `Co ${mark}`, tier }))
    await admin('PUT', `/${made[0]?.customer_id}`, { status: 'suspended' })
    made[0] = (await admin('GET', `/${made[0]?.customer_id}`)).body
    const list = async (query: string) => (await admin('GET', `?search=${mark}${query}`)).body
    expect(await list('')).toEqual({ items: made, pagination: { limit: 50, next_cursor: null, has_more: false } })
    const first = await list('&limit=2')
    expect(first).toMatchObject({ items: made.slice(0, 2), pagination: { limit: 2, has_more: true } })
    const second = await list(`&limit=2&cursor=${first.pagination.next_cursor}`)
    expect(second).toEqual({ items: made.slice(2), pagination: { limit: 2, next_cursor: null, has_more: false } })
    expect((await list('&tier=scale')).items).toEqual(made.slice(0, 2))
    expect((await list('&tier=scale&status=active')).items).toEqual(made.slice(1, 2))
  })

  it('refuses parameters that are unknown or malformed', async () => {
    for (const [query, field] of [
      ['limit=0', 'limit'],
      ['limit=101', 'limit'],
      ['cursor=!', 'cursor'],
      ['cursor=YWJj', 'cursor'],
      ['tier=gold', 'tier'],
      ['status=archived', 'status'],
      ['status=active&status=active', 'status'],
      ['search=', 'search'],
      ['search=%00', 'search'],
      [`search=${'x'.repeat(256)}`, 'search'],
      ['offset=1', 'offset'],
    ]) {
      const { status, body } = await admin('GET', `?${query}`)
      expect([status, body], query).toEqual([400, error(400, 'validation_error', problem(field ?? ''))])
    }
    const { customer_id } = await make()
    expect((await admin('GET', `/${customer_id}?expand=keys`)).status).toBe(400)
    expect((await admin('PUT', `/${customer_id}?dry_run=true`, { tier: 'scale' })).status).toBe(400)
    expect((await admin('GET', `/${customer_id}`)).body.tier).toBe('starter')
  })
})
