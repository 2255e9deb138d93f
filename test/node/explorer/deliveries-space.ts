/**
 * The space of deliveries: at every state each thing that may happen to a message, a consumer, a receiver and the sweep is tried.
 * A consumer that dies is one that does nothing more, and a message that is lost is one that never arrives. Messages overtake each
 * other. The receiver has a delivery as soon as it is sent; its answer may come after the claim is over.
 *
 * A state is [database, queue, workers, receiver, milliseconds so far, what is left].
 */
import { DELIVERY_CLAIM_MS } from '../../../src/events/outbox.ts'
import { Interned } from './components.ts'
import type { DeliveriesCore } from './deliveries-core.ts'
import type { DeliveriesEvent, DeliveriesScenario } from './deliveries-events.ts'
import { DeliveriesWorld, type Job, type Message, RESPONSES, START_MS } from './deliveries-world.ts'
import { NotYet, type Reach, type Space } from './search.ts'

const BITS = {
  commits: 3,
  ticks: 3,
  fails: 3,
  gones: 2,
  doubles: 2,
  losses: 2,
  sweeps: 2,
  redeliveries: 2,
  hurries: 1,
  suspensions: 2,
}
type Budget = keyof typeof BITS

const SHIFT = {} as Record<Budget, number>
let bits = 0
for (const budget of Object.keys(BITS) as Budget[]) {
  SHIFT[budget] = bits
  bits += BITS[budget]
}

const Kind = {
  Commit: 0,
  Begin: 1,
  Trip: 2,
  Respond: 3,
  Tick: 4,
  Sweep: 5,
  Redeliver: 6,
  Hurry: 7,
  Suspend: 8,
  Resume: 9,
} as const

/** When a delivery is due that waits for another of its customer. */
const NEVER_MS = 8_640_000_000_000_000

const [DATABASE, QUEUE, WORKERS, RECEIVER, TIME, LEFT] = [0, 1, 2, 3, 4, 5] as const

/** The newest delivery of each customer that the receiver got, and those that it answered with 200. */
interface Receiver {
  newest: Record<string, number>
  accepted: readonly number[]
}

export class DeliveriesSpace implements Space<DeliveriesEvent> {
  readonly width = 6
  readonly next = new Int32Array(6)
  violation: string | null = null
  readonly world: DeliveriesWorld
  /** Most deliveries that were under way at a time. */
  mostTaken = 0
  /** True once a delivery waited for a slot. */
  hasWaited = false
  readonly #scenario: DeliveriesScenario
  readonly #queues = new Interned<readonly Message[]>()
  readonly #working = new Interned<readonly number[]>()
  readonly #receivers = new Interned<Receiver>()
  readonly #jobOf = new Map<number, Job>()
  readonly #judged = new Map<number, string | null>()
  readonly #suspend: number
  readonly #resume: number
  readonly #lost: number

  constructor(core: DeliveriesCore, scenario: DeliveriesScenario) {
    this.#scenario = scenario
    this.world = new DeliveriesWorld(core)
    this.#suspend = this.world.trip(`UPDATE tenants SET status = 'suspended' WHERE status = 'active'`, [])
    this.#resume = this.world.trip(`UPDATE tenants SET status = 'active' WHERE status = 'suspended'`, [])
    this.#lost = this.world.database.answers.id({ error: 'D1_ERROR: Network connection lost.' })
  }

