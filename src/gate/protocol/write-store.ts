/**
 * The port of a gate to D1 for writes, which `storage/` implements: a prepared change, its result, and the store.
 */
import type { Customer, Scope } from '../../registry/customer.ts'
import type { Failure } from '../../registry/errors.ts'
import type { Command, Effect, Erasure, Idempotency } from '../../registry/ports.ts'

export interface PreparedWrite {
  command: Command
  changeId: string
  actor: string
  requestId: string
  reason: string | null
  /** Both by D1's clock. */
  nowMs: number
  deadlineMs: number
  idempotency: Idempotency | null
}

/**
 * The receipt of an erasure, and the external ids the customer ever had if it was erased just now. Caches delete their
 * entries by these.
 */
export interface Erased {
  receipt: Erasure
  externalIds: string[]
}

/**
 * The result of one write in storage: a change, nothing to change, or a failure. The gate makes a `WriteReply` of it for the
 * isolate, and the isolate a `Written` for the API.
 * `changeId`: the change that made this version of the customer.
 * `targetMoved`: the external id named another customer by the time of the change; look it up again.
 * `late`: D1 found the deadline past and changed nothing; a change prepared anew may be made.
 * `replayed`: the result that an earlier request with the same idempotency key got.
 */
export type CommitResult = (
  | { ok: true; customer: Customer; effect: Effect; changeId: string; erased?: Erased | undefined }
  | { ok: false; failure: Failure; targetMoved?: boolean; late?: boolean }
) & { replayed?: true }

/** The facts that a trip to D1 brings along with its results. */
export interface TripFacts {
  /** True when the tenant has subscribers. */
  hasSubscribers: boolean
  /** The time by D1's clock; null where no answer stated it. */
  d1Ms: number | null
}

/** `d1Ms`: the time by D1's clock at which it looked. `found`: the results by the ids of the changes. */
export interface Found {
  found: Map<string, Extract<CommitResult, { ok: true }>>
  bookmark: string
  d1Ms: number
}

/** The store that a gate writes to. */
export interface WriteStore {
  /** Returns the command with its target's id resolved; a failure when there is no such customer. Reads the primary. */
  resolveTarget(
    scope: Scope,
    command: Command,
  ): Promise<{ ok: true; command: Command } | { ok: false; failure: Failure }>
  /** Commits all in one transaction, each for itself. The results are in the order of the writes. */
  commitWrites(
    scope: Scope,
    writes: PreparedWrite[],
  ): Promise<TripFacts & { results: CommitResult[]; bookmark: string }>
  /** Returns true when D1 refused a trip because the database is full: nothing of it was committed. */
  isFull(error: unknown): boolean
  /** Returns true when D1 refused a `commitWrites` before any of it ran. */
  neverBegan(error: unknown): boolean
  /** Returns which of the changes are in D1, with their results. Reads the primary. */
  findCommitted(scope: Scope, changeIds: string[]): Promise<Found>
}
