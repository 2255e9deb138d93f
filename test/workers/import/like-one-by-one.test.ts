/**
 * An import is only a faster way to send its lines one by one: any mix of good and bad lines, cut into chunks anywhere,
 * leaves the registry as `PUT /v1/customers/external/{external_id}` for each of them in turn, and returns the same results.
 * A dry run returns them too, and leaves the registry as it was.
 */
import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { call, newTenant, type TestTenant } from '../support/roster.ts'
import { exportAll, importLines, importStream, inChunks, type LineResult, readResults } from './support.ts'

/** Creates `t1` to `t9`, a chain of parents, so that only the last few levels are free. */
const CHAIN = Array.from({ length: 9 }, (_, at) => `t${at + 1}`)
const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'old_b', 't1', 't4', 't7', 't9')
const integration = fc.constantFrom('1', '2', '3').map((id) => ({ provider: 'stripe', id }))
const fields = fc.record(
  {
    name: fc.constantFrom('One', 'Two', null, ''),
    email: fc.constantFrom('x@example.com', null, 'bad'),
    timezone: fc.constantFrom('Europe/Berlin', null),
    status: fc.constantFrom('draft', 'published'),
    metadata: fc.constantFrom({ a: '1', b: '2' }, { b: 2, a: 1 }, {}, null),
    integration_entity_mapping: fc.uniqueArray(integration, { maxLength: 2, selector: ({ id }) => id }),
    parent_customer_external_id: fc.option(key, { nil: null }),
    onboarding_workflow_name: fc.constantFrom('known', 'unknown', null),
  },
  { requiredKeys: [] },
)
/** `@` and an external id stand for the id of that customer, archived ones included. */
const parentId = fc.constantFrom('@b', '@c', '@d', '@t2', '@t9', 'cust_none')
const byId = fc
  .tuple(fields, parentId)
  .map(([{ parent_customer_external_id: _name, ...rest }, id]) => ({ ...rest, parent_customer_id: id }))
/** Integrations that move from one customer to the next, and moves of the same few, so that lines depend on each other. */
const moving = fc.oneof(
  fc.record({ integration_entity_mapping: fc.uniqueArray(integration, { maxLength: 2, selector: ({ id }) => id }) }),
  fc.record({ parent_customer_external_id: fc.option(key, { nil: null, freq: 3 }) }),
)
const good = fc.oneof(
  { weight: 6, arbitrary: fields },
  { weight: 5, arbitrary: moving },
  { weight: 1, arbitrary: byId },
)
const line = fc.oneof(
  { weight: 12, arbitrary: fc.tuple(key, good).map(([external_id, rest]) => ({ external_id, ...rest })) },
  { weight: 1, arbitrary: fc.constantFrom('{"external_id": ', 'null', '{"name": "nobody"}', '   ') },
)
type Line = string | { external_id: string; parent_customer_id?: string; [field: string]: unknown }

/** Stored before the file: a former external id, an archived customer, a parent with a child, an integration in use. */
const BEFORE: [string, string, object?][] = [
  ['POST', '', { external_id: 'old_b', name: 'B' }],
  ['PUT', '?external_customer_id=old_b', { external_id: 'b' }],
  ['POST', '', { external_id: 'z', integration_entity_mapping: [{ provider: 'stripe', id: '1' }] }],
  ['POST', '', { external_id: 'c', parent_customer_external_id: 'b', metadata: { a: '1', b: '2' } }],
]

it('equals sending the lines one by one', async () => {
  const cases = fc.asyncProperty(
    fc.array(line, { minLength: 1, maxLength: 25 }),
    fc.array(fc.nat(25), { maxLength: 3 }),
    fc.integer({ min: 1, max: 400 }),
    async (lines: Line[], cuts, pieceBytes) => {
      const [imported, tried, single] = await Promise.all([prepared(), prepared(), prepared()])
      const bounds = [0, ...cuts.toSorted((a, b) => a - b), lines.length]
      const results: LineResult[] = []
      for (const [at, from] of bounds.slice(0, -1).entries()) {
        results.push(...(await send(imported, lines.slice(from, bounds[at + 1]), pieceBytes)))
      }
      const before = await state(tried.tenant)
      const own = lines.map((each) => withIds(each, tried))
      const { padded, places } = inChunks(own, bounds)
      const tries = await importLines(tried.tenant.live.key, padded, { dryRun: true })
      const dry = places.map((place) => tries.results[place] as LineResult)
      const expected: LineOutcome[] = []
      for (const each of lines)
        if (typeof each !== 'string' || each.trim() !== '') expected.push(await put(single, each))
      expect(results.map(outcomeOf)).toEqual(expected)
      expect(dry.map(outcomeOf)).toEqual(expected)
      expect(await state(imported.tenant)).toEqual(await state(single.tenant))
      expect(await state(tried.tenant)).toEqual(before)
    },
  )
  await fc.assert(cases, { numRuns: Number(env.MODEL_RUNS || 10) })
})

