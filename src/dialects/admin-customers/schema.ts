/**
 * What the operator's door takes, in its own words (seed 003): tenants, which this door calls customers, and their keys.
 * All zod of this door. Only fields that are sent change; null and `""` clear what can be empty.
 */
import * as z from 'zod'
import { codePointLength } from '../../registry/customer.ts'
import { utf8 } from '../../shared/bytes.ts'
import { AUDIT_TYPES } from '../../tenants/ports.ts'
import { SCOPES } from '../../tenants/tenant.ts'
import { TIERS } from '../../tenants/tiers.ts'
import { cursor, email, issue, pageLimit, requiredText, text } from '../fields.ts'

const COMPANY_NAME_LENGTH_MAX = 255
const KEY_NAME_LENGTH_MAX = 100
const SEARCH_LENGTH_MAX = 255
const METADATA_BYTES_MAX = 16 * 1024
/** JSON.stringify goes down by recursion: what is nested without end would end the answer instead. */
const METADATA_DEPTH_MAX = 32

/** Far above what one gate can carry; a bound against slips of the hand. */
const REQUESTS_PER_SECOND_MAX = 100_000
const BURST_MAX = 1_000_000
const ANNUAL_MAX = 1_000_000_000_000
const OVERLAP_SECONDS_MAX = 30 * 24 * 3600

const LIST_LIMIT_MAX = 100
const LIST_LIMIT_DEFAULT = 50

const TENANT_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const KEY_ID = /^key_[0-9A-HJKMNP-TV-Z]{26}$/

/** Whether this can be the id of a tenant at all. */
export function isTenantId(id: string): boolean {
  return TENANT_ID.test(id)
}

export function isKeyId(id: string): boolean {
  return KEY_ID.test(id)
}

/** A date, which is its first moment in UTC, or a time with its offset. Milliseconds since 1970 out, null for `""`. */
const time = z
  .string()
  .nullable()
  .transform((value, context): number | null => {
    if (value === null || value === '') return null
    const timeMs = isIsoTime(value) ? Date.parse(value) : Number.NaN
    const year = new Date(timeMs).getUTCFullYear()
    if (year >= 1970 && year <= 9999) return timeMs
    const fix = 'send a date such as 2026-01-20 or a time such as 2026-01-20T15:00:00Z'
    context.issues.push(issue(value, 'is not an ISO 8601 date or time', fix))
    return null
  })

function isIsoTime(value: string): boolean {
  return z.iso.date().safeParse(value).success || z.iso.datetime({ offset: true }).safeParse(value).success
}

const contactEmail = email.check((context) => {
  if (context.value !== '') return
  context.issues.push(issue('', 'is empty', 'send an address such as billing@example.com'))
})

/** Whatever JSON object the operator wants to keep with a tenant. */
const metadata = z.unknown().transform((value, context): Record<string, unknown> => {
  if (value === null) return {}
  if (typeof value !== 'object' || Array.isArray(value)) {
    context.issues.push(issue(value, 'is not an object', 'send a JSON object'))
    return {}
  }
  if (!isShallow(value, METADATA_DEPTH_MAX)) {
    const message = `is nested more than ${METADATA_DEPTH_MAX} levels deep`
    context.issues.push(issue(value, message, 'send it flatter, or as JSON text'))
  } else if (utf8(JSON.stringify(value)).length > METADATA_BYTES_MAX) {
    const message = `is larger than ${METADATA_BYTES_MAX} bytes`
    context.issues.push(issue(value, message, `shorten it to ${METADATA_BYTES_MAX} bytes of JSON`))
  }
  return value as Record<string, unknown>
})

function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  return levels > 0 && Object.values(value).every((inner) => isShallow(inner, levels - 1))
}

const limits = z
  .object({
    requests_per_second: z.int().min(1).max(REQUESTS_PER_SECOND_MAX),
    burst: z.int().min(1).max(BURST_MAX),
    annual_commitment: z.int().min(0).max(ANNUAL_MAX),
    annual_validation_limit: z.int().min(1).max(ANNUAL_MAX),
  })
  .partial()

const tenantFields = {
  tier: z.enum(TIERS).optional(),
  status: z.enum(['active', 'suspended']).optional(),
  limits: limits.optional(),
  contract_start: time.optional(),
  contract_end: time.optional(),
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

const expiresAt = time.optional()

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

const page = {
  limit: pageLimit(LIST_LIMIT_MAX, LIST_LIMIT_DEFAULT),
  cursor: cursor((id) => isTenantId(id) || isKeyId(id)),
}

export const tenantListQuery = {
  ...page,
  status: z.enum(['active', 'suspended']).optional(),
  tier: z.enum(TIERS).optional(),
  search: z
    .string()
    .check((context) => {
      const { value } = context
      if (value !== '' && codePointLength(value) <= SEARCH_LENGTH_MAX && !value.includes('\0')) return
      const fix = `send 1 to ${SEARCH_LENGTH_MAX} characters of a company's name or e-mail address`
      context.issues.push(issue(value, 'can not be searched for', fix))
    })
    .optional(),
}

export const keyListQuery = page

const CUSTOMER_ID = /^cust_[0-9A-HJKMNP-TV-Z]{26}$/
const CHANGE_ID = /^evt_[0-9A-HJKMNP-TV-Z]{26}$/
const ACTOR_LENGTH_MAX = 255

const instant = time.transform((value, context): number => {
  if (value !== null) return value
  context.issues.push(issue('', 'is empty', 'send a time such as 2026-01-20T15:00:00Z, or leave it out'))
  return 0
})

function idLike(pattern: RegExp, example: string) {
  return z.string().check((context) => {
    if (pattern.test(context.value)) return
    context.issues.push(issue(context.value, 'is not such an id', `send one such as ${example}`))
  })
}

export const auditQuery = {
  limit: page.limit,
  cursor: cursor((id) => CHANGE_ID.test(id)),
  tenant_id: idLike(TENANT_ID, '0b6f7d0e-3f0c-4a52-9a63-6f1a5a1c2d3e').optional(),
  customer_id: idLike(CUSTOMER_ID, 'cust_01JD3VQ4X8N2M7R5T9W6YBZKCE').optional(),
  actor: requiredText(ACTOR_LENGTH_MAX).optional(),
  type: z.enum(AUDIT_TYPES).optional(),
  start_time: instant.optional(),
  end_time: instant.optional(),
}
