/**
 * Roster judges a chunk whose lines rules refuse at once: in at most 20 statements of D1 for 200 lines, whatever the rule,
 * and for no fewer permits than it costs. Lines that an unforeseen rule refuses are found by halves, within bounds, so that
 * a repeat goes on.
 */
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BULK_BOUNDS, importPermits } from '../../../src/registry/bulk.ts'
import { type CountedD1, countedD1 } from '../support/d1-calls.ts'
import { call, newCustomer, newTenant, type TestTenant } from '../support/roster.ts'
import { exportAll, importLines, type LineResult } from './support.ts'

const LINES = BULK_BOUNDS.chunkLinesMax
const STATEMENTS_MAX = 20
const INVOCATION_MAX = 900

let d1: CountedD1
beforeEach(() => {
  d1 = countedD1()
})
afterEach(() => d1.restore())

type Line = { external_id: string; [field: string]: unknown }
const stripe = (id: string) => ({ integration_entity_mapping: [{ provider: 'stripe', id }] })
const lines = (lineAt: (at: number) => object): Line[] =>
  Array.from({ length: LINES }, (_, at) => ({ external_id: `c_${at}`, ...lineAt(at) }))

/** With its other fields, a customer of 65 KB, which has no room for a long name in three-byte characters. */
const FULL = Object.fromEntries(Array.from({ length: 44 }, (_, at) => [`k${10 + at}`, '語'.repeat(at < 43 ? 500 : 50)]))

/** Creates an archived customer, a former external id, a chain of maximal depth, an integration in use. */
async function prepared(): Promise<TestTenant & { goneId: string }> {
  const tenant = await newTenant()
  const { key } = tenant.live
  const gone = await newCustomer(key, { external_id: 'gone' })
  await call('DELETE', `/v1/customers/${gone.id}`, { key })
  await newCustomer(key, { external_id: 'former' })
  await call('PUT', '/v1/customers?external_customer_id=former', { key, body: { external_id: 'present' } })
  await newCustomer(key, { external_id: 'owner', ...stripe('taken') })
  const chain = Array.from({ length: 10 }, (_, at) => ({
    external_id: `t_${at}`,
    ...(at > 0 && { parent_customer_external_id: `t_${at - 1}` }),
  }))
  await importLines(key, [
    ...chain,
    { external_id: 'full', metadata: FULL },
    { external_id: 'high' },
    { external_id: 'low', parent_customer_external_id: 'high' },
  ])
  return { ...tenant, goneId: gone.id }
}

const REFUSED: [string, (tenant: { goneId: string }) => Line[], string][] = [
  ['an integration that another customer has', () => lines(() => stripe('taken')), 'integration_entity_mapping'],
  [
    'an integration that the first line has taken',
    () => [{ external_id: 'first', ...stripe('new') }, ...lines(() => stripe('new')).slice(1)],
    'integration_entity_mapping',
  ],
  [
    'a workflow that is unknown',
    () => lines(() => ({ onboarding_workflow_name: 'unknown' })),
    'onboarding_workflow_name',
  ],
  [
    'a parent that does not exist',
    () => lines(() => ({ parent_customer_external_id: 'nobody' })),
    'parent_customer_external_id',
  ],
  [
    'a parent by its former external id',
    () => lines(() => ({ parent_customer_external_id: 'former' })),
    'parent_customer_external_id',
  ],
  ['more bytes than a customer may have', () => lines(() => ({ external_id: 'full', name: '語'.repeat(255) })), ''],
  ['an archived parent', ({ goneId }) => lines(() => ({ parent_customer_id: goneId })), 'parent_customer_id'],
  [
    'a parent on the last level',
    () => lines(() => ({ parent_customer_external_id: 't_9' })),
    'parent_customer_external_id',
  ],
  [
    'a move to below the customer itself',
    () => lines((at) => ({ external_id: 't_0', parent_customer_external_id: `t_${1 + (at % 9)}` })),
    'parent_customer_external_id',
  ],
  [
    'a move of a customer whose child would be too deep',
    () => lines(() => ({ external_id: 'high', parent_customer_external_id: 't_8' })),
    'parent_customer_external_id',
  ],
]

const refusedOf = (results: LineResult[]) => results.filter(({ result }) => result === 'error')

