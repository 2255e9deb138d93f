/** Bodies made to keep an isolate busy or to trip it: each is refused before it has cost much. */
import { expect, it } from 'vitest'
import { call, newTenant } from '../support/roster.ts'

const MANY = 100_000

it.each<[string, string, (entries: string) => string]>([
  ['statuses', '/v1/customers/search', (entries) => `{"status":[${entries}]}`],
  ['expansions', '/v1/customers/search', (entries) => `{"expand":[${entries}]}`],
  ['mappings', '/v1/customers', (entries) => `{"external_id":"x","integration_entity_mapping":[${entries}]}`],
  ['providers', '/customers', (entries) => `{"reference_id":"x","providers":[${entries}]}`],
  ['unknown values', '/v1/customers', (entries) => `{"external_id":"x","zz":{"yy":[${entries}]}}`],
])('a hundred thousand %s are 400 at once, naming the field', async (_, path, bodyOf) => {
  const { live } = await newTenant()
  const startMs = Date.now()
  const { status, text } = await call('POST', path, {
    key: live.key,
    body: bodyOf(new Array(MANY).fill('1').join(',')),
  })
  expect(status).toBe(400)
  expect(text).toMatch(/has more than 1000 entries/)
  expect(Date.now() - startMs).toBeLessThan(300)
})

it('a query of one name a thousand times over is refused without quadratic work', async () => {
  const { live } = await newTenant()
  const { status } = await call('GET', `/v1/customers?${'a=1&'.repeat(4_000)}`, { key: live.key })
  expect(status).toBe(400)
})

it('a reason that is too long to keep is 400 and nothing is changed', async () => {
  const { live } = await newTenant()
  const headers = { 'x-reason': 'r'.repeat(501) }
  const refused = await call('POST', '/v1/customers', { key: live.key, headers, body: { external_id: 'x' } })
  expect(refused.status).toBe(400)
  expect(refused.body.details.errors[0]).toMatchObject({ field: 'x-reason' })
  expect((await call('GET', '/v1/customers/external/x', { key: live.key })).status).toBe(404)
})
