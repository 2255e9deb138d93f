/**
 * The messages of an import: a chunk of lines, and the reply of the gate; also the port to D1 that a gate imports with.
 * Plain data, under the version of the protocol.
 */

import type { ImportChunk, ImportContext, ImportLine, ImportOutcome } from '../../registry/bulk.ts'
import type { Scope } from '../../registry/customer.ts'
import type { Failure } from '../../registry/errors.ts'
import type { IsolateClock, LimitState, Sending, SendingOperator } from './writes.ts'

export interface ImportRequest extends ImportChunk, Sending, IsolateClock {
  /** Permits of this chunk that were taken when it was sent before. */
  permitsPaid: number
}

export type ImportReply = { limits: LimitState; permitsPaid: number } & (
  | {
      ok: true
      outcomes: ImportOutcome[]
      actor: string
      written: { seq: number; bookmark: string } | null
      /** Set for a dry run. */
      context?: ImportContext
    }
  /**
   * `permits`: the cost of the chunk, as far as the gate has determined it. Absent from a gate that runs older code.
   */
  | { ok: false; failure: Failure; permits?: number }
)

/** The state in D1 for a line before it is imported. */
export interface LineFacts {
  /** The customer with the external id; null when the line will create one. */
  customerId: string | null
  /** The parent that the line names; null when it does not exist, or when the line names none. */
  parentId: string | null
  /** The customer's current parent. */
  currentParentId: string | null
  /** Bytes of the customer with the values of the line, if no other line of the chunk changes it. */
  bytes: number
  /** True if the customer exists as the line wants it, and the import itself has not changed it. */
  isSame: boolean
  /** For an archived customer's line: whether the customer is archived, equals the line, or may not be seen any more. */
  archived?: 'same' | 'different' | 'live' | 'erased'
}

/** All facts for the rules, read at one moment. */
export interface ImportFacts {
  /** One for each line, in their order. */
  lines: LineFacts[]
  /** Customers that lines move, parents that lines name for them or for new ones, and all ancestors of these. */
  tree: TreeFacts[]
  /** The customer that holds each of the integrations that lines name; free ones are absent. */
  holders: { provider: string; entityId: string; customerId: string }[]
  /** The customers that are found by the former external ids that lines name. */
  named: { externalId: string; customerId: string }[]
  /** Names of onboarding workflows. Read only when a line names one. */
  workflows: string[]
  /** The time that D1 took by its own clock. */
  durationMs: number
}

export interface TreeFacts {
  id: string
  parentId: string | null
  /**
   * Levels of descendants that are not in `tree` themselves. 0 where it does not matter, because nothing at or above
   * it moves.
   */
  levelsBelow: number
  /** Customers below it, down to those that are in the tree themselves. */
  customersBelow: number
}

/** A line that is ready to be sent: its customer is determined. */
export interface PlannedLine extends ImportLine {
  /** The customer it updates; null creates one. */
  customerId: string | null
  /** The parent it gives the customer; undefined keeps the current one. */
  parentId: string | null | undefined
  changeId: string
}

/** The lines of one statement: all create a customer, in this order, or all update one, in any order. */
export type Segment = readonly PlannedLine[]

export interface ImportStamp {
  actor: string
  /** The operator who imports as the tenant; absent for any other caller. */
  operator?: SendingOperator | null
  requestId: string
  reason: string | null
  nowMs: number
  deadlineMs: number
}

/** The work of a transaction. */
export interface TransactionWork {
  /** Rows as D1 bills them, with those of indexes, events and deliveries. */
  rowsWritten: number
  /** Customers that may have got other words. */
  wordsChanged: number
  /** The time that D1 took by its own clock. */
  durationMs: number
}

type SegmentsCommitted =
  /**
   * `changed`: ids of the changes that were made. `missed`: ids of the customers that do not equal their lines. `d1Ms`:
   * the time by D1's clock. `hasSubscribers`: whether anybody wants the events.
   */
  | {
      ok: true
      changed: Set<string>
      missed: Set<string>
      bookmark: string
      d1Ms: number
      hasSubscribers: boolean
      work: TransactionWork
    }
  /** A rule refused one of the lines, so none was done. */
  | { ok: false; failure: Failure }

export interface ImportStore {
  /** Reads the primary, in one trip of at most `LOOK_UP_STATEMENTS`. `requestId` is the import's. */
  lookUpLines(scope: Scope, lines: readonly ImportLine[], requestId: string): Promise<ImportFacts>
  /** Commits all segments in one transaction, in their order. Rejects when the outcome is unknown. */
  commitSegments(scope: Scope, segments: readonly Segment[], stamp: ImportStamp): Promise<SegmentsCommitted>
  /**
   * Does the same and rolls it back. Returns the ids of the changes it would have made, those of `segments` in their
   * order, or why a rule refuses them.
   */
  tryOut(
    scope: Scope,
    segments: readonly Segment[],
    stamp: ImportStamp,
  ): Promise<{ ok: true; changed: Set<string> } | { ok: false; failure: Failure }>
}

/** D1 statements of one look-up. */
export const LOOK_UP_STATEMENTS = 6
/** D1 statements of one transaction beside those of its segments: in an import, also by an operator, and in a dry run. */
export const TRANSACTION_STATEMENTS = { own: 1, operator: 2, dryRun: 3 } as const
