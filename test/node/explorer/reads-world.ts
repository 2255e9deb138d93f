/**
 * The components of the reads space and the steps between them: a gate that numbers writes, D1 with replicas of any age, a KV that
 * shows any value it ever got or none, an isolate, and one read at a time. The code of gate, isolate and read is the real one.
 */

import { isDeepStrictEqual } from 'node:util'
import type { View } from '../../../src/gate/core/freshness.ts'
import type { ConsistencyToken, ReadFrom, Stamped } from '../../../src/gate/isolate/fresh-read.ts'
import type { Policy } from '../../../src/gate/protocol/leases.ts'
import { copyOf, Interned, Remembered } from './components.ts'
import { readingOf } from './permits-world.ts'
import {
  type Core,
  GATE_INSTANTS,
  type Gate,
  ISOLATE_INSTANTS,
  type Isolate,
  MESSAGE_INSTANTS,
  type Message,
  NOW_MS,
  projectGate,
  projectIsolate,
  projectMessage,
} from './projection.ts'
import { type Reading, type Standing, type Step, standingOf, type Version } from './reading.ts'
import type { ReadsScenario } from './reads-events.ts'
import { NotYet } from './search.ts'
import { ExplorerStore } from './store.ts'

/** The tenant's commits, in one database and, once it has moved, in another. */
export interface Database {
  /** `ageMs` up to a second. */
  commits: { ageMs: number; isOther: boolean }[]
  /** True if the first database takes no more. */
  isFrozen: boolean
  /** How many commits there were when the tenant moved, all of them copied. Null if it has not. */
  movedAt: number | null
  /** The version that every read must show, because a strong write was answered. */
  strong: Version
  waiting: { version: Version; leftMs: number }[]
  tokens: (ConsistencyToken & { version: Version })[]
}

export interface Writer {
  seq: number
  isOther: boolean
  /** The number of the database that it goes to. */
  database: number
  deadlineMs: number
  strongInMs: number
  /** Null before the commit. */
  version: Version | null
  isRefused: boolean
  /** True if its gate has started anew: the object before still gives the answer, and its rows are the other's. */
  isReplaced: boolean
}

const NOT_YET = { version: null, isRefused: false, isReplaced: false } as const
const KEPT = {}
export const POLICY: Policy = Object.freeze({
  version: 1,
  tier: 'custom',
  status: 'active',
  ratePerSecond: 1_000,
  burst: 2_000,
  annualLimit: null,
  contractStart: '1970-01-01',
})
export const CUSTOMER = 'customer-0'
export const OTHER = 'customer-1'
const SECOND_MS = 1_000
export const DEADLINE_MS = 10_000

export class ReadsWorld {
  readonly gates = new Interned<Gate>()
  readonly isolates = new Interned<Isolate & { memory: Stamped<Version> | null }>()
  readonly messages = new Interned<Message>()
  readonly networks = new Interned<readonly number[]>()
  readonly databases = new Interned<Database>()
  readonly writers = new Interned<readonly Writer[]>()
  readonly kvs = new Interned<readonly Stamped<Version>[]>()
  readonly readings = new Interned<Reading>()
  readonly views = new Interned<View>()
  readonly scenario: ReadsScenario
  readonly #core: Core
  readonly #standings = new Map<number, Standing>()
  readonly #buckets: number[]

  constructor(core: Core, scenario: ReadsScenario) {
    this.#core = core
    this.scenario = scenario
    this.#buckets = core.bucketsOf([scenario.of === 'list' ? core.LIST_TAG : CUSTOMER])
    const apart = new Set([core.LIST_TAG, CUSTOMER, OTHER].flatMap((tag) => core.bucketsOf([tag])))
    if (apart.size < 3) throw new Error('the tags of a scenario share a bucket')
  }

  first(): number[] {
    const store = new ExplorerStore()
    const core = new this.#core.GateCore(store, () => 0, NOW_MS)
    core.setPolicy(POLICY, [], NOW_MS)
    // A write takes its permit before it gets its number, which opens the log.
    core.admitWrite(null, '', { sentAtMs: NOW_MS, isolate: null }, NOW_MS)
    const state = new this.#core.LeaseState('isolate')
    return [
      this.#gateId({ core, store, aheadMs: 0, tickets: [] }),
      this.databases.id({ commits: [], isFrozen: false, movedAt: null, strong: 0, waiting: [], tokens: [] }),
      this.writers.id([]),
      this.kvs.id([]),
      this.#isolateId({ state, offMs: 0, memory: null }),
      this.networks.id([]),
    ]
  }

