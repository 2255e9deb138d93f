/**
 * The deliveries of one customer to one endpoint, over real SQL and with the test's own time: one after the other, each
 * tried as often as the schedule says, never by two consumers at once, and never dropped without a log line.
 */
import { env } from 'cloudflare:workers'
import { and, eq } from 'drizzle-orm'
import { beforeEach, describe, expect, it } from 'vitest'
import { deliver, sweepWebhooks } from '../../../src/composition/webhooks.ts'
import { DELIVERY_ATTEMPTS_MAX } from '../../../src/events/attempts.ts'
import type { Posted } from '../../../src/events/deliver.ts'
import type { LoggedEvent } from '../../../src/events/event.ts'
import type { OutboxMessage } from '../../../src/events/messages.ts'
import { type Claimed, DELIVERY_CLAIM_MS, type DrainDeps, drainChain } from '../../../src/events/outbox.ts'
import type { Endpoint } from '../../../src/events/ports.ts'
import type { Scope } from '../../../src/registry/customer.ts'
import { newId } from '../../../src/shared/ids.ts'
import { events } from '../../../src/storage/schema/tables.ts'
import { webhookEndpoints } from '../../../src/storage/schema/webhook-tables.ts'
import { webhookOutbox } from '../../../src/storage/webhooks/claims.ts'
import { overdueDeliveries } from '../../../src/storage/webhooks/overdue.ts'
import { committed, create, db, insertTenant, only, update } from '../storage/support.ts'
import { ADMIN_KEY, call } from '../support/roster.ts'
import { answered, attemptsAt, chainOf, deliveriesTo, newEndpoint, storeOf, vault } from './support.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

const outbox = webhookOutbox(env.DB, newId)
let scope: Scope
let endpoint: Endpoint
let nowMs: number
let sent: LoggedEvent[]
let parked: Claimed[]

beforeEach(async () => {
  scope = await insertTenant()
  endpoint = await newEndpoint(scope)
  nowMs = Date.now()
  sent = []
  parked = []
})

/** Creates a customer with this many events. */
async function customerWith(count: number): Promise<string> {
  const { id } = await create(scope)
  for (let at = 1; at < count; at++) await committed(scope, update(id, { name: `Name ${at}` }))
  return id
}

function drain(customerId: string, answer: () => Posted | Promise<Posted> = () => answered(200), to = endpoint) {
  const deps: DrainDeps = {
    outbox,
    clock: () => nowMs,
    send: async (event) => {
      sent.push(event)
      return answer()
    },
    onParked: (_chain, delivery) => parked.push(delivery),
  }
  return drainChain(chainOf(scope, to, customerId), deps)
}

/** Drains whenever the chain asks to be called again; returns the times of the calls, counted from the first. */
async function drainUntilDone(customerId: string, answer: () => Posted) {
  const startMs = nowMs
  const times: number[] = []
  for (;;) {
    times.push(nowMs - startMs)
    const { againAtMs } = await drain(customerId, answer)
    if (againAtMs === null) return times
    nowMs = againAtMs
  }
}

const versions = () => sent.map(({ version }) => version)
const statuses = async (of = endpoint) => (await deliveriesTo(of)).map(({ status }) => status)

