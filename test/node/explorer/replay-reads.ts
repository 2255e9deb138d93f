/**
 * Plays a path of the reads space on the core as it ships: private fields, a clock that runs, the real reads waiting for real
 * promises. If C3 breaks here too, the counter-example is no artefact of the projection.
 */

import type { View } from '../../../src/gate/core/freshness.ts'
import type { FreshRead, ReadFrom, ReadPorts, Stamped } from '../../../src/gate/isolate/fresh-read.ts'
import type { LeaseState } from '../../../src/gate/isolate/lease-state.ts'
import type { LeaseReply, Policy } from '../../../src/gate/protocol/leases.ts'
import { DurableStore } from '../gate/durable-store.ts'
import type { Core } from './projection.ts'
import type { Version } from './reading.ts'
import type { ReadsEvent, ReadsScenario } from './reads-events.ts'
import { bookmarkOf, CUSTOMER, DEADLINE_MS, OTHER, POLICY, statesFor } from './reads-world.ts'

const START_MS = Date.UTC(2026, 5, 1, 12)
const SECOND_MS = 1_000
const LAG_MS = 40

interface Reply {
  reply: LeaseReply
  sentAtMs: number
}

interface ReplayedWrite {
  seq: number
  isOther: boolean
  database: number
  deadlineMs: number
  strongAtMs: number
  version: Version | null
  /** True if its gate has started anew since it began. */
  isReplaced: boolean
}

/** Returns the promise that the path breaks on this core; null if it breaks none. */
export async function replayReads(
  core: Core,
  scenario: ReadsScenario,
  path: readonly ReadsEvent[],
): Promise<string | null> {
  const replay = new Replay(core, scenario)
  for (const event of path) {
    replay.play(event)
    await new Promise((resolve) => setImmediate(resolve))
    const broken = replay.judge()
    if (broken !== null) return broken
  }
  return null
}

class Replay {
  readonly #core: Core
  readonly #scenario: ReadsScenario
  readonly #store = new DurableStore()
  readonly #state: LeaseState
  readonly #replies: Reply[] = []
  readonly #commits: { atMs: number; isOther: boolean }[] = []
  readonly #strong: { version: Version; atMs: number }[] = []
  readonly #tokens: { seq: number; bookmark: string; version: Version }[] = []
  #gate: InstanceType<Core['GateCore']>
  /** The writes under way. Null for one that this gate made wait, and that never began. */
  #writes: (ReplayedWrite | null)[] = []
  #memory: Stamped<Version> | null = null
  #kv: Stamped<Version>[] = []
  #nowMs = START_MS
  #aheadMs = 0
  #owed: Version = 0
  #isFrozen = false
  #movedAt: number | null = null
  #result: FreshRead<Version> | null = null
  #toLease: ((view: View) => void) | null = null
  #toKv: (kept: Stamped<Version> | null) => void = () => {}
  #toLate: (late: 'late') => void = () => {}
  #toD1: { from: ReadFrom; answer: (read: { value: Version | null; bookmark: string }) => void }[] = []

  constructor(core: Core, scenario: ReadsScenario) {
    this.#core = core
    this.#scenario = scenario
    this.#state = new core.LeaseState('tally')
    this.#gate = this.#start()
    this.#gate.setPolicy({ ...POLICY } satisfies Policy, [], START_MS)
    this.#gate.admitWrite(null, '', { sentAtMs: START_MS, isolate: null }, START_MS)
  }

