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
import type * as CoreModule from './core.ts'
import { Agenda, type Dice, Meter, seeded } from './discrete-events.ts'
import { DurableStore, Replaced } from './durable-store.ts'

export type Core = typeof CoreModule

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
/** Requests that one isolate lets wait at a time. */
const WAITING_MAX = 100
const RAISED: Partial<Policy> = { status: 'active', ratePerSecond: 1_000, burst: 2_000 }
const LAG_MAX_MS = 40
/** Once for the refill, once for the expiry of permits that isolates with late clocks still spend. */
const GATE_LAG_WEIGHT = 2
const DRIFT_MAX = 5e-4
const ADMIN_TIMER_LATE_MAX_MS = 30

/** The weather of one run. A rate of 0 means never. */
interface Weather {
  isolates: number
  runMs: number
  loadPerMs: number
  delayMaxMs: number
  lossShare: number
  doubleShare: number
  restartEveryMs: number
  deathEveryMs: number
  changeEveryMs: number
  writeEveryMs: number
  sleepEveryMs: number
  wasteEveryMs: number
  /** Isolates that ask for more than they need; what they do with it is `habits`. */
  greedyShare: number
  habits: readonly Habit[]
  /** The gate's own clock reads late by up to this. */
  gateLagMaxMs: number
}

/** The greedy spend at the last moment their clock allows, or ask and report all the time, or keep quiet. */
type Habit = 'late' | 'asking' | 'quiet'

const FAIR: Partial<Weather> = {
  lossShare: 0,
  doubleShare: 0,
  restartEveryMs: 0,
  deathEveryMs: 0,
  changeEveryMs: 0,
  writeEveryMs: 0,
  sleepEveryMs: 0,
  wasteEveryMs: 0,
  gateLagMaxMs: 0,
}

/** Half of the runs are everything at once; the others have one thing only, for what hides in a storm. */
function weatherOf(dice: Dice, policy: Policy): Weather {
  const storm: Weather = {
    isolates: dice.whole(1, 8),
    runMs: dice.whole(4_000, 18_000),
    loadPerMs: (policy.ratePerSecond / 1_000) * dice.oneOf([0.2, 0.6, 1, 1.5, 3, 6]),
    delayMaxMs: dice.oneOf([2, 10, 60, 250, 600]),
    lossShare: dice.oneOf([0, 0.03, 0.15]),
    doubleShare: dice.oneOf([0, 0.05, 0.2]),
    restartEveryMs: dice.oneOf([0, 0, 9_000, 4_000, 1_500]),
    deathEveryMs: dice.oneOf([0, 0, 3_000]),
    changeEveryMs: dice.oneOf([0, 0, 2_500, 800]),
    writeEveryMs: dice.oneOf([0, 300, 40]),
    sleepEveryMs: dice.oneOf([0, 0, 4_000]),
    wasteEveryMs: dice.oneOf([0, 0, 3_000]),
    greedyShare: dice.oneOf([0, 0.3, 0.6]),
    habits: ['late', 'asking', 'quiet'],
    gateLagMaxMs: dice.chance(0.2) ? LAG_MAX_MS : 0,
  }
  const near = dice.oneOf([2, 10])
  return dice.oneOf<() => Weather>([
    () => storm,
    () => storm,
    () => storm,
    () => storm,
    () => ({ ...storm, ...FAIR, delayMaxMs: near, wasteEveryMs: 2_500, greedyShare: 0.5, habits: ['quiet'] }),
    () => ({ ...storm, ...FAIR, delayMaxMs: near, greedyShare: 0.7, habits: ['late', 'asking'], doubleShare: 0.2 }),
    () => ({ ...storm, ...FAIR, delayMaxMs: near, sleepEveryMs: 2_500, writeEveryMs: dice.oneOf([0, 40]) }),
    () => ({ ...storm, ...FAIR, changeEveryMs: 900, greedyShare: 0.5, habits: ['late', 'quiet'] }),
  ])()
}

