/**
 * An import is nothing but a faster way to send its lines one by one: any mix of good and bad lines, cut into chunks
 * anywhere, leaves the registry as `PUT /v1/customers/external/{external_id}` for each of them in turn, and says the same.
 */
import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { call, newTenant, type TestTenant } from '../support/roster.ts'
import { exportAll, importStream, type LineResult, readResults } from './support.ts'

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'old_b')
const fields = fc.record(
  {
    name: fc.constantFrom('One', 'Two', null, ''),
    email: fc.constantFrom('x@example.com', null, 'bad'),
    timezone: fc.constantFrom('Europe/Berlin', null),
    status: fc.constantFrom('draft', 'published'),
    metadata: fc.constantFrom({ a: '1', b: '2' }, { b: 2, a: 1 }, {}, null),
    integration_entity_mapping: fc.subarray([
      { provider: 'stripe', id: '1' },
      { provider: 'stripe', id: '2' },
    ]),
    parent_customer_external_id: fc.option(key, { nil: null }),
  },
  { requiredKeys: [] },
)
const line = fc.oneof(
  { weight: 12, arbitrary: fc.tuple(key, fields).map(([external_id, rest]) => ({ external_id, ...rest })) },
  { weight: 1, arbitrary: fc.constantFrom('{"external_id": ', 'null', '{"name": "nobody"}', '   ') },
)
type Line = string | { external_id: string; [field: string]: unknown }

/** Before the file: a former external id, an archived customer, a parent with a child, an integration in use. */
const BEFORE: [string, string, object?][] = [
  ['POST', '', { external_id: 'old_b', name: 'B' }],
  ['PUT', '?external_customer_id=old_b', { external_id: 'b' }],
  ['POST', '', { external_id: 'z', integration_entity_mapping: [{ provider: 'stripe', id: '1' }] }],
  ['POST', '', { external_id: 'c', parent_customer_external_id: 'b', metadata: { a: '1', b: '2' } }],
]

it('comes to the same as sending the lines one by one', { timeout: 120_000 }, async () => {
  const cases = fc.asyncProperty(
    fc.array(line, { minLength: 1, maxLength: 25 }),
    fc.array(fc.nat(25), { maxLength: 3 }),
    fc.integer({ min: 1, max: 400 }),
    async (lines: Line[], cuts, pieceBytes) => {
      const [imported, single] = [await newTenant(), await newTenant()]
      await Promise.all([prepare(imported.live.key), prepare(single.live.key)])
      const bounds = [0, ...cuts.toSorted((a, b) => a - b), lines.length]
      const results: LineResult[] = []
      for (const [at, from] of bounds.slice(0, -1).entries()) {
        results.push(...(await send(imported.live.key, lines.slice(from, bounds[at + 1]), pieceBytes)))
      }
      const expected: string[] = []
      for (const each of lines)
        if (typeof each !== 'string' || each.trim() !== '') expected.push(await put(single.live.key, each))
      expect(results.map(({ result }) => result)).toEqual(expected)
      expect(await state(imported)).toEqual(await state(single))
    },
  )
  await fc.assert(cases, { numRuns: Number(env.MODEL_RUNS || 40) })
})

async function prepare(apiKey: string): Promise<void> {
  for (const [method, path, body] of BEFORE) await call(method, `/v1/customers${path}`, { key: apiKey, body })
  const gone = await call('POST', '/v1/customers', { key: apiKey, body: { external_id: 'd', name: 'Gone' } })
  await call('DELETE', `/v1/customers/${gone.body.id}`, { key: apiKey })
}

async function send(apiKey: string, lines: Line[], pieceBytes: number): Promise<LineResult[]> {
  const text = lines.map((each) => `${typeof each === 'string' ? each : JSON.stringify(each)}\n`).join('')
  const bytes = new TextEncoder().encode(text)
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < bytes.length; at += pieceBytes) controller.enqueue(bytes.slice(at, at + pieceBytes))
      controller.close()
    },
  })
  return readResults(await (await importStream(apiKey, stream)).text()).results
}

async function put(apiKey: string, each: Line): Promise<string> {
  if (typeof each === 'string') return 'error'
  const path = `/v1/customers/external/${each.external_id}`
  const before = await call('GET', path, { key: apiKey })
  const { status, headers } = await call('PUT', path, { key: apiKey, body: each })
  if (status >= 400) return 'error'
  if (status === 201) return 'created'
  return headers.get('etag') === before.headers.get('etag') ? 'unchanged' : 'updated'
}

/** What there is, under names that both tenants have in common, and the events of how it came about. */
async function state({ tenantId, live }: TestTenant): Promise<unknown> {
  const all = await exportAll(live.key, undefined, '?include_archived=true')
  const names = new Map(all.map((customer) => [customer.id, customer.external_id]))
  const customers = all
    .map(({ id, tenant_id, created_at, updated_at, created_by, updated_by, parent_customer_id: parent, ...customer }) =>
      JSON.stringify({ ...customer, parent: names.get(parent) ?? null }),
    )
    .sort()
  const { results: events } = await env.DB.prepare(
    `SELECT type, version, after ->> '$.external_id' AS customer, count(*) AS count FROM events
     WHERE tenant_id = ? GROUP BY type, version, customer ORDER BY customer, version, type`,
  )
    .bind(tenantId)
    .all()
  return { customers, events }
}
