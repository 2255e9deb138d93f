/**
 * The order of a tenant's writes: numbers each batch, keeps its row from the intent to the settlement, and the ledger that
 * leases are made from. It never speaks to D1; which batches were committed it is told.
 */

import { INTENT_GRACE_MS, WRITE_LOG_ROWS } from './constants.ts'
import { bucketsOf, Ledger, LIST_TAG } from './freshness.ts'
import type { GateStorage, WriteRow } from './gate-storage.ts'

/** The log is pruned once in this many writes, so that most batches cost one row inserted and one updated. */
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
   * Puts the first row into an empty log. It is no write: it lets the numbers begin at the time. Should a gate's storage
   * ever be lost, what caches kept from its days is below the new floor, and does not pass for new.
   */
  open(nowMs: number): void {
    if (this.#ledger.seq > 0) return
    const seq = Math.max(1, nowMs)
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

  /** Stores the intent of a batch that may change what has these tags, before any of it is sent to D1. */
  begin(tags: readonly string[], changeId: string, deadlineMs: number, uncounted: number): number {
    const seq = this.#ledger.seq + 1
    const buckets = bucketsOf([LIST_TAG, ...tags])
    const row: WriteRow = { seq, buckets, changeId, deadlineMs, state: 'pending', bookmark: null, uncounted }
    this.#storage.insertWrite(row)
    this.#ledger.begin(buckets)
    this.#intents.set(seq, row)
    if (seq % PRUNE_EVERY_WRITES === 0) {
      this.#storage.pruneWrites(Math.min(seq - WRITE_LOG_ROWS, this.#ledger.stable + 1))
    }
    return seq
  }

  /** The batch is in D1 at `bookmark`, or will never be (null). Touches storage first, so a ghost fails here. */
  settle(seq: number, bookmark: string | null): void {
    this.#storage.settleWrite(seq, bookmark ?? this.#ledger.bookmark)
    this.#ledger.settle(seq, bookmark)
    this.#intents.delete(seq)
  }

  /** Batches of which nobody knows what became of them, and which can no longer be committed. */
  overdue(atMs: number): WriteRow[] {
    return [...this.#intents.values()].filter((row) => row.deadlineMs + INTENT_GRACE_MS <= atMs)
  }

  /** When the next one is overdue; null when nothing is under way. */
  get nextOverdueMs(): number | null {
    if (this.#intents.size === 0) return null
    return Math.min(...[...this.#intents.values()].map((row) => row.deadlineMs)) + INTENT_GRACE_MS
  }
}