describe('a chain', () => {
  it('is emptied in the order of the changes', async () => {
    const id = await customerWith(5)
    expect(await drain(id)).toEqual({ againAtMs: null, disabled: false, broughtBack: [], broughtBackAtMs: nowMs })
    expect(versions()).toEqual([1, 2, 3, 4, 5])
    expect(await statuses()).toEqual(Array(5).fill('delivered'))
  })

  it('waits behind its first delivery until that is delivered or given up', async () => {
    const id = await customerWith(3)
    await drain(id, () => answered(500))
    expect(await drain(id)).toEqual({ againAtMs: null, disabled: false, broughtBack: [], broughtBackAtMs: nowMs })
    expect(versions()).toEqual([1])
    nowMs += 5_000
    await drain(id)
    expect(versions()).toEqual([1, 1, 2, 3])
  })

  it('holds up no other customer and no other endpoint', async () => {
    const other = await newEndpoint(scope)
    const [stuck, free] = [await customerWith(2), await customerWith(2)]
    await drain(stuck, () => answered(500))
    await drain(free)
    await drain(stuck, undefined, other)
    expect(await statuses(other)).toEqual(['delivered', 'delivered', 'pending', 'pending'])
    expect((await deliveriesTo(endpoint)).filter(({ status }) => status === 'delivered')).toHaveLength(2)
  })

  it('is tried as often as the schedule says, then given up, and the next delivery goes on', async () => {
    const id = await customerWith(2)
    let attempts = 0
    const times = await drainUntilDone(id, () => answered(++attempts <= DELIVERY_ATTEMPTS_MAX ? 500 : 200))
    expect(times.map((timeMs) => timeMs / 1_000)).toEqual([
      ...[0, 5, 305, 2_105, 9_305, 27_305, 63_305, 113_705, 185_705, 272_105],
    ])
    expect(versions()).toEqual([...Array(DELIVERY_ATTEMPTS_MAX).fill(1), 2])
    const [first] = await deliveriesTo(endpoint)
    expect(first).toMatchObject({ status: 'failed', finishedAtMs: nowMs })
    const attemptRows = await attemptsAt(first?.id ?? 0)
    expect(attemptRows.map(({ number, statusCode }) => [number, statusCode])).toEqual(
      Array.from({ length: DELIVERY_ATTEMPTS_MAX }, (_, before) => [before + 1, 500]),
    )
  })

  it('keeps each attempt: time, duration, status and answer, or why there was no answer', async () => {
    const id = await customerWith(1)
    await drain(id, () => answered(503, { answer: 'busy', durationMs: 7 }))
    nowMs += 5_000
    await drain(id, () => answered(null, { error: 'timeout', durationMs: 15_000 }))
    const { id: deliveryId } = only(await deliveriesTo(endpoint))
    expect(await attemptsAt(deliveryId)).toEqual([
      { deliveryId, number: 1, atMs: nowMs - 5_000, durationMs: 7, statusCode: 503, error: null, answer: 'busy' },
      { deliveryId, number: 2, atMs: nowMs, durationMs: 15_000, statusCode: null, error: 'timeout', answer: null },
    ])
  })

  it('leaves some of a long chain for the next turn, which begins where this one ended', async () => {
    const id = await customerWith(28)
    const { againAtMs } = await drain(id)
    expect(againAtMs).toBe(nowMs)
    expect(sent).toHaveLength(20)
    // If that message gets lost, the sweep finds the chain.
    expect(await overdueDeliveries(env.DB, nowMs + 30_000)).toContainEqual(
      expect.objectContaining({ endpointId: endpoint.id, customerId: id }),
    )
    await drain(id)
    expect(versions()).toEqual(Array.from({ length: 28 }, (_, before) => before + 1))
  })

  it('leaves the rest for the next turn when the receiver is slow', async () => {
    const id = await customerWith(4)
    const slow = () => {
      nowMs += 15_000
      return answered(200)
    }
    const { againAtMs } = await drain(id, slow)
    expect([sent.length, againAtMs]).toEqual([2, nowMs])
  })
})

