/**
 * D1 and KV as the reads model has them: replicas as far behind as they like, and a KV that shows any of its past or
 * nothing.
 */

import type { ReadFrom, Stamped } from '../../../src/gate/isolate/fresh-read.ts'
import type { Agenda, Dice } from './discrete-events.ts'

/** A customer is the number of the commit that changed it last, or null before the first. No number is used twice. */
export type Version = number

export const LIST = 'list'
const KV_AGE_MAX_MS = 260_000
const REPLICA_LAG_MAX_MS = 8_000
const REPLICAS = 3
const HISTORIES_MAX = 9

interface Commit {
  version: Version
  atMs: number
  keys: string[]
}

export class Database {
  #commits: Commit[] = []
  #made = 0
  /** Rises when the database is set back. */
  history = 0
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
    const version = ++this.#made
    this.#commits.push({ version, atMs: this.#agenda.nowMs, keys })
    return version
  }

  /** Those of a later history sort before those of an earlier one: the worst that Cloudflare may do. */
  bookmark(commits = this.length): string {
    return `${HISTORIES_MAX - this.history}-${String(commits).padStart(8, '0')}`
  }

  /** True when D1 never reaches the bookmark, because the history it is of is gone. */
  isLost({ start }: ReadFrom): boolean {
    return typeof start === 'object' && start.bookmark.split('-')[0] !== String(HISTORIES_MAX - this.history)
  }

  /** Forgets the last commits, at the replicas too. */
  setBack(): void {
    this.#commits = this.#commits.slice(0, this.#dice.whole(0, this.length))
    for (const replica of this.#replicas) replica.applied = Math.min(replica.applied, this.length)
    this.history++
  }

  /** True when this was ever the state of `key` in the history that is. */
  has(key: string, version: Version): boolean {
    return (
      version === 0 || this.#commits.some((one) => one.version === version && (key === LIST || one.keys.includes(key)))
    )
  }

  /** Returns the version of `key` after so many commits; every commit changes the list. */
  version(key: string, commits = this.length): Version | null {
    for (let at = commits; at > 0; at--) {
      const commit = this.#commits[at - 1]
      if (commit && (key === LIST || commit.keys.includes(key))) return commit.version
    }
    return null
  }

  committedBy(atMs: number): number {
    let commits = this.length
    while (commits > 0 && (this.#commits[commits - 1] as Commit).atMs > atMs) commits--
    return commits
  }

  atMs(version: Version): number {
    return (this.#commits.find((one) => one.version === version) as Commit).atMs
  }

  /** Returns the number of commits that a read sees which arrives now. */
  seen({ start }: ReadFrom): number {
    if (start === 'primary') return this.length
    const replica = this.#dice.oneOf(this.#replicas)
    replica.applied = Math.max(replica.applied, this.committedBy(this.#agenda.nowMs - replica.lagMs))
    if (start !== 'anywhere') replica.applied = Math.max(replica.applied, Number(start.bookmark.split('-')[1]))
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
