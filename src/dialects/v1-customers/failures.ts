/**
 * FlexPrice's words for every failure, in a shape that its old and its new clients both parse. Whatever concerns a field is
 * told in `details.errors` too, with the mend.
 */
import type { Door } from '../../http/door.ts'
import type { Failure, InputProblem } from '../../registry/failures.ts'
import { denied, flexpriceError, invalid, limited, sentence, type Words } from '../flexprice-errors.ts'

export const v1Door: Door = {
  name: 'v1',
  wordFailure: (failure) => flexpriceError(wordsFor(failure)),
}

const EXTERNAL_ID_MEND = 'send an external_id that no other customer has, or change or archive the one that has it'

function wordsFor(failure: Failure): Words {
  switch (failure.reason) {
    case 'invalid_input':
      return invalid(failure.problems)
    case 'body_not_json':
      return invalid([{ field: '', message: 'is not JSON in UTF-8', fix: 'send one JSON object' }])
    case 'body_not_supported': {
      const fix = `send the body as ${failure.wanted ?? 'application/json'}`
      return { ...invalid([{ field: 'content-type', message: 'is not one that is read here', fix }]), status: 415 }
    }
    case 'body_too_large': {
      const fix = `stay within ${failure.bytesMax} bytes`
      const message = `is larger than ${failure.bytesMax} bytes`
      return { ...invalid([{ field: '', message, fix }]), status: 413 }
    }
    case 'no_such_route':
      return { status: 404, code: 'not_found', message: 'There is nothing at this path' }
    case 'method_not_allowed':
      return { status: 405, code: 'invalid_operation', message: `Use ${failure.allowed.join(', ')}` }
    case 'unauthorized':
      return {
        status: 401,
        code: 'unauthorized',
        message: 'Send a valid API key as Authorization: Bearer <key> or as x-api-key',
      }
    case 'missing_scope':
      return denied(failure.reason, `The key has no scope ${failure.scope}`, { scope: failure.scope })
    case 'tenant_suspended':
      return denied(failure.reason, 'The account is suspended')
    case 'rate_limited':
      return limited(failure.reason, 'Too many requests: wait as retry-after says')
    case 'annual_limit_reached':
      return limited(failure.reason, 'The requests of this contract year are used up')
    case 'not_found':
      return { status: 404, code: 'not_found', message: `There is no such ${failure.resource}` }
    case 'archived':
      return {
        status: 400,
        code: 'invalid_operation',
        message: 'The customer is archived: restore it first',
        details: { reason: failure.reason, customer_id: failure.customerId },
      }
    case 'not_archived':
      return {
        status: 400,
        code: 'invalid_operation',
        message: 'The customer is not archived',
        details: { reason: failure.reason, customer_id: failure.customerId },
      }
    case 'external_id_taken': {
      const { customerId, externalId } = failure
      const problem = { field: 'external_id', message: 'belongs to another customer', fix: EXTERNAL_ID_MEND }
      return taken(problem, { reason: failure.reason, customer_id: customerId, external_id: externalId })
    }
    case 'integration_taken': {
      const fix = 'remove the entity from the customer that has it first'
      const message = 'names an entity that belongs to another customer'
      return taken({ field: 'integration_entity_mapping', message, fix }, { reason: failure.reason })
    }
    case 'version_conflict':
      return {
        status: 412,
        code: 'version_conflict',
        message: `The ${failure.resource ?? 'customer'} has changed since it was read: read it again and repeat the change on what it is now`,
        details: { current_version: failure.currentVersion },
      }
    case 'targets_disagree': {
      const problem = {
        message: 'names another customer than the request does elsewhere',
        fix: 'name the customer once',
      }
      return about(failure.reason, { field: 'id', ...problem }, { field: 'external_customer_id', ...problem })
    }
    case 'idempotency_mismatch':
      return {
        status: 422,
        code: 'idempotency_mismatch',
        message: 'The idempotency-key was sent with another request before: send a key of its own with each request',
      }
    case 'idempotency_in_progress':
      return {
        status: 409,
        code: 'invalid_operation',
        message: 'The first request with this idempotency-key is still under way: send it again in a moment',
        details: { reason: failure.reason },
      }
    case 'parent_not_found': {
      const fix = 'name a customer of the same environment that exists and is not archived'
      return about(failure.reason, { field: parentField(failure), message: 'names no customer', fix })
    }
    case 'parent_cycle': {
      const message = 'would put the customer below itself'
      const fix = 'name a customer that is neither this one nor below it'
      return about(failure.reason, { field: parentField(failure), message, fix })
    }
    case 'parent_too_deep': {
      const message = `would nest customers more than ${failure.levelsMax} levels deep`
      return about(failure.reason, { field: parentField(failure), message, fix: 'name a parent that is further up' })
    }
    case 'has_children':
      return {
        status: 400,
        code: 'invalid_operation',
        message: 'Other customers belong to this one: archive them or give them another parent first',
        details: { reason: failure.reason },
      }
    case 'metadata_too_many_keys': {
      const message = `would have more than ${failure.keysMax} keys`
      return about(failure.reason, { field: 'metadata', message, fix: 'remove keys by sending null for them' })
    }
    case 'unknown_workflow': {
      const fix = 'send a name of GET /v1/settings/customer_onboarding, or leave it out'
      return about(failure.reason, { field: 'onboarding_workflow_name', message: 'names no onboarding workflow', fix })
    }
    case 'too_many_endpoints':
      return {
        status: 400,
        code: 'invalid_operation',
        message: `There are ${failure.endpointsMax} webhook endpoints, as many as there may be: delete one first, or have one receive more event_types`,
        details: { reason: failure.reason, endpoints_max: failure.endpointsMax },
      }
    case 'endpoint_disabled':
      return {
        status: 400,
        code: 'invalid_operation',
        message: 'The webhook endpoint is disabled: send PATCH with enabled true first',
        details: { reason: failure.reason },
      }
    case 'unavailable':
      return { status: 503, code: 'service_unavailable', message: 'Try again in a moment' }
    case 'internal':
      return { status: 500, code: 'internal_error', message: 'Something went wrong on our side' }
  }
}

function parentField(failure: { field?: string | undefined }): string {
  return failure.field ?? 'parent_customer_id'
}

/** What the registry refused because of a field that by itself is well formed. */
function about(reason: string, ...problems: InputProblem[]): Words {
  const words = invalid(problems)
  return { ...words, details: { reason, ...words.details } }
}

function taken(problem: InputProblem, details: Record<string, unknown>): Words {
  const message = sentence(problem)
  return { status: 409, code: 'already_exists', message, details: { ...details, errors: [problem] } }
}
