/**
 * An import takes back what an export writes to the same customers: any strings in any field, archived customers, former
 * external ids, parents, integrations and FlatPeak's fields, in both formats, into the same tenant and into an empty one.
 */
import { env, exports } from 'cloudflare:workers'
import { stringify } from 'csv-stringify/browser/esm/sync'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { call, newCustomer, newTenant, requestTo, type TestTenant } from '../support/roster.ts'
import { exportAll, importLines, inChunks, type LineResult, readResults } from './support.ts'

const ALL = '?include_archived=true'
const PROFILE = ['geo_location', 'terms_accepted', 'providers', 'locations', 'devices']

/** Sends a file as it is. */
async function send(key: string, body: BodyInit, type = 'text/csv', query = '') {
  const headers = { authorization: `Bearer ${key}`, 'content-type': type }
  const init = { method: 'POST', headers, body }
  const answer = await exports.default.fetch(requestTo(`/v1/customers/import${query}`, init))
  const text = await answer.text()
  return { status: answer.status, text, ...(answer.status === 200 ? readResults(text) : { results: [], token: '' }) }
}

async function exportedBytes(key: string, query: string, token = ''): Promise<Uint8Array> {
  const headers = { authorization: `Bearer ${key}`, ...(token && { 'consistency-token': token }) }
  const answer = await exports.default.fetch(requestTo(`/v1/customers/export${query}`, { headers }))
  return new Uint8Array(await answer.arrayBuffer())
}

const kinds = (results: LineResult[]) => [...new Set(results.map(({ result }) => result))]

/** Returns the customers without what is different in another tenant. Names of customers stand for their ids. */
function shown(customers: Record<string, unknown>[]) {
  const names = new Map(customers.map(({ id, external_id, status }) => [id, `${external_id} ${status}`]))
  return customers
    .map(
      ({
        id: _id,
        tenant_id: _tenant,
        created_at: _at,
        updated_at: _then,
        created_by: _by,
        updated_by: _who,
        ...rest
      }) => JSON.stringify({ ...rest, parent_customer_id: names.get(rest.parent_customer_id) ?? null }),
    )
    .sort()
}

const sign = fc.constantFrom(
  'a',
  'ß',
  '🎉',
  '"',
  "'",
  ',',
  ';',
  '\t',
  '|',
  '\r',
  '\n',
  ' ',
  '=',
  '+',
  '-',
  '@',
  '0',
  '{',
  '\\',
)
const text = (maxLength: number) => fc.string({ unit: sign, minLength: 1, maxLength })
const metadata = fc.dictionary(text(8), text(12), { maxKeys: 3 })
const fields = fc.record(
  {
    name: text(20),
    contact: text(10),
    address_line1: text(20),
    address_postal_code: text(8),
    timezone: fc.constantFrom('UTC', 'Europe/Berlin'),
    status: fc.constantFrom('draft', 'published'),
    metadata,
    email: fc.constantFrom('a@example.com', ''),
  },
  { requiredKeys: [] },
)
const profile = fc.record({
  personal_details: fc.record({ email_verified: fc.boolean(), preferred_locale: fc.constantFrom('de', 'en-GB') }),
  geo_location: fc.record({
    latitude: fc.constantFrom('51.50740', '-0.10'),
    longitude: fc.constantFrom('0.0', '179.999'),
  }),
  providers: fc.array(text(10), { maxLength: 2 }),
})
const customer = fc.record({
  external_id: text(20),
  fields,
  rename: fc.option(text(20), { freq: 3 }),
  isArchived: fc.boolean(),
})

interface Made {
  external_id: string
  fields: object
  rename: string | null
  isArchived: boolean
}

