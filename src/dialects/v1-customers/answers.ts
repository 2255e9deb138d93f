/**
 * zod for what the v1 door answers, in FlexPrice's words. For the OpenAPI document and the tests: nothing the Worker runs
 * imports it. Every key is always there, as FlexPrice's SDK wants it; only what `expand` asks for comes and goes.
 */
import { z } from 'zod'
import { customerIdOut, isoTime } from '../answers.ts'
import { customerShownAlong, integration, plainCustomer } from '../flexprice-answers.ts'

export const v1Customer = z
  .object({
    ...plainCustomer,
    parent_customer: customerShownAlong.nullable().meta({ description: 'With `expand=parent_customer`, else null.' }),
    children: z.array(customerShownAlong).optional().meta({ description: 'With `expand=children`.' }),
    integrations: z.array(integration).optional().meta({ description: 'With `expand=integrations`.' }),
    old_external_ids: z.array(z.string()).optional().meta({ description: 'With `expand=aliases`.' }),
  })
  .meta({ id: 'V1Customer' })

export const v1List = z
  .object({
    items: z.array(v1Customer),
    pagination: z.object({
      total: z.int(),
      limit: z.int(),
      offset: z.int().meta({ description: 'Where the next page begins.' }),
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
    erased_by: z.string().meta({ description: 'The id of the key, `admin`, or the name of a bound Worker.' }),
    rows: z
      .object({
        customers: z.int(),
        events: z.int(),
        aliases: z.int(),
        integrations: z.int(),
        idempotency_records: z.int(),
        webhook_attempts: z.int(),
        onboarding_runs: z.int(),
      })
      .meta({ description: 'From how many rows something was taken.' }),
    rows_total: z.int(),
  })
  .meta({ id: 'V1Erasure' })
