/**
 * The zod schemas that the responses of several APIs share. Only the OpenAPI document and the tests import this file;
 * the Worker does not. The responses of one API are in its `*-responses.ts`.
 */
import { z } from 'zod'

export const isoTime = z.string().meta({ format: 'date-time' })

/** The customer id. Callers treat it as opaque, but its form is fixed. */
export const customerIdOut = z.string().meta({ pattern: '^cust_[0-9A-HJKMNP-TV-Z]{26}$' })
export const tenantIdOut = z.string().meta({ format: 'uuid' })

/** The error response of the v1 and admin APIs. Both old and new FlexPrice clients can parse it. */
export const envelopedError = z
  .object({
    success: z.literal(false),
    error: z.object({ message: z.string(), internal_error: z.literal('') }),
    code: z.enum([
      'validation_error',
      'invalid_operation',
      'unauthorized',
      'permission_denied',
      'not_found',
      'already_exists',
      'merged',
      'history_expired',
      'version_conflict',
      'idempotency_mismatch',
      'too_many_requests',
      'internal_error',
      'service_unavailable',
      'insufficient_storage',
      'not_supported',
    ]),
    message: z.string(),
    http_status_code: z.int(),
    details: z.looseObject({
      reason: z.string().optional(),
      errors: z.array(z.object({ field: z.string(), message: z.string(), fix: z.string() })).optional(),
    }),
  })
  .meta({ id: 'Error' })
