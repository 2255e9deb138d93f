/** D1 and KV as the reads model has them: replicas as far behind as they like, and a KV that shows any of its past or nothing. */

import type { ReadFrom, Stamped } from '../../src/gate/fresh-read.ts'
import type { Agenda, Dice } from './discrete-events.ts'

/** A customer is the number of the commit that changed it last; nobody (null) before the first. */
export type Version = number

export const LIST = 'list'
const KV_AGE_MAX_MS = 260_000
const REPLICA_LAG_MAX_MS = 8_000
const REPLICAS = 3

interface Commit {
  atMs: number
  keys: string[]
}

export class Database {
  readonly #commits: Commit[] = []
  readonly #replicas = Array.from({ length: REPLICAS }, () => ({ applied: 0, lagMs: 0 }))
  readonly #agenda: Agenda
  readonly #dice: Dice

  constructor(agenda: Agenda, dice: Dice) {
    this.#agenda = agenda
    this.#dice = dice
  }

  /** The number of commits there are. */
  get length(): number {
    return this.#commits.length
  }

  commit(keys: string[]): Version {
    return this.#commits.push({ atMs: this.#agenda.nowMs, keys })
  }

  bookmark(commits = this.length): string {
    return String(commits).padStart(8, '0')
  }

  /** What `key` was after so many commits; every commit changes the list. */
  version(key: string, commits = this.length): Version | null {
    for (let at = commits; at > 0; at--) if (key === LIST || this.#commits[at - 1]?.keys.includes(key)) return at
    return null
  }

  committedBy(atMs: number): number {
    let commits = this.length
    while (commits > 0 && this.atMs(commits) > atMs) commits--
    return commits
  }

  atMs(commit: Version): number {
    return (this.#commits[commit - 1] as Commit).atMs
  }

  /** What a read that gets there now sees: a number of commits. */
  seen(from: ReadFrom): number {
    if (from === 'primary') return this.length
    const replica = this.#dice.oneOf(this.#replicas)
    replica.applied = Math.max(replica.applied, this.committedBy(this.#agenda.nowMs - replica.lagMs))
    if (from !== 'anywhere') replica.applied = Math.max(replica.applied, Number(from.bookmark))
    return replica.applied
  }

  changeLag(): void {
    const replica = this.#dice.oneOf(this.#replicas)
    replica.lagMs = this.#dice.whole(0, this.#dice.oneOf([50, REPLICA_LAG_MAX_MS]))
  }
}

export class Kv {
  readonly #puts = new Map<string, { kept: Stamped<Version>; atMs: number }[]>()
  readonly #agenda: Agenda
  readonly #dice: Dice

  constructor(agenda: Agenda, dice: Dice) {
    this.#agenda = agenda
    this.#dice = dice
  }

  put(key: string, kept: Stamped<Version>): void {
    this.#agenda.at(this.#agenda.nowMs + this.#dice.whole(1, 200), () => {
      const puts = this.#puts.get(key) ?? []
      puts.push({ kept, atMs: this.#agenda.nowMs })
      // A put stays visible somewhere until another has been there for as long as KV may lag.
      while ((puts[1]?.atMs ?? Number.POSITIVE_INFINITY) < this.#agenda.nowMs - KV_AGE_MAX_MS) puts.shift()
      this.#puts.set(key, puts)
    })
  }

  get(key: string): Stamped<Version> | null {
    const puts = this.#puts.get(key)
    if (!puts || this.#dice.chance(0.15)) return null
    const put = this.#dice.chance(0.6) ? puts.at(-1) : this.#dice.oneOf(puts)
    return put?.kept ?? null
  }
}
