/**
 * The promise of the outbox under every failure, over real SQL: messages that are lost, late and doubled, consumers that
 * die before and after they commit, receivers that fail, that store events without answering, and that are away for two
 * days. Time is the test's own.
 */
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import type { Posted } from '../../../src/events/deliver.ts'
import type { LoggedEvent } from '../../../src/events/event.ts'
import type { OutboxMessage } from '../../../src/events/messages.ts'
import { drainChain, type Outbox } from '../../../src/events/outbox.ts'
import type { Scope } from '../../../src/registry/customer.ts'
import { newId } from '../../../src/shared/ids.ts'
import { pendingMessagesOf } from '../../../src/storage/events/pending-messages.ts'
import { webhookOutbox } from '../../../src/storage/webhooks/claims.ts'
import { overdueDeliveries } from '../../../src/storage/webhooks/overdue.ts'
import { committed, create, insertTenant, update } from '../storage/support.ts'
import { answered, deliveriesTo, newEndpoint } from './support.ts'

const CUSTOMERS = 50
const CHANGES = 600
const HOUR_MS = 3_600_000
const SWEEP_MS = 60_000
/** Longer than the schedule of all attempts. */
const END_MS = 120 * HOUR_MS

/** Returns repeatable random decisions. */
function dice(seed: number): (chance: number) => boolean {
  let state = seed
  return (chance) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32 < chance
  }
}

class Crash extends Error {}

/** The events that arrived: for each endpoint and customer, the versions in the order of arrival. */
class Receivers {
  readonly seen = new Map<string, number[]>()
  readonly #failures = new Map<string, number>()
  readonly #chance: (chance: number) => boolean
  readonly #awayUntilMs: Record<string, number>

  constructor(chance: (chance: number) => boolean, awayUntilMs: Record<string, number>) {
    this.#chance = chance
    this.#awayUntilMs = awayUntilMs
  }

  receive(endpoint: { url: string }, event: LoggedEvent, nowMs: number): Posted {
    const awayUntilMs = this.#awayUntilMs[endpoint.url]
    if (awayUntilMs !== undefined && nowMs < awayUntilMs) return answered(null)
    const failures = this.#failures.get(endpoint.url + event.id) ?? 0
    // A receiver that has been away for two days has few attempts left.
    const fails = awayUntilMs === undefined && failures < 3 && this.#chance(0.25)
    if (fails) this.#failures.set(endpoint.url + event.id, failures + 1)
    // A receiver that fails may have stored the event all the same.
    if (fails && this.#chance(0.5)) return answered(503)
    const key = `${endpoint.url} ${event.customerId}`
    this.seen.set(key, [...(this.seen.get(key) ?? []), event.version])
    return fails ? answered(null) : answered(200)
  }
}

/** The queue and its consumers, none of them reliable. */
class FaultSchedule {
  nowMs = Date.now()
  readonly #startMs = this.nowMs
  readonly #chance: (chance: number) => boolean
  readonly #receivers: Receivers
  #waiting: { message: OutboxMessage; atMs: number }[] = []
  #sweepAtMs = this.nowMs
  crashes = 0

  constructor(chance: (chance: number) => boolean, receivers: Receivers) {
    this.#chance = chance
    this.#receivers = receivers
  }

  get elapsedMs(): number {
    return this.nowMs - this.#startMs
  }

