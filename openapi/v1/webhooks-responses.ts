/**
 * The zod schemas of the webhook responses. Only the OpenAPI document and the tests import this file; the Worker does
 * not.
 */
import { z } from 'zod'
import { EVENT_TYPES } from '../../src/events/catalogue.ts'
import { customerIdOut, isoTime } from '../values.ts'

const endpointIdOut = z.string().meta({ pattern: '^whe_[0-9A-HJKMNP-TV-Z]{26}$' })
const eventIdOut = z.string().meta({ pattern: '^evt_[0-9A-HJKMNP-TV-Z]{26}$' })

export const shownEndpoint = {
  id: endpointIdOut,
  url: z.string(),
  description: z.string(),
  event_types: z.array(z.enum(EVENT_TYPES)).nullable(),
  enabled: z.boolean(),
  status: z.enum(['ok', 'failing', 'disabled']),
  disabled_reason: z.enum(['gone', 'failing']).nullable(),
  failing_since: isoTime.nullable(),
  created_at: isoTime,
  updated_at: isoTime,
  created_by: z.string(),
}

export const webhookEndpoint = z.object(shownEndpoint).meta({ id: 'WebhookEndpoint' })

export const webhookEndpointList = z.object({ items: z.array(webhookEndpoint) }).meta({ id: 'WebhookEndpointList' })

export const newWebhookSecret = z.object({ ...shownEndpoint, secret: z.string() }).meta({ id: 'NewWebhookSecret' })

const attempted = {
  status_code: z.int().nullable(),
  error: z.string().nullable(),
  duration_ms: z.int(),
  answer: z.string().nullable(),
}

export const webhookTest = z
  .object({ event_id: eventIdOut, delivered: z.boolean(), ...attempted })
  .meta({ id: 'WebhookTest' })

const delivery = z
  .object({
    id: z.string(),
    event_id: eventIdOut,
    event_type: z.enum(EVENT_TYPES),
    customer_id: customerIdOut.nullable(),
    status: z.enum(['pending', 'delivered', 'failed']),
    next_attempt_at: isoTime.nullable(),
    created_at: isoTime,
    finished_at: isoTime.nullable(),
    attempts: z.array(z.object({ number: z.int(), at: isoTime, ...attempted })),
  })
  .meta({ id: 'WebhookDelivery' })

export const webhookDeliveryList = z
  .object({
    items: z.array(delivery),
    pagination: z.object({
      limit: z.int(),
      next_cursor: z.string().nullable(),
      has_more: z.boolean(),
    }),
  })
  .meta({ id: 'WebhookDeliveryList' })

export const webhookRetry = z
  .object({
    retried: z.int(),
    has_more: z.boolean(),
  })
  .meta({ id: 'WebhookRetry' })

export const webhookRedelivery = z
  .object({
    redelivered: z.int(),
    retried: z.int(),
    next_cursor: z.string().nullable(),
    has_more: z.boolean(),
  })
  .meta({ id: 'WebhookRedelivery' })