/** Returns a tenant with these customers, some below others, some with an integration, one with a profile. */
async function populated(list: Made[], detail: object): Promise<{ tenant: TestTenant; token: string }> {
  const tenant = await newTenant()
  const { key } = tenant.live
  const lines = list.map(({ external_id, fields: own }, at) => ({
    external_id,
    ...own,
    ...(at % 3 === 0 && {
      integration_entity_mapping: [{ provider: "str'ipe;", id: `=${at}`, since: { b: 1, a: [at] } }],
    }),
    ...(at % 4 > 0 && { parent_customer_external_id: list[at - 1]?.external_id }),
  }))
  const { results } = await importLines(key, lines)
  expect(kinds(results)).toEqual(['created'])
  let token = ''
  for (const [at, { rename, isArchived }] of [...list.entries()].reverse()) {
    const path = `/v1/customers/${results[at]?.id}`
    if (rename !== null)
      token =
        (await call('PUT', path, { key, body: { external_id: rename } })).headers.get('consistency-token') ?? token
    // A customer with children is not archived.
    if (isArchived) token = (await call('DELETE', path, { key })).headers.get('consistency-token') ?? token
  }
  const first = results[0]?.id
  const patched = await call('PATCH', `/customers/${first}`, { key, body: detail })
  return { tenant, token: patched.headers.get('consistency-token') ?? token }
}

describe('an exported file', () => {
  it('comes back to the same customers, into the same tenant and into an empty one', async () => {
    const several = fc.uniqueArray(customer, {
      minLength: 6,
      maxLength: 10,
      selector: ({ external_id }) => external_id,
    })
    await fc.assert(
      fc.asyncProperty(several, profile, fc.constantFrom('csv', 'ndjson'), async (customers, detail, format) => {
        const { tenant: from, token } = await populated(customers, detail)
        const before = await exportAll(from.live.key, token, ALL)
        const file = await exportedBytes(from.live.key, `${ALL}&format=${format}`, token)
        const type = format === 'csv' ? 'text/csv' : 'application/x-ndjson'

        const same = await send(from.live.key, file, type)
        expect(same.results.map(({ result }) => result)).toEqual(before.map(() => 'unchanged'))
        expect(await exportAll(from.live.key, token, ALL)).toEqual(before)

        const to = await newTenant()
        const dry = await send(to.live.key, file, type, '?dry_run=true')
        const wet = await send(to.live.key, file, type)
        expect(kinds(wet.results)).toEqual(['created'])
        expect(dry.results.map(({ result }) => result)).toEqual(wet.results.map(({ result }) => result))
        const there = await exportAll(to.live.key, wet.token, ALL)
        expect(shown(there)).toEqual(shown(before))
        // The same file again finds the archived ones too.
        expect(kinds((await send(to.live.key, file, type)).results)).toEqual(['unchanged'])
      }),
      { numRuns: 3, endOnFailure: true },
    )
  })

  it('has the former external ids and the fields of FlatPeak, and they can be cleared and moved by no import', async () => {
    const { live } = await newTenant()
    const made = await newCustomer(live.key, { external_id: 'old' })
    await call('PUT', `/v1/customers/${made.id}`, { key: live.key, body: { external_id: 'new' } })
    const body = { geo_location: { latitude: '1.10', longitude: '2' }, devices: ['d'] }
    const { headers } = await call('PATCH', `/customers/${made.id}`, { key: live.key, body })
    const [line] = await exportAll(live.key, headers.get('consistency-token') ?? '')
    expect(line).toMatchObject({ old_external_ids: ['old'], profile: body })
    const { results, token } = await importLines(live.key, [
      { external_id: 'other', old_external_ids: ['older', 'other'] },
      { external_id: 'other', old_external_ids: ['older'] },
      { external_id: 'third', old_external_ids: ['old'] },
      { external_id: 'third', old_external_ids: ['other'] },
      { external_id: 'older', name: 'Other' },
      { external_id: 'new', profile: { devices: ['d'], nope: 1 } },
      { external_id: 'new', profile: { devices: [] } },
      { external_id: 'new', profile: null },
    ])
    expect(results.map(({ result, errors }) => errors[0]?.field ?? result)).toEqual([
      'created',
      'unchanged',
      'old_external_ids',
      'old_external_ids',
      'updated',
      'profile.nope',
      'updated',
      'updated',
    ])
    const headersOf = { 'consistency-token': token ?? '' }
    const found = await call('GET', '/v1/customers/external/older?expand=aliases', {
      key: live.key,
      headers: headersOf,
    })
    expect(found.body).toMatchObject({ external_id: 'other', name: 'Other', old_external_ids: ['older'] })
    const flat = await call('GET', `/customers/${made.id}`, { key: live.key, headers: headersOf })
    expect(PROFILE.filter((name) => name in flat.body)).toEqual(['locations'])
  })

  it('creates an archived customer, but never archives one, changes an archived one, or takes an erased one back', async () => {
    const { live } = await newTenant()
    const [gone, erased, kept] = await Promise.all(
      ['gone', 'erased', 'kept'].map((id) => newCustomer(live.key, { external_id: id })),
    )
    await call('DELETE', `/v1/customers/${gone?.id}`, { key: live.key })
    await call('POST', `/v1/customers/${erased?.id}/erase`, { key: live.key })
    const archived = (external_id: string, rest: object = {}) => ({ external_id, status: 'archived', ...rest })
    const lines = [
      archived('gone', { id: gone?.id }),
      archived('gone', { id: gone?.id, name: 'Changed' }),
      archived('erased', { id: erased?.id }),
      archived('kept', { id: kept?.id }),
      archived('kept', { name: 'Another' }),
      archived('kept', { name: 'Another' }),
      archived('parent', { id: 'cust_01JD3VQ4X8N2M7R5T9W6YBZKCE', parent_customer_external_id: 'kept' }),
      archived('child', { parent_customer_id: 'cust_01JD3VQ4X8N2M7R5T9W6YBZKCE' }),
      archived('orphan', { parent_customer_external_id: 'nobody' }),
      { external_id: 'x', id: '17' },
    ]
    const expected = [
      'unchanged',
      'error',
      'error',
      'error',
      'created',
      'unchanged',
      'created',
      'created',
      'error',
      'error',
    ]
    const dry = await importLines(live.key, lines, { dryRun: true })
    const wet = await importLines(live.key, lines)
    for (const { results } of [dry, wet]) expect(results.map(({ result }) => result)).toEqual(expected)
    expect(dry.results.map(({ errors }) => errors)).toEqual(wet.results.map(({ errors }) => errors))
    const headers = { 'consistency-token': wet.token ?? '' }
    const all = await exportAll(live.key, wet.token, ALL)
    expect(all.map(({ external_id, status }) => `${external_id} ${status}`).sort()).toEqual([
      'child archived',
      'gone archived',
      'kept archived',
      'kept published',
      'parent archived',
    ])
    const counted = await call('GET', '/v1/customers?status=archived', { key: live.key, headers })
    expect(counted.body.pagination.total).toBe(4)
    expect((await call('GET', '/v1/customers/external/kept', { key: live.key, headers })).body.id).toBe(kept?.id)
    expect(all.find(({ external_id }) => external_id === 'parent')?.created_at).toMatch(/^2024-/)
    expect((await importLines(live.key, [lines[6], lines[7]])).results.map(({ result }) => result)).toEqual([
      'unchanged',
      'unchanged',
    ])
  })
})

