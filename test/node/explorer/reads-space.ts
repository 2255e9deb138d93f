/**
 * The space of cached reads: at every state each thing that may happen to a write, a lease and a read is tried. A writer that dies
 * is one that does nothing more; a message that is lost is one that never arrives; D1 answers from any state that the read allows.
 *
 * A state is [gate, database, writers, KV, isolate, network, read or −1, what is left].
 */

import { type Core, NOW_MS } from './projection.ts'
import type { Reading } from './reading.ts'
import type { ReadsEvent, ReadsScenario } from './reads-events.ts'
import { bookmarkOf, ReadsWorld, statesFor, type Writer } from './reads-world.ts'
import type { Reach, Space } from './search.ts'

const BITS = { asks: 3, writes: 2, otherWrites: 2, quickWrites: 2, reads: 2, ticks: 3, restarts: 1, moves: 1 }
type Budget = keyof typeof BITS

const SHIFT = {} as Record<Budget, number>
let bits = 0
for (const budget of Object.keys(BITS) as Budget[]) {
  SHIFT[budget] = bits
  bits += BITS[budget]
}

const WRITES: readonly Budget[] = ['writes', 'otherWrites', 'quickWrites']

const Kind = {
  Ask: 0,
  Absorb: 1,
  Begin: 2,
  Commit: 3,
  Settle: 4,
  Alarm: 5,
  Tick: 6,
  Restart: 7,
  Read: 8,
  Kv: 9,
  D1: 10,
  Freeze: 11,
  Move: 12,
  Late: 13,
} as const
type Kind = (typeof Kind)[keyof typeof Kind]

const [GATE, DATABASE, WRITERS, KV, ISOLATE, NETWORK, READ, LEFT] = [0, 1, 2, 3, 4, 5, 6, 7] as const

export class ReadsSpace implements Space<ReadsEvent> {
  readonly width = 8
  readonly next = new Int32Array(8)
  violation: string | null = null
  /** Reads that were rejected, which none should be. */
  failed = 0
  readonly world: ReadsWorld
  readonly #scenario: ReadsScenario
  #asks = 0

  constructor(core: Core, scenario: ReadsScenario) {
    this.#scenario = scenario
    this.world = new ReadsWorld(core, scenario)
  }

  initial(): number[] {
    const { asks, writes, otherWrites = 0, quickWrites = 0, reads, ticks, restarts = 0, moves = 0 } = this.#scenario
    const budgets = { asks, writes, otherWrites, quickWrites, reads, ticks, restarts, moves }
    let left = 0
    for (const [name, times] of Object.entries(budgets)) {
      left |= times << SHIFT[name as Budget]
    }
    return [...this.world.first(), -1, left]
  }

