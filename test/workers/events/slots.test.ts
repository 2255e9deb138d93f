/**
 * The slots in which deliveries are attempted, over real SQL: as many are given as the rule allows, a delivery without
 * one waits without an attempt, and each that ends brings back the one that has waited longest.
 */
import { env } from 'cloudflare:workers'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Posted } from '../../../src/events/deliver.ts'
import { redeliverEvents } from '../../../src/events/endpoints.ts'
import type { LoggedEvent } from '../../../src/events/event.ts'
import { drainLane } from '../../../src/events/lane.ts'
import type { OutboxMessage } from '../../../src/events/messages.ts'
import { drainChain } from '../../../src/events/outbox.ts'
import type { Endpoint, EndpointDeps } from '../../../src/events/ports.ts'
import { hasFreeSlot, pauseMsAfter, SLOTS } from '../../../src/events/slots.ts'
import type { Scope } from '../../../src/registry/customer.ts'
import { newId } from '../../../src/shared/ids.ts'
import { pendingMessagesOf } from '../../../src/storage/events/pending-messages.ts'
import { webhookOutbox } from '../../../src/storage/webhooks/claims.ts'
import { committed, create, insertTenant, update } from '../storage/support.ts'
import { answered, attemptsAt, chainOf, deliveriesTo, newEndpoint, storeOf } from './support.ts'

const outbox = webhookOutbox(env.DB, newId)
const MINUTE_MS = 60_000
let scope: Scope
let endpoint: Endpoint

beforeEach(async () => {
  scope = await insertTenant()
  endpoint = await newEndpoint(scope)
})

/** Inserts deliveries that others attempt at the time, until the end of their claims. */
async function taken(count: number, endpointId: string, untilMs: number, of = scope): Promise<void> {
  await env.DB.prepare(
    `WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1)
     INSERT INTO webhook_deliveries
       (tenant_id, mode, endpoint_id, event_id, event_type, customer_id, status, claims, next_attempt_at, created_at, slot)
     SELECT ?2, ?3, ?4, 'evt_' || n, 'customer.updated', 'cust_' || n, 'pending', 1, ?5, 0, 'taken' FROM numbers WHERE n <= ?1 AND ?1 > 0`,
  )
    .bind(count, of.tenantId, of.mode, endpointId, untilMs)
    .run()
}

async function customers(count: number): Promise<string[]> {
  const ids: string[] = []
  for (let at = 0; at < count; at++) ids.push((await create(scope)).id)
  return ids
}

function drain(customerId: string, nowMs: number, answer: () => Posted | Promise<Posted>, sent: string[] = []) {
  return drainChain(chainOf(scope, endpoint, customerId), {
    outbox,
    clock: () => nowMs,
    send: async (event) => {
      sent.push(event.customerId ?? '')
      return answer()
    },
    onParked: () => {},
  })
}

describe('a slot', () => {
  const { tenantMax, endpointMax, allMax } = SLOTS
  it.each([
    [0, 0, false],
    [0, tenantMax, false],
    [0, allMax - 1, true],
    [0, allMax, false],
    [1, 1, false],
    [1, 1, true],
    [endpointMax - 1, endpointMax - 1, false],
    [endpointMax, endpointMax, false],
    [1, tenantMax - 1, false],
    [1, tenantMax, false],
  ])('is given by the rule: %d of the endpoint and %d of the tenant are taken, failing: %s', async (...given) => {
    const [ofEndpoint, ofTenant, isFailing] = given
    const nowMs = Date.now()
    endpoint = await newEndpoint(scope, { failingSinceMs: isFailing ? 1 : null })
    await taken(ofEndpoint, endpoint.id, nowMs + MINUTE_MS)
    await taken(ofTenant - ofEndpoint, 'whe_other', nowMs + MINUTE_MS)
    // These do not count: another mode, another tenant, and claims that have expired.
    await taken(allMax, endpoint.id, nowMs + MINUTE_MS, { ...scope, mode: 'test' })
    await taken(allMax, 'whe_other', nowMs - 1)
    const [id = ''] = await customers(1)
    const head = await outbox.claim(chainOf(scope, endpoint, id), nowMs)
    expect(head.kind === 'claimed').toBe(hasFreeSlot({ ofEndpoint, ofTenant, isFailing }))
  })
})

