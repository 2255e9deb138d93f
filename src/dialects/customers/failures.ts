/**
 * FlatPeak's words for every failure (seed 002). Bad credentials are 403 here, a suspended account is 422, and an archived
 * customer is simply not there.
 */
import type { Door } from '../../http/door.ts'
import type { Failure, InputProblem } from '../../registry/failures.ts'
import { isoTime } from '../../shared/clock.ts'

interface Words {
  status: number
  type: 'invalid_request' | 'conflict' | 'rate_limit' | 'api_error'
  code: string
  message: string
  /** The field that is wrong. */
  param?: string
}

export const flatpeakDoor: Door = {
  name: 'flatpeak',
  wordFailure(failure, { nowMs, liveMode }) {
    const { status, type, code, message, param } = wordsFor(failure)
    const body = {
      object: 'error',
      live_mode: liveMode,
      type,
      code,
      ...(param !== undefined && { param }),
      message,
      time_created: isoTime(nowMs),
    }
    return { status, body }
  },
}

const NOT_FOUND: Words = { status: 404, type: 'invalid_request', code: 'not_found', message: 'Not Found' }

function wordsFor(failure: Failure): Words {
  switch (failure.reason) {
    case 'invalid_input':
      return invalid(failure.problems[0]?.field ?? '', failure.problems.map(sentence).join('; '))
    case 'body_not_json':
      return invalid('body', 'The body is not JSON in UTF-8')
    case 'body_not_supported':
      return request(415, 'unsupported_media_type', 'Send the body as application/json')
    case 'body_too_large':
      return request(413, 'body_too_large', `The body is larger than ${failure.bytesMax} bytes`)
    case 'no_such_route':
      return NOT_FOUND
    case 'method_not_allowed':
      return request(405, 'method_not_allowed', `Use ${failure.allowed.join(', ')}`)
    case 'unauthorized':
      return request(403, 'access_denied', 'Bad credentials')
    case 'missing_scope':
      return request(403, 'access_denied', `The key has no scope ${failure.scope}`)
    case 'tenant_suspended':
      return { status: 422, type: 'api_error', code: 'account_disabled', message: 'The account is suspended' }
    case 'rate_limited':
      return limited('Too many requests: wait as retry-after says')
    case 'annual_limit_reached':
      return limited('The requests of this contract year are used up')
    case 'not_found':
    case 'archived':
      return NOT_FOUND
    case 'not_archived':
      return conflict(409, 'not_archived', 'The customer is not archived')
    case 'external_id_taken':
      return conflict(409, 'duplicate_reference', 'Reference ID already exists')
    case 'integration_taken':
      return conflict(409, 'duplicate_integration', 'The integration belongs to another customer')
    case 'has_children':
      return conflict(409, 'has_children', 'Other customers belong to this one: delete or move them first')
    case 'version_conflict':
      return conflict(412, 'version_conflict', `The customer has changed: it is at version ${failure.currentVersion}`)
    case 'targets_disagree':
      return invalid('id', 'The ids name different customers')
    case 'idempotency_mismatch':
      return request(422, 'idempotency_mismatch', 'The idempotency-key was sent with another request before')
    case 'idempotency_in_progress':
      return conflict(409, failure.reason, 'The first request with this idempotency-key is still under way')
    case 'parent_not_found':
      return invalid('parent', 'The parent customer does not exist')
    case 'parent_cycle':
      return invalid('parent', 'A customer can not be below itself')
    case 'parent_too_deep':
      return invalid('parent', `Customers nest at most ${failure.levelsMax} levels`)
    case 'metadata_too_many_keys':
      return invalid('metadata', `A customer has at most ${failure.keysMax} metadata keys`)
    case 'unavailable':
      return { status: 503, type: 'api_error', code: 'service_unavailable', message: 'Try again in a moment' }
    // This door can name no workflow, so it never names one that is not there.
    case 'unknown_workflow':
    case 'too_many_endpoints':
    case 'endpoint_disabled':
    case 'internal':
      return { status: 500, type: 'api_error', code: 'internal_error', message: 'Something went wrong on our side' }
  }
}

function sentence({ field, message, fix }: InputProblem): string {
  return `${field === '' ? 'The body' : field} ${message}: ${fix}`
}

function request(status: number, code: string, message: string): Words {
  return { status, type: 'invalid_request', code, message }
}

function invalid(param: string, message: string): Words {
  return { ...request(400, 'invalid_parameter', message), param: param === '' ? 'body' : param }
}

function conflict(status: number, code: string, message: string): Words {
  return { status, type: 'conflict', code, message }
}

function limited(message: string): Words {
  return { status: 429, type: 'rate_limit', code: 'too_many_requests', message }
}
