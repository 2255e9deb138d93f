/**
 * What a bound Worker may say: the props of its binding, and the arguments of each method, as types for the caller and as zod
 * for what really arrives. The words are the registry's own, in camelCase; what they mean to it is in `translate.ts`.
 * A field that is not known is refused: a caller that is typed has no reason to send one.
 */
import * as z from 'zod'
import { codePointLength, isStorableText, LIMITS, type Mode } from '../../registry/customer.ts'
import { SCOPES } from '../../tenants/tenant.ts'
import { country, email, externalId, issue, metadata, requiredText, text, timezone } from '../fields.ts'

/** `props` of the service binding. Whoever deploys the bound Worker sets them, so they need no key. */
export interface BindingProps {
  /** Whose customers: the tenant's UUID. */
  tenantId: string
  mode: Mode
  /** What the Worker may do: `customers:read`, `customers:write`. */
  scopes: string[]
  /** The Worker's name: `createdBy` and `updatedBy` of what it changes. */
  caller: string
}

export type CustomerStatus = 'published' | 'draft' | 'archived'
type Scalar = string | number | boolean | null
/** JSON. Deeper levels are kept too, but the types of Workers RPC can not say a type that holds itself. */
export type Detail = Scalar | Scalar[] | { [key: string]: Scalar }

/** An account of a payment or other provider that is this customer; further details are kept as they are. */
export interface Integration {
  provider: string
  id: string
  [detail: string]: Detail
}

/** What a caller may set. A field that is absent is kept, null or `""` clears it. */
export interface CustomerFields {
  name?: string | null
  email?: string | null
  /** Phone number. */
  contact?: string | null
  addressLine1?: string | null
  addressLine2?: string | null
  addressCity?: string | null
  addressState?: string | null
  addressPostalCode?: string | null
  /** ISO 3166-1 alpha-2. */
  addressCountry?: string | null
  /** IANA name; cleared, it is UTC. */
  timezone?: string | null
  /** The customer that this one belongs to: by its id, or by its external id, not both. */
  parentId?: string | null
  parentExternalId?: string | null
  /** Replaces the whole. Numbers and booleans are stored as text. */
  metadata?: Record<string, string | number | boolean> | null
  /** Replaces the whole list. */
  integrations?: Integration[] | null
  status?: 'published' | 'draft' | null
}

export interface NewCustomer extends CustomerFields {
  /** Your own id of the customer. */
  externalId: string
}

export interface CustomerUpdate extends CustomerFields {
  externalId?: string
}

/** Which customer: its id, or `{externalId}`. */
export type CustomerTarget = string | { externalId: string }

export interface CallOptions {
  /** Of a write you made or were told of: the read sees that write. */
  consistencyToken?: string
  /** Yours, for the log lines and events of this call: 1 to 128 visible ASCII characters. */
  requestId?: string
}

export interface WriteOptions extends CallOptions {
  /** Why, for the record: at most 500 characters. */
  reason?: string
}

export interface CreateOptions extends WriteOptions {
  /** No onboarding workflow is started, whatever the tenant has configured. */
  skipOnboarding?: boolean
  /** The name of the onboarding workflow to start instead of the default one. */
  onboardingWorkflow?: string
}

export interface ChangeOptions extends WriteOptions {
  /** The version you read: the change is refused with `version_conflict` when somebody was faster. */
  ifVersion?: number
}

