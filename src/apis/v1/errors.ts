/**
 * Error responses of the v1 API, in a shape that FlexPrice's old and new clients both parse. A problem with a field is
 * in `details.errors` too, with the fix.
 */

import type { Api } from '../../http/api.ts'
import { headerProblem } from '../../http/request-options.ts'
import { bodyProblem, contentTypeProblem, credentialText } from '../../http/request-problems.ts'
import { codingProblem, conflictText, decodingProblem } from '../../http/request-texts.ts'
import { v1NameOf } from '../../registry/customer-fields.ts'
import type { Failure, FailureTable, InputProblem, OperatorFailure, TenantFailure } from '../../registry/errors.ts'
import type { ContestedField } from '../../registry/revert.ts'
import { shown } from '../../shared/shown-text.ts'
import { type ErrorText, errorResponse, invalid, sentence } from '../error-body.ts'
import {
  ANNUAL_LIMIT_REACHED,
  excessText,
  HISTORY_EXPIRED,
  missingRoleText,
  missingScopeText,
  NO_SUCH_ROUTE,
  NO_SUCH_TENANT,
  noRoomText,
  OPERATORS_ONLY,
  revertConflictText,
  SUSPENDED,
  TOO_LARGE_FIX,
  UNMERGE_EXPIRED,
  unmergeOrderText,
} from '../error-texts.ts'

export const v1Api: Api = {
  name: 'v1',
  toErrorResponse: (failure) => errorResponse(TEXTS, failure),
}

/** Only an operator names a tenant. */
type V1Failure = Exclude<Failure, TenantFailure | OperatorFailure> | Extract<TenantFailure, { reason: 'not_found' }>

/** Field named in a failure about the parent if the failure itself names none. */
const PARENT_FIELD = 'parent_customer_id'
const KEPT_PARENT_FIX = 'restore that customer first, or send another parent_customer_id or null with the restore'
const EXTERNAL_ID_FIX = 'send an external_id that no other customer has, or change or archive the one that has it'

