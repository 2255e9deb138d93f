/**
 * What becomes of the deliveries of one customer to one endpoint, over real SQL and with a time of the test's own: one after
 * the other, each tried as often as the schedule has it, nobody twice at once, nothing silently.
 */
import { env } from 'cloudflare:workers'
import { and, eq } from 'drizzle-orm'
import { beforeEach, describe, expect, it } from 'vitest'
import { ATTEMPTS_MAX } from '../../src/events/attempts.ts'
import type { Posted } from '../../src/events/deliver.ts'
import type { LoggedEvent } from '../../src/events/event.ts'
import type { OutboxMessage } from '../../src/events/messages.ts'
import { CLAIM_MS, type Claimed, type DrainDeps, drainChain } from '../../src/events/outbox.ts'
import type { Endpoint } from '../../src/events/ports.ts'
import type { Scope } from '../../src/registry/customer.ts'
import { newId } from '../../src/shared/ids.ts'
import { webhookEndpoints } from '../../src/storage/outbox-tables.ts'
import { events } from '../../src/storage/tables.ts'
import { overdueDeliveries, webhookOutbox } from '../../src/storage/webhook-outbox.ts'
import { deliver, sweepWebhooks } from '../../src/wiring/webhooks.ts'
import { committed, create, db, insertTenant, only, update } from '../storage/support.ts'
import { answered, attemptsAt, chainOf, deliveriesTo, newEndpoint, storeOf } from './support.ts'

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

/** A customer with this many events. */
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

