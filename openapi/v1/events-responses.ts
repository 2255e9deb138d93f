/**
 * The zod schemas of the event log's responses. Only the OpenAPI document and the tests import this file; the Worker
 * does not. The schemas of the payloads are in `src/events/catalogue.ts`.
 */
import { z } from 'zod'
import { EVENT_TYPES, payloadSchema } from '../../src/events/catalogue.ts'
import { payloadName } from '../fields/events.ts'
import { eventCustomer } from './shared-responses.ts'

const [first, ...others] = EVENT_TYPES.map((type) =>
  payloadSchema(type, eventCustomer).meta({ id: payloadName(type, 'Event') }),
)

const eventPayload = z.discriminatedUnion('type', [first as NonNullable<typeof first>, ...others]).meta({ id: 'Event' })

export const eventList = z
  .object({
    items: z.array(eventPayload),
    pagination: z.object({ limit: z.int(), next_cursor: z.string().nullable(), has_more: z.boolean() }),
  })
  .meta({ id: 'EventList' })
