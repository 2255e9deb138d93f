/** The record of deliveries, and redelivery, over real SQL: pages, selection, order, and the bounds of both. */
import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { ulid } from 'ulid'
import { beforeEach, describe, expect, it } from 'vitest'
import { endpointDeps } from '../../../src/composition/webhooks.ts'
import { drainChain } from '../../../src/events/outbox.ts'
import type { DeliveryPlace, Endpoint, Redelivery, Waiting } from '../../../src/events/ports.ts'
import { SLOTS } from '../../../src/events/slots.ts'
import type { Scope } from '../../../src/registry/customer.ts'
import { webhookOutbox } from '../../../src/storage/webhooks/claims.ts'
import { sweepDeliveries } from '../../../src/storage/webhooks/deliveries.ts'
import { committed, create, insertTenant, only, update } from '../storage/support.ts'
import { answered, attemptsAt, chainOf, deliveriesTo, newEndpoint, storeOf } from './support.ts'

const DAY_MS = 24 * 3_600_000

let scope: Scope
let endpoint: Endpoint
let seen: string[]

beforeEach(async () => {
  scope = await insertTenant()
  endpoint = await newEndpoint(scope)
  seen = []
})

async function customerWith(count: number): Promise<string> {
  const { id } = await create(scope)
  for (let at = 1; at < count; at++) await committed(scope, update(id, { name: `Name ${at}` }))
  return id
}

/** Answers every pending delivery of this customer with that status, at once. */
async function drain(customerId: string, statusCode = 200): Promise<void> {
  let nowMs = Date.now()
  for (;;) {
    const { againAtMs } = await drainChain(chainOf(scope, endpoint, customerId), {
      outbox: webhookOutbox(env.DB, (_kind, atMs) => `evt_${ulid(atMs)}`),
      clock: () => nowMs,
      send: async (event) => {
        seen.push(`${event.customerId} ${event.version}`)
        return answered(statusCode)
      },
      onParked: () => {},
    })
    if (againAtMs === null) return
    nowMs = againAtMs
  }
}

const redeliver = (which: Redelivery) => storeOf(scope).redeliver(endpoint, which, 1_000, Date.now())
const FAILED: Redelivery = { kind: 'failed', afterId: null }
const SINCE: Redelivery = { kind: 'since', sinceMs: Date.now() - DAY_MS, afterId: null }

/** Inserts this many other deliveries, without the time that sending takes. */
async function insertDeliveries(count: number, status: 'failed' | 'delivered'): Promise<void> {
  await env.DB.prepare(
    `WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1)
     INSERT INTO events (tenant_id, mode, id, type, customer_id, version, actor, after, created_at)
     SELECT ?2, ?3, printf('evt_%026d', n), 'customer.updated', 'cust_' || (n % 7), n, 'key_1', '{}', n FROM numbers`,
  )
    .bind(count, scope.tenantId, scope.mode)
    .run()
  await env.DB.prepare(`UPDATE webhook_deliveries SET status = ?1, finished_at = 1 WHERE endpoint_id = ?2`)
    .bind(status, endpoint.id)
    .run()
}

