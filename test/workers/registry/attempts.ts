/** Turns what was sent and observed in a step into attempts, which the search for an order explains. */
import type { CustomerChanges } from '../../../src/registry/customer.ts'
import type { Trouble } from '../support/failing-d1.ts'
import type { PreparedRequest, RequestOptions } from './callers.ts'
import type { Operation } from './model-types.ts'
import { lineObservationOf, type Observed, type ObservedLine } from './observed.ts'
import type { Attempt } from './orderings.ts'
import type { Stored } from './rows.ts'

export interface Planned extends PreparedRequest {
  operation: Operation
  options: RequestOptions
  /** The idempotency key among those of all callers: an operator's are its own. */
  key: string | null
}

export interface Sent {
  planned: Planned
  requestId: string
  observed: Observed
}

export interface Line {
  externalId: string
  changes: CustomerChanges
}

export interface SentLines {
  lines: Line[]
  requestId: string
  observed: ObservedLine[]
}

/**
 * Weakens the result of a line of a file that broke off: a line reported as done was done now or before; the outcome of one
 * to be sent again is unknown.
 */
export function doubtfulOf(attempt: Attempt, observed: ObservedLine | undefined): Attempt {
  if (!observed || observed.field === '') return { ...attempt, observed: null, mayBeDone: true }
  if (observed.result === 'error') return attempt
  const certain = ({ id, result }: ObservedLine) => ({ id, isDone: result !== 'error' })
  return {
    ...attempt,
    observed: certain(observed),
    observationOf: (outcome) => certain(lineObservationOf(outcome, {})),
  }
}

/** Returns true if the request is to be sent again: it has no answer, or the first with its key is under way. */
export function isOpen(observed: Observed): boolean {
  return 'unanswered' in observed || (!observed.ok && observed.reason === 'idempotency_in_progress')
}

/**
 * Returns whether the gate may not have learned the outcome of a change: two failures followed the work of D1, of the
 * answer and of the look-up. After one failure the gate answers correctly, and a late call was never carried out.
 */
export function leavesUnsure(trips: readonly Trouble[]): boolean {
  return trips.some((trip, at) => {
    const failures = trips.slice(at).filter((later) => later !== 'none').length
    return (trip === 'none' || trip === 'lost') && failures > 1
  })
}

export function attemptOf(
  { planned, requestId, observed }: Sent,
  phase: Sent[],
  stored: Stored,
  mayBeDone: boolean,
): Attempt {
  const { operation, options, key, fingerprint, actor, observationOf } = planned
  const { reason } = options
  const beside = phase.filter((other) => other.requestId !== requestId && other.planned.key === key)
  const refusal = 'reason' in observed ? observed.reason : null
  const isBesideAnother = beside.some((other) => other.planned.fingerprint !== fingerprint)
  return {
    request: { operation, key, fingerprint, actor, requestId, reason },
    observed: 'unanswered' in observed ? null : observed,
    observationOf,
    mayBeDone,
    newId: stored.madeBy.get(requestId) ?? ('id' in observed ? observed.id : undefined),
    waits:
      key !== null &&
      ((refusal === 'idempotency_in_progress' && beside.length > 0) ||
        (refusal === 'idempotency_mismatch' && isBesideAnother)),
  }
}
