/**
 * What the door of webhooks takes. Whether a URL may be called is for `events/destination.ts`, because that asks the DNS.
 */
import * as z from 'zod'
import { EVENT_TYPES, type EventType } from '../../events/catalogue.ts'
import type { DeliveryPlace } from '../../events/ports.ts'
import { cursor, issue, pageLimit, text, time } from '../fields.ts'

const DESCRIPTION_LENGTH_MAX = 500
const LIMIT_MAX = 100
const LIMIT_DEFAULT = 50

const ENDPOINT_ID = /^whe_[0-9A-HJKMNP-TV-Z]{26}$/
const EVENT_ID = /^evt_[0-9A-HJKMNP-TV-Z]{26}$/
const PLACE = /^(evt_[0-9A-HJKMNP-TV-Z]{26})\.(\d{1,15})$/

/** Whether this can be an endpoint's id at all. */
export function isEndpointId(id: string): boolean {
  return ENDPOINT_ID.test(id)
}

const eventType = z.enum(EVENT_TYPES)

/** Each type once; null for all, those to come too. */
const eventTypes = z
  .array(eventType)
  .min(1)
  .max(2 * EVENT_TYPES.length)
  .transform((types): EventType[] => [...new Set(types)])
  .nullable()

const fields = {
  url: z.string(),
  description: text(DESCRIPTION_LENGTH_MAX),
  event_types: eventTypes,
  enabled: z.boolean(),
}

export const endpointCreate = z.object({
  url: fields.url,
  description: fields.description.nullish(),
  event_types: fields.event_types.default(null),
  enabled: fields.enabled.default(true),
})
export type EndpointCreate = z.output<typeof endpointCreate>

/** As everywhere: absent is kept, null clears. */
export const endpointUpdate = z.object({ ...fields, description: fields.description.nullable() }).partial()
export type EndpointUpdate = z.output<typeof endpointUpdate>

export const endpointTest = z.object({ type: eventType.default('customer.updated') })

const eventId = z.string().check((context) => {
  if (EVENT_ID.test(context.value)) return
  const fix = 'send the id of an event, such as evt_01JD3VQ4X8N2M7R5T9W6YBZKCE'
  context.issues.push(issue(context.value, 'is not the id of an event', fix))
})

export const redelivery = z
  .object({
    event_id: eventId.optional(),
    failed: z.literal(true).optional(),
    since: time.optional(),
    cursor: cursor((id) => EVENT_ID.test(id)).optional(),
  })
  .check((context) => {
    const { event_id: one, failed, since, cursor: after } = context.value
    const given = [one, failed, since].filter((way) => way !== undefined).length
    if (given !== 1) {
      const message = given === 0 ? 'names no events' : 'names events in more than one way'
      context.issues.push({ ...issue(context.value, message, 'send one of event_id, failed and since'), path: [] })
    } else if (one !== undefined && after !== undefined) {
      const problem = issue(after, 'does not go with event_id', 'leave it out')
      context.issues.push({ ...problem, path: ['cursor'] })
    }
  })
export type RedeliveryInput = z.output<typeof redelivery>

/** Of a page of deliveries. Opaque to callers. */
export function placeText({ eventId, id }: DeliveryPlace): string {
  return `${eventId}.${id}`
}

export function placeOf(text: string): DeliveryPlace | null {
  const [, eventId, id] = PLACE.exec(text) ?? []
  return eventId === undefined ? null : { eventId, id: Number(id) }
}

export const deliveryListQuery = {
  limit: pageLimit(LIMIT_MAX, LIMIT_DEFAULT),
  cursor: cursor((text) => placeOf(text) !== null),
  status: z.enum(['pending', 'delivered', 'failed']).optional(),
}
