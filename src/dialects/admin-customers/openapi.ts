/**
 * The operator's door in the OpenAPI document: an entry for each of its routes. Documentation only. A route without an
 * entry, or an entry without a route, fails `test/openapi/routes.test.ts`.
 */
import { z } from 'zod'
import type { DoorDoc } from '../../http/openapi.ts'
import { envelopedError } from '../answers.ts'
import { adminAuditList, adminKeyList, adminTenant, adminTenantList, adminUsage, newAdminKey } from './answers.ts'
import { adminDoor } from './failures.ts'
import {
  auditQuery,
  keyCreate,
  keyListQuery,
  keyRotate,
  tenantCreate,
  tenantListQuery,
  tenantUpdate,
} from './schema.ts'

const TENANT_ID = '0b6f7d0e-3f0c-4a52-9a63-6f1a5a1c2d3e'
const KEY_ID = 'key_01JD3VQ4X8N2M7R5T9W6YBZKCE'
const TIME = '2026-01-20T15:00:00.000Z'
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
  },
  metadata: {},
  created_at: TIME,
  updated_at: TIME,
}
const NEW_KEY = {
  key_id: KEY_ID,
  key: 'sk_live_3Jq9…',
  name: 'billing',
  mode: 'live',
  scopes: ['customers:read', 'customers:write'],
  expires_at: null,
  created_at: TIME,
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
}
const DAYS = [{ date: '2026-01-20', admitted: 1200, rate_limited: 3 }]
const MODE_USAGE = { contract_year_start: '2026-01-01', admitted_this_year: 1200, permits_outstanding: 40, days: DAYS }
const ONE_PAGE = { limit: 50, next_cursor: null, has_more: false }

const AUDITED = {
  id: 'evt_01JD3VQ4X8N2M7R5T9W6YBZKCE',
  type: 'tenant.updated',
  tenant_id: TENANT_ID,
  mode: null,
  customer_id: null,
  key_id: null,
  actor: 'admin',
  request_id: 'req_7f3a',
  reason: 'unpaid since March',
  before: { status: 'active' },
  after: { status: 'suspended' },
  created_at: TIME,
}

const ofTenant = {
  customer_id: z.string().meta({ format: 'uuid', description: 'The id of the tenant.', examples: [TENANT_ID] }),
}
const ofKey = { ...ofTenant, key_id: z.string().meta({ description: 'The id of the key.', examples: [KEY_ID] }) }

