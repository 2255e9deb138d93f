/** While a move brings a tenant to the other database, nothing of it changes, and every refusal says when to come again. */

import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { begin, freeze, letStay } from '../../../src/storage/moves/marks.ts'
import { importLines } from '../import/support.ts'
import { receive } from '../onboarding/support.ts'
import { contracts, exampleOf, nameOf } from '../support/contracts.ts'
import { call, newCustomer, newTenant } from '../support/roster.ts'
import { tenantWithEverything } from '../tenants/full-tenant.ts'
import { copyTenantRow, rowsOfTenant, untilQuiet } from './moved.ts'
import { waitingDelivery } from './queue.ts'
import { endsOf } from './support.ts'

/** Requests that would change nothing: they only look, or their example finds nothing to do. */
const CHANGE_NOTHING = [
  'GET /login',
  'PATCH /v1/webhooks/endpoints/:endpoint_id',
  'POST /v1/customers/:id/merge',
  'POST /v1/customers/:id/onboarding/retry',
  'POST /v1/customers/:id/onboarding/signal',
  'POST /v1/customers/:id/revert',
  'POST /v1/customers/:id/unmerge',
  'POST /v1/customers/search',
  'POST /v1/undo',
  'POST /v1/webhooks/endpoints/:endpoint_id/retry',
  'POST /v1/webhooks/endpoints/:endpoint_id/test',
  'PUT /v1/customers',
]
/** Its lines are refused one by one. */
const IMPORT = 'POST /v1/customers/import'

beforeEach(() => receive(() => new Response('OK')))
afterEach(() => vi.restoreAllMocks())

it('answers every read, and refuses every change until it is over', async () => {
  const { tenantId, live } = await tenantWithEverything('Frozen')
  const { key } = live
  const ends = await endsOf(tenantId)
  const { from, to } = ends
  const { id } = await newCustomer(key, { external_id: 'usr_frozen' })
  const endpoints = await call('GET', '/v1/webhooks/endpoints', { key })
  const names = { id, external_id: 'usr_frozen', endpoint_id: endpoints.body.items[0].id }
  await untilQuiet(from, tenantId)
  await copyTenantRow(from, to, tenantId)
  await begin(ends)
  await freeze(ends)
  const before = await rowsOfTenant(from, tenantId)

  const routes = contracts.filter(({ path }) => !path.startsWith('/admin'))
  const answers = await Promise.all(
    routes
      .filter((contract) => nameOf(contract) !== IMPORT)
      .map(async (contract) => {
        const { method, url, headers, body } = exampleOf(contract, names)
        const { status, headers: given } = await call(method, url, { key, headers, body })
        return { name: nameOf(contract), status, retryAfter: given.get('retry-after') }
      }),
  )
  for (const { name, status, retryAfter } of answers.filter((answer) => !CHANGE_NOTHING.includes(answer.name))) {
    expect([name, status, retryAfter]).toEqual(name.startsWith('GET ') ? [name, 200, null] : [name, 503, '1'])
  }
  const { results } = await importLines(key, [{ external_id: 'imported' }])
  expect(results.map(({ result, errors }) => [result, errors[0]?.message])).toEqual([
    ['error', 'Try again in a moment'],
  ])
  expect(await rowsOfTenant(from, tenantId)).toEqual(before)

  await letStay(ends)
  expect((await importLines(key, [{ external_id: 'imported' }])).results[0]?.result).toBe('created')
  expect((await call('PATCH', `/v1/customers/${id}`, { key, body: { name: 'Thawed' } })).status).toBe(200)
})

it('lets a message of the queue come again in three seconds, when the tenant is there, and logs no failure', async () => {
  const tenant = await newTenant()
  const { tenantId } = tenant
  const ends = await endsOf(tenantId)
  const { from, to } = ends
  const { consumed, status } = await waitingDelivery(tenant, from)
  await copyTenantRow(from, to, tenantId)
  await begin(ends)
  await freeze(ends)
  const errors = vi.spyOn(console, 'error')
  expect(await consumed()).toEqual({ acks: [], retries: [[{ delaySeconds: 3 }]] })
  expect(errors.mock.calls.flat().join()).not.toContain('message_failed')
  expect(await status()).toBe('pending')

  await letStay(ends)
  expect(await consumed()).toEqual({ acks: [[]], retries: [] })
  expect(await status()).toBe('delivered')
})
