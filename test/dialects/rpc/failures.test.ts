/** How bound Workers are told of each failure: their code switches on `reason`, and every one has a sentence for people. */
import { describe, expect, it } from 'vitest'
import { wordFailure } from '../../../src/dialects/rpc/failures.ts'
import type { Failure } from '../../../src/registry/failures.ts'

const problem = { field: 'email', message: 'is wrong', fix: 'mend it' }
const id = 'cust_01JD0000000000000000000000'

/** Each failure, and what is told beside the message; null: the caller can not cause it, so it is ours. */
const TABLE: { [Reason in Failure['reason']]: [Extract<Failure, { reason: Reason }>, object | null] } = {
  invalid_input: [{ reason: 'invalid_input', problems: [problem] }, { problems: [problem] }],
  body_not_json: [{ reason: 'body_not_json' }, null],
  body_not_supported: [{ reason: 'body_not_supported', contentType: '' }, null],
  body_too_large: [{ reason: 'body_too_large', bytesMax: 1 }, null],
  no_such_route: [{ reason: 'no_such_route' }, null],
  method_not_allowed: [{ reason: 'method_not_allowed', allowed: ['GET'] }, null],
  unauthorized: [{ reason: 'unauthorized' }, null],
  missing_scope: [{ reason: 'missing_scope', scope: 'customers:read' }, { scope: 'customers:read' }],
  tenant_suspended: [{ reason: 'tenant_suspended' }, {}],
  rate_limited: [{ reason: 'rate_limited', retryAfterMs: 6.2 }, { retryAfterMs: 7 }],
  annual_limit_reached: [{ reason: 'annual_limit_reached', retryAfterMs: 7 }, { retryAfterMs: 7 }],
  not_found: [{ reason: 'not_found', resource: 'customer' }, {}],
  archived: [{ reason: 'archived', customerId: id }, { customerId: id }],
  not_archived: [{ reason: 'not_archived', customerId: id }, { customerId: id }],
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
  has_children: [{ reason: 'has_children' }, {}],
  metadata_too_many_keys: [{ reason: 'metadata_too_many_keys', keysMax: 50 }, { keysMax: 50 }],
  unknown_workflow: [{ reason: 'unknown_workflow' }, {}],
  too_many_endpoints: [{ reason: 'too_many_endpoints', endpointsMax: 20 }, null],
  endpoint_disabled: [{ reason: 'endpoint_disabled' }, null],
  unavailable: [{ reason: 'unavailable', retryAfterMs: 7 }, { retryAfterMs: 7 }],
  internal: [{ reason: 'internal' }, null],
}

describe('a bound Worker', () => {
  it.each(Object.values(TABLE))('is told of $reason with all it needs to go on', (failure, told) => {
    const reason = told ? failure.reason : 'internal'
    expect(wordFailure(failure as Failure)).toEqual({ reason, message: expect.stringMatching(/^\w.{10,}/), ...told })
  })

  it('is told what is wrong with each field and how to mend it, in one sentence', () => {
    expect(wordFailure({ reason: 'invalid_input', problems: [problem, { ...problem, field: 'name' }] }).message).toBe(
      'email is wrong: mend it; name is wrong: mend it',
    )
  })
})
