/**
 * Schemas of the requests of webhooks. `events/destination.ts` checks whether a URL may be called, because that needs
 * DNS.
 */
import * as z from 'zod'
import { EVENT_TYPES, type EventType } from '../../../events/catalogue.ts'
import { type DeliveryName, readDeliveryId } from '../../../events/delivery-id.ts'
import type { DeliveryPlace } from '../../../events/ports.ts'
import { idPattern, isId } from '../../../shared/ids.ts'
import { lazily } from '../../../shared/lazily.ts'
import { cursor, issue, pageLimit, text, time } from '../../../validation/fields.ts'

const DESCRIPTION_LENGTH_MAX = 500
const LIMIT_MAX = 100
const LIMIT_DEFAULT = 50

const PLACE = new RegExp(`^(${idPattern('event')})\\.(\\d{1,15})$`)

const eventType = lazily(() => z.enum(EVENT_TYPES))

/** Event types of an endpoint, each once. Null stands for all types, future ones included. */
const eventTypes = lazily(() =>
  z
    .array(eventType())
    .min(1)
    .max(2 * EVENT_TYPES.length)
    .transform((types): EventType[] => [...new Set(types)])
    .nullable(),
)

const fields = lazily(() => ({
  url: z.string(),
  description: text(DESCRIPTION_LENGTH_MAX),
  event_types: eventTypes(),
  enabled: z.boolean(),
}))

export const endpointCreate = lazily(() =>
  z.object({
    url: fields().url,
    description: fields().description.nullish(),
    event_types: fields().event_types.default(null),
    enabled: fields().enabled.default(true),
  }),
)
export type EndpointCreate = z.output<ReturnType<typeof endpointCreate>>

/** Keeps an absent field. Null clears a field, as in all APIs. */
export const endpointUpdate = lazily(() =>
  z.object({ ...fields(), description: fields().description.nullable() }).partial(),
)
export type EndpointUpdate = z.output<ReturnType<typeof endpointUpdate>>

export const endpointTest = lazily(() => z.object({ type: eventType().default('customer.updated') }))

const eventId = lazily(() =>
  z.string().check((context) => {
    if (isId('event', context.value)) return
    const fix = 'send the id of an event, such as evt_01JD3VQ4X8N2M7R5T9W6YBZKCE'
    context.issues.push(issue(context.value, 'is not the id of an event', fix))
  }),
)

const deliveryId = lazily(() =>
  z.string().transform((value, context): DeliveryName => {
    const named = readDeliveryId(value)
    if (named) return named
    const fix = 'send an id of GET …/deliveries, such as whd_01JD3VQ4X8N2M7R5T9W6YBZKCE01JD3VQ4X9'
    context.issues.push(issue(value, 'is not the id of a delivery', fix))
    return { eventId: '', createdAtMs: 0 }
  }),
)

/** Without a delivery, all deliveries of the endpoint that wait for their next attempt. */
export const deliveryRetry = lazily(() => z.object({ delivery_id: deliveryId().optional() }))
export type DeliveryRetryInput = z.output<ReturnType<typeof deliveryRetry>>

export const redelivery = lazily(() =>
  z
    .object({
      event_id: eventId().optional(),
      failed: z.literal(true).optional(),
      since: time.optional(),
      cursor: cursor.optional(),
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
    }),
)
export type RedeliveryInput = z.output<ReturnType<typeof redelivery>>

/** Returns the text of a place in a list of deliveries, for a cursor. */
export function placeText({ eventId, id }: DeliveryPlace): string {
  return `${eventId}.${id}`
}

export function placeOf(text: string): DeliveryPlace | null {
  const [, eventId, id] = PLACE.exec(text) ?? []
  return eventId === undefined ? null : { eventId, id: Number(id) }
}

export const deliveryListQuery = lazily(() =>
  z.strictObject({
    limit: pageLimit(LIMIT_MAX, LIMIT_DEFAULT),
    cursor: cursor.optional(),
    status: z.enum(['pending', 'delivered', 'failed']).optional(),
  }),
)