const ID = 'cust_01JD3VQ4X8N2M7R5T9W6YBZKC'
const key = fc.constantFrom('a', 'b', 'c', 'd')
const anyLine = fc.record(
  {
    external_id: key,
    name: fc.constantFrom('One', 'Two', null),
    id: fc.constantFrom(`${ID}1`, `${ID}2`),
    status: fc.constantFrom('archived', 'published', 'draft'),
    profile: fc.constantFrom({ devices: ['d'] }, { personal_details: { email_verified: true } }, null),
    old_external_ids: fc.uniqueArray(fc.constantFrom('a', 'b', 'x', 'y'), { minLength: 1, maxLength: 2 }),
    parent_customer_id: fc.constantFrom(`${ID}1`, `${ID}2`),
    parent_customer_external_id: fc.option(key, { nil: null }),
    integration_entity_mapping: fc.uniqueArray(
      fc.constantFrom('1', '2').map((id) => ({ provider: 'stripe', id })),
      {
        maxLength: 1,
        selector: ({ id }) => id,
      },
    ),
  },
  { requiredKeys: ['external_id'] },
)

it('returns in a dry run what the import returns, for any lines in any chunks', async () => {
  const lines = fc.array(anyLine, { minLength: 2, maxLength: 16 })
  const cuts = fc.array(fc.nat(16), { minLength: 1, maxLength: 3 })
  await fc.assert(
    fc.asyncProperty(lines, cuts, async (list, at) => {
      const { live } = await newTenant()
      const bounds = [0, ...at.filter((cut) => cut < list.length).sort((a, b) => a - b), list.length]
      const { padded } = inChunks(list, bounds)
      const outcomes = async (dryRun: boolean) => {
        const { results } = await importLines(live.key, padded, { dryRun })
        return results.map(({ result, errors }) => [result, errors])
      }
      const dry = await outcomes(true)
      expect(await exportAll(live.key, undefined, ALL)).toEqual([])
      // Only the import itself can name a customer that one of its lines creates.
      const wet = JSON.stringify(await outcomes(false)).replaceAll(/(belongs to another customer), cust_\w+/g, '$1')
      expect(dry).toEqual(JSON.parse(wet))
    }),
    { numRuns: Number(env.MODEL_RUNS || 6), endOnFailure: true },
  )
})

