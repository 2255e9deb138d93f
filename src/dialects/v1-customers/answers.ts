/**
 * zod for what the v1 door answers, in FlexPrice's words. For the OpenAPI document and the tests: nothing the Worker runs
 * imports it. Every key is always there, as FlexPrice's SDK wants it; only what `expand` asks for comes and goes.
 */
import { z } from 'zod'
import { customerIdOut, isoTime, tenantIdOut } from '../answers.ts'

const plain = {
  id: customerIdOut,
  external_id: z.string().meta({ description: 'Your own id of the customer.' }),
  name: z.string(),
  email: z.string(),
  contact: z.string().nullable(),
  address_line1: z.string(),
  address_line2: z.string(),
  address_city: z.string(),
  address_state: z.string(),
  address_postal_code: z.string(),
  address_country: z.string().meta({ description: 'ISO 3166-1 alpha-2, upper case.' }),
  timezone: z.string().meta({ description: 'IANA name.' }),
  parent_customer_id: customerIdOut.nullable(),
  metadata: z.record(z.string(), z.string()),
  environment_id: z.enum(['env_live', 'env_test']),
  tenant_id: tenantIdOut,
  status: z.enum(['published', 'draft', 'archived']),
  created_at: isoTime,
  updated_at: isoTime,
  created_by: z.string().meta({ description: 'The id of the key, `admin`, or the name of a bound Worker.' }),
  updated_by: z.string(),
}

/** One that is shown along with another; what belongs to it is not shown in turn. */
const shownAlong = z.object({ ...plain, parent_customer: z.null() })

const integration = z.looseObject({
  provider: z.string(),
  id: z.string(),
  provider_type: z.string(),
  provider_entity_id: z.string(),
})

export const v1Customer = z
  .object({
    ...plain,
    parent_customer: shownAlong.nullable().meta({ description: 'With `expand=parent_customer`, else null.' }),
    children: z.array(shownAlong).optional().meta({ description: 'With `expand=children`.' }),
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
