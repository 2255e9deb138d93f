/** Permits by cost: a request that reads many rows or answers many bytes takes further permits, and the next ones wait. */
import { expect, it } from 'vitest'
import { type AdmissionPorts, leaseHolderFor } from '../../../src/gate/isolate/admission.ts'
import type { Caller } from '../../../src/gate/isolate/deps.ts'
import { RequestAdmission } from '../../../src/gate/isolate/request-admission.ts'
import { furtherPermits, PERMIT_BUYS } from '../../../src/registry/permits.ts'
import { importLines } from '../import/support.ts'
import { insertMany } from '../storage/support.ts'
import { call, newTenant, type TestTenant } from '../support/roster.ts'

const CUSTOMERS = 3_200
/**
 * No customer matches, so a page looks at all of them. D1 counts five rows for each: two for the page, one for its end, two
 * for the total.
 */
const SEARCH = '?filters=[{"field":"address_city","operator":"eq","value":{"string":"nowhere"}}]'

async function largeTenant(fields: Record<string, unknown> = {}): Promise<TestTenant> {
  const tenant = await newTenant(fields)
  await insertMany({ tenantId: tenant.tenantId, mode: 'live' }, CUSTOMERS)
  return tenant
}

const list = (key: string, query: string) => call('GET', `/v1/customers${query}`, { key })
const remainingIn = ({ headers }: { headers: Headers }) => Number(headers.get('x-ratelimit-remaining'))
/** Permits that this isolate has spent for the tenant. It reports them to the gate with its next request for a lease. */
const stateOf = ({ tenantId }: TestTenant) => leaseHolderFor(`${tenantId}:live`).state
/** Waits until nothing is owed, and returns the permits spent so far. */
async function spentBy(tenant: TestTenant): Promise<number> {
  await expect.poll(() => stateOf(tenant).owed, { timeout: 30_000 }).toBe(0)
  return stateOf(tenant).admitted
}

it('prices work by full amounts of rows and of bytes', () => {
  const { rows, bytes } = PERMIT_BUYS
  expect(furtherPermits({ rows: rows - 1, bytes: bytes - 1 })).toBe(0)
  expect(furtherPermits({ rows, bytes: 0 })).toBe(1)
  expect(furtherPermits({ rows: 3 * rows + 1, bytes: 2 * bytes })).toBe(5)
})

it('takes further permits for the rows that a list read, counts them, and says so', async () => {
  const tenant = await largeTenant({ tier: 'starter' })
  const { key } = tenant.live
  await list(key, '?limit=1')
  const before = await spentBy(tenant)
  const further = furtherPermits({ rows: 5 * CUSTOMERS, bytes: 0 })
  expect(further).toBe(3)
  const dear = await list(key, SEARCH)
  expect([dear.status, dear.body.items]).toEqual([200, []])
  // The burst is 20: however long the tenant rested, no more is left.
  expect(remainingIn(dear)).toBeLessThanOrEqual(20 - 1 - further)
  expect(await spentBy(tenant)).toBe(before + 1 + further)
  const cheap = await list(key, '?limit=1')
  expect(cheap.status).toBe(200)
  expect(await spentBy(tenant)).toBe(before + 2 + further)
})

it('takes further permits for the bytes of an answer', async () => {
  const tenant = await newTenant()
  const { key } = tenant.live
  const metadata = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`k${at}`, 'é'.repeat(200)]))
  await importLines(
    key,
    Array.from({ length: 70 }, (_, at) => ({ external_id: `c${at}`, metadata })),
  )
  const before = await spentBy(tenant)
  const { text } = await list(key, '?limit=70')
  const bytes = new TextEncoder().encode(text).length
  expect(bytes).toBeGreaterThan(2 * PERMIT_BUYS.bytes)
  expect(await spentBy(tenant)).toBe(before + 1 + furtherPermits({ rows: 0, bytes }))
})

it('makes the next requests wait for what could not be paid, and admits them again once it is', async () => {
  const limits = { requests_per_second: 2, burst: 20, annual_commitment: 0, annual_validation_limit: 1_000 }
  const tenant = await largeTenant({ tier: 'custom', limits })
  const { key } = tenant.live
  const each = 1 + furtherPermits({ rows: 5 * CUSTOMERS, bytes: 0 })
  const fromMs = performance.now()
  // Each is answered whole, however many permits it turns out to cost. All together they cost far more than there are, so
  // that one is refused also where each takes a second.
  const answers: { status: number; headers: Headers }[] = []
  while (answers.at(-1)?.status !== 429 && answers.length < 200) answers.push(await list(key, SEARCH))
  const refilled = (limits.requests_per_second * (performance.now() - fromMs)) / 1_000
  expect(answers[0]?.status).toBe(200)
  expect(answers.at(-1)?.status).toBe(429)
  // All but the last one that was admitted are paid from the burst and from what came meanwhile.
  expect(each * (answers.length - 2)).toBeLessThan(limits.burst + refilled)
  expect(Number(answers.at(-1)?.headers.get('retry-after'))).toBeGreaterThan(0)
  await expect.poll(async () => (await list(key, '?limit=1')).status, { timeout: 30_000 }).toBe(200)
})

it('charges a request nothing that was not admitted, whatever was read for it meanwhile', () => {
  const leaseHolder = leaseHolderFor('stranger:live')
  const caller: Caller = { tenantId: 'stranger', mode: 'live', credential: 'unknown' }
  const ports = { clock: () => 1, waitUntil: () => undefined } as unknown as AdmissionPorts
  new RequestAdmission(caller, leaseHolder, ports).charge({ rows: 10 * PERMIT_BUYS.rows })
  expect([leaseHolder.state.owed, leaseHolder.state.admitted]).toEqual([0, 0])
})
