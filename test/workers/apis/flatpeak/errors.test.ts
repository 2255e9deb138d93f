/** The error responses of the FlatPeak API: clients switch on these statuses, types and codes. */
import { describe, expect, it } from 'vitest'
import { flatpeakApi } from '../../../../src/apis/flatpeak/errors.ts'
import type { Failure } from '../../../../src/registry/errors.ts'

const context = { requestId: 'r', nowMs: Date.UTC(2025, 0, 1), liveMode: true }
const problem = { field: 'personal_details.email', message: 'is wrong', fix: 'fix it' }
const id = 'cust_01JD0000000000000000000000'

const TABLE: { [Reason in Failure['reason']]: [Extract<Failure, { reason: Reason }>, string] } = {
  invalid_input: [{ reason: 'invalid_input', problems: [problem] }, '400 invalid_request invalid_parameter'],
  invalid_option: [
    { reason: 'invalid_option', option: 'reason', message: 'm', fix: 'f' },
    '400 invalid_request invalid_parameter',
  ],
  body_not_json: [{ reason: 'body_not_json' }, '400 invalid_request invalid_parameter'],
  body_not_supported: [{ reason: 'body_not_supported', contentType: '' }, '415 invalid_request unsupported_media_type'],
  coding_not_supported: [
    { reason: 'coding_not_supported', coding: 'br' },
    '415 invalid_request unsupported_content_coding',
  ],
  body_not_decodable: [{ reason: 'body_not_decodable', coding: 'gzip' }, '400 invalid_request invalid_parameter'],
  body_too_large: [{ reason: 'body_too_large', bytesMax: 1 }, '413 invalid_request body_too_large'],
  no_such_route: [{ reason: 'no_such_route' }, '404 invalid_request not_found'],
  method_not_allowed: [{ reason: 'method_not_allowed', allowed: ['GET'] }, '405 invalid_request method_not_allowed'],
  unauthorized: [{ reason: 'unauthorized' }, '403 invalid_request access_denied'],
  missing_scope: [{ reason: 'missing_scope', scope: 'customers:read' }, '403 invalid_request access_denied'],
  missing_role: [{ reason: 'missing_role', role: 'viewer', needed: 'support' }, '500 api_error internal_error'],
  operators_only: [{ reason: 'operators_only' }, '403 invalid_request access_denied'],
  tenant_suspended: [{ reason: 'tenant_suspended' }, '422 api_error account_disabled'],
  rate_limited: [{ reason: 'rate_limited', retryAfterMs: 1 }, '429 rate_limit too_many_requests'],
  annual_limit_reached: [{ reason: 'annual_limit_reached', retryAfterMs: 1 }, '429 rate_limit too_many_requests'],
  not_found: [{ reason: 'not_found', resource: 'customer' }, '404 invalid_request not_found'],
  archived: [{ reason: 'archived', customerId: id }, '404 invalid_request not_found'],
  not_archived: [{ reason: 'not_archived', customerId: id }, '409 conflict not_archived'],
  revert_conflict: [{ reason: 'revert_conflict', conflicts: [] }, '500 api_error internal_error'],
  history_expired: [{ reason: 'history_expired' }, '500 api_error internal_error'],
  external_id_taken: [
    { reason: 'external_id_taken', externalId: 'a', customerId: id },
    '409 conflict duplicate_reference',
  ],
  integration_taken: [{ reason: 'integration_taken' }, '409 conflict duplicate_integration'],
  version_conflict: [{ reason: 'version_conflict', currentVersion: 2 }, '412 conflict version_conflict'],
  targets_disagree: [{ reason: 'targets_disagree' }, '400 invalid_request invalid_parameter'],
  idempotency_mismatch: [{ reason: 'idempotency_mismatch' }, '422 invalid_request idempotency_mismatch'],
  idempotency_in_progress: [
    { reason: 'idempotency_in_progress', retryAfterMs: 1 },
    '409 conflict idempotency_in_progress',
  ],
  parent_not_found: [{ reason: 'parent_not_found' }, '400 invalid_request invalid_parameter'],
  parent_cycle: [{ reason: 'parent_cycle' }, '400 invalid_request invalid_parameter'],
  parent_too_deep: [{ reason: 'parent_too_deep', levelsMax: 10 }, '400 invalid_request invalid_parameter'],
  too_many_descendants: [
    { reason: 'too_many_descendants', descendantsMax: 1_000 },
    '400 invalid_request invalid_parameter',
  ],
  has_children: [{ reason: 'has_children' }, '409 conflict has_children'],
  customer_too_large: [{ reason: 'customer_too_large', bytesMax: 65_536 }, '400 invalid_request customer_too_large'],
  metadata_too_many_keys: [{ reason: 'metadata_too_many_keys', keysMax: 50 }, '400 invalid_request invalid_parameter'],
  unknown_workflow: [{ reason: 'unknown_workflow' }, '500 api_error internal_error'],
  merged: [{ reason: 'merged', customerId: id, mergedInto: id }, '409 conflict merged'],
  unmerge_expired: [{ reason: 'unmerge_expired', sourceId: id }, '500 api_error internal_error'],
  unmerge_order: [{ reason: 'unmerge_order', sourceId: id, firstId: id }, '500 api_error internal_error'],
  merge_too_large: [{ reason: 'merge_too_large', what: 'children', max: 200 }, '500 api_error internal_error'],
  not_supported: [{ reason: 'not_supported', what: 'usage', instead: 'ask' }, '500 api_error internal_error'],
  tenant_moving: [{ reason: 'tenant_moving', state: 'copying', to: 2 }, '500 api_error internal_error'],
  tenant_not_suspended: [{ reason: 'tenant_not_suspended', companyName: 'Acme' }, '500 api_error internal_error'],
  operator_email_taken: [{ reason: 'operator_email_taken' }, '500 api_error internal_error'],
  last_owner: [{ reason: 'last_owner' }, '500 api_error internal_error'],
  too_many_endpoints: [{ reason: 'too_many_endpoints', endpointsMax: 20 }, '500 api_error internal_error'],
  endpoint_disabled: [{ reason: 'endpoint_disabled' }, '500 api_error internal_error'],
  deliveries_waiting: [{ reason: 'deliveries_waiting', waitingMax: 1_000 }, '500 api_error internal_error'],
  unavailable: [{ reason: 'unavailable', retryAfterMs: 1 }, '503 api_error service_unavailable'],
  insufficient_storage: [{ reason: 'insufficient_storage' }, '507 api_error insufficient_storage'],
  internal: [{ reason: 'internal' }, '500 api_error internal_error'],
}

