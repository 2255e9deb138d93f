/**
 * Takes back what somebody or some import did: types and bounds of an undo, and the judgement of one customer. A customer goes
 * back to what the first of the chosen changes found, unless another change came later. Pure.
 */
import type { Customer } from './customer.ts'
import { isChange, planRevert, type RevertConflict, type RevertFacts, type RevertPlan } from './revert.ts'

/** The changes that an undo takes back: those for which all of this holds. It names an author, a request, or both. */
export interface UndoSelection {
  /** Id of a key or an operator, or name of a bound Worker. */
  actor: string | null
  /** The id of a request: of an import, or of an earlier undo. */
  requestId: string | null
  /** Time of the earliest change, inclusive. */
  sinceMs: number
  /** End of the time, exclusive. Null: none. */
  untilMs: number | null
}

/** A part of an undo that the gate does at once. */
export interface UndoChunk {
  selection: UndoSelection
  /** Where the chunk before it ended: older changes are looked at. Null begins with the newest. */
  beforeId: string | null
  /** True: the gate changes nothing and returns the outcomes that the chunk would have. */
  dryRun: boolean
}

/** The change that is in the way of an undo. */
export interface LaterChange {
  eventId: string
  type: string
  actor: string
  atMs: number
}

export type UndoOutcome = { id: string; externalId: string } & (
  | { result: 'reverted' }
  /** The customer is what it was already, or it is erased and stays so. */
  | { result: 'unchanged'; isErased: boolean }
  /** Either of both: a later change by somebody else, fields of then that are not to be had, or the rule that refused it. */
  | { result: 'conflict'; change: LaterChange | null; conflicts: RevertConflict[]; rule: string | null }
)

export interface UndoneChunk {
  outcomes: UndoOutcome[]
  /** Where the next chunk goes on. Null after the last one. */
  nextBeforeId: string | null
  /** A read that sends this token sees the chunk. Null when nothing was written. */
  consistencyToken: string | null
}

export const UNDO_BOUNDS = {
  /** Customers of a chunk. Their changes share batches with those of other writers. */
  chunkCustomersMax: 200,
  /** Events that a chunk looks at to find them. As many as a permit buys. */
  chunkEventsMax: 5_000,
  /** Times that customers are looked at again which others of the chunk were in the way of: as many as there are levels. */
  roundsMax: 12,
} as const

/** A customer of which changes were chosen. */
export interface UndoFacts {
  now: Customer
  isErased: boolean
  /** The customer that it is merged into. */
  mergedInto: string | null
  /**
   * The customer that the first of the chosen changes found. Null if it created the customer; undefined if that is no
   * longer kept, which an erasure of another customer does to changes from a merge to its unmerge.
   */
  found: Customer | null | undefined
  /** The latest change after it that was not chosen. */
  later: LaterChange | null
}

/** Returns what the customer is to be again. One that was created is archived; one of which nobody knows stays. */
export function undoneTo({ now, found }: UndoFacts): Customer {
  return found === null ? { ...now, status: 'archived' } : (found ?? now)
}

/** Returns how the customer goes back, or the outcome if it does not. */
export function judgeUndo(facts: UndoFacts, about: RevertFacts): { plan: RevertPlan } | { outcome: UndoOutcome } {
  const { now, isErased, mergedInto, later } = facts
  const { id, externalId } = now
  if (isErased) return { outcome: { id, externalId, result: 'unchanged', isErased } }
  if (facts.found === undefined) {
    return { outcome: { id, externalId, result: 'conflict', change: later, conflicts: [], rule: null } }
  }
  const plan = planRevert(undoneTo(facts), now, about)
  const { conflicts } = plan
  if (!isChange(plan) && conflicts.length === 0) return { outcome: { id, externalId, result: 'unchanged', isErased } }
  if (later) return { outcome: { id, externalId, result: 'conflict', change: later, conflicts: [], rule: null } }
  if (mergedInto !== null)
    return { outcome: { id, externalId, result: 'conflict', change: null, conflicts: [], rule: 'merged' } }
  if (conflicts.length === 0) return { plan }
  return { outcome: { id, externalId, result: 'conflict', change: null, conflicts, rule: null } }
}
