/**
 * zod schemas for values that mean the same in every API: e-mail addresses, countries, time zones, metadata. Each API's
 * own `schema.ts` chooses their names and which of them it takes. The rule of each kind is in a file of its own beside
 * this one. `meta` adds to the OpenAPI document what a check cannot. Values that most APIs share are made at the start, all other schemas
 * with the first request that needs them.
 */
import * as z from 'zod'
import { codePointLength, LIMITS } from '../registry/customer.ts'
import { lazily } from '../shared/lazily.ts'
import { readCountry } from './countries.ts'
import { EMAIL_OCTETS_MAX, emailFault } from './email.ts'
import { externalIdFault } from './external-id.ts'
import type { Fault } from './fault.ts'
import { numberText } from './json.ts'
import { readTime } from './time.ts'
import { readTimeZone } from './time-zones.ts'

/** Text of at most `lengthMax` code points. `""` and null pass; the API reads them as "cleared". */
export function text(lengthMax: number) {
  return z
    .string()
    .check((context) => checkLength(context, lengthMax))
    .meta({ maxLength: lengthMax })
}

/** Text of 1 to `lengthMax` code points. */
export function requiredText(lengthMax: number) {
  return z
    .string()
    .check((context) => {
      if (context.value === '') {
        context.issues.push(issue(context.value, 'is empty', 'send at least one character'))
      }
      checkLength(context, lengthMax)
    })
    .meta({ minLength: 1, maxLength: lengthMax })
}

/** An external id, see `externalIdFault`. */
export const externalId = z
  .string()
  .check((context) => {
    const fault = externalIdFault(context.value)
    if (fault) context.issues.push(issue(context.value, fault.message, fault.fix))
  })
  .meta({ minLength: 1, maxLength: LIMITS.externalIdLengthMax })

/** An external id that names another customer, or `""` for none. */
export const optionalExternalId = z
  .string()
  .check((context) => {
    const fault = context.value === '' ? null : externalIdFault(context.value)
    if (fault) context.issues.push(issue(context.value, fault.message, fault.fix))
  })
  .meta({ maxLength: LIMITS.externalIdLengthMax })

/** A valid address as the caller wrote it, or `""`. */
export const email = z
  .string()
  .check((context) => {
    const fault = context.value === '' ? null : emailFault(context.value)
    if (fault) context.issues.push(issue(context.value, fault.message, fault.fix))
  })
  .meta({ maxLength: EMAIL_OCTETS_MAX })

/** Returns the schema of text that `read` converts, or `""`. */
function readText(read: (text: string) => string | Fault) {
  return z.string().transform((value, context): string => {
    const done = value === '' ? '' : read(value)
    if (typeof done === 'string') return done
    context.issues.push(issue(value, done.message, done.fix))
    return ''
  })
}

/** ISO 3166-1 alpha-2 in any case, or `""`. Returns upper case. */
export const country = readText(readCountry).meta({ pattern: '^([A-Za-z]{2})?$' })

/** A time zone of the IANA database in any case, or `""`. Returns the name as the database writes it. */
export const timezone = readText(readTimeZone)

/**
 * An object of text values. Accepts numbers, which it returns as the digits that were sent, and booleans. Null stays
 * null, for a merge patch. Any key is allowed, even `__proto__`.
 */
