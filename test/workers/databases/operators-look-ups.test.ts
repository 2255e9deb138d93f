/** Everything that operators look for in all tenants is found in all databases, as if they were one. */

import { expect, it } from 'vitest'
import { ADMIN_KEY, admin, call, newCustomer } from '../support/roster.ts'
import { newTenantIn } from './support.ts'

const headers = { 'x-api-key': ADMIN_KEY }
const WORD = 'Zeppelinwiese'

it('is one audit, in one order, page by page', async () => {
  const tenants = [await newTenantIn(0), await newTenantIn(1), await newTenantIn(2)]
  const made: string[] = []
  const startTime = new Date(Date.now() - 60_000).toISOString()
  for (let round = 0; round < 3; round++) {
    for (const { live } of tenants) made.push((await newCustomer(live.key, { name: `${WORD} ${round}` })).id)
  }
  const seen: string[] = []
  for (let cursor: string | null = null, pages = 0; ; pages++) {
    const query = new URLSearchParams({ type: 'customer.created', limit: '2', start_time: startTime })
    if (cursor) query.set('cursor', cursor)
    const { body } = await call('GET', `/admin/audit?${query}`, { headers })
    seen.push(...body.items.map(({ customer_id: id }: { customer_id: string }) => id))
    cursor = body.pagination.next_cursor
    expect(pages).toBeLessThan(100)
    if (cursor === null) break
  }
  expect(seen.filter((id) => made.includes(id))).toEqual(made.toReversed())
  for (const { tenantId } of tenants) {
    const { body } = await call('GET', `/admin/audit?tenant_id=${tenantId}&type=customer.created`, { headers })
    expect(body.items).toHaveLength(3)
  }
})

it('is one search, with the names of companies as they are now', async () => {
  const tenants = [await newTenantIn(0), await newTenantIn(1), await newTenantIn(2)]
  const email = `${crypto.randomUUID()}@example.com`
  for (const { live } of tenants) await newCustomer(live.key, { email, external_id: 'shared', name: `${WORD} AG` })
  for (const [at, { tenantId }] of tenants.entries())
    await admin('PUT', `/${tenantId}`, { company_name: `Company ${at}` })
  const { body } = await call('GET', `/admin/search?q=${encodeURIComponent(email)}`, { headers })
  expect(body.customers.map((found: { company_name: string }) => found.company_name)).toEqual([
    'Company 2',
    'Company 1',
    'Company 0',
  ])
  const byWord = await call('GET', `/admin/search?q=${WORD.slice(0, 6)}`, { headers })
  expect(byWord.body.customers.length).toBeGreaterThanOrEqual(3)
})

it('is one health, with each database', async () => {
  const { body } = await call('GET', '/admin/health', { headers })
  expect(body.databases.map(({ name }: { name: string }) => name)).toEqual(['DB', 'DB_1', 'DB_2'])
  for (const { bytes } of body.databases) expect(bytes).toBeGreaterThan(10_000)
})
