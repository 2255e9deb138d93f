/**
 * What a caller is told when D1 does not answer: to come again. A mistake in a statement stays what it is, and so does an
 * answer that was kept before.
 */
import type { Scope } from '../registry/customer.ts'
import { Refused } from '../registry/failures.ts'
import { AnsweredBefore } from '../registry/once.ts'
import { describeError, log } from '../shared/log.ts'
import { KEPT_BEFORE } from './admin-idempotency-records.ts'
import { classifyD1Error, isStatementFault } from './d1-errors.ts'

const RETRY_AFTER_MS = 1_000

/** Of one tenant and mode, which the log names. */
export function orUnavailableIn({ tenantId, mode }: Scope) {
  return async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      const problem = classifyD1Error(error)
      if (problem.kind === 'refused' && problem.rule === KEPT_BEFORE) throw new AnsweredBefore()
      if (isStatementFault(problem)) throw error
      log('error', { event: 'storage_failed', kind: problem.kind, error: describeError(error), tenantId, mode })
      throw new Refused({ reason: 'unavailable', retryAfterMs: RETRY_AFTER_MS })
    }
  }
}
