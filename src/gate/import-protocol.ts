/**
 * A chunk of an import as it travels to the gate, and what comes back; and what a gate needs of D1 to import. Plain data,
 * under the version of the protocol.
 */

import type { ImportChunk, ImportLine, ImportOutcome } from '../registry/bulk.ts'
import type { Scope } from '../registry/customer.ts'
import type { Failure } from '../registry/failures.ts'
import type { LimitState } from './write-protocol.ts'

export interface ImportRequest extends ImportChunk {
  /** Permits of this chunk that were taken when it was sent before. */
  permitsPaid: number
  credential: string | null
  caller: string | null
  requestId: string
  reason: string | null
}

export type ImportReply = { limits: LimitState; permitsPaid: number } & (
  | { ok: true; outcomes: ImportOutcome[]; actor: string; written: { seq: number; bookmark: string } | null }
  | { ok: false; failure: Failure }
)

/** What D1 has for a line before it is imported. */
export interface LineFacts {
  /** Of the customer that the external id finds; null when the line will create one. */
  customerId: string | null
  /** Of the parent that the line names; null when there is none, or when it names none. */
  parentId: string | null
  /** The change takes something away that may stand in another line's way: a parent, an integration. */
  releases: boolean
}

/** A line that is ready to be sent: which customer it is for is known. */
export interface PlannedLine extends ImportLine {
  /** The customer it updates; null creates one. */
  customerId: string | null
  changeId: string
}

/** Lines that may be done in any order among themselves; creations are done first. */
export type Segment = readonly PlannedLine[]

export interface ImportStamp {
  actor: string
  requestId: string
  reason: string | null
  nowMs: number
  deadlineMs: number
}

type SegmentsCommitted =
  /** `changed`: ids of the changes that were made. `there`: of the customers that now are as the lines say. */
  | { ok: true; changed: Set<string>; there: Set<string>; bookmark: string }
  /** A rule refused one of the lines, so none was done. */
  | { ok: false; failure: Failure; bookmark: string }

export interface ImportStore {
  /** Reads the primary. */
  lookUpLines(scope: Scope, lines: readonly ImportLine[]): Promise<LineFacts[]>
  /** Which customers the lines that have one would change. Reads the primary, and reads only. */
  wouldChange(scope: Scope, lines: readonly PlannedLine[]): Promise<Set<string>>
  /** All segments in one transaction, in their order; with `dryRun` it is rolled back. Rejects when nobody knows. */
  commitSegments(
    scope: Scope,
    segments: readonly Segment[],
    stamp: ImportStamp,
    options: { dryRun: boolean },
  ): Promise<SegmentsCommitted>
}
