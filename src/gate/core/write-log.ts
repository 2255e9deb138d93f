/**
 * Keeps the order of a tenant's writes: numbers each batch, stores its row from the intent to the settlement, and
 * maintains the ledger that leases are made from. It never calls D1; its caller reports which batches were committed.
 */

import { INTENT_GRACE_MS, WRITE_LOG_ROWS } from '../protocol/constants.ts'
import { bucketsOf, Ledger, LIST_TAG, laterBookmark } from './freshness.ts'
import type { GateStorage, WriteRow } from './gate-storage.ts'

/** The log is pruned once in this many writes, so that most batches cost one inserted and one updated row. */
const PRUNE_EVERY_WRITES = 256

export class WriteLog {
  #storage: GateStorage
  #ledger: Ledger
  #intents = new Map<number, WriteRow>()

  constructor(storage: GateStorage, rows: readonly WriteRow[]) {
    this.#storage = storage
    this.#ledger = Ledger.fromLog(rows.map((row) => ({ ...row, pending: row.state === 'pending' })))
    for (const row of rows) if (row.state === 'pending') this.#intents.set(row.seq, row)
  }

  get ledger(): Ledger {
    return this.#ledger
  }

  /**
   * Puts the first row into an empty log. It is not a write: it makes the numbers begin at the time. If a gate's
   * storage is ever lost, values that caches kept from before are below the new floor and do not count as new.
   */
  open(nowMs: number): void {
    if (this.#ledger.seq === 0) this.#openAt(Math.max(1, nowMs))
  }

  /**
   * Begins the log anew, because D1 was set back. No value read before is good any more, and no earlier bookmark is
   * waited for. Pending writes may still be committed in the current D1, so they get new numbers and stay pending
   * until they are overdue. The response to their writer settles nothing: it may come from the D1 that is gone.
   */
  startAnew(): void {
    const underWay = [...this.#intents.values()]
    this.#intents.clear()
    // Skips one number, so that the new floor is above every number an isolate has seen.
    const seq = this.#ledger.seq + 2
    this.#openAt(seq)
    this.#storage.pruneWrites(seq)
    for (const row of underWay) this.#insert({ ...row, seq: this.#ledger.seq + 1 })
  }

  #openAt(seq: number): void {
    const row: WriteRow = {
      seq,
      buckets: [],
      changeId: '',
      deadlineMs: 0,
      state: 'settled',
      bookmark: null,
      uncounted: 0,
    }
    this.#storage.insertWrite(row)
    this.#ledger = Ledger.fromLog([{ ...row, pending: false }])
  }

  /**
   * Stores the intent of a batch that may change values with these tags, before any of it is sent to D1. `deadlineMs`
   * is by D1's clock.
   */
  begin(tags: readonly string[], changeId: string, deadlineMs: number, uncounted: number): number {
    const seq = this.#ledger.seq + 1
    const buckets = bucketsOf([LIST_TAG, ...tags])
    const row: WriteRow = { seq, buckets, changeId, deadlineMs, state: 'pending', bookmark: null, uncounted }
    this.#insert(row)
    if (seq % PRUNE_EVERY_WRITES === 0) {
      this.#storage.pruneWrites(Math.min(seq - WRITE_LOG_ROWS, this.#ledger.stable + 1))
    }
    return seq
  }

  /**
   * Each row carries the ledger's bookmark on: a younger row may be settled at an earlier one, and be the only row that is left
   * when the log was pruned.
   */
  #insert(intent: WriteRow): void {
    const row = { ...intent, bookmark: this.#ledger.bookmark }
    this.#storage.insertWrite(row)
    this.#ledger.begin(row.buckets)
    this.#intents.set(row.seq, row)
  }

  /**
   * Settles a batch: in D1 at `bookmark`, or never to be committed (null). Writes to storage first, so a replaced
   * object fails here. A number from before `startAnew` settles nothing. The row gets the ledger's bookmark if that is
   * later: two looks for the outcome of a batch may be under way, and the older one may be answered last.
   */
  settle(seq: number, bookmark: string | null): void {
    this.#storage.settleWrite(seq, laterBookmark(bookmark, this.#ledger.bookmark))
    if (seq <= this.#ledger.floor) return
    this.#ledger.settle(seq, bookmark)
    this.#intents.delete(seq)
  }

  /** Returns batches with unknown outcome that are due for a look-up by D1's clock. */
  overdue(d1Ms: number): WriteRow[] {
    return [...this.#intents.values()].filter((row) => row.deadlineMs + INTENT_GRACE_MS <= d1Ms)
  }

  /** Returns true when D1, whose clock shows `d1Ms`, can no longer commit the batch. A settled batch is decided too. */
  isDecided(seq: number, d1Ms: number): boolean {
    return (this.#intents.get(seq)?.deadlineMs ?? 0) + INTENT_GRACE_MS <= d1Ms
  }

  /** When the next batch is due, by D1's clock; null when none is pending. */
  get nextOverdueMs(): number | null {
    if (this.#intents.size === 0) return null
    return Math.min(...[...this.#intents.values()].map((row) => row.deadlineMs)) + INTENT_GRACE_MS
  }
}
