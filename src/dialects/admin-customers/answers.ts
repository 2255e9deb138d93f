/**
 * zod for what the operator's door answers (seed 003). For the OpenAPI document and the tests: nothing the Worker runs
 * imports it.
 */
import { z } from 'zod'
import { AUDIT_TYPES } from '../../tenants/ports.ts'
import { SCOPES } from '../../tenants/tenant.ts'
import { TIERS } from '../../tenants/tiers.ts'
import { customerIdOut, isoTime, tenantIdOut } from '../answers.ts'

const keyId = z.string().meta({ pattern: '^key_[0-9A-HJKMNP-TV-Z]{26}$' })
const mode = z.enum(['live', 'test'])

export const adminTenant = z
  .object({
    customer_id: tenantIdOut,
    company_name: z.string(),
    contact_email: z.string(),
    tier: z.enum(TIERS),
    status: z.enum(['active', 'suspended']),
    annual_commitment: z.int().meta({ description: 'USD a contract year.' }),
    annual_validation_limit: z.int().meta({ description: 'Admitted live requests a contract year.' }),
    contract_start: isoTime.nullable(),
    contract_end: isoTime.nullable(),
    limits: z.object({
      requests_per_second: z.int(),
      burst: z.int(),
      annual_commitment: z.int(),
      annual_validation_limit: z.int(),
    }),
    metadata: z.record(z.string(), z.unknown()),
    created_at: isoTime,
    updated_at: isoTime,
  })
  .meta({ id: 'Tenant' })

const pagination = z.object({ limit: z.int(), next_cursor: z.string().nullable(), has_more: z.boolean() })

export const adminTenantList = z.object({ items: z.array(adminTenant), pagination })

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
  })
  .meta({ id: 'Key' })

export const adminKeyList = z.object({ items: z.array(adminKey), pagination })

export const newAdminKey = z
  .object({
    key_id: keyId,
    key: z
      .string()
      .meta({ description: 'In clear this once, and to a repeat of the request with its idempotency key.' }),
    name: z.string(),
    mode,
    scopes: z.array(z.enum(SCOPES)),
    expires_at: isoTime.nullable(),
    created_at: isoTime,
  })
  .meta({ id: 'NewKey' })

const modeUsage = {
  contract_year_start: z.string().meta({ format: 'date' }),
  admitted_this_year: z.int(),
  permits_outstanding: z.int().meta({ description: 'Handed to isolates and not yet accounted for.' }),
  days: z
    .array(z.object({ date: z.string().meta({ format: 'date' }), admitted: z.int(), rate_limited: z.int() }))
    .meta({ description: 'Newest first.' }),
}

export const adminUsage = z.object({
  customer_id: tenantIdOut,
  live: z.object({ ...modeUsage, annual_validation_limit: z.int() }),
  test: z.object(modeUsage),
})

const auditDocument = z.looseObject({}).nullable()

export const adminAuditList = z.object({
  items: z.array(
    z
      .object({
        id: z.string().meta({ pattern: '^evt_[0-9A-HJKMNP-TV-Z]{26}$' }),
        type: z.enum(AUDIT_TYPES),
        tenant_id: tenantIdOut,
        mode: mode.nullable().meta({ description: 'Null for a tenant, which has no mode.' }),
        customer_id: customerIdOut.nullable(),
        key_id: keyId.nullable().meta({ description: 'The key that was changed.' }),
        actor: z.string().meta({ description: 'The id of a key, `admin`, or the name of a bound Worker.' }),
        request_id: z.string().nullable(),
        reason: z.string().nullable().meta({ description: 'The `x-reason` of the request.' }),
        before: auditDocument.meta({ description: 'Null when there was nothing, or when it was erased.' }),
        after: auditDocument,
        created_at: isoTime,
      })
      .meta({ id: 'AuditEntry' }),
  ),
  pagination,
})