  readonly ask = new Remembered((id) => {
    const isolate = copyOf(this.isolates.of(id))
    const body = this.#core.nextRequest(isolate.state, readingOf(isolate, 0), 0)
    body.want = 1
    return [this.#isolateId(isolate), this.#messageId({ kind: 'ask', body })]
  })

  readonly arrive = new Remembered((id, message) => {
    const gate = copyOf(this.gates.of(id))
    const { body } = copyOf(this.messages.of(message)) as Message & { kind: 'ask' }
    const reply = gate.core.lease(body, NOW_MS + gate.aheadMs)
    if (reply.kind !== 'lease') throw new Error('a gate answers here')
    // Permits are not what this is about.
    reply.grant = null
    return [this.#gateId(gate), this.#messageId({ kind: 'answer', body: reply, sentAtMs: body.sentAtMs })]
  })

  readonly absorb = new Remembered((id, message) => {
    const isolate = copyOf(this.isolates.of(id))
    const { body, sentAtMs } = copyOf(this.messages.of(message)) as Message & { kind: 'answer' }
    this.#core.absorb(isolate.state, body, sentAtMs, readingOf(isolate, 0), 0)
    return [this.#isolateId(isolate)]
  })

  /** Isolate: one if its lease is in force, by a clock that is as late as it may be. */
  readonly isLeased = new Remembered((id) => {
    const isolate = this.isolates.of(id)
    return [readingOf(isolate, 40) < isolate.state.leasedUntilMs ? 1 : 0]
  })

  readonly restart = new Remembered((id) => {
    const aheadMs = this.scenario.aheadMs ?? 0
    const store = new ExplorerStore(copyOf(this.gates.of(id).store.rows))
    const core = new this.#core.GateCore(store, () => 0, NOW_MS + aheadMs)
    return [this.#gateId({ core, store, aheadMs, tickets: [] })]
  })

  /** Writers: the same when their gate has started anew. */
  readonly replaced = new Remembered((id) => {
    return [this.writers.id(this.writers.of(id).map((writer) => ({ ...writer, isReplaced: true })))]
  })

  /** Gate, writers times two plus one for another customer: gate, writers. */
  readonly begin = new Remembered((id, input) => {
    const gate = copyOf(this.gates.of(id))
    const isOther = (input & 1) === 1
    const deadlineMs = NOW_MS + (this.scenario.deadlineMs ?? DEADLINE_MS)
    const intent = { tags: [isOther ? OTHER : CUSTOMER], deadlineMs, tickets: [] }
    const { seq, strongInMs } = gate.core.beginWrite(intent, NOW_MS + gate.aheadMs)
    const database = gate.core.policy?.database ?? 0
    const writer: Writer = { seq, isOther, database, deadlineMs, strongInMs, ...NOT_YET }
    return [this.#gateId(gate), this.writers.id([...this.writers.of(input >> 1), writer])]
  })

  /** Gate: one if writes may begin. */
  readonly isOpen = new Remembered((id) => {
    const gate = copyOf(this.gates.of(id))
    return [gate.core.writesOpenInMs(NOW_MS + gate.aheadMs) === 0 ? 1 : 0]
  })

  /** Gate, row of a writer that has committed, or of an intent, with the bookmark: gate. */
  readonly settle = new Remembered((id, input) => {
    const gate = copyOf(this.gates.of(id))
    const bookmark = bookmarkOf(input % 64, Math.floor(input / 64) % 2)
    gate.core.settleWrite(Math.floor(input / 128) + NOW_MS, bookmark)
    return [this.#gateId(gate)]
  })

  /** Database: that which takes no more writes. */
  readonly freeze = new Remembered((id) => [this.databases.id({ ...this.databases.of(id), isFrozen: true })])

  /** Database, gate: the database after the move, and the gate that has learnt of it. */
  readonly move = new Remembered((id, gateId) => {
    const database = this.databases.of(id)
    const gate = copyOf(this.gates.of(gateId))
    gate.core.setPolicy({ ...POLICY, version: 2, database: 1 }, [], NOW_MS + gate.aheadMs)
    return [this.databases.id({ ...database, movedAt: database.commits.length }), this.#gateId(gate)]
  })

  /**
   * Gate, number of commits times two plus one if it may start again: gate after its alarm, which settles what a look on the
   * primary decides, and stores what is settled. Only another start reads that.
   */
  readonly alarm = new Remembered((id, input) => {
    const gate = copyOf(this.gates.of(id))
    const commits = input >> 1
    for (const { seq } of gate.core.overdueIntents(NOW_MS + gate.aheadMs)) {
      const bookmark = bookmarkOf(commits, gate.core.policy?.database ?? 0)
      if (gate.core.isDecided(seq, NOW_MS)) gate.core.settleWrite(seq, bookmark)
    }
    if ((input & 1) === 1) gate.core.saveStable()
    return [this.#gateId(gate)]
  })

  readonly gateLater = new Remembered((id, step) => {
    return [this.#gateId(copyOf(this.gates.of(id), GATE_INSTANTS, this.#stepMs(step)))]
  })
  readonly isolateLater = new Remembered((id, step) => {
    return [this.#isolateId(copyOf(this.isolates.of(id), ISOLATE_INSTANTS, this.#stepMs(step)))]
  })
  readonly messageLater = new Remembered((id, step) => {
    return [this.#messageId(copyOf(this.messages.of(id), MESSAGE_INSTANTS, this.#stepMs(step)))]
  })
  readonly networkLater = new Remembered((id, step) => {
    return [this.networks.id(this.networks.of(id).map((message) => this.messageLater.find(message, step)))]
  })
  readonly writersLater = new Remembered((id, step) => {
    const ms = this.#stepMs(step)
    const later = this.writers.of(id).map((writer) => ({
      ...writer,
      deadlineMs: Math.max(NOW_MS - 1, writer.deadlineMs - ms),
      strongInMs: Math.max(0, writer.strongInMs - ms),
    }))
    return [this.writers.id(later)]
  })
  readonly databaseLater = new Remembered((id, step) => {
    const ms = this.#stepMs(step)
    const later = structuredClone(this.databases.of(id))
    for (const commit of later.commits) commit.ageMs = Math.min(SECOND_MS, commit.ageMs + ms)
    for (const write of later.waiting) {
      write.leftMs -= ms
      if (write.leftMs <= 0) later.strong = Math.max(later.strong, write.version)
    }
    later.waiting = later.waiting.filter(({ leftMs }) => leftMs > 0)
    return [this.databases.id(later)]
  })

  readonly sent = new Remembered((id, message) => [this.networks.id([...this.networks.of(id), message])])
  readonly received = new Remembered((id, place) => [
    this.networks.id(this.networks.of(id).filter((_, at) => at !== place)),
  ])

  /** Database, writers and which of them: database, writers. */
  readonly commit = new Remembered((id, input) => {
    const database = structuredClone(this.databases.of(id))
    const writers = structuredClone(this.writers.of(Math.floor(input / 8))) as Writer[]
    const writer = writers[input % 8] as Writer
    if (NOW_MS > writer.deadlineMs || (writer.database === 0 && database.isFrozen)) {
      writer.isRefused = true
    } else {
      database.commits.push({ ageMs: 0, isOther: writer.isOther })
      writer.version = database.commits.length
    }
    return [this.databases.id(database), this.writers.id(writers)]
  })

  /** Database, writers and which of them has the answer: database, writers. */
  readonly answered = new Remembered((id, input) => {
    const database = structuredClone(this.databases.of(id))
    const writers = structuredClone(this.writers.of(Math.floor(input / 8))) as Writer[]
    const [{ seq, version, strongInMs, isOther, database: number }] = writers.splice(input % 8, 1) as [Writer]
    if (version !== null && this.#isOf(isOther)) {
      const { tokens, strong } = this.scenario
      if (tokens) database.tokens.push({ seq, bookmark: bookmarkOf(version, number), version })
      if (strong && strongInMs > 0) database.waiting.push({ version, leftMs: strongInMs })
      else if (strong) database.strong = Math.max(database.strong, version)
    }
    return [this.databases.id(database), this.writers.id(writers)]
  })

  /** Returns the version that D1 shows after so many commits; null before the first. */
  versionAt(database: Database, commits: number): Version | null {
    for (let at = commits; at > 0; at--) if (this.#isOf(database.commits[at - 1]?.isOther ?? true)) return at
    return null
  }

  /** Database, one more than the token: what a read that begins now must show. */
  owed(database: Database, token: { version: Version } | null): Version {
    const old = database.commits.findLastIndex(({ ageMs, isOther }) => ageMs >= SECOND_MS && this.#isOf(isOther)) + 1
    return Math.max(old, database.strong, token?.version ?? 0)
  }

  begun(token: Reading['token'], owed: Version, isolate: number, isLeased: boolean): number {
    return this.readings.id({ token, owed, steps: [{ what: 'start', isLeased, ...this.#at(isolate) }] })
  }

  readonly leased = new Remembered((id, isolate) => [this.#stepped(id, { what: 'lease', ...this.#at(isolate) })])

  readonly kvAnswered = new Remembered((id, input) => {
    const kept = input % 16 === 0 ? null : (this.#stampedOf.of((input % 16) - 1) as Stamped<Version>)
    return [this.#stepped(id, { what: 'kv', kept, ...this.#at(Math.floor(input / 16)) })]
  })

  readonly late = new Remembered((id, isolate) => [this.#stepped(id, { what: 'late', ...this.#at(isolate) })])

  /** Numbers of the values that KV may answer with. */
  readonly #stampedOf = new Interned<Stamped<Version>>()
  stampedId(stamped: Stamped<Version>): number {
    return this.#stampedOf.id(stamped)
  }

  d1Answered(id: number, isolate: number, call: number, value: Version | null, bookmark: string): number {
    return this.#stepped(id, { what: 'd1', call, value, bookmark, ...this.#at(isolate) })
  }

  readonly filled = new Remembered((id, stamped) => {
    const isolate = copyOf(this.isolates.of(id))
    isolate.memory = { ...this.#stampedOf.of(stamped) }
    return [this.#isolateId(isolate)]
  })
  readonly kvFilled = new Remembered((id, stamped) => {
    const kept = this.kvs.of(id)
    const added = this.#stampedOf.of(stamped)
    if (kept.some((known) => isDeepStrictEqual(known, added))) return [id]
    return [this.kvs.id([...kept, added].sort((a, b) => a.asof - b.asof || (a.value ?? 0) - (b.value ?? 0)))]
  })

  /** Returns where a read stands. Throws `NotYet` until the real code has run so far. */
  standing(id: number): Standing {
    const known = this.#standings.get(id)
    if (known) return known
    throw new NotYet(this.#run(id))
  }

  async #run(id: number): Promise<void> {
    const viewOf = (view: number) => copyOf(this.views.of(view))
    this.#standings.set(id, await standingOf(this.#core, this.readings.of(id), this.#buckets, viewOf))
  }

  #stepped(id: number, step: Step): number {
    const reading = this.readings.of(id)
    return this.readings.id({ ...reading, steps: [...reading.steps, step] })
  }

  #at(isolate: number): { view: number; memory: Stamped<Version> | null } {
    const { state, memory } = this.isolates.of(isolate)
    return { view: this.views.id(state.view), memory }
  }

  #isOf(isOther: boolean): boolean {
    return !isOther || this.scenario.of === 'list'
  }

  #stepMs(step: number): number {
    return this.scenario.stepsMs[step] as number
  }

  #gateId(gate: Gate): number {
    projectGate(gate, KEPT)
    return this.gates.id(gate)
  }

  #isolateId(isolate: Isolate & { memory: Stamped<Version> | null }): number {
    projectIsolate(isolate, KEPT)
    return this.isolates.id(isolate)
  }

  #messageId(message: Message): number {
    projectMessage(message, KEPT)
    return this.messages.id(message)
  }
}

/** Bookmarks sort as texts. Those of the first database, which mean nothing in another one, sort behind those of any other. */
export function bookmarkOf(commits: number, database = 0): string {
  return `${database === 0 ? 1 : 0}${String(commits).padStart(3, '0')}`
}

/**
 * Returns the states that a database may answer a read from, as numbers of commits. The one that the tenant has left keeps what it
 * had; a replica of the other one may have any part of the copy yet.
 */
export function statesFor(
  { database, start }: ReadFrom,
  { commits, movedAt }: { commits: readonly unknown[]; movedAt: number | null },
): [oldest: number, newest: number] {
  const newest = database === 0 ? (movedAt ?? commits.length) : commits.length
  if (start === 'primary') return [newest, newest]
  const isOwn = start !== 'anywhere' && start.bookmark[0] === bookmarkOf(0, database)[0]
  return [isOwn ? Number(start.bookmark.slice(1)) : 0, newest]
}
