import { expect, it } from 'vitest'
import { admin, call, newCustomer, newTenant } from '../support/roster.ts'

it('the usage of a tenant counts what was admitted and what was refused, by mode and day', async () => {
  const tenant = await newTenant({ tier: 'starter' })
  const { id } = await newCustomer(tenant.live.key)
  const reads = []
  for (let sent = 0; sent < 40; sent++) reads.push(call('GET', `/v1/customers/${id}`, { key: tenant.live.key }))
  const statuses = (await Promise.all(reads)).map(({ status }) => status)
  const admitted = 1 + statuses.filter((status) => status === 200).length
  const limited = statuses.filter((status) => status === 429).length
  expect(limited).toBeGreaterThan(0)
  // The isolate tells the gate what it did with its next ask.
  await scheduler.wait(1_100)
  await call('GET', `/v1/customers/${id}`, { key: tenant.live.key })
  await scheduler.wait(1_100)
  await call('GET', `/v1/customers/${id}`, { key: tenant.live.key })

  const { status, body } = await admin('GET', `/${tenant.tenantId}/usage`)
  expect(status).toBe(200)
  expect(body).toMatchObject({
    customer_id: tenant.tenantId,
    live: {
      contract_year_start: new Date().toISOString().slice(0, 10),
      annual_validation_limit: 1_000_000,
      days: [{ date: new Date().toISOString().slice(0, 10), rate_limited: limited }],
    },
    test: { admitted_this_year: 0, days: [] },
  })
  const counted = body.live.admitted_this_year + body.live.permits_outstanding
  expect(counted).toBeGreaterThanOrEqual(admitted + 2)
  expect(body.live.admitted_this_year).toBeLessThanOrEqual(admitted + 2 + body.live.permits_outstanding)
})

it('the usage of a tenant that is not there is 404', async () => {
  expect((await admin('GET', '/00000000-0000-7000-8000-000000000000/usage')).status).toBe(404)
})

it('a live tenant that has used its year up is refused until the limit is raised, and the answer says which limit', async () => {
  const limits = { requests_per_second: 100, burst: 200, annual_validation_limit: 5 }
  const tenant = await newTenant({ tier: 'custom', limits })
  const { id } = await newCustomer(tenant.live.key)
  const statuses = []
  for (let sent = 0; sent < 8; sent++) {
    statuses.push((await call('GET', `/v1/customers/${id}`, { key: tenant.live.key })).status)
  }
  expect(statuses).toEqual([200, 200, 200, 200, 429, 429, 429, 429])
  const refused = await call('GET', `/v1/customers/${id}`, { key: tenant.live.key })
  expect(refused.body).toMatchObject({ code: 'too_many_requests', details: { reason: 'annual_limit_reached' } })
  expect((await call('GET', '/v1/customers', { key: tenant.test.key })).status).toBe(200)

  await admin('PUT', `/${tenant.tenantId}`, { limits: { annual_validation_limit: 100 } })
  expect((await call('GET', `/v1/customers/${id}`, { key: tenant.live.key })).status).toBe(200)
})