describe('a failing endpoint', () => {
  it('is probed by one delivery at a time, in turn, with a pause, while the others wait without an attempt', async () => {
    await drain((await customers(1))[0] ?? '', Date.now(), () => answered(500))
    const ids = await customers(4)
    const pauseMs = pauseMsAfter({ kind: 'retry', atMs: 0 })
    const sent: string[] = []
    const turn: string[] = []
    let [nowMs, underWay] = [Date.now(), 0]
    const probe = async (id: string): Promise<void> => {
      const startMs = nowMs
      const answer = async () => {
        expect(++underWay).toBe(1)
        // Messages of the others arrive while the probe is under way.
        for (const other of ids.filter((known) => !sent.includes(known))) {
          nowMs++
          expect(await drain(other, nowMs, () => answered(200), sent)).toMatchObject({ againAtMs: null })
        }
        underWay--
        return answered(500)
      }
      const { broughtBack } = await drain(id, nowMs, answer, sent)
      expect(broughtBack.length).toBeLessThanOrEqual(1)
      turn.push(...broughtBack)
      // During the pause neither this one nor another is attempted, whatever message arrives.
      const attempted = sent.length
      nowMs = startMs + pauseMs - 1
      for (const early of ids.filter((known) => !sent.includes(known))) await drain(early, nowMs, answer, sent)
      expect(sent).toHaveLength(attempted)
      nowMs++
      for (const next of broughtBack) await probe(next)
    }
    await probe(ids[0] ?? '')
    expect([sent, turn]).toEqual([ids, ids.slice(1)])
    for (const { id, customerId } of await deliveriesTo(endpoint)) {
      expect(await attemptsAt(id), customerId).toHaveLength(1)
    }
  })

  it('gets more deliveries each time one succeeds, and all of them in the end', async () => {
    const nowMs = Date.now()
    const ids = await customers(12)
    await taken(1, endpoint.id, nowMs + MINUTE_MS)
    await env.DB.prepare('UPDATE webhook_endpoints SET failing_since = 1 WHERE id = ?').bind(endpoint.id).run()
    for (const id of ids) await drain(id, nowMs, () => answered(200))
    await env.DB.prepare(`DELETE FROM webhook_deliveries WHERE endpoint_id = ? AND slot = 'taken'`)
      .bind(endpoint.id)
      .run()
    await env.DB.prepare(`UPDATE webhook_deliveries SET slot = NULL WHERE customer_id = ?`).bind(ids[0]).run()
    const rounds: number[] = []
    for (let round = [ids[0] as string]; round.length > 0; ) {
      rounds.push(round.length)
      const drained = []
      for (const id of round) drained.push(await drain(id, nowMs, () => answered(200)))
      round = drained.flatMap(({ broughtBack }) => broughtBack)
    }
    expect(rounds).toEqual([1, 2, 4, 5])
    expect((await deliveriesTo(endpoint)).map(({ status }) => status)).toEqual(Array(12).fill('delivered'))
  })
})

describe('a lane', () => {
  /** Creates customers whose deliveries wait for a slot, but for the first, which is due. */
  async function waitingBehindOne(count: number): Promise<string[]> {
    const nowMs = Date.now()
    const ids = await customers(count)
    await taken(SLOTS.endpointMax, endpoint.id, nowMs + MINUTE_MS)
    for (const id of ids) await drain(id, nowMs, () => answered(200))
    await env.DB.prepare(`DELETE FROM webhook_deliveries WHERE endpoint_id = ? AND slot = 'taken'`)
      .bind(endpoint.id)
      .run()
    await env.DB.prepare(`UPDATE webhook_deliveries SET slot = NULL WHERE customer_id = ?`).bind(ids[0]).run()
    return ids
  }

  async function drainFrom(customerId: string, onSent: (sent: string[]) => Promise<void> = async () => {}) {
    const [sent, left]: [string[], string[]] = [[], []]
    const deps = {
      outbox,
      clock: Date.now,
      send: async (event: LoggedEvent) => {
        sent.push(event.customerId ?? '')
        await onSent(sent)
        return answered(200)
      },
      onParked: () => {},
    }
    await drainLane(chainOf(scope, endpoint, customerId), deps, async (_chain, { broughtBack }) => {
      left.push(...broughtBack)
    })
    return { sent, left }
  }

  it('gives its slot to the customer who has waited longest, and brings back one other for a second lane', async () => {
    const ids = await waitingBehindOne(6)
    const { sent, left } = await drainFrom(ids[0] ?? '')
    expect([sent, left]).toEqual([ids.toSpliced(2, 1), [ids[2]]])
    for (const { id, customerId, status, slot, claims } of await deliveriesTo(endpoint)) {
      const isLeft = customerId === ids[2]
      expect([status, slot, claims], customerId).toEqual(isLeft ? ['pending', null, 0] : ['delivered', null, 1])
      expect(await attemptsAt(id)).toHaveLength(isLeft ? 0 : 1)
    }
    expect((await drainFrom(ids[2] ?? '')).sent).toEqual([ids[2]])
  })

  it('goes on with the later changes of a customer first, and then in turn', async () => {
    const ids = await waitingBehindOne(3)
    await committed(scope, update(ids[1] ?? '', { name: 'Later' }))
    const { sent, left } = await drainFrom(ids[0] ?? '')
    expect([sent, left]).toEqual([[ids[0], ids[1], ids[1]], [ids[2]]])
  })

  it('ends when its tenant is suspended, and leaves one due, which waits for the tenant', async () => {
    const ids = await waitingBehindOne(4)
    const { sent, left } = await drainFrom(ids[0] ?? '', async () => {
      await env.DB.prepare(`UPDATE tenants SET status = 'suspended' WHERE id = ?`).bind(scope.tenantId).run()
    })
    expect([sent, left]).toEqual([[ids[0]], ids.slice(1, 3)])
  })
})

