/** Maps the errors of a batch about operators: a rule of the schema, or D1 being unavailable. */
import { refusalBy } from '../../operators/refusals.ts'
import { classifyD1Error } from '../d1-errors.ts'
import { orUnavailable } from '../unavailable.ts'

/** Throws `RegistryError` for a rule of operators that refused the batch, and for failures of D1. */
export async function attempt<T>(batch: () => Promise<T>): Promise<T> {
  try {
    return await batch()
  } catch (error) {
    const refusal = refusalBy(ruleOf(error))
    if (refusal) throw refusal
    return orUnavailable(() => Promise.reject(error), {})
  }
}

/** Returns false if the batch names an operator that does not exist. */
export function falseIfNoOperator(batch: () => Promise<void>): Promise<boolean> {
  return attempt(async () => {
    try {
      await batch()
      return true
    } catch (error) {
      if (ruleOf(error) === 'FOREIGN KEY constraint failed') return false
      throw error
    }
  })
}

function ruleOf(error: unknown): string {
  const problem = classifyD1Error(error)
  return problem.kind === 'refused' ? problem.rule : ''
}