  expand(states: Int32Array, at: number, reach: Reach): void {
    const { world, next } = this
    const scenario = this.#scenario
    const gate = states[at + GATE] as number
    const databaseId = states[at + DATABASE] as number
    const database = world.databases.of(databaseId)
    const writersId = states[at + WRITERS] as number
    const isolate = states[at + ISOLATE] as number
    const network = states[at + NETWORK] as number
    const read = states[at + READ] as number
    const left = states[at + LEFT] as number
    const has = (budget: Budget) => (left >>> SHIFT[budget]) & ((1 << BITS[budget]) - 1)
    const begin = (budget: Budget | null) => {
      for (let place = 0; place < this.width; place++) next[place] = states[at + place] as number
      if (budget !== null) next[LEFT] = left - (1 << SHIFT[budget])
    }
    /** A lease that arrived goes to the read that waits for it. */
    const lease = () => {
      if (read === -1 || !world.standing(read).waitsForLease) return
      if (world.isLeased.find(next[ISOLATE] as number)) next[READ] = world.leased.find(read, next[ISOLATE] as number)
      this.#end()
    }

    if (has('asks') > 0) {
      begin('asks')
      next[ISOLATE] = world.ask.find(isolate)
      next[GATE] = world.arrive.find(gate, world.ask.b)
      const answer = world.arrive.b
      if (scenario.repliesTravel) {
        next[NETWORK] = world.sent.find(network, answer)
      } else {
        next[ISOLATE] = world.absorb.find(next[ISOLATE] as number, answer)
        lease()
      }
      reach(Kind.Ask, 0, 0)
    }
    const underWay = world.networks.of(network)
    for (let place = 0; place < underWay.length; place++) {
      begin(null)
      next[ISOLATE] = world.absorb.find(isolate, underWay[place] as number)
      next[NETWORK] = world.received.find(network, place)
      lease()
      reach(Kind.Absorb, place, 0)
    }

    for (let which = 0; which < WRITES.length; which++) {
      const budget = WRITES[which] as Budget
      if (has(budget) === 0 || world.isOpen.find(gate) === 0) continue
      begin(budget)
      next[GATE] = world.begin.find(gate, 2 * writersId + (which === 0 ? 0 : 1))
      next[WRITERS] = world.begin.b
      if (scenario.wholeWrites || which === 2) {
        this.#commit(world.writers.of(next[WRITERS]).length - 1)
        this.#settle(world.writers.of(next[WRITERS]).length - 1)
      }
      reach(Kind.Begin, which, 0)
    }
    const writers = world.writers.of(writersId)
    for (let which = 0; which < writers.length; which++) {
      const { version, isRefused } = writers[which] as (typeof writers)[number]
      begin(null)
      if (version === null && !isRefused) {
        this.#commit(which)
        reach(Kind.Commit, which, 0)
      } else {
        this.#settle(which)
        reach(Kind.Settle, which, 0)
      }
    }
    begin(null)
    next[GATE] = world.alarm.find(gate, 2 * database.commits.length + (has('restarts') > 0 ? 1 : 0))
    if (next[GATE] !== gate) reach(Kind.Alarm, 0, 0)
    if (has('moves') > 0) {
      begin('moves')
      next[DATABASE] = world.freeze.find(databaseId)
      reach(Kind.Freeze, 0, 0)
    }
    if (database.isFrozen && database.movedAt === null) {
      begin(null)
      next[DATABASE] = world.move.find(databaseId, gate)
      next[GATE] = world.move.b
      reach(Kind.Move, 0, 0)
    }
    if (has('restarts') > 0) {
      begin('restarts')
      next[GATE] = world.restart.find(gate)
      next[WRITERS] = world.replaced.find(writersId)
      reach(Kind.Restart, 0, 0)
    }
    if (has('ticks') > 0) {
      for (let step = 0; step < scenario.stepsMs.length; step++) {
        begin('ticks')
        next[GATE] = world.gateLater.find(gate, step)
        next[DATABASE] = world.databaseLater.find(databaseId, step)
        next[WRITERS] = world.writersLater.find(writersId, step)
        next[ISOLATE] = world.isolateLater.find(isolate, step)
        next[NETWORK] = world.networkLater.find(network, step)
        reach(Kind.Tick, step, 0)
      }
    }

    if (read === -1) {
      if (has('reads') === 0) return
      for (let which = 0; which <= database.tokens.length; which++) {
        begin('reads')
        const token = which === 0 ? null : (database.tokens[which - 1] as NonNullable<Reading['token']>)
        const isLeased = world.isLeased.find(isolate) === 1
        if (scenario.leasedReads && !isLeased) continue
        next[READ] = world.begun(token, world.owed(database, token), isolate, isLeased)
        this.#end()
        reach(Kind.Read, which, isLeased ? 1 : 0)
      }
      return
    }
    const standing = world.standing(read)
    if (standing.waitsForKv) {
      const kept = world.kvs.of(states[at + KV] as number)
      for (let which = 0; which <= kept.length; which++) {
        begin(null)
        const id = which === 0 ? 0 : 1 + world.stampedId(kept[which - 1] as (typeof kept)[number])
        next[READ] = world.kvAnswered.find(read, 16 * isolate + id)
        this.#end()
        reach(Kind.Kv, which, 0)
      }
    }
    if (standing.isPatient && scenario.lateKv) {
      begin(null)
      next[READ] = world.late.find(read, isolate)
      reach(Kind.Late, 0, 0)
    }
    for (const { call, from } of standing.calls) {
      const [oldest, newest] = statesFor(from, database)
      for (let commits = oldest; commits <= newest; commits++) {
        begin(null)
        const value = world.versionAt(database, commits)
        next[READ] = world.d1Answered(read, isolate, call, value, bookmarkOf(commits, from.database))
        this.#end()
        reach(Kind.D1, call, commits)
      }
    }
  }

