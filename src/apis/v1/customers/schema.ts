/**
 * Schemas of v1 requests that create, change or find one customer, by FlexPrice's reference documents for creating,
 * getting and updating a customer. Lists are in `list-schema.ts`. `mapping.ts` maps the fields to the registry's and
 * defines the meaning of null and `""`.
 */
import * as z from 'zod'
import { ONBOARDING_BOUNDS } from '../../../onboarding/steps.ts'
import { LIMITS } from '../../../registry/customer.ts'
import { EXPANSIONS, type Expansion, PAST_EXPANSIONS, type PastExpansion } from '../../../registry/operations.ts'
import type { Moment } from '../../../registry/past.ts'
import { isId } from '../../../shared/ids.ts'
import { lazily } from '../../../shared/lazily.ts'
import {
  country,
  email,
  externalId,
  issue,
  metadata,
  optionalExternalId,
  requiredText,
  text,
  time,
  timezone,
} from '../../../validation/fields.ts'
import { integrations } from '../../../validation/integrations.ts'
import { nearestHint } from '../../../validation/nearest.ts'
import { profile } from '../../../validation/profile.ts'

/** Characters of an actor: the id of a key or an operator, or the name of a bound Worker. */
const ACTOR_LENGTH_MAX = 128
/** Former external ids in a line of an import. */
const OLD_EXTERNAL_IDS_MAX = 100

/** Statuses that a caller may set. Only DELETE archives a customer and only restore undoes it: both do more. */
function statusAmong<const Status extends string>(...allowed: Status[]) {
  return z
    .string()
    .transform((value, context): Status | 'published' => {
      const known = allowed.find((name) => name === value)
      if (known !== undefined) return known
      if (value !== '') {
        const fix = value === 'archived' ? 'send DELETE to archive a customer' : `send ${allowed.join(' or ')}`
        const hint = nearestHint(value, allowed)
        context.issues.push(issue(value, `is none of ${allowed.join(', ')}${hint}`, fix))
      }
      return 'published'
    })
    .meta({ enum: [...allowed] })
}

const status = lazily(() => statusAmong('published', 'draft'))

const fields = lazily(() => ({
  name: text(LIMITS.nameLengthMax).nullish(),
  email: email.nullish(),
  contact: text(LIMITS.contactLengthMax).nullish(),
  address_line1: text(LIMITS.addressLine1LengthMax).nullish(),
  address_line2: text(LIMITS.addressLine2LengthMax).nullish(),
  address_city: text(LIMITS.addressCityLengthMax).nullish(),
  address_state: text(LIMITS.addressStateLengthMax).nullish(),
  address_postal_code: text(LIMITS.addressPostalCodeLengthMax).nullish(),
  address_country: country.nullish(),
  timezone: timezone.nullish(),
  metadata: metadata.nullish(),
  parent_customer_id: z.string().nullish(),
  parent_customer_external_id: optionalExternalId.nullish(),
  integration_entity_mapping: integrations().nullish(),
  status: status().nullish(),
}))

const onboarding = lazily(() => ({
  skip_onboarding_workflow: z.boolean().nullish(),
  /** The database checks that the workflow exists. */
  onboarding_workflow_name: text(ONBOARDING_BOUNDS.workflowNameLengthMax).nullish(),
}))

/**
 * Refuses a parent that is named by both fields. Null or `""` in one field beside a name in the other is ignored: some
 * clients send all fields that they have.
 */
function oneParent(context: z.core.ParsePayload<z.output<ReturnType<typeof updateObject>>>): void {
  const { parent_customer_id: id, parent_customer_external_id: externalId } = context.value
  if (!id || !externalId) return
  const problem = issue(externalId, 'cannot be combined with parent_customer_id', 'send one of the two')
  context.issues.push({ ...problem, path: ['parent_customer_external_id'] })
}

const updateObject = lazily(() => z.object({ external_id: externalId.optional(), ...fields() }))

export const customerCreate = lazily(() =>
  z.object({ external_id: externalId, ...fields(), ...onboarding() }).check(oneParent),
)
export const customerUpdate = lazily(() => updateObject().check(oneParent))
/** Accepts all fields of a creation, because an upsert may create. The external id is in the path. */
export const customerUpsert = lazily(() =>
  z.object({ external_id: externalId.optional(), ...fields(), ...onboarding() }).check(oneParent),
)

