/**
 * The port of a gate to D1 for writes, which `storage/` implements: a prepared change, its result, and the store.
 */
import type { Customer, Scope } from '../../registry/customer.ts'
import type { Failure } from '../../registry/errors.ts'
import type { MergePlan, MergeReport } from '../../registry/merge.ts'
import type { Command, Effect, Erasure, Idempotency } from '../../registry/ports.ts'
import type { UnmergePlan, UnmergeReport } from '../../registry/unmerge.ts'
import type { SendingOperator } from './writes.ts'

/** A command whose target is resolved, and for a merge or an unmerge also planned. */
export type PreparedCommand = SingleCommand | PlannedMerge | PlannedUnmerge

/** A command that changes one customer alone. */
export type SingleCommand = Exclude<Command, { kind: 'merge' | 'unmerge' }>

/** `refusal`: why the merge cannot be made. The commit answers it, unless it finds the answer of an earlier request. */
export type PlannedMerge = { kind: 'merge'; target: { id: string } } & (
  | { plan: MergePlan; refusal?: undefined }
  | { plan?: undefined; refusal: Failure }
)

/** The target is the survivor. `refusal`: as for a merge. */
export type PlannedUnmerge = { kind: 'unmerge'; target: { id: string } } & (
  | { plan: UnmergePlan; refusal?: undefined }
  | { plan?: undefined; refusal: Failure }
)

/** The source of an unmerge as it is again, and what went back to it. */
export interface Unmerged {
  source: Customer
  report: UnmergeReport
}

export interface PreparedWrite {
  command: PreparedCommand
  changeId: string
  /** Ids of the further changes of a merge, one for each child, or of an unmerge, which has one for its source before them. */
  furtherChangeIds?: readonly string[]
  actor: string
  /** The operator who makes the change as the tenant; absent for any other caller. */
  operator?: SendingOperator | null
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
  /** The customers that were merged into it, which are erased with it. */
  mergedIds?: string[]
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
  | {
      ok: true
      customer: Customer
      effect: Effect
      changeId: string
      erased?: Erased | undefined
      merge?: MergeReport | undefined
      unmerged?: Unmerged | undefined
    }
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
  /**
   * Returns the command with its target's id resolved, and a merge or an unmerge with its plan; a failure when there is no such
   * customer. Reads the primary.
   */
  resolveTarget(
    scope: Scope,
    command: Command,
  ): Promise<{ ok: true; command: PreparedCommand } | { ok: false; failure: Failure }>
  /** Returns the result that the write would have, and changes nothing. */
  tryOut(scope: Scope, write: PreparedWrite): Promise<CommitResult>
  /** Commits all in one transaction, each for itself. The results are in the order of the writes. */
  commitWrites(
    scope: Scope,
    writes: PreparedWrite[],
  ): Promise<TripFacts & { results: CommitResult[]; bookmark: string }>
  /** Returns true when D1 refused a trip because the database is full: nothing of it was committed. */
  isFull(error: unknown): boolean
  /** Returns true when D1 refused a `commitWrites` before any of it ran. */
  neverBegan(error: unknown): boolean
  /** True for the error of a write that was refused because the tenant is being moved: it can be made when that is over. */
  isMoving(error: unknown): boolean
  /** Returns which of the changes are in D1, with their results. Reads the primary. */
  findCommitted(scope: Scope, changeIds: string[]): Promise<Found>
}