describe('the FlatPeak API', () => {
  it.each(Object.values(TABLE))('answers $reason as $1', (failure, expected) => {
    const { status, body } = flatpeakApi.toErrorResponse(failure as Failure, context)
    const { type, code } = body as { type: string; code: string }
    expect(`${status} ${type} ${code}`).toBe(expected)
    expect(body).toMatchObject({
      object: 'error',
      live_mode: true,
      message: expect.stringMatching(/./),
      time_created: '2025-01-01T00:00:00.000Z',
    })
    expect('param' in body).toBe(code === 'invalid_parameter')
  })

  it('names the field, what is wrong and the fix of every problem', () => {
    const failure: Failure = { reason: 'invalid_input', problems: [problem, { ...problem, field: '' }] }
    expect(flatpeakApi.toErrorResponse(failure, { ...context, liveMode: false }).body).toMatchObject({
      live_mode: false,
      param: 'personal_details.email',
      message: 'personal_details.email is wrong: fix it; The body is wrong: fix it',
    })
  })

  it('answers alike for an archived customer and for one that never existed', () => {
    const [archived] = TABLE.archived
    const [missing] = TABLE.not_found
    expect(flatpeakApi.toErrorResponse(archived, context)).toEqual(flatpeakApi.toErrorResponse(missing, context))
  })
})
