/**
 * What the v1 door takes to create, change and find one customer, in FlexPrice's words (seeds 000, 001, 004). What a list
 * takes is in `list-schema.ts`; what the words mean to the registry, and what null and `""` mean, in `translate.ts`.
 */
import * as z from 'zod'
import { codePointLength, type Integration, isStorableText, LIMITS } from '../../registry/customer.ts'
import { EXPANSIONS, type Expansion } from '../../registry/operations.ts'
import { country, email, externalId, issue, metadata, requiredText, text, timezone } from '../fields.ts'

const PROVIDER_LENGTH_MAX = 100
const ENTITY_ID_LENGTH_MAX = 255
/** What else is kept with an integration, as JSON. Fifty of them stay far below D1's 2 MB a row. */
const DETAILS_LENGTH_MAX = 2_000
/** JSON.stringify goes down by recursion: what is nested without end would end the answer instead. */
const DETAILS_DEPTH_MAX = 10

const CUSTOMER_ID = /^cust_[0-9A-HJKMNP-TV-Z]{26}$/

/** Whether this can be a customer's id at all. */
export function isCustomerId(id: string): boolean {
  return CUSTOMER_ID.test(id)
}

/** The same for an external id: of the length that one can have, and without NUL. */
export function isExternalId(text: string): boolean {
  const isShort = text.length <= LIMITS.externalIdLengthMax || codePointLength(text) <= LIMITS.externalIdLengthMax
  return text !== '' && isShort && isStorableText(text)
}

/** An archived customer got there by DELETE and comes back by restore; both are more than a change of a field. */
const status = z
  .string()
  .transform((value, context): 'published' | 'draft' => {
    if (value === 'published' || value === 'draft') return value
    if (value !== '') {
      const fix = value === 'archived' ? 'send DELETE to archive a customer' : 'send published or draft'
      context.issues.push(issue(value, 'is none of published, draft', fix))
    }
    return 'published'
  })
  .meta({ enum: ['published', 'draft', ''] })

/** `{provider, id}` as the seed and the SDK say, or FlexPrice's own `{provider_type, provider_entity_id, …}`. */
const integration = z
  .looseObject({
    provider: text(PROVIDER_LENGTH_MAX).nullish(),
    id: text(ENTITY_ID_LENGTH_MAX).nullish(),
    provider_type: text(PROVIDER_LENGTH_MAX).nullish(),
    provider_entity_id: text(ENTITY_ID_LENGTH_MAX).nullish(),
  })
  .transform((value, context): Integration => {
    const {
      provider: shortProvider,
      id: shortId,
      provider_type: type,
      provider_entity_id: entityId,
      ...details
    } = value
    const oneOf = (name: string, short?: string | null, long?: string | null): string => {
      const fault = (message: string, fix: string) =>
        context.issues.push({ ...issue(value, message, fix), path: [name] })
      if (short && long && short !== long) fault('is given twice, differently', 'send one of the two names for it')
      if (!short && !long) fault('is required', 'send a string')
      return short || long || ''
    }
    if (!isShallow(details, DETAILS_DEPTH_MAX)) {
      context.issues.push(issue(value, `is nested more than ${DETAILS_DEPTH_MAX} levels deep`, 'send it flatter'))
    } else if (JSON.stringify(details).length > DETAILS_LENGTH_MAX) {
      const message = `holds more than ${DETAILS_LENGTH_MAX} characters beside provider and id`
      context.issues.push(issue(value, message, `shorten them to ${DETAILS_LENGTH_MAX} characters of JSON`))
    }
    return { ...details, provider: oneOf('provider', shortProvider, type), id: oneOf('id', shortId, entityId) }
  })

function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  return levels > 0 && Object.values(value).every((inner) => isShallow(inner, levels - 1))
}