  initial(): number[] {
    const { commits, ticks, fails = 0, gones = 0, doubles = 0, losses = 0 } = this.#scenario
    const { sweeps = 0, redeliveries = 0, hurries = 0, suspensions = 0 } = this.#scenario
    const budgets = { commits: commits.length, ticks, fails, gones, doubles, losses }
    let left = 0
    for (const [name, times] of Object.entries({ ...budgets, sweeps, redeliveries, hurries, suspensions })) {
      left |= times << SHIFT[name as Budget]
    }
    return [0, this.#queues.id([]), this.#working.id([]), this.#receivers.id({ newest: {}, accepted: [] }), 0, left]
  }

  expand(states: Int32Array, at: number, reach: Reach): void {
    const { world, next } = this
    const { database } = world
    const databaseId = states[at + DATABASE] as number
    const queue = this.#queues.of(states[at + QUEUE] as number)
    const working = this.#working.of(states[at + WORKERS] as number)
    const timeMs = states[at + TIME] as number
    const left = states[at + LEFT] as number
    const nowMs = START_MS + timeMs
    const leftOf = (budget: Budget) => (left >>> SHIFT[budget]) & ((1 << BITS[budget]) - 1)
    const has = (budget: Budget) => leftOf(budget) > 0
    const begin = (budget: Budget | null = null) => {
      for (let place = 0; place < this.width; place++) next[place] = states[at + place] as number
      if (budget !== null) next[LEFT] = left - (1 << SHIFT[budget])
    }
    const end = (kind: number, a = 0, b = 0) => {
      this.#judge(nowMs)
      reach(kind, a, b)
    }
    const start = (job: Job) => this.#go(this.#lifeOf(job, nowMs), working)

    if (has('commits')) {
      const nth = this.#scenario.commits.length - leftOf('commits')
      const customer = this.#scenario.commits[nth] as string
      begin('commits')
      next[DATABASE] = database.run(databaseId, world.commitOf(nth + 1, customer), nowMs)[0]
      start({ kind: 'enqueue', customerId: customer })
      end(Kind.Commit, nth)
    }
    for (const [place, { customerId, notBeforeMs }] of queue.entries()) {
      if (notBeforeMs > nowMs) continue
      for (const isDoubled of has('doubles') ? [false, true] : [false]) {
        begin(isDoubled ? 'doubles' : null)
        if (!isDoubled) next[QUEUE] = this.#queues.id(queue.filter((_, other) => other !== place))
        start({ kind: 'drain', customerId })
        end(Kind.Begin, place, isDoubled ? 1 : 0)
      }
    }
    for (const [place, life] of working.entries()) {
      const others = working.filter((_, other) => other !== place)
      const [waiting] = world.workers.standing(life).calls
      if (!waiting) throw new Error('a worker waits for nothing and has not ended')
      const { call, asked } = waiting
      if ('trip' in asked) {
        // A trip takes less time than a claim lives. A consumer that got no answer until then has died.
        if (nowMs - world.workers.lastMs(life) >= DELIVERY_CLAIM_MS) continue
        const [after, answer] = database.run(databaseId, asked.trip, nowMs)
        begin()
        next[DATABASE] = after
        this.#go(this.#longer(life, call, answer, nowMs), others)
        end(Kind.Trip, life, 0)
        if (!has('losses')) continue
        begin('losses')
        next[DATABASE] = after
        this.#go(this.#longer(life, call, this.#lost, nowMs), others)
        end(Kind.Trip, life, 1)
        continue
      }
      for (const response of RESPONSES.keys()) {
        const budget = ([null, 'fails', 'gones'] as const)[response] as Budget | null
        if (budget !== null && !has(budget)) continue
        begin(budget)
        if (response === 0) this.#accept(asked.post)
        this.#go(this.#longer(life, call, response, nowMs), others)
        end(Kind.Respond, life, response)
      }
    }
    if (has('ticks')) {
      for (const [step, ms] of this.#scenario.stepsMs.entries()) {
        begin('ticks')
        next[TIME] = timeMs + ms
        end(Kind.Tick, step)
      }
    }
    const also = (budget: Budget, kind: number, job: Job['kind']) => {
      if (!has(budget)) return
      begin(budget)
      start({ kind: job } as Job)
      end(kind)
    }
    also('sweeps', Kind.Sweep, 'sweep')
    if (leftOf('commits') < this.#scenario.commits.length) also('redeliveries', Kind.Redeliver, 'redeliver')
    also('hurries', Kind.Hurry, 'hurry')
    const [suspended] = has('suspensions') ? database.run(databaseId, this.#suspend, nowMs) : [databaseId]
    if (suspended !== databaseId) {
      begin('suspensions')
      next[DATABASE] = suspended
      end(Kind.Suspend)
    }
    const [active] =
      (this.#scenario.suspensions ?? 0) > 0 ? database.run(databaseId, this.#resume, nowMs) : [databaseId]
    if (active !== databaseId) {
      begin()
      next[DATABASE] = active
      start({ kind: 'resume' })
      end(Kind.Resume)
    }
  }

  #lifeOf(job: Job, nowMs: number): number {
    const life = this.world.workers.begin(this.world.jobs.id(job), nowMs)
    this.#jobOf.set(life, job)
    return life
  }

  #longer(life: number, call: number, answer: number, nowMs: number): number {
    const longer = this.world.workers.longer(life, 0, call, answer, nowMs)
    this.#jobOf.set(longer, this.#jobOf.get(life) as Job)
    return longer
  }

  /** Lets a worker go on beside the others, up to its next call: what it sends reaches the queue or the receiver. */
  #go(life: number, others: readonly number[]): void {
    const { next, world } = this
    const { sent, calls } = world.workers.standing(life)
    if (sent !== null) {
      const queue = [...this.#queues.of(next[QUEUE] as number)]
      for (const message of sent) {
        const isKnown = queue.some(
          ({ customerId, notBeforeMs }) => customerId === message.customerId && notBeforeMs === message.notBeforeMs,
        )
        if (!isKnown) queue.push(message)
      }
      queue.sort((a, b) => a.notBeforeMs - b.notBeforeMs || (a.customerId < b.customerId ? -1 : 1))
      next[QUEUE] = this.#queues.id(queue)
      next[WORKERS] = this.#working.id([...others])
      return
    }
    next[WORKERS] = this.#working.id([...others, life].sort((a, b) => a - b))
    const asked = calls[0]?.asked
    if (!asked || !('post' in asked)) return
    this.#receive(asked.post, asked.customerId)
    const nowMs = world.workers.lastMs(life)
    for (const other of others) {
      const theirs = world.workers.standing(other).calls[0]?.asked
      if (!theirs || !('post' in theirs) || theirs.customerId !== asked.customerId) continue
      if (nowMs - world.workers.lastMs(other) < DELIVERY_CLAIM_MS)
        this.violation ??= `two consumers attempt the deliveries of customer ${asked.customerId} at once`
    }
  }

  #receive(delivery: number, customerId: string): void {
    const { newest, accepted } = this.#receivers.of(this.next[RECEIVER] as number)
    if ((newest[customerId] ?? 0) > delivery)
      this.violation ??= `delivery ${delivery} of customer ${customerId} is attempted after delivery ${newest[customerId]}`
    const merged = { ...newest, [customerId]: Math.max(delivery, newest[customerId] ?? 0) }
    const sorted = Object.fromEntries(Object.entries(merged).sort(([a], [b]) => (a < b ? -1 : 1)))
    this.next[RECEIVER] = this.#receivers.id({ newest: sorted, accepted })
  }

  #accept(delivery: number): void {
    const { newest, accepted } = this.#receivers.of(this.next[RECEIVER] as number)
    const all = [...new Set([...accepted, delivery])].sort((a, b) => a - b)
    this.next[RECEIVER] = this.#receivers.id({ newest, accepted: all })
  }

