/**
 * Schemas of all requests of the admin API, by the reference document of the Admin Customer API: tenants, which this
 * API calls customers, and their keys. Only fields that are sent change. Null and `""` clear a field that can be empty.
 */
import * as z from 'zod'
import { codePointLength } from '../../registry/customer.ts'
import { utf8 } from '../../shared/bytes.ts'
import { isId } from '../../shared/ids.ts'
import { AUDIT_TYPES } from '../../tenants/ports.ts'
import { SCOPES } from '../../tenants/tenant.ts'
import { TIERS } from '../../tenants/tiers.ts'
import {
  cursor,
  email,
  issue,
  OVERLAP_SECONDS_MAX,
  pageLimit,
  requiredText,
  text,
  time,
} from '../../validation/fields.ts'
import { isShallow, withDigits } from '../../validation/json.ts'
import { readTime } from '../../validation/time.ts'

const COMPANY_NAME_LENGTH_MAX = 255
const KEY_NAME_LENGTH_MAX = 100
const SEARCH_LENGTH_MAX = 255
const METADATA_BYTES_MAX = 16 * 1024
const METADATA_DEPTH_MAX = 32

/** Far above the rate that one gate can handle; a bound against typing errors. */
const REQUESTS_PER_SECOND_MAX = 100_000
const BURST_MAX = 1_000_000
const ANNUAL_MAX = 1_000_000_000_000
/** The size of a D1 database. */
const STORAGE_BYTES_MAX = 10_000_000_000

const LIST_LIMIT_MAX = 100
const LIST_LIMIT_DEFAULT = 50

const TENANT_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Returns whether a text has the form of a tenant's id, a UUID. */
export function isTenantId(id: string): boolean {
  return TENANT_ID.test(id)
}

export function isKeyId(id: string): boolean {
  return isId('key', id)
}

/** A time from 1970 on, as `readTime` reads it. Null for null and `""`. */
const optionalTime = z
  .string()
  .nullable()
  .transform((value, context): number | null => {
    if (value === null || value === '') return null
    const timeMs = readTime(value)
    if (typeof timeMs === 'number' && timeMs >= 0) return timeMs
    const fault = typeof timeMs === 'number' ? { message: 'is before 1970', fix: 'send a later time' } : timeMs
    context.issues.push(issue(value, fault.message, fault.fix))
    return null
  })

const contactEmail = email.check((context) => {
  if (context.value !== '') return
  context.issues.push(issue('', 'is empty', 'send an address such as billing@example.com'))
})

/** JSON object that the operator stores with a tenant, as text with the numbers as they were sent. */
const metadata = z.unknown().transform((value, context): string => {
  if (value === null) return '{}'
  if (typeof value !== 'object' || Array.isArray(value)) {
    context.issues.push(issue(value, 'is not an object', 'send a JSON object'))
    return '{}'
  }
  if (!isShallow(value, METADATA_DEPTH_MAX)) {
    const message = `is nested more than ${METADATA_DEPTH_MAX} levels deep`
    context.issues.push(issue(value, message, 'send it flatter, or as JSON text'))
    return '{}'
  }
  const json = JSON.stringify(withDigits(value))
  if (utf8(json).length > METADATA_BYTES_MAX) {
    const message = `is larger than ${METADATA_BYTES_MAX} bytes`
    context.issues.push(issue(value, message, `shorten it to ${METADATA_BYTES_MAX} bytes of JSON`))
  }
  return json
})

const limits = z
  .object({
    requests_per_second: z.int().min(1).max(REQUESTS_PER_SECOND_MAX),
    burst: z.int().min(1).max(BURST_MAX),
    annual_commitment: z.int().min(0).max(ANNUAL_MAX),
    annual_validation_limit: z.int().min(1).max(ANNUAL_MAX),
    storage_bytes: z.int().min(1).max(STORAGE_BYTES_MAX),
  })
  .partial()

const tenantFields = {
  tier: z.enum(TIERS).optional(),
  status: z.enum(['active', 'suspended']).optional(),
  limits: limits.optional(),
  contract_start: optionalTime.optional(),
  contract_end: optionalTime.optional(),
  metadata: metadata.optional(),
}

export const tenantCreate = z.object({
  company_name: requiredText(COMPANY_NAME_LENGTH_MAX),
  contact_email: contactEmail,
  ...tenantFields,
})
export const tenantUpdate = z.object({
  company_name: requiredText(COMPANY_NAME_LENGTH_MAX).optional(),
  contact_email: contactEmail.optional(),
  ...tenantFields,
})
export type TenantInput = z.output<typeof tenantUpdate>

const expiresAt = optionalTime.optional()

export const keyCreate = z.object({
  name: text(KEY_NAME_LENGTH_MAX).nullish(),
  mode: z.enum(['live', 'test']).default('live'),
  scopes: z
    .array(z.enum(SCOPES))
    .min(1)
    .max(2 * SCOPES.length)
    .default([...SCOPES]),
  expires_at: expiresAt,
})
export type KeyInput = z.output<typeof keyCreate>

export const keyRotate = z.object({
  overlap_seconds: z.int().min(0).max(OVERLAP_SECONDS_MAX).default(0),
  expires_at: expiresAt,
})

/** The part of an endpoint that an operator changes: the rest is the tenant's. */
export const endpointSwitch = z.object({ enabled: z.boolean() })

const page = {
  limit: pageLimit(LIST_LIMIT_MAX, LIST_LIMIT_DEFAULT),
  cursor: cursor.optional(),
}

export const tenantListQuery = {
  ...page,
  status: z.enum(['active', 'suspended']).optional(),
  tier: z.enum(TIERS).optional(),
  search: z
    .string()
    .check((context) => {
      const { value } = context
      if (value !== '' && codePointLength(value) <= SEARCH_LENGTH_MAX) return
      const fix = `send 1 to ${SEARCH_LENGTH_MAX} characters of a company's name or e-mail address`
      context.issues.push(issue(value, 'cannot be searched for', fix))
    })
    .optional(),
}

export const keyListQuery = page

const ACTOR_LENGTH_MAX = 255

function idLike(isOne: (text: string) => boolean, example: string) {
  return z.string().check((context) => {
    if (isOne(context.value)) return
    context.issues.push(issue(context.value, 'is not such an id', `send one such as ${example}`))
  })
}

export const auditQuery = {
  ...page,
  tenant_id: idLike(isTenantId, '0b6f7d0e-3f0c-4a52-9a63-6f1a5a1c2d3e').optional(),
  customer_id: idLike((id) => isId('customer', id), 'cust_01JD3VQ4X8N2M7R5T9W6YBZKCE').optional(),
  actor: requiredText(ACTOR_LENGTH_MAX).optional(),
  type: z.enum(AUDIT_TYPES).optional(),
  start_time: time.optional(),
  end_time: time.optional(),
}

export const searchQuery = { q: requiredText(SEARCH_LENGTH_MAX) }
