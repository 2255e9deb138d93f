/**
 * zod schemas for the profile of a customer: what FlatPeak's API has and the v1 API has no field for. That API takes the
 * parts in its own groups, and an import takes the whole. Null clears a field, and so does `""` where text may be unset.
 */
import * as z from 'zod'
import { codePointLength } from '../registry/customer.ts'
import { lazily } from '../shared/lazily.ts'
import { issue, text } from './fields.ts'
import { withDigits } from './json.ts'

/** A number as it is stored if JavaScript would write it with other digits. */
export interface Digits {
  digits: string
}

const LOCALE_LENGTH_MAX = 35
const TERMS_TIME_LENGTH_MAX = 255
/** A customer row holds three such lists, an event row holds them twice: both stay far below D1's 2 MB per row. */
const REFERENCES_MAX = 500
const REFERENCE_LENGTH_MAX = 64
const DEGREES_LENGTH_MAX = 50

/**
 * Returns the schema of decimal degrees, as text or as a number. Both keep all of their digits. A number that JavaScript
 * would write with other digits becomes a `Digits`.
 */
function degrees(max: number) {
  const schema = z
    .unknown()
    .transform((value, context): string | number | Digits => {
      if (value === '') return ''
      if ((typeof value === 'string' || typeof value === 'number') && isWithinDegrees(value, max)) return value
      if (JSON.isRawJSON(value)) {
        const { rawJSON: digits } = value
        if (isWithinDegrees(/e/i.test(digits) ? Number(digits) : digits, max)) return { digits }
      }
      context.issues.push(issue(value, `is not a decimal from -${max} to ${max}`, 'send a decimal such as "51.5074"'))
      return ''
    })
    .meta({ type: ['string', 'number'] })
  return schema as unknown as z.ZodType<string | number | Digits, string | number>
}

function isWithinDegrees(value: string | number, max: number): boolean {
  if (typeof value === 'number') return Math.abs(value) <= max
  if (value.length > DEGREES_LENGTH_MAX) return false
  const [, whole, fraction = ''] = /^-?(\d+)(?:\.(\d+))?$/.exec(value) ?? []
  if (whole === undefined) return false
  // Compares the fraction as text, because a double could round a value just beyond the bound to the bound itself.
  return Number(whole) < max || (Number(whole) === max && !/[1-9]/.test(fraction))
}

const references = lazily(() =>
  z
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
    .nullish(),
)

const flag = lazily(() => z.boolean().nullish())

const place = lazily(() => z.object({ latitude: degrees(90).nullish(), longitude: degrees(180).nullish() }))
// zod types the input of `preprocess` as unknown.
const geoLocation = lazily(
  () => z.preprocess((value) => withDigits(value), place()) as unknown as ReturnType<typeof place>,
)

export const personalProfile = lazily(() => ({
  email_verified: flag(),
  phone_verified: flag(),
  preferred_locale: text(LOCALE_LENGTH_MAX).nullish(),
}))

export const profileGroups = lazily(() => ({
  geo_location: geoLocation().nullish(),
  terms_accepted: z
    .object({ terms_accepted: flag(), terms_accepted_time: text(TERMS_TIME_LENGTH_MAX).nullish() })
    .nullish(),
  providers: references(),
  locations: references(),
  devices: references(),
}))

/** The whole profile, as exports write it and imports take it. A field that it does not have is refused. */
export const profile = lazily(() =>
  z
    .strictObject({ personal_details: z.strictObject(personalProfile()).nullish(), ...profileGroups() })
    .transform((value) => withoutUnset(value) as Record<string, unknown>),
)

/** Returns the value without fields that are null or `""`, at every level: a stored profile has none. */
function withoutUnset(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const entries = Object.entries(value).filter(([, inner]) => inner !== null && inner !== undefined && inner !== '')
  return Object.fromEntries(entries.map(([key, inner]) => [key, withoutUnset(inner)]))
}