/** Again and again, when it asks to be; answers when that was, counted from the beginning. */
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
    expect(await drain(id)).toEqual({ againAtMs: null, disabled: false })
    expect(versions()).toEqual([1, 2, 3, 4, 5])
    expect(await statuses()).toEqual(Array(5).fill('delivered'))
  })

  it('waits behind its first delivery until that is delivered or given up', async () => {
    const id = await customerWith(3)
    await drain(id, () => answered(500))
    expect(await drain(id)).toEqual({ againAtMs: null, disabled: false })
    expect(versions()).toEqual([1])
    nowMs += 5_000
    await drain(id)
    expect(versions()).toEqual([1, 1, 2, 3])
  })

  it('holds up no other customer, and no other endpoint', async () => {
    const other = await newEndpoint(scope)
    const [stuck, free] = [await customerWith(2), await customerWith(2)]
    await drain(stuck, () => answered(500))
    await drain(free)
    await drain(stuck, undefined, other)
    expect(await statuses(other)).toEqual(['delivered', 'delivered', 'pending', 'pending'])
    expect((await deliveriesTo(endpoint)).filter(({ status }) => status === 'delivered')).toHaveLength(2)
  })

  it('is tried as often as the schedule has it, then given up, and the next goes on', async () => {
    const id = await customerWith(2)
    let attempts = 0
    const times = await drainUntilDone(id, () => answered(++attempts <= ATTEMPTS_MAX ? 500 : 200))
    expect(times.map((timeMs) => timeMs / 1_000)).toEqual([
      ...[0, 5, 305, 2_105, 9_305, 27_305, 63_305, 113_705, 185_705, 272_105],
    ])
    expect(versions()).toEqual([...Array(ATTEMPTS_MAX).fill(1), 2])
    const [first] = await deliveriesTo(endpoint)
    expect(first).toMatchObject({ status: 'failed', finishedAtMs: nowMs })
    const attemptRows = await attemptsAt(first?.id ?? 0)
    expect(attemptRows.map(({ number, statusCode }) => [number, statusCode])).toEqual(
      Array.from({ length: ATTEMPTS_MAX }, (_, before) => [before + 1, 500]),
    )
  })

  it('keeps each attempt: when, how long, the status and the answer, or why there was none', async () => {
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

  it('that is long leaves some for the next turn, which begins where this one ended', async () => {
    const id = await customerWith(103)
    const { againAtMs } = await drain(id)
    expect(againAtMs).toBe(nowMs)
    expect(sent).toHaveLength(100)
    // Should that message get lost, the sweep finds it.
    expect(await overdueDeliveries(env.DB, nowMs + 30_000)).toContainEqual(
      expect.objectContaining({ endpointId: endpoint.id, customerId: id }),
    )
    await drain(id)
    expect(versions()).toEqual(Array.from({ length: 103 }, (_, before) => before + 1))
  })

  it('whose receiver is slow leaves the rest for the next turn too', async () => {
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
  it('is made by one alone, of any number who are told of it at once', async () => {
    const id = await customerWith(1)
    await Promise.all(Array.from({ length: 10 }, () => drain(id)))
    expect(versions()).toEqual([1])
  })

  it('whose consumer died is made by another, a minute later, with the same id', async () => {
    const id = await customerWith(2)
    const chain = chainOf(scope, endpoint, id)
    expect((await outbox.claim(chain, nowMs)).kind).toBe('claimed')
    nowMs += CLAIM_MS - 1
    await drain(id)
    expect(sent).toEqual([])
    nowMs += 1 + 30_000
    expect(await overdueDeliveries(env.DB, nowMs)).toContainEqual(
      expect.objectContaining({ endpointId: endpoint.id, customerId: id }),
    )
    await drain(id)
    expect(versions()).toEqual([1, 2])
  })

  it('that was taken over is not changed by the one who had it before', async () => {
    const id = await customerWith(2)
    const chain = chainOf(scope, endpoint, id)
    const before = await outbox.claim(chain, nowMs)
    if (before.kind !== 'claimed') throw new Error('not claimed')
    nowMs += CLAIM_MS
    await drain(id, () => answered(500))
    const attempted = { atMs: nowMs, ...answered(200) }
    const outcome = { next: { kind: 'delivered' }, disable: null } as const
    await outbox.finish(chain, before.delivery, { attempted, outcome }, { nowMs, claimNext: true })
    expect(await statuses()).toEqual(['pending', 'pending'])
    expect(await attemptsAt(before.delivery.id)).toHaveLength(1)
  })

  it('that no consumer survives is given up at last, and said so', async () => {
    const id = await customerWith(2)
    const chain = chainOf(scope, endpoint, id)
    for (let claims = 0; claims < 3 * ATTEMPTS_MAX; claims++) {
      expect((await outbox.claim(chain, nowMs)).kind).toBe('claimed')
      nowMs += CLAIM_MS
    }
    await drain(id)
    expect(versions()).toEqual([2])
    expect(parked).toHaveLength(1)
    const [first] = await deliveriesTo(endpoint)
    expect(await attemptsAt(first?.id ?? 0)).toMatchObject([{ error: 'attempts_interrupted' }])
  })

  it('of an event that can not be read is given up, and said so, and the next goes on', async () => {
    const id = await customerWith(3)
    await env.DB.prepare(`UPDATE events SET after = '{"broken' WHERE customer_id = ? AND version = 2`).bind(id).run()
    expect((await drain(id)).againAtMs).toBeNull()
    expect(versions()).toEqual([1, 3])
    expect(await statuses()).toEqual(['delivered', 'failed', 'delivered'])
    expect(parked).toHaveLength(1)
  })

  it('tells of a customer that was erased since only that it was', async () => {
    const { id } = await create(scope, { name: 'Ada Lovelace', email: 'lovelace@example.com' })
    await committed(scope, { kind: 'erase', target: { id }, ifVersion: null })
    await drain(id)
    expect(sent.map(({ type }) => type)).toEqual(['customer.created', 'customer.erased'])
    expect(JSON.stringify(sent)).not.toMatch(/lovelace/i)
  })

  it('under way while its customer is erased leaves nothing of what the receiver answered', async () => {
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

  it('is failing from its first failure until something goes well', async () => {
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

  it('that fails for five days is disabled, once, with an event for the others that says so', async () => {
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

  it('that two customers’ attempts find gone at once is disabled with one event', async () => {
    const ids = await Promise.all([customerWith(1), customerWith(1), customerWith(1)])
    const drained = await Promise.all(ids.map((id) => drain(id, () => answered(410))))
    expect(drained.filter(({ disabled }) => disabled)).toHaveLength(1)
    expect(await disabledEvents()).toHaveLength(1)
    expect(await shown()).toMatchObject({ enabled: false, disabledReason: 'gone' })
  })

  it('is not disabled by a consumer whose clock is behind: its event would come behind whoever follows the log', async () => {
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

  it('that has another URL by now is not blamed for the one before', async () => {
    const id = await customerWith(1)
    await drain(id, async () => {
      await storeOf(scope).update(endpoint.id, { url: 'https://new.example.com/' }, nowMs)
      return answered(410)
    })
    expect(await shown()).toMatchObject({ enabled: true, failingSinceMs: null })
    expect(await disabledEvents()).toEqual([])
  })

  it.each(['disabled', 'deleted'] as const)('that is %s is sent nothing, and what was due is given up', async (how) => {
    const id = await customerWith(3)
    if (how === 'deleted') await storeOf(scope).remove(endpoint.id)
    else await storeOf(scope).update(endpoint.id, { enabled: false }, nowMs)
    expect(await drain(id)).toEqual({ againAtMs: null, disabled: false })
    expect(sent).toEqual([])
    expect(await statuses()).toEqual(['failed', 'failed', 'failed'])
    const [first] = await deliveriesTo(endpoint)
    expect(await attemptsAt(first?.id ?? 0)).toMatchObject([{ number: 1, error: `endpoint_${how}`, statusCode: null }])
  })

  it('that is closed in the middle leaves the next one due, should nobody get to giving it up', async () => {
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

  it('that is closed gives up a long chain piece by piece', async () => {
    const id = await customerWith(203)
    await storeOf(scope).update(endpoint.id, { enabled: false }, nowMs)
    expect((await drain(id)).againAtMs).toBe(nowMs)
    expect((await statuses()).filter((status) => status === 'failed')).toHaveLength(100)
    // The rest is found by the sweep, should nobody come back.
    expect(await overdueDeliveries(env.DB, nowMs + 30_000)).toContainEqual(
      expect.objectContaining({ endpointId: endpoint.id, customerId: id }),
    )
    await drain(id)
    await drain(id)
    expect(new Set(await statuses())).toEqual(new Set(['failed']))
  })

  it('that was disabled and is enabled again before the next attempt has lost nothing', async () => {
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
  it('sees one row of a customer, however many of its changes wait behind a failure', async () => {
    const id = await customerWith(20)
    await drain(id, () => answered(500))
    nowMs += DAY_MS
    const ours = (await overdueDeliveries(env.DB, nowMs)).filter(
      (message) => message.kind === 'deliver' && message.endpointId === endpoint.id,
    )
    expect(ours).toHaveLength(1)
  })

  it('says of the longest overdue first, and of what it has said behind what it has not', async () => {
    const [first, second] = [await customerWith(1), await customerWith(1)]
    await env.DB.prepare('UPDATE webhook_deliveries SET next_attempt_at = 1 WHERE customer_id = ?').bind(first).run()
    await env.DB.prepare('UPDATE webhook_deliveries SET next_attempt_at = 2 WHERE customer_id = ?').bind(second).run()
    const at = Date.now()
    const saidOf = async (nowMs: number) =>
      (await overdueDeliveries(env.DB, nowMs))
        .map(({ customerId }) => customerId)
        .filter((id) => id === first || id === second)
    expect((await saidOf(at)).sort()).toEqual([first, second].sort())
    expect(await saidOf(at)).toEqual([])
    expect((await saidOf(at + 60_000)).sort()).toEqual([first, second].sort())
  })

  it('leaves what was announced a moment ago to the queue', async () => {
    await customerWith(1)
    const isOurs = (message: OutboxMessage) => message.kind === 'deliver' && message.endpointId === endpoint.id
    expect((await overdueDeliveries(env.DB, Date.now())).some(isOurs)).toBe(false)
    expect((await overdueDeliveries(env.DB, Date.now() + 31_000)).some(isOurs)).toBe(true)
  })
})

describe('while the queue is away', () => {
  const away = () => Promise.reject(new Error('no queue'))
  const withoutQueue = { ...env, OUTBOX: { send: away, sendBatch: away } } as unknown as Cloudflare.Env

  it('a delivery that failed is not held up by it: the sweep will say when it is due', async () => {
    const id = await customerWith(1)
    await storeOf(scope).update(endpoint.id, { url: 'http://127.0.0.1:9/' }, nowMs)
    const message = { v: 1 as const, kind: 'deliver' as const, ...chainOf(scope, endpoint, id) }
    await deliver(message, withoutQueue)
    expect(await attemptsAt(only(await deliveriesTo(endpoint)).id)).toMatchObject([{ error: 'connection_failed' }])
    expect(await overdueDeliveries(env.DB, Date.now() + 60_000)).toContainEqual(message)
  })

  it('the sweep says so, and forgets what is old all the same', async () => {
    const id = await customerWith(1)
    await drain(id)
    await customerWith(1)
    await expect(sweepWebhooks(withoutQueue, Date.now() + 31 * DAY_MS)).rejects.toThrow('no queue')
    expect(await statuses()).toEqual(['pending'])
  })
})

it('a secret leaves D1 for nobody but who signs with it', async () => {
  const [row] = await db.select().from(webhookEndpoints).where(eq(webhookEndpoints.id, endpoint.id))
  const secret = row?.secrets[0]?.secret ?? ''
  await drain(await customerWith(1), () => answered(500))
  const { results } = await env.DB.prepare('SELECT * FROM events').all()
  expect(secret).toMatch(/^whsec_/)
  expect(JSON.stringify(results)).not.toContain(secret)
})
