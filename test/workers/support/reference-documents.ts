/**
 * The examples of the reference documents for creating, getting and updating a customer, character for character, and a
 * reader of their `curl` lines that replaces the address, the key and the id of the example by real ones.
 */
import { requestTo } from './roster.ts'

/** Create customer: POST /v1/customers. */
export const CREATE_CURL = String.raw`curl -X POST https://api.flexprice.io/v1/customers \
  -H "Authorization: Bearer YOUR_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{
    "external_id": "user_12345",
    "name": "Acme Corporation",
    "email": "billing@acme.com",
    "address_line1": "123 Main Street",
    "address_city": "San Francisco",
    "address_state": "CA",
    "address_postal_code": "94105",
    "address_country": "US",
    "metadata": {
      "plan_tier": "enterprise",
      "account_manager": "jane_doe"
    }
  }'`

/** Create customer, the field `metadata`. */
export const CREATE_METADATA = `{
  "internal_id": "user_12345",
  "signup_source": "web"
}`

/** Get customer: GET /v1/customers/{id}. */
export const GET_CURL = String.raw`curl -X GET https://api.flexprice.io/v1/customers/cust_abc123xyz789 \
  -H "Authorization: Bearer YOUR_API_KEY"`

/** The answer in the documents for creating and getting a customer. */
export const CUSTOMER_RESPONSE = `{
  "id": "cust_abc123xyz789",
  "external_id": "user_12345",
  "name": "Acme Corporation",
  "email": "billing@acme.com",
  "address_line1": "123 Main Street",
  "address_line2": "",
  "address_city": "San Francisco",
  "address_state": "CA",
  "address_postal_code": "94105",
  "address_country": "US",
  "parent_customer_id": null,
  "metadata": {
    "plan_tier": "enterprise",
    "account_manager": "jane_doe"
  },
  "environment_id": "env_prod_001",
  "tenant_id": "tenant_001",
  "status": "published",
  "created_at": "2024-01-15T10:30:00Z",
  "updated_at": "2024-01-15T10:30:00Z",
  "created_by": "user_admin",
  "updated_by": "user_admin"
}`

/** The fields that the server chooses, which no document can predict. */
export const CHOSEN_BY_THE_SERVER = [
  'id',
  'environment_id',
  'tenant_id',
  'created_at',
  'updated_at',
  'created_by',
  'updated_by',
] as const

const EXAMPLE_ORIGIN = 'https://api.flexprice.io'
const EXAMPLE_KEY = 'YOUR_API_KEY'
const EXAMPLE_ID = 'cust_abc123xyz789'

/** Returns the request that a `curl` line of the documents makes, against the Worker under test. */
export function requestOf(curl: string, real: { origin: string; key: string; id?: string }): Request {
  const text = curl
    .replaceAll(EXAMPLE_ORIGIN, real.origin)
    .replaceAll(EXAMPLE_KEY, real.key)
    .replaceAll(EXAMPLE_ID, real.id ?? EXAMPLE_ID)
  const method = /-X (\w+)/.exec(text)?.[1] ?? 'GET'
  const url = /https?:\/\/\S+/.exec(text)?.[0] ?? ''
  const headers = [...text.matchAll(/-H "([^:]+): ([^"]*)"/g)].map(([, name = '', value = '']): [string, string] => [
    name,
    value,
  ])
  const body = /-d '([^']*)'/.exec(text)?.[1]
  return requestTo(url, { method, headers, ...(body !== undefined && { body }) })
}
