/**
 * Schemas of v1 requests that create, change or find one customer, by FlexPrice's reference documents for creating,
 * getting and updating a customer. Lists are in `list-schema.ts`. `mapping.ts` maps the fields to the registry's and
 * defines the meaning of null and `""`.
 */
import * as z from 'zod'
import { ONBOARDING_BOUNDS } from '../../../onboarding/steps.ts'
import { LIMITS } from '../../../registry/customer.ts'
import { EXPANSIONS, type Expansion } from '../../../registry/operations.ts'
import { isId } from '../../../shared/ids.ts'
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
} from '../../../validation/fields.ts'
import { integrations } from '../../../validation/integrations.ts'
import { nearestHint } from '../../../validation/nearest.ts'
import { profile } from '../../../validation/profile.ts'

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

const status = statusAmong('published', 'draft')

const fields = {
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
  integration_entity_mapping: integrations.nullish(),
  status: status.nullish(),
}

const onboarding = {
  skip_onboarding_workflow: z.boolean().nullish(),
  /** The database checks that the workflow exists. */
  onboarding_workflow_name: text(ONBOARDING_BOUNDS.workflowNameLengthMax).nullish(),
}

/**
 * Refuses a parent that is named by both fields. Null or `""` in one field beside a name in the other is ignored: some
 * clients send all fields that they have.
 */
function oneParent(context: z.core.ParsePayload<z.output<typeof updateObject>>): void {
  const { parent_customer_id: id, parent_customer_external_id: externalId } = context.value
  if (!id || !externalId) return
  const problem = issue(externalId, 'cannot be combined with parent_customer_id', 'send one of the two')
  context.issues.push({ ...problem, path: ['parent_customer_external_id'] })
}

const updateObject = z.object({ external_id: externalId.optional(), ...fields })

export const customerCreate = z.object({ external_id: externalId, ...fields, ...onboarding }).check(oneParent)
export const customerUpdate = updateObject.check(oneParent)
/** Accepts all fields of a creation, because an upsert may create. The external id is in the path. */
export const customerUpsert = z
  .object({ external_id: externalId.optional(), ...fields, ...onboarding })
  .check(oneParent)

/**
 * A line of an import: the body of a creation, and what an export has besides. The external id of the parent counts if
 * its id is there too, because ids differ from one tenant to another.
 */
export const customerImport = z
  .object({
    external_id: externalId,
    ...fields,
    ...onboarding,
    id: z.string().nullish(),
    status: statusAmong('published', 'draft', 'archived').nullish(),
    profile: profile.nullish(),
    old_external_ids: z.array(externalId).nullish(),
  })
  .check(checkImported)
export type ImportInput = z.output<typeof customerImport>

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

export type CustomerInput = z.output<typeof customerUpdate>
export type OnboardingInput = Pick<z.output<typeof customerUpsert>, keyof typeof onboarding>

/** Number of comma-separated names that are read per value; the rest is ignored. There are four expansions. */
const EXPANSIONS_NAMED_MAX = 20

/** Names of expansions, comma-separated or as a list. */
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
        const hint = nearestHint(name.trim(), EXPANSIONS)
        context.issues.push(issue(name, `names ${name.slice(0, 50)}, which cannot be expanded${hint}`, fix))
      }
    }
    return wanted
  })

export const readQueryString = z.strictObject({ expand: expand.optional() })
export type ReadQuery = z.output<typeof readQueryString>
export const createQueryString = z.strictObject({ if_exists: z.enum(['fail', 'return']).default('fail') })
export const targetQueryString = z.strictObject({
  id: requiredText(LIMITS.externalIdLengthMax).optional(),
  external_customer_id: externalId.optional(),
})
export type TargetQuery = z.output<typeof targetQueryString>
