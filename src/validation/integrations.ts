/**
 * zod schemas for FlexPrice's fields wherever they are used: in the v1 API, and in responses of a tenant's own systems
 * to an onboarding. Fields that are not FlexPrice's are in fields.ts.
 */
import * as z from 'zod'
import { codePointLength, type Integration, LIMITS } from '../registry/customer.ts'
import { lazily } from '../shared/lazily.ts'
import type { Fault } from './fault.ts'
import { issue, text } from './fields.ts'
import { isShallow, withDigits } from './json.ts'

export const PROVIDER_LENGTH_MAX = 100
export const ENTITY_ID_LENGTH_MAX = 255
/** Limit of the other fields of an integration, as JSON. Fifty of them stay far below D1's 2 MB a row. */
const DETAILS_LENGTH_MAX = 2_000
export const DETAILS_DEPTH_MAX = 10

/**
 * `{provider, id}` as the reference API document and the SDK have it, or FlexPrice's own `{provider_type,
 * provider_entity_id, …}`.
 */
const shape = lazily(() =>
  z.looseObject({
    provider: text(PROVIDER_LENGTH_MAX).nullish(),
    id: text(ENTITY_ID_LENGTH_MAX).nullish(),
    provider_type: text(PROVIDER_LENGTH_MAX).nullish(),
    provider_entity_id: text(ENTITY_ID_LENGTH_MAX).nullish(),
  }),
)

// zod types the input of `preprocess` as unknown.
const integration = lazily(
  () =>
    z
      .preprocess((value) => withDigits(value), shape())
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
        const read = readDetails(details)
        if (typeof read !== 'string') context.issues.push(issue(value, read.message, read.fix))
        return {
          provider: oneOf('provider', shortProvider, type),
          id: oneOf('id', shortId, entityId),
          ...(typeof read === 'string' && read !== NO_DETAILS && { details: read }),
        }
      }) as unknown as z.ZodType<Integration, z.input<ReturnType<typeof shape>>>,
)

export const NO_DETAILS = '{}'

/**
 * Returns the details of an integration as JSON text that is the same whatever the order of their keys, or what is
 * wrong with them. Keeps the digits of a `RawNumber`.
 */
export function readDetails(details: Record<string, unknown>): string | Fault {
  if (!isShallow(details, DETAILS_DEPTH_MAX)) {
    return { message: `is nested more than ${DETAILS_DEPTH_MAX} levels deep`, fix: 'send it flatter' }
  }
  const json = sortedJson(details)
  if (codePointLength(json) <= DETAILS_LENGTH_MAX) return json
  const message = `holds more than ${DETAILS_LENGTH_MAX} characters beside provider and id`
  return { message, fix: `shorten them to ${DETAILS_LENGTH_MAX} characters of JSON` }
}

function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner) && !JSON.isRawJSON(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}

export const integrations = lazily(() =>
  z
    .array(integration())
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
    .meta({ maxItems: LIMITS.integrationsMax }),
)
