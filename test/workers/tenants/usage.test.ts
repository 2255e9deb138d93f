import { expect, it, vi } from 'vitest'
import { admin, call, newCustomer, newTenant, newTenantOfBothModes } from '../support/roster.ts'

const DAY_SECONDS = 86_400

/**
 * Tries again with another tenant while the machine is so slow that a gate does not answer within its two seconds
 * (503), or that its limit is not reached (no 429).
 */
async function quickEnough<Observed extends { statuses: number[] }>(
  observe: () => Promise<Observed>,
): Promise<Observed> {
  for (;;) {
    const seen = await observe()
    if (!seen.statuses.includes(503) && seen.statuses.includes(429)) return seen
  }
}

it('counts the admitted and the refused requests of a tenant, by mode and day', async () => {
  const limits = { requests_per_second: 5, burst: 20 }
  const { tenant, id, statuses } = await quickEnough(async () => {
    const tenant = await newTenant({ tier: 'custom', limits })
    const { id } = await newCustomer(tenant.live.key)
    const reads = Array.from({ length: 100 }, () => call('GET', `/v1/customers/${id}`, { key: tenant.live.key }))
    return { tenant, id, statuses: (await Promise.all(reads)).map(({ status }) => status) }
  })
  const count = (wanted: number) => statuses.filter((status) => status === wanted).length
  expect(count(429)).toBeGreaterThan(0)

  // The isolate reports its usage to the gate with a request for a lease, so another read goes before each look. On a
  // slow machine that read can be refused too: it counts like every other.
  const { admitted, live, ...others } = await vi.waitFor(
    async () => {
      statuses.push((await call('GET', `/v1/customers/${id}`, { key: tenant.live.key })).status)
      const { status, body } = await admin('GET', `/${tenant.tenantId}/usage`)
      expect(status).toBe(200)
      const today = new Date().toISOString().slice(0, 10)
      expect(body.live).toMatchObject({
        contract_year_start: today,
        annual_validation_limit: 1_000_000,
        days: [{ date: today, rate_limited: count(429) }],
      })
      return { ...body, admitted: 1 + count(200) }
    },
    { timeout: 120_000, interval: 300 },
  )
  expect(others).toMatchObject({ customer_id: tenant.tenantId, test: { admitted_this_year: 0, days: [] } })
  expect(live.admitted_this_year + live.permits_outstanding).toBeGreaterThanOrEqual(admitted)
  expect(live.admitted_this_year).toBeLessThanOrEqual(admitted + live.permits_outstanding)
})

it('returns 404 for the usage of a tenant that does not exist', async () => {
  expect((await admin('GET', '/00000000-0000-7000-8000-000000000000/usage')).status).toBe(404)
})

it('refuses a live tenant that has used up its year until the limit is raised, wherever its contract is moved', async () => {
  const limits = { requests_per_second: 100, burst: 200, annual_validation_limit: 5 }
  const { tenant, id, statuses } = await quickEnough(async () => {
    const tenant = await newTenantOfBothModes({ tier: 'custom', limits })
    const { id } = await newCustomer(tenant.live.key)
    const statuses: number[] = []
    for (let sent = 0; sent < 8; sent++) {
      statuses.push((await call('GET', `/v1/customers/${id}`, { key: tenant.live.key })).status)
    }
    return { tenant, id, statuses }
  })
  expect(statuses).toEqual([200, 200, 200, 200, 429, 429, 429, 429])
  const refused = await call('GET', `/v1/customers/${id}`, { key: tenant.live.key })
  expect(refused.body).toMatchObject({ code: 'too_many_requests', details: { reason: 'annual_limit_reached' } })
  const aYearSeconds = 364 * DAY_SECONDS
  expect(Number(refused.headers.get('retry-after')), 'the contract began today').toBeGreaterThan(aYearSeconds)
  expect((await call('GET', '/v1/customers', { key: tenant.test.key })).status).toBe(200)

  for (const days of [-1, 0, 1, -30]) {
    const contract_start = new Date(Date.now() + days * DAY_SECONDS * 1_000).toISOString().slice(0, 10)
    await admin('PUT', `/${tenant.tenantId}`, { contract_start })
    const again = await call('PATCH', `/v1/customers/${id}`, { key: tenant.live.key, body: { name: 'Ada' } })
    expect([again.status, again.body.details?.reason], `moved by ${days} days`).toEqual([429, 'annual_limit_reached'])
    const { live } = (await admin('GET', `/${tenant.tenantId}/usage`)).body
    expect(live.admitted_this_year, `moved by ${days} days`).toBe(5)
  }

  await admin('PUT', `/${tenant.tenantId}`, { limits: { annual_validation_limit: 100 } })
  expect((await call('GET', `/v1/customers/${id}`, { key: tenant.live.key })).status).toBe(200)
})
