/**
 * The stored rows of a gate, and the small synchronous interface to them: SQLite in the Durable Object, plain objects
 * in the model. The rest (the bucket, the grants, the demand) is forgotten at a restart on purpose.
 *
 * Each call takes effect before it returns, and is durable before any response of the same event leaves the gate (the
 * object's output gate). A call by an instance that has been replaced throws.
 */

import type { Policy } from '../protocol/leases.ts'
import type { AnnualRow } from './annual-count.ts'

/** One API key of the tenant, in this gate's mode. */
export interface GateKey {
  id: string
  /** SHA-256 of the secret, base64url. */
  secretHash: string
  scopes: string[]
  expiresAtMs: number | null
  mode: 'live' | 'test'
}

/** Returns the fields of a key that a gate needs, without those that D1 has besides. */
export function storedKeyOf({ id, secretHash, scopes, expiresAtMs, mode }: GateKey): GateKey {
  return { id, secretHash, scopes, expiresAtMs, mode }
}

/** The only row that changes with traffic, about every 5 s. */
export interface StateRow {
  /** Rises with every start of the gate that granted something. */
  epoch: number
  /** No lease or permit of this epoch or an earlier one outlives this time of day. Another start reads it. */
  horizonMs: number
  annual: AnnualRow
}

/** The last time that the policy was loaded from D1, whether or not it had changed. */
export interface LoadedRow {
  /** Data epoch of the D1 that policy, keys and writes come from. */
  dataEpoch: number
  atMs: number
  /** When a policy with another database came into force, by the time of day. Absent if none ever did. */
  movedAtMs?: number
}

/** One batch of writes: committed together, or not at all. */
export interface WriteRow {
  seq: number
  buckets: number[]
  /** The D1 statement refuses to commit after this, by D1's clock. */
  deadlineMs: number
  /** Every write up to this number was settled when this one began, in D1 at this bookmark at the latest. */
  stable: number
  bookmark: string | null
  /** Requests of the batch that were not in the stored annual count when it began. */
  uncounted: number
}

/** Every write up to this number is settled, in D1 at this bookmark at the latest. */
export interface StableRow {
  seq: number
  bookmark: string | null
}

/** The minute in which a key was last used, as the milliseconds of its beginning. */
export interface KeyUseRow {
  keyId: string
  usedAtMs: number
}

export interface StoredGate {
  loaded: LoadedRow | null
  policy: Policy | null
  keys: GateKey[]
  state: StateRow | null
  /** All rows, by rising seq. Those beyond every `stable` are pending. */
  writes: WriteRow[]
  stable: StableRow | null
  keyUses: KeyUseRow[]
}

export interface GateStorage {
  /** Loads all rows, once, at the start of an instance. */
  load(): StoredGate
  /** Replaces policy and keys together. */
  savePolicy(policy: Policy, keys: GateKey[]): void
  /** Replaces the row of the last load. */
  saveLoaded(row: LoadedRow): void
  /** Replaces the state row. */
  saveState(row: StateRow): void
  /** Adds a row; its seq is higher than any before. */
  insertWrite(row: WriteRow): void
  /** Replaces the row of what is settled. */
  saveStable(row: StableRow): void
  /** Deletes rows with a smaller seq. The newest row always stays. */
  pruneWrites(belowSeq: number): void
  /** Adds or replaces the row of the key. */
  saveKeyUse(row: KeyUseRow): void
  forgetKeyUse(keyId: string): void
}
