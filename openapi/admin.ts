/**
 * The admin API in the OpenAPI document: the documentation of each of its contracts, except those of operators. The Worker does not import this
 * file.
 */
import { auditContracts } from '../src/apis/admin/audit/contract.ts'
import { endpointContracts } from '../src/apis/admin/endpoints/contract.ts'
import { adminApi } from '../src/apis/admin/errors.ts'
import { healthContracts } from '../src/apis/admin/health/contract.ts'
import { keyContracts } from '../src/apis/admin/keys/contract.ts'
import { searchContracts } from '../src/apis/admin/search/contract.ts'
import { tenantContracts } from '../src/apis/admin/tenants/contract.ts'
import { changesOf } from '../src/tenants/audit-changes.ts'
import {
  adminAuditList,
  adminDeletion,
  adminEndpoint,
  adminEndpointList,
  adminFound,
  adminHealth,
  adminKeyList,
  adminMove,
  adminOnboarding,
  adminTenant,
  adminTenantList,
  adminUsage,
  newAdminKey,
} from './admin-responses.ts'
import type { ApiDoc } from './build.ts'
import { documented } from './documented.ts'
import { CURSOR_PARAMETER, CUSTOMER_ID, ENDPOINT_ID, KEY_ID, TENANT_ID, TIME } from './fields/shared.ts'
import { envelopedError } from './values.ts'

const CONTRACTS = {
  ...tenantContracts,
  ...keyContracts,
  ...endpointContracts,
  ...auditContracts,
  ...searchContracts,
  ...healthContracts,
}

const TENANT = {
  customer_id: TENANT_ID,
  company_name: 'Acme Corporation',
  contact_email: 'ops@acme.com',
  tier: 'scale',
  status: 'active',
  annual_commitment: 500_000,
  annual_validation_limit: 30_000_000,
  contract_start: '2026-01-01T00:00:00.000Z',
  contract_end: null,
  limits: {
    requests_per_second: 200,
    burst: 400,
    annual_commitment: 500_000,
    annual_validation_limit: 30_000_000,
    storage_bytes: 2_000_000_000,
  },
  event_retention_days: 400,
  database: 0,
  metadata: {},
  created_at: TIME,
  updated_at: TIME,
}
const ENDPOINT = {
  id: ENDPOINT_ID,
  url: 'https://hooks.example.com/roster',
  description: 'Billing',
  event_types: ['customer.created'],
  enabled: true,
  status: 'ok',
  disabled_reason: null,
  failing_since: null,
  created_at: TIME,
  updated_at: TIME,
  created_by: KEY_ID,
  mode: 'live',
}
const ENTERPRISE = { annual_commitment: 1_500_000, annual_validation_limit: 120_000_000 }
const SUSPENDED = {
  ...TENANT,
  ...ENTERPRISE,
  tier: 'enterprise',
  status: 'suspended',
  limits: { requests_per_second: 1_000, burst: 2_000, ...ENTERPRISE, storage_bytes: 6_000_000_000 },
}
const NEW_KEY = {
  key_id: KEY_ID,
  key: 'sk_live_3Jq9…',
  name: 'billing',
  mode: 'live',
  scopes: ['customers:read', 'customers:write'],
  expires_at: null,
  created_at: TIME,
  last_used_at: null,
}
const KEY = {
  key_id: KEY_ID,
  name: 'billing',
  mode: 'live',
  scopes: ['customers:read', 'customers:write'],
  status: 'active',
  expires_at: null,
  revoked_at: null,
  rotated_from: null,
  created_at: TIME,
  last_used_at: '2026-01-20T15:04:00.000Z',
}
const DAYS = [{ date: '2026-01-20', admitted: 1200, rate_limited: 3, errors: 1 }]
const MOVE = {
  customer_id: TENANT_ID,
  from: 0,
  to: 1,
  status: 'copying' as const,
  rows_copied: 12_500,
  rows_copied_again: 0,
  problem: null,
  started_by: 'admin',
  started_at: TIME,
  flipped_at: null,
  ended_at: null,
}