  #judge(nowMs: number): void {
    if (this.violation !== null) return
    const { next } = this
    const databaseId = next[DATABASE] as number
    this.violation =
      this.#judgeDeliveries(databaseId, next[RECEIVER] as number, nowMs) ?? this.#judgeEnd(databaseId, nowMs)
  }

  #judgeDeliveries(databaseId: number, receiver: number, nowMs: number): string | null {
    const { deliveries, isEnabled } = this.world.database.of(databaseId).facts
    const { accepted } = this.#receivers.of(receiver)
    const { SLOTS, DELIVERY_ATTEMPTS_MAX } = this.world.core
    let taken = 0
    for (const { id, status, slot, nextAttemptAtMs, attempts, customerId } of deliveries) {
      if (slot === 'taken' && nextAttemptAtMs > nowMs) taken++
      if (slot === 'waits') this.hasWaited = true
      if (status === 'delivered' && !accepted.includes(id)) return `delivery ${id} is delivered, and was never accepted`
      const isDue = attempts >= DELIVERY_ATTEMPTS_MAX || (this.#scenario.gones ?? 0) > 0
      if (status === 'failed' && !isDue) return `delivery ${id} was given up after ${attempts} attempts`
      if (status !== 'pending' && slot !== null) return `delivery ${id} is at its end and has a slot`
      if (status === 'failed' && isEnabled && attempts === 0) return `delivery ${id} was given up without an attempt`
      const isBehind = deliveries.some(
        (other) => other.customerId === customerId && other.id < id && other.status === 'pending',
      )
      if (status === 'pending' && !isBehind && nextAttemptAtMs >= NEVER_MS)
        return `delivery ${id} is the next of its customer and is never due: the sweep does not find it`
      if (isBehind && status !== 'pending')
        return `delivery ${id} came to its end before an earlier one of its customer`
    }
    const waits = deliveries.some(({ slot }) => slot === 'waits')
    const goesOn = deliveries.some(
      ({ status, slot, nextAttemptAtMs }) => status === 'pending' && slot !== 'waits' && nextAttemptAtMs < NEVER_MS,
    )
    if (waits && !goesOn && (this.#scenario.suspensions ?? 0) === 0)
      return 'deliveries wait for a slot, and none is under way or due that would bring them back'
    this.mostTaken = Math.max(this.mostTaken, taken)
    if (taken > Math.max(SLOTS.endpointMax, SLOTS.probesMax)) return `${taken} deliveries of an endpoint are under way`
    return null
  }

  /** Whatever is lost from here on, each delivery comes to its end. When a state of D1 was reached does not matter: days pass. */
  #judgeEnd(databaseId: number, nowMs: number): string | null {
    const known = this.#scenario.playsOn ? this.#judged.get(databaseId) : null
    if (known !== undefined) return known
    throw new NotYet(
      this.world.leftAfterAll(databaseId, nowMs).then((left) => {
        this.#judged.set(databaseId, left)
      }),
    )
  }

  beginPath(): void {}

  tell(states: Int32Array, at: number, kind: number, a: number, b: number): DeliveriesEvent {
    switch (kind) {
      case Kind.Commit:
        return { kind: 'commit', customer: this.#scenario.commits[a] as string }
      case Kind.Begin: {
        const message = this.#queues.of(states[at + QUEUE] as number)[a] as Message
        return { kind: 'begin', what: `customer ${message.customerId}`, isDoubled: b === 1 }
      }
      case Kind.Trip:
        return { kind: 'trip', worker: this.#nameOf(a), isLost: b === 1 }
      case Kind.Respond:
        return { kind: 'respond', worker: this.#nameOf(a), status: RESPONSES[b] as number }
      case Kind.Tick:
        return { kind: 'tick', ms: this.#scenario.stepsMs[a] as number }
      case Kind.Sweep:
        return { kind: 'sweep' }
      case Kind.Redeliver:
        return { kind: 'redeliver' }
      case Kind.Hurry:
        return { kind: 'hurry' }
      case Kind.Suspend:
        return { kind: 'suspend' }
      default:
        return { kind: 'resume' }
    }
  }

  #nameOf(life: number): string {
    const job = this.#jobOf.get(life) as Job
    if (job.kind === 'drain') return `the consumer of customer ${job.customerId}`
    return job.kind === 'enqueue' ? 'the enqueuer after the commit' : `the ${job.kind}`
  }
}
