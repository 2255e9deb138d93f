/** The observer of the reads model: it sees all isolates, the gate and D1, checks each read and counts the results. */

import type { StoredGate } from '../../../src/gate/core/gate-storage.ts'
import type { FreshRead, Stamped } from '../../../src/gate/isolate/fresh-read.ts'
import type * as CoreModule from './core.ts'
import type { Agenda } from './discrete-events.ts'
import { type Database, LIST, type Version } from './lagging-stores.ts'

export interface ReadsRun {
  reads: number
  /** The reads that a cache answered, without D1. */
  hits: number
  /**
   * The reads for which a consulted cache held a current value: one whose number is not below the number that the gate
   * gave to the last write that may have changed it. `passed` counts those of them that the cache answered.
   */
  stillRight: number
  passed: number
  writes: number
  restarts: number
  setBacks: number
  violations: string[]
}

export interface Token {
  seq: number
  bookmark: string | null
  keys: string[]
  version: Version
  history: number
}

/** The state that the observer recorded when a read began. */
interface Begun {
  key: string
  token: Token | null
  startMs: number
  history: number
  strong: Version
  changedIn: number
  settledTo: number
  restarts: number
  isStillRight: boolean
}

const LEASE_MAX_MS = 1_000

export class ReadsObserver {
  readonly run: ReadsRun = {
    reads: 0,
    hits: 0,
    stillRight: 0,
    passed: 0,
    writes: 0,
    restarts: 0,
    setBacks: 0,
    violations: [],
  }
  readonly #bucketsOf: (typeof CoreModule)['bucketsOf']
  readonly #agenda: Agenda
  readonly #database: Database
  readonly #startMs: number
  readonly #strong = new Map<string, Version>()
  /** The number of the last write that may have changed a key of the bucket, by bucket. */
  readonly #lastChanges = new Map<number, number>()
  readonly #underWay = new Set<number>()
  #lastSeq = 0
  /** The numbers up to which all writes were settled, each with the time since when. */
  #settledTo: { seq: number; atMs: number }[] = []

  constructor(bucketsOf: (typeof CoreModule)['bucketsOf'], agenda: Agenda, database: Database) {
    this.#bucketsOf = bucketsOf
    this.#agenda = agenda
    this.#database = database
    this.#startMs = agenda.nowMs
  }

  violated(what: string): void {
    if (this.run.violations.length < 5) this.run.violations.push(`${what} at ${this.#agenda.nowMs - this.#startMs} ms`)
  }

  /** Records that the gate has numbered a write. */
  began(seq: number, keys: readonly string[]): void {
    this.run.writes++
    this.#lastSeq = seq
    this.#underWay.add(seq)
    for (const bucket of this.#bucketsOf([LIST, ...keys])) this.#lastChanges.set(bucket, seq)
    this.#noteSettled()
  }

  settled(seq: number): void {
    this.#underWay.delete(seq)
    this.#noteSettled()
  }

  /** Records that the gate starts anew from these rows: what they do not say is settled is pending again. */
  restarted({ writes, stable }: StoredGate): void {
    this.run.restarts++
    const settledTo = Math.max(stable?.seq ?? 0, ...writes.map((row) => row.stable))
    for (const { seq } of writes) if (seq > settledTo) this.#underWay.add(seq)
    this.#settledTo = this.#settledTo.filter(({ seq }) => seq <= settledTo)
  }

  /** Records a strong write that was answered. From now on every read of its keys must include it. */
  answeredStrong(keys: readonly string[], version: Version): void {
    for (const key of keys) this.#strong.set(key, Math.max(version, this.#strong.get(key) ?? 0))
  }

  setBack(): void {
    this.run.setBacks++
    this.#strong.clear()
  }

  begins(key: string, token: Token | null): Begun {
    const settled = this.#settledTo.findLast(({ atMs }) => atMs <= this.#agenda.nowMs - LEASE_MAX_MS)
    return {
      key,
      token,
      startMs: this.#agenda.nowMs,
      history: this.#database.history,
      strong: this.#strong.get(key) ?? 0,
      changedIn: Math.max(...this.#bucketsOf([key]).map((bucket) => this.#lastChanges.get(bucket) ?? 0)),
      settledTo: settled?.seq ?? 0,
      restarts: this.run.restarts,
      isStillRight: false,
    }
  }

  /**
   * Records the value that a consulted cache holds. Reads with a token may bypass the caches, so they are not counted.
   */
  sees(begun: Begun, { asof }: Stamped<Version>): void {
    begun.isStillRight ||= begun.token === null && asof >= begun.changedIn
  }

  /**
   * Counts and checks a finished read. `isTrusted`: nothing is in force any more that is from before D1 was set back.
   */
  ended(begun: Begun, read: FreshRead<Version>, isTrusted: boolean): void {
    const isHit = read.from !== 'd1'
    this.run.reads++
    if (isHit) this.run.hits++
    if (begun.isStillRight) this.run.stillRight++
    if (begun.isStillRight && isHit) this.run.passed++
    if (isTrusted) this.#judge(begun, read)
  }

  #judge({ key, token, startMs, strong, settledTo, restarts }: Begun, read: FreshRead<Version>): void {
    const version = read.value ?? 0
    const owed = this.#database.version(key, this.#database.committedBy(startMs - 1_000)) ?? 0
    if (version < owed) {
      const ageMs = startMs - this.#database.atMs(owed)
      this.violated(`C3: ${read.from} gave ${version} of ${key}, ${owed} was committed ${ageMs} ms before`)
    }
    if (
      token?.history === this.#database.history &&
      (key === LIST || token.keys.includes(key)) &&
      version < token.version
    ) {
      this.violated(`C3: ${read.from} gave ${version} of ${key} to the token of ${token.version}`)
    }
    if (version < strong) this.violated(`C3: ${read.from} gave ${version} of ${key} after the strong write ${strong}`)
    if (!this.#database.has(key, version)) this.violated(`${read.from} gave ${version} of ${key}, which never was`)
    // The numbers start again when D1 is set back, so they are compared only in runs without a set-back. A gate that has just
    // started may not know yet what was settled.
    if (this.run.setBacks > 0 || this.run.restarts > restarts || read.from !== 'd1' || !read.fillMemory) return
    const { asof } = read.fillMemory
    if (asof < settledTo) this.violated(`a read of ${key} is stamped ${asof}, ${settledTo} was settled a second before`)
  }

  #noteSettled(): void {
    const seq = this.#underWay.size > 0 ? Math.min(...this.#underWay) - 1 : this.#lastSeq
    if (seq <= (this.#settledTo.at(-1)?.seq ?? 0)) return
    this.#settledTo.push({ seq, atMs: this.#agenda.nowMs })
    while ((this.#settledTo[1]?.atMs ?? Number.POSITIVE_INFINITY) <= this.#agenda.nowMs - LEASE_MAX_MS)
      this.#settledTo.shift()
  }
}