export const metadata = z
  .unknown()
  .transform((value, context): Record<string, string | null> => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      context.issues.push(issue(value, 'is not an object', 'send an object of text values'))
      return {}
    }
    const entries = Object.entries(value)
    if (entries.length > LIMITS.metadataKeysMax) {
      const message = `has more than ${LIMITS.metadataKeysMax} keys`
      context.issues.push(issue(value, message, `send at most ${LIMITS.metadataKeysMax} keys`))
      return {}
    }
    return Object.fromEntries(
      entries.map(([key, inner]) => {
        if (codePointLength(key) > LIMITS.metadataKeyLengthMax || key === '') {
          const fix = `use keys of 1 to ${LIMITS.metadataKeyLengthMax} characters`
          context.issues.push({ ...issue(key, 'has a key that is empty or too long', fix), path: [key] })
        }
        if (inner === null) return [key, null]
        if (typeof inner !== 'string' && typeof inner !== 'number' && typeof inner !== 'boolean') {
          const fix = 'send text; a structure can be sent as JSON text'
          context.issues.push({ ...issue(inner, 'is not text', fix), path: [key] })
          return [key, null]
        }
        const stored = typeof inner === 'number' ? numberText(value, key, inner) : String(inner)
        if (codePointLength(stored) > LIMITS.metadataValueLengthMax) {
          const message = `is longer than ${LIMITS.metadataValueLengthMax} characters`
          context.issues.push({
            ...issue(inner, message, `shorten it to ${LIMITS.metadataValueLengthMax}`),
            path: [key],
          })
        }
        return [key, stored]
      }),
    )
  })
  .meta({
    type: 'object',
    maxProperties: LIMITS.metadataKeysMax,
    propertyNames: { minLength: 1, maxLength: LIMITS.metadataKeyLengthMax },
    additionalProperties: { type: ['string', 'number', 'boolean', 'null'], maxLength: LIMITS.metadataValueLengthMax },
  })

/** The longest time for which the secrets or the key before a new one may stay valid, in seconds. */
export const OVERLAP_SECONDS_MAX = 30 * 24 * 3600
const OVERLAP_SECONDS_DEFAULT = 24 * 3600

/** Rotates a secret; earlier secrets continue to sign for the given time. */
export const secretRotate = lazily(() =>
  z.object({ overlap_seconds: z.int().min(0).max(OVERLAP_SECONDS_MAX).default(OVERLAP_SECONDS_DEFAULT) }),
)

/** `limit` of a list in a query string, as a number. */
export function pageLimit(limitMax: number, limitDefault: number) {
  return z
    .string()
    .default(String(limitDefault))
    .transform((value, context) => {
      const limit = /^\d{1,9}$/.test(value) ? Number(value) : 0
      if (limit >= 1 && limit <= limitMax) return limit
      const message = `is not a whole number from 1 to ${limitMax}`
      context.issues.push(issue(value, message, `send 1 to ${limitMax}`))
      return limitDefault
    })
    .meta({ override: { type: 'integer', minimum: 1, maximum: limitMax, default: limitDefault } })
}

/** A date, which means its first moment in UTC, or a time with its offset. Returns milliseconds since 1970. */
export const time = z
  .string()
  .transform((value, context): number => {
    const timeMs = readTime(value)
    if (typeof timeMs === 'number') return timeMs
    context.issues.push(issue(value, timeMs.message, timeMs.fix))
    return 0
  })
  .meta({ examples: ['2026-01-20', '2026-01-20T15:00:00Z'] })

const CURSOR_LENGTH_MAX = 32_000

/** The `cursor` of a list, as the caller sent it. The contract of the route opens it (`http/cursor.ts`). */
export const cursor = z
  .string()
  .check((context) => {
    const { value } = context
    if (value !== '' && value.length <= CURSOR_LENGTH_MAX) return
    const message = value === '' ? 'is empty' : 'is not a cursor'
    const fix = 'send next_cursor of the page before, or leave it out to begin with the first page'
    context.issues.push(issue(value, message, fix))
  })
  .meta({ minLength: 1 })

/** Returns a zod issue with a message and a fix, as `problemsOf` reads it. */
export function issue(input: unknown, message: string, fix: string) {
  return { code: 'custom' as const, input, message, params: { fix } }
}

function checkLength(context: z.core.ParsePayload<string>, lengthMax: number): void {
  // A code point is one or two UTF-16 units, so short strings need no counting.
  if (context.value.length > lengthMax && codePointLength(context.value) > lengthMax) {
    context.issues.push(
      issue(
        context.value,
        `is longer than ${lengthMax} characters, it has ${codePointLength(context.value)}`,
        `shorten it to ${lengthMax} characters`,
      ),
    )
  }
}