interface Prepared {
  tenant: TestTenant
  /** Keyed by external id. */
  ids: Map<string, string>
}

async function prepared(): Promise<Prepared> {
  const tenant = await newTenant()
  const { key: apiKey } = tenant.live
  for (const [method, path, body] of BEFORE) await call(method, `/v1/customers${path}`, { key: apiKey, body })
  const gone = await call('POST', '/v1/customers', { key: apiKey, body: { external_id: 'd', name: 'Gone' } })
  await call('DELETE', `/v1/customers/${gone.body.id}`, { key: apiKey })
  const chain = CHAIN.map((external_id, at) => ({ external_id, parent_customer_external_id: CHAIN[at - 1] ?? null }))
  await importLines(apiKey, chain)
  const steps = [{ type: 'wait', seconds: 2_592_000 }]
  const workflows = { known: { steps } }
  await call('PUT', '/v1/settings/customer_onboarding', { key: apiKey, body: { workflows } })
  const all = await exportAll(apiKey, undefined, '?include_archived=true')
  return { tenant, ids: new Map(all.map(({ id, external_id }) => [external_id, id])) }
}

/** Returns the line as it is sent for this tenant, whose customers have ids of their own. */
function withIds(each: Line, { ids }: Prepared): Line {
  if (typeof each === 'string' || !each.parent_customer_id?.startsWith('@')) return each
  return { ...each, parent_customer_id: ids.get(each.parent_customer_id.slice(1)) ?? '' }
}

/** The result of a line, without ids. A text that is not a line at all is not sent by itself. */
type LineOutcome = string | [result: string, ...errors: string[]]

function outcomeOf({ result, errors, external_id }: LineResult): LineOutcome {
  if (result !== 'error') return result
  return external_id === null ? 'error' : ['error', ...errors.map(({ field, message }) => `${field} ${message}`)]
}

async function send(to: Prepared, lines: Line[], pieceBytes: number): Promise<LineResult[]> {
  const own = lines.map((each) => withIds(each, to))
  const text = own.map((each) => `${typeof each === 'string' ? each : JSON.stringify(each)}\n`).join('')
  const bytes = new TextEncoder().encode(text)
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < bytes.length; at += pieceBytes) controller.enqueue(bytes.slice(at, at + pieceBytes))
      controller.close()
    },
  })
  return readResults(await (await importStream(to.tenant.live.key, stream)).text()).results
}

async function put(to: Prepared, line: Line): Promise<LineOutcome> {
  const each = withIds(line, to)
  if (typeof each === 'string') return 'error'
  const { key: apiKey } = to.tenant.live
  const path = `/v1/customers/external/${each.external_id}`
  const before = await call('GET', path, { key: apiKey })
  // An import starts an onboarding only if the line names one, and a creation by itself does.
  const isNamed = 'onboarding_workflow_name' in each && each.onboarding_workflow_name !== null
  const body = isNamed ? each : { ...each, skip_onboarding_workflow: true }
  const answer = await call('PUT', path, { key: apiKey, body })
  const { status, headers } = answer
  if (status >= 400) {
    const { message, details } = answer.body
    const errors: { field: string; message: string }[] = details?.errors ?? [{ field: '', message }]
    return ['error', ...errors.map((error) => `${error.field} ${error.message}`)]
  }
  if (status === 201) return 'created'
  return headers.get('etag') === before.headers.get('etag') ? 'unchanged' : 'updated'
}

/** Returns the stored customers, under names that both tenants have in common, and their events. */
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
