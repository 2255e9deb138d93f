/**
 * The zod schemas of the v1 API's responses, with FlexPrice's field names. Only the OpenAPI document and the tests
 * import this file; the Worker does not. FlexPrice's SDK needs every key, so only the fields of `expand` are optional.
 */
import { z } from 'zod'
import { keptSchema, movedSchema } from '../../src/events/catalogue.ts'
import { DUPLICATE_REASONS } from '../../src/registry/duplicates.ts'
import { customerIdOut, isoTime } from '../values.ts'
import { customerShownAlong, integration, plainCustomer } from './shared-responses.ts'

const reasons = z.array(z.enum(DUPLICATE_REASONS))
export const v1Suspect = z
  .object({
    id: customerIdOut,
    external_id: z.string(),
    status: z.enum(['published', 'draft', 'archived']),
    reasons,
  })
  .meta({ id: 'V1Suspect' })

export const v1Duplicates = z
  .object({ items: z.array(z.object({ customer: customerShownAlong, reasons })) })
  .meta({ id: 'V1Duplicates' })

export const v1Customer = z
  .object({
    ...plainCustomer,
    parent_customer: customerShownAlong.nullable(),
    children: z.array(customerShownAlong).optional(),
    integrations: z.array(integration).optional(),
    old_external_ids: z.array(z.string()).optional(),
    duplicates: z.array(v1Suspect).optional(),
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

export const v1Merged = z
  .object({
    customer: z.union([v1Customer, v1CustomerReference]),
    source_id: customerIdOut,
    moved: movedSchema().nullable(),
    dry_run: z.boolean(),
  })
  .meta({ id: 'V1Merged' })

export const v1Unmerged = z
  .object({
    customer: z.union([v1Customer, v1CustomerReference]),
    source: z.union([v1Customer, v1CustomerReference]),
    moved: movedSchema().nullable(),
    kept: keptSchema().nullable(),
    dry_run: z.boolean(),
  })
  .meta({ id: 'V1Unmerged' })

const left = { left: z.array(z.string()).optional() }

/** The customer after a revert, with the fields that are not what they were if it was partial. */
export const v1Reverted = z.union([
  v1Customer.extend(left).meta({ id: 'V1CustomerReverted' }),
  v1CustomerReference.extend(left).meta({ id: 'V1CustomerReferenceReverted' }),
])

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