function policyOf(dice: Dice, version: number, annualLimit: number | null): Policy {
  const ratePerSecond = dice.oneOf([5, 10, 40, 100, 200, 1_000, 1_000])
  return {
    version,
    tier: 'custom',
    status: version > 1 && dice.chance(0.15) ? 'suspended' : 'active',
    ratePerSecond,
    burst: Math.max(2, Math.round(ratePerSecond * dice.oneOf([0.3, 1, 2, 2, 3]))),
    annualLimit,
    contractStart: '2025-03-01',
  }
}

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
  readonly #meter: Meter
  readonly #run: PermitsRun = { admissions: 0, calls: 0, restarts: 0, changes: 0, violations: [] }
  readonly #startMs = Date.UTC(2026, 5, 1)
  readonly #annualLimit: number | null
  readonly #keysOf = new Map<number, Set<string>>()
  #policy: Policy
  #rateMax: number
  #gate: InstanceType<Core['GateCore']>
  #isolates: Isolate[] = []
  /** The newest version whose change has been answered. */
  #answered = 1
  /** Admissions by isolates that died, or writes of a gate that did: the count may lack them. */
  #uncertain = 0
  #over = false

  constructor(core: Core, seed: number) {
    this.#core = core
    this.#dice = seeded(seed)
    this.#agenda.nowMs = this.#startMs
    this.#annualLimit = this.#dice.chance(0.3) ? this.#dice.whole(50, 3_000) : null
    this.#policy = policyOf(this.#dice, 1, this.#annualLimit)
    this.#weather = weatherOf(this.#dice, this.#policy)
    this.#rateMax = this.#policy.ratePerSecond
    this.#meter = new Meter(this.#policy.ratePerSecond, this.#policy.burst, this.#startMs)
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
    return this.#run
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

  #violated(what: string): void {
    if (this.#run.violations.length < 5)
      this.#run.violations.push(`${what} at ${this.#agenda.nowMs - this.#startMs} ms`)
  }

  // ── the gate ──

  #boot() {
    return new this.#core.GateCore(this.#store.open(), this.#dice, this.#gateMs())
  }

  #gateMs(): number {
    return this.#agenda.nowMs - this.#dice.whole(0, this.#weather.gateLagMaxMs)
  }

  #restart(): void {
    this.#run.restarts++
    this.#gate = this.#boot()
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
      for (const isolate of this.#isolates) this.#arrivals(isolate, 300)
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
    for (const isolate of greedy) this.#ask(isolate)
    const pauseMs = this.#dice.oneOf([this.#dice.whole(1_000, 1_400), this.#dice.whole(1_000, 2_500)])
    const othersSpend = this.#dice.chance(0.5)
    this.#pause(pauseMs + 500)
    this.#after(pauseMs, () => {
      for (const isolate of this.#isolates) {
        if (isolate.greed > 0 || !othersSpend) continue
        isolate.pausedUntilMs = 0
        this.#arrivals(isolate, 200)
      }
      this.#after(this.#dice.whole(1, 300), () => {
        this.#pause(0)
        for (const isolate of greedy) if (isolate.alive) this.#ask(isolate)
        for (const isolate of this.#isolates) this.#after(this.#dice.whole(1, 200), () => this.#arrivals(isolate, 200))
      })
    })
  }

  #pause(pauseMs: number): void {
    for (const isolate of this.#isolates) isolate.pausedUntilMs = this.#agenda.nowMs + pauseMs
  }

  // ── admissions, as an observer of all edges sees them ──

  #admitted(version: number, credential: string | null, where: string): void {
    this.#run.admissions++
    this.#meter.admit(this.#agenda.nowMs)
    // A gate that reads its clock late by x sees an interval as longer by x: that error of measurement, and no more.
    const clockError = (GATE_LAG_WEIGHT * this.#weather.gateLagMaxMs * this.#rateMax) / 1_000
    if (this.#meter.excess > clockError + 1e-6) this.#violated(`C1: ${this.#meter.excess.toFixed(2)} permits too many`)
    if (version < this.#answered)
      this.#violated(`C2: admitted ${where} under version ${version}, ${this.#answered} answered`)
    if (credential === null) return
    for (let known = version; known <= this.#policy.version; known++)
      if (this.#keysOf.get(known)?.has(credential)) return
    this.#violated(`C2: ${credential} admitted under version ${version}, which had revoked it`)
  }

  // ── isolates ──

  #addIsolate(): void {
    const dice = this.#dice
    const isolate: Isolate = {
      state: new this.#core.EdgeState(`tally-${dice()}`),
      alive: true,
      pausedUntilMs: 0,
      offsetMs: dice.whole(1e6, 1e9),
      drift: (2 * dice() - 1) * DRIFT_MAX,
      lagMs: dice.chance(0.5) ? LAG_MAX_MS : dice.whole(0, LAG_MAX_MS),
      readMs: Number.NEGATIVE_INFINITY,
      late: false,
      waiting: [],
      greed: dice.chance(this.#weather.greedyShare) ? dice.oneOf([10, 100, 5_000]) : 0,
    }
    this.#isolates.push(isolate)
    const meanMs = this.#weather.isolates / this.#weather.loadPerMs
    const clump = dice.oneOf([1, 1, 5, 40])
    this.#now(meanMs * clump, () => this.#arrivals(isolate, clump))
    if (isolate.greed === 0) return
    const habit = dice.oneOf(this.#weather.habits)
    if (habit === 'late') this.#now(400, () => this.#spendLate(isolate))
    this.#now(habit === 'asking' ? 60 : habit === 'late' ? 250 : 0, () => {
      if (isolate.alive && !this.#core.isAsking(isolate.state, this.#clock(isolate))) this.#ask(isolate)
    })
  }

  #killOne(): void {
    const victim = this.#dice.oneOf(this.#isolates)
    if (!victim.alive) return
    victim.alive = false
    this.#uncertain += victim.state.admitted
    this.#addIsolate()
  }

  #clock(isolate: Isolate): number {
    const lagMs = isolate.late ? isolate.lagMs : this.#dice.chance(0.3) ? this.#dice.whole(0, isolate.lagMs) : 0
    const elapsedMs = (this.#agenda.nowMs - this.#startMs) * (1 + isolate.drift)
    isolate.readMs = Math.max(isolate.readMs, Math.floor(elapsedMs) + isolate.offsetMs - lagMs)
    return isolate.readMs
  }

  #arrivals(isolate: Isolate, requests: number): void {
    if (!isolate.alive || this.#agenda.nowMs < isolate.pausedUntilMs) return
    for (let request = 0; request < requests; request++) this.#request(isolate)
  }

  #spendLate(isolate: Isolate): void {
    const last = isolate.state.grants.at(-1)
    if (!last || last.left === 0) return
    // The instant at which a clock that is as late as it can be shows the last millisecond of the grant.
    const atMs = this.#startMs + (last.expiresAtMs - 1 - isolate.offsetMs) / (1 + isolate.drift) + isolate.lagMs
    isolate.pausedUntilMs = Math.floor(atMs)
    this.#after(Math.floor(atMs) - this.#agenda.nowMs, () => {
      isolate.late = true
      this.#arrivals(isolate, this.#dice.whole(1, 400))
      isolate.late = false
    })
  }

  #request(isolate: Isolate): void {
    const { state } = isolate
    const credential = this.#dice.oneOf(['hash-a', 'hash-b', 'hash-c', null])
    const decision = this.#core.admit(state, this.#clock(isolate), credential)
    if (decision === 'admitted') this.#admitted(state.policy?.version ?? 0, credential, 'from the lease held')
    if (decision === 'ask' && isolate.waiting.length < WAITING_MAX) {
      isolate.waiting.push({ credential, untilMs: this.#agenda.nowMs + 1_500 })
    }
    this.#askIfNeeded(isolate)
  }

  #askIfNeeded(isolate: Isolate): void {
    if (!isolate.alive) return
    const nowMs = this.#clock(isolate)
    if (this.#core.isAsking(isolate.state, nowMs)) return
    if (isolate.waiting.length > 0 || this.#core.shouldRenew(isolate.state, nowMs)) this.#ask(isolate)
  }

  #ask(isolate: Isolate): void {
    const sentAtMs = this.#clock(isolate)
    isolate.waiting = isolate.waiting.filter((waiter) => waiter.untilMs > this.#agenda.nowMs)
    this.#after(310, () => {
      if (isolate.waiting.length > 0) this.#askIfNeeded(isolate)
    })
    const request = this.#core.nextAsk(isolate.state, sentAtMs, isolate.waiting.length)
    if (isolate.greed > 0 && this.#dice.chance(0.5)) request.want += isolate.greed
    this.#send(
      () => this.#serve(request),
      (reply) => this.#receive(isolate, reply, sentAtMs),
      () => {
        if (isolate.alive) this.#core.absorbFailure(isolate.state, sentAtMs, this.#clock(isolate), this.#dice())
      },
    )
  }

  #serve(request: LeaseRequest): LeaseReply | undefined {
    this.#run.calls++
    return this.#atGate(() => this.#gate.lease(request, this.#gateMs()))
  }

  #receive(isolate: Isolate, reply: LeaseReply, sentAtMs: number): void {
    if (!isolate.alive) return
    this.#core.absorb(isolate.state, reply, sentAtMs, this.#clock(isolate), this.#dice())
    const waiting = isolate.waiting
    isolate.waiting = []
    for (const waiter of waiting) {
      const decision = this.#core.admit(isolate.state, this.#clock(isolate), waiter.credential, true)
      if (decision === 'ask') isolate.waiting.push(waiter)
      if (decision === 'admitted') this.#admitted(isolate.state.policy?.version ?? 0, waiter.credential, 'after an ask')
    }
    this.#askIfNeeded(isolate)
  }

  /** A call through bad weather: each way may be late, lost or taken twice. */
  #send<T>(serve: () => T | undefined, receive: (reply: T) => void, fail: () => void): void {
    const { lossShare, doubleShare, delayMaxMs } = this.#weather
    const delayMs = () => this.#dice.whole(1, delayMaxMs) * (this.#dice.chance(0.03) ? 6 : 1)
    const copies = () => (this.#dice.chance(lossShare) ? 0 : this.#dice.chance(doubleShare) ? 2 : 1)
    let answered = false
    for (let copy = copies(); copy > 0; copy--) {
      this.#after(delayMs(), () => {
        const reply = serve()
        if (reply === undefined) return
        for (let back = copies(); back > 0; back--) {
          this.#after(delayMs(), () => {
            answered = true
            receive(reply)
          })
        }
      })
    }
    this.#after(delayMaxMs * 4 + 400, () => {
      if (!answered) fail()
    })
  }

  // ── writes, which take their permit at the gate ──

  #write(): void {
    const gate = this.#gate
    const credential = this.#dice.oneOf(['hash-a', 'hash-b', null])
    const atMs = this.#gateMs()
    const admission = this.#atGate(() => gate.admitWrite(credential, 'customers:write', atMs))
    if (!admission?.admitted) return
    this.#admitted(admission.policy.version, credential, 'at the gate')
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
      }
    })
  }

  // ── policy changes ──

  #setPolicy(policy: Policy, keys: GateKey[]): number {
    const before = this.#gate.policy?.version ?? 0
    const { waitMs } = this.#gate.setPolicy(policy, keys, this.#gateMs())
    if (policy.version > before) {
      this.#meter.change(policy.ratePerSecond, policy.burst, waitMs, this.#agenda.nowMs)
      this.#keysOf.set(policy.version, new Set(keys.map((key) => key.secretHash)))
    }
    return waitMs
  }

  #change(limits: Partial<Policy> = {}): void {
    const policy = { ...policyOf(this.#dice, this.#policy.version + 1, this.#annualLimit), ...limits }
    this.#policy = policy
    this.#rateMax = Math.max(this.#rateMax, policy.ratePerSecond)
    this.#run.changes++
    const keys = KEYS.filter(() => this.#dice.chance(0.8))
    let waitedFor = false
    const put = () => {
      this.#send(
        () => ({ waitMs: this.#atGateSet(policy, keys) }),
        ({ waitMs }) => {
          if (waitMs === undefined || waitedFor) return
          waitedFor = true
          this.#after(waitMs + (this.#dice.chance(0.5) ? 0 : this.#dice.whole(0, ADMIN_TIMER_LATE_MAX_MS)), () => {
            this.#answered = Math.max(this.#answered, policy.version)
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
        const sentAtMs = this.#clock(isolate)
        const reply = this.#gate.lease(this.#core.nextAsk(isolate.state, sentAtMs, 0), this.#agenda.nowMs)
        this.#core.absorb(isolate.state, reply, sentAtMs, this.#clock(isolate), 0)
      }
      this.#agenda.nowMs += 2_000
    }
    const { count } = this.#gate.usage(this.#agenda.nowMs)
    const { admissions } = this.#run
    if (count > admissions) this.#violated(`annual: counted ${count} of ${admissions}`)
    if (count < admissions - this.#uncertain)
      this.#violated(`annual: counted ${count} of ${admissions} (${this.#uncertain} unsure)`)
    if (this.#annualLimit !== null && this.#run.restarts === 0 && admissions > this.#annualLimit) {
      this.#violated(`annual: ${admissions} admitted, ${this.#annualLimit} allowed`)
    }
  }
}

interface Isolate {
  state: InstanceType<Core['EdgeState']>
  alive: boolean
  pausedUntilMs: number
  offsetMs: number
  drift: number
  lagMs: number
  readMs: number
  /** Reads its clock as late as it can be. */
  late: boolean
  waiting: { credential: string | null; untilMs: number }[]
  /** Permits asked for beyond need. */
  greed: number
}
