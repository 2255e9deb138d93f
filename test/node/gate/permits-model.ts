/**
 * A model of permits under faults: isolates that hoard, burst and die, messages that are late, lost, doubled and
 * overtaken, a gate that restarts at every pause, writers that turn into ghosts, late and drifting clocks, and policies
 * that change meanwhile. The gate's clock loses time for good and is right after a restart; an isolate's may be minutes
 * off. The core that is passed in makes every decision of the gate and the isolates; the model makes the fault
 * schedule.
 *
 * An observer of all isolates and the gate checks these rules, in whole milliseconds of true time:
 * C1      the merged admissions never exceed burst + rate × T (during a change's wait: the larger of old and new);
 * C2      no request is admitted under a policy older than one whose change was answered, nor for a key it had revoked;
 * annual  the year's count never exceeds its limit, and at the end it equals the admitted requests exactly.
 */

import type { GateKey } from '../../../src/gate/core/gate-storage.ts'
import type { LeaseReply, LeaseRequest, Policy } from '../../../src/gate/protocol/leases.ts'
import { Agenda, type Dice, Network, seeded } from './discrete-events.ts'
import { DurableStore, Replaced } from './durable-store.ts'
import { GateClock } from './gate-clock.ts'
import { type FaultSchedule, faultScheduleOf, ISOLATES_APART_MS, policyOf } from './permits-fault-schedule.ts'
import { type Core, ModelIsolate } from './permits-isolate.ts'
import { Observer } from './permits-observer.ts'

export interface PermitsRun {
  admissions: number
  calls: number
  restarts: number
  changes: number
  /** The violations in words; empty if there are none. */
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
/** How long after the horizon a start takes what was granted before for dead. */
const SLACK_MS = 2_100
const ADMIN_TIMER_LATE_MAX_MS = 30

/**
 * One run of the model. `seed` decides everything. With several cores each isolate has one of them and each start of
 * the gate another: a deployment that rolls forward and back. With `isCostly` some requests take further permits after
 * their work.
 */
export function runPermits(core: Core | readonly Core[], seed: number, isCostly = false): PermitsRun {
  return new PermitsSimulation([core].flat(), seed, isCostly).run()
}

class PermitsSimulation {
  readonly #cores: readonly Core[]
  readonly #dice: Dice
  readonly #agenda = new Agenda()
  readonly #store = new DurableStore()
  readonly #faults: FaultSchedule
  readonly #observer: Observer
  readonly #network: Network
  readonly #gateClock: GateClock
  readonly #counts = { calls: 0, restarts: 0, changes: 0 }
  readonly #startMs = Date.UTC(2026, 5, 1)
  readonly #annualLimit: number | null
  readonly #costly: { each: number; permits: number } | null
  #policy: Policy
  #gate: InstanceType<Core['GateCore']>
  #isolates: ModelIsolate[] = []
  /** Admissions by isolates that died, or writes of a gate that did: the count may lack them. */
  #uncertain = 0
  #lostWrites = 0
  #over = false

  constructor(cores: readonly Core[], seed: number, isCostly: boolean) {
    // Often a few permits, or seldom more than the burst of most tenants.
    this.#costly = !isCostly ? null : seed % 2 === 0 ? { each: 3, permits: 2 } : { each: 40, permits: 300 }
    this.#cores = cores
    this.#dice = seeded(seed)
    this.#agenda.nowMs = this.#startMs
    this.#annualLimit = this.#dice.chance(0.3) ? this.#dice.whole(50, 3_000) : null
    this.#policy = policyOf(this.#dice, 1, this.#annualLimit)
    this.#faults = faultScheduleOf(this.#dice, this.#policy)
    this.#observer = new Observer(this.#policy, this.#faults.gateLagMaxMs > 0, () => this.#agenda.nowMs)
    this.#network = new Network(this.#agenda, this.#dice, this.#faults)
    this.#gateClock = new GateClock(this.#agenda, this.#dice, this.#faults)
    this.#gate = this.#boot()
    this.#setPolicy(this.#policy, KEYS)
  }

  run(): PermitsRun {
    const { isolates, restartEveryMs, deathEveryMs, changeEveryMs, writeEveryMs, sleepEveryMs, wasteEveryMs, runMs } =
      this.#faults
    const { crashEveryMs, firstIsolateOffMs } = this.#faults
    this.#addIsolate(firstIsolateOffMs)
    for (let index = 1; index < isolates; index++) this.#addIsolate()
    this.#now(crashEveryMs, () => this.#crash())
    this.#now(this.#gateClock.computesEveryMs, () => this.#gateClock.compute())
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

  #boot() {
    const { GateCore } = this.#anyCore()
    return this.#gateClock.start((nowMs) => new GateCore(this.#store.open(), this.#dice, nowMs))
  }

  #anyCore(): Core {
    return this.#cores.length === 1 ? (this.#cores[0] as Core) : this.#dice.oneOf(this.#cores)
  }

  /** Everyone takes what there is, the gate crashes, and the policy may change while all of it can still be spent. */
  #crash(): void {
    for (const isolate of this.#isolates) isolate.ask(5_000)
    this.#pause(2 * this.#faults.delayMaxMs)
    this.#after(2 * this.#faults.delayMaxMs, () => {
      this.#restart()
      if (this.#dice.chance(0.7)) this.#after(this.#dice.whole(0, 100), () => this.#change())
      // A few requests at a time still spend the permits that the isolate holds. Many would need more permits, and the
      // request for them would bring the change.
      const atOnce = this.#dice.oneOf([1, 1, 100])
      for (const isolate of this.#isolates) {
        for (let times = 0; times < 8; times++) this.#after(this.#dice.whole(1, 900), () => isolate.arrivals(atOnce))
      }
    })
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

