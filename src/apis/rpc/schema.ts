/**
 * The props of a service binding and the arguments of each RPC method: types for the bound Worker, and zod schemas that
 * validate its calls. Fields have the registry's own names, in camelCase; `mapping.ts` maps them. An unknown field is
 * refused, because a typed caller has no reason to send one. The schemas are made with the first call: few isolates serve one.
 */
import * as z from 'zod'
import { LIMITS, type Mode, type Integration as StoredIntegration } from '../../registry/customer.ts'
import { lazily } from '../../shared/lazily.ts'
import { SCOPES } from '../../tenants/tenant.ts'
import {
  country,
  email,
  externalId,
  issue,
  metadata,
  optionalExternalId,
  requiredText,
  text,
  timezone,
} from '../../validation/fields.ts'
import {
  DETAILS_DEPTH_MAX,
  ENTITY_ID_LENGTH_MAX,
  NO_DETAILS,
  PROVIDER_LENGTH_MAX,
  readDetails,
} from '../../validation/integrations.ts'
import { nearestHint } from '../../validation/nearest.ts'

/** `props` of the service binding. The operator that deploys the bound Worker sets them, so it needs no key. */
export interface BindingProps {
  /** UUID of the tenant that the customers belong to. */
  tenantId: string
  mode: Mode
  /** Permissions of the Worker: `customers:read`, `customers:write`. */
  scopes: string[]
  /** Name of the Worker: `createdBy` and `updatedBy` of the customers that it changes. */
  caller: string
}

export type CustomerStatus = 'published' | 'draft' | 'archived'
type Scalar = string | number | boolean | null
/** JSON value. Deeper levels are stored too, but the types of Workers RPC do not support a recursive type. */
export type Detail = Scalar | Scalar[] | { [key: string]: Scalar }

/** Customer's account at a payment or other provider. Further details are stored as they are. */
export interface Integration {
  provider: string
  id: string
  [detail: string]: Detail
}

/** Customer. A field that is not set is null. */
export interface Customer {
  /** Opaque id, `cust_…`. It never changes, and no other customer ever gets it. */
  id: string
  /** Your own id of the customer. */
  externalId: string
  name: string | null
  email: string | null
  /** Phone number. */
  contact: string | null
  addressLine1: string | null
  addressLine2: string | null
  addressCity: string | null
  addressState: string | null
  addressPostalCode: string | null
  /** ISO 3166-1 alpha-2, upper case. */
  addressCountry: string | null
  /** IANA name. */
  timezone: string
  /** The id of the customer that this one belongs to. */
  parentId: string | null
  metadata: Record<string, string>
  integrations: Integration[]
  status: CustomerStatus
  /** Rises with every change: send it as `ifVersion`. The HTTP APIs send it as the etag. */
  version: number
  tenantId: string
  mode: Mode
  /** ISO 8601, UTC. */
  createdAt: string
  updatedAt: string
  /** Id of a key, `admin`, or name of a bound Worker. */
  createdBy: string
  updatedBy: string
}

/** The part that a binding without the scope `customers:read` gets of the customer that it wrote. */
export type CustomerReference = Pick<Customer, 'id' | 'externalId' | 'status' | 'version'>

/** Fields that a caller may set. An absent field is kept; null or `""` clears it. */
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
  /** IANA name. A cleared time zone is UTC. */
  timezone?: string | null
  /** Customer that this one belongs to, by its id or by its external id, not both. */
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

/** Names one customer: its id, or `{externalId}`. */
export type CustomerTarget = string | { externalId: string }

/**
 * Excludes the ids of keys, operators and parts of Roster, in any case, so that a Worker cannot pose as another author.
 * `unknown` is what an author without a name would be called.
 */
const CALLER = /^(?!(?:admin|onboarding|roster|sweep|sample|unknown)$|key_)[a-z0-9][\w.-]{0,63}$/i

export const bindingProps = lazily(() =>
  z.strictObject({
    tenantId: z.uuid().transform((id) => id.toLowerCase()),
    mode: z.enum(['live', 'test']),
    scopes: z.array(z.enum(SCOPES)).min(1),
    caller: z.string().check((context) => {
      if (CALLER.test(context.value)) return
      const fix =
        'send 1 to 64 letters, digits, ".", "_" or "-"; not "admin", "onboarding", "roster", "sweep", "sample" or "unknown", nor beginning with "key_"'
      context.issues.push(issue(context.value, 'is no name for a Worker', fix))
    }),
  }),
)

