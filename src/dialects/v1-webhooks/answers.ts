/**
 * zod for what the door of webhooks answers. For the OpenAPI document and the tests: nothing the Worker runs imports it.
 */
import { z } from 'zod'
import { EVENT_TYPES } from '../../events/catalogue.ts'
import { customerIdOut, isoTime } from '../answers.ts'

const endpointIdOut = z.string().meta({ pattern: '^whe_[0-9A-HJKMNP-TV-Z]{26}$' })
const eventIdOut = z.string().meta({ pattern: '^evt_[0-9A-HJKMNP-TV-Z]{26}$' })

const shown = {
  id: endpointIdOut,
  url: z.string(),
  description: z.string(),
  event_types: z.array(z.enum(EVENT_TYPES)).nullable().meta({ description: 'Null: all, those to come too.' }),
  enabled: z.boolean(),
  status: z.enum(['ok', 'failing', 'disabled']),
  disabled_reason: z.enum(['gone', 'failing']).nullable().meta({
    description:
      'Why Roster disabled it: it answered 410, or failed for five days. Null when it is enabled or you disabled it.',
  }),
  failing_since: isoTime.nullable().meta({ description: 'Since when every attempt has failed.' }),
  created_at: isoTime,
  updated_at: isoTime,
  created_by: z.string().meta({ description: 'The id of the key.' }),
}

export const webhookEndpoint = z.object(shown).meta({ id: 'WebhookEndpoint' })

export const webhookEndpointList = z.object({ items: z.array(webhookEndpoint) })

export const newWebhookSecret = z
  .object({ ...shown, secret: z.string().meta({ description: 'In clear this once; it signs from now on.' }) })
  .meta({ id: 'NewWebhookSecret' })

const attempted = {
  status_code: z.int().nullable().meta({ description: 'Null when no answer came.' }),
  error: z.string().nullable().meta({ description: 'Why no answer came, or why none was asked for.' }),
  duration_ms: z.int(),
  answer: z.string().nullable().meta({ description: 'The first 500 bytes.' }),
}

export const webhookTest = z
  .object({ event_id: eventIdOut, delivered: z.boolean(), ...attempted })
  .meta({ id: 'WebhookTest' })

const delivery = z
  .object({
    id: z.string(),
    event_id: eventIdOut,
    event_type: z.enum(EVENT_TYPES).nullable().meta({ description: 'Null once the event has left the log.' }),
    customer_id: customerIdOut.nullable(),
    status: z.enum(['pending', 'delivered', 'failed']),
    next_attempt_at: isoTime.nullable().meta({
      description: 'Null when it is done, or waits for an earlier event of its customer.',
    }),
    created_at: isoTime,
    finished_at: isoTime.nullable(),
    attempts: z.array(z.object({ number: z.int(), at: isoTime, ...attempted })),
  })
  .meta({ id: 'WebhookDelivery' })

export const webhookDeliveryList = z.object({
  items: z.array(delivery),
  pagination: z.object({
    limit: z.int(),
    next_cursor: z.string().nullable().meta({
      description: 'A page that was filtered may be short, or empty, and still have one.',
    }),
    has_more: z.boolean(),
  }),
})

export const webhookRedelivery = z
  .object({
    redelivered: z.int().meta({ description: 'How many events; those that are still to be sent are left out.' }),
    next_cursor: z.string().nullable().meta({ description: 'Repeat the request with this as `cursor`.' }),
    has_more: z.boolean(),
  })
  .meta({ id: 'WebhookRedelivery' })
