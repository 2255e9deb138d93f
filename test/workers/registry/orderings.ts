/**
 * Explains the observed answers and the stored state by carrying out the requests one after the other, in some order. Pure:
 * tries the orders against copies of the model.
 */

import type { Model } from './model.ts'
import { canonical, isSame, type Outcome, type Request, type State } from './model-types.ts'

/** One sending of a request. */
export interface Attempt {
  request: Request
  /** The observed answer; null when the caller does not know the outcome. */
  observed: unknown
  observationOf(outcome: Outcome): unknown
  /** The request has no answer and may be done all the same: D1 was unreachable when the gate looked. */
  mayBeDone: boolean
  /** The id of the customer, if the request created one. */
  newId: string | undefined
  /** Refused without being tried, because another with its key was under way. */
  waits: boolean
  /** It has changed nothing: it is explained as soon as the model answers the same at one moment. */
  isQuiet?: boolean
  /** Another one that is known to have come first. */
  after?: Attempt | undefined
}

/**
 * Returns the model after the first order that explains everything; null when none does. Each phase began after the last
 * had ended.
 */
export function explained(model: Model, phases: readonly (readonly Attempt[])[], stored: State): Model | null {
  const wanted = canonical(stored)
  const from = (at: Model, [phase, ...later]: readonly (readonly Attempt[])[]): Model | null => {
    if (!phase) return canonical(at.state()) === wanted ? at : null
    if (phase.length === 0) return from(at, later)
    const quiet = phase.findIndex((attempt) => attempt.isQuiet && outcomes(at, attempt).length > 0)
    if (quiet !== -1) return from(at, [phase.toSpliced(quiet, 1), ...later])
    for (const [index, attempt] of phase.entries()) {
      if (attempt.isQuiet || (attempt.after && phase.includes(attempt.after))) continue
      const others = phase.toSpliced(index, 1)
      for (const next of outcomes(at, attempt)) {
        const end = from(next, [others, ...later])
        if (end) return end
      }
    }
    return null
  }
  return from(model, phases)
}

/** Returns the possible states of the registry after this attempt, given its answer. */
function outcomes(model: Model, attempt: Attempt): Model[] {
  const { request, observed, newId = '?' } = attempt
  if (attempt.waits) return [model]
  const next = model.copy()
  const outcome = next.apply(request, newId)
  // An answer without a change is stored after the batch, so it may be stored and not be sent.
  const isChange = outcome.ok && outcome.effect !== 'unchanged'
  if (observed === null) return attempt.mayBeDone || !isChange ? [model, next] : [model]
  return isSame(attempt.observationOf(outcome), observed) ? [next] : []
}

/** Returns the outcomes and the state of the model for the requests in the order in which they were sent. */
export function expectedInOrder(
  model: Model,
  phases: readonly (readonly Attempt[])[],
): { observed: unknown[]; state: State } {
  const at = model.copy()
  const observed = phases.flat().map((attempt) => {
    if (attempt.waits || (attempt.observed === null && !attempt.mayBeDone)) return attempt.observed
    return attempt.observationOf(at.apply(attempt.request, attempt.newId ?? '?'))
  })
  return { observed, state: at.state() }
}