describe('a chunk of 200 lines, judged in 20 statements,', () => {
  it.each(REFUSED)('is refused when all lines have %s', async (_what, linesFor, field) => {
    const tenant = await prepared()
    const all = linesFor(tenant)
    for (const dryRun of [true, false]) {
      d1.take()
      const { results } = await importLines(tenant.live.key, all, { dryRun })
      expect(d1.take().statements).toBeLessThanOrEqual(STATEMENTS_MAX)
      expect(refusedOf(results).length).toBeGreaterThanOrEqual(LINES - 1)
      expect(new Set(refusedOf(results).map(({ errors }) => errors[0]?.field))).toEqual(new Set([field]))
    }
  })

  it.each(REFUSED)('is refused in the lines, every other one, that have %s', async (_what, linesFor, field) => {
    const tenant = await prepared()
    const all = linesFor(tenant).map((line, at) => (at % 2 ? line : { external_id: `good_${at}` }))
    for (const dryRun of [true, false]) {
      d1.take()
      const { results } = await importLines(tenant.live.key, all, { dryRun })
      expect(d1.take().statements).toBeLessThanOrEqual(STATEMENTS_MAX)
      expect(results.filter(({ result }) => result === 'created').length).toBeGreaterThanOrEqual(LINES / 2)
      expect(refusedOf(results).length).toBeGreaterThanOrEqual(LINES / 2 - 1)
      expect(new Set(refusedOf(results).map(({ errors }) => errors[0]?.field))).toEqual(new Set([field]))
    }
  })
})

const ACCEPTED: [string, Line[]][] = [
  ['new customers, each named twice', lines((at) => ({ external_id: `c_${at >> 1}`, name: `N ${at}` }))],
  [
    'an integration that goes from line to line',
    lines((at) => (at % 2 ? stripe('moving') : { external_id: `c_${at - 1}`, ...{ integration_entity_mapping: [] } })),
  ],
  ['the same customer in each', lines((at) => ({ external_id: 'same', name: `N ${at}` }))],
  [
    'the same customer, moved up and down',
    lines((at) => ({ external_id: 'high', parent_customer_external_id: `t_${at % 5}` })),
  ],
]

it('knows all rules of customers, apart from those that no line can meet', async () => {
  const { results } = await env.DB.prepare(
    `SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'customers'`,
  ).all<{ sql: string }>()
  const rules = new Set(
    results.flatMap(({ sql }) => [...sql.matchAll(/RAISE\(ABORT, '(\w+)'\)/g)].map(([, rule]) => rule)),
  )
  const met = [
    'customer_too_large',
    'parent_cycle',
    'parent_not_found',
    'parent_too_deep',
    'too_many_descendants',
    'unknown_workflow',
  ]
  // A tenant without room for one line has none for the next: it stops the import.
  rules.delete('storage_used_up')
  // While a tenant moves to another database, an import of it stops, too.
  rules.delete('tenant_moving')
  // A line archives no customer, and its metadata, which replaces the whole, is counted when it is read.
  expect([...rules].toSorted()).toEqual([...met, 'has_children', 'metadata_too_many_keys'].toSorted())
})

describe('the most expensive chunk stays within an invocation', () => {
  it.each(ACCEPTED)('%s', async (_what, all) => {
    const tenant = await prepared()
    for (const dryRun of [true, false]) {
      d1.take()
      const { results } = await importLines(tenant.live.key, all, { dryRun })
      expect(d1.take().statements).toBeLessThanOrEqual(INVOCATION_MAX)
      expect(refusedOf(results)).toEqual([])
    }
  })
})

it('takes permits for the statements where they are more than its lines', async () => {
  const limits = { requests_per_second: 1, burst: 200, annual_commitment: 0, annual_validation_limit: 1_000_000 }
  const { live } = await newTenant({ tier: 'custom', limits })
  const left = async () =>
    Number((await call('GET', '/v1/customers?limit=1', { key: live.key })).headers.get('x-ratelimit-remaining'))
  const [before, fromMs] = [await left(), performance.now()]
  d1.take()
  await importLines(
    live.key,
    Array.from({ length: 300 }, (_, at) => ({ external_id: 'same', name: `N ${at}` })),
  )
  const { statements } = d1.take()
  expect(statements).toBeGreaterThanOrEqual(300)
  // One for the request itself and one for the read, less those that came meanwhile.
  const taken = before - (await left())
  const refilled = Math.ceil((limits.requests_per_second * (performance.now() - fromMs)) / 1_000)
  expect(taken).toBeGreaterThanOrEqual(importPermits(300, statements) + 1 - refilled)
  expect(importPermits(300, statements)).toBeGreaterThan(importPermits(300, 0))
})

