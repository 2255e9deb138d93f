/**
 * The zod schemas of the v1 API's responses, with FlexPrice's field names. Only the OpenAPI document and the tests
 * import this file; the Worker does not. FlexPrice's SDK needs every key, so only the fields of `expand` are optional.
 */
import { z } from 'zod'
import { customerIdOut, isoTime } from '../values.ts'
import { customerShownAlong, integration, plainCustomer } from './shared-responses.ts'

export const v1Customer = z
  .object({
    ...plainCustomer,
    parent_customer: customerShownAlong.nullable(),
    children: z.array(customerShownAlong).optional(),
    integrations: z.array(integration).optional(),
    old_external_ids: z.array(z.string()).optional(),
  })
  .meta({ id: 'V1Customer' })

export const v1CustomerReference = z
  .object({
    id: customerIdOut,
    external_id: z.string(),
    status: z.enum(['published', 'draft', 'archived']),
    version: z.int(),
  })
  .meta({ id: 'V1CustomerReference' })

/** The customer that the caller has written. */
export const v1Written = z.union([v1Customer, v1CustomerReference])

export const v1List = z
  .object({
    items: z.array(v1Customer),
    pagination: z.object({
      total: z.int(),
      total_is_capped: z.literal(true).optional(),
      limit: z.int(),
      offset: z.int(),
      next_cursor: z.string().nullable(),
      has_more: z.boolean(),
    }),
  })
  .meta({ id: 'V1List' })

export const v1Erasure = z
  .object({
    id: customerIdOut,
    status: z.literal('erased'),
    erased_at: isoTime,
    erased_by: z.string(),
    rows: z.object({
      customers: z.int(),
      events: z.int(),
      aliases: z.int(),
      integrations: z.int(),
      idempotency_records: z.int(),
      webhook_attempts: z.int(),
      onboarding_runs: z.int(),
    }),
    rows_total: z.int(),
  })
  .meta({ id: 'V1Erasure' })