const MODE_USAGE = {
  contract_year_start: '2026-01-01',
  admitted_this_year: 1200,
  permits_outstanding: 40,
  stored_bytes: 1_340_000,
  days: DAYS,
}
const ONE_PAGE = { limit: 50, next_cursor: null, has_more: false }

const AUDITED = {
  id: 'evt_01JD3VQ4X8N2M7R5T9W6YBZKCE',
  type: 'tenant.updated',
  tenant_id: TENANT_ID,
  mode: null,
  customer_id: null,
  key_id: null,
  operator_id: null,
  actor: 'admin',
  role: 'owner',
  session_id: null,
  request_id: 'req_7f3a',
  reason: 'ticket 4711',
  changes: changesOf(auditedTenant(TENANT), auditedTenant(SUSPENDED)),
  before: auditedTenant(TENANT),
  after: auditedTenant(SUSPENDED),
  created_at: TIME,
}

const HEALTH = {
  databases: [{ name: 'DB', bytes: 1_340_000_000, bytes_max: 10_000_000_000 }],
  archive: { objects: 1_204, events: 2_310_000, bytes: 1_290_000_000, complete_before: TIME },
  outbox: { pending: 3, pending_is_capped: false, oldest_due_at: TIME },
  failing_endpoints: {
    total: 1,
    total_is_capped: false,
    items: [
      {
        tenant_id: TENANT_ID,
        company_name: 'Acme Corporation',
        mode: 'live',
        endpoint_id: ENDPOINT_ID,
        url_host: 'hooks.example.com',
        failing_since: TIME,
      },
    ],
  },
  errors_last_hour: { total: 2, by_api: [{ api: 'v1', status: 503, count: 2 }] },
  unfinished: {
    changes: { total: 0, total_is_capped: false },
    deletions: { total: 0, total_is_capped: false },
  },
}

const FOUND_CUSTOMER = {
  customer_id: CUSTOMER_ID,
  external_id: 'user_12345',
  name: 'Acme Corporation',
  email: 'billing@acme.com',
  status: 'published',
  tenant_id: TENANT_ID,
  company_name: 'Acme Corporation',
  mode: 'live',
}

/** Returns the tenant as the audit log keeps it: its id is beside it, and its annual figures are in its limits. */
function auditedTenant({
  customer_id: _id,
  annual_commitment: _c,
  annual_validation_limit: _l,
  ...kept
}: typeof TENANT) {
  return kept
}

const ofTenant = {
  customer_id: { format: 'uuid', description: 'The id of the tenant.', examples: [TENANT_ID] },
}
const ofEndpoint = { ...ofTenant, endpoint_id: { description: 'The id of the endpoint.', examples: [ENDPOINT_ID] } }
const ofKey = { ...ofTenant, key_id: { description: 'The id of the key.', examples: [KEY_ID] } }

const PAGE_QUERY = {
  limit: { description: 'The number of items on a page, at most 100.', examples: [20] },
  cursor: CURSOR_PARAMETER,
}

