/** Bodies made to keep an isolate busy or to crash it: each is refused before it has cost much. */
import { expect, it } from 'vitest'
import { call, newTenant } from '../support/roster.ts'

const MANY = 100_000

/** Returns the messages of an error response, in the shape of either API. */
function errorsOf({ details, message }: { details?: { errors: { message: string }[] }; message: string }) {
  return details?.errors.map((each) => each.message) ?? [message]
}

it.each<[string, string, (entries: string) => string]>([
  ['statuses', '/v1/customers/search', (entries) => `{"status":[${entries}]}`],
  ['expansions', '/v1/customers/search', (entries) => `{"expand":[${entries}]}`],
  ['mappings', '/v1/customers', (entries) => `{"external_id":"x","integration_entity_mapping":[${entries}]}`],
  ['providers', '/customers', (entries) => `{"reference_id":"x","providers":[${entries}]}`],
  ['unknown values', '/v1/customers', (entries) => `{"external_id":"x","zz":{"yy":[${entries}]}}`],
])('returns 400 for a hundred thousand %s, naming the field, without reading each', async (_, path, bodyOf) => {
  const { live } = await newTenant()
  const { status, body } = await call('POST', path, {
    key: live.key,
    body: bodyOf(new Array(MANY).fill('1').join(',')),
  })
  expect(status).toBe(400)
  // A schema that reads the entries reports each one: all of them are of the wrong type.
  expect(errorsOf(body)).toEqual([expect.stringMatching(/has more than 1000 entries/)])
})

it('refuses a query of one name a thousand times over without quadratic work', async () => {
  const { live } = await newTenant()
  const { status } = await call('GET', `/v1/customers?${'a=1&'.repeat(4_000)}`, { key: live.key })
  expect(status).toBe(400)
})

it('returns 400 for a reason that is too long to store, and changes nothing', async () => {
  const { live } = await newTenant()
  const headers = { 'x-reason': 'r'.repeat(501) }
  const refused = await call('POST', '/v1/customers', { key: live.key, headers, body: { external_id: 'x' } })
  expect(refused.status).toBe(400)
  expect(refused.body.details.errors[0]).toMatchObject({ field: 'x-reason' })
  expect((await call('GET', '/v1/customers/external/x', { key: live.key })).status).toBe(404)
})
