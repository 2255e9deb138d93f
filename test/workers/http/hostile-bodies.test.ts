/** Bodies made to keep an isolate busy or to crash it: each is refused before it has cost much. */
import { exports } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { call, newTenant, requestTo } from '../support/roster.ts'

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

const BODY_BYTES_MAX = 256 * 1024
const DECLARED = '{"external_id":"declared","name":"Whole"}'

/** Returns a body of so many bytes, in pieces: JSON, and spaces after it. */
function streamed(bytes: number): ReadableStream<Uint8Array> {
  let left = bytes - DECLARED.length
  return new ReadableStream({
    type: 'bytes',
    start: (controller) => controller.enqueue(new TextEncoder().encode(DECLARED)),
    pull(controller) {
      const length = Math.min(left, 50_000)
      left -= length
      if (length > 0) controller.enqueue(new Uint8Array(length).fill(0x20))
      else controller.close()
    },
  })
}

// A bound Worker may declare any length; the runtime holds only a client to it.
it.each([
  ['5', DECLARED.length],
  ['0005', DECLARED.length],
  ['41.5', DECLARED.length],
  ['-1', DECLARED.length],
  ['none', DECLARED.length],
  [String(DECLARED.length), DECLARED.length],
  [String(DECLARED.length - 1), DECLARED.length],
  [String(DECLARED.length + 1), DECLARED.length],
  ['262144', DECLARED.length],
  ['5', BODY_BYTES_MAX],
  ['262143', BODY_BYTES_MAX],
  ['262144', BODY_BYTES_MAX],
  ['5', BODY_BYTES_MAX + 1],
  ['262144', BODY_BYTES_MAX + 1],
  ['262145', DECLARED.length],
  ['5', 20 * BODY_BYTES_MAX],
])(
  'reads a whole body that declares a length of %s and has %i bytes, or refuses it by its bytes',
  async (declared, sent) => {
    const { live } = await newTenant()
    const headers = {
      'content-length': declared,
      'content-type': 'application/json',
      authorization: `Bearer ${live.key}`,
    }
    const request = requestTo('/v1/customers', { method: 'POST', headers, body: streamed(sent) })
    const answer = await exports.default.fetch(request)
    const body = (await answer.json()) as { name?: string }
    const isTooLarge = sent > BODY_BYTES_MAX || Number(declared) > BODY_BYTES_MAX
    expect(answer.status).toBe(isTooLarge ? 413 : 201)
    if (!isTooLarge) expect(body.name).toBe('Whole')
  },
)
