/** Costs of webhooks, in rows as D1 bills them: the figures of `src/storage/README.md`. */
import { env } from 'cloudflare:workers'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { drainChain } from '../../../src/events/outbox.ts'
import type { Endpoint } from '../../../src/events/ports.ts'
import type { Scope } from '../../../src/registry/customer.ts'
import { newId } from '../../../src/shared/ids.ts'
import { writeStore } from '../../../src/storage/customers/writes.ts'
import { pendingMessagesOf } from '../../../src/storage/events/pending-messages.ts'
import { webhookOutbox } from '../../../src/storage/webhooks/claims.ts'
import { endpointStore } from '../../../src/storage/webhooks/endpoints.ts'
import { overdueDeliveries } from '../../../src/storage/webhooks/overdue.ts'
import { CHANGE_ROWS, WEBHOOK_ROWS } from '../../shared/rows-written.ts'
import { create, insertTenant, metered, prepared, spent, update } from '../storage/support.ts'
import { answered, chainOf, deliveriesTo, newEndpoint, storeOf, vault } from './support.ts'

/** Rows of other tenants, among which ours must be found by key alone. */
const OTHERS = 20_000

const { d1, costs } = metered(env.DB)
let scope: Scope
let endpoint: Endpoint

beforeAll(async () => {
  const other = await insertTenant()
  const { id } = await newEndpoint(other)
  await env.DB.prepare(
    `WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1)
     INSERT INTO webhook_deliveries
       (tenant_id, mode, endpoint_id, event_id, event_type, customer_id, status, claims, next_attempt_at, created_at)
     SELECT ?2, ?3, ?4, printf('evt_%026d', n), 'customer.updated', 'cust_' || (n % 7), iif(n % 2, 'pending', 'delivered'), 0,
       8640000000000000, 0 FROM numbers`,
  )
    .bind(OTHERS, other.tenantId, other.mode, id)
    .run()
})

beforeEach(async () => {
  scope = await insertTenant()
  endpoint = await newEndpoint(scope)
})

async function priced(work: () => Promise<unknown>) {
  costs.length = 0
  await work()
  const trips = costs.length
  return { ...spent(costs), statements: trips }
}

const drainOne = (customerId: string, statusCode: number) => () =>
  drainChain(chainOf(scope, endpoint, customerId), {
    outbox: webhookOutbox(d1, newId),
    clock: Date.now,
    send: async () => answered(statusCode),
    onParked: () => {},
  })

describe('webhooks cost', () => {
  it('adds one look-up to a change without subscribers, and some rows for each endpoint that subscribes', async () => {
    const changing = async (of: Scope) => {
      const { id } = await create(of)
      return priced(() => writeStore(d1).commitWrites(of, [prepared(update(id, { name: 'New' }))]))
    }
    const [none, one] = [await changing(await insertTenant()), await changing(scope)]
    await newEndpoint(scope)
    await newEndpoint(scope, { eventTypes: ['customer.erased'] })
    const two = await changing(scope)
    const rows = { none: none.rowsWritten, one: one.rowsWritten, two: two.rowsWritten }
    const [each, alone] = [WEBHOOK_ROWS.queued, CHANGE_ROWS['update of a name']]
    expect(rows).toEqual({ none: alone, one: alone + each, two: alone + 2 * each })
    // Each endpoint is read twice: for its delivery, and for the storage that the deliveries of the event take.
    expect(two.rowsRead - none.rowsRead).toBeLessThanOrEqual(18)
  })

  it('needs these rows for a delivery, in all, however many other deliveries exist', async () => {
    const { id } = await create(scope)
    const delivered = await priced(drainOne(id, 200))
    const failing = await create(scope)
    const failed = await priced(drainOne(failing.id, 500))
    const { delivered: whenDelivered, failed: whenFailed } = WEBHOOK_ROWS
    expect([delivered.rowsWritten, failed.rowsWritten]).toEqual([whenDelivered, whenFailed])
    for (const { rowsRead } of [delivered, failed]) expect(rowsRead).toBeLessThanOrEqual(45)
  })

  it('needs to enqueue a delivery and for a run of the sweep only the rows that are due', async () => {
    const { id } = await create(scope)
    expect((await priced(() => pendingMessagesOf(d1, scope, [id]))).rowsRead).toBeLessThanOrEqual(6)
    const sweep = await priced(() => overdueDeliveries(d1, Date.now()))
    expect(sweep.rowsRead).toBeLessThanOrEqual(10)
  })

  it('reads a page of deliveries, and redelivers, by key alone', async () => {
    for (let at = 0; at < 20; at++) await create(scope)
    expect(await deliveriesTo(endpoint)).toHaveLength(20)
    const metre = endpointStore(d1, scope, vault)
    const page = await priced(() => metre.deliveries(endpoint.id, { limit: 10, after: null }))
    expect(page.rowsRead).toBeLessThanOrEqual(10 * 12)
    const shown = await storeOf(scope).get(endpoint.id)
    const again = await priced(() => metre.redeliver(shown as Endpoint, { kind: 'failed', afterId: null }, 100, 1))
    expect(again.rowsRead).toBeLessThanOrEqual(20 * 8)
  })

  it('hurries by key alone: it reads the deliveries that wait, and no other', async () => {
    const metre = endpointStore(d1, scope, vault)
    const { id } = await create(scope)
    for (let at = 0; at < 20; at++) await create(scope)
    await drainOne(id, 500)()
    const [first] = await deliveriesTo(endpoint)
    const eventId = first?.eventId ?? ''
    for (const which of [{ kind: 'all' } as const, { kind: 'event', eventId } as const]) {
      await env.DB.prepare('UPDATE webhook_deliveries SET next_attempt_at = ? WHERE id = ?').bind(9e12, first?.id).run()
      const hurried = await priced(() => metre.hurry(endpoint.id, which, Date.now()))
      expect([hurried.rowsWritten, hurried.rowsRead <= 15]).toEqual([WEBHOOK_ROWS.hurried, true])
    }
  })
})
