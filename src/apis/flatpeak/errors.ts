/**
 * Error responses of the FlatPeak API, by the reference document of FlatPeak's customers. Bad credentials are 403 here,
 * a suspended account is 422, and an archived customer is 404.
 */

import type { Api } from '../../http/api.ts'
import { headerProblem } from '../../http/request-options.ts'
import { bodyProblem, contentTypeProblem, credentialText } from '../../http/request-problems.ts'
import { codingProblem, conflictText, decodingProblem } from '../../http/request-texts.ts'
import {
  type ActingFailure,
  type CallerFailure,
  type CustomerFailure,
  describeBy,
  type FailureTable,
  type IdempotencyFailure,
  type InputFailure,
  type InputProblem,
  type RequestFailure,
  type ServiceFailure,
} from '../../registry/errors.ts'
import { isoTime } from '../../shared/clock.ts'
import { shown } from '../../shared/shown-text.ts'
import {
  ANNUAL_LIMIT_REACHED,
  missingScopeText,
  NO_SUCH_ROUTE,
  noRoomText,
  OPERATORS_ONLY,
  SUSPENDED,
  TOO_LARGE_FIX,
} from '../error-texts.ts'

/** Body of every error response of this API. */
export interface FlatpeakError {
  object: 'error'
  live_mode: boolean
  type: 'invalid_request' | 'conflict' | 'rate_limit' | 'api_error'
  code: string
  /** The field that is wrong. */
  param?: string
  message: string
  /** The next step, where the reference document of the API fixes the words of the message. */
  hint?: string
  time_created: string
}

interface ErrorDescription {
  status: number
  type: FlatpeakError['type']
  code: string
  message: string
  hint?: string
  /** The field that is wrong. */
  param?: string
}

export const flatpeakApi: Api = {
  name: 'flatpeak',
  toErrorResponse(failure, { nowMs, liveMode }) {
    const { status, type, code, message, hint, param } = describeBy(DESCRIPTIONS, failure)
    const body: FlatpeakError = {
      object: 'error',
      live_mode: liveMode,
      type,
      code,
      ...(param !== undefined && { param }),
      message,
      ...(hint !== undefined && { hint }),
      time_created: isoTime(nowMs),
    }
    return { status, body }
  },
}

/** The requests of this API name no onboarding workflow and no moment of the past, and merge no customers. */
type FlatpeakFailure =
  | InputFailure
  | RequestFailure
  | IdempotencyFailure
  | CallerFailure
  | ActingFailure
  | Exclude<
      CustomerFailure,
      {
        reason:
          | 'unknown_workflow'
          | 'merge_too_large'
          | 'unmerge_expired'
          | 'unmerge_order'
          | 'history_expired'
          | 'revert_conflict'
      }
    >
  | ServiceFailure

/** The words of the reference document, as those of `unauthorized` and `external_id_taken` are. */
const NOT_FOUND: ErrorDescription = {
  ...request(404, 'not_found', 'Not Found'),
  hint: 'There is no such customer in the mode of this key: check the id, and whether the key is for live or test',
}