const TEXTS: FailureTable<V1Failure, ErrorText> = {
  invalid_input: ({ problems }) => invalid(problems),
  invalid_option: (failure) => invalid([headerProblem(failure)]),
  body_not_json: (failure) => invalid([bodyProblem(failure)]),
  body_not_supported: (failure) => invalid([contentTypeProblem(failure)]),
  coding_not_supported: (failure) => invalid([codingProblem(failure)]),
  body_not_decodable: (failure) => invalid([decodingProblem(failure)]),
  body_too_large: ({ bytesMax }) =>
    invalid([{ field: '', message: `is larger than ${bytesMax} bytes`, fix: `stay within ${bytesMax} bytes` }]),
  no_such_route: () => ({ message: NO_SUCH_ROUTE }),
  method_not_allowed: ({ allowed }) => ({ message: `Use ${allowed.join(', ')}` }),
  not_supported: ({ reason, what, instead }) => ({
    message: `Roster keeps customers and has no ${what}: ${instead}`,
    details: { reason, what, instead },
  }),
  unauthorized: ({ sent }) => ({ message: credentialText(sent) }),
  missing_scope: ({ reason, scope }) => ({ message: missingScopeText(scope), details: { reason, scope } }),
  missing_role: ({ reason, role, needed }) => ({
    message: missingRoleText(role, needed),
    details: { reason, role, needed },
  }),
  operators_only: ({ reason }) => ({ message: OPERATORS_ONLY, details: { reason } }),
  tenant_suspended: ({ reason }) => ({ message: SUSPENDED, details: { reason } }),
  rate_limited: ({ reason }) => ({ message: 'Too many requests: wait as retry-after says', details: { reason } }),
  annual_limit_reached: ({ reason }) => ({
    message: ANNUAL_LIMIT_REACHED,
    details: { reason },
  }),
  not_found: ({ resource }) => ({
    message:
      resource === 'tenant'
        ? NO_SUCH_TENANT
        : `There is no such ${resource} in the mode of this key: check the id, and whether the key is for live or test`,
  }),
  archived: ({ reason, customerId }) => ({
    message: 'The customer is archived: send the fields with POST /v1/customers/{id}/restore, or restore it first',
    details: { reason, customer_id: customerId },
  }),
  not_archived: ({ reason, customerId }) => ({
    message: 'The customer is not archived',
    details: { reason, customer_id: customerId },
  }),
  history_expired: () => ({ message: HISTORY_EXPIRED }),
  revert_conflict: ({ reason, conflicts }) => {
    const problems = conflicts.map(({ field, reason, customerId }) => ({
      field: v1FieldOf(field),
      message: revertConflictText(reason, customerId),
      fix: 'send ?partial=true to revert the rest, or free it first',
    }))
    const named = conflicts.map(({ field, reason, customerId }) => {
      return { field: v1FieldOf(field), reason, customer_id: customerId }
    })
    return { ...about(reason, ...problems), details: { reason, conflicts: named, errors: problems } }
  },
  external_id_taken: ({ reason, customerId, externalId, field = 'external_id' }) => {
    const message = `${shown(externalId)} belongs to another customer${customerId === null ? '' : `, ${customerId}`}`
    const problem = { field, message, fix: EXTERNAL_ID_FIX }
    return taken(problem, { reason, customer_id: customerId, external_id: externalId })
  },
  integration_taken: ({ reason }) => {
    const fix = 'send a list without the entity, or remove it from the customer that has it first'
    const message = 'names an entity that belongs to another customer'
    return taken({ field: 'integration_entity_mapping', message, fix }, { reason })
  },
  version_conflict: (failure) => ({
    message: conflictText(failure, failure.resource ?? 'customer'),
    details: { current_version: failure.currentVersion, ...(failure.field && { field: failure.field }) },
  }),
  merged: ({ reason, customerId, mergedInto }) => ({
    message: `The customer was merged into ${mergedInto}: name that one`,
    details: { reason, customer_id: customerId, merged_into: mergedInto },
  }),
  unmerge_expired: ({ reason, sourceId }) => ({ message: UNMERGE_EXPIRED, details: { reason, source_id: sourceId } }),
  unmerge_order: ({ reason, sourceId, firstId }) => ({
    message: unmergeOrderText(firstId),
    details: { reason, source_id: sourceId, first_id: firstId },
  }),
  merge_too_large: ({ reason, what, max }) => ({
    message: excessText({ what, max }),
    details: { reason, what, max },
  }),
  targets_disagree: ({ reason }) => {
    const problem = {
      message: 'names another customer than the request does elsewhere',
      fix: 'name the customer once',
    }
    return about(reason, { field: 'id', ...problem }, { field: 'external_customer_id', ...problem })
  },
  idempotency_mismatch: () => ({
    message: 'The idempotency-key was sent with another request before: send a key of its own with each request',
  }),
  idempotency_in_progress: ({ reason }) => ({
    message: 'The first request with this idempotency-key is still under way: send it again in a moment',
    details: { reason },
  }),
  parent_not_found: ({ reason, field = PARENT_FIELD, isKept }) => {
    if (isKept) return about(reason, { field, message: 'names a customer that is archived', fix: KEPT_PARENT_FIX })
    const fix = 'name a customer of the same environment that exists and is not archived'
    return about(reason, { field, message: 'names no customer', fix })
  },
  parent_cycle: ({ reason, field = PARENT_FIELD }) => {
    const fix = 'name a customer that is neither this one nor below it'
    return about(reason, { field, message: 'would put the customer below itself', fix })
  },
  too_many_descendants: ({ reason, descendantsMax, field = PARENT_FIELD, isKept }) => {
    const message = `would move more than ${descendantsMax} customers below this one`
    const fix = isKept ? KEPT_PARENT_FIX : 'give another parent to the customers below it first, some at a time'
    return about(reason, { field, message, fix })
  },
  parent_too_deep: ({ reason, levelsMax, field = PARENT_FIELD, isKept }) => {
    const message = `would nest customers more than ${levelsMax} levels deep`
    return about(reason, { field, message, fix: isKept ? KEPT_PARENT_FIX : 'name a parent that is further up' })
  },
  has_children: ({ reason }) => ({
    message:
      'Other customers belong to this one: archive those of GET /v1/customers?parent_customer_id={id}, or give them another parent, first',
    details: { reason },
  }),
  metadata_too_many_keys: ({ reason, keysMax }) => {
    const message = `would have more than ${keysMax} keys`
    return about(reason, { field: 'metadata', message, fix: 'remove keys by sending null for them' })
  },
  customer_too_large: ({ reason, bytesMax }) => {
    const message = `would make the customer larger than ${bytesMax} bytes in all`
    return about(reason, { field: '', message, fix: TOO_LARGE_FIX })
  },
  unknown_workflow: ({ reason }) => {
    const fix = 'send a name of GET /v1/settings/customer_onboarding, or leave it out'
    return about(reason, { field: 'onboarding_workflow_name', message: 'names no onboarding workflow', fix })
  },
  too_many_endpoints: ({ reason, endpointsMax }) => ({
    message: `There are ${endpointsMax} webhook endpoints, as many as there may be: delete one first, or have one receive more event_types`,
    details: { reason, endpoints_max: endpointsMax },
  }),
  deliveries_waiting: ({ reason, waitingMax }) => ({
    message: `${waitingMax} or more deliveries of the endpoint wait for their turn: send this again when fewer do. GET …/deliveries?status=pending lists them`,
    details: { reason },
  }),
  endpoint_disabled: ({ reason }) => ({
    message: 'The webhook endpoint is disabled: send PATCH with enabled true first',
    details: { reason },
  }),
  unavailable: () => ({ message: 'Try again in a moment' }),
  insufficient_storage: (failure) => ({
    message: noRoomText(failure),
    ...(failure.of && { details: { reason: 'storage_used_up' } }),
  }),
  internal: () => ({ message: 'Something went wrong on our side' }),
}

/** Returns the name that this API has for the field. */
export function v1FieldOf(field: ContestedField): string {
  return v1NameOf(field) ?? field
}

/** Returns the text for fields that are well formed but that the registry refused. */
function about(reason: string, ...problems: InputProblem[]): ErrorText {
  const { message, details } = invalid(problems)
  return { message, details: { reason, ...details } }
}

function taken(problem: InputProblem, details: Record<string, unknown>): ErrorText {
  return { message: sentence(problem), details: { ...details, errors: [problem] } }
}