  play(event: ReadsEvent): void {
    switch (event.kind) {
      case 'ask': {
        const request = { ...this.#core.nextRequest(this.#state, this.#nowMs, 0), want: 1, counted: 0 }
        this.#replies.push({ reply: this.#gate.lease(request, this.#gateMs), sentAtMs: this.#nowMs })
        if (event.returns) this.#absorb(this.#replies.length - 1)
        return
      }
      case 'absorb':
        this.#absorb(event.place)
        return
      case 'begin': {
        // The path may be one of a gate that does not wait.
        if (this.#gate.writesOpenInMs(this.#gateMs) > 0) {
          if (!event.isWhole) this.#writes.push(null)
          return
        }
        const deadlineMs = this.#nowMs + (this.#scenario.deadlineMs ?? DEADLINE_MS)
        const intent = { tags: [event.isOther ? OTHER : CUSTOMER], deadlineMs, tickets: [] }
        const { seq, strongInMs } = this.#gate.beginWrite(intent, this.#gateMs)
        const strongAtMs = this.#nowMs + strongInMs
        const database = this.#gate.policy?.database ?? 0
        this.#writes.push({
          seq,
          isOther: event.isOther,
          database,
          deadlineMs,
          strongAtMs,
          version: null,
          isReplaced: false,
        })
        if (!event.isWhole) return
        this.#commit(this.#writes.length - 1)
        this.#settle(this.#writes.length - 1)
        return
      }
      case 'commit':
        this.#commit(event.which)
        return
      case 'settle':
        this.#settle(event.which)
        return
      case 'alarm':
        for (const { seq } of this.#gate.overdueIntents(this.#gateMs)) {
          const bookmark = bookmarkOf(this.#commits.length, this.#gate.policy?.database)
          if (this.#gate.isDecided(seq, this.#nowMs)) this.#gate.settleWrite(seq, bookmark)
        }
        this.#gate.saveStable()
        return
      case 'freeze':
        this.#isFrozen = true
        return
      case 'move':
        this.#movedAt = this.#commits.length
        this.#gate.setPolicy({ ...POLICY, version: 2, database: 1 }, [], this.#gateMs)
        return
      case 'tick':
        this.#nowMs += event.ms
        return
      case 'restart':
        this.#aheadMs = event.aheadMs
        this.#gate = this.#start()
        for (const write of this.#writes) if (write) write.isReplaced = true
        return
      case 'read':
        this.#read(event.token)
        return
      case 'kv':
        this.#toKv(event.which === 0 ? null : (this.#kv[event.which - 1] ?? null))
        return
      case 'late':
        this.#toLate('late')
        return
      case 'd1':
        this.#answer(event.call, event.commits)
        return
    }
  }

  /** Judges a read that has ended, and fills the caches. */
  judge(): string | null {
    const result = this.#result
    if (!result) return null
    this.#result = null
    if (result.fillMemory) this.#memory = result.fillMemory
    if (result.fillKv && this.#scenario.kv) {
      this.#kv = [...this.#kv, result.fillKv].sort((a, b) => a.asof - b.asof || (a.value ?? 0) - (b.value ?? 0))
    }
    const version = result.value ?? 0
    return version < this.#owed ? `C3: ${result.from} gave version ${version}, ${this.#owed} was owed` : null
  }

  #absorb(place: number): void {
    const [{ reply, sentAtMs }] = this.#replies.splice(place, 1) as [Reply]
    this.#core.absorb(this.#state, structuredClone(reply), sentAtMs, this.#nowMs, 0)
    if (!this.#toLease || this.#nowMs - LAG_MS >= this.#state.leasedUntilMs) return
    this.#toLease(this.#state.view)
    this.#toLease = null
  }

  #commit(which: number): void {
    const write = this.#writes[which]
    if (!write) return
    if (this.#nowMs > write.deadlineMs || (write.database === 0 && this.#isFrozen)) return
    this.#commits.push({ atMs: this.#nowMs, isOther: write.isOther })
    write.version = this.#commits.length
  }

  #settle(which: number): void {
    const [write] = this.#writes.splice(which, 1)
    if (!write) return
    const { seq, version, isOther, strongAtMs, database, isReplaced } = write
    if (!isReplaced) this.#gate.settleWrite(seq, bookmarkOf(version ?? this.#commits.length, database))
    if (version === null || !this.#isOf(isOther)) return
    if (this.#scenario.tokens) this.#tokens.push({ seq, bookmark: bookmarkOf(version, database), version })
    if (this.#scenario.strong) this.#strong.push({ version, atMs: strongAtMs })
  }

  #read(which: number): void {
    const isLeased = this.#nowMs - LAG_MS < this.#state.leasedUntilMs
    const token = this.#tokens[which - 1] ?? null
    const old = this.#commits.findLastIndex(
      ({ atMs, isOther }) => this.#nowMs - atMs >= SECOND_MS && this.#isOf(isOther),
    )
    const strong = this.#strong.filter(({ atMs }) => atMs <= this.#nowMs).map(({ version }) => version)
    this.#owed = Math.max(old + 1, token?.version ?? 0, ...strong)
    this.#toD1 = []
    const ports: ReadPorts<Version> = {
      databaseHint: () => 0,
      memory: () => this.#memory ?? undefined,
      kv: () =>
        new Promise((resolve) => {
          this.#toKv = resolve
        }),
      soon: (kv) => {
        const late = new Promise<'late'>((resolve) => {
          this.#toLate = resolve
        })
        return Promise.race([kv, late])
      },
      d1: (from) => new Promise((answer) => this.#toD1.push({ from, answer })),
      lease: () =>
        isLeased
          ? this.#state.view
          : new Promise((resolve) => {
              this.#toLease = resolve
            }),
    }
    const buckets = this.#core.bucketsOf([this.#scenario.of === 'list' ? this.#core.LIST_TAG : CUSTOMER])
    this.#core.readFresh(ports, buckets, token).then(
      (result) => {
        this.#result = result
      },
      () => {},
    )
  }

  /** D1 answers from that state, or from the oldest that the read allows. */
  #answer(call: number, seen: number): void {
    const asked = this.#toD1[call]
    if (!asked) return
    const { from } = asked
    const stored = { commits: this.#commits, movedAt: this.#movedAt }
    const [oldest, newest] = statesFor(from, stored)
    const commits = Math.min(newest, Math.max(seen, oldest))
    asked.answer({ value: this.#versionAt(commits), bookmark: bookmarkOf(commits, from.database) })
  }

  #versionAt(commits: number): Version | null {
    for (let at = commits; at > 0; at--) if (this.#isOf(this.#commits[at - 1]?.isOther ?? true)) return at
    return null
  }

  #isOf(isOther: boolean): boolean {
    return !isOther || this.#scenario.of === 'list'
  }

  #start() {
    return new this.#core.GateCore(this.#store.open(), () => 0, this.#gateMs)
  }

  get #gateMs(): number {
    return this.#nowMs + this.#aheadMs
  }
}
