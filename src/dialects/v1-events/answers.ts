/**
 * zod for what the log of events answers. For the OpenAPI document and the tests: nothing the Worker runs imports it. The
 * payloads are those of `events/catalogue.ts`.
 */
import { z } from 'zod'
import { EVENT_TYPES, payloadSchema } from '../../events/catalogue.ts'
import { eventCustomer } from '../flexprice-answers.ts'

const [first, ...others] = EVENT_TYPES.map((type) => payloadSchema(type, eventCustomer))

const eventPayload = z.discriminatedUnion('type', [first as NonNullable<typeof first>, ...others]).meta({ id: 'Event' })

export const eventList = z.object({
  items: z.array(eventPayload),
  pagination: z.object({
    limit: z.int(),
    next_cursor: z.string().nullable().meta({
      description: 'Where the next page begins. With `order=asc` the last page has one too: go on from it later.',
    }),
    has_more: z.boolean(),
  }),
})
