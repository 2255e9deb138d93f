/**
 * What an import tells, and leaves behind, when D1 breaks off in the middle of it, and when whoever imports may no longer.
 */
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FailingD1, failingD1 } from '../support/failing-d1.ts'
import { admin, newCustomer, newTenant, type TestTenant } from '../support/roster.ts'
import { exportAll, importLines, type LineResult } from './support.ts'

/** More trips than an import makes, with all its attempts. */
const AWAY = Array(200).fill('unsent')

let d1: FailingD1
beforeEach(() => {
  d1 = failingD1()
})
afterEach(() => d1.restore())

const said = (results: LineResult[]) => results.map(({ line, result }) => [line, result])

async function eventsOf({ tenantId }: TestTenant): Promise<unknown[]> {
  const rows = env.DB.prepare(
    `SELECT type, after ->> '$.external_id' AS customer FROM events WHERE tenant_id = ? ORDER BY customer, version`,
  )
  const { results } = await rows.bind(tenantId).all<{ type: string; customer: string }>()
  return results.map(({ type, customer }) => `${customer} ${type}`)
}

describe('when D1 breaks off', () => {
  const LINES = [{ external_id: 'new' }, { external_id: 'old', name: 'Changed' }]
  const DONE = ['new customer.created', 'old customer.created', 'old customer.updated']

  async function prepared(): Promise<TestTenant> {
    const tenant = await newTenant()
    await newCustomer(tenant.live.key, { external_id: 'old' })
    return tenant
  }

  it('after the commit, each line is told what became of it, and nothing is done twice', async () => {
    const tenant = await prepared()
    d1.fail(['none', 'lost'])
    const { results, token } = await importLines(tenant.live.key, LINES)
    expect(d1.heal().slice(0, 2)).toEqual(['none', 'lost'])
    expect(said(results)).toEqual([
      [1, 'created'],
      [2, 'updated'],
    ])
    expect((await exportAll(tenant.live.key, token)).map(({ name }) => name).toSorted()).toEqual(['', 'Changed'])
    expect(said((await importLines(tenant.live.key, LINES)).results)).toEqual([
      [1, 'unchanged'],
      [2, 'unchanged'],
    ])
    expect(await eventsOf(tenant)).toEqual(DONE)
  })

  it.each([
    ['before the commit', ['none', 'unsent'], ['old customer.created'], ['created', 'updated']],
    ['and the commit arrives too late', ['none', 'late'], ['old customer.created'], ['created', 'updated']],
    ['and stays away, after the commit', ['none', 'lost', ...AWAY], DONE, ['unchanged', 'unchanged']],
    ['and stays away, before the commit', ['none', ...AWAY], ['old customer.created'], ['created', 'updated']],
  ] as const)('%s, each line is told to be sent again, and is then done once', async (_when, troubles, left, again) => {
    const tenant = await prepared()
    d1.fail(troubles)
    const { results } = await importLines(tenant.live.key, LINES)
    d1.heal()
    await d1.deliver()
    expect(said(results)).toEqual([
      [1, 'error'],
      [2, 'error'],
    ])
    for (const { errors, stopped } of results) {
      expect([errors[0]?.message, errors[0]?.fix, stopped]).toEqual([
        'Try again in a moment',
        'send the line again',
        undefined,
      ])
    }
    expect(await eventsOf(tenant)).toEqual(left)
    const second = await importLines(tenant.live.key, LINES)
    expect(second.results.map(({ result }) => result)).toEqual(again)
    expect(await eventsOf(tenant)).toEqual(DONE)
  })

  it('throughout, the import stops at the first line of the chunk, and has done nothing', async () => {
    const tenant = await prepared()
    d1.fail(AWAY)
    const { status, results } = await importLines(tenant.live.key, ['not json', ...LINES])
    d1.heal()
    expect([status, said(results), results[1]?.stopped]).toEqual([
      200,
      [
        [1, 'error'],
        [2, 'error'],
      ],
      true,
    ])
    expect(results[1]).toMatchObject({
      external_id: 'new',
      errors: [{ fix: expect.stringContaining('from this line') }],
    })
    expect(await eventsOf(tenant)).toEqual(['old customer.created'])
  })
})

describe('nothing is written once it is answered that', () => {
  const bar = {
    'the key is revoked': ({ tenantId, live }: TestTenant) => admin('DELETE', `/${tenantId}/keys/${live.keyId}`),
    'the tenant is suspended': ({ tenantId }: TestTenant) => admin('PUT', `/${tenantId}`, { status: 'suspended' }),
  }

  it.each(Object.entries(bar))('%s, though a chunk is under way', async (_what, change) => {
    const tenant = await newTenant()
    await newCustomer(tenant.live.key, {
      external_id: 'owner',
      integration_entity_mapping: [{ provider: 'stripe', id: '1' }],
    })
    // A rule refuses the second, so that the chunk is done again by halves, each in a transaction of its own.
    const thief = { external_id: 'b', integration_entity_mapping: [{ provider: 'stripe', id: '1' }] }
    d1.fail(['none', 'held'])
    const importing = importLines(tenant.live.key, [{ external_id: 'a' }, thief, { external_id: 'c' }])
    await d1.holds()
    const changing = change(tenant)
    await expect(Promise.race([changing, scheduler.wait(200)])).resolves.toBeUndefined()
    d1.release()
    expect((await changing).status).toBeLessThan(300)
    const left = await eventsOf(tenant)
    const { results } = await importing
    d1.heal()
    expect(results).toMatchObject([{ line: 1, result: 'error', stopped: true, external_id: 'a' }])
    expect(await eventsOf(tenant)).toEqual(left)
    expect(left).toEqual(['owner customer.created'])
  })

  it.each(Object.entries(bar))('%s, and what was committed before is told as done', async (_what, change) => {
    const tenant = await newTenant()
    d1.fail(['none', 'held'])
    const importing = importLines(tenant.live.key, [{ external_id: 'a' }, { external_id: 'b' }])
    await d1.holds()
    const changing = change(tenant)
    // Longer than any lease lives: the change waits for the chunk all the same.
    await expect(Promise.race([changing, new Promise((done) => setTimeout(done, 1_500))])).resolves.toBeUndefined()
    d1.release()
    await changing
    expect(await eventsOf(tenant)).toEqual(['a customer.created', 'b customer.created'])
    const { results } = await importing
    d1.heal()
    expect(said(results)).toEqual([
      [1, 'created'],
      [2, 'created'],
    ])
  })
})