describe('a delivery', () => {
  it('is made by exactly one of any number of consumers that are notified of it at once', async () => {
    const id = await customerWith(1)
    await Promise.all(Array.from({ length: 10 }, () => drain(id)))
    expect(versions()).toEqual([1])
  })

  it('is made by another consumer, a minute later and with the same id, when the first one died', async () => {
    const id = await customerWith(2)
    const chain = chainOf(scope, endpoint, id)
    expect((await outbox.claim(chain, nowMs)).kind).toBe('claimed')
    nowMs += DELIVERY_CLAIM_MS - 1
    await drain(id)
    expect(sent).toEqual([])
    nowMs += 1 + 30_000
    expect(await overdueDeliveries(env.DB, nowMs)).toContainEqual(
      expect.objectContaining({ endpointId: endpoint.id, customerId: id }),
    )
    await drain(id)
    expect(versions()).toEqual([1, 2])
  })

  it('is not changed by its former consumer after another took it over', async () => {
    const id = await customerWith(2)
    const chain = chainOf(scope, endpoint, id)
    const before = await outbox.claim(chain, nowMs)
    if (before.kind !== 'claimed') throw new Error('not claimed')
    nowMs += DELIVERY_CLAIM_MS
    await drain(id, () => answered(500))
    const attempted = { atMs: nowMs, ...answered(200) }
    const outcome = { next: { kind: 'delivered' }, disable: null } as const
    await outbox.finish(chain, before.delivery, { attempted, outcome }, { nowMs, claimNext: true })
    expect(await statuses()).toEqual(['pending', 'pending'])
    expect(await attemptsAt(before.delivery.id)).toHaveLength(1)
  })

  it('is given up at last when it kills every consumer, with a line in the log', async () => {
    const id = await customerWith(2)
    const chain = chainOf(scope, endpoint, id)
    for (let claims = 0; claims < 3 * DELIVERY_ATTEMPTS_MAX; claims++) {
      expect((await outbox.claim(chain, nowMs)).kind).toBe('claimed')
      nowMs += DELIVERY_CLAIM_MS
    }
    await drain(id)
    expect(versions()).toEqual([2])
    expect(parked).toHaveLength(1)
    const [first] = await deliveriesTo(endpoint)
    expect(await attemptsAt(first?.id ?? 0)).toMatchObject([{ error: 'attempts_interrupted' }])
  })

  it('is given up when its event cannot be read, with a line in the log, and the next goes on', async () => {
    const id = await customerWith(3)
    await env.DB.prepare(`UPDATE events SET after = '{"broken' WHERE customer_id = ? AND version = 2`).bind(id).run()
    expect((await drain(id)).againAtMs).toBeNull()
    expect(versions()).toEqual([1, 3])
    expect(await statuses()).toEqual(['delivered', 'failed', 'delivered'])
    expect(parked).toHaveLength(1)
  })

  it('contains only the erasure of a customer that was erased since', async () => {
    const { id } = await create(scope, { name: 'Ada Lovelace', email: 'lovelace@example.com' })
    await committed(scope, { kind: 'erase', target: { id }, ifVersion: null })
    await drain(id)
    expect(sent.map(({ type }) => type)).toEqual(['customer.created', 'customer.erased'])
    expect(JSON.stringify(sent)).not.toMatch(/lovelace/i)
  })

  it("stores nothing of the receiver's answer when its customer is erased meanwhile", async () => {
    const { id } = await create(scope, { name: 'Ada Lovelace' })
    await drain(id, async () => {
      await committed(scope, { kind: 'erase', target: { id }, ifVersion: null })
      return answered(200, { answer: 'thank you for Ada Lovelace' })
    })
    for (const { id: deliveryId } of await deliveriesTo(endpoint)) {
      expect(await attemptsAt(deliveryId)).toMatchObject([{ statusCode: 200, answer: null }])
    }
  })
})

