/** How the operator's door words each failure: v1's shape, so that one client code reads both. */
import { describe, expect, it } from 'vitest'
import { adminDoor } from '../../../src/dialects/admin-customers/failures.ts'
import type { Failure, FailureReason } from '../../../src/registry/failures.ts'

const context = { requestId: 'r', nowMs: 0, liveMode: true }
const problems = [{ field: 'tier', message: 'is wrong', fix: 'mend it' }]

/** Reasons this door can answer, with what each carries. The others belong to customers, which it does not touch. */
const TABLE: [Failure, number, string, object][] = [
  [{ reason: 'invalid_input', problems }, 400, 'validation_error', { errors: problems }],
  [{ reason: 'body_not_json' }, 400, 'validation_error', {}],
  [{ reason: 'body_not_supported', contentType: '' }, 415, 'validation_error', {}],
  [{ reason: 'body_too_large', bytesMax: 1 }, 413, 'validation_error', {}],
  [{ reason: 'no_such_route' }, 404, 'not_found', {}],
  [{ reason: 'method_not_allowed', allowed: ['GET'] }, 405, 'invalid_operation', {}],
  [{ reason: 'unauthorized' }, 401, 'unauthorized', {}],
  [{ reason: 'rate_limited', retryAfterMs: 1 }, 429, 'too_many_requests', { reason: 'rate_limited' }],
  [{ reason: 'not_found', resource: 'tenant' }, 404, 'not_found', {}],
  [{ reason: 'not_found', resource: 'key' }, 404, 'not_found', {}],
  [{ reason: 'unavailable', retryAfterMs: 1 }, 503, 'service_unavailable', {}],
  [{ reason: 'internal' }, 500, 'internal_error', {}],
]

describe('the operator’s door', () => {
  it.each(TABLE)('says %o as %i %s', (failure, status, code, details) => {
    const message = expect.stringMatching(/./)
    expect(adminDoor.wordFailure(failure, context)).toEqual({
      status,
      body: {
        success: false,
        error: { message, internal_error: '' },
        code,
        message,
        http_status_code: status,
        details,
      },
    })
  })

  it('has an answer of 4xx for every failure of the registry, should one ever come here', () => {
    const others: FailureReason[] = [
      'missing_scope',
      'tenant_suspended',
      'annual_limit_reached',
      'archived',
      'not_archived',
    ]
    others.push('external_id_taken', 'integration_taken', 'version_conflict', 'targets_disagree', 'parent_not_found')
    others.push('parent_cycle', 'parent_too_deep', 'has_children', 'metadata_too_many_keys')
    others.push('idempotency_mismatch', 'idempotency_in_progress')
    for (const reason of others) {
      const { status } = adminDoor.wordFailure({ reason } as Failure, context)
      expect([status >= 400, status < 500], reason).toEqual([true, true])
    }
  })
})
