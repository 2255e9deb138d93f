/**
 * A model of the queue, its consumers and the outbox, in time of its own. The chains are drained by the real code, and
 * slots are given by the real rule; D1 is a list, and one statement runs at a time.
 */
import { DELIVERY_ATTEMPTS_MAX } from '../../../src/events/attempts.ts'
import type { LoggedEvent } from '../../../src/events/event.ts'
import { drainLane } from '../../../src/events/lane.ts'
import {
  type Chain,
  type Claimed,
  DELIVERY_CLAIM_MS,
  type DrainDeps,
  type Head,
  type Outbox,
} from '../../../src/events/outbox.ts'
import { BROUGHT_BACK, hasFreeSlot, pauseMsAfter, SLOT_WAIT_MAX_MS, SLOTS } from '../../../src/events/slots.ts'

/** How long D1 takes for a batch. */
const BATCH_MS = 1
const NEVER_MS = Number.MAX_SAFE_INTEGER

/** How a receiver behaves at a time: how long it takes, and what it answers. Null: it never answers. */
export type Receiver = (nowMs: number) => { afterMs: number; statusCode: number } | null

interface Delivery {
  chain: Chain
  status: 'pending' | 'delivered' | 'failed'
  claims: number
  attempts: number
  nextAttemptAtMs: number
  slot: 'taken' | 'waits' | null
  createdAtMs: number
  finishedAtMs: number | null
}

export class QueueModel {
  nowMs = 0
  /** The most deliveries that were attempted at a time: of a tenant, of an endpoint, and of a failing endpoint. */
  readonly most = { ofTenant: 0, ofEndpoint: 0, probes: 0 }
  readonly deliveries: Delivery[] = []
  readonly #receivers = new Map<string, Receiver>()
  readonly #failingSince = new Map<string, number>()
  readonly #timers: { atMs: number; run: () => void }[] = []
  readonly #queue: Chain[] = []
  readonly #consumers: number
  #busy = 0
  #d1FreeAtMs = 0

  constructor(consumers: number) {
    this.#consumers = consumers
  }

  receive(endpointId: string, receiver: Receiver): void {
    this.#receivers.set(endpointId, receiver)
  }

