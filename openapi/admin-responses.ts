/**
 * The zod schemas of the admin API's responses. Only the OpenAPI document and the tests import this file; the Worker
 * does not.
 */
import { z } from 'zod'
import { MOVE_STATES } from '../src/tenants/moves/move.ts'
import { AUDIT_TYPES } from '../src/tenants/ports.ts'
import { SCOPES } from '../src/tenants/tenant.ts'
import { TIERS } from '../src/tenants/tiers.ts'
import { operatorId, sessionId } from './operator-responses.ts'
import { shownSettings } from './v1/onboarding-responses.ts'
import { shownEndpoint } from './v1/webhooks-responses.ts'
import { customerIdOut, isoTime, tenantIdOut } from './values.ts'

export const keyId = z.string().meta({ pattern: '^key_[0-9A-HJKMNP-TV-Z]{26}$' })
const mode = z.enum(['live', 'test'])

export const adminTenant = z
  .object({
    customer_id: tenantIdOut,
    company_name: z.string(),
    contact_email: z.string(),
    tier: z.enum(TIERS),
    status: z.enum(['active', 'suspended']),
    annual_commitment: z.int(),
    annual_validation_limit: z.int(),
    contract_start: isoTime.nullable(),
    contract_end: isoTime.nullable(),
    limits: z.object({
      requests_per_second: z.int(),
      burst: z.int(),
      annual_commitment: z.int(),
      annual_validation_limit: z.int(),
      storage_bytes: z.int(),
    }),
    event_retention_days: z.int(),
    database: z.int(),
    metadata: z.record(z.string(), z.unknown()),
    created_at: isoTime,
    updated_at: isoTime,
  })
  .meta({ id: 'Tenant' })

export const adminDeletion = z
  .object({
    customer_id: tenantIdOut,
    company_name: z.string(),
    status: z.literal('deleting'),
    deleted_at: isoTime,
  })
  .meta({ id: 'TenantDeletion' })

export const adminMove = z
  .object({
    customer_id: tenantIdOut,
    from: z.int(),
    to: z.int(),
    status: z.enum(MOVE_STATES),
    rows_copied: z.int(),
    rows_copied_again: z.int(),
    problem: z.string().nullable(),
    started_by: z.string(),
    started_at: isoTime,
    flipped_at: isoTime.nullable(),
    ended_at: isoTime.nullable(),
  })
  .meta({ id: 'TenantMove' })

const pagination = z.object({ limit: z.int(), next_cursor: z.string().nullable(), has_more: z.boolean() })

export const adminTenantList = z.object({ items: z.array(adminTenant), pagination }).meta({ id: 'TenantList' })

export const adminKey = z
  .object({
    key_id: keyId,
    name: z.string(),
    mode,
    scopes: z.array(z.enum(SCOPES)),
    status: z.enum(['active', 'expired', 'revoked']),
    expires_at: isoTime.nullable(),
    revoked_at: isoTime.nullable(),
    rotated_from: keyId.nullable(),
    created_at: isoTime,
    last_used_at: isoTime.nullable(),
  })
  .meta({ id: 'Key' })

export const adminKeyList = z.object({ items: z.array(adminKey), pagination }).meta({ id: 'KeyList' })

export const newAdminKey = z
  .object({
    key_id: keyId,
    key: z.string(),
    name: z.string(),
    mode,
    scopes: z.array(z.enum(SCOPES)),
    expires_at: isoTime.nullable(),
    created_at: isoTime,
    last_used_at: isoTime.nullable(),
  })
  .meta({ id: 'NewKey' })

export const modeUsage = {
  contract_year_start: z.string().meta({ format: 'date' }),
  stored_bytes: z.int(),
  storage_bytes: z.int(),
  admitted_this_year: z.int(),
  permits_outstanding: z.int(),
  days: z.array(
    z.object({ date: z.string().meta({ format: 'date' }), admitted: z.int(), rate_limited: z.int(), errors: z.int() }),
  ),
}

export const adminUsage = z
  .object({
    customer_id: tenantIdOut,
    live: z.object({ ...modeUsage, annual_validation_limit: z.int() }),
    test: z.object(modeUsage),
  })
  .meta({ id: 'TenantUsage' })

export const adminEndpoint = z.object({ ...shownEndpoint, mode }).meta({ id: 'TenantWebhookEndpoint' })

export const adminEndpointList = z.object({ items: z.array(adminEndpoint) }).meta({ id: 'TenantWebhookEndpointList' })

export const adminOnboarding = z
  .object({ live: z.object(shownSettings), test: z.object(shownSettings) })
  .meta({ id: 'TenantOnboarding' })

const auditDocument = z.looseObject({}).nullable()

export const adminAuditList = z
  .object({
    items: z.array(
      z
        .object({
          id: z.string().meta({ pattern: '^evt_[0-9A-HJKMNP-TV-Z]{26}$' }),
          type: z.enum(AUDIT_TYPES),
          tenant_id: tenantIdOut.nullable(),
          mode: mode.nullable(),
          customer_id: customerIdOut.nullable(),
          key_id: z.string().meta({ pattern: '^(?:key|opk)_[0-9A-HJKMNP-TV-Z]{26}$' }).nullable(),
          operator_id: operatorId.nullable(),
          actor: z.string(),
          role: z.string().nullable(),
          session_id: sessionId.nullable(),
          request_id: z.string().nullable(),
          reason: z.string().nullable(),
          changes: z.array(z.object({ field: z.string(), before: z.unknown(), after: z.unknown() })),
          before: auditDocument,
          after: auditDocument,
          created_at: isoTime,
        })
        .meta({ id: 'AuditEntry' }),
    ),
    pagination,
  })
  .meta({ id: 'AuditList' })

const capped = { total: z.int(), total_is_capped: z.boolean() }

export const adminHealth = z
  .object({
    databases: z.array(z.object({ name: z.string(), bytes: z.int(), bytes_max: z.int() })),
    archive: z.object({ objects: z.int(), events: z.int(), bytes: z.int(), complete_before: isoTime.nullable() }),
    outbox: z.object({ pending: z.int(), pending_is_capped: z.boolean(), oldest_due_at: isoTime.nullable() }),
    failing_endpoints: z.object({
      ...capped,
      items: z.array(
        z.object({
          tenant_id: tenantIdOut,
          company_name: z.string(),
          mode,
          endpoint_id: z.string(),
          url_host: z.string(),
          failing_since: isoTime,
        }),
      ),
    }),
    errors_last_hour: z.object({
      total: z.int(),
      by_api: z.array(z.object({ api: z.string(), status: z.int(), count: z.int() })),
    }),
    unfinished: z.object({ changes: z.object(capped), deletions: z.object(capped) }),
  })
  .meta({ id: 'DeploymentHealth' })

export const adminFound = z
  .object({
    customers: z.array(
      z
        .object({
          customer_id: customerIdOut,
          external_id: z.string(),
          name: z.string().nullable(),
          email: z.string().nullable(),
          status: z.enum(['published', 'draft', 'archived']),
          tenant_id: tenantIdOut,
          company_name: z.string(),
          mode,
        })
        .meta({ id: 'FoundCustomer' }),
    ),
    tenants: z.array(adminTenant),
    has_more: z.boolean(),
    all_tenants_searched: z.boolean(),
  })
  .meta({ id: 'Found' })
