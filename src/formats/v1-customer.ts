/**
 * A customer in FlexPrice's shape, as the v1 API and the webhooks return it. Each API parses its own requests.
 */
import type { Customer, CustomerStatus, Integration, Mode } from '../registry/customer.ts'
import { isoTime } from '../shared/clock.ts'
import { storedJson } from '../validation/json.ts'

/** A customer that is shown along with another: its own parent is not shown in turn. */
export interface V1CustomerAlone {
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
  parent_customer: null
  metadata: Record<string, string>
  environment_id: 'env_live' | 'env_test'
  tenant_id: string
  status: CustomerStatus
  created_at: string
  updated_at: string
  created_by: string
  updated_by: string
}

/** A customer, with its parent where that is shown. */
export type V1Customer = Omit<V1CustomerAlone, 'parent_customer'> & { parent_customer: V1CustomerAlone | null }

/** An entity of another system, under both of the names that FlexPrice has for each. */
export interface V1Integration extends Record<string, unknown> {
  provider: string
  id: string
  provider_type: string
  provider_entity_id: string
}

/** Every key is always present: FlexPrice's SDK refuses a response that lacks one. */
export function toV1(customer: Customer): V1CustomerAlone {
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
    parent_customer: null,
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

/** Returns the integration with its details, in the form that an import takes. */
export function toIntegrationInput({ provider, id, details }: Integration): Record<string, unknown> {
  return { ...(details === undefined ? {} : (storedJson(details) as object)), provider, id }
}

/** Returns the integration with its details, and with provider and id under both of their names. */
export function toV1Integration(integration: Integration): V1Integration {
  const { provider, id } = integration
  return { ...toIntegrationInput(integration), provider, id, provider_type: provider, provider_entity_id: id }
}

/** Live and test are the two environments that every tenant has. */
function environmentId(mode: Mode): V1Customer['environment_id'] {
  return mode === 'live' ? 'env_live' : 'env_test'
}