describe('an endpoint', () => {
  const shown = async (of = endpoint) => (await storeOf(scope).get(of.id)) as Endpoint
  const disabledEvents = () =>
    db
      .select()
      .from(events)
      .where(and(eq(events.tenantId, scope.tenantId), eq(events.type, 'webhook.endpoint.disabled')))

  it('is failing from its first failure until a delivery succeeds', async () => {
    const id = await customerWith(1)
    await drain(id, () => answered(500))
    const sinceMs = nowMs
    nowMs += 5_000
    await drain(id, () => answered(500))
    expect((await shown()).failingSinceMs).toBe(sinceMs)
    nowMs += 5 * 60_000
    await drain(id)
    expect((await shown()).failingSinceMs).toBeNull()
  })

  it('is disabled after five days of failures, once, with an event that notifies the others', async () => {
    const watcher = await newEndpoint(scope, { eventTypes: ['webhook.endpoint.disabled'] })
    const [first, second] = [await customerWith(1), await customerWith(1)]
    await drainUntilDone(first, () => answered(500))
    const failingSinceMs = (await shown()).failingSinceMs ?? 0
    expect(nowMs - failingSinceMs).toBeLessThan(5 * DAY_MS)
    expect((await shown()).enabled).toBe(true)

    nowMs = failingSinceMs + 5 * DAY_MS
    await drainUntilDone(second, () => answered(500))
    expect(await shown()).toMatchObject({ enabled: false, disabledReason: 'failing', failingSinceMs })
    const event = only(await disabledEvents())
    expect(event).toMatchObject({
      ...{ actor: 'roster', customerId: '', version: 0, before: null, after: {} },
      detail: {
        ...{ endpoint_id: endpoint.id, reason: 'failing' },
        failing_since: new Date(failingSinceMs).toISOString(),
      },
    })
    expect((await deliveriesTo(watcher)).map(({ eventId }) => eventId)).toEqual([event.id])
    expect((await deliveriesTo(endpoint)).some(({ eventId }) => eventId === event.id)).toBe(false)
  })

  it('is disabled with one event when the attempts of two customers both get 410 at once', async () => {
    const ids = await Promise.all([customerWith(1), customerWith(1), customerWith(1)])
    const drained = await Promise.all(ids.map((id) => drain(id, () => answered(410))))
    expect(drained.filter(({ disabled }) => disabled)).toHaveLength(1)
    expect(await disabledEvents()).toHaveLength(1)
    expect(await shown()).toMatchObject({ enabled: false, disabledReason: 'gone' })
    // The audit shows it as the documents say, about no customer.
    const { body } = await call('GET', `/admin/audit?tenant_id=${scope.tenantId}&type=webhook.endpoint.disabled`, {
      headers: { 'x-api-key': ADMIN_KEY },
    })
    expect(body).toMatchObject({ items: [{ actor: 'roster', customer_id: null, before: null, after: null }] })
  })

  it('is not disabled by a consumer whose clock is behind: its event would come behind a reader of the log', async () => {
    const id = await customerWith(1)
    const chain = chainOf(scope, endpoint, id)
    const lateMs = Date.now() - 11_000
    const head = await outbox.claim(chain, lateMs)
    if (head.kind !== 'claimed') throw new Error('there is something to deliver')
    const attempted = { atMs: lateMs, durationMs: 1, statusCode: 410, error: null, answer: '' }
    const outcome = { next: { kind: 'retry', atMs: lateMs + 5_000 }, disable: 'gone' } as const
    const result = { attempted, outcome }
    const { disabled } = await outbox.finish(chain, head.delivery, result, { nowMs: lateMs, claimNext: true })
    const { results } = await env.DB.prepare(`SELECT id FROM events WHERE tenant_id = ? AND customer_id = ''`)
      .bind(scope.tenantId)
      .all()
    expect([disabled, results, (await storeOf(scope).get(endpoint.id))?.enabled]).toEqual([false, [], true])
  })

  it('is not blamed for its former URL, and is attempted at the new one at once', async () => {
    const id = await customerWith(1)
    let attempts = 0
    await drain(id, async () => {
      if (attempts++ > 0) return answered(200)
      await storeOf(scope).update(endpoint.id, { url: 'https://new.example.com/' }, nowMs)
      return answered(410)
    })
    expect(attempts).toBe(2)
    expect(await shown()).toMatchObject({ enabled: true, failingSinceMs: null })
    expect(await disabledEvents()).toEqual([])
  })

  it.each(['disabled', 'deleted'] as const)(
    'is sent nothing when %s, and its due deliveries are given up',
    async (how) => {
      const id = await customerWith(3)
      if (how === 'deleted') await storeOf(scope).remove(endpoint.id, nowMs)
      else await storeOf(scope).update(endpoint.id, { enabled: false }, nowMs)
      expect(await drain(id)).toEqual({ againAtMs: null, disabled: false, broughtBack: [], broughtBackAtMs: nowMs })
      expect(sent).toEqual([])
      expect(await statuses()).toEqual(['failed', 'failed', 'failed'])
      const [first] = await deliveriesTo(endpoint)
      expect(await attemptsAt(first?.id ?? 0)).toMatchObject([
        { number: 1, error: `endpoint_${how}`, statusCode: null },
      ])
    },
  )

  it('leaves the next delivery due when it is closed in the middle, in case no consumer gives it up', async () => {
    const id = await customerWith(2)
    const chain = chainOf(scope, endpoint, id)
    const head = await outbox.claim(chain, nowMs)
    if (head.kind !== 'claimed') throw new Error('there is something to deliver')
    await storeOf(scope).update(endpoint.id, { enabled: false }, nowMs)
    const attempted = { atMs: nowMs, durationMs: 1, statusCode: 200, error: null, answer: '' }
    const outcome = { next: { kind: 'delivered' }, disable: null } as const
    await outbox.finish(chain, head.delivery, { attempted, outcome }, { nowMs, claimNext: true })
    expect(await overdueDeliveries(env.DB, nowMs + 30_000)).toContainEqual(
      expect.objectContaining({ endpointId: endpoint.id, customerId: id }),
    )
  })

  it('gives up a long chain in several turns when it is closed', async () => {
    const id = await customerWith(203)
    await storeOf(scope).update(endpoint.id, { enabled: false }, nowMs)
    expect((await drain(id)).againAtMs).toBe(nowMs)
    expect((await statuses()).filter((status) => status === 'failed')).toHaveLength(100)
    // The sweep finds the rest if no message comes back.
    expect(await overdueDeliveries(env.DB, nowMs + 30_000)).toContainEqual(
      expect.objectContaining({ endpointId: endpoint.id, customerId: id }),
    )
    await drain(id)
    await drain(id)
    expect(new Set(await statuses())).toEqual(new Set(['failed']))
  })

  it('loses nothing when it is disabled and enabled again before the next attempt', async () => {
    const id = await customerWith(2)
    await drain(id, () => answered(500))
    await storeOf(scope).update(endpoint.id, { enabled: false }, nowMs)
    await drain(id)
    await storeOf(scope).update(endpoint.id, { enabled: true }, nowMs)
    nowMs += 5_000
    await drain(id)
    expect(await statuses()).toEqual(['delivered', 'delivered'])
  })
})