describe('POST /v1/customers/import with text/csv', () => {
  it('reads any table that a second library writes, in any form of CSV', async () => {
    const { live } = await newTenant()
    const rows = fc.uniqueArray(fc.record({ external_id: text(20), name: text(20), 'metadata.a;b': text(10) }), {
      minLength: 1,
      maxLength: 20,
      selector: ({ external_id }) => external_id,
    })
    await fc.assert(
      fc.asyncProperty(
        rows,
        fc.constantFrom(',', ';', '\t', '|'),
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.boolean(),
        async (table, delimiter, end, quoted) => {
          const csv = stringify(table, {
            header: true,
            delimiter,
            record_delimiter: end,
            quoted,
            quoted_match: /[\r\n]|^metadata/,
            bom: quoted,
          })
          const { results, token } = await send(live.key, csv)
          expect(results.every(({ result }) => result !== 'error')).toBe(true)
          const stored = new Map((await exportAll(live.key, token)).map((each) => [each.external_id, each]))
          for (const row of table) {
            const { name, metadata: own } = stored.get(row.external_id)
            expect([name, own]).toEqual([row.name, { 'a;b': row['metadata.a;b'] }])
          }
        },
      ),
      { numRuns: 5 },
    )
  })

  it('answers with the line of the file, the column and the value, and decodes as the caller says', async () => {
    const { live } = await newTenant()
    const latin = Uint8Array.from('external_id,Company,E-mail\ni1,M\u00fcller,\ni2,"a\nb",bad\ni3,x,,y\n', (each) =>
      each.charCodeAt(0),
    )
    const strict = await send(live.key, latin)
    expect(strict.results).toMatchObject([
      { line: 2, result: 'error', errors: [{ message: 'is not UTF-8: byte 32 of the file is 0xFC' }] },
      { line: 3, result: 'error', errors: [{ field: 'email', column: 'E-mail', value: 'bad' }] },
      { line: 5, result: 'error', errors: [{ message: expect.stringContaining('"y" is too much') }] },
    ])
    const named = await send(live.key, latin, 'text/csv; charset=windows-1252')
    expect(named.results.map(({ result }) => result)).toEqual(['created', 'error', 'error'])
    const [stored] = await exportAll(live.key, named.token)
    expect(stored.name).toBe('Müller')
  })

  it('refuses the file as a whole with 400 for its header, its options and its encoding', async () => {
    const { live } = await newTenant()
    const refusals: [string, string, string, RegExp][] = [
      ['external_id,Notes\na,b\n', 'text/csv', '', /Notes is no known column/],
      ['name\na\n', 'text/csv', '', /external_id is no column/],
      ['', 'text/csv', '', /is empty/],
      ['external_id,name;label\n', 'text/csv', '', /header with , and ;/],
      ['external_id\n', 'text/csv', '?delimiter=%3B%3B', /is no delimiter/],
      ['external_id\n', 'text/csv', '?map=a%3Dnam', /no field/],
      ['external_id\n', 'text/csv; charset=klingon', '', /no encoding/],
      ['{"external_id": "a"}\n', 'application/x-ndjson', '?delimiter=%3B', /delimiter is only for CSV/],
    ]
    for (const [body, type, query, message] of refusals) {
      const { status, text: answer } = await send(live.key, body, type, query)
      expect([status, JSON.parse(answer).message]).toEqual([400, expect.stringMatching(message)])
    }
    const mapped = await send(
      live.key,
      'Ref;Notes\na;b\n',
      'text/csv',
      `?map=${encodeURIComponent('Ref=external_id,Notes=')}`,
    )
    expect(mapped.results).toMatchObject([{ line: 2, result: 'created', external_id: 'a' }])
  })
})
