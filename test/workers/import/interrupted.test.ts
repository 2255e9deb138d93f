/**
 * Results and stored data of an import when D1 breaks off in the middle of it, and when the caller's right to import ends.
 */
import { runInDurableObject } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FailingD1, failingD1 } from '../support/failing-d1.ts'
import { admin, newCustomer, newTenant, type TestTenant } from '../support/roster.ts'
import { exportAll, importLines, type LineResult } from './support.ts'

/** More calls than an import makes, with all its attempts. */
const AWAY = Array(200).fill('unsent')

let d1: FailingD1
beforeEach(() => {
  d1 = failingD1()
})
afterEach(() => d1.restore())

const resultsOf = (results: LineResult[]) => results.map(({ line, result }) => [line, result])

async function eventsOf({ tenantId }: TestTenant): Promise<unknown[]> {
  const rows = env.DB.prepare(
    `SELECT type, after ->> '$.external_id' AS customer FROM events WHERE tenant_id = ? ORDER BY customer, version`,
  )
  const { results } = await rows.bind(tenantId).all<{ type: string; customer: string }>()
  return results.map(({ type, customer }) => `${customer} ${type}`)
}

/** The version of the policy that the gate goes by. */
function versionInForce({ tenantId }: TestTenant): Promise<number> {
  return runInDurableObject(env.GATE.getByName(`${tenantId}:live`), (_, { storage }) => {
    const { body } = storage.sql.exec<{ body: string }>(`SELECT body FROM singletons WHERE name = 'policy'`).one()
    return JSON.parse(body).policy.version
  })
}

describe('when D1 breaks off', () => {
  const LINES = [{ external_id: 'new' }, { external_id: 'old', name: 'Changed' }]
  const DONE = ['new customer.created', 'old customer.created', 'old customer.updated']

  async function prepared(): Promise<TestTenant> {
    const tenant = await newTenant()
    await newCustomer(tenant.live.key, { external_id: 'old' })
    return tenant
  }

  it('reports the result of each line when it happens after the commit, and does nothing twice', async () => {
    const tenant = await prepared()
    d1.fail(['none', 'lost'])
    const { results, token } = await importLines(tenant.live.key, LINES)
    expect(d1.heal().slice(0, 2)).toEqual(['none', 'lost'])
    expect(resultsOf(results)).toEqual([
      [1, 'created'],
      [2, 'updated'],
    ])
    expect((await exportAll(tenant.live.key, token)).map(({ name }) => name).toSorted()).toEqual(['', 'Changed'])
    expect(resultsOf((await importLines(tenant.live.key, LINES)).results)).toEqual([
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
  ] as const)('requests each line again (%s), and then does each once', async (_when, troubles, left, again) => {
    const tenant = await prepared()
    d1.fail(troubles)
    const { results } = await importLines(tenant.live.key, LINES)
    d1.heal()
    await d1.deliver()
    expect(resultsOf(results)).toEqual([
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

  it('stops the import at the first line of the chunk when it lasts, and does nothing', async () => {
    const tenant = await prepared()
    d1.fail(AWAY)
    const { status, results } = await importLines(tenant.live.key, ['not json', ...LINES])
    d1.heal()
    expect([status, resultsOf(results), results[1]?.stopped]).toEqual([
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

describe('an import writes nothing more', () => {
  const bar = {
    'the key is revoked': ({ tenantId, live }: TestTenant) => admin('DELETE', `/${tenantId}/keys/${live.keyId}`),
    'the tenant is suspended': ({ tenantId }: TestTenant) => admin('PUT', `/${tenantId}`, { status: 'suspended' }),
  }

  it.each(Object.entries(bar))('once it is answered that %s, even with a chunk under way', async (_what, change) => {
    const tenant = await newTenant()
    // Another writer takes the integration while the transaction is on its way, so that a rule refuses it, and the lines
    // are looked up once more.
    const taker = { external_id: 'b', integration_entity_mapping: [{ provider: 'stripe', id: '1' }] }
    d1.fail(['none', 'held'])
    const importing = importLines(tenant.live.key, [{ external_id: 'a' }, taker, { external_id: 'c' }])
    await d1.holds()
    await env.DB.prepare(
      `INSERT INTO integration_mappings (tenant_id, mode, provider, entity_id, customer_id)
       VALUES (?, 'live', 'stripe', '1', 'cust_other')`,
    )
      .bind(tenant.tenantId)
      .run()
    const before = await versionInForce(tenant)
    const changing = change(tenant)
    // Else the import might go on before the change is there at all.
    while ((await versionInForce(tenant)) === before) await scheduler.wait(5)
    await expect(Promise.race([changing, scheduler.wait(200)])).resolves.toBeUndefined()
    d1.release()
    expect((await changing).status).toBeLessThan(300)
    const left = await eventsOf(tenant)
    const { results } = await importing
    d1.heal()
    expect(results).toMatchObject([{ line: 1, result: 'error', stopped: true, external_id: 'a' }])
    expect(await eventsOf(tenant)).toEqual(left)
    expect(left).toEqual([])
  })

  it.each(Object.entries(bar))(
    'once it is answered that %s, and returns the results of what was committed before',
    async (_what, change) => {
      const tenant = await newTenant()
      d1.fail(['none', 'held'])
      const importing = importLines(tenant.live.key, [{ external_id: 'a' }, { external_id: 'b' }])
      await d1.holds()
      const changing = change(tenant)
      // Longer than any lease: the change waits for the chunk all the same.
      await expect(Promise.race([changing, new Promise((done) => setTimeout(done, 1_500))])).resolves.toBeUndefined()
      d1.release()
      await changing
      expect(await eventsOf(tenant)).toEqual(['a customer.created', 'b customer.created'])
      const { results } = await importing
      d1.heal()
      expect(resultsOf(results)).toEqual([
        [1, 'created'],
        [2, 'created'],
      ])
    },
  )
})
