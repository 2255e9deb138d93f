/**
 * zod for what FlexPrice's words mean wherever they are used: at the v1 doors, and in the answers of a tenant's own systems to
 * an onboarding. What is no word of FlexPrice's is in fields.ts.
 */
import * as z from 'zod'
import { type Integration, LIMITS } from '../registry/customer.ts'
import { issue, text } from './fields.ts'

const PROVIDER_LENGTH_MAX = 100
const ENTITY_ID_LENGTH_MAX = 255
/** What else is kept with an integration, as JSON. Fifty of them stay far below D1's 2 MB a row. */
const DETAILS_LENGTH_MAX = 2_000
/** JSON.stringify goes down by recursion: what is nested without end would end the answer instead. */
const DETAILS_DEPTH_MAX = 10

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

export const integrations = z
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
