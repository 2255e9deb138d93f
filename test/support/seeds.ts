/**
 * The examples of seeds 000, 001 and 004 as their documents have them, character for character, and what it takes to run
 * them: a reader of the `curl` lines, with the address, the key and the id of the example replaced by real ones.
 */

/** Seed 001: POST /v1/customers. */
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

/** Seed 001, of the field `metadata`. */
export const CREATE_METADATA = `{
  "internal_id": "user_12345",
  "signup_source": "web"
}`

/** Seed 004: GET /v1/customers/{id}. */
export const GET_CURL = String.raw`curl -X GET https://api.flexprice.io/v1/customers/cust_abc123xyz789 \
  -H "Authorization: Bearer YOUR_API_KEY"`

/** The answer that seeds 001 and 004 show. */
export const CUSTOMER_ANSWER = `{
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

/** What a document can not know: the server chooses it. */
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

/** The request that a `curl` line of the documents makes, against the Worker under test. */
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
  return new Request(url, { method, headers, ...(body !== undefined && { body }) })
}
