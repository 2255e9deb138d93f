/**
 * What a bound Worker is told of every failure: plain data with a sentence for people, because an error that is thrown from
 * one Worker to another is for what nobody expected. Exhaustive; what only HTTP can get wrong is not said here.
 */
import type { Failure, InputProblem } from '../../registry/failures.ts'

/** Why a call failed. `message` is for people and may change; `reason` and the other fields are for code. */
export type CustomerFailure = { message: string } & (
  | { reason: 'invalid_input'; problems: InputProblem[] }
  | { reason: 'missing_scope'; scope: string }
  | { reason: 'tenant_suspended' }
  | { reason: 'rate_limited' | 'annual_limit_reached' | 'unavailable'; retryAfterMs: number }
  | { reason: 'not_found' }
  | { reason: 'archived' | 'not_archived'; customerId: string }
  | { reason: 'external_id_taken'; externalId: string; customerId: string | null }
  | { reason: 'integration_taken' }
  | { reason: 'version_conflict'; currentVersion: number }
  | { reason: 'parent_not_found' | 'parent_cycle'; field: string }
  | { reason: 'parent_too_deep'; field: string; levelsMax: number }
  | { reason: 'has_children' }
  | { reason: 'metadata_too_many_keys'; keysMax: number }
  | { reason: 'unknown_workflow' }
  | { reason: 'internal' }
)

export function wordFailure(failure: Failure): CustomerFailure {
  switch (failure.reason) {
    case 'invalid_input':
      return invalid(failure.problems.map(inWordsOfCall))
    case 'missing_scope':
      return { ...failure, message: `The binding has no scope ${failure.scope}: add it to props.scopes` }
    case 'tenant_suspended':
      return { ...failure, message: 'The tenant is suspended' }
    case 'rate_limited':
      return {
        ...failure,
        retryAfterMs: Math.ceil(failure.retryAfterMs),
        message: 'Too many requests: wait for retryAfterMs',
      }
    case 'annual_limit_reached':
      return {
        ...failure,
        retryAfterMs: Math.ceil(failure.retryAfterMs),
        message: 'The requests of this contract year are used up',
      }
    case 'not_found':
      return { reason: 'not_found', message: 'There is no such customer' }
    case 'archived':
      return { ...failure, message: 'The customer is archived: restore it first' }
    case 'not_archived':
      return { ...failure, message: 'The customer is not archived' }
    case 'external_id_taken':
      return { ...failure, message: 'externalId belongs to another customer: send another, or archive that one' }
    case 'integration_taken':
      return { ...failure, message: 'integrations names an entity that belongs to another customer: remove it there' }
    case 'version_conflict':
      return { ...failure, message: 'The customer has changed since it was read: read it again and repeat the change' }
    case 'parent_not_found':
    case 'parent_cycle': {
      const { reason, field = 'parentId' } = failure
      const wrong = reason === 'parent_cycle' ? 'would put the customer below itself' : 'names no customer in use'
      return { reason, field, message: `${field} ${wrong}` }
    }
    case 'parent_too_deep': {
      const { reason, field = 'parentId', levelsMax } = failure
      return { reason, field, levelsMax, message: `${field} would nest customers more than ${levelsMax} levels deep` }
    }
    case 'has_children':
      return { ...failure, message: 'Other customers belong to this one: archive them or give them another parent' }
    case 'metadata_too_many_keys':
      return { ...failure, message: `metadata would have more than ${failure.keysMax} keys` }
    case 'unknown_workflow':
      return { ...failure, message: 'onboardingWorkflow names no workflow of GET /v1/settings/customer_onboarding' }
    case 'unavailable':
      return { ...failure, retryAfterMs: Math.ceil(failure.retryAfterMs), message: 'Try again in a moment' }
    case 'internal':
    // Said by HTTP doors only: a bound Worker has no body, path, key or Idempotency-Key, and names its target once.
    case 'body_not_json':
    case 'body_not_supported':
    case 'body_too_large':
    case 'no_such_route':
    case 'method_not_allowed':
    case 'unauthorized':
    case 'targets_disagree':
    case 'idempotency_mismatch':
    case 'idempotency_in_progress':
    case 'too_many_endpoints':
    case 'endpoint_disabled':
      return { reason: 'internal', message: 'Something went wrong on our side' }
  }
}

function invalid(problems: InputProblem[]): CustomerFailure {
  return { reason: 'invalid_input', problems, message: problems.map(sentence).join('; ') }
}

/** The registry knows the token as a header. */
function inWordsOfCall(problem: InputProblem): InputProblem {
  if (problem.field !== 'consistency-token') return problem
  return { ...problem, field: 'consistencyToken', fix: 'send the token as a write answered it, or leave it out' }
}

function sentence({ field, message, fix }: InputProblem): string {
  return `${field} ${message}: ${fix}`
}
