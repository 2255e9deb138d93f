/** Bad input of every kind at the admin API: a 4xx that names the field and the fix, and nothing changes. */
import { describe, expect, it } from 'vitest'
import { ADMIN_KEY, admin, call } from '../../support/roster.ts'
import { COMPANY, error, make, problem } from './operator.ts'

describe('bad input', () => {
  /** Is wrong only together with the contract of the tenant. */
  const dependsOnWhatIsThere: Record<string, unknown>[] = [
    { contract_end: '2019-12-31' },
    { contract_start: '2031-01-01' },
  ]
  const cases: [string, Record<string, unknown>][] = [
    ['company_name', { company_name: '' }],
    ['company_name', { company_name: null }],
    ['company_name', { company_name: 'x'.repeat(256) }],
    ['company_name', { company_name: 'a\0b' }],
    ['contact_email', { contact_email: '' }],
    ['contact_email', { contact_email: null }],
    ['contact_email', { contact_email: 'nobody' }],
    ['tier', { tier: 'gold' }],
    ['tier', { tier: null }],
    ['tier', { tier: 'Scale' }],
    ['status', { status: 'archived' }],
    ['status', { status: '' }],
    ['contract_start', { contract_start: 'soon' }],
    ['contract_start', { contract_start: '2026-02-30' }],
    ['contract_start', { contract_start: '2026-01-20T15:00:00' }],
    ['contract_start', { contract_start: 1_700_000_000 }],
    ['contract_end', { contract_end: '9999-12-31T23:59:59-12:00' }],
    ['contract_end', { contract_end: '1969-12-31' }],
    ['contract_end', { contract_start: '2026-01-02', contract_end: '2026-01-01' }],
    ...dependsOnWhatIsThere.map((input): [string, Record<string, unknown>] => ['contract_end', input]),
    ...[30, 3_651, 400.5, '400', null].map((days): [string, Record<string, unknown>] => [
      'event_retention_days',
      { event_retention_days: days },
    ]),
    ['metadata', { metadata: [] }],
    ['metadata', { metadata: 'text' }],
    ['metadata', { metadata: { a: 'x'.repeat(16 * 1024) } }],
    ['metadata', { metadata: { a: 'é'.repeat(8 * 1024) } }],
    ['metadata', { metadata: nested(33) }],
    ['metadata.a', { metadata: { a: '\ud800' } }],
    ['limits', { limits: { burst: 1 } }],
    ['limits', { tier: 'growth', limits: { burst: 1 } }],
    ['limits', { limits: null }],
    ['limits.requests_per_second', { tier: 'custom', limits: { requests_per_second: 0 } }],
    ['limits.requests_per_second', { tier: 'custom', limits: { requests_per_second: 1.5 } }],
    ['limits.burst', { tier: 'custom', limits: { burst: 1e9 } }],
    ['limits.burst', { tier: 'custom', limits: { burst: '5' } }],
    ['limits.annual_commitment', { tier: 'custom', limits: { annual_commitment: -1 } }],
    ['limits.annual_validation_limit', { tier: 'custom', limits: { annual_validation_limit: 0 } }],
  ]

  it('returns the field, what is wrong and the fix, and changes nothing', async () => {
    const before = await make({ tier: 'scale', contract_start: '2020-01-01', contract_end: '2030-01-01' })
    for (const [field, input] of cases) {
      const { status, body } = await admin('PUT', `/${before.customer_id}`, {
        ...input,
        metadata: { changed: true },
        ...input,
      })
      expect([status, body], JSON.stringify(input)).toEqual([400, error(400, 'validation_error', problem(field))])
    }
    expect((await admin('GET', `/${before.customer_id}`)).body).toEqual(before)
  })

  it('creates no tenant', async () => {
    const mark = crypto.randomUUID()
    const name = { company_name: mark }
    for (const input of [{}, { contact_email: COMPANY.contact_email }, name, { ...name, contact_email: 'x' }]) {
      expect((await admin('POST', '', input)).status).toBe(400)
    }
    for (const [, input] of cases.filter(([, input]) => !dependsOnWhatIsThere.includes(input))) {
      const { status } = await admin('POST', '', { ...COMPANY, ...name, ...input })
      expect(status, JSON.stringify(input)).toBe(400)
    }
    expect((await admin('GET', `?search=${mark}`)).body.items).toEqual([])
  })

  it('is refused by its kind when the body itself is malformed', async () => {
    const { customer_id } = await make()
    const path = `/admin/customers/${customer_id}`
    const put = (body: string, type = 'application/json') =>
      call('PUT', path, { headers: { 'x-api-key': ADMIN_KEY, 'content-type': type }, body })
    const deep = `${'{"a":'.repeat(30_000)}1${'}'.repeat(30_000)}`
    for (const [answer, status] of [
      [await put('{'), 400],
      [await put(''), 400],
      [await put('[]'), 400],
      [await put('null'), 400],
      [await put('{}', 'text/plain'), 415],
      [await put(`{"metadata": {"a": "${'x'.repeat(256 * 1024)}"}}`), 413],
      [await put(`{"metadata": ${deep}}`), 400],
      [await put(`{"metadata": ${deep.replace('1', '"\\u0000"')}}`), 400],
      [await put('{}'), 200],
      [await put('{"tier": "growth", "tier": "scale"}', 'application/json; charset=utf-8'), 200],
    ] as const) {
      expect(answer.status, answer.text.slice(0, 200)).toBe(status)
    }
    expect((await admin('GET', `/${customer_id}`)).body.tier).toBe('scale')
  })

  it('includes unknown fields only for callers that ask for strict handling', async () => {
    const { customer_id } = await make()
    const headers = { 'x-api-key': ADMIN_KEY, prefer: 'handling=strict' }
    const body = { tier: 'growth', tire: 'scale' }
    const strict = await call('PUT', `/admin/customers/${customer_id}`, { headers, body })
    expect([strict.status, strict.body]).toEqual([400, error(400, 'validation_error', problem('tire'))])
    expect((await admin('PUT', `/${customer_id}`, body)).body.tier).toBe('growth')
  })
})

function nested(levels: number): object {
  return levels === 0 ? {} : { a: nested(levels - 1) }
}
