/**
 * Error responses in FlexPrice's shape, which its old and its new clients both parse. The v1 API and the admin API use
 * it. They share the status and the code of each reason; each has its own texts in its errors.ts.
 */
import {
  describeBy,
  type Failure,
  type FailureReason,
  type FailureTable,
  type InputProblem,
  metBy,
} from '../registry/errors.ts'

/** Body of every error response of the v1 API and the admin API. */
export interface V1Error {
  success: false
  error: { message: string; internal_error: '' }
  code:
    | 'validation_error'
    | 'invalid_operation'
    | 'unauthorized'
    | 'permission_denied'
    | 'not_found'
    | 'already_exists'
    | 'merged'
    | 'history_expired'
    | 'version_conflict'
    | 'idempotency_mismatch'
    | 'too_many_requests'
    | 'insufficient_storage'
    | 'not_supported'
    | 'internal_error'
    | 'service_unavailable'
  message: string
  http_status_code: number
  details: {
    /** Distinguishes causes that share a code. */
    reason?: string
    /** The fields that are wrong, each with its fix. */
    errors?: { field: string; message: string; fix: string }[]
    [other: string]: unknown
  }
}

/** The text of an error response. `details` defaults to an empty object. */
export interface ErrorText {
  message: string
  details?: V1Error['details']
}

const STATUS_AND_CODE: { [Reason in FailureReason]: readonly [status: number, code: V1Error['code']] } = {
  invalid_input: [400, 'validation_error'],
  invalid_option: [400, 'validation_error'],
  body_not_json: [400, 'validation_error'],
  body_not_supported: [415, 'validation_error'],
  coding_not_supported: [415, 'validation_error'],
  body_not_decodable: [400, 'validation_error'],
  body_too_large: [413, 'validation_error'],
  no_such_route: [404, 'not_found'],
  method_not_allowed: [405, 'invalid_operation'],
  not_supported: [501, 'not_supported'],
  unauthorized: [401, 'unauthorized'],
  idempotency_mismatch: [422, 'idempotency_mismatch'],
  idempotency_in_progress: [409, 'invalid_operation'],
  missing_scope: [403, 'permission_denied'],
  missing_role: [403, 'permission_denied'],
  operators_only: [403, 'permission_denied'],
  tenant_suspended: [403, 'permission_denied'],
  rate_limited: [429, 'too_many_requests'],
  annual_limit_reached: [429, 'too_many_requests'],
  not_found: [404, 'not_found'],
  archived: [400, 'invalid_operation'],
  not_archived: [400, 'invalid_operation'],
  history_expired: [410, 'history_expired'],
  revert_conflict: [409, 'already_exists'],
  external_id_taken: [409, 'already_exists'],
  integration_taken: [409, 'already_exists'],
  version_conflict: [412, 'version_conflict'],
  targets_disagree: [400, 'validation_error'],
  parent_not_found: [400, 'validation_error'],
  parent_cycle: [400, 'validation_error'],
  parent_too_deep: [400, 'validation_error'],
  too_many_descendants: [400, 'validation_error'],
  has_children: [400, 'invalid_operation'],
  metadata_too_many_keys: [400, 'validation_error'],
  customer_too_large: [400, 'validation_error'],
  tenant_not_suspended: [400, 'invalid_operation'],
  tenant_moving: [409, 'invalid_operation'],
  operator_email_taken: [409, 'already_exists'],
  last_owner: [409, 'invalid_operation'],
  unknown_workflow: [400, 'validation_error'],
  merged: [409, 'merged'],
  merge_too_large: [409, 'invalid_operation'],
  unmerge_expired: [410, 'history_expired'],
  unmerge_order: [409, 'invalid_operation'],
  too_many_endpoints: [400, 'invalid_operation'],
  endpoint_disabled: [400, 'invalid_operation'],
  deliveries_waiting: [400, 'invalid_operation'],
  unavailable: [503, 'service_unavailable'],
  insufficient_storage: [507, 'insufficient_storage'],
  internal: [500, 'internal_error'],
}

/** Returns the error response for a failure, with the API's own text for it. */
export function errorResponse<Met extends Failure>(
  texts: FailureTable<Met, ErrorText>,
  failure: Failure,
): { status: number; body: V1Error } {
  const [status, code] = STATUS_AND_CODE[metBy(texts, failure).reason]
  const { message, details = {} } = describeBy(texts, failure)
  const error = { message, internal_error: '' } as const
  return { status, body: { success: false, error, code, message, http_status_code: status, details } }
}

/** States each problem in one sentence, and in `details.errors` field by field with the fix. */
export function invalid(problems: InputProblem[]): ErrorText {
  return { message: problems.map(sentence).join('; '), details: { errors: problems } }
}

/** Returns a problem as a sentence without the fix, which `details.errors` has. */
export function sentence({ field, message }: InputProblem): string {
  return `${field === '' ? 'the body' : field} ${message}`
}