const DESCRIPTIONS: FailureTable<FlatpeakFailure, ErrorDescription> = {
  invalid_input: ({ problems }) => invalid(problems[0]?.field ?? '', problems.map(sentence).join('; ')),
  invalid_option: (failure) => {
    const problem = headerProblem(failure)
    return invalid(problem.field, sentence(problem))
  },
  body_not_json: (failure) => invalid('body', sentence(bodyProblem(failure))),
  body_not_supported: (failure) => request(415, 'unsupported_media_type', sentence(contentTypeProblem(failure))),
  coding_not_supported: (failure) => request(415, 'unsupported_content_coding', sentence(codingProblem(failure))),
  body_not_decodable: (failure) => invalid('body', sentence(decodingProblem(failure))),
  body_too_large: ({ bytesMax }) =>
    request(413, 'body_too_large', `The body is larger than ${bytesMax} bytes: stay within them`),
  no_such_route: () => ({ ...NOT_FOUND, hint: NO_SUCH_ROUTE }),
  method_not_allowed: ({ allowed }) => request(405, 'method_not_allowed', `Use ${allowed.join(', ')}`),
  unauthorized: ({ sent }) => ({
    ...request(403, 'access_denied', 'Bad credentials'),
    hint: credentialText(sent),
  }),
  missing_scope: ({ scope }) => request(403, 'access_denied', missingScopeText(scope)),
  operators_only: () => request(403, 'access_denied', OPERATORS_ONLY),
  tenant_suspended: () => fault(422, 'account_disabled', SUSPENDED),
  rate_limited: () => limited('Too many requests: wait as retry-after says'),
  annual_limit_reached: () => limited(ANNUAL_LIMIT_REACHED),
  not_found: () => NOT_FOUND,
  archived: () => NOT_FOUND,
  not_archived: () => conflict(409, 'not_archived', 'The customer is not archived'),
  external_id_taken: ({ externalId, customerId }) => {
    const holder = customerId === null ? 'another customer' : customerId
    const hint = `${shown(externalId)} belongs to ${holder}: send another reference_id, or change or delete that one`
    return { ...conflict(409, 'duplicate_reference', 'Reference ID already exists'), hint }
  },
  integration_taken: () => conflict(409, 'duplicate_integration', 'The integration belongs to another customer'),
  has_children: () => conflict(409, 'has_children', 'Other customers belong to this one: delete or move them first'),
  version_conflict: (failure) =>
    conflict(412, 'version_conflict', `${conflictText(failure, 'customer')} (version ${failure.currentVersion})`),
  merged: ({ mergedInto }) => conflict(409, 'merged', `The customer was merged into ${mergedInto}: name that one`),
  targets_disagree: () => invalid('id', 'The ids name different customers'),
  idempotency_mismatch: () =>
    request(422, 'idempotency_mismatch', 'The idempotency-key was sent with another request before'),
  idempotency_in_progress: ({ reason }) =>
    conflict(409, reason, 'The first request with this idempotency-key is still under way'),
  parent_not_found: () => invalid('parent', 'The parent customer does not exist'),
  parent_cycle: () => invalid('parent', 'A customer cannot be below itself'),
  too_many_descendants: ({ descendantsMax }) => invalid('parent', `More than ${descendantsMax} customers would move`),
  parent_too_deep: ({ levelsMax }) => invalid('parent', `Customers nest at most ${levelsMax} levels`),
  metadata_too_many_keys: ({ keysMax }) => invalid('metadata', `A customer has at most ${keysMax} metadata keys`),
  customer_too_large: ({ reason, bytesMax }) =>
    request(400, reason, `The customer would be larger than ${bytesMax} bytes in all: ${TOO_LARGE_FIX}`),
  unavailable: () => fault(503, 'service_unavailable', 'Try again in a moment'),
  insufficient_storage: (failure) => fault(507, failure.reason, noRoomText(failure)),
  internal: () => fault(500, 'internal_error', 'Something went wrong on our side'),
}

function sentence({ field, message, fix }: InputProblem): string {
  return `${field === '' ? 'The body' : field} ${message}: ${fix}`
}

function request(status: number, code: string, message: string): ErrorDescription {
  return { status, type: 'invalid_request', code, message }
}

function invalid(param: string, message: string): ErrorDescription {
  return { ...request(400, 'invalid_parameter', message), param: param === '' ? 'body' : param }
}

function fault(status: number, code: string, message: string): ErrorDescription {
  return { status, type: 'api_error', code, message }
}

function conflict(status: number, code: string, message: string): ErrorDescription {
  return { status, type: 'conflict', code, message }
}

function limited(message: string): ErrorDescription {
  return { status: 429, type: 'rate_limit', code: 'too_many_requests', message }
}