  enqueueDeliveries(messages: OutboxMessage[], delayMs = 0): void {
    for (const message of messages) {
      if (this.#chance(0.2)) continue
      this.#waiting.push({ message, atMs: this.nowMs + delayMs + (this.#chance(0.2) ? 90_000 : 0) })
      if (this.#chance(0.2)) this.#waiting.push({ message, atMs: this.nowMs + delayMs })
    }
  }

  /** Runs everything that is due now, all at once; otherwise moves the time on to what is next. */
  async step(): Promise<void> {
    const due = this.#waiting.filter(({ atMs }) => atMs <= this.nowMs)
    this.#waiting = this.#waiting.filter(({ atMs }) => atMs > this.nowMs)
    await Promise.all(due.map(({ message }) => this.#consume(message)))
    if (due.length > 0) return
    this.nowMs = Math.min(this.#sweepAtMs, ...this.#waiting.map(({ atMs }) => atMs))
    if (this.nowMs < this.#sweepAtMs) return
    // A run of the sweep without work may as well be an hour later.
    const overdue = await overdueDeliveries(env.DB, this.nowMs)
    this.enqueueDeliveries(overdue)
    this.#sweepAtMs += this.#waiting.length > 0 ? SWEEP_MS : 20 * SWEEP_MS
  }

  async #consume(message: OutboxMessage): Promise<void> {
    if (message.kind !== 'deliver') return
    const { v: _v, kind: _kind, ...chain } = message
    try {
      const { againAtMs } = await drainChain(chain, {
        outbox: this.#mortal(webhookOutbox(env.DB, newId)),
        clock: () => this.nowMs,
        send: async (event, endpoint) => this.#receivers.receive(endpoint, event, this.nowMs),
        onParked: (_chain, delivery, error) => {
          throw new Error(`${delivery.eventId} was parked: ${error}`)
        },
      })
      if (againAtMs !== null) this.enqueueDeliveries([message], againAtMs - this.nowMs)
    } catch (error) {
      if (!(error instanceof Crash)) throw error
      this.crashes++
    }
  }

  /** Dies now and then, before its work is committed or after. */
  #mortal(outbox: Outbox): Outbox {
    const die = () => {
      if (this.#chance(0.03)) throw new Crash()
    }
    return {
      ...outbox,
      claim: async (...given) => {
        const head = await outbox.claim(...given)
        die()
        return head
      },
      finish: async (...given) => {
        die()
        const finished = await outbox.finish(...given)
        die()
        return finished
      },
    }
  }
}

async function changesOf(scope: Scope, faults: FaultSchedule, chance: (chance: number) => boolean): Promise<string[]> {
  const ids: string[] = []
  for (let change = 0; change < CHANGES; change++) {
    const customerId = ids[change % CUSTOMERS]
    if (customerId === undefined) ids.push((await create(scope)).id)
    else await committed(scope, update(customerId, { name: `Name ${change}` }))
    const changed = customerId ?? ids.at(-1) ?? ''
    faults.enqueueDeliveries(await pendingMessagesOf(env.DB, scope, [changed]))
    if (chance(0.2)) await faults.step()
  }
  return ids
}

it('delivers every event to every endpoint, a customer’s in their order, whatever fails', async () => {
  const scope = await insertTenant()
  const chance = dice(20_260_120)
  const endpoints = await Promise.all(
    ['steady', 'other', 'away'].map((name) => newEndpoint(scope, { url: `https://${name}.example.com/` })),
  )
  const receivers = new Receivers(chance, { 'https://away.example.com/': Date.now() + 48 * HOUR_MS })
  const faults = new FaultSchedule(chance, receivers)
  const ids = await changesOf(scope, faults, chance)
  const isPending = async () => {
    const deliveries = (await Promise.all(endpoints.map(deliveriesTo))).flat()
    return deliveries.some(({ status }) => status === 'pending')
  }
  while ((await isPending()) && faults.elapsedMs < END_MS) {
    for (let steps = 0; steps < 50; steps++) await faults.step()
  }

  expect(faults.crashes).toBeGreaterThan(50)
  const versions = Array.from({ length: CHANGES / CUSTOMERS }, (_, at) => at + 1)
  for (const endpoint of endpoints) {
    for (const id of ids) {
      const seen = receivers.seen.get(`${endpoint.url} ${id}`) ?? []
      // The same event again is a repeat, recognized by its id; anything else out of order is a fault.
      const once = seen.filter((version, at) => version !== seen[at - 1])
      expect(once, `${endpoint.url} ${id}`).toEqual(versions)
    }
    const deliveries = await deliveriesTo(endpoint)
    expect(deliveries).toHaveLength(CHANGES)
    expect(new Set(deliveries.map(({ status }) => status))).toEqual(new Set(['delivered']))
  }
})
