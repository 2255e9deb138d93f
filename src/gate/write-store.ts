/**
 * What a gate needs of D1 to write: the change as it is prepared, what came of it, and the store that `storage/` supplies.
 */
import type { Customer, Scope } from '../registry/customer.ts'
import type { Failure } from '../registry/failures.ts'
import type { Command, Effect, Erasure, Idempotency } from '../registry/ports.ts'

export interface PreparedWrite {
  command: Command
  changeId: string
  actor: string
  requestId: string
  reason: string | null
  nowMs: number
  deadlineMs: number
  idempotency: Idempotency | null
}

/** The receipt, and the external ids the customer ever had if it was erased just now: caches are rid of them by these. */
export interface Erased {
  receipt: Erasure
  externalIds: string[]
}

/** A change that was made, or that was none to make. `changeId`: of the change that made this version of the customer. */
export interface Made {
  ok: true
  customer: Customer
  effect: Effect
  changeId: string
  erased?: Erased | undefined
}

/**
 * `retarget`: the external id named another customer by the time of the change; look it up again.
 * `replayed`: the answer that an earlier request with the same idempotency key was given.
 */
export type CommitResult = (Made | { ok: false; failure: Failure; retarget?: boolean }) & { replayed?: true }

/** What a gate needs of D1. */
export interface WriteStore {
  /** The command with its target's id known; a failure when there is no such customer. Reads the primary. */
  resolveTarget(
    scope: Scope,
    command: Command,
  ): Promise<{ ok: true; command: Command } | { ok: false; failure: Failure }>
  /** All in one transaction, each for itself. `isListenedTo`: somebody may have to be told. */
  commitWrites(
    scope: Scope,
    writes: PreparedWrite[],
  ): Promise<{ results: CommitResult[]; isListenedTo: boolean; bookmark: string }>
  /** True when D1 turned a `commitWrites` away before any of it ran. */
  neverBegan(error: unknown): boolean
  /** Which of the changes are in D1, with what they made. Reads the primary. */
  findCommitted(scope: Scope, changeIds: string[]): Promise<{ found: Map<string, Made>; bookmark: string }>
}