  #commit(which: number): void {
    const { world, next } = this
    next[DATABASE] = world.commit.find(next[DATABASE] as number, 8 * (next[WRITERS] as number) + which)
    next[WRITERS] = world.commit.b
  }

  /** The writer has D1's answer, and gives its own. A gate that has started since does not hear of it. */
  #settle(which: number): void {
    const { world, next } = this
    const writer = world.writers.of(next[WRITERS] as number)[which] as Writer
    const { seq, version, database, isReplaced } = writer
    const commits = version ?? world.databases.of(next[DATABASE] as number).commits.length
    if (!isReplaced)
      next[GATE] = world.settle.find(next[GATE] as number, 128 * (seq - NOW_MS) + 64 * database + commits)
    next[DATABASE] = world.answered.find(next[DATABASE] as number, 8 * (next[WRITERS] as number) + which)
    next[WRITERS] = world.answered.b
  }

  /** If the read has its result: judges it, and fills the caches. */
  #end(): void {
    const { world, next, violation } = this
    const read = next[READ] as number
    const { result, isFailed } = world.standing(read)
    if (isFailed) next[READ] = -1
    if (isFailed) this.failed++
    if (!result) return
    const { owed } = world.readings.of(read)
    const version = result.value ?? 0
    if (version < owed && violation === null)
      this.violation = `C3: ${result.from} gave version ${version}, ${owed} was owed`
    next[READ] = -1
    if (result.fillMemory)
      next[ISOLATE] = world.filled.find(next[ISOLATE] as number, world.stampedId(result.fillMemory))
    if (result.fillKv && this.#scenario.kv)
      next[KV] = world.kvFilled.find(next[KV] as number, world.stampedId(result.fillKv))
  }

  beginPath(): void {
    this.#asks = 0
  }

  tell(states: Int32Array, at: number, kind: number, a: number, b: number): ReadsEvent {
    const { world } = this
    const writers = world.writers.of(states[at + WRITERS] as number)
    const write = writers[a]?.seq ?? 0
    const result = this.next[READ] === -1 ? ' and ends' : ''
    switch (kind as Kind) {
      case Kind.Ask:
        return { kind: 'ask', ask: ++this.#asks, returns: !this.#scenario.repliesTravel }
      case Kind.Absorb:
        return { kind: 'absorb', place: a }
      case Kind.Begin:
        return { kind: 'begin', isOther: a > 0, isWhole: a === 2 || (this.#scenario.wholeWrites ?? false) }
      case Kind.Commit:
        return { kind: 'commit', which: a, write: write - NOW_MS }
      case Kind.Settle:
        return { kind: 'settle', which: a, write: write - NOW_MS }
      case Kind.Alarm:
        return { kind: 'alarm' }
      case Kind.Freeze:
        return { kind: 'freeze' }
      case Kind.Move:
        return { kind: 'move' }
      case Kind.Tick:
        return { kind: 'tick', ms: this.#scenario.stepsMs[a] as number }
      case Kind.Restart:
        return { kind: 'restart', aheadMs: this.#scenario.aheadMs ?? 0 }
      case Kind.Read:
        return { kind: 'read', token: a, isLeased: b === 1, result }
      case Kind.Kv:
        return { kind: 'kv', which: a, result }
      case Kind.Late:
        return { kind: 'late' }
      case Kind.D1:
        return { kind: 'd1', call: a, commits: b, result }
    }
  }
}
