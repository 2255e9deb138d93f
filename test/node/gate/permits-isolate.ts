/** An isolate of the permits model: its requests, its clock, and what it does to hurt. Its decisions are the core's. */

import type { TallyRow } from '../../../src/gate/core/annual-count.ts'
import type { LeaseReply, LeaseRequest } from '../../../src/gate/protocol/leases.ts'
import type * as CoreModule from './core.ts'
import type { Agenda, Dice, Network } from './discrete-events.ts'
import { type FaultSchedule, ISOLATES_APART_MS, LAG_MAX_MS } from './permits-fault-schedule.ts'
import type { Observer } from './permits-observer.ts'

export type Core = typeof CoreModule

const DRIFT_MAX = 5e-4
/** Requests that wait at a time, and for how long. */
const WAITING_MAX = 100
const WAIT_MAX_MS = 1_500

export class ModelIsolate {
  readonly state: InstanceType<Core['LeaseState']>
  /** Permits asked for beyond need. */
  readonly greed: number
  alive = true
  pausedUntilMs = 0
  /** Permits that were granted, and of which a gate that crashed had stored nothing. */
  forgotten = 0
  readonly core: Core
  readonly #dice: Dice
  readonly #agenda: Agenda
  readonly #observer: Observer
  readonly #network: Network
  readonly #serve: (request: LeaseRequest) => LeaseReply | undefined
  readonly #startMs: number
  readonly #endMs: number
  readonly #offsetMs: number
  readonly #drift: number
  readonly #lagMs: number
  #readMs = Number.NEGATIVE_INFINITY
  /** Permits of answers that have not arrived, and may never. */
  #underWay = 0
  /** Reads its clock as late as it can be. */
  #late = false
  #waiting: { credential: string | null; untilMs: number }[] = []
  /** Each so many admissions, a request turns out to cost so many permits more; null: none does. */
  readonly #costly: { each: number; permits: number } | null
  #admissions = 0
  /** The permits of this isolate that the observer has seen. */
  #observed = 0

  constructor(
    core: Core,
    dice: Dice,
    agenda: Agenda,
    observer: Observer,
    network: Network,
    faults: FaultSchedule,
    offMs: number,
    serve: (request: LeaseRequest) => LeaseReply | undefined,
    costly: { each: number; permits: number } | null,
  ) {
    this.#costly = costly
    this.core = core
    this.#dice = dice
    this.#agenda = agenda
    this.#observer = observer
    this.#network = network
    this.#serve = serve
    this.state = new core.LeaseState(`tally-${dice()}`)
    this.#startMs = agenda.nowMs
    this.#endMs = agenda.nowMs + faults.runMs
    this.#offsetMs = agenda.nowMs + offMs + dice.whole(-ISOLATES_APART_MS, ISOLATES_APART_MS)
    this.#drift = (2 * dice() - 1) * DRIFT_MAX
    this.#lagMs = dice.chance(0.5) ? LAG_MAX_MS : dice.whole(0, LAG_MAX_MS)
    this.greed = dice.chance(faults.greedyShare) ? dice.oneOf([10, 100, 5_000]) : 0
  }

  clock(): number {
    const lagMs = this.#late ? this.#lagMs : this.#dice.chance(0.3) ? this.#dice.whole(0, this.#lagMs) : 0
    const elapsedMs = (this.#agenda.nowMs - this.#startMs) * (1 + this.#drift)
    this.#readMs = Math.max(this.#readMs, Math.floor(elapsedMs) + this.#offsetMs - lagMs)
    return this.#readMs
  }

  arrivals(requests: number): void {
    if (!this.alive || this.#agenda.nowMs < this.pausedUntilMs) return
    for (let request = 0; request < requests; request++) this.#request()
  }

  spendLate(): void {
    const last = this.state.grants.at(-1)
    if (!last || last.left === 0) return
    // The instant at which a clock that is as late as it can be shows the last millisecond of the grant.
    const atMs = this.#startMs + (last.expiresAtMs - 1 - this.#offsetMs) / (1 + this.#drift) + this.#lagMs
    this.pausedUntilMs = Math.floor(atMs)
    this.#after(Math.floor(atMs) - this.#agenda.nowMs, () => {
      this.#late = true
      this.arrivals(this.#dice.whole(1, 400))
      this.#late = false
    })
  }

  #request(): void {
    const { state } = this
    const credential = this.#dice.oneOf(['hash-a', 'hash-b', 'hash-c', null])
    const decision = this.core.admit(state, this.clock(), credential)
    this.#observe(decision === 'admitted' ? credential : undefined, 'from the lease held')
    if (decision === 'needs_lease' && this.#waiting.length < WAITING_MAX) {
      this.#waiting.push({ credential, untilMs: this.#agenda.nowMs + WAIT_MAX_MS })
    }
    this.#askIfNeeded()
  }

