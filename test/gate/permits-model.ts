/**
 * Permits, adversarially: isolates that hoard, burst and die, messages that are late, lost, doubled and overtaken, a gate
 * that restarts at every pause, writers that turn into ghosts, late and drifting clocks, and policies that change meanwhile.
 * Everything the gate and the isolates decide is decided by the core that is handed in; what is modelled is the weather.
 *
 * What an observer of all edges sees is checked, in whole milliseconds of true time:
 * C1      the merged admissions never exceed burst + rate × T (during a change's wait: the larger of old and new);
 * C2      no request is admitted under a policy older than one whose change was answered, nor for a key it had revoked;
 * annual  the year's count never passes its limit, and after all is quiet it is what was admitted, to the permit.
 */

import type { GateKey } from '../../src/gate/gate-storage.ts'
import type { LeaseReply, LeaseRequest, Policy } from '../../src/gate/protocol.ts'
import { Agenda, type Dice, Network, seeded } from './discrete-events.ts'
import { DurableStore, Replaced } from './durable-store.ts'
import { type Core, ModelIsolate } from './permits-isolate.ts'
import { Observer } from './permits-observer.ts'
import { policyOf, type Weather, weatherOf } from './permits-weather.ts'

export interface PermitsRun {
  admissions: number
  calls: number
  restarts: number
  changes: number
  /** What went wrong, in words; empty when nothing did. */
  violations: string[]
}

const KEYS: GateKey[] = ['a', 'b', 'c'].map((name) => ({
  id: `key-${name}`,
  secretHash: `hash-${name}`,
  scopes: ['customers:read', 'customers:write'],
  expiresAtMs: null,
  mode: 'live',
}))
const RAISED: Partial<Policy> = { status: 'active', ratePerSecond: 1_000, burst: 2_000 }
const CLOCKS_APART_MAX_MS = 100
const ADMIN_TIMER_LATE_MAX_MS = 30

/** One run of the model. `seed` decides everything. */
export function runPermits(core: Core, seed: number): PermitsRun {
  return new PermitsWorld(core, seed).run()
}

class PermitsWorld {
  readonly #core: Core
  readonly #dice: Dice
  readonly #agenda = new Agenda()
  readonly #store = new DurableStore()
  readonly #weather: Weather
  readonly #observer: Observer
  readonly #network: Network
  readonly #counts = { calls: 0, restarts: 0, changes: 0 }
  readonly #startMs = Date.UTC(2026, 5, 1)
  readonly #annualLimit: number | null
  #policy: Policy
  #gate: InstanceType<Core['GateCore']>
  #isolates: ModelIsolate[] = []
  /** Admissions by isolates that died, or writes of a gate that did: the count may lack them. */
  #uncertain = 0
  #lostWrites = 0
  #over = false
  #gateAheadMs = 0

  constructor(core: Core, seed: number) {
    this.#core = core
    this.#dice = seeded(seed)
    this.#agenda.nowMs = this.#startMs
    this.#annualLimit = this.#dice.chance(0.3) ? this.#dice.whole(50, 3_000) : null
    this.#policy = policyOf(this.#dice, 1, this.#annualLimit)
    this.#weather = weatherOf(this.#dice, this.#policy)
    this.#observer = new Observer(this.#policy, this.#weather.gateLagMaxMs > 0, () => this.#agenda.nowMs)
    this.#network = new Network(this.#agenda, this.#dice, this.#weather)
    this.#gate = this.#boot()
    this.#setPolicy(this.#policy, KEYS)
  }

