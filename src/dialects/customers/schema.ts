/**
 * What the FlatPeak door takes, in its own words (seed 002). All zod of this door; what the words mean to the registry is in
 * `translate.ts`. Everywhere a field or a whole group may be null, which clears it, and text may be `""`, which does too.
 */
import * as z from 'zod'
import { codePointLength, isStorableText, LIMITS } from '../../registry/customer.ts'
import { country, email, externalId, issue, pageLimit, text, timezone } from '../fields.ts'

const LOCALE_LENGTH_MAX = 35
const TERMS_TIME_LENGTH_MAX = 255
/** A customer row holds three such lists, twice in an event: this keeps them far below D1's 2 MB a row. */
const REFERENCES_MAX = 500
const REFERENCE_LENGTH_MAX = 64
const DEGREES_LENGTH_MAX = 50

const LIST_LIMIT_MAX = 100
const LIST_LIMIT_DEFAULT = 30

const CUSTOMER_ID = /^cust_[0-9A-HJKMNP-TV-Z]{26}$/

/** Whether this can be a customer's id at all. */
export function isCustomerId(id: string): boolean {
  return CUSTOMER_ID.test(id)
}

/**
 * Decimal degrees. Text keeps every digit it has; a number is what JSON makes of it, some 15 significant digits, which is
 * less than the width of an atom.
 */
function degrees(max: number) {
  return z.union([z.string(), z.number()]).check((context) => {
    const { value } = context
    if (value === '') return
    if (!isWithinDegrees(value, max)) {
      context.issues.push(issue(value, `is not a decimal from -${max} to ${max}`, 'send a decimal such as "51.5074"'))
    }
  })
}

function isWithinDegrees(value: string | number, max: number): boolean {
  if (typeof value === 'number') return Math.abs(value) <= max
  if (value.length > DEGREES_LENGTH_MAX) return false
  const [, whole, fraction = ''] = /^-?(\d+)(?:\.(\d+))?$/.exec(value) ?? []
  if (whole === undefined) return false
  // Compared as text where a double could round what is just beyond the bound back onto it.
  return Number(whole) < max || (Number(whole) === max && !/[1-9]/.test(fraction))
}

const references = z
  .array(
    z.string().check((context) => {
      const { value } = context
      if (value !== '' && codePointLength(value) <= REFERENCE_LENGTH_MAX) return
      const fix = `send ids of 1 to ${REFERENCE_LENGTH_MAX} characters`
      context.issues.push(issue(value, 'is empty or too long for an id', fix))
    }),
  )
  .check((context) => {
    if (context.value.length > REFERENCES_MAX) {
      const message = `has more than ${REFERENCES_MAX} ids`
      context.issues.push(issue(context.value, message, `send at most ${REFERENCES_MAX}`))
    }
  })
  .nullish()

const flag = z.boolean().nullish()

const groups = {
  personal_details: z
    .object({
      email: email.nullish(),
      email_verified: flag,
      phone: text(LIMITS.contactLengthMax).nullish(),
      phone_verified: flag,
      preferred_locale: text(LOCALE_LENGTH_MAX).nullish(),
      timezone: timezone.nullish(),
    })
    .nullish(),
  postal_address: z
    .object({
      address_line1: text(LIMITS.addressLineLengthMax).nullish(),
      address_line2: text(LIMITS.addressLineLengthMax).nullish(),
      city: text(LIMITS.addressCityLengthMax).nullish(),
      state: text(LIMITS.addressStateLengthMax).nullish(),
      post_code: text(LIMITS.addressPostalCodeLengthMax).nullish(),
      country_code: country.nullish(),
    })
    .nullish(),
  geo_location: z.object({ latitude: degrees(90).nullish(), longitude: degrees(180).nullish() }).nullish(),
  terms_accepted: z
    .object({ terms_accepted: flag, terms_accepted_time: text(TERMS_TIME_LENGTH_MAX).nullish() })
    .nullish(),
  providers: references,
  locations: references,
  devices: references,
}

export const customerCreate = z.object({ reference_id: externalId, ...groups })
export const customerUpdate = z.object({ reference_id: externalId.optional(), ...groups })
export type CustomerInput = z.output<typeof customerUpdate>

const pageCursor = z.string().check((context) => {
  if (isCustomerId(context.value)) return
  context.issues.push(issue(context.value, 'is not the id of a customer', 'send an id from a page you have read'))
})

/** `starting_after` and `ending_before` name the customer on whose far side the page lies; one of them at most. */
export const listQuery = {
  limit: pageLimit(LIST_LIMIT_MAX, LIST_LIMIT_DEFAULT),
  starting_after: pageCursor.optional(),
  ending_before: pageCursor.optional(),
  reference_id: externalId
    .check((context) => {
      if (isStorableText(context.value)) return
      context.issues.push(issue(context.value, 'holds a NUL character', 'remove %00'))
    })
    .optional(),
}
export type ListInput = {
  limit: number
  starting_after?: string | undefined
  ending_before?: string | undefined
  reference_id?: string | undefined
}