it('needs no transaction for lines that change nothing, unless an attempt of the same import made them', async () => {
  const { live } = await newTenant()
  const file = lines((at) => ({ name: `N ${at}`, metadata: { a: '1', b: '2' } }))
  const headers = { 'x-request-id': 'sent-again' }
  expect((await importLines(live.key, file, { headers })).token).toBeDefined()
  d1.take()
  // A repeat of the attempt does not know whether its caller got the token.
  expect((await importLines(live.key, file, { headers })).token).toBeDefined()
  expect(d1.take().trips).toBeGreaterThan(1)
  const reordered = file.map((line) => ({ ...line, metadata: { b: '2', a: '1' } }))
  const { results, token } = await importLines(live.key, reordered)
  expect(new Set(results.map(({ result }) => result))).toEqual(new Set(['unchanged']))
  expect([token, d1.take().trips]).toEqual([undefined, 1])
})

it('waits for the further permits of a chunk', async () => {
  const limits = { requests_per_second: 50, burst: 8, annual_commitment: 0, annual_validation_limit: 1_000_000 }
  const { live } = await newTenant({ tier: 'custom', limits })
  const same = Array.from({ length: 200 }, (_, at) => ({ external_id: 'same', name: `N ${at}` }))
  const { results } = await importLines(live.key, same)
  expect(results.map(({ result }) => result)).toEqual(['created', ...Array(199).fill('updated')])
})

describe('an unforeseen refusal', () => {
  const RULE = `CREATE TRIGGER test_unforeseen BEFORE INSERT ON customers WHEN NEW.name = 'unforeseen'
    BEGIN SELECT RAISE(ABORT, 'unforeseen'); END`
  beforeEach(async () => {
    await env.DB.prepare(RULE).run()
  })
  afterEach(async () => {
    await env.DB.prepare('DROP TRIGGER test_unforeseen').run()
  })

  it.each([true, false])('is found among 200 lines, and the others are stored; dry run %s', async (dryRun) => {
    const { live } = await newTenant()
    d1.take()
    const all = lines((at) => (at === 133 ? { name: 'unforeseen' } : {}))
    const { results } = await importLines(live.key, all, { dryRun })
    expect(d1.take().statements).toBeLessThanOrEqual(INVOCATION_MAX)
    expect(refusedOf(results).map(({ line }) => line)).toEqual([134])
    expect(results.filter(({ result }) => result === 'created')).toHaveLength(LINES - 1)
    if (!dryRun) expect(await exportAll(live.key)).toHaveLength(LINES - 1)
  })

  it('is searched for within the limits of an invocation, with the results up to there', async () => {
    const { live } = await newTenant()
    d1.take()
    const { results } = await importLines(
      live.key,
      lines(() => ({ name: 'unforeseen' })),
    )
    expect(d1.take().statements).toBeLessThanOrEqual(INVOCATION_MAX)
    const judged = results.filter(({ errors }) => errors[0]?.message !== 'Try again in a moment')
    expect(judged.length).toBeGreaterThan(10)
    expect(judged.length).toBeLessThan(LINES)
  })

  it('is found in the end by a caller that resends the rest until none is left', async () => {
    const { live } = await newTenant()
    let rest: Line[] = lines((at) => ({ name: at % 5 ? 'unforeseen' : 'good' })).slice(0, 100)
    const judged: string[] = []
    for (let sends = 0; rest.length > 0; sends++) {
      expect(sends).toBeLessThan(10)
      d1.take()
      const { results } = await importLines(live.key, rest)
      expect(d1.take().statements).toBeLessThanOrEqual(INVOCATION_MAX)
      const isLeft = ({ errors }: LineResult) => errors[0]?.message === 'Try again in a moment'
      for (const result of results) if (!isLeft(result)) judged.push(result.result)
      rest = rest.filter((_, at) => isLeft(results[at] as LineResult))
    }
    expect(judged.filter((result) => result === 'error')).toHaveLength(80)
    expect(judged.filter((result) => result === 'created')).toHaveLength(20)
    expect(await exportAll(live.key)).toHaveLength(20)
  })
})
