/**
 * zod for a customer as the v1 doors answer it and as events tell of it, in FlexPrice's words. For the OpenAPI document and
 * the tests: nothing the Worker runs imports it. Every key is always there, as FlexPrice's SDK wants it.
 */
import { z } from 'zod'
import { customerIdOut, isoTime, tenantIdOut } from './answers.ts'

/** Without what `expand` adds. */
export const plainCustomer = {
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
export const customerShownAlong = z.object({ ...plainCustomer, parent_customer: z.null() })

export const integration = z.looseObject({
  provider: z.string(),
  id: z.string(),
  provider_type: z.string(),
  provider_entity_id: z.string(),
})

/** As an event has it: as it was then, and without what belongs to others. */
export const eventCustomer = z
  .object({ ...plainCustomer, parent_customer: z.null(), integrations: z.array(integration) })
  .meta({ id: 'EventCustomer' })

/** What a customer is made from, in the examples. */
export const CUSTOMER_WANTED = {
  external_id: 'user_12345',
  name: 'Acme Corporation',
  email: 'billing@acme.com',
  address_line1: '123 Main Street',
  address_city: 'San Francisco',
  address_state: 'CA',
  address_postal_code: '94105',
  address_country: 'US',
  metadata: { plan_tier: 'enterprise', account_manager: 'jane_doe' },
}

export const CUSTOMER_EXAMPLE = {
  id: 'cust_01JD3VQ4X8N2M7R5T9W6YBZKCE',
  ...CUSTOMER_WANTED,
  contact: null,
  address_line2: '',
  timezone: 'UTC',
  parent_customer_id: null,
  parent_customer: null,
  environment_id: 'env_live',
  tenant_id: '0b6f7d0e-3f0c-4a52-9a63-6f1a5a1c2d3e',
  status: 'published',
  created_at: '2026-01-20T15:00:00.000Z',
  updated_at: '2026-01-20T15:00:00.000Z',
  created_by: 'key_01JD3VQ4X8N2M7R5T9W6YBZKCE',
  updated_by: 'key_01JD3VQ4X8N2M7R5T9W6YBZKCE',
}
