/**
 * Keeps the order of a tenant's writes: numbers each batch, stores its intent, and maintains the ledger that leases are made
 * from. It never calls D1; its caller reports which batches were committed.
 *
 * A settlement is not stored by itself, so that no response waits for it. The next intent says which writes were settled before
 * it, and `saveStable` says so behind the last one. What was settled and not stored is pending for the next start of the gate,
 * which looks it up.
 */

import { INTENT_GRACE_MS, WRITE_LOG_ROWS } from '../protocol/constants.ts'
import { bucketsOf, Ledger, LIST_TAG } from './freshness.ts'
import type { GateStorage, StableRow, WriteRow } from './gate-storage.ts'

/** The log is pruned once in this many writes, so that most batches cost one inserted row. */
const PRUNE_EVERY_WRITES = 256

export class WriteLog {
  #storage: GateStorage
  #ledger: Ledger
  #intents = new Map<number, WriteRow>()
  /** Every write up to this number is settled in the stored rows. */
  #storedStable: number

  constructor(storage: GateStorage, rows: readonly WriteRow[], stable: StableRow | null) {
    this.#storage = storage
    const storedStable = Math.max(stable?.seq ?? 0, ...rows.map((row) => row.stable))
    const isPending = ({ seq }: WriteRow) => seq > storedStable
    this.#storedStable = storedStable
    this.#ledger = Ledger.fromLog(
      rows.map((row) => ({ ...row, pending: isPending(row) })),
      stable?.bookmark ?? null,
    )
    for (const row of rows.filter(isPending)) this.#intents.set(row.seq, row)
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
    // Else the next start would take the bookmark of the D1 that is gone.
    this.#storage.saveStable({ seq, bookmark: null })
    for (const row of underWay) this.#insert({ ...row, seq: this.#ledger.seq + 1 })
  }

  #openAt(seq: number): void {
    const row: WriteRow = {
      seq,
      buckets: [],
      deadlineMs: 0,
      stable: seq,
      bookmark: null,
      uncounted: 0,
    }
    this.#storage.insertWrite(row)
    this.#storedStable = seq
    this.#ledger = Ledger.fromLog([{ ...row, pending: false }])
  }

  /**
   * Stores the intent of a batch that may change values with these tags, before any of it is sent to D1. `deadlineMs`
   * is by D1's clock.
   */
  begin(tags: readonly string[], deadlineMs: number, uncounted: number): number {
    const seq = this.#ledger.seq + 1
    const buckets = bucketsOf([LIST_TAG, ...tags])
    this.#insert({ seq, buckets, deadlineMs, uncounted })
    if (seq % PRUNE_EVERY_WRITES === 0) {
      this.#storage.pruneWrites(Math.min(seq - WRITE_LOG_ROWS, this.#ledger.stable + 1))
    }
    return seq
  }

  /** Each row carries the ledger's bookmark on, because it may be the only row that is left when the log was pruned. */
  #insert(intent: Omit<WriteRow, 'stable' | 'bookmark'>): void {
    const { stable, bookmark } = this.#ledger
    const row = { ...intent, stable, bookmark }
    this.#storage.insertWrite(row)
    this.#storedStable = stable
    this.#ledger.begin(row.buckets)
    this.#intents.set(row.seq, row)
  }

  /** Settles a batch: in D1 at `bookmark`, or never to be committed (null). A number from before `startAnew` settles nothing. */
  settle(seq: number, bookmark: string | null): void {
    if (seq <= this.#ledger.floor) return
    this.#ledger.settle(seq, bookmark)
    this.#intents.delete(seq)
  }

  /** Stores up to which number every write is settled, if no row says so yet. */
  saveStable(): void {
    const { stable, bookmark } = this.#ledger
    if (stable === this.#storedStable) return
    this.#storage.saveStable({ seq: stable, bookmark })
    this.#storedStable = stable
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
