/**
 * Schemas of the requests about tenants, by the reference document of the Admin Customer API, which calls them
 * customers. Only fields that are sent change. Null and `""` clear a field that can be empty.
 */
import * as z from 'zod'
import { codePointLength } from '../../../registry/customer.ts'
import { utf8 } from '../../../shared/bytes.ts'
import { lazily } from '../../../shared/lazily.ts'
import { EVENT_RETENTION_DAYS } from '../../../tenants/tenant.ts'
import { TIERS } from '../../../tenants/tiers.ts'
import { email, issue, requiredText } from '../../../validation/fields.ts'
import { isShallow, withDigits } from '../../../validation/json.ts'
import { optionalTime, page } from '../fields.ts'

const COMPANY_NAME_LENGTH_MAX = 255
const SEARCH_LENGTH_MAX = 255
const METADATA_BYTES_MAX = 16 * 1024
const METADATA_DEPTH_MAX = 32

/** Far above the rate that one gate can handle; a bound against typing errors. */
const REQUESTS_PER_SECOND_MAX = 100_000
const BURST_MAX = 1_000_000
const ANNUAL_MAX = 1_000_000_000_000
/** The size of a D1 database. */
const STORAGE_BYTES_MAX = 10_000_000_000

const contactEmail = lazily(() =>
  email.check((context) => {
    if (context.value !== '') return
    context.issues.push(issue('', 'is empty', 'send an address such as billing@example.com'))
  }),
)

/** JSON object that the operator stores with a tenant, as text with the numbers as they were sent. */
const metadata = lazily(() =>
  z.unknown().transform((value, context): string => {
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
  }),
)

const limits = lazily(() =>
  z
    .object({
      requests_per_second: z.int().min(1).max(REQUESTS_PER_SECOND_MAX),
      burst: z.int().min(1).max(BURST_MAX),
      annual_commitment: z.int().min(0).max(ANNUAL_MAX),
      annual_validation_limit: z.int().min(1).max(ANNUAL_MAX),
      storage_bytes: z.int().min(1).max(STORAGE_BYTES_MAX),
    })
    .partial(),
)

const tenantFields = lazily(() => ({
  tier: z.enum(TIERS).optional(),
  status: z.enum(['active', 'suspended']).optional(),
  limits: limits().optional(),
  contract_start: optionalTime().optional(),
  contract_end: optionalTime().optional(),
  event_retention_days: z.int().min(EVENT_RETENTION_DAYS.min).max(EVENT_RETENTION_DAYS.max).optional(),
  metadata: metadata().optional(),
}))

export const tenantCreate = lazily(() =>
  z.object({
    company_name: requiredText(COMPANY_NAME_LENGTH_MAX),
    contact_email: contactEmail(),
    ...tenantFields(),
  }),
)
export const tenantUpdate = lazily(() =>
  z.object({
    company_name: requiredText(COMPANY_NAME_LENGTH_MAX).optional(),
    contact_email: contactEmail().optional(),
    ...tenantFields(),
  }),
)
export type TenantInput = z.output<ReturnType<typeof tenantUpdate>>

export const tenantListQuery = lazily(() =>
  z.strictObject({
    ...page(),
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
  }),
)

/** Databases are counted from 0. */
const DATABASE_MAX = 4_095

export const tenantMove = lazily(() =>
  z.strictObject({
    database: z.int().min(0).max(DATABASE_MAX),
  }),
)
