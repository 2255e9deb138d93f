/**
 * Every way a request can fail, one closed list. Each door has one exhaustive table from `reason` to its own words;
 * adding a reason here stops the doors from compiling until each has decided how to say it.
 */

/** One thing wrong with the input, and how to mend it. */
export interface InputProblem {
  /** Where: a JSON path (`metadata.plan`), a query parameter, a header; empty for the body itself. */
  field: string
  message: string
  fix: string
}

export type Failure =
  // what was asked
  | { reason: 'invalid_input'; problems: InputProblem[] }
  | { reason: 'body_not_json' }
  | { reason: 'body_not_supported'; contentType: string; wanted?: string }
  | { reason: 'body_too_large'; bytesMax: number }
  | { reason: 'no_such_route' }
  | { reason: 'method_not_allowed'; allowed: string[] }
  // who asked
  | { reason: 'unauthorized' }
  | { reason: 'missing_scope'; scope: string }
  | { reason: 'tenant_suspended' }
  | { reason: 'rate_limited'; retryAfterMs: number }
  | { reason: 'annual_limit_reached'; retryAfterMs: number }
  // what the registry says
  | { reason: 'not_found'; resource: 'customer' | 'tenant' | 'key' | 'endpoint' | 'event' | 'setting' | 'onboarding' }
  | { reason: 'archived'; customerId: string }
  | { reason: 'not_archived'; customerId: string }
  | { reason: 'external_id_taken'; externalId: string; customerId: string | null }
  | { reason: 'integration_taken' }
  | { reason: 'version_conflict'; currentVersion: number; resource?: 'customer' | 'setting' }
  | { reason: 'targets_disagree' }
  // the same Idempotency-Key: with another request, or with one that is still under way
  | { reason: 'idempotency_mismatch' }
  | { reason: 'idempotency_in_progress'; retryAfterMs: number }
  // `field`: what the caller named the parent with, when a door has several words for it
  | { reason: 'parent_not_found'; field?: string }
  | { reason: 'parent_cycle'; field?: string }
  | { reason: 'parent_too_deep'; levelsMax: number; field?: string }
  | { reason: 'has_children' }
  | { reason: 'metadata_too_many_keys'; keysMax: number }
  // the name that a new customer was to be onboarded by
  | { reason: 'unknown_workflow' }
  // webhooks
  | { reason: 'too_many_endpoints'; endpointsMax: number }
  | { reason: 'endpoint_disabled' }
  // what is broken
  | { reason: 'unavailable'; retryAfterMs: number }
  | { reason: 'internal' }

export type FailureReason = Failure['reason']

/** Success with its fields, or a failure as data: what crosses a Worker boundary, where thrown errors lose their fields. */
export type Outcome<Success> = ({ ok: true } & Success) | { ok: false; failure: Failure }

export function fail(failure: Failure): { ok: false; failure: Failure } {
  return { ok: false, failure }
}

/**
 * Whether a failure is the answer to a request for good, and so may be kept under its idempotency key. The others may go well
 * the next time: what is broken mends, a limit has room again, and another request's key says nothing of this one.
 */
export function isDefinite({ reason }: Failure): boolean {
  switch (reason) {
    case 'unavailable':
    case 'internal':
    case 'rate_limited':
    case 'annual_limit_reached':
    case 'idempotency_mismatch':
    case 'idempotency_in_progress':
      return false
    default:
      return true
  }
}

/** How a failure travels inside one isolate, from the rule that found it to the door that words it. */
export class Refused extends Error {
  readonly failure: Failure
  constructor(failure: Failure) {
    super(failure.reason)
    this.name = 'Refused'
    this.failure = failure
  }
}
