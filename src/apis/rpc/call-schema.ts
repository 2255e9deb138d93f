/**
 * The options of the RPC methods and the query of `list`: types for the bound Worker, and zod schemas that validate its
 * calls. `schema.ts` has the customer and the props of the binding.
 */
import * as z from 'zod'
import { ONBOARDING_BOUNDS } from '../../onboarding/steps.ts'
import { LIMITS } from '../../registry/customer.ts'
import { MERGE_FIELDS, type MergeField } from '../../registry/merge.ts'
import { idPattern } from '../../shared/ids.ts'
import { lazily } from '../../shared/lazily.ts'
import { cursor, externalId, issue, requiredText, text, time } from '../../validation/fields.ts'
import { REASON_LENGTH_MAX } from '../../validation/reason.ts'
import { type CustomerStatus, type CustomerUpdate, customerUpdate, plainMetadata } from './schema.ts'

export interface CallOptions {
  /** Token of a write that you made or got from another caller. The read sees that write. */
  consistencyToken?: string
  /** Your own id for the log lines and events of this call: 1 to 128 visible ASCII characters. */
  requestId?: string
}

export interface ReadOptions extends CallOptions {
  /** Returns the customer as it was at this time: ISO 8601, or a date. */
  asOf?: string
  /** Returns this version of the customer. Send one of the two. */
  version?: number
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

/** The customer whose value is kept where both have one. */
export type MergeSide = 'target' | 'source'

export interface MergeOptions extends ChangeOptions {
  /** The version of the customer that `into` names. The merge is refused with `version_conflict` if another change came first. */
  intoVersion?: number
  /** Default: `target` for all fields. The parts of an address stay together. */
  prefer?:
    | MergeSide
    | {
        name?: MergeSide
        email?: MergeSide
        contact?: MergeSide
        address?: MergeSide
        timezone?: MergeSide
        parent?: MergeSide
        metadata?: MergeSide
        profile?: MergeSide
      }
  /** Changes nothing and returns what the merge would do. */
  dryRun?: boolean
}

export interface UnmergeOptions extends ChangeOptions {
  /** Changes nothing and returns what the unmerge would do. */
  dryRun?: boolean
}

export interface RevertOptions extends ChangeOptions {
  /** Reverts what can be had, and says in `left` what cannot. */
  partial?: boolean
}

/** The moment that a customer goes back to: a version, or a time (ISO 8601). */
export type RevertTo = { version: number } | { asOf: string }

/** The changes that an undo takes back: those of an author, of a request such as an import, or of both. */
export interface UndoWhat {
  /** Id of a key or an operator, or name of a bound Worker. */
  actor?: string
  /** The id of the request: of an import, or of an earlier undo. */
  requestId?: string
  /** Time of the earliest change: ISO 8601, inclusive. */
  since: string
  /** End of the time: ISO 8601, exclusive. */
  until?: string
}

export interface UndoOptions extends WriteOptions {
  /** Changes nothing and shows what would happen. */
  dryRun?: boolean
  /** `next` of the call before, with the same changes and the same `requestId`. */
  next?: string
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

const callShape = lazily(() => ({
  consistencyToken: z.string().optional(),
  requestId: z
    .string()
    .check((context) => {
      if (VISIBLE_ASCII.test(context.value)) return
      const fix = 'send 1 to 128 visible ASCII characters, or leave it out'
      context.issues.push(issue(context.value, 'cannot be used as an id', fix))
    })
    .optional(),
}))
const writeShape = lazily(() => ({ ...callShape(), reason: text(REASON_LENGTH_MAX).optional() }))
export const callOptions = lazily(() => z.strictObject(callShape()))
export const readOptions = lazily(() =>
  z.strictObject({ ...callShape(), asOf: time.optional(), version: z.int().min(1).optional() }).check((context) => {
    const { asOf, version } = context.value
    if (asOf === undefined || version === undefined) return
    context.issues.push({ ...issue(asOf, 'cannot be combined with version', 'send one of the two'), path: ['asOf'] })
  }),
)
export type ReadInput = z.output<ReturnType<typeof readOptions>>
export const createOptions = lazily(() =>
  z.strictObject({
    ...writeShape(),
    skipOnboarding: z.boolean().optional(),
    onboardingWorkflow: text(ONBOARDING_BOUNDS.workflowNameLengthMax).optional(),
  }),
)
const changeShape = lazily(() => ({ ...writeShape(), ifVersion: z.int().min(1).optional() }))
export const changeOptions = lazily(() => z.strictObject(changeShape()))
const side = lazily(() => z.enum(['target', 'source']))
const preferences = lazily(() =>
  z.strictObject(
    Object.fromEntries(MERGE_FIELDS.map((field) => [field, side().optional()])) as Record<
      MergeField,
      z.ZodOptional<ReturnType<typeof side>>
    >,
  ),
)
export const mergeOptions = lazily(() =>
  z.strictObject({
    ...changeShape(),
    intoVersion: z.int().min(1).optional(),
    prefer: z.union([side(), preferences()]).optional(),
    dryRun: z.boolean().optional(),
  }),
)
export const unmergeOptions = lazily(() => z.strictObject({ ...changeShape(), dryRun: z.boolean().optional() }))
export const restoreOptions = lazily(() => z.strictObject({ ...changeShape(), changes: customerUpdate().optional() }))

export const revertOptions = lazily(() => z.strictObject({ ...changeShape(), partial: z.boolean().optional() }))
export const revertTo = lazily(() =>
  z.union([z.strictObject({ version: z.int().min(1) }), z.strictObject({ asOf: time })]),
)

const shownId = lazily(() => z.string().regex(VISIBLE_ASCII))
export const undoOptions = lazily(() =>
  z.strictObject({
    ...writeShape(),
    dryRun: z.boolean().optional(),
    next: z
      .string()
      .regex(new RegExp(`^${idPattern('event')}$`))
      .optional(),
  }),
)
export const undoWhat = lazily(() =>
  z
    .strictObject({ actor: shownId().optional(), requestId: shownId().optional(), since: time, until: time.optional() })
    .check((context) => {
      const { actor, requestId } = context.value
      if (actor !== undefined || requestId !== undefined) return
      const fix = 'say whose changes are to be undone'
      context.issues.push({ ...issue(actor, 'is required, or else requestId', fix), path: ['actor'] })
    }),
)

const statuses = lazily(() => z.enum(['published', 'draft', 'archived']))

const Q_LENGTH_MAX = 200
/** Fields that go with `q`, as in the v1 API. */
const BESIDE_Q = new Set(['q', 'status', 'order', 'limit', 'cursor'])

const queryObject = lazily(() =>
  z.strictObject({
    q: text(Q_LENGTH_MAX).optional(),
    externalIds: z.array(externalId).max(NAMED_MAX).optional(),
    email: requiredText(LIMITS.emailLengthMax).optional(),
    parentId: requiredText(LIMITS.externalIdLengthMax).optional(),
    status: z.union([statuses().transform((value) => [value]), z.array(statuses()).max(NAMED_MAX)]).optional(),
    metadata: plainMetadata().optional(),
    createdFrom: time.optional(),
    createdBefore: time.optional(),
    order: z.enum(['newest', 'oldest']).default('newest'),
    limit: z.int().min(1).max(LIMIT_MAX).default(LIMIT_DEFAULT),
    cursor: cursor.optional(),
  }),
)
export const customerQuery = lazily(() =>
  queryObject().check((context) => {
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
  }),
)
export type QueryInput = z.output<ReturnType<typeof customerQuery>>
