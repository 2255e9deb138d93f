/**
 * Why a request is not served, in the registry's words: from the decision of the lease, and from what the request brought.
 */
import { isStorableText } from '../registry/customer.ts'
import { type Failure, Refused } from '../registry/failures.ts'
import type { Admitted } from './edge-gate.ts'

const RETRY_AFTER_MS = 1_000

export function refusalOf({ admission, retryAfterMs }: Admitted): Failure | null {
  switch (admission) {
    case 'admitted':
      return null
    case 'rate_limited':
      return { reason: 'rate_limited', retryAfterMs }
    case 'annual_limit':
      return { reason: 'annual_limit_reached', retryAfterMs }
    case 'suspended':
      return { reason: 'tenant_suspended' }
    case 'unknown_key':
      return { reason: 'unauthorized' }
    case 'unavailable':
      return { reason: 'unavailable', retryAfterMs }
  }
}

/** It is kept with the change for as long as its event, so it has a bound. */
const REASON_LENGTH_MAX = 500

export function reasonOf(headers: Pick<Headers, 'get'>): string | null {
  const reason = headers.get('x-reason')
  if (reason === null || (reason.length <= REASON_LENGTH_MAX && isStorableText(reason))) return reason
  const message = `is longer than ${REASON_LENGTH_MAX} characters or can not be stored`
  const problem = { field: 'x-reason', message, fix: `say it in ${REASON_LENGTH_MAX} characters` }
  throw new Refused({ reason: 'invalid_input', problems: [problem] })
}

export function missingScope(scope: string): Refused {
  return new Refused({ reason: 'missing_scope', scope })
}

export function unavailable(): Refused {
  return new Refused({ reason: 'unavailable', retryAfterMs: RETRY_AFTER_MS })
}