const importObject = lazily(() =>
  z.object({
    external_id: externalId,
    ...fields(),
    ...onboarding(),
    id: z.string().nullish(),
    status: statusAmong('published', 'draft', 'archived').nullish(),
    profile: profile().nullish(),
    old_external_ids: z.array(externalId).nullish(),
  }),
)
export type ImportInput = z.output<ReturnType<typeof importObject>>

/**
 * A line of an import: the body of a creation, and what an export has besides. The external id of the parent counts if
 * its id is there too, because ids differ from one tenant to another.
 */
export const customerImport = lazily(() => importObject().check(checkImported))

function checkImported(context: z.core.ParsePayload<ImportInput>): void {
  const { id, status, old_external_ids: formerIds } = context.value
  const refuse = (path: string, input: unknown, message: string, fix: string) => {
    context.issues.push({ ...issue(input, message, fix), path: [path] })
  }
  if (id && !isId('customer', id)) {
    refuse('id', id, 'is not the id of a customer in Roster', 'send it as external_id, or leave it out')
  }
  if (formerIds && formerIds.length > OLD_EXTERNAL_IDS_MAX) {
    const message = `has more than ${OLD_EXTERNAL_IDS_MAX} entries`
    refuse('old_external_ids', formerIds, message, `send at most ${OLD_EXTERNAL_IDS_MAX}`)
  }
  if (status === 'archived' && formerIds && formerIds.length > 0) {
    refuse('old_external_ids', formerIds, 'is not for an archived customer', 'leave it out')
  }
}

const side = lazily(() => z.enum(['target', 'source']))
/** One side for all fields, or for some of them by name: a misspelt name must not pass for no preference. */
const preferences = lazily(() =>
  z.strictObject({
    name: side().optional(),
    email: side().optional(),
    contact: side().optional(),
    address: side().optional(),
    timezone: side().optional(),
    parent_customer_id: side().optional(),
    metadata: side().optional(),
    profile: side().optional(),
  }),
)

export const mergeBody = lazily(() =>
  z.object({
    into: requiredText(LIMITS.externalIdLengthMax),
    into_version: z.int().min(1).nullish(),
    prefer: z.union([side(), preferences()]).nullish(),
    dry_run: z.boolean().nullish(),
  }),
)
export type MergeInput = z.output<ReturnType<typeof mergeBody>>

export const unmergeBody = lazily(() =>
  z.object({
    source: requiredText(LIMITS.externalIdLengthMax),
    dry_run: z.boolean().nullish(),
  }),
)

export type CustomerInput = z.output<ReturnType<typeof customerUpdate>>
export type OnboardingInput = Pick<z.output<ReturnType<typeof customerUpsert>>, keyof ReturnType<typeof onboarding>>

/** Number of comma-separated names that are read per value; the rest is ignored. There are four expansions. */
const EXPANSIONS_NAMED_MAX = 20

/** Names of expansions, comma-separated or as a list. */
export const expand = lazily(() =>
  z
    .union([z.string(), z.array(z.string())])
    .transform((value) => [value].flat().flatMap((names) => names.split(',', EXPANSIONS_NAMED_MAX)))
    .transform((names, context): Set<Expansion> => {
      const wanted = new Set<Expansion>()
      for (const name of names) {
        const expansion = EXPANSIONS.find((known) => known === name.trim())
        if (expansion) wanted.add(expansion)
        else if (name.trim() !== '') {
          const fix = `send some of ${EXPANSIONS.join(', ')}`
          const hint = nearestHint(name.trim(), EXPANSIONS)
          context.issues.push(issue(name, `names ${name.slice(0, 50)}, which cannot be expanded${hint}`, fix))
        }
      }
      return wanted
    }),
)

/** The number of a version, as a query string has it. */
const version = lazily(() =>
  z
    .string()
    .transform((value, context): number => {
      if (/^[1-9]\d{0,14}$/.test(value)) return Number(value)
      context.issues.push(
        issue(value, 'is not the number of a version', 'send a whole number from 1 on, as in the etag'),
      )
      return 0
    })
    .meta({ examples: ['1', '27'] }),
)

