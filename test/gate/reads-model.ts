/**
 * Cached reads, adversarially: KV answers with values up to 260 s old, or with nothing; D1's replicas are up to 8 s
 * behind; leases are late, lost and overtaken; writers die before, during and after their commit; the gate restarts;
 * isolates die. The core that is handed in numbers the writes, judges the values and reads them; what is modelled is the
 * rest of the world. Time is true time in milliseconds; isolates read late, drifting clocks.
 *
 * C3  a read that starts at t returns every write committed before t − 1 s;
 *     with a token, also that write; after a strong write was answered, that write, everywhere.
 */

import type { FreshRead, ReadPorts, Stamped } from '../../src/gate/fresh-read.ts'
import type { View } from '../../src/gate/freshness.ts'
import type { LeaseReply } from '../../src/gate/protocol.ts'
import type * as CoreModule from './core.ts'
import { Agenda, type Dice, seeded } from './discrete-events.ts'
import { DurableStore, Replaced } from './durable-store.ts'
import { Database, Kv, LIST, type Version } from './lagging-stores.ts'

export interface ReadsRun {
  reads: number
  /** Answered without D1. */
  hits: number
  writes: number
  restarts: number
  violations: string[]
}

type Core = typeof CoreModule
interface Token {
  seq: number
  bookmark: string | null
  keys: string[]
  version: Version
}

interface Isolate {
  state: InstanceType<Core['EdgeState']>
  memory: Map<string, Stamped<Version>>
  alive: boolean
  offsetMs: number
  drift: number
  readMs: number
  waiting: { resolve: (view: View) => void; reject: (reason: Error) => void }[]
}

const KEYS = Array.from({ length: 12 }, (_, index) => `customer-${index}`)
const CLOCK_LAG_MAX_MS = 40
const DRIFT_MAX = 5e-4
const D1_SKEW_MAX_MS = 1_000

/** One run of the model. `seed` decides everything. */
export function runReads(core: Core, seed: number): Promise<ReadsRun> {
  return new ReadsWorld(core, seed).run()
}

class ReadsWorld {
  readonly #core: Core
  readonly #dice: Dice
  readonly #agenda = new Agenda()
  readonly #store = new DurableStore()
  readonly #run: ReadsRun = { reads: 0, hits: 0, writes: 0, restarts: 0, violations: [] }
  readonly #database: Database
  readonly #kv: Kv
  readonly #isolates: Isolate[] = []
  readonly #tokens: Token[] = []
  readonly #strong = new Map<string, Version>()
  readonly #delayMaxMs: number
  readonly #lossShare: number
  readonly #runMs: number
  #gate: InstanceType<Core['GateCore']>
  #over = false

  constructor(core: Core, seed: number) {
    const dice = seeded(seed)
    this.#core = core
    this.#dice = dice
    this.#delayMaxMs = dice.oneOf([10, 100, 500])
    this.#lossShare = dice.oneOf([0, 0.05, 0.2])
    this.#runMs = dice.oneOf([20_000, 40_000])
    this.#database = new Database(this.#agenda, dice)
    this.#kv = new Kv(this.#agenda, dice)
    this.#gate = this.#boot()
    const policy = { version: 1, tier: 'custom', status: 'active', ratePerSecond: 1_000, burst: 2_000 } as const
    this.#gate.setPolicy({ ...policy, annualLimit: null, contractStart: '2026-01-01' }, [], this.#agenda.nowMs)
  }

