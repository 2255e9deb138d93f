/**
 * The messages of an undo: a chunk, and the reply of the gate; also the port to D1 by which a gate finds what to undo. Plain
 * data, under the version of the protocol.
 */
import type { Scope } from '../../registry/customer.ts'
import type { Failure } from '../../registry/errors.ts'
import type { RevertFacts } from '../../registry/revert.ts'
import type { UndoChunk, UndoFacts, UndoneChunk, UndoSelection } from '../../registry/undo.ts'
import type { IsolateClock, LimitState, Sending } from './writes.ts'

/** The id of the request is that of the undo. */
export interface UndoRequest extends UndoChunk, Sending, IsolateClock {
  /** The cost of the chunk, as far as an earlier reply has said it, and the permits that were taken of it. */
  permits: number
  permitsPaid: number
}

export type UndoReply = { limits: LimitState; permitsPaid: number } & (
  | ({ ok: true; written: { seq: number; bookmark: string } | null } & Omit<UndoneChunk, 'consistencyToken'>)
  | { ok: false; failure: Failure; permits?: number }
)

/** Each read resolves with the rows that it read, too, and takes one statement. */
export interface UndoStore {
  /** Finds the next of the chosen changes, newest first, and their customers. */
  findPage(
    scope: Scope,
    chunk: Pick<UndoChunk, 'selection' | 'beforeId'>,
    undoId: string,
  ): Promise<{ customerIds: string[]; nextBeforeId: string | null; rows: number }>
  /** Returns those of the customers that no earlier chunk has met. */
  findCustomers(
    scope: Scope,
    of: Pick<UndoChunk, 'selection' | 'beforeId'> & { customerIds: readonly string[]; undoId: string },
  ): Promise<{ found: UndoFacts[]; rows: number }>
  /**
   * Returns what else decides about each. With a selection, customers that the undo moves out of the way are not in the way.
   */
  findObstacles(
    scope: Scope,
    found: readonly UndoFacts[],
    selection: UndoSelection | null,
    undoId: string,
  ): Promise<{ about: RevertFacts[]; rows: number }>
}
