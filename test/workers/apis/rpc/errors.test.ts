/** The failures as bound Workers receive them: their code switches on `reason`, and each has a sentence for people. */
import { describe, expect, it } from 'vitest'
import { toErrorResponse } from '../../../../src/apis/rpc/errors.ts'
import type { Failure } from '../../../../src/registry/errors.ts'

const problem = { field: 'email', message: 'is wrong', fix: 'fix it' }
const id = 'cust_01JD0000000000000000000000'

const CONFLICTS = [{ field: 'externalId' as const, reason: 'external_id_taken' as const, customerId: id }]

/** Each failure with the fields beside its message; null: no caller can cause it, so it is an internal error. */
const TABLE: { [Reason in Failure['reason']]: [Extract<Failure, { reason: Reason }>, object | null] } = {
  invalid_input: [{ reason: 'invalid_input', problems: [problem] }, { problems: [problem] }],
  invalid_option: [
    { reason: 'invalid_option', option: 'reason', message: 'm', fix: 'f' },
    { reason: 'invalid_input', problems: [{ field: 'reason', message: 'm', fix: 'f' }] },
  ],
  body_not_json: [{ reason: 'body_not_json' }, null],
  body_not_supported: [{ reason: 'body_not_supported', contentType: '' }, null],
  coding_not_supported: [{ reason: 'coding_not_supported', coding: 'br' }, null],
  body_not_decodable: [{ reason: 'body_not_decodable', coding: 'gzip' }, null],
  body_too_large: [{ reason: 'body_too_large', bytesMax: 1 }, null],
  no_such_route: [{ reason: 'no_such_route' }, null],
  method_not_allowed: [{ reason: 'method_not_allowed', allowed: ['GET'] }, null],
  unauthorized: [{ reason: 'unauthorized' }, null],
  missing_scope: [{ reason: 'missing_scope', scope: 'customers:read' }, { scope: 'customers:read' }],
  missing_role: [{ reason: 'missing_role', role: 'viewer', needed: 'support' }, null],
  operators_only: [{ reason: 'operators_only' }, null],
  tenant_suspended: [{ reason: 'tenant_suspended' }, {}],
  rate_limited: [{ reason: 'rate_limited', retryAfterMs: 6.2 }, { retryAfterMs: 7 }],
  annual_limit_reached: [{ reason: 'annual_limit_reached', retryAfterMs: 7 }, { retryAfterMs: 7 }],
  not_found: [{ reason: 'not_found', resource: 'customer' }, {}],
  archived: [{ reason: 'archived', customerId: id }, { customerId: id }],
  not_archived: [{ reason: 'not_archived', customerId: id }, { customerId: id }],
  revert_conflict: [{ reason: 'revert_conflict', conflicts: CONFLICTS }, { conflicts: CONFLICTS }],
  history_expired: [{ reason: 'history_expired' }, {}],
  external_id_taken: [
    { reason: 'external_id_taken', externalId: 'a', customerId: id },
    { externalId: 'a', customerId: id },
  ],
  integration_taken: [{ reason: 'integration_taken' }, {}],
  version_conflict: [{ reason: 'version_conflict', currentVersion: 2 }, { currentVersion: 2 }],
  targets_disagree: [{ reason: 'targets_disagree' }, null],
  idempotency_mismatch: [{ reason: 'idempotency_mismatch' }, null],
  idempotency_in_progress: [{ reason: 'idempotency_in_progress', retryAfterMs: 1 }, null],
  parent_not_found: [{ reason: 'parent_not_found' }, { field: 'parentId' }],
  parent_cycle: [{ reason: 'parent_cycle', field: 'parentExternalId' }, { field: 'parentExternalId' }],
  parent_too_deep: [
    { reason: 'parent_too_deep', levelsMax: 10 },
    { field: 'parentId', levelsMax: 10 },
  ],
  too_many_descendants: [
    { reason: 'too_many_descendants', descendantsMax: 1_000 },
    { field: 'parentId', descendantsMax: 1_000 },
  ],
  has_children: [{ reason: 'has_children' }, {}],
  customer_too_large: [{ reason: 'customer_too_large', bytesMax: 65_536 }, { bytesMax: 65_536 }],
  metadata_too_many_keys: [{ reason: 'metadata_too_many_keys', keysMax: 50 }, { keysMax: 50 }],
  unknown_workflow: [{ reason: 'unknown_workflow' }, {}],
  merged: [
    { reason: 'merged', customerId: id, mergedInto: 'cust_2' },
    { customerId: id, mergedInto: 'cust_2' },
  ],
  unmerge_expired: [{ reason: 'unmerge_expired', sourceId: id }, { sourceId: id }],
  unmerge_order: [
    { reason: 'unmerge_order', sourceId: id, firstId: 'cust_2' },
    { sourceId: id, firstId: 'cust_2' },
  ],
  merge_too_large: [
    { reason: 'merge_too_large', what: 'children', max: 200 },
    { what: 'children', max: 200 },
  ],
  not_supported: [{ reason: 'not_supported', what: 'usage', instead: 'ask' }, null],
  tenant_moving: [{ reason: 'tenant_moving', state: 'copying', to: 2 }, null],
  tenant_not_suspended: [{ reason: 'tenant_not_suspended', companyName: 'Acme' }, null],
  operator_email_taken: [{ reason: 'operator_email_taken' }, null],
  last_owner: [{ reason: 'last_owner' }, null],
  too_many_endpoints: [{ reason: 'too_many_endpoints', endpointsMax: 20 }, null],
  endpoint_disabled: [{ reason: 'endpoint_disabled' }, null],
  deliveries_waiting: [{ reason: 'deliveries_waiting', waitingMax: 1_000 }, null],
  unavailable: [{ reason: 'unavailable', retryAfterMs: 7 }, { retryAfterMs: 7 }],
  insufficient_storage: [{ reason: 'insufficient_storage' }, {}],
  internal: [{ reason: 'internal' }, null],
}

describe('a bound Worker', () => {
  it.each(Object.values(TABLE))('receives $reason with all it needs to go on', (failure, expected) => {
    const reason = expected ? failure.reason : 'internal'
    expect(toErrorResponse(failure as Failure)).toEqual({
      reason,
      message: expect.stringMatching(/^\w.{10,}/),
      ...expected,
    })
  })

  it('receives each wrong field and its fix in one sentence', () => {
    expect(
      toErrorResponse({ reason: 'invalid_input', problems: [problem, { ...problem, field: 'name' }] }).message,
    ).toBe('email is wrong: fix it; name is wrong: fix it')
  })
})