  async run(): Promise<ReadsRun> {
    const { whole, oneOf } = this.#dice
    for (let index = whole(1, 4); index > 0; index--) this.#addIsolate()
    this.#every(oneOf([40, 150, 600, 2_500]), () => this.#write())
    this.#every(oneOf([0, 0, 8_000, 2_500]), () => this.#restart())
    this.#every(oneOf([0, 6_000, 1_000]), () => this.#replaceIsolate())
    this.#every(700, () => this.#database.changeLag())
    this.#every(400, () => this.#resolveOverdue())
    this.#after(this.#runMs, () => {
      this.#over = true
    })
    while (this.#agenda.step()) for (let tick = 0; tick < 8; tick++) await null
    return this.#run
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

  #violated(what: string): void {
    if (this.#run.violations.length < 5) this.#run.violations.push(`${what} at ${this.#agenda.nowMs} ms`)
  }

  // ── the gate and its writers ──

  #boot() {
    return new this.#core.GateCore(this.#store.open(), this.#dice, this.#agenda.nowMs)
  }

  #restart(): void {
    this.#run.restarts++
    this.#gate = this.#boot()
  }

  /** One batch. Whatever follows a pause may be the deed of a ghost, or never happen. */
  #write(): void {
    const { dice, gate } = { dice: this.#dice, gate: this.#gate }
    const keys = [...new Set(Array.from({ length: dice.whole(1, 3) }, () => dice.oneOf(KEYS)))]
    const changeId = `change-${dice()}`
    const beganMs = this.#agenda.nowMs
    const deadlineMs = beganMs + dice.oneOf([300, 2_000])
    const begin = () => gate.beginWrite({ tags: keys, changeId, deadlineMs, tickets: [] }, beganMs)
    if (dice.chance(0.02)) {
      this.#store.rollBack(begin)
      this.#restart()
      return
    }
    const { seq, strongInMs } = begin()
    this.#run.writes++
    if (dice.chance(0.05)) return // dies before anything was sent
    this.#after(dice.whole(1, dice.oneOf([30, 30, 1_500])), () => {
      const skewMs = dice.whole(-D1_SKEW_MAX_MS, D1_SKEW_MAX_MS)
      if (this.#agenda.nowMs + skewMs > deadlineMs) return // D1 refuses; the writer does not get to know
      const version = this.#database.commit(keys)
      if (dice.chance(0.07)) return // committed, and the answer is lost
      this.#after(dice.whole(1, dice.oneOf([30, 30, 1_500])), () => {
        const bookmark = this.#database.bookmark()
        if (!this.#settle(gate, seq, bookmark)) return
        const token = { seq, bookmark, keys, version }
        this.#tokens.push(token)
        // The client reads back what it wrote: here or elsewhere, while others wait for the same lease.
        const isolate = dice.oneOf(this.#isolates)
        if (dice.chance(0.3)) isolate.memory.clear()
        for (let readers = dice.whole(0, 2); readers > 0; readers--) void this.#read(isolate, dice.oneOf(keys), token)
        const strongAtMs = Math.max(this.#agenda.nowMs, beganMs + strongInMs)
        this.#after(strongAtMs - this.#agenda.nowMs, () => {
          for (const key of keys) this.#strong.set(key, Math.max(version, this.#strong.get(key) ?? 0))
        })
      })
    })
  }

  #settle(gate: InstanceType<Core['GateCore']>, seq: number, bookmark: string): boolean {
    try {
      gate.settleWrite(seq, bookmark)
      return true
    } catch (error) {
      if (error instanceof Replaced) return false
      throw error
    }
  }

  /** What the gate's alarm does: looks up on the primary what became of a write, which settles it either way. */
  #resolveOverdue(): void {
    const gate = this.#gate
    for (const { seq } of gate.overdueIntents(this.#agenda.nowMs)) {
      this.#after(this.#dice.whole(1, 50), () => {
        const bookmark = this.#database.bookmark()
        this.#after(this.#dice.whole(1, 50), () => this.#settle(gate, seq, bookmark))
      })
    }
  }

  // ── isolates ──

  #addIsolate(): void {
    const { dice } = { dice: this.#dice }
    const isolate: Isolate = {
      state: new this.#core.EdgeState(`tally-${dice()}`),
      memory: new Map(),
      alive: true,
      offsetMs: dice.whole(1e6, 1e9),
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
      Math.floor(this.#agenda.nowMs * (1 + isolate.drift)) + isolate.offsetMs - lagMs,
    )
    return isolate.readMs
  }

  #delayMs(): number {
    return this.#dice.whole(1, this.#dice.chance(0.04) ? 2_500 : this.#delayMaxMs)
  }

  #ask(isolate: Isolate): void {
    const sentAtMs = this.#clock(isolate)
    const request = this.#core.nextAsk(isolate.state, sentAtMs, isolate.waiting.length)
    let answered = false
    const arrive = () => {
      const reply: LeaseReply = this.#gate.lease(request, this.#agenda.nowMs)
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

  #ports(isolate: Isolate, key: string): ReadPorts<Version> {
    const { state, memory } = isolate
    return {
      memory: () => memory.get(key),
      kv: () => new Promise((resolve) => this.#after(this.#dice.whole(1, 80), () => resolve(this.#kv.get(key)))),
      d1: (from) =>
        new Promise((resolve, reject) => {
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
          if (nowMs > state.renewAtMs && !this.#core.isAsking(state, nowMs)) this.#ask(isolate)
          return state.view
        }
        const leased = new Promise<View>((resolve, reject) => isolate.waiting.push({ resolve, reject }))
        if (!this.#core.isAsking(state, nowMs)) this.#ask(isolate)
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
    const startMs = this.#agenda.nowMs
    const strong = this.#strong.get(key) ?? 0
    if (!isolate.alive) return
    let read: FreshRead<Version>
    try {
      read = await this.#core.readFresh(this.#ports(isolate, key), this.#core.bucketsOf([key]), token)
    } catch {
      return
    }
    const version = read.value ?? 0
    this.#run.reads++
    if (read.from !== 'd1') this.#run.hits++
    const owed = this.#database.version(key, this.#database.committedBy(startMs - 1_000)) ?? 0
    if (version < owed) {
      const ageMs = startMs - this.#database.atMs(owed)
      this.#violated(`C3: ${read.from} gave ${version} of ${key}, ${owed} was committed ${ageMs} ms before`)
    }
    if (token && (key === LIST || token.keys.includes(key)) && version < token.version) {
      this.#violated(`C3: ${read.from} gave ${version} of ${key} to the token of ${token.version}`)
    }
    if (version < strong) this.#violated(`C3: ${read.from} gave ${version} of ${key} after the strong write ${strong}`)
    if (version > (this.#database.version(key) ?? 0)) this.#violated('a version that never was')
    if (read.fillMemory) isolate.memory.set(key, read.fillMemory)
    if (this.#dice.chance(0.05)) isolate.memory.delete(key)
    if (read.fillKv) this.#kv.put(key, read.fillKv)
  }
}
