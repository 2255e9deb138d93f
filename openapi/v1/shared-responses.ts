/**
 * The zod schemas of a customer in the responses of the v1 API and in events, with FlexPrice's field names. Only the
 * OpenAPI document and the tests import this file; the Worker does not. FlexPrice's SDK needs every key, so none is
 * optional.
 */
import { z } from 'zod'
import { customerIdOut, isoTime, tenantIdOut } from '../values.ts'

/** The fields of a customer, without those that `expand` adds. */
export const plainCustomer = {
  id: customerIdOut,
  external_id: z.string(),
  name: z.string(),
  email: z.string(),
  contact: z.string().nullable(),
  address_line1: z.string(),
  address_line2: z.string(),
  address_city: z.string(),
  address_state: z.string(),
  address_postal_code: z.string(),
  address_country: z.string(),
  timezone: z.string(),
  parent_customer_id: customerIdOut.nullable(),
  metadata: z.record(z.string(), z.string()),
  environment_id: z.enum(['env_live', 'env_test']),
  tenant_id: tenantIdOut,
  status: z.enum(['published', 'draft', 'archived']),
  created_at: isoTime,
  updated_at: isoTime,
  created_by: z.string(),
  updated_by: z.string(),
}

/** A customer that is included in the response of another. It does not include further customers or integrations. */
export const customerShownAlong = z
  .object({ ...plainCustomer, parent_customer: z.null() })
  .meta({ id: 'RelatedCustomer' })

export const integration = z.looseObject({
  provider: z.string(),
  id: z.string(),
  provider_type: z.string(),
  provider_entity_id: z.string(),
})

/** The customer in an event, as it was at that time. It does not include its parent. */
export const eventCustomer = z
  .object({
    ...plainCustomer,
    parent_customer: z.null(),
    integrations: z.array(integration),
    profile: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'EventCustomer' })

/** The request body that creates the customer of the examples. */
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
