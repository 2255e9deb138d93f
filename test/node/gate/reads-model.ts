/**
 * A model of cached reads under faults: KV returns values up to 260 s old, or nothing; D1's replicas are up to 8 s
 * behind; leases are late, lost and overtaken; writers die before, during and after their commit; the gate restarts;
 * isolates die. The core that is passed in numbers the writes, checks the values and reads them. The model simulates
 * the rest. Time is true time in milliseconds. Isolates read late, drifting clocks, and one clock may be wrong by
 * minutes. The gate's clock loses time for good and is right after a restart. D1's clock jumps with each statement.
 *
 * With `setsBack`, D1 is set back in the middle of a run, and the gate follows some time later. As soon as nothing from
 * before the set-back is in force, the observer checks:
 *
 * C3  a read that starts at t returns every write committed before t − 1 s;
 *     with a token, also that write; after a strong write was answered, that write, everywhere;
 *     and no write is refused as too late again after it was prepared anew with D1's time.
 */

import type { View } from '../../../src/gate/core/freshness.ts'
import type { FreshRead, ReadPorts, Stamped } from '../../../src/gate/isolate/fresh-read.ts'
import type { LeaseReply } from '../../../src/gate/protocol/leases.ts'
import type * as CoreModule from './core.ts'
import { Agenda, type Dice, seeded } from './discrete-events.ts'
import { DurableStore, Replaced } from './durable-store.ts'
import { GateClock } from './gate-clock.ts'
import { Database, Kv, LIST, type Version } from './lagging-stores.ts'
import { clocksOf } from './reads-fault-schedule.ts'
import { ReadsObserver, type ReadsRun, type Token } from './reads-observer.ts'

type Core = typeof CoreModule
interface Isolate {
  state: InstanceType<Core['LeaseState']>
  memory: Map<string, Stamped<Version>>
  alive: boolean
  /** By how much its clock is wrong. */
  offMs: number
  offsetMs: number
  sinceMs: number
  drift: number
  readMs: number
  waiting: { resolve: (view: View) => void; reject: (reason: Error) => void }[]
}

const KEYS = Array.from({ length: 12 }, (_, index) => `customer-${index}`)
const CLOCK_LAG_MAX_MS = 40
const DRIFT_MAX = 5e-4
const ISOLATES_APART_MS = 50
const D1_SKEW_MAX_MS = 900
const START_MS = Date.UTC(2026, 5, 1)
const SECOND_DEADLINE_MS = 10_000

const SET_BACK_EVERY_MS = 6_000
const FOLLOWS_WITHIN_MS = 4_000
const POLICY = {
  tier: 'custom',
  status: 'active',
  ratePerSecond: 1_000,
  burst: 2_000,
  annualLimit: null,
  contractStart: '2026-01-01',
} as const

/** One run of the model. `seed` decides everything. */
export function runReads(core: Core, seed: number, setsBack = false): Promise<ReadsRun> {
  return new ReadsSimulation(core, seed).run(setsBack)
}

class ReadsSimulation {
  readonly #core: Core
  readonly #dice: Dice
  readonly #agenda = new Agenda()
  readonly #store = new DurableStore()
  readonly #database: Database
  readonly #kv: Kv
  readonly #isolates: Isolate[] = []
  readonly #tokens: Token[] = []
  readonly #observer: ReadsObserver
  readonly #delayMaxMs: number
  readonly #lossShare: number
  readonly #runMs: number
  readonly #isolateCount: number
  /** How far the clock of the first isolate is off. */
  readonly #firstOffMs: number
  readonly #gateClock: GateClock
  #gate: InstanceType<Core['GateCore']>
  #over = false
  /** Since when nothing is in force anywhere that is from before D1 was set back; null when not yet. */
  #followedAtMs: number | null = 0

  constructor(core: Core, seed: number) {
    const dice = seeded(seed)
    this.#core = core
    this.#dice = dice
    this.#agenda.nowMs = START_MS
    this.#delayMaxMs = dice.oneOf([10, 100, 500])
    this.#lossShare = dice.oneOf([0, 0.05, 0.2])
    this.#runMs = dice.oneOf([20_000, 40_000])
    this.#database = new Database(this.#agenda, dice)
    this.#kv = new Kv(this.#agenda, dice)
    this.#observer = new ReadsObserver(core.bucketsOf, this.#agenda, this.#database)
    const clocks = clocksOf(dice, dice.whole(1, 4))
    this.#isolateCount = clocks.isolates
    this.#firstOffMs = clocks.firstOffMs
    this.#gateClock = new GateClock(this.#agenda, dice, clocks)
    this.#gate = this.#boot()
    this.#loadPolicy(this.#gate)
  }