describe('a large commit', () => {
  const firstOf = (messages: OutboxMessage[]) =>
    messages.flatMap((message) =>
      message.kind === 'deliver' && message.endpointId === endpoint.id ? [message.customerId] : [],
    )
  const waiting = async () => (await deliveriesTo(endpoint)).filter(({ slot }) => slot === 'waits').length

  it('enqueues the first customers of an endpoint, and the others wait for these', async () => {
    const ids = await customers(SLOTS.endpointMax + 4)
    const quiet = await newEndpoint(scope)
    const messages = await pendingMessagesOf(env.DB, scope, ids)
    expect(messages.map((message) => message.kind === 'deliver' && message.endpointId)).not.toContain(quiet.id)
    expect(firstOf(messages)).toEqual(ids.slice(0, SLOTS.firstMax))
    expect(await waiting()).toBe(ids.length - SLOTS.firstMax)
    // A customer that changes later waits behind these, without a message.
    const [late = ''] = await customers(1)
    expect(firstOf(await pendingMessagesOf(env.DB, scope, [late]))).toEqual([])
    ids.push(late)
    expect(await waiting()).toBe(ids.length - SLOTS.firstMax)
    const sent: string[] = []
    const nowMs = Date.now()
    for (let round = firstOf(messages); round.length > 0; ) {
      const drained = []
      for (const id of round) drained.push(await drain(id, nowMs, () => answered(200), sent))
      round = drained.flatMap(({ broughtBack }) => broughtBack)
    }
    expect(sent).toEqual(ids)
    // Nobody waits any more, so nobody would bring the next one back.
    const [next = ''] = await customers(1)
    expect(firstOf(await pendingMessagesOf(env.DB, scope, [next]))).toEqual([next])
  })

  it('enqueues one new customer of a failing endpoint, and none whose next attempt is still to come', async () => {
    const failed = await customers(3)
    await drain(failed[0] ?? '', Date.now(), () => answered(500))
    await taken(1, endpoint.id, Date.now() + MINUTE_MS)
    expect(firstOf(await pendingMessagesOf(env.DB, scope, [failed[0] ?? '', 'cust_1']))).toEqual([])
    expect(firstOf(await pendingMessagesOf(env.DB, scope, failed))).toEqual([failed[1]])
    expect(await waiting()).toBe(1)
    // It is enqueued again when its time has come, should its own message have been lost.
    await env.DB.prepare('UPDATE webhook_deliveries SET next_attempt_at = 1 WHERE customer_id = ?')
      .bind(failed[0])
      .run()
    expect(firstOf(await pendingMessagesOf(env.DB, scope, [failed[0] ?? '']))).toEqual([failed[0]])
  })
})

describe('a redelivery', () => {
  const since = { kind: 'since', sinceMs: 0, afterId: null } as const
  let enqueued: string[]
  let permits: number

  function redeliver() {
    enqueued = []
    permits = 0
    const deps = {
      ...{ store: storeOf(scope), scope, newId, clock: Date.now },
      enqueueDeliveries: async (_id: string, customerIds: readonly string[]) => void enqueued.push(...customerIds),
    } as unknown as EndpointDeps
    const takePermit = async () => void permits++
    return redeliverEvents(deps, endpoint.id, since, { nowMs: Date.now(), idempotentRequest: null, takePermit })
  }

  /** Inserts events of a customer each that no endpoint got. */
  async function insertEvents(count: number): Promise<void> {
    await env.DB.prepare(`UPDATE webhook_endpoints SET enabled = 0 WHERE id = ?`).bind(endpoint.id).run()
    await env.DB.prepare(
      `WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1)
       INSERT INTO events (tenant_id, mode, id, type, customer_id, version, actor, after, created_at)
       SELECT ?2, ?3, printf('evt_%026d', n), 'customer.updated', 'cust_' || n, 1, 'key_1', '{}', n FROM numbers`,
    )
      .bind(count, scope.tenantId, scope.mode)
      .run()
    await env.DB.prepare(`UPDATE webhook_endpoints SET enabled = 1 WHERE id = ?`).bind(endpoint.id).run()
  }

  it('enqueues the first customers, in the order of their events', async () => {
    await insertEvents(30)
    expect(await redeliver()).toMatchObject({ count: 30, nextAfterId: null })
    expect(enqueued).toEqual(Array.from({ length: SLOTS.firstMax }, (_, at) => `cust_${at + 1}`))
    expect((await deliveriesTo(endpoint)).filter(({ slot }) => slot === 'waits')).toHaveLength(30 - SLOTS.firstMax)
    expect(permits).toBe(0)
  })

  it('takes a permit for each further hundred, and is refused while a thousand deliveries wait', async () => {
    await insertEvents(1_300)
    expect(await redeliver()).toMatchObject({ count: 1_000 })
    expect(permits).toBe(9)
    expect(await redeliver()).toMatchObject({ count: 300, nextAfterId: null })
    expect(permits).toBe(3)
    await expect(redeliver()).rejects.toMatchObject({ failure: { reason: 'deliveries_waiting' } })
  })
})