/** All that is given must hold. Archived customers are left out unless `status` names them. */
export interface CustomerQuery {
  externalIds?: string[]
  email?: string
  parentId?: string
  status?: CustomerStatus | CustomerStatus[]
  metadata?: Record<string, string>
  /** ISO 8601, inclusive. */
  createdFrom?: string
  /** ISO 8601, exclusive. */
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
const REASON_LENGTH_MAX = 500
const PROVIDER_LENGTH_MAX = 100
const ENTITY_ID_LENGTH_MAX = 255
/** As at the v1 door, whose integrations these are too. */
const DETAILS_LENGTH_MAX = 2_000
const DETAILS_DEPTH_MAX = 10

const CUSTOMER_ID = /^cust_[0-9A-HJKMNP-TV-Z]{26}$/
/** Not a key's id, nor `admin` or a part of Roster: a Worker does not sign as somebody else. */
const CALLER = /^(?!(?:admin|onboarding|roster)$|key_)[A-Za-z0-9][\w.-]{0,63}$/
const VISIBLE_ASCII = /^[\x21-\x7e]{1,128}$/

/** Whether this can be a customer's id at all. */
export function isCustomerId(id: string): boolean {
  return CUSTOMER_ID.test(id)
}

/** The same for an external id. */
export function isExternalId(text: string): boolean {
  return text !== '' && codePointLength(text) <= LIMITS.externalIdLengthMax && isStorableText(text)
}

export const bindingProps = z.strictObject({
  tenantId: z.uuid().transform((id) => id.toLowerCase()),
  mode: z.enum(['live', 'test']),
  scopes: z.array(z.enum(SCOPES)).min(1),
  caller: z.string().check((context) => {
    if (CALLER.test(context.value)) return
    const fix =
      'send 1 to 64 letters, digits, ".", "_" or "-"; not "admin", "onboarding" or "roster", nor beginning with "key_"'
    context.issues.push(issue(context.value, 'is no name for a Worker', fix))
  }),
})

/** A Map or another class has no entries of its own and would pass for an empty object. */
const plainMetadata = z
  .unknown()
  .check((context) => {
    if (isPlainObject(context.value)) return
    context.issues.push(issue(context.value, 'is not a plain object', 'send an object of text values'))
  })
  .pipe(metadata)

const integration = z
  .looseObject({ provider: requiredText(PROVIDER_LENGTH_MAX), id: requiredText(ENTITY_ID_LENGTH_MAX) })
  .transform((value, context): Integration => {
    if (!isJson(value, DETAILS_DEPTH_MAX + 1)) {
      const fix = `send JSON of at most ${DETAILS_DEPTH_MAX} levels`
      context.issues.push(issue(value, 'holds what is not JSON, or is nested too deep', fix))
      return { provider: '', id: '' }
    }
    const { provider, id, ...details } = value
    if (JSON.stringify(details).length > DETAILS_LENGTH_MAX) {
      const message = `holds more than ${DETAILS_LENGTH_MAX} characters beside provider and id`
      context.issues.push(issue(value, message, `shorten them to ${DETAILS_LENGTH_MAX} characters of JSON`))
    }
    return { ...details, provider, id } as Integration
  })

const integrations = z
  .array(integration)
  .max(LIMITS.integrationsMax)
  .check((context) => {
    const seen = new Set<string>()
    for (const [at, { provider, id }] of context.value.entries()) {
      const entity = JSON.stringify([provider, id])
      if (seen.has(entity)) {
        context.issues.push({ ...issue(id, 'is in the list twice', 'send each entity once'), path: [at] })
      }
      seen.add(entity)
    }
  })

const status = z.string().check((context) => {
  if (context.value === 'published' || context.value === 'draft') return
  const fix = context.value === 'archived' ? 'call archive' : 'send published or draft'
  context.issues.push(issue(context.value, 'is none of published, draft', fix))
})

const fields = {
  name: text(LIMITS.nameLengthMax).nullish(),
  email: email.nullish(),
  contact: text(LIMITS.contactLengthMax).nullish(),
  addressLine1: text(LIMITS.addressLineLengthMax).nullish(),
  addressLine2: text(LIMITS.addressLineLengthMax).nullish(),
  addressCity: text(LIMITS.addressCityLengthMax).nullish(),
  addressState: text(LIMITS.addressStateLengthMax).nullish(),
  addressPostalCode: text(LIMITS.addressPostalCodeLengthMax).nullish(),
  addressCountry: country.nullish(),
  timezone: timezone.nullish(),
  parentId: z.string().nullish(),
  parentExternalId: text(LIMITS.externalIdLengthMax).nullish(),
  metadata: plainMetadata.nullish(),
  integrations: integrations.nullish(),
  status: (status as z.ZodType<'published' | 'draft', string>).nullish(),
}

const updateObject = z.strictObject({ externalId: externalId.optional(), ...fields })

function oneParent(context: z.core.ParsePayload<z.output<typeof updateObject>>): void {
  const { parentId, parentExternalId } = context.value
  if (!parentId || !parentExternalId) return
  const problem = issue(parentExternalId, 'can not be combined with parentId', 'send one of the two')
  context.issues.push({ ...problem, path: ['parentExternalId'] })
}

export const newCustomer = z.strictObject({ externalId, ...fields }).check(oneParent)
export const customerUpdate = updateObject.check(oneParent)
export type FieldsInput = z.output<typeof customerUpdate>

export const anyText = z.string()
export const customerTarget = z.union([z.string(), z.strictObject({ externalId: z.string() })])

const callShape = {
  consistencyToken: z.string().optional(),
  requestId: z
    .string()
    .check((context) => {
      if (VISIBLE_ASCII.test(context.value)) return
      const fix = 'send 1 to 128 visible ASCII characters, or leave it out'
      context.issues.push(issue(context.value, 'can not be used as an id', fix))
    })
    .optional(),
}
const writeShape = { ...callShape, reason: text(REASON_LENGTH_MAX).optional() }
export const callOptions = z.strictObject(callShape)
export const createOptions = z.strictObject({
  ...writeShape,
  skipOnboarding: z.boolean().optional(),
  onboardingWorkflow: z.string().optional(),
})
export const changeOptions = z.strictObject({ ...writeShape, ifVersion: z.int().min(1).optional() })

const time = z.union([z.iso.date(), z.iso.datetime({ offset: true })]).transform((value) => Date.parse(value))
const statuses = z.enum(['published', 'draft', 'archived'])

export const customerQuery = z.strictObject({
  externalIds: z.array(externalId).max(NAMED_MAX).optional(),
  email: requiredText(LIMITS.emailLengthMax).optional(),
  parentId: requiredText(LIMITS.externalIdLengthMax).optional(),
  status: z.union([statuses.transform((value) => [value]), z.array(statuses).max(NAMED_MAX)]).optional(),
  metadata: plainMetadata.optional(),
  createdFrom: time.optional(),
  createdBefore: time.optional(),
  order: z.enum(['newest', 'oldest']).default('newest'),
  limit: z.int().min(1).max(LIMIT_MAX).default(LIMIT_DEFAULT),
  cursor: z
    .string()
    .check((context) => {
      if (isCustomerId(context.value)) return
      context.issues.push(issue(context.value, 'is not a cursor', 'send nextCursor of the page before'))
    })
    .optional(),
})
export type QueryInput = z.output<typeof customerQuery>

function isPlainObject(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** What crosses between Workers may be anything that can be cloned: maps, big integers, things that hold themselves. */
function isJson(value: unknown, levels: number): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true
  if (typeof value === 'number') return Number.isFinite(value)
  if (levels === 0 || !(Array.isArray(value) || isPlainObject(value))) return false
  return Object.values(value as object).every((inner) => isJson(inner, levels - 1))
}
