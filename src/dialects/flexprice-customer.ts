/**
 * A customer in FlexPrice's words: what the v1 doors answer and what webhooks send. What comes in is for each door.
 */
import type { Customer, CustomerStatus, Integration, Mode } from '../registry/customer.ts'
import { isoTime } from '../shared/clock.ts'

export interface V1Customer {
  id: string
  external_id: string
  name: string
  email: string
  contact: string | null
  address_line1: string
  address_line2: string
  address_city: string
  address_state: string
  address_postal_code: string
  address_country: string
  timezone: string
  parent_customer_id: string | null
  parent_customer: V1Customer | null
  metadata: Record<string, string>
  environment_id: string
  tenant_id: string
  status: CustomerStatus
  created_at: string
  updated_at: string
  created_by: string
  updated_by: string
}

/** Every key is always there: FlexPrice's SDK refuses an answer that lacks one. */
export function toV1(customer: Customer, parent: Customer | null = null): V1Customer {
  return {
    id: customer.id,
    external_id: customer.externalId,
    name: customer.name ?? '',
    email: customer.email ?? '',
    contact: customer.contact,
    address_line1: customer.addressLine1 ?? '',
    address_line2: customer.addressLine2 ?? '',
    address_city: customer.addressCity ?? '',
    address_state: customer.addressState ?? '',
    address_postal_code: customer.addressPostalCode ?? '',
    address_country: customer.addressCountry ?? '',
    timezone: customer.timezone,
    parent_customer_id: customer.parentId,
    parent_customer: parent && toV1(parent),
    metadata: customer.metadata,
    environment_id: environmentId(customer.mode),
    tenant_id: customer.tenantId,
    status: customer.status,
    created_at: isoTime(customer.createdAtMs),
    updated_at: isoTime(customer.updatedAtMs),
    created_by: customer.createdBy,
    updated_by: customer.updatedBy,
  }
}

/** Under both of the names that FlexPrice has for each. */
export function toV1Integration(integration: Integration): object {
  return { ...integration, provider_type: integration.provider, provider_entity_id: integration.id }
}

/** Live and test are the two environments that every tenant has. */
function environmentId(mode: Mode): string {
  return mode === 'live' ? 'env_live' : 'env_test'
}