export const adminDoc: DoorDoc = {
  tag: 'Tenants (admin)',
  description: 'For you, the operator: tenants, which this door calls customers, their tiers and their keys.',
  door: adminDoor,
  credentials: ['adminKey'],
  limited: false,
  failures: ['invalid_input', 'unauthorized', 'rate_limited', 'unavailable', 'internal'],
  error: envelopedError,
  routes: {
    'POST /admin/customers': {
      touches: null,
      operationId: 'createTenant',
      summary: 'Create a tenant',
      headers: ['idempotency-key'],
      body: {
        schema: tenantCreate.meta({ id: 'TenantCreate' }),
        example: { company_name: 'Acme Corporation', contact_email: 'ops@acme.com', tier: 'scale' },
      },
      answers: { 201: { description: 'Created.', schema: adminTenant, example: TENANT } },
    },
    'GET /admin/customers': {
      touches: null,
      operationId: 'listTenants',
      summary: 'List tenants',
      query: z.object({
        ...tenantListQuery,
        cursor: tenantListQuery.cursor.meta({ description: '`next_cursor` of the page before.' }),
        search: tenantListQuery.search.meta({ description: 'A part of the company’s name or e-mail address.' }),
      }),
      answers: {
        200: { description: 'A page.', schema: adminTenantList, example: { items: [TENANT], pagination: ONE_PAGE } },
      },
    },
    'GET /admin/customers/:customer_id': {
      touches: null,
      operationId: 'getTenant',
      summary: 'Get a tenant',
      path: z.object(ofTenant),
      answers: { 200: { description: 'The tenant.', schema: adminTenant, example: TENANT } },
      failures: ['not_found'],
    },
    'PUT /admin/customers/:customer_id': {
      touches: null,
      operationId: 'updateTenant',
      summary: 'Change a tenant',
      description: 'Only what is sent changes. In force everywhere when it is answered.',
      path: z.object(ofTenant),
      body: { schema: tenantUpdate.meta({ id: 'TenantUpdate' }), example: { tier: 'enterprise', status: 'suspended' } },
      answers: {
        200: { description: 'As it is now, everywhere.', schema: adminTenant, example: TENANT },
      },
      failures: ['not_found'],
    },
    'GET /admin/customers/:customer_id/usage': {
      touches: null,
      operationId: 'getTenantUsage',
      summary: 'Get what a tenant has used',
      path: z.object(ofTenant),
      answers: {
        200: {
          description: 'The counts of the contract year and of each day.',
          schema: adminUsage,
          example: {
            customer_id: TENANT_ID,
            live: { ...MODE_USAGE, annual_validation_limit: 30_000_000 },
            test: MODE_USAGE,
          },
        },
      },
      failures: ['not_found'],
    },
    'POST /admin/customers/:customer_id/keys': {
      touches: null,
      operationId: 'createKey',
      summary: 'Create an API key',
      headers: ['idempotency-key'],
      path: z.object(ofTenant),
      body: { schema: keyCreate, optional: true, example: { name: 'billing', mode: 'live', scopes: NEW_KEY.scopes } },
      answers: { 201: { description: 'The key, in clear this once.', schema: newAdminKey, example: NEW_KEY } },
      failures: ['not_found'],
    },
    'GET /admin/customers/:customer_id/keys': {
      touches: null,
      operationId: 'listKeys',
      summary: 'List the API keys of a tenant',
      path: z.object(ofTenant),
      query: z.object({
        ...keyListQuery,
        cursor: keyListQuery.cursor.meta({ description: '`next_cursor` of the page before.' }),
      }),
      answers: {
        200: { description: 'A page.', schema: adminKeyList, example: { items: [KEY], pagination: ONE_PAGE } },
      },
      failures: ['not_found'],
    },
    'DELETE /admin/customers/:customer_id/keys/:key_id': {
      touches: null,
      operationId: 'revokeKey',
      summary: 'Revoke an API key',
      description: 'It is dead everywhere when this is answered.',
      path: z.object(ofKey),
      answers: { 204: { description: 'Revoked.' } },
      failures: ['not_found'],
    },
    'POST /admin/customers/:customer_id/keys/:key_id/rotate': {
      touches: null,
      operationId: 'rotateKey',
      summary: 'Replace an API key',
      headers: ['idempotency-key'],
      description: 'The old one lives on for `overlap_seconds`.',
      path: z.object(ofKey),
      body: { schema: keyRotate, optional: true, example: { overlap_seconds: 3600 } },
      answers: { 201: { description: 'The new key, in clear this once.', schema: newAdminKey, example: NEW_KEY } },
      failures: ['not_found'],
    },
    'GET /admin/audit': {
      touches: null,
      operationId: 'listAudit',
      summary: 'List what was done, and by whom',
      description:
        'Changes of tenants, keys and customers through every door, newest first. Never a key. Of an erased customer it tells when something was done and by whom, no longer what.',
      query: z.object({
        ...auditQuery,
        cursor: auditQuery.cursor.meta({ description: '`next_cursor` of the page before.' }),
        start_time: auditQuery.start_time.meta({ description: 'Done at this time or later.' }),
        end_time: auditQuery.end_time.meta({ description: 'Done before this time.' }),
        actor: auditQuery.actor.meta({ description: 'The id of a key, `admin`, or the name of a bound Worker.' }),
      }),
      answers: {
        200: { description: 'A page.', schema: adminAuditList, example: { items: [AUDITED], pagination: ONE_PAGE } },
      },
    },
  },
}
