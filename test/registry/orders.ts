/**
 * Whether what callers heard and what is stored can be explained by doing the requests one after the other, in some order.
 * Pure: tries the orders against copies of the model.
 */
import type { Model } from './model.ts'
import { canonical, isSame, type Request, type State, type Told } from './words.ts'

/** One sending of a request. */
export interface Attempt {
  request: Request
  /** What was heard; null when the caller was told nothing of what became of it. */
  heard: unknown
  heardOf(told: Told): unknown
  /** Unanswered, it may have been done all the same: D1 was away when the gate looked. */
  mayBeDone: boolean
  /** The id of the customer, should it have made one. */
  newId: string | undefined
  /** Refused without a look, because another with its key was under way. */
  waits: boolean
}

/** The model after the first order that explains everything; null when there is none. Each phase began after the last had ended. */
export function explained(model: Model, phases: readonly (readonly Attempt[])[], stored: State): Model | null {
  const wanted = canonical(stored)
  const from = (at: Model, [phase, ...later]: readonly (readonly Attempt[])[]): Model | null => {
    if (!phase) return canonical(at.state()) === wanted ? at : null
    if (phase.length === 0) return from(at, later)
    for (const [index, attempt] of phase.entries()) {
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

/** What the registry may be after this attempt, if it was answered as it was. */
function outcomes(model: Model, attempt: Attempt): Model[] {
  const { request, heard, newId = '?' } = attempt
  if (attempt.waits) return [model]
  const next = model.copy()
  const told = next.apply(request, newId)
  // An answer that tells of no change is kept after the batch, so it may be kept and not be given.
  const isChange = told.ok && told.effect !== 'unchanged'
  if (heard === null) return attempt.mayBeDone || !isChange ? [model, next] : [model]
  return isSame(attempt.heardOf(told), heard) ? [next] : []
}

/** What the model would have told and held, had the requests been done in the order in which they were sent. */
export function expectedInOrder(
  model: Model,
  phases: readonly (readonly Attempt[])[],
): { heard: unknown[]; state: State } {
  const at = model.copy()
  const heard = phases.flat().map((attempt) => {
    if (attempt.waits || (attempt.heard === null && !attempt.mayBeDone)) return attempt.heard
    return attempt.heardOf(at.apply(attempt.request, attempt.newId ?? '?'))
  })
  return { heard, state: at.state() }
}