describe('redelivery', () => {
  it('takes one event, whatever its status, and keeps the record of the earlier delivery', async () => {
    const id = await customerWith(2)
    await drain(id)
    const [first] = await deliveriesTo(endpoint)
    const eventId = first?.eventId ?? ''
    expect(await redeliver({ kind: 'event', eventId })).toEqual({ count: 1, customerIds: [id], nextAfterId: null })
    await drain(id)
    expect(seen).toEqual([`${id} 1`, `${id} 2`, `${id} 1`])
    const all = await deliveriesTo(endpoint)
    expect(all.map((delivery) => [delivery.eventId === eventId, delivery.status])).toEqual([
      ...[[true, 'delivered'], [false, 'delivered'], [true, 'delivered']], // biome-ignore format: one row
    ])
    expect(await attemptsAt(first?.id ?? 0)).toHaveLength(1)
  })

  it('takes an event from before the endpoint existed', async () => {
    const id = await customerWith(1)
    const { eventId } = only(await deliveriesTo(endpoint))
    endpoint = await newEndpoint(scope)
    await redeliver({ kind: 'event', eventId })
    await drain(id)
    expect(seen).toEqual([`${id} 1`])
  })

  it('finds no event of another tenant or mode', async () => {
    await customerWith(1)
    const { eventId } = only(await deliveriesTo(endpoint))
    for (const other of [await insertTenant(), { ...scope, mode: 'test' as const }]) {
      const theirs = await newEndpoint(other)
      expect(await storeOf(other).redeliver(theirs, { kind: 'event', eventId }, 1_000, Date.now())).toBeNull()
    }
  })

  it('leaves out pending deliveries', async () => {
    await customerWith(2)
    const [first] = await deliveriesTo(endpoint)
    expect(await redeliver({ kind: 'event', eventId: first?.eventId ?? '' })).toMatchObject({ count: 0 })
    expect(await redeliver(SINCE)).toMatchObject({ count: 0 })
    expect(await deliveriesTo(endpoint)).toHaveLength(2)
  })

  it('takes all that failed and were not delivered since, in their order', async () => {
    const [one, other] = [await customerWith(3), await customerWith(2)]
    await drain(one, 500)
    // Nine days of failures have disabled it.
    await storeOf(scope).update(endpoint.id, { enabled: true }, 1)
    await drain(other, 200)
    seen = []
    expect(await redeliver(FAILED)).toEqual({ count: 3, customerIds: [one], nextAfterId: null })
    await drain(one)
    expect(seen).toEqual([`${one} 1`, `${one} 2`, `${one} 3`])
    expect(await redeliver(FAILED)).toMatchObject({ count: 0 })
  })

  it('takes again what failed again in a redelivery', async () => {
    const id = await customerWith(1)
    await drain(id, 500)
    await redeliver(FAILED)
    await drain(id, 500)
    expect(await redeliver(FAILED)).toMatchObject({ count: 1 })
  })

  it('takes what happened since a time, also while the endpoint was disabled, a customer’s in their order', async () => {
    const id = await customerWith(2)
    await drain(id)
    endpoint = (await storeOf(scope).update(endpoint.id, { enabled: false }, 1)) ?? endpoint
    await committed(scope, update(id, { name: 'missed' }))
    endpoint = (await storeOf(scope).update(endpoint.id, { enabled: true }, 1)) ?? endpoint
    await committed(scope, update(id, { name: 'seen' }))
    await drain(id)
    seen = []
    expect(await redeliver(SINCE)).toMatchObject({ count: 4 })
    await drain(id)
    expect(seen).toEqual([1, 2, 3, 4].map((version) => `${id} ${version}`))
    expect(await redeliver({ ...SINCE, sinceMs: Date.now() + DAY_MS })).toMatchObject({ count: 0 })
  })

  it('takes since a time only the types that the endpoint subscribes to', async () => {
    const id = await customerWith(2)
    await drain(id)
    await storeOf(scope).update(endpoint.id, { eventTypes: ['customer.created'] }, 1)
    endpoint = (await storeOf(scope).get(endpoint.id)) ?? endpoint
    expect(await redeliver(SINCE)).toMatchObject({ count: 1 })
  })

  it('goes behind what is still pending of the customer, one after the other', async () => {
    const id = await customerWith(1)
    await drain(id)
    await committed(scope, update(id, { name: 'new' }))
    await redeliver(SINCE)
    seen = []
    await drain(id)
    expect(seen).toEqual([`${id} 2`, `${id} 1`])
  })

  it.each([['failed', FAILED] as const, ['since', { ...SINCE, sinceMs: 0 }] as const])(
    'takes for %s a thousand at most, and the next call continues from there',
    async (_, which) => {
      await insertDeliveries(2_500, 'failed')
      const counts: number[] = []
      for (let afterId: string | null = null, calls = 0; calls < 10; calls++) {
        const done = await redeliver({ ...which, afterId })
        counts.push(done?.count ?? -1)
        afterId = done?.nextAfterId ?? null
        if (afterId === null) break
      }
      expect(counts).toEqual([1_000, 1_000, 500])
    },
  )

  it('reads two thousand at once to find failed among other deliveries, and continues', async () => {
    const id = await customerWith(1)
    await drain(id, 500)
    await insertDeliveries(3_000, 'delivered')
    await env.DB.prepare(`UPDATE webhook_deliveries SET status = 'failed' WHERE customer_id = ?`).bind(id).run()
    const first = await redeliver(FAILED)
    expect(first).toMatchObject({ count: 0, nextAfterId: expect.any(String) })
    expect(await redeliver({ kind: 'failed', afterId: first?.nextAfterId ?? null })).toMatchObject({
      ...{ count: 1, nextAfterId: null },
    })
  })
})

