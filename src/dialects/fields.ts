/**
 * zod for the values that mean the same at every door: e-mail addresses, countries, time zones, metadata. What a door calls
 * them and which of them it takes is in its own `schema.ts`. `meta` says to the OpenAPI document what a check can not.
 */
import * as z from 'zod'
import { codePointLength, LIMITS } from '../registry/customer.ts'
import { fromBase64Url, toBase64Url, utf8 } from '../shared/bytes.ts'
import { COUNTRY_CODES } from './countries.ts'

/** Text of at most `lengthMax` code points; `""` and null are left for the door to read as "cleared". */
export function text(lengthMax: number) {
  return z
    .string()
    .check((context) => checkLength(context, lengthMax))
    .meta({ maxLength: lengthMax })
}

/** As `text`, but something must be there. */
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

export const externalId = requiredText(LIMITS.externalIdLengthMax)

const emailPattern = z.regexes.unicodeEmail

/** A valid address, or `""`. */
export const email = z
  .string()
  .check((context) => {
    if (context.value === '') return
    if (!emailPattern.test(context.value) || codePointLength(context.value) > LIMITS.emailLengthMax) {
      context.issues.push(
        issue(context.value, 'is not a valid e-mail address', 'send an address such as billing@example.com'),
      )
    }
  })
  .meta({ maxLength: LIMITS.emailLengthMax })

/** ISO 3166-1 alpha-2 in any case, upper case out, or `""`. */
export const country = z
  .string()
  .transform((value, context) => {
    const code = value.toUpperCase()
    if (value !== '' && !COUNTRY_CODES.has(code)) {
      context.issues.push(
        issue(value, 'is not an ISO 3166-1 alpha-2 country code', 'send two letters, such as US, GB or CA'),
      )
    }
    return code
  })
  .meta({ pattern: '^([A-Za-z]{2})?$' })

/** An IANA name, as the caller wrote it, or `""`. */
export const timezone = z.string().check((context) => {
  if (context.value !== '' && !isTimezone(context.value)) {
    context.issues.push(issue(context.value, 'is not an IANA time zone', 'send a name such as Europe/Berlin or UTC'))
  }
})

/** Numbers and booleans are taken as text; null stays for a merge patch to read. Any key is a key, `__proto__` too. */
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
        const stored = String(inner)
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

const OVERLAP_SECONDS_MAX = 30 * 24 * 3600
const OVERLAP_SECONDS_DEFAULT = 24 * 3600

/** A new secret is asked for; those before it sign along for so long. */
export const secretRotate = z.object({
  overlap_seconds: z.int().min(0).max(OVERLAP_SECONDS_MAX).default(OVERLAP_SECONDS_DEFAULT),
})

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

/** A date, which is its first moment in UTC, or a time with its offset. Milliseconds since 1970 out. */
export const time = z
  .string()
  .transform((value, context): number => {
    const timeMs = timeOf(value)
    if (timeMs !== null) return timeMs
    const fix = 'send a date such as 2026-01-20 or a time such as 2026-01-20T15:00:00Z (in a query string + is %2B)'
    context.issues.push(issue(value, 'is not an ISO 8601 date or time', fix))
    return 0
  })
  .meta({ examples: ['2026-01-20', '2026-01-20T15:00:00Z'] })

/** Null for what is none. */
export function timeOf(value: string): number | null {
  const isIso = z.iso.date().safeParse(value).success || z.iso.datetime({ offset: true }).safeParse(value).success
  const timeMs = isIso ? Date.parse(value) : Number.NaN
  return Number.isNaN(timeMs) ? null : timeMs
}

/** Opaque to callers: the last id of the page before. */
export function cursorOf(id: string): string {
  return toBase64Url(utf8(id))
}

/** The `cursor` of a list, as the id behind it; `isPosition` knows which ids there can be. */
export function cursor(isPosition: (id: string) => boolean) {
  return z
    .string()
    .transform((value, context) => {
      const bytes = fromBase64Url(value)
      const id = bytes ? new TextDecoder().decode(bytes) : ''
      if (isPosition(id)) return id
      context.issues.push(issue(value, 'is not a cursor', 'send next_cursor of the page before, or leave it out'))
      return ''
    })
    .optional()
}

/** A problem in the form `http/problems.ts` reads: what is wrong, and the mend. */
export function issue(input: unknown, message: string, fix: string) {
  return { code: 'custom' as const, input, message, params: { fix } }
}

function checkLength(context: z.core.ParsePayload<string>, lengthMax: number): void {
  // A code point is one or two UTF-16 units, so short strings need no counting.
  if (context.value.length > lengthMax && codePointLength(context.value) > lengthMax) {
    context.issues.push(
      issue(context.value, `is longer than ${lengthMax} characters`, `shorten it to ${lengthMax} characters`),
    )
  }
}

/** There are some 600 names, but the runtime takes each in any case. */
const KNOWN_TIMEZONES_MAX = 1_000
const knownTimezones = new Set<string>()

/** The runtime's own list of time zones decides. Making a formatter is slow, so good names are remembered. */
function isTimezone(name: string): boolean {
  if (knownTimezones.has(name)) return true
  try {
    // An offset such as +01:00 is accepted by the runtime but is no name of a zone.
    if (!/^[A-Za-z]/.test(name)) return false
    new Intl.DateTimeFormat('en', { timeZone: name })
  } catch {
    return false
  }
  if (knownTimezones.size < KNOWN_TIMEZONES_MAX) knownTimezones.add(name)
  return true
}