describe('the sweep', () => {
  it('reads one row of a customer, however many of its changes wait behind a failure', async () => {
    const id = await customerWith(20)
    await drain(id, () => answered(500))
    nowMs += DAY_MS
    const ours = (await overdueDeliveries(env.DB, nowMs)).filter(
      (message) => message.kind === 'deliver' && message.endpointId === endpoint.id,
    )
    expect(ours).toHaveLength(1)
  })

  it('enqueues the longest overdue first, and what it has enqueued already after what it has not', async () => {
    const [first, second] = [await customerWith(1), await customerWith(1)]
    await env.DB.prepare('UPDATE webhook_deliveries SET next_attempt_at = 1 WHERE customer_id = ?').bind(first).run()
    await env.DB.prepare('UPDATE webhook_deliveries SET next_attempt_at = 2 WHERE customer_id = ?').bind(second).run()
    const at = Date.now()
    const enqueuedAt = async (nowMs: number) =>
      (await overdueDeliveries(env.DB, nowMs))
        .map(({ customerId }) => customerId)
        .filter((id) => id === first || id === second)
    expect((await enqueuedAt(at)).sort()).toEqual([first, second].sort())
    expect(await enqueuedAt(at)).toEqual([])
    expect((await enqueuedAt(at + 60_000)).sort()).toEqual([first, second].sort())
  })

  it('leaves to the queue what was enqueued a moment ago', async () => {
    await customerWith(1)
    const isOurs = (message: OutboxMessage) => message.kind === 'deliver' && message.endpointId === endpoint.id
    expect((await overdueDeliveries(env.DB, Date.now())).some(isOurs)).toBe(false)
    expect((await overdueDeliveries(env.DB, Date.now() + 31_000)).some(isOurs)).toBe(true)
  })
})

describe('while the queue is away', () => {
  const away = () => Promise.reject(new Error('no queue'))
  const withoutQueue = { ...env, OUTBOX: { send: away, sendBatch: away } } as unknown as Cloudflare.Env

  it('does not hold up a failed delivery: the sweep enqueues it when it is due', async () => {
    const id = await customerWith(1)
    await storeOf(scope).update(endpoint.id, { url: 'http://127.0.0.1:9/' }, nowMs)
    const message = { v: 1 as const, kind: 'deliver' as const, ...chainOf(scope, endpoint, id) }
    await deliver(message, withoutQueue, webhookOutbox(env.DB, newId))
    expect(await attemptsAt(only(await deliveriesTo(endpoint)).id)).toMatchObject([{ error: 'connection_failed' }])
    expect(await overdueDeliveries(env.DB, Date.now() + 60_000)).toContainEqual(message)
  })

  it('fails the sweep, which deletes old rows all the same', async () => {
    const id = await customerWith(1)
    await drain(id)
    await customerWith(1)
    await expect(sweepWebhooks(withoutQueue, env.DB, Date.now() + 31 * DAY_MS)).rejects.toThrow('no queue')
    expect(await statuses()).toEqual(['pending'])
  })
})

it('hands a secret only to the signer, and keeps it out of all events', async () => {
  const [row] = await db.select().from(webhookEndpoints).where(eq(webhookEndpoints.id, endpoint.id))
  const secret = (await vault.open(row?.secrets ?? ''))?.[0]?.secret ?? ''
  await drain(await customerWith(1), () => answered(500))
  const { results } = await env.DB.prepare('SELECT * FROM events').all()
  expect(secret).toMatch(/^whsec_/)
  expect(JSON.stringify(results)).not.toContain(secret)
})
