/**
 * What a gate stores, and the small synchronous interface through which it does: SQLite in the Durable Object, plain
 * objects in the model. Everything not here (the bucket, the grants, the demand) is forgotten at a restart on purpose.
 *
 * Each call takes effect before it returns, and is durable before any answer of the same event leaves the gate (the
 * object's output gate). A call by an instance that has been replaced throws.
 */

import type { AnnualRow } from './annual.ts'
import type { Policy } from './protocol.ts'

/** One API key of the tenant, in this gate's mode. */
export interface GateKey {
  id: string
  /** SHA-256 of the secret, base64url. */
  secretHash: string
  scopes: string[]
  expiresAtMs: number | null
  mode: 'live' | 'test'
}

/** The one row that changes with traffic, about every 5 s of it. */
export interface StateRow {
  /** Rises with every start of the gate that granted something. */
  epoch: number
  /** No lease or permit of that epoch or an earlier one lives longer than this. */
  horizonMs: number
  annual: AnnualRow
}

/** One batch of writes: committed together, or not at all. */
export interface WriteRow {
  seq: number
  buckets: number[]
  /** By which the batch is found in D1 when nobody knows whether it was committed. */
  changeId: string
  /** The D1 statement refuses to commit after this. */
  deadlineMs: number
  state: 'pending' | 'settled'
  bookmark: string | null
  /** Requests of the batch that were not in the stored annual count when it began. */
  uncounted: number
}

export interface StoredGate {
  policy: Policy | null
  keys: GateKey[]
  state: StateRow | null
  /** Every row there is, by rising seq. */
  writes: WriteRow[]
}

export interface GateStorage {
  /** Everything, once, at the start of an instance. */
  load(): StoredGate
  /** Replaces policy and keys together. */
  savePolicy(policy: Policy, keys: GateKey[]): void
  /** Replaces the state row. */
  saveState(row: StateRow): void
  /** Adds a row; its seq is higher than any before. */
  insertWrite(row: WriteRow): void
  /** Marks a row settled at `bookmark`. Must reach storage even when the row is already so: it is how a zombie is found out. */
  settleWrite(seq: number, bookmark: string | null): void
  /** Forgets rows with a smaller seq. Never asked for a pending row, nor for the newest. */
  pruneWrites(belowSeq: number): void
}