export const adminDoc: ApiDoc = {
  tag: 'Tenants (admin)',
  description: 'For the operator: tenants, which this API calls customers, with their tiers and their API keys.',
  api: adminApi,
  credentials: ['adminKey', 'session'],
  limited: false,
  failures: ['invalid_input', 'unauthorized', 'rate_limited', 'unavailable', 'insufficient_storage', 'internal'],
  error: envelopedError,
  routes: documented(CONTRACTS, {
    listTenants: {
      operationId: 'listTenants',
      summary: 'List tenants',
      description: 'Newest first.',
      query: {
        ...PAGE_QUERY,
        status: { description: 'Only tenants with this status.', examples: ['active'] },
        tier: { description: 'Only tenants of this tier.', examples: ['scale'] },
        search: { description: 'A part of the company’s name or e-mail address.', examples: ['acme'] },
      },
      answers: {
        200: { description: 'A page.', schema: adminTenantList, example: { items: [TENANT], pagination: ONE_PAGE } },
      },
    },
    createTenant: {
      operationId: 'createTenant',
      etag: true,
      summary: 'Create a tenant',
      description: 'The tier sets the limits. Create a key next: the tenant has none.',
      body: {
        id: 'TenantCreate',
        example: { company_name: 'Acme Corporation', contact_email: 'ops@acme.com', tier: 'scale' },
      },
      answers: { 201: { description: 'Created.', schema: adminTenant, example: TENANT } },
    },
    getTenant: {
      operationId: 'getTenant',
      etag: true,
      summary: 'Get a tenant',
      description: 'Returns suspended tenants too.',
      path: ofTenant,
      answers: { 200: { description: 'The tenant.', schema: adminTenant, example: TENANT } },
      failures: ['not_found'],
    },
    updateTenant: {
      operationId: 'updateTenant',
      etag: true,
      summary: 'Change, suspend or reactivate a tenant',
      description:
        'Changes only the fields that are sent: the tier, the limits, the contract. `status: "suspended"` suspends the tenant, `active` ends that. The change is in force everywhere when the response arrives.',
      path: ofTenant,
      body: { id: 'TenantUpdate', example: { tier: 'enterprise', status: 'suspended' } },
      answers: {
        200: { description: 'The changed tenant.', schema: adminTenant, example: SUSPENDED },
      },
      failures: ['not_found'],
    },
    deleteTenant: {
      operationId: 'deleteTenant',
      summary: 'Delete a tenant',
      description:
        'Deletes a suspended tenant with its customers, events, deliveries, settings, keys and audit entries. When the response arrives its keys are refused everywhere and it is found nowhere. Its data is gone within the hour. One entry of the audit log, `tenant.deleted`, stays as the receipt: its `after.completed_at` says when everything was gone. `x-confirm` has to be the company name, in percent-encoding if it is not ASCII.',
      path: ofTenant,
      headers: ['x-confirm'],
      answers: {
        202: {
          description: 'It is deleted, and its data is being deleted.',
          schema: adminDeletion,
          example: { customer_id: TENANT_ID, company_name: 'Acme Corporation', status: 'deleting', deleted_at: TIME },
        },
      },
      failures: ['not_found', 'tenant_not_suspended', 'tenant_moving'],
    },
    getUsage: {
      operationId: 'getTenantUsage',
      summary: 'Get the usage of a tenant',
      description:
        'Compares the requests of the contract year and the bytes that are stored with their limits, and shows the last days.',
      path: ofTenant,
      answers: {
        200: {
          description: 'The counts of the contract year and of each day.',
          schema: adminUsage,
          example: {
            customer_id: TENANT_ID,
            live: { ...MODE_USAGE, annual_validation_limit: 30_000_000, storage_bytes: 2_000_000_000 },
            test: { ...MODE_USAGE, storage_bytes: 50_000_000 },
          },
        },
      },
      failures: ['not_found'],
    },
    moveTenant: {
      operationId: 'moveTenant',
      summary: 'Move a tenant to another database',
      description:
        'Begins to copy everything that the tenant has to the database with that number. Its requests go on; writes wait for some seconds at the end. GET shows how far it is, and DELETE takes it back. Sent again while the move is under way, it changes nothing and responds the same.',
      path: ofTenant,
      body: { id: 'TenantMoveCreate', example: { database: 1 } },
      answers: { 202: { description: 'The move.', schema: adminMove, example: MOVE } },
      failures: ['not_found', 'tenant_moving'],
    },
    getMove: {
      operationId: 'getTenantMove',
      summary: 'Get the last move of a tenant',
      description:
        'From `flipped` on the tenant is in the other database. Then its rows are kept where it was for an hour (`cleaning`), and deleted (`done`).',
      path: ofTenant,
      answers: { 200: { description: 'The move.', schema: adminMove, example: MOVE } },
      failures: ['not_found'],
    },
    abortMove: {
      operationId: 'abortTenantMove',
      summary: 'Take a move back',
      description: 'Until it is flipped: the copy is deleted, and the tenant stays where it is.',
      path: ofTenant,
      answers: {
        202: {
          description: 'The move, which is being taken back.',
          schema: adminMove,
          example: { ...MOVE, status: 'aborting', problem: 'aborted by admin' },
        },
      },
      failures: ['not_found', 'tenant_moving'],
    },
    listKeys: {
      operationId: 'listKeys',
      summary: 'List the API keys of a tenant',
      description: 'Newest first, with those that are revoked or expired. Never shows the secrets.',
      path: ofTenant,
      query: PAGE_QUERY,
      answers: {
        200: { description: 'A page.', schema: adminKeyList, example: { items: [KEY], pagination: ONE_PAGE } },
      },
      failures: ['not_found'],
    },
    createKey: {
      operationId: 'createKey',
      summary: 'Create an API key',
      description: 'Only this response has the key. It works everywhere when the response arrives.',
      path: ofTenant,
      body: { id: 'KeyCreate', example: { name: 'billing', mode: 'live', scopes: NEW_KEY.scopes } },
      answers: { 201: { description: 'The key, in clear this once.', schema: newAdminKey, example: NEW_KEY } },
      failures: ['not_found'],
    },
    revokeKey: {
      operationId: 'revokeKey',
      summary: 'Revoke an API key',
      description: 'The key is refused everywhere when the response arrives.',
      path: ofKey,
      answers: { 204: { description: 'Revoked.' } },
      failures: ['not_found'],
    },
    rotateKey: {
      operationId: 'rotateKey',
      summary: 'Rotate an API key',
      description:
        'Replaces the key by a new one with the same mode and scopes. The old key stays valid for `overlap_seconds`.',
      path: ofKey,
      body: { id: 'KeyRotate', example: { overlap_seconds: 3600 } },
      answers: { 201: { description: 'The new key, in clear this once.', schema: newAdminKey, example: NEW_KEY } },
      failures: ['not_found'],
    },
    listEndpoints: {
      operationId: 'listTenantWebhookEndpoints',
      summary: 'List the webhook endpoints of a tenant',
      description:
        'Those of both modes, newest first in each, also while the tenant is suspended. Never shows a secret.',
      path: ofTenant,
      answers: { 200: { description: 'All endpoints.', schema: adminEndpointList, example: { items: [ENDPOINT] } } },
      failures: ['not_found'],
    },
    getEndpoint: {
      operationId: 'getTenantWebhookEndpoint',
      etag: true,
      summary: 'Get a webhook endpoint of a tenant',
      description: 'Says also which key created it, and whether its deliveries fail. Never shows a secret.',
      path: ofEndpoint,
      answers: { 200: { description: 'The endpoint.', schema: adminEndpoint, example: ENDPOINT } },
      failures: ['not_found'],
    },
    switchEndpoint: {
      operationId: 'switchTenantWebhookEndpoint',
      etag: true,
      summary: 'Disable or enable a webhook endpoint of a tenant',
      description:
        'For when a key has leaked: an endpoint that was made with it goes on receiving events after the key is revoked.',
      path: ofEndpoint,
      body: { id: 'TenantWebhookEndpointUpdate', example: { enabled: false } },
      answers: {
        200: {
          description: 'The changed endpoint.',
          schema: adminEndpoint,
          example: { ...ENDPOINT, enabled: false, status: 'disabled' },
        },
      },
      failures: ['not_found'],
    },
    deleteEndpoint: {
      operationId: 'deleteTenantWebhookEndpoint',
      summary: 'Delete a webhook endpoint of a tenant',
      description: 'Its pending deliveries are not sent.',
      path: ofEndpoint,
      answers: { 204: { description: 'Deleted.' } },
      failures: ['not_found'],
    },
    getOnboarding: {
      operationId: 'getTenantOnboarding',
      summary: 'Get the onboarding workflows of a tenant',
      description: 'Those of both modes, also while the tenant is suspended. Never shows a secret.',
      path: ofTenant,
      answers: {
        200: {
          description: 'The current settings.',
          schema: adminOnboarding,
          example: {
            live: { workflows: {}, updated_at: TIME, updated_by: KEY_ID },
            test: { workflows: {}, updated_at: null, updated_by: null },
          },
        },
      },
      failures: ['not_found'],
    },
    listAudit: {
      operationId: 'listAudit',
      summary: 'List the audit log',
      description:
        'The changes of tenants, keys, customers and operators through every API, each with its actor, newest first. An entry never contains a key. Changes of customers are kept for as long as their tenant sets (`event_retention_days`). Those of more than some days ago, 14 at first, are in an archive. A page that reads it takes longer, and is 503 while it is away; without `tenant_id` or `customer_id` a page ends where the archive begins. A page looks at a bounded amount: it may be short or empty and still have a `next_cursor`. The entries of an erased customer keep the time and the actor of each change, but no longer its content.',
      query: {
        ...PAGE_QUERY,
        tenant_id: { description: 'Only changes of this tenant, its keys and its customers.', examples: [TENANT_ID] },
        customer_id: { description: 'Only changes of this customer.', examples: [CUSTOMER_ID] },
        actor: {
          description:
            'Only changes by this actor: the id of a key or of an operator, `admin` (or `admin:` and the name of the admin key), or the name of a bound Worker.',
          examples: ['admin'],
        },
        type: { description: 'Only changes of this kind.', examples: ['tenant.updated'] },
        request_id: {
          description:
            'Only changes by the request with this `x-request-id`. A page looks at some thousand changes; a tenant or a time makes that enough.',
          examples: ['req_7f3a'],
        },
        start_time: { description: 'Done at this time or later.', examples: ['2026-01-01T00:00:00Z'] },
        end_time: { description: 'Done before this time.', examples: ['2027-01-01T00:00:00Z'] },
      },
      answers: {
        200: { description: 'A page.', schema: adminAuditList, example: { items: [AUDITED], pagination: ONE_PAGE } },
      },
    },
    getHealth: {
      operationId: 'getDeploymentHealth',
      summary: 'See the state of the deployment',
      description:
        'How full the databases are, how much is in the archive, how far behind webhooks are and which endpoints fail, how many requests Roster failed at in the last hour, and what the sweep of each minute has left to do. Counts end at 1,000, and at most 50 endpoints are listed, those first that have failed for longest.',
      answers: { 200: { description: 'The state now.', schema: adminHealth, example: HEALTH } },
    },
    search: {
      operationId: 'findAcrossTenants',
      summary: 'Find customers and tenants',
      description:
        'The customers of all tenants and modes that have exactly this id, external id or e-mail address, and the tenants that have this id or contact address. At most 100 of each, the newest customer first. Addresses are compared without case. An archived customer is found by its id or address, because its external id may be another’s. After them come at most 25 customers that have, for each word of `q`, a word that begins so, as in `q` of a list: they are looked for in the 100 oldest tenants, and `all_tenants_searched` is false if there are more. A word of more than 8 letters is looked for among the newest 400 customers that have its first 8.',
      query: {
        q: {
          description: 'The id, external id or e-mail address, or the beginnings of words of a name.',
          examples: ['billing@acme.com', 'acme corp'],
        },
      },
      answers: {
        200: {
          description: 'What was found.',
          schema: adminFound,
          example: { customers: [FOUND_CUSTOMER], tenants: [], has_more: false, all_tenants_searched: true },
        },
      },
    },
  }),
}