const integrations = z
  .array(integration)
  .check((context) => {
    const { value } = context
    if (value.length > LIMITS.integrationsMax) {
      const message = `has more than ${LIMITS.integrationsMax} entries`
      context.issues.push(issue(value, message, `send at most ${LIMITS.integrationsMax}`))
    }
    const seen = new Set<string>()
    for (const [at, { provider, id }] of value.entries()) {
      const entity = JSON.stringify([provider, id])
      if (seen.has(entity)) {
        context.issues.push({ ...issue(provider, 'is in the list twice', 'send each entity once'), path: [at] })
      }
      seen.add(entity)
    }
  })
  .meta({ maxItems: LIMITS.integrationsMax })

/** No workflows are configured yet, so every name is unknown. */
const onboardingWorkflowName = z.string().check((context) => {
  if (context.value === '') return
  const fix = 'leave it out: no onboarding workflows are configured'
  context.issues.push(issue(context.value, 'names no onboarding workflow', fix))
})

const fields = {
  name: text(LIMITS.nameLengthMax).nullish(),
  email: email.nullish(),
  contact: text(LIMITS.contactLengthMax).nullish(),
  address_line1: text(LIMITS.addressLineLengthMax).nullish(),
  address_line2: text(LIMITS.addressLineLengthMax).nullish(),
  address_city: text(LIMITS.addressCityLengthMax).nullish(),
  address_state: text(LIMITS.addressStateLengthMax).nullish(),
  address_postal_code: text(LIMITS.addressPostalCodeLengthMax).nullish(),
  address_country: country.nullish(),
  timezone: timezone.nullish(),
  metadata: metadata.nullish(),
  parent_customer_id: z.string().nullish(),
  parent_customer_external_id: text(LIMITS.externalIdLengthMax).nullish(),
  integration_entity_mapping: integrations.nullish(),
  status: status.nullish(),
}

const onboarding = {
  skip_onboarding_workflow: z.boolean().nullish(),
  onboarding_workflow_name: onboardingWorkflowName.nullish(),
}

/** A parent is named one way. Null or `""` beside a name says nothing: some clients send every field they know. */
function oneParent(context: z.core.ParsePayload<z.output<typeof updateObject>>): void {
  const { parent_customer_id: id, parent_customer_external_id: externalId } = context.value
  if (!id || !externalId) return
  const problem = issue(externalId, 'can not be combined with parent_customer_id', 'send one of the two')
  context.issues.push({ ...problem, path: ['parent_customer_external_id'] })
}

const updateObject = z.object({ external_id: externalId.optional(), ...fields })

export const customerCreate = z.object({ external_id: externalId, ...fields, ...onboarding }).check(oneParent)
export const customerUpdate = updateObject.check(oneParent)
/** May create, so it takes what a creation takes; the external id is in the path. */
export const customerUpsert = z
  .object({ external_id: externalId.optional(), ...fields, ...onboarding })
  .check(oneParent)
export type CustomerInput = z.output<typeof customerUpdate>

/** There are four; whoever names them more often is not listened to further. */
const EXPANSIONS_NAMED_MAX = 20

/** Names of what is to be shown along, comma-separated or as a list. */
export const expand = z
  .union([z.string(), z.array(z.string())])
  .transform((value) => [value].flat().flatMap((names) => names.split(',', EXPANSIONS_NAMED_MAX)))
  .transform((names, context): Set<Expansion> => {
    const wanted = new Set<Expansion>()
    for (const name of names) {
      const expansion = EXPANSIONS.find((known) => known === name.trim())
      if (expansion) wanted.add(expansion)
      else if (name.trim() !== '') {
        const fix = `send some of ${EXPANSIONS.join(', ')}`
        context.issues.push(issue(name, `names ${name.slice(0, 50)}, which can not be expanded`, fix))
      }
    }
    return wanted
  })

export const readQueryString = z.strictObject({ expand: expand.optional() })
export const createQueryString = z.strictObject({ if_exists: z.enum(['fail', 'return']).default('fail') })
export const targetQueryString = z.strictObject({
  id: requiredText(LIMITS.externalIdLengthMax).optional(),
  external_customer_id: externalId.optional(),
})