/** Refuses a Map or another class: it has no entries of its own, so it would pass as an empty object. */
export const plainMetadata = lazily(() =>
  z
    .unknown()
    .check((context) => {
      if (!isPlainObject(context.value)) {
        context.issues.push(issue(context.value, 'is not a plain object', 'send an object of text values'))
        return
      }
      for (const [key, inner] of Object.entries(context.value as object)) {
        if (typeof inner !== 'number' || isExact(inner)) continue
        context.issues.push({ ...issue(inner, 'is a number that has lost digits', 'send it as text'), path: [key] })
      }
    })
    .pipe(metadata),
)

const integration = lazily(() =>
  z
    .looseObject({ provider: requiredText(PROVIDER_LENGTH_MAX), id: requiredText(ENTITY_ID_LENGTH_MAX) })
    .transform((value, context): StoredIntegration => {
      if (!isJson(value, DETAILS_DEPTH_MAX + 1)) {
        const fix = `send JSON of at most ${DETAILS_DEPTH_MAX} levels, and long numbers as text`
        context.issues.push(issue(value, 'holds what is not JSON, or is nested too deep', fix))
        return { provider: '', id: '' }
      }
      const { provider, id, ...details } = value
      const read = readDetails(details)
      if (typeof read !== 'string') context.issues.push(issue(value, read.message, read.fix))
      return { provider, id, ...(typeof read === 'string' && read !== NO_DETAILS && { details: read }) }
    }),
)

const integrations = lazily(() =>
  z
    .array(integration())
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
    }),
)

const status = lazily(() =>
  z.string().check((context) => {
    if (context.value === 'published' || context.value === 'draft') return
    const fix = context.value === 'archived' ? 'call archive' : 'send published or draft'
    const hint = nearestHint(context.value, ['published', 'draft'])
    context.issues.push(issue(context.value, `is none of published, draft${hint}`, fix))
  }),
)

const fields = lazily(() => ({
  name: text(LIMITS.nameLengthMax).nullish(),
  email: email.nullish(),
  contact: text(LIMITS.contactLengthMax).nullish(),
  addressLine1: text(LIMITS.addressLine1LengthMax).nullish(),
  addressLine2: text(LIMITS.addressLine2LengthMax).nullish(),
  addressCity: text(LIMITS.addressCityLengthMax).nullish(),
  addressState: text(LIMITS.addressStateLengthMax).nullish(),
  addressPostalCode: text(LIMITS.addressPostalCodeLengthMax).nullish(),
  addressCountry: country.nullish(),
  timezone: timezone.nullish(),
  parentId: z.string().nullish(),
  parentExternalId: optionalExternalId.nullish(),
  metadata: plainMetadata().nullish(),
  integrations: integrations().nullish(),
  status: (status() as z.ZodType<'published' | 'draft', string>).nullish(),
}))

const updateObject = lazily(() => z.strictObject({ externalId: externalId.optional(), ...fields() }))

function oneParent(context: z.core.ParsePayload<z.output<ReturnType<typeof updateObject>>>): void {
  const { parentId, parentExternalId } = context.value
  if (!parentId || !parentExternalId) return
  const problem = issue(parentExternalId, 'cannot be combined with parentId', 'send one of the two')
  context.issues.push({ ...problem, path: ['parentExternalId'] })
}

export const newCustomer = lazily(() => z.strictObject({ externalId, ...fields() }).check(oneParent))
export const customerUpdate = lazily(() => updateObject().check(oneParent))
export type FieldsInput = z.output<ReturnType<typeof customerUpdate>>

export const anyText = lazily(() => z.string())
export const customerTarget = lazily(() => z.union([z.string(), z.strictObject({ externalId: z.string() })]))

/** Returns false for a number that may have been rounded before it was sent, and for one that has no digits. */
function isExact(value: number): boolean {
  return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value))
}

function isPlainObject(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/**
 * Returns whether a value is JSON of at most `levels` levels. A Worker can send any value that can be cloned: maps, big
 * integers, objects that contain themselves.
 */
function isJson(value: unknown, levels: number): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true
  if (typeof value === 'number') return isExact(value)
  if (levels === 0 || !(Array.isArray(value) || isPlainObject(value))) return false
  return Object.values(value as object).every((inner) => isJson(inner, levels - 1))
}