  /**
   * Shows the observer each permit that was spent since: by what was owed, and by the request of `credential`, undefined
   * if there is none. Then that request may turn out to cost more.
   */
  #observe(credential: string | null | undefined, where: string): void {
    const version = this.state.policy?.version ?? 0
    const owed = this.state.admitted - this.#observed - (credential === undefined ? 0 : 1)
    this.#observed = this.state.admitted
    for (let permit = 0; permit < owed; permit++) this.#observer.admitted(version, null, `for work, ${where}`)
    if (credential === undefined) return
    this.#observer.admitted(version, credential, where)
    if (!this.#costly || ++this.#admissions % this.#costly.each !== 0) return
    this.core.charge(this.state, this.clock(), this.#costly.permits)
    this.#observe(undefined, 'at once')
  }

  #askIfNeeded(): void {
    if (!this.alive) return
    const nowMs = this.clock()
    if (this.core.isRequesting(this.state, nowMs)) return
    if (this.#waiting.length > 0 || this.#pays(nowMs) || this.core.shouldRenew(this.state, nowMs)) this.ask()
  }

  /** True if the isolate calls the gate for what it owes: not for ever, nor where the tenant gets no permits. */
  #pays(nowMs: number): boolean {
    const { owed, backoffUntilMs, refusal } = this.state
    return owed > 0 && nowMs >= backoffUntilMs && refusal === null && this.#agenda.nowMs < this.#endMs
  }

  /** The gate crashed, with only `stored` of this isolate left. */
  forget(stored: TallyRow | undefined): void {
    const held = this.state.grants.reduce((sum, grant) => sum + grant.left, this.#underWay)
    const known = (stored?.admitted ?? 0) + (stored?.owed ?? 0)
    this.forgotten = Math.max(this.forgotten, this.state.admitted + held - known)
  }

  /** Requests a lease that the isolate does not need. */
  requestForFun(): void {
    if (this.alive && !this.core.isRequesting(this.state, this.clock())) this.ask()
  }

  /** `extra` permits are asked for beyond need. */
  ask(extra = 0): void {
    if (!this.alive) return
    const sentAtMs = this.clock()
    this.#waiting = this.#waiting.filter((waiter) => waiter.untilMs > this.#agenda.nowMs)
    this.#after(310, () => {
      if (this.#waiting.length > 0) this.#askIfNeeded()
    })
    const request = this.core.nextRequest(this.state, sentAtMs, this.#waiting.length)
    request.want += extra
    if (this.greed > 0 && this.#dice.chance(0.5)) request.want += this.greed
    this.#network.send(
      () => {
        const reply = this.#serve(request)
        if (reply?.kind === 'lease') this.#underWay += reply.grant?.permits ?? 0
        return reply
      },
      (reply) => this.#receive(reply, sentAtMs),
      () => {
        if (this.alive) this.core.absorbFailure(this.state, sentAtMs, this.clock(), this.#dice())
      },
    )
  }

  #receive(reply: LeaseReply, sentAtMs: number): void {
    if (!this.alive) return
    if (reply.kind === 'lease') this.#underWay = Math.max(0, this.#underWay - (reply.grant?.permits ?? 0))
    this.core.absorb(this.state, reply, sentAtMs, this.clock(), this.#dice())
    this.#observe(undefined, 'in a reply')
    const waiting = this.#waiting
    this.#waiting = []
    for (const waiter of waiting) {
      const decision = this.core.admit(this.state, this.clock(), waiter.credential, true)
      if (decision === 'needs_lease') this.#waiting.push(waiter)
      this.#observe(decision === 'admitted' ? waiter.credential : undefined, 'after an ask')
    }
    this.#askIfNeeded()
  }

  #after(delayMs: number, happen: () => void): void {
    this.#agenda.at(this.#agenda.nowMs + delayMs, happen)
  }
}
