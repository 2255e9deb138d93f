/**
 * Schemas of all requests of the FlatPeak API, by the reference document of FlatPeak's customers. `mapping.ts` maps the
 * fields to the registry's. Each field and each group may be null, which clears it. Text may be `""`, which clears it
 * too.
 */
import * as z from 'zod'
import { LIMITS } from '../../registry/customer.ts'
import { isId } from '../../shared/ids.ts'
import { lazily } from '../../shared/lazily.ts'
import { country, email, externalId, issue, pageLimit, text, timezone } from '../../validation/fields.ts'
import { personalProfile, profileGroups } from '../../validation/profile.ts'

const LIST_LIMIT_MAX = 100
const LIST_LIMIT_DEFAULT = 30

const groups = lazily(() => ({
  personal_details: z
    .object({
      email: email.nullish(),
      phone: text(LIMITS.contactLengthMax).nullish(),
      ...personalProfile(),
      timezone: timezone.nullish(),
    })
    .nullish(),
  postal_address: z
    .object({
      address_line1: text(LIMITS.addressLine1LengthMax).nullish(),
      address_line2: text(LIMITS.addressLine2LengthMax).nullish(),
      city: text(LIMITS.addressCityLengthMax).nullish(),
      state: text(LIMITS.addressStateLengthMax).nullish(),
      post_code: text(LIMITS.addressPostalCodeLengthMax).nullish(),
      country_code: country.nullish(),
    })
    .nullish(),
  ...profileGroups(),
}))

export const customerCreate = lazily(() => z.object({ reference_id: externalId, ...groups() }))
export const customerUpdate = lazily(() => z.object({ reference_id: externalId.optional(), ...groups() }))
export type CustomerInput = z.output<ReturnType<typeof customerUpdate>>

const pageCursor = lazily(() =>
  z.string().check((context) => {
    if (isId('customer', context.value)) return
    context.issues.push(issue(context.value, 'is not the id of a customer', 'send an id from a page you have read'))
  }),
)

/**
 * Query of a list. The page begins after the customer `starting_after`, or ends before the customer `ending_before`. A
 * request has at most one of the two.
 */
export const listQuery = lazily(() =>
  z.strictObject({
    limit: pageLimit(LIST_LIMIT_MAX, LIST_LIMIT_DEFAULT),
    starting_after: pageCursor().optional(),
    ending_before: pageCursor().optional(),
    reference_id: externalId.optional(),
  }),
)
export type ListInput = {
  limit: number
  starting_after?: string | undefined
  ending_before?: string | undefined
  reference_id?: string | undefined
}