const readObject = lazily(() =>
  z.strictObject({ expand: expand().optional(), as_of: time.optional(), version: version().optional() }),
)

export const readQueryString = lazily(() =>
  readObject().check((context) => {
    const { as_of: asOf, version, expand: wanted = new Set() } = context.value
    if (asOf === undefined && version === undefined) return
    const refuse = (path: string, input: unknown, message: string, fix: string) => {
      context.issues.push({ ...issue(input, message, fix), path: [path] })
    }
    if (asOf !== undefined && version !== undefined) {
      refuse('as_of', asOf, 'cannot be combined with version', 'send one of the two')
    }
    for (const name of wanted) {
      if (isPastExpansion(name)) continue
      const fix = `leave it out; of a customer as it was, ${PAST_EXPANSIONS.join(' and ')} can be expanded`
      refuse('expand', name, `names ${name}, which is not known of the past`, fix)
    }
  }),
)
export type ReadQuery = z.output<ReturnType<typeof readQueryString>>

function isPastExpansion(name: Expansion): name is PastExpansion {
  return PAST_EXPANSIONS.some((known) => known === name)
}

/** Returns the moment that a read is about. Null: now. */
export function momentOf({ as_of: timeMs, version }: Pick<ReadQuery, 'as_of' | 'version'>): Moment | null {
  if (version !== undefined) return { version }
  return timeMs === undefined ? null : { timeMs }
}

/** The moment in a body. A version is a number there. */
export const customerRevert = lazily(() =>
  z.object({ as_of: time.optional(), version: z.int().min(1).optional() }).check((context) => {
    const { as_of: asOf, version } = context.value
    if ((asOf === undefined) !== (version === undefined)) return
    const message = asOf === undefined ? 'is required, or else as_of' : 'cannot be combined with as_of'
    context.issues.push({ ...issue(version, message, 'send one of the two'), path: ['version'] })
  }),
)
export const revertQueryString = lazily(() => z.strictObject({ partial: z.enum(['true', 'false']).default('false') }))
/** The id of a request, as its responses have it in `x-request-id`. */
const requestId = lazily(() =>
  z.string().check((context) => {
    if (/^[\x21-\x7e]{1,128}$/.test(context.value)) return
    const fix = 'send the x-request-id of the import or the undo: 1 to 128 visible ASCII characters'
    context.issues.push(issue(context.value, 'is not the id of a request', fix))
  }),
)

export const undoBody = lazily(() =>
  z
    .object({
      actor: requiredText(ACTOR_LENGTH_MAX).optional(),
      import_id: requestId().optional(),
      undo_id: requestId().optional(),
      since: time,
      until: time.optional(),
      dry_run: z.boolean().optional(),
    })
    .check((context) => {
      const { actor, import_id: importId, undo_id: undoId, since, until } = context.value
      const refuse = (path: string, message: string, fix: string) => {
        context.issues.push({ ...issue(undefined, message, fix), path: [path] })
      }
      if (actor === undefined && importId === undefined && undoId === undefined) {
        refuse('actor', 'is required, or import_id or undo_id', 'say whose changes are to be undone')
      }
      if (importId !== undefined && undoId !== undefined) {
        refuse('undo_id', 'cannot be combined with import_id', 'send one of the two')
      }
      if (until !== undefined && until <= since) refuse('until', 'is not after since', 'send a later time')
    }),
)
export type UndoInput = z.output<ReturnType<typeof undoBody>>

/** The only thing that the response to a creation may include: without it, nothing is read. */
const expandCreated = lazily(() => z.literal('duplicates').optional())
export const createQueryString = lazily(() =>
  z.strictObject({
    if_exists: z.enum(['fail', 'return']).default('fail'),
    expand: expandCreated(),
  }),
)
export const upsertQueryString = lazily(() => z.strictObject({ expand: expandCreated() }))
export type UpsertQuery = z.output<ReturnType<typeof upsertQueryString>>
export const targetQueryString = lazily(() =>
  z.strictObject({
    id: requiredText(LIMITS.externalIdLengthMax).optional(),
    external_customer_id: externalId.optional(),
  }),
)
export type TargetQuery = z.output<ReturnType<typeof targetQueryString>>
