/**
 * zod for what several doors answer alike. For the OpenAPI document and the tests: nothing the Worker runs imports it. What
 * one door answers is in its own `answers.ts`.
 */
import { z } from 'zod'

export const isoTime = z.string().meta({ format: 'date-time', description: 'ISO 8601, UTC.' })

/** Opaque to callers, but of a known form. */
export const customerIdOut = z.string().meta({ pattern: '^cust_[0-9A-HJKMNP-TV-Z]{26}$' })
export const tenantIdOut = z.string().meta({ format: 'uuid' })

/** The error of v1 and of the operator's door, which old and new clients of FlexPrice both parse. */
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
      'version_conflict',
      'idempotency_mismatch',
      'too_many_requests',
      'internal_error',
      'service_unavailable',
    ]),
    message: z.string(),
    http_status_code: z.int(),
    details: z.looseObject({
      reason: z.string().optional().meta({ description: 'Tells causes of one code apart.' }),
      errors: z
        .array(z.object({ field: z.string(), message: z.string(), fix: z.string() }))
        .optional()
        .meta({ description: 'Which fields are wrong, and how to mend each.' }),
    }),
  })
  .meta({ id: 'Error' })