  run(): PermitsRun {
    const { isolates, restartEveryMs, deathEveryMs, changeEveryMs, writeEveryMs, sleepEveryMs, wasteEveryMs, runMs } =
      this.#weather
    for (let index = 0; index < isolates; index++) this.#addIsolate()
    this.#now(restartEveryMs, () => this.#restart())
    this.#now(deathEveryMs, () => this.#killOne())
    this.#now(changeEveryMs, () => this.#change())
    this.#now(writeEveryMs, () => this.#write())
    this.#now(sleepEveryMs, () => this.#sleep())
    this.#now(wasteEveryMs, () => this.#waste())
    this.#after(runMs, () => {
      this.#over = true
    })
    while (this.#agenda.step());
    this.#settleAccounts()
    const { admissions, violations } = this.#observer
    return { ...this.#counts, admissions, violations }
  }

  /** Again and again, on average every so many milliseconds; 0: never. */
  #now(everyMs: number, happen: () => void): void {
    if (everyMs === 0) return
    this.#after(Math.round(-Math.log(1 - this.#dice()) * everyMs), () => {
      if (this.#over) return
      happen()
      this.#now(everyMs, happen)
    })
  }

  #after(delayMs: number, happen: () => void): void {
    this.#agenda.at(this.#agenda.nowMs + Math.round(delayMs), happen)
  }

  // ── the gate ──

  /** Every start may be on another machine, whose clock says something else. */
  #boot() {
    this.#gateAheadMs = this.#dice.whole(-CLOCKS_APART_MAX_MS / 2, CLOCKS_APART_MAX_MS / 2)
    return new this.#core.GateCore(this.#store.open(), this.#dice, this.#gateMs())
  }

  #gateMs(): number {
    return this.#agenda.nowMs + this.#gateAheadMs - this.#dice.whole(0, this.#weather.gateLagMaxMs)
  }

  #restart(): void {
    this.#counts.restarts++
    if (!this.#isYearNearlyOver()) {
      const tallies = this.#store.stored.state?.annual.tallies ?? {}
      for (const isolate of this.#isolates) isolate.forget(tallies[isolate.state.tallyId])
    }
    this.#gate = this.#boot()
  }

  /** Then the gate stores every grant, so that a crash makes it forget nothing. */
  #isYearNearlyOver(): boolean {
    const { annual } = this.#store.stored.state ?? {}
    const { ratePerSecond, burst } = this.#store.stored.policy ?? this.#policy
    if (!annual || this.#annualLimit === null) return false
    const owed = Object.values(annual.tallies).reduce((sum, tally) => sum + tally.owed, 0)
    return this.#annualLimit - annual.count - owed < burst + 6 * ratePerSecond
  }

  /** Runs one event at the gate. Undefined when the gate died in the middle of it: nothing was stored, nothing is answered. */
  #atGate<T>(event: () => T): T | undefined {
    if (this.#weather.restartEveryMs === 0 || !this.#dice.chance(0.01)) return event()
    this.#store.rollBack(event)
    this.#restart()
    return undefined
  }

  /**
   * All at once, then no traffic for a while, then all at once: the gate was put to sleep meanwhile. Most telling is to
   * spend just before the horizon is stored anew, and to come back just after it.
   */
  #sleep(): void {
    const horizonMs = (this.#store.stored.state?.horizonMs ?? 0) - this.#agenda.nowMs
    const byHorizon = horizonMs > 1_100 && this.#dice.chance(0.7)
    const burst = () => {
      for (const isolate of this.#isolates) isolate.arrivals(300)
    }
    this.#after(byHorizon ? horizonMs - this.#dice.whole(1_010, 1_100) : 0, () => {
      burst()
      const leftMs = (this.#store.stored.state?.horizonMs ?? 0) - this.#agenda.nowMs
      const pauseMs = byHorizon ? leftMs + this.#dice.whole(90, 400) : this.#dice.whole(1_000, 9_000)
      this.#pause(pauseMs)
      if (this.#dice.chance(0.3)) this.#after(pauseMs - this.#dice.whole(20, 300), () => this.#change(RAISED))
      this.#after(pauseMs - 1, () => this.#restart())
      this.#after(pauseMs, burst)
    })
  }

  /**
   * The greedy take what there is and let it expire; the bucket fills; the others spend; only then do the greedy say
   * what they did not spend, and everyone spends what that brings.
   */
  #waste(): void {
    const greedy = this.#isolates.filter((isolate) => isolate.alive && isolate.greed > 0)
    for (const isolate of greedy) isolate.ask()
    const pauseMs = this.#dice.oneOf([this.#dice.whole(1_000, 1_400), this.#dice.whole(1_000, 2_500)])
    const othersSpend = this.#dice.chance(0.5)
    this.#pause(pauseMs + 500)
    this.#after(pauseMs, () => {
      for (const isolate of this.#isolates) {
        if (isolate.greed > 0 || !othersSpend) continue
        isolate.pausedUntilMs = 0
        isolate.arrivals(200)
      }
      this.#after(this.#dice.whole(1, 300), () => {
        this.#pause(0)
        for (const isolate of greedy) isolate.ask()
        for (const isolate of this.#isolates) this.#after(this.#dice.whole(1, 200), () => isolate.arrivals(200))
      })
    })
  }

  #pause(pauseMs: number): void {
    for (const isolate of this.#isolates) isolate.pausedUntilMs = this.#agenda.nowMs + pauseMs
  }

  // ── isolates ──

  #addIsolate(): void {
    const dice = this.#dice
    const isolate = new ModelIsolate(
      this.#core,
      dice,
      this.#agenda,
      this.#observer,
      this.#network,
      this.#weather,
      (request) => this.#serve(request),
    )
    this.#isolates.push(isolate)
    const meanMs = this.#weather.isolates / this.#weather.loadPerMs
    const clump = dice.oneOf([1, 1, 5, 40])
    this.#now(meanMs * clump, () => isolate.arrivals(clump))
    if (isolate.greed === 0) return
    const habit = dice.oneOf(this.#weather.habits)
    if (habit === 'late') this.#now(400, () => isolate.spendLate())
    this.#now(habit === 'asking' ? 60 : habit === 'late' ? 250 : 0, () => isolate.askForFun())
  }

  #killOne(): void {
    const victim = this.#dice.oneOf(this.#isolates)
    if (!victim.alive) return
    victim.alive = false
    this.#uncertain += victim.state.admitted
    this.#addIsolate()
  }

  #serve(request: LeaseRequest): LeaseReply | undefined {
    this.#counts.calls++
    return this.#atGate(() => this.#gate.lease(request, this.#gateMs()))
  }

  // ── writes, which take their permit at the gate ──

  #write(): void {
    const gate = this.#gate
    const credential = this.#dice.oneOf(['hash-a', 'hash-b', null])
    const atMs = this.#gateMs()
    const admission = this.#atGate(() => gate.admitWrite(credential, 'customers:write', atMs))
    if (!admission?.admitted) return
    this.#observer.admitted(admission.policy.version, credential, 'at the gate')
    const { ticket } = admission
    // Pauses in which the gate may be replaced: then this goes on as a ghost, until storage tells it.
    this.#after(this.#dice.whole(0, 60), () => {
      try {
        const intent = {
          tags: ['some'],
          changeId: `change-${this.#dice()}`,
          deadlineMs: this.#agenda.nowMs + 1_000,
          tickets: [ticket],
        }
        const { seq } = gate.beginWrite(intent, this.#gateMs())
        this.#after(this.#dice.whole(1, 300), () => {
          try {
            gate.settleWrite(seq, null)
          } catch (error) {
            if (!(error instanceof Replaced)) throw error
          }
        })
      } catch (error) {
        if (!(error instanceof Replaced)) throw error
        this.#uncertain++
        this.#lostWrites++
      }
    })
  }

  // ── policy changes ──

  #setPolicy(policy: Policy, keys: GateKey[]): number {
    const before = this.#gate.policy?.version ?? 0
    const { waitMs } = this.#gate.setPolicy(policy, keys, this.#gateMs())
    if (policy.version > before) {
      const hashes = keys.map((key) => key.secretHash)
      this.#observer.changed(policy, hashes, waitMs)
    }
    return waitMs
  }

  #change(limits: Partial<Policy> = {}): void {
    const policy = { ...policyOf(this.#dice, this.#policy.version + 1, this.#annualLimit), ...limits }
    this.#policy = policy
    this.#counts.changes++
    const keys = KEYS.filter(() => this.#dice.chance(0.8))
    let waitedFor = false
    const put = () => {
      this.#network.send(
        () => ({ waitMs: this.#atGateSet(policy, keys) }),
        ({ waitMs }) => {
          if (waitMs === undefined || waitedFor) return
          waitedFor = true
          this.#after(waitMs + (this.#dice.chance(0.5) ? 0 : this.#dice.whole(0, ADMIN_TIMER_LATE_MAX_MS)), () => {
            this.#observer.answered(policy.version)
          })
        },
        () => {
          if (!this.#over && !waitedFor) put()
        },
      )
    }
    put()
  }

  /** A change that dies with the gate is undone with it. */
  #atGateSet(policy: Policy, keys: GateKey[]): number | undefined {
    if (this.#weather.restartEveryMs > 0 && this.#dice.chance(0.1)) {
      this.#store.rollBack(() => this.#gate.setPolicy(policy, keys, this.#gateMs()))
      this.#restart()
      return undefined
    }
    const waitMs = this.#setPolicy(policy, keys)
    if (this.#weather.restartEveryMs > 0 && this.#dice.chance(0.2)) this.#restart()
    return waitMs
  }

  // ── the year's count ──

  /** Lets every isolate that lives report once more, then compares. */
  #settleAccounts(): void {
    this.#agenda.nowMs += 2_000
    for (let round = 0; round < 2; round++) {
      for (const isolate of this.#isolates) {
        if (!isolate.alive) continue
        const sentAtMs = isolate.clock()
        const reply = this.#gate.lease(this.#core.nextAsk(isolate.state, sentAtMs, 0), this.#agenda.nowMs)
        this.#core.absorb(isolate.state, reply, sentAtMs, isolate.clock(), 0)
      }
      this.#agenda.nowMs += 2_000
    }
    const { count } = this.#gate.usage(this.#agenda.nowMs)
    const { admissions } = this.#observer
    if (count > admissions) this.#observer.violated(`annual: counted ${count} of ${admissions}`)
    if (count < admissions - this.#uncertain)
      this.#observer.violated(`annual: counted ${count} of ${admissions} (${this.#uncertain} unsure)`)
    // What a crash made the gate forget of an isolate is missing until the isolate is heard again.
    const forgotten = this.#isolates.reduce((sum, isolate) => sum + isolate.forgotten, this.#lostWrites)
    if (this.#annualLimit !== null && admissions - forgotten > this.#annualLimit) {
      this.#observer.violated(`annual: ${admissions} admitted, ${this.#annualLimit} allowed`)
    }
  }
}
