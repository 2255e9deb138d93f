/** An external id is any text of 1 to 255 characters without NUL, and finds its customer in every place of a request. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Called, call, newTenant } from '../../support/roster.ts'

const AWKWARD = [
  '/',
  '//',
  ' ',
  ' a ',
  'é',
  'e\u0301',
  '%',
  '%2F',
  '%25',
  '%00',
  '?',
  '#',
  '&',
  '=',
  '+',
  ',',
  ';',
  ':',
  '@',
  '\\',
  '"',
  "'",
]
AWKWARD.push(
  'a/../b',
  '../../admin',
  '/..',
  '..a',
  '...',
  '../../../apis/v1/',
  'a?b#c',
  'search',
  'external',
  '__proto__',
  '\n',
  '\r\n',
  '\t',
  '\u2028',
)
AWKWARD.push(
  '😀',
  '\u202e',
  '\ufeff',
  '[]',
  '{}',
  '*',
  '~',
  '\u007f',
  'null',
  'undefined',
  'x'.repeat(255),
  '😀'.repeat(255),
)
/** No path can end in one of these: every HTTP client resolves them as path segments, percent-encoded too. */
const DOTS = ['.', '..']

async function roundTrip(key: string, externalId: string): Promise<void> {
  const encoded = encodeURIComponent(externalId)
  const shows = ({ status, body }: Called, expected = 200) =>
    expect([externalId, status, body.external_id]).toEqual([externalId, expected, externalId])
  shows(await call('PUT', `/v1/customers/external/${encoded}`, { key, body: { name: 'Upserted' } }), 201)
  shows(await call('PUT', `/v1/customers/external/${encoded}`, { key, body: { external_id: externalId } }))
  shows(await call('GET', `/v1/customers/external/${encoded}`, { key }))
  shows(await call('GET', `/v1/customers/lookup/${encoded}?expand=aliases`, { key }))
  await roundTripByQuery(key, externalId)
}

async function roundTripByQuery(key: string, externalId: string): Promise<void> {
  const encoded = encodeURIComponent(externalId)
  const put = await call('PUT', `/v1/customers?external_customer_id=${encoded}`, { key, body: { name: 'Put' } })
  expect([put.status, put.body.external_id]).toEqual([200, externalId])
  const list = await call('GET', `/v1/customers?external_id=${encoded}`, { key })
  expect([list.status, list.body.items]).toEqual([200, [put.body]])
  const search = await call('POST', '/v1/customers/search', { key, body: { external_ids: [externalId] } })
  expect(search.body.items).toEqual([put.body])
  const again = await call('POST', '/v1/customers', { key, body: { external_id: externalId } })
  expect([again.status, again.body.details.customer_id]).toEqual([409, put.body.id])
}

describe('an external id', () => {
  it('round-trips with awkward characters through every path, query and body', async () => {
    const { key } = (await newTenant()).live
    for (const externalId of AWKWARD) await roundTrip(key, externalId)
    const { body } = await call('GET', '/v1/customers?limit=1000', { key })
    expect(body.items.map((item: { external_id: string }) => item.external_id).sort()).toEqual(AWKWARD.toSorted())
  })

  it('round-trips with any characters', async () => {
    const { key } = (await newTenant()).live
    const used = new Set<string>()
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 })
    const externalIds = text.filter((id) => !id.includes('\0') && !DOTS.includes(id))
    await fc.assert(
      fc.asyncProperty(externalIds, async (externalId) => {
        if (!used.has(externalId)) await roundTrip(key, externalId)
        used.add(externalId)
      }),
      { numRuns: 30, endOnFailure: true },
    )
  })

  it('is refused when it is one or two dots, which no path can carry', async () => {
    const { key } = (await newTenant()).live
    for (const externalId of DOTS) {
      const refused = await call('POST', '/v1/customers', { key, body: { external_id: externalId } })
      expect([refused.status, refused.body.details.errors[0].field]).toEqual([400, 'external_id'])
    }
  })
})
