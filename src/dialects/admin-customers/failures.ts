/**
 * The operator's door's words for every failure: v1's shape, about tenants.
 */
import type { Door } from '../../http/door.ts'
import type { Failure } from '../../registry/failures.ts'
import { denied, flexpriceError, invalid, limited, type Words } from '../flexprice-errors.ts'

export const adminDoor: Door = {
  name: 'admin',
  wordFailure: (failure) => flexpriceError(wordsFor(failure)),
}

const RESOURCE_NAMES = {
  customer: 'customer',
  tenant: 'customer',
  key: 'key',
  endpoint: 'endpoint',
  event: 'event',
  setting: 'setting',
  onboarding: 'onboarding',
}

function wordsFor(failure: Failure): Words {
  switch (failure.reason) {
    case 'invalid_input':
      return invalid(failure.problems)
    case 'body_not_json':
      return validation('The body is not JSON in UTF-8')
    case 'body_not_supported':
      return { ...validation('Send the body as application/json'), status: 415 }
    case 'body_too_large':
      return { ...validation(`The body is larger than ${failure.bytesMax} bytes`), status: 413 }
    case 'no_such_route':
      return { status: 404, code: 'not_found', message: 'There is nothing at this path' }
    case 'method_not_allowed':
      return { status: 405, code: 'invalid_operation', message: `Use ${failure.allowed.join(', ')}` }
    case 'unauthorized':
      return { status: 401, code: 'unauthorized', message: 'Send a valid admin key as x-api-key' }
    case 'missing_scope':
      return denied(failure.reason, `The key has no scope ${failure.scope}`)
    case 'tenant_suspended':
      return denied(failure.reason, 'The customer is suspended')
    case 'rate_limited':
      return limited(failure.reason, 'Too many wrong admin keys came from this address: wait as retry-after says')
    case 'annual_limit_reached':
      return limited(failure.reason, 'The requests of this contract year are used up')
    case 'not_found':
      return { status: 404, code: 'not_found', message: `There is no such ${RESOURCE_NAMES[failure.resource]}` }
    case 'archived':
      return { status: 404, code: 'not_found', message: 'There is no such customer' }
    case 'external_id_taken':
      return { status: 409, code: 'already_exists', message: 'The external id belongs to another customer' }
    case 'integration_taken':
      return { status: 409, code: 'already_exists', message: 'The integration belongs to another customer' }
    case 'version_conflict':
      return { status: 412, code: 'version_conflict', message: 'The customer has changed since it was read' }
    case 'targets_disagree':
      return validation('The ids name different customers')
    case 'idempotency_mismatch':
      return { status: 422, code: 'idempotency_mismatch', message: 'The idempotency-key belongs to another request' }
    case 'idempotency_in_progress':
      return {
        status: 409,
        code: 'invalid_operation',
        message: 'The first request with this idempotency-key is still under way',
        details: { reason: failure.reason },
      }
    case 'not_archived':
    case 'parent_not_found':
    case 'parent_cycle':
    case 'parent_too_deep':
    case 'has_children':
    case 'metadata_too_many_keys':
    case 'unknown_workflow':
    case 'too_many_endpoints':
    case 'endpoint_disabled':
      // Failures of a tenant's own customers, which this door does not touch.
      return {
        status: 400,
        code: 'invalid_operation',
        message: 'This is not possible',
        details: { reason: failure.reason },
      }
    case 'unavailable':
      return {
        status: 503,
        code: 'service_unavailable',
        message: 'It could not be completed. Repeat the request: what was already stored is then put into force',
      }
    case 'internal':
      return { status: 500, code: 'internal_error', message: 'Something went wrong on our side' }
  }
}

function validation(message: string): Words {
  return { status: 400, code: 'validation_error', message }
}
