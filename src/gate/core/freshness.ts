/**
 * Decides which cached values are still good (C3), without any assumption about how fast KV or a D1 replica catches up.
 *
 * The gate numbers its tenant's writes. A value is stamped with the number up to which its read saw every write. It is
 * good as long as none of its tags changed after that. Tags are hashed into many buckets: a collision only costs a cache
 * hit. `Ledger` is the gate's side: it has the buckets that changed last, each with the number of its last change. `View` is
 * the isolate's, which has got all of these and remembers more. Other files store and send them.
 */

import { bucketHash } from '../../shared/hash.ts'
import { CHANGES_KEPT } from '../protocol/constants.ts'
import type { FreshnessDelta } from '../protocol/leases.ts'
import { Changes } from './changes.ts'

/**
 * The tag of everything that depends on the set of customers. Every write carries it, so it has a bucket of its own.
 */
export const LIST_TAG = 'list'
const LIST_BUCKET = 0
const BUCKETS = 2 ** 32

/** The bucket of a tag, the same in every isolate and gate. */
export function bucketOf(tag: string): number {
  if (tag === LIST_TAG) return LIST_BUCKET
  return 1 + (bucketHash(tag) % (BUCKETS - 1))
}

/** Returns the buckets of several tags without duplicates. */
export function bucketsOf(tags: readonly string[]): number[] {
  return [...new Set(tags.map(bucketOf))]
}

/** Returns the later of two D1 bookmarks. They sort as strings; null is before the first write. */
export function laterBookmark(a: string | null, b: string | null): string | null {
  if (a === null) return b
  return b === null || a >= b ? a : b
}

/** One numbered write, as the log stores it. */
export interface LoggedWrite {
  seq: number
  buckets: number[]
  pending: boolean
  bookmark: string | null
}

/** The gate's side: numbers writes, and tracks pending writes and the last change of each bucket. */
export class Ledger {
  #seq = 0
  #floor = 0
  #bookmark: string | null = null
  /** The number of the last change of each bucket, in the order of the numbers. */
  #lastChange = new Map<number, number>()
  /** The last change of all buckets that were dropped from there. */
  #droppedSeq = 0
  #pending = new Map<number, number[]>()

  /** Rebuilds the ledger from all rows of the log, in the order of their numbers, and from a bookmark that may be later. */
  static fromLog(rows: readonly LoggedWrite[], bookmark: string | null = null): Ledger {
    const ledger = new Ledger()
    ledger.#bookmark = bookmark
    if (rows[0]) ledger.#floor = rows[0].seq - 1
    for (const row of rows) {
      ledger.#mark(row.seq, row.buckets)
      if (row.pending) ledger.#pending.set(row.seq, row.buckets)
      ledger.#bookmark = laterBookmark(ledger.#bookmark, row.bookmark)
    }
    return ledger
  }

  get seq(): number {
    return this.#seq
  }

  /** No number up to this is one of a write in the log. */
  get floor(): number {
    return this.#floor
  }

  get bookmark(): string | null {
    return this.#bookmark
  }

