/**
 * The options of the RPC methods and the query of `list`: types for the bound Worker, and zod schemas that validate its
 * calls. `schema.ts` has the customer and the props of the binding.
 */
import * as z from 'zod'
import { ONBOARDING_BOUNDS } from '../../onboarding/steps.ts'
import { LIMITS } from '../../registry/customer.ts'
import { cursor, externalId, issue, requiredText, text, time } from '../../validation/fields.ts'
import { REASON_LENGTH_MAX } from '../../validation/reason.ts'
import { type CustomerStatus, type CustomerUpdate, customerUpdate, plainMetadata } from './schema.ts'

export interface CallOptions {
  /** Token of a write that you made or got from another caller. The read sees that write. */
  consistencyToken?: string
  /** Your own id for the log lines and events of this call: 1 to 128 visible ASCII characters. */
  requestId?: string
}

export interface WriteOptions extends CallOptions {
  /** Reason for the audit: at most 500 characters. */
  reason?: string
}

export interface CreateOptions extends WriteOptions {
  /** Starts no onboarding workflow, whatever the tenant has configured. */
  skipOnboarding?: boolean
  /** The name of the onboarding workflow to start instead of the default one. */
  onboardingWorkflow?: string
}

export interface ChangeOptions extends WriteOptions {
  /** The version you read. The change is refused with `version_conflict` if another change came first. */
  ifVersion?: number
}

export interface RestoreOptions extends ChangeOptions {
  /** Fields that the restored customer gets. */
  changes?: CustomerUpdate
}

/** Query of a list. A customer must match all fields. Archived customers are left out unless `status` names them. */
export interface CustomerQuery {
  /**
   * Words, at most 8: for each of them a customer has a word that begins so, in its name, e-mail address, external id or
   * id. Case and accents do not count. Only `status`, `limit` and `cursor` go with it, and a `status` that names both
   * `published` and `draft`, or none of them.
   */
  q?: string
  externalIds?: string[]
  email?: string
  parentId?: string
  status?: CustomerStatus | CustomerStatus[]
  metadata?: Record<string, string>
  /** Earliest `createdAt`: ISO 8601, inclusive. */
  createdFrom?: string
  /** End of the range of `createdAt`: ISO 8601, exclusive. */
  createdBefore?: string
  /** Default: `newest` first. */
  order?: 'newest' | 'oldest'
  /** 1 to 1000, default 50. */
  limit?: number
  /** `nextCursor` of the page before, with the same query. */
  cursor?: string
}

const LIMIT_MAX = 1_000
const LIMIT_DEFAULT = 50
const NAMED_MAX = 1_000

const VISIBLE_ASCII = /^[\x21-\x7e]{1,128}$/

const callShape = {
  consistencyToken: z.string().optional(),
  requestId: z
    .string()
    .check((context) => {
      if (VISIBLE_ASCII.test(context.value)) return
      const fix = 'send 1 to 128 visible ASCII characters, or leave it out'
      context.issues.push(issue(context.value, 'cannot be used as an id', fix))
    })
    .optional(),
}
const writeShape = { ...callShape, reason: text(REASON_LENGTH_MAX).optional() }
export const callOptions = z.strictObject(callShape)
export const createOptions = z.strictObject({
  ...writeShape,
  skipOnboarding: z.boolean().optional(),
  onboardingWorkflow: text(ONBOARDING_BOUNDS.workflowNameLengthMax).optional(),
})
const changeShape = { ...writeShape, ifVersion: z.int().min(1).optional() }
export const changeOptions = z.strictObject(changeShape)
export const restoreOptions = z.strictObject({ ...changeShape, changes: customerUpdate.optional() })

const statuses = z.enum(['published', 'draft', 'archived'])

const Q_LENGTH_MAX = 200
/** Fields that go with `q`, as in the v1 API. */
const BESIDE_Q = new Set(['q', 'status', 'order', 'limit', 'cursor'])

const queryObject = z.strictObject({
  q: text(Q_LENGTH_MAX).optional(),
  externalIds: z.array(externalId).max(NAMED_MAX).optional(),
  email: requiredText(LIMITS.emailLengthMax).optional(),
  parentId: requiredText(LIMITS.externalIdLengthMax).optional(),
  status: z.union([statuses.transform((value) => [value]), z.array(statuses).max(NAMED_MAX)]).optional(),
  metadata: plainMetadata.optional(),
  createdFrom: time.optional(),
  createdBefore: time.optional(),
  order: z.enum(['newest', 'oldest']).default('newest'),
  limit: z.int().min(1).max(LIMIT_MAX).default(LIMIT_DEFAULT),
  cursor: cursor.optional(),
})
export const customerQuery = queryObject.check((context) => {
  const { q, status, order } = context.value
  if (q === undefined) return
  const fault = (field: string, message: string, fix: string) =>
    context.issues.push({ ...issue(undefined, message, fix), path: [field] })
  const others = Object.keys(context.value).filter((field) => !BESIDE_Q.has(field))
  for (const field of [...others, ...(order === 'oldest' ? ['order'] : [])]) {
    fault(field, 'cannot be combined with q', 'leave it out, or leave q out')
  }
  if (status && status.includes('published') !== status.includes('draft')) {
    fault(
      'status',
      'cannot tell published customers from drafts with q',
      'send archived, or all three, or leave it out',
    )
  }
})
export type QueryInput = z.output<typeof customerQuery>
