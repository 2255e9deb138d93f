/**
 * What the v1 door takes to create, change and find one customer, in FlexPrice's words (seeds 000, 001, 004). What a list
 * takes is in `list-schema.ts`; what the words mean to the registry, and what null and `""` mean, in `translate.ts`.
 */
import * as z from 'zod'
import { codePointLength, isStorableText, LIMITS } from '../../registry/customer.ts'
import { EXPANSIONS, type Expansion } from '../../registry/operations.ts'
import { country, email, externalId, issue, metadata, requiredText, text, timezone } from '../fields.ts'
import { integrations } from '../flexprice-fields.ts'

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
  /** Whether there is such a workflow the database knows. */
  onboarding_workflow_name: z.string().nullish(),
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
export type OnboardingInput = Pick<z.output<typeof customerUpsert>, keyof typeof onboarding>

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