it('redelivers, and looks for deliveries of one status, once at a time for a tenant, so that others wait for no more', async () => {
  await customerWith(3)
  let [underWay, most] = [0, 0]
  // Not all of D1: the deliveries of other tests go on in the same runtime.
  const counted = {
    prepare: (sql: string) => env.DB.prepare(sql),
    batch: (statements: D1PreparedStatement[]) => {
      most = Math.max(most, ++underWay)
      return env.DB.batch(statements).finally(() => underWay--)
    },
  }
  const executionCtx = createExecutionContext()
  const at = { env: { ...env, DB: counted as unknown as D1Database }, executionCtx }
  const four = Array.from({ length: 4 }, () => endpointDeps(at, scope).store)
  await Promise.all(four.map((store) => store.deliveries(endpoint.id, { status: undefined, limit: 1, after: null })))
  expect(most).toBeGreaterThan(1)
  most = 0
  await Promise.all(
    four.flatMap((store) => [
      store.redeliver(endpoint, SINCE, 100, Date.now()),
      store.deliveries(endpoint.id, { status: 'failed', limit: 1, after: null }),
    ]),
  )
  await waitOnExecutionContext(executionCtx)
  expect(most).toBe(1)
})

describe('the record of deliveries', () => {
  async function pages(query: { status?: 'pending' | 'delivered' | 'failed'; limit: number }) {
    const all: { eventId: string; id: number }[][] = []
    for (let after: DeliveryPlace | null = null; all.length < 50; ) {
      const { deliveries, next } = await storeOf(scope).deliveries(endpoint.id, { ...query, after })
      all.push(deliveries)
      after = next
      if (!next) break
    }
    return all
  }

  it('lists newest event first, each once, in pages that neither skip nor repeat', async () => {
    await customerWith(7)
    const [first] = await deliveriesTo(endpoint)
    await drain(first?.customerId ?? '')
    await redeliver({ kind: 'event', eventId: first?.eventId ?? '' })
    const all = await pages({ limit: 3 })
    expect(all.map((page) => page.length)).toEqual([3, 3, 2])
    const places = all.flat().map(({ eventId, id }) => `${eventId} ${String(id).padStart(9, '0')}`)
    expect(places).toEqual(places.toSorted().toReversed())
    expect(new Set(places).size).toBe(8)
  })

  it('shows the attempts of each, the type of its event, and its next attempt', async () => {
    const id = await customerWith(2)
    const { deliveries } = await storeOf(scope).deliveries(endpoint.id, { limit: 10, after: null })
    expect(deliveries).toMatchObject([
      { eventType: 'customer.updated', customerId: id, status: 'pending', nextAttemptAtMs: null, attempts: [] },
      { eventType: 'customer.created', customerId: id, nextAttemptAtMs: expect.any(Number), finishedAtMs: null },
    ])
    await drain(id)
    const after = await storeOf(scope).deliveries(endpoint.id, { limit: 10, after: null })
    expect(after.deliveries).toMatchObject([
      { status: 'delivered', nextAttemptAtMs: null, attempts: [{ number: 1, statusCode: 200 }] },
      { status: 'delivered', nextAttemptAtMs: null, attempts: [{ number: 1, statusCode: 200 }] },
    ])
  })

  it('looks at two thousand for a filtered page, and the next page continues', async () => {
    await insertDeliveries(3_000, 'delivered')
    await env.DB.prepare(`UPDATE webhook_deliveries SET status = 'failed' WHERE endpoint_id = ? AND event_id < ?`)
      .bind(endpoint.id, 'evt_00000000000000000000000003')
      .run()
    const all = await pages({ status: 'failed', limit: 10 })
    expect(all.map((page) => page.length)).toEqual([0, 2])
  })

  it('is empty for another tenant’s endpoint', async () => {
    await customerWith(1)
    const them = await insertTenant()
    expect((await storeOf(them).deliveries(endpoint.id, { limit: 10, after: null })).deliveries).toEqual([])
  })

  it('is deleted with its attempts a month after it was done, and never while it is pending', async () => {
    // Deliveries of the other tests: in a month none is pending any more.
    await env.DB.prepare('DELETE FROM webhook_deliveries').run()
    const [done, waiting] = [await customerWith(1), await customerWith(1)]
    await drain(done)
    const [delivered] = await deliveriesTo(endpoint)
    const nowMs = Date.now()
    await sweepDeliveries(env.DB, nowMs + 30 * DAY_MS - 60_000)
    expect(await deliveriesTo(endpoint)).toHaveLength(2)
    await sweepDeliveries(env.DB, nowMs + 31 * DAY_MS)
    expect((await deliveriesTo(endpoint)).map(({ customerId }) => customerId)).toEqual([waiting])
    expect(await attemptsAt(delivered?.id ?? 0)).toEqual([])
  })

  it('is not held up by pending deliveries, however many', async () => {
    const waiting = await customerWith(1)
    await env.DB.prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100)
       INSERT INTO webhook_deliveries
         (tenant_id, mode, endpoint_id, event_id, event_type, customer_id, status, claims, next_attempt_at, created_at)
       SELECT d.tenant_id, d.mode, d.endpoint_id, d.event_id || n.i, d.event_type, d.customer_id, 'pending', 0, d.next_attempt_at, d.created_at
       FROM n CROSS JOIN webhook_deliveries d WHERE d.customer_id = ?`,
    )
      .bind(waiting)
      .run()
    const done = await customerWith(1)
    await drain(done)
    await sweepDeliveries(env.DB, Date.now() + 31 * DAY_MS)
    const customers = (await deliveriesTo(endpoint)).map(({ customerId }) => customerId)
    expect([customers.length, customers.includes(done)]).toEqual([1_101, false])
  })
})

describe('a delivery that waits for its next attempt', () => {
  /** Attempts the head of the customer's chain once, at that time. */
  async function attempt(customerId: string, nowMs: number, statusCode = 500, during = async () => {}) {
    return drainChain(chainOf(scope, endpoint, customerId), {
      outbox: webhookOutbox(env.DB, (_kind, atMs) => `evt_${ulid(atMs)}`),
      clock: () => nowMs,
      send: async (event) => {
        seen.push(`${event.customerId} ${event.version}`)
        await during()
        return answered(statusCode)
      },
      onParked: () => {},
    })
  }

  /** Fails so often that the next attempt is hours away, and returns the time of the last attempt. */
  async function failing(customerId: string): Promise<number> {
    let nowMs = Date.now()
    for (let nth = 1; nth <= 5; nth++) {
      const { againAtMs } = await attempt(customerId, nowMs)
      if (nth < 5) nowMs = againAtMs ?? nowMs
    }
    seen = []
    return nowMs
  }

  const hurry = (which: Waiting, nowMs: number) => storeOf(scope).hurry(endpoint.id, which, nowMs)

  it('is attempted now on request, and the later events of its customer follow in order', async () => {
    const customers = [await customerWith(3), await customerWith(2)]
    const nowMs = Math.max(await failing(customers[0] as string), await failing(customers[1] as string))
    expect((await attempt(customers[0] as string, nowMs, 200)).againAtMs).toBeNull()
    expect(seen).toEqual([])
    const hurried = await hurry({ kind: 'all' }, nowMs)
    expect([hurried?.customerIds.toSorted(), hurried?.hasMore]).toEqual([customers.toSorted(), false])
    for (const id of customers) await attempt(id, nowMs, 200)
    const [first, second] = customers
    expect(seen).toEqual([`${first} 1`, `${first} 2`, `${first} 3`, `${second} 1`, `${second} 2`])
    expect((await deliveriesTo(endpoint)).map(({ status }) => status)).toEqual(Array(5).fill('delivered'))
    expect((await hurry({ kind: 'all' }, nowMs))?.customerIds).toEqual([])
  })

  it('waits for a slot if it is one of many, and is brought back without another request', async () => {
    let nowMs = 0
    const customers: string[] = []
    for (let at = 0; at < SLOTS.firstMax + 2; at++) {
      customers.push(await customerWith(1))
      nowMs = Math.max(nowMs, await failing(customers.at(-1) ?? ''))
    }
    const hurried = await hurry({ kind: 'all' }, nowMs)
    expect([hurried?.count, hurried?.customerIds.length]).toEqual([customers.length, SLOTS.firstMax])
    // Those that wait keep their turn.
    expect((await hurry({ kind: 'all' }, nowMs))?.count).toBe(0)
    for (let round = hurried?.customerIds ?? []; round.length > 0; ) {
      const drained = []
      for (const id of round) drained.push(await attempt(id, nowMs, 200))
      round = drained.flatMap(({ broughtBack }) => broughtBack)
    }
    expect((await deliveriesTo(endpoint)).map(({ status }) => status)).toEqual(customers.map(() => 'delivered'))
  })

  it('is found by any event or delivery of its customer, and leaves other customers and endpoints alone', async () => {
    const [one, other] = [await customerWith(2), await customerWith(1)]
    const nowMs = Math.max(await failing(one), await failing(other))
    const [, second] = await deliveriesTo(endpoint)
    expect(await hurry({ kind: 'event', eventId: second?.eventId ?? '' }, nowMs)).toEqual({
      ...{ count: 1, customerIds: [one], hasMore: false },
    })
    expect(
      await hurry(
        { kind: 'delivery', eventId: second?.eventId ?? '', createdAtMs: second?.createdAtMs ?? 0 },
        nowMs - 1,
      ),
    ).toMatchObject({
      customerIds: [one],
    })
    const elsewhere = await newEndpoint(scope)
    expect(await storeOf(scope).hurry(elsewhere.id, { kind: 'all' }, nowMs)).toMatchObject({ customerIds: [] })
    expect(
      await storeOf(scope).hurry(
        elsewhere.id,
        { kind: 'delivery', eventId: second?.eventId ?? '', createdAtMs: second?.createdAtMs ?? 0 },
        nowMs,
      ),
    ).toBeNull()
    await attempt(one, nowMs, 200)
    expect(
      await hurry({ kind: 'delivery', eventId: second?.eventId ?? '', createdAtMs: second?.createdAtMs ?? 0 }, nowMs),
    ).toBeNull()
  })

  it('is not sent twice while it is being attempted, and not given up while its endpoint is disabled', async () => {
    const id = await customerWith(1)
    const nowMs = Date.now()
    await attempt(id, nowMs, 500, async () => {
      expect((await hurry({ kind: 'all' }, nowMs))?.customerIds).toEqual([])
    })
    await storeOf(scope).update(endpoint.id, { enabled: false }, nowMs)
    expect((await hurry({ kind: 'all' }, nowMs))?.customerIds).toEqual([])
    await storeOf(scope).update(endpoint.id, { enabled: true }, nowMs)
    expect((await hurry({ kind: 'all' }, nowMs))?.customerIds).toEqual([id])
  })

  it('is attempted at once when the URL or the secret was changed during the attempt', async () => {
    const id = await customerWith(1)
    const nowMs = await failing(id)
    await hurry({ kind: 'all' }, nowMs)
    let changed = 0
    await attempt(id, nowMs, 500, async () => {
      if (changed++ === 0) await storeOf(scope).update(endpoint.id, { url: 'https://new.example.com/' }, nowMs)
    })
    expect(seen).toEqual([`${id} 1`, `${id} 1`])
    const [delivery] = await deliveriesTo(endpoint)
    expect([delivery?.status, (delivery?.nextAttemptAtMs ?? 0) > nowMs + DAY_MS / 24]).toEqual(['pending', true])
  })
})