  /** Adds deliveries at that time, as the commit of an import does, and enqueues the first ones of an endpoint. */
  commit(chains: readonly Chain[], atMs: number): Delivery[] {
    const made = chains.map(
      (chain): Delivery => ({
        ...{ chain, status: 'pending', claims: 0, attempts: 0, slot: null, finishedAtMs: null },
        ...{ nextAttemptAtMs: atMs, createdAtMs: atMs },
      }),
    )
    this.#at(atMs, () => {
      const enqueued = new Map<string, number>()
      for (const delivery of made) {
        const { chain } = delivery
        this.deliveries.push(delivery)
        if (this.#oldestOf(chain) !== delivery) continue
        const nth = (enqueued.get(chain.endpointId) ?? 0) + 1
        enqueued.set(chain.endpointId, nth)
        if (nth <= SLOTS.firstMax) this.#enqueue(chain, atMs)
        else {
          delivery.slot = 'waits'
          delivery.nextAttemptAtMs = atMs + SLOT_WAIT_MAX_MS
        }
      }
    })
    return made
  }

  /** Runs until nothing is left to do, or until that time. */
  async run(untilMs = NEVER_MS): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve))
      const next = this.#timers[0]
      if (!next || next.atMs > untilMs) return
      this.nowMs = Math.max(this.nowMs, next.atMs)
      while (this.#timers[0] && this.#timers[0].atMs <= this.nowMs) this.#timers.shift()?.run()
    }
  }

  #at(atMs: number, run: () => void): void {
    let [from, to] = [0, this.#timers.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if ((this.#timers[middle]?.atMs ?? 0) <= atMs) from = middle + 1
      else to = middle
    }
    this.#timers.splice(from, 0, { atMs, run })
  }

  #sleepUntil(atMs: number): Promise<void> {
    return new Promise((resolve) => this.#at(atMs, resolve))
  }

  #enqueue(chain: Chain, atMs: number): void {
    this.#at(atMs, () => {
      this.#queue.push(chain)
      this.#startConsumers()
    })
  }

  #startConsumers(): void {
    while (this.#busy < this.#consumers) {
      const chain = this.#queue.shift()
      if (!chain) return
      this.#busy++
      void this.#consume(chain).then(() => {
        this.#busy--
        this.#startConsumers()
      })
    }
  }

  async #consume(chain: Chain): Promise<void> {
    const deps: DrainDeps = {
      outbox: this.#outbox,
      clock: () => this.nowMs,
      send: (_event, _endpoint, timeoutMs) => this.#send(chain, timeoutMs),
      onParked: (_chain, _delivery, error) => {
        throw error
      },
    }
    await drainLane(chain, deps, async (drained, { againAtMs, broughtBack, broughtBackAtMs }) => {
      for (const customerId of broughtBack) this.#enqueue({ ...drained, customerId }, broughtBackAtMs)
      if (againAtMs !== null) this.#enqueue(drained, againAtMs)
    })
  }

  async #send({ endpointId }: Chain, timeoutMs: number) {
    const answer = this.#receivers.get(endpointId)?.(this.nowMs) ?? null
    const isInTime = answer !== null && answer.afterMs < timeoutMs
    const durationMs = isInTime ? answer.afterMs : timeoutMs
    await this.#sleepUntil(this.nowMs + durationMs)
    const rest = { answer: null, isCut: false, retryAfterMs: null, durationMs }
    return isInTime
      ? { ...rest, statusCode: answer.statusCode, error: null }
      : { ...rest, statusCode: null, error: 'timeout' as const }
  }

  async #d1<T>(work: () => T): Promise<T> {
    this.#d1FreeAtMs = Math.max(this.nowMs, this.#d1FreeAtMs) + BATCH_MS
    await this.#sleepUntil(this.#d1FreeAtMs)
    return work()
  }

  readonly #outbox: Outbox = {
    claim: (chain, nowMs) => this.#d1(() => this.#claim(chain, nowMs)),
    finish: (chain, { id }, { outcome }, { nowMs, claimNext, bringsBack = BROUGHT_BACK.delivered, takesOver }) =>
      this.#d1(() => {
        const delivery = this.deliveries[id] as Delivery
        delivery.attempts++
        delivery.slot = null
        if (outcome.next.kind === 'retry') delivery.nextAttemptAtMs = outcome.next.atMs
        else delivery.status = outcome.next.kind === 'delivered' ? 'delivered' : 'failed'
        if (delivery.status !== 'pending') delivery.finishedAtMs = nowMs
        const isDelivered = delivery.status === 'delivered'
        if (isDelivered) this.#failingSince.delete(chain.endpointId)
        else if (!this.#failingSince.has(chain.endpointId)) this.#failingSince.set(chain.endpointId, nowMs)
        const head = claimNext ? this.#claim(chain, nowMs) : this.#headOf(chain, nowMs)
        const count = isDelivered ? bringsBack : BROUGHT_BACK.otherwise
        if (head.kind === 'claimed') return { head, disabled: false, broughtBack: [] }
        const taken = takesOver && isDelivered ? this.#takeOver(chain, nowMs) : undefined
        const others = taken ? count - 1 : count
        const broughtBack = this.#bringBack(chain, others, nowMs, pauseMsAfter(outcome.next))
        return { head, disabled: false, broughtBack, taken }
      }),
    giveUp: async () => {
      throw new Error('no endpoint of the model is closed')
    },
  }

  #oldestOf({ endpointId, customerId }: Chain): Delivery | undefined {
    return this.deliveries.find(
      ({ chain, status }) => status === 'pending' && chain.endpointId === endpointId && chain.customerId === customerId,
    )
  }

  #headOf(chain: Chain, _nowMs: number): Head {
    const head = this.#oldestOf(chain)
    return head ? { kind: 'not_due', atMs: head.nextAttemptAtMs } : { kind: 'none' }
  }

  #claim(chain: Chain, nowMs: number): Head {
    const head = this.#oldestOf(chain)
    if (!head) return { kind: 'none' }
    if (head.claims > 0 && head.nextAttemptAtMs > nowMs) return { kind: 'not_due', atMs: head.nextAttemptAtMs }
    const taken = this.deliveries.filter(
      (other) => other.slot === 'taken' && other.chain.tenantId === chain.tenantId && other.nextAttemptAtMs > nowMs,
    )
    const ofTenant = taken.length
    const ofEndpoint = taken.filter((other) => other.chain.endpointId === chain.endpointId).length
    const isFailing = this.#failingSince.has(chain.endpointId)
    if (!hasFreeSlot({ ofTenant, ofEndpoint, isFailing })) {
      head.slot = 'waits'
      head.nextAttemptAtMs = nowMs + SLOT_WAIT_MAX_MS
      return { kind: 'not_due', atMs: head.nextAttemptAtMs }
    }
    head.claims++
    head.slot = 'taken'
    head.nextAttemptAtMs = nowMs + DELIVERY_CLAIM_MS
    this.most.ofTenant = Math.max(this.most.ofTenant, ofTenant + 1)
    this.most.ofEndpoint = Math.max(this.most.ofEndpoint, ofEndpoint + 1)
    if (isFailing && ofEndpoint === 0) this.most.probes = Math.max(this.most.probes, 1)
    if (isFailing && ofEndpoint > 0) this.most.probes = Math.max(this.most.probes, ofEndpoint + 1)
    return { kind: 'claimed', delivery: this.#claimed(head) }
  }

  #claimed(delivery: Delivery): Claimed {
    const failingSinceMs = this.#failingSince.get(delivery.chain.endpointId) ?? null
    return {
      id: this.deliveries.indexOf(delivery),
      eventId: '',
      attempt: Math.min(delivery.attempts + 1, DELIVERY_ATTEMPTS_MAX),
      claims: delivery.claims,
      endpoint: { url: '', sealedSecrets: '', failingSinceMs },
      readEvent: () => ({}) as LoggedEvent,
    }
  }

  #takeOver(chain: Chain, nowMs: number) {
    const [waiting] = this.#waiting(chain)
    if (!waiting) return undefined
    const { customerId } = waiting.chain
    const before = { ...waiting }
    waiting.nextAttemptAtMs = nowMs
    const head = this.#claim(waiting.chain, nowMs)
    if (head.kind === 'claimed') return { customerId, delivery: head.delivery }
    Object.assign(waiting, before)
    return undefined
  }

  #waiting({ endpointId }: Chain): Delivery[] {
    return this.deliveries
      .filter(({ slot, chain }) => slot === 'waits' && chain.endpointId === endpointId)
      .toSorted((a, b) => a.nextAttemptAtMs - b.nextAttemptAtMs)
  }

  #bringBack(chain: Chain, count: number, nowMs: number, pauseMs: number): string[] {
    const waiting = this.#waiting(chain).slice(0, count)
    for (const delivery of waiting) {
      delivery.slot = pauseMs === 0 ? null : 'taken'
      delivery.claims += pauseMs === 0 ? 0 : 1
      delivery.nextAttemptAtMs = nowMs + pauseMs
    }
    return waiting.map(({ chain }) => chain.customerId)
  }
}
