/**
 * What a caller is told when D1 does not answer: to come again. A mistake in a statement stays what it is.
 */
import { Refused } from '../registry/failures.ts'
import { describeError, log } from '../shared/log.ts'
import { classifyD1Error, isStatementFault } from './d1-errors.ts'

const RETRY_AFTER_MS = 1_000

export async function orUnavailable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const problem = classifyD1Error(error)
    if (isStatementFault(problem)) throw error
    log('error', { event: 'storage_failed', kind: problem.kind, error: describeError(error) })
    throw new Refused({ reason: 'unavailable', retryAfterMs: RETRY_AFTER_MS })
  }
}