  /**
   * Runs one event at the gate. Undefined when the gate died in the middle of it: nothing was stored, nothing is
   * answered.
   */
  #atGate<T>(event: () => T): T | undefined {
    if (this.#faults.restartEveryMs === 0 || !this.#dice.chance(0.01)) return event()
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
      const pauseMs = byHorizon
        ? leftMs + SLACK_MS + this.#dice.whole(-10, this.#dice.oneOf([300, 1_500]))
        : this.#dice.whole(1_000, 9_000)
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

  #addIsolate(offMs = 0): void {
    const dice = this.#dice
    const isolate = new ModelIsolate(
      this.#anyCore(),
      dice,
      this.#agenda,
      this.#observer,
      this.#network,
      this.#faults,
      offMs,
      (request) => this.#serve(request, offMs),
      this.#costly,
    )
    this.#isolates.push(isolate)
    const meanMs = this.#faults.isolates / this.#faults.loadPerMs
    const clump = dice.oneOf([1, 1, 5, 40])
    this.#now(meanMs * clump, () => isolate.arrivals(clump))
    if (isolate.greed === 0) return
    const habit = dice.oneOf(this.#faults.habits)
    if (habit === 'late') this.#now(400, () => isolate.spendLate())
    this.#now(habit === 'asking' ? 60 : habit === 'late' ? 250 : 0, () => isolate.requestForFun())
  }

  #killOne(): void {
    const victim = this.#dice.oneOf(this.#isolates)
    if (!victim.alive) return
    victim.alive = false
    this.#uncertain += victim.state.admitted
    this.#addIsolate()
  }

  #serve(request: LeaseRequest, offMs: number): LeaseReply | undefined {
    this.#counts.calls++
    const reply = this.#atGate(() => this.#gate.lease(request, this.#gateClock.now()))
    // A late isolate counts for the gate only where it is the only one: see `WallClock`.
    if (reply && (offMs >= 0 || this.#faults.isolates === 1)) this.#gateClock.wasObserved()
    return reply
  }

  // ── writes, which take their permit at the gate ──

  #write(): void {
    const gate = this.#gate
    const credential = this.#dice.oneOf(['hash-a', 'hash-b', null])
    const atMs = this.#gateClock.now()
    const isolate = this.#dice.oneOf(this.#isolates)
    const sender = { sentAtMs: isolate.clock(), isolate: isolate.state.tallyId }
    const admission = this.#atGate(() => gate.admitWrite(credential, 'customers:write', sender, atMs))
    if (!admission?.admitted) return
    this.#observer.admitted(admission.policy.version, credential, 'at the gate')
    const { ticket } = admission
    // Pauses in which the gate may be replaced. The old gate then continues as a ghost, until its storage throws
    // `Replaced`.
    this.#after(this.#dice.whole(0, 60), () => {
      try {
        const intent = {
          tags: ['some'],
          deadlineMs: this.#agenda.nowMs + 1_000,
          tickets: [ticket],
        }
        const { seq } = gate.beginWrite(intent, this.#gateClock.now())
        this.#after(this.#dice.whole(1, 300), () => gate.settleWrite(seq, null))
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
    // The message of a change carries its sender's clock, and the gate has just received D1's time.
    const sentAtMs = this.#agenda.nowMs - this.#dice.whole(0, ISOLATES_APART_MS)
    this.#gate.noteClock({ sentAtMs, isolate: null }, this.#gateClock.now())
    const { waitMs } = this.#gate.setPolicy(policy, keys, this.#gateClock.now())
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
    if (this.#faults.restartEveryMs > 0 && this.#dice.chance(0.1)) {
      this.#store.rollBack(() => this.#gate.setPolicy(policy, keys, this.#gateClock.now()))
      this.#restart()
      return undefined
    }
    const waitMs = this.#setPolicy(policy, keys)
    if (this.#faults.restartEveryMs > 0 && this.#dice.chance(0.2)) this.#restart()
    return waitMs
  }

  // ── the year's count ──

  /** Lets every isolate that lives report once more, then compares. */
  #settleAccounts(): void {
    this.#agenda.nowMs += 2_000
    // Nobody reports permits that would pay for it now.
    for (const isolate of this.#isolates) isolate.state.owed = 0
    // One round more for isolates that do not know yet which version the gate gateVersion.
    for (let round = 0; round < 3; round++) {
      for (const isolate of this.#isolates) {
        if (!isolate.alive) continue
        const sentAtMs = isolate.clock()
        const { nextRequest, absorb } = isolate.core
        absorb(
          isolate.state,
          this.#gate.lease(nextRequest(isolate.state, sentAtMs, 0), this.#gateClock.now()),
          sentAtMs,
          isolate.clock(),
          0,
        )
      }
      this.#agenda.nowMs += 2_000
    }
    const { count } = this.#gate.usage(this.#gateClock.now())
    const { admissions } = this.#observer
    if (count > admissions) this.#observer.violated(`annual: counted ${count} of ${admissions}`)
    if (count < admissions - this.#uncertain)
      this.#observer.violated(`annual: counted ${count} of ${admissions} (${this.#uncertain} unsure)`)
    // Admissions of an isolate that a crash made the gate forget are missing until the isolate reports again.
    const forgotten = this.#isolates.reduce((sum, isolate) => sum + isolate.forgotten, this.#lostWrites)
    if (this.#annualLimit !== null && admissions - forgotten > this.#annualLimit) {
      this.#observer.violated(`annual: ${admissions} admitted, ${this.#annualLimit} allowed`)
    }
  }
}
