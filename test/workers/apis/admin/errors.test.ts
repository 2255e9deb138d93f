/** The error responses of the admin API: v1's shape, so that one client reads both. */
import { describe, expect, it } from 'vitest'
import { adminApi } from '../../../../src/apis/admin/errors.ts'
import type { Failure, FailureReason } from '../../../../src/registry/errors.ts'

const context = { requestId: 'r', nowMs: 0, liveMode: true }
const anyProblem = { message: expect.any(String), fix: expect.any(String) }
const problems = [{ field: 'tier', message: 'is wrong', fix: 'fix it' }]

/** The reasons that the admin API can answer, with their details. The others belong to customers, which it does not touch. */
const TABLE: [Failure, number, string, object][] = [
  [{ reason: 'invalid_input', problems }, 400, 'validation_error', { errors: problems }],
  [
    { reason: 'invalid_option', option: 'reason', message: 'm', fix: 'f' },
    400,
    'validation_error',
    { errors: [{ field: 'x-reason', message: 'm', fix: 'f' }] },
  ],
  [{ reason: 'body_not_json' }, 400, 'validation_error', { errors: [{ ...anyProblem, field: '' }] }],
  [
    { reason: 'body_not_supported', contentType: '' },
    415,
    'validation_error',
    { errors: [{ ...anyProblem, field: 'content-type' }] },
  ],
  [{ reason: 'body_too_large', bytesMax: 1 }, 413, 'validation_error', { errors: [{ ...anyProblem, field: '' }] }],
  [{ reason: 'no_such_route' }, 404, 'not_found', {}],
  [{ reason: 'method_not_allowed', allowed: ['GET'] }, 405, 'invalid_operation', {}],
  [{ reason: 'unauthorized' }, 401, 'unauthorized', {}],
  [{ reason: 'rate_limited', retryAfterMs: 1 }, 429, 'too_many_requests', { reason: 'rate_limited' }],
  [
    { reason: 'missing_role', role: 'support', needed: 'admin' },
    403,
    'permission_denied',
    { reason: 'missing_role', role: 'support', needed: 'admin' },
  ],
  [{ reason: 'not_found', resource: 'tenant' }, 404, 'not_found', {}],
  [{ reason: 'not_found', resource: 'key' }, 404, 'not_found', {}],
  [
    { reason: 'version_conflict', currentVersion: 2, resource: 'tenant' },
    412,
    'version_conflict',
    { current_version: 2 },
  ],
  [
    { reason: 'tenant_not_suspended', companyName: 'Acme' },
    400,
    'invalid_operation',
    { reason: 'tenant_not_suspended' },
  ],
  [{ reason: 'unavailable', retryAfterMs: 1 }, 503, 'service_unavailable', {}],
  [{ reason: 'insufficient_storage' }, 507, 'insufficient_storage', {}],
  [{ reason: 'internal' }, 500, 'internal_error', {}],
]

describe('the admin API', () => {
  it.each(TABLE)('answers %o with %i %s', (failure, status, code, details) => {
    const message = expect.stringMatching(/./)
    expect(adminApi.toErrorResponse(failure, context)).toEqual({
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

  it.each(['idempotency_mismatch', 'idempotency_in_progress'] as const)('responds to %s with a 4xx', (reason) => {
    const { status } = adminApi.toErrorResponse({ reason } as Failure, context)
    expect([status >= 400, status < 500]).toEqual([true, true])
  })

  it('responds to a failure of customers, which none of its routes can meet, as to a fault of its own', () => {
    const others: FailureReason[] = [
      'missing_scope',
      'tenant_suspended',
      'annual_limit_reached',
      'archived',
      'not_archived',
    ]
    others.push('external_id_taken', 'integration_taken', 'targets_disagree', 'parent_not_found')
    others.push(
      'parent_cycle',
      'parent_too_deep',
      'too_many_descendants',
      'has_children',
      'metadata_too_many_keys',
      'customer_too_large',
    )
    const fault = adminApi.toErrorResponse({ reason: 'internal' }, context)
    for (const reason of others) {
      expect(adminApi.toErrorResponse({ reason } as Failure, context), reason).toEqual(fault)
    }
  })
})