  async run(setsBack: boolean): Promise<ReadsRun> {
    const { oneOf } = this.#dice
    this.#addIsolate(this.#firstOffMs)
    for (let index = 1; index < this.#isolateCount; index++) this.#addIsolate()
    this.#every(this.#gateClock.computesEveryMs, () => this.#gateClock.compute())
    this.#every(oneOf([40, 150, 600, 2_500]), () => this.#write())
    this.#every(oneOf([0, 0, 8_000, 2_500]), () => this.#restart())
    // A lone isolate that is late is not replaced: the gate must hear it before its own clock is wrong.
    if (this.#isolateCount > 1 || this.#firstOffMs >= 0) {
      this.#every(oneOf([0, 6_000, 1_000]), () => this.#replaceIsolate())
    }
    this.#every(700, () => this.#database.changeLag())
    this.#every(400, () => this.#resolveOverdue())
    if (setsBack) this.#every(SET_BACK_EVERY_MS, () => this.#setBack())
    this.#after(this.#runMs, () => {
      this.#over = true
    })
    while (this.#agenda.step()) for (let tick = 0; tick < 8; tick++) await null
    return this.#observer.run
  }

  /** Again and again, on average every so many milliseconds; 0: never. */
  #every(meanMs: number, happen: () => void): void {
    if (meanMs === 0) return
    this.#after(-Math.log(1 - this.#dice()) * meanMs, () => {
      if (this.#over) return
      happen()
      this.#every(meanMs, happen)
    })
  }

  #after(delayMs: number, happen: () => void): void {
    this.#agenda.at(this.#agenda.nowMs + Math.round(delayMs), happen)
  }

  // ── the gate and its writers ──

  #boot() {
    return this.#gateClock.start((nowMs) => new this.#core.GateCore(this.#store.open(), this.#dice, nowMs))
  }

  #restart(): void {
    this.#observer.restarted(this.#store.stored)
    this.#gate = this.#boot()
  }

  /** Answers how long the leases from before may still live. */
  #loadPolicy(gate: InstanceType<Core['GateCore']>): number {
    const { history } = this.#database
    gate.noteD1Time(this.#d1Ms(), this.#gateClock.now())
    gate.notePolicyLoaded(history + 1, this.#gateClock.now())
    return gate.setPolicy({ ...POLICY, version: history + 1 }, [], this.#gateClock.now()).waitMs
  }

  /** The gate follows some time later, whichever object it is by then. */
  #setBack(): void {
    if (this.#followedAtMs === null) return
    this.#observer.setBack()
    this.#database.setBack()
    this.#followedAtMs = null
    this.#after(this.#dice.whole(1, FOLLOWS_WITHIN_MS), () => {
      const waitMs = this.#loadPolicy(this.#gate)
      this.#after(waitMs, () => {
        this.#followedAtMs = this.#agenda.nowMs
      })
    })
  }

  /** One batch. Whatever follows a pause may be the deed of a ghost, or never happen. */
  #write(): void {
    const { dice } = { dice: this.#dice }
    const keys = [...new Set(Array.from({ length: dice.whole(1, 3) }, () => dice.oneOf(KEYS)))]
    this.#attempt(this.#gate, keys, dice.oneOf([300, 2_000]), false)
  }

  /** `isSecond`: D1 refused the first as late, and its answer brought the time by which this one is prepared. */
  #attempt(gate: InstanceType<Core['GateCore']>, keys: string[], patienceMs: number, isSecond: boolean): void {
    const { dice } = { dice: this.#dice }
    const beganMs = this.#agenda.nowMs
    const ownMs = this.#gateClock.now()
    const deadlineMs = gate.d1Ms(ownMs) + patienceMs
    const begin = () => gate.beginWrite({ tags: keys, deadlineMs, tickets: [] }, ownMs)
    if (gate === this.#gate && dice.chance(0.02)) {
      this.#store.rollBack(begin)
      this.#restart()
      return
    }
    const begun = this.#unlessReplaced(begin)
    if (!begun) return
    const { seq, strongInMs } = begun
    this.#observer.began(seq, keys)
    if (dice.chance(0.05)) return // dies before anything was sent
    this.#after(dice.whole(1, dice.oneOf([30, 30, 1_500])), () => {
      const d1Ms = this.#d1Ms()
      const isLate = d1Ms > deadlineMs
      const version = isLate ? 0 : this.#database.commit(keys)
      const { history } = this.#database
      const committed = this.#database.bookmark()
      if (isLate && isSecond) this.#observer.violated('a write was refused as too late twice')
      if (dice.chance(0.07)) return // the answer is lost
      this.#after(dice.whole(1, dice.oneOf([30, 30, 1_500])), () => {
        // The bookmark is of some moment between the commit and the answer.
        const isLost = history !== this.#database.history
        const bookmark = isLost ? committed : this.#database.bookmark()
        gate.noteD1Time(d1Ms, this.#gateClock.now())
        this.#settle(gate, seq, bookmark)
        if (isLate) {
          if (!isSecond) this.#attempt(gate, keys, SECOND_DEADLINE_MS, true)
          return
        }
        const token = { seq, bookmark, keys, version, history }
        this.#tokens.push(token)
        // The client reads back what it wrote: here or elsewhere, while others wait for the same lease.
        const isolate = dice.oneOf(this.#isolates)
        if (dice.chance(0.3)) isolate.memory.clear()
        for (let readers = dice.whole(0, 2); readers > 0; readers--) void this.#read(isolate, dice.oneOf(keys), token)
        const strongAtMs = Math.max(this.#agenda.nowMs, beganMs + strongInMs)
        this.#after(strongAtMs - this.#agenda.nowMs, () => {
          if (history !== this.#database.history) return
          this.#observer.answeredStrong(keys, version)
        })
      })
    })
  }

  /** D1's clock when it runs a statement. */
  #d1Ms(): number {
    return this.#agenda.nowMs + this.#dice.whole(-D1_SKEW_MAX_MS, D1_SKEW_MAX_MS)
  }

  #settle(gate: InstanceType<Core['GateCore']>, seq: number, bookmark: string): void {
    gate.settleWrite(seq, bookmark)
    if (gate === this.#gate) this.#observer.settled(seq)
  }

  /** Returns null if the instance learned that it had been replaced. */
  #unlessReplaced<T>(step: () => T): T | null {
    try {
      return step()
    } catch (error) {
      if (error instanceof Replaced) return null
      throw error
    }
  }

  /** Does what the gate's alarm does: looks up a write on the primary, which settles it either way, and stores what is settled. */
  #resolveOverdue(): void {
    const gate = this.#gate
    for (const { seq } of gate.overdueIntents(this.#gateClock.now())) {
      this.#after(this.#dice.whole(1, 50), () => {
        const bookmark = this.#database.bookmark()
        const d1Ms = this.#d1Ms()
        this.#after(this.#dice.whole(1, 50), () => {
          gate.noteD1Time(d1Ms, this.#gateClock.now())
          if (gate.isDecided(seq, d1Ms)) this.#settle(gate, seq, bookmark)
        })
      })
    }
    gate.saveStable()
  }

  // ── isolates ──

  #addIsolate(offMs = 0): void {
    const { dice } = { dice: this.#dice }
    const isolate: Isolate = {
      state: new this.#core.LeaseState(`tally-${dice()}`),
      memory: new Map(),
      alive: true,
      offMs,
      offsetMs: offMs + dice.whole(-ISOLATES_APART_MS, ISOLATES_APART_MS),
      sinceMs: this.#agenda.nowMs,
      drift: (2 * dice() - 1) * DRIFT_MAX,
      readMs: Number.NEGATIVE_INFINITY,
      waiting: [],
    }
    this.#isolates.push(isolate)
    const meanMs = dice.oneOf([15, 60, 300, 1_200])
    const readOn = () => {
      if (this.#over || !isolate.alive) return
      this.#readAnything(isolate)
      this.#after(-Math.log(1 - dice()) * meanMs, readOn)
    }
    this.#after(0, readOn)
    // Asks without need, so that leases overtake each other.
    if (dice.chance(0.5)) this.#every(dice.oneOf([60, 200]), () => this.#ask(isolate))
  }

  #replaceIsolate(): void {
    const victim = this.#dice.oneOf(this.#isolates)
    if (this.#dice.chance(0.5)) victim.memory.clear()
    else if (victim.alive) {
      victim.alive = false
      this.#addIsolate()
    }
  }

  #clock(isolate: Isolate): number {
    const lagMs = this.#dice.chance(0.5) ? 0 : this.#dice.whole(0, CLOCK_LAG_MAX_MS)
    isolate.readMs = Math.max(
      isolate.readMs,
      Math.floor(this.#agenda.nowMs + (this.#agenda.nowMs - isolate.sinceMs) * isolate.drift) +
        isolate.offsetMs -
        lagMs,
    )
    return isolate.readMs
  }

  #delayMs(): number {
    return this.#dice.whole(1, this.#dice.chance(0.04) ? 2_500 : this.#delayMaxMs)
  }

  #ask(isolate: Isolate): void {
    const sentAtMs = this.#clock(isolate)
    const request = this.#core.nextRequest(isolate.state, sentAtMs, isolate.waiting.length)
    let answered = false
    const arrive = () => {
      const reply: LeaseReply = this.#gate.lease(request, this.#gateClock.now())
      // A late isolate counts for the gate only where it is the only one: see `WallClock`.
      if (isolate.offMs >= 0 || this.#isolateCount === 1) this.#gateClock.wasObserved()
      if (this.#dice.chance(this.#lossShare)) return
      this.#after(this.#delayMs(), () => {
        if (!isolate.alive) return
        answered = true
        this.#core.absorb(isolate.state, reply, sentAtMs, this.#clock(isolate), this.#dice())
        if (this.#clock(isolate) >= isolate.state.leasedUntilMs) return
        for (const waiter of isolate.waiting.splice(0)) waiter.resolve(isolate.state.view)
      })
    }
    if (!this.#dice.chance(this.#lossShare)) this.#after(this.#delayMs(), arrive)
    this.#after(2 * this.#delayMaxMs + 50, () => {
      if (answered || !isolate.alive) return
      this.#core.absorbFailure(isolate.state, sentAtMs, this.#clock(isolate), this.#dice())
      for (const waiter of isolate.waiting.splice(0)) waiter.reject(new Error('no lease'))
    })
  }

  // ── reads ──

  /** `sees` is called with what a cache answers. */
  #ports(
    isolate: Isolate,
    key: string,
    isTrusted: () => boolean,
    sees: (kept: Stamped<Version>) => void,
  ): ReadPorts<Version> {
    const { state, memory } = isolate
    const seen = <StoredResult extends Stamped<Version> | null | undefined>(kept: StoredResult): StoredResult => {
      if (kept) sees(kept)
      return kept
    }
    return {
      databaseHint: () => 0,
      memory: () => seen(memory.get(key)),
      kv: () => new Promise((resolve) => this.#after(this.#dice.whole(1, 80), () => resolve(seen(this.#kv.get(key))))),
      soon: (kv) => {
        const late = new Promise<'late'>((resolve) => this.#after(this.#dice.whole(1, 80), () => resolve('late')))
        return Promise.race([kv, late])
      },
      d1: (from) =>
        new Promise((resolve, reject) => {
          if (this.#database.isLost(from)) {
            if (isTrusted()) this.#observer.violated('a read waits for a bookmark that D1 never reaches')
            return reject(new Error('D1 is away'))
          }
          this.#after(this.#dice.whole(1, 60), () => {
            const commits = this.#database.seen(from)
            const value = this.#database.version(key, commits)
            const back = this.#dice.whole(1, this.#dice.oneOf([60, 60, 900]))
            if (this.#dice.chance(0.01)) this.#after(back, () => reject(new Error('D1 is away')))
            else this.#after(back, () => resolve({ value, bookmark: this.#database.bookmark(commits) }))
          })
        }),
      lease: () => {
        const nowMs = this.#clock(isolate)
        if (nowMs < state.leasedUntilMs) {
          if (nowMs > state.renewAtMs && !this.#core.isRequesting(state, nowMs)) this.#ask(isolate)
          return state.view
        }
        const leased = new Promise<View>((resolve, reject) => isolate.waiting.push({ resolve, reject }))
        if (!this.#core.isRequesting(state, nowMs)) this.#ask(isolate)
        return leased
      },
    }
  }

  #readAnything(isolate: Isolate): void {
    const key = this.#dice.chance(0.1) ? LIST : this.#dice.oneOf(KEYS)
    const token = this.#dice.chance(0.2) ? this.#tokens.at(-this.#dice.whole(1, 3)) : null
    void this.#read(isolate, key, token ?? null)
  }

  async #read(isolate: Isolate, key: string, token: Token | null): Promise<void> {
    if (!isolate.alive) return
    const begun = this.#observer.begins(key, token)
    const followed = this.#followedAtMs !== null
    const isTrusted = () => followed && begun.history === this.#database.history
    const sees = (kept: Stamped<Version>) => this.#observer.sees(begun, kept)
    let read: FreshRead<Version>
    try {
      read = await this.#core.readFresh(this.#ports(isolate, key, isTrusted, sees), this.#core.bucketsOf([key]), token)
    } catch {
      return
    }
    this.#observer.ended(begun, read, isTrusted())
    if (read.fillMemory) isolate.memory.set(key, read.fillMemory)
    if (this.#dice.chance(0.05)) isolate.memory.delete(key)
    if (read.fillKv) this.#kv.put(key, read.fillKv)
  }
}