  /** The largest number without a pending write up to it. Pending writes are inserted in the order of their numbers. */
  get stable(): number {
    for (const seq of this.#pending.keys()) return seq - 1
    return this.#seq
  }

  isPending(seq: number): boolean {
    return this.#pending.has(seq)
  }

  /**
   * Returns the next number, for a write that is about to be committed. Its row must already be stored, or be stored
   * with it.
   */
  begin(buckets: number[]): number {
    const seq = this.#seq + 1
    this.#mark(seq, buckets)
    this.#pending.set(seq, buckets)
    return seq
  }

  /** Settles a write: committed at `bookmark`, or never to be committed (null). */
  settle(seq: number, bookmark: string | null): void {
    this.#pending.delete(seq)
    this.#bookmark = laterBookmark(this.#bookmark, bookmark)
  }

  /** Returns the changes for an isolate that has every change up to `seenSeq`. */
  deltaSince(seenSeq: number): FreshnessDelta {
    const changes: number[] = []
    if (seenSeq < this.#seq) {
      for (const [bucket, changed] of this.#lastChange) if (changed > seenSeq) changes.push(bucket, changed)
    }
    const pending = this.#pending.size === 0 ? [] : [...new Set([...this.#pending.values()].flat())]
    const { seq, stable } = this
    const floor = Math.max(this.#floor, this.#droppedSeq)
    return { seq, stable, floor, bookmark: this.#bookmark, since: seenSeq, changes, pending }
  }

  #mark(seq: number, buckets: number[]): void {
    this.#seq = seq
    for (const bucket of buckets) {
      // Deleted first, so that it comes last.
      this.#lastChange.delete(bucket)
      this.#lastChange.set(bucket, seq)
    }
    for (const [bucket, changed] of this.#lastChange) {
      if (this.#lastChange.size <= CHANGES_KEPT) break
      this.#lastChange.delete(bucket)
      this.#droppedSeq = changed
    }
  }
}

/** The isolate's side: the newest lease's state, and every change in the leases so far. */
export class View {
  seq = 0
  stable = 0
  floor = 0
  bookmark: string | null = null
  /** The number of the tenant's database, which the bookmark is of. */
  database = 0
  pending: readonly number[] = []
  readonly #changes = new Changes()

  /**
   * Merges the changes of a lease. They only rise, so the order of leases does not matter for them; the rest is taken
   * from the newest lease only. Returns false and changes nothing when the delta starts later than this view ends.
   */
  merge(delta: FreshnessDelta, newest: boolean): boolean {
    if (delta.since > this.seq) return false
    // The changes between this view and the oldest one that the gate has are lost, so no value read before can be judged.
    if (delta.floor > this.seq) this.floor = delta.floor
    const { changes } = delta
    for (let at = 0; at + 1 < changes.length; at += 2)
      this.#changes.note(changes[at] as number, changes[at + 1] as number)
    if (delta.seq > this.seq) this.seq = delta.seq
    if (newest) {
      this.stable = delta.stable
      this.bookmark = delta.bookmark
      this.pending = delta.pending
    }
    return true
  }

  /**
   * Notes a write that this isolate itself sent, before a lease brings it: its own callers read what they wrote.
   * `stable` does not change, so values that are read meanwhile get a lower stamp than possible, which is safe.
   * Ignores a number below the floor: the gate has begun its log anew, and the bookmark may be of a D1 that is gone.
   */
  learn(bucket: number, seq: number, bookmark: string): void {
    if (seq < this.floor) return
    this.#changes.note(bucket, seq)
    this.bookmark = laterBookmark(this.bookmark, bookmark)
  }

  /** Returns true if the bucket changed after that number; also, rarely, if it did not. */
  isChangedSince(bucket: number, seq: number): boolean {
    return this.#changes.isChangedSince(bucket, seq)
  }

  /** Returns true while a write to one of the buckets is pending: only the primary has its outcome. */
  isPending(buckets: readonly number[]): boolean {
    if (this.pending.length === 0) return false
    return buckets.some((bucket) => this.pending.includes(bucket))
  }
}

/** Returns true when a value read at `asof` shows every write to its buckets that is in the view. */
export function isGood(view: View, buckets: readonly number[], asof: number): boolean {
  if (asof < view.floor) return false
  for (let at = 0; at < buckets.length; at++) if (view.isChangedSince(buckets[at] as number, asof)) return false
  return true
}

/** The stamp for a value: taken from the view before the read starts, and granted or not after it. */
export interface Stamp {
  asof: number
  bookmark: string | null
  database: number
}

/** Returns the stamp of a read that starts now. It is a copy, because the view moves on during the read. */
export function stampFor(view: View): Stamp {
  return { asof: view.stable, bookmark: view.bookmark, database: view.database }
}
