/**
 * Every event that Roster tells of: its name, when it happens, and what it tells beside the customer. The log, the webhooks,
 * the tests and the OpenAPI document all follow from this list; payload.ts puts the payloads together.
 */
import * as z from 'zod'

/** In the order of a customer's life. */
export const EVENT_TYPES = [
  'customer.created',
  'customer.updated',
  'customer.archived',
  'customer.restored',
  'customer.erased',
  'customer.onboarding.completed',
  'customer.onboarding.failed',
  'webhook.endpoint.disabled',
] as const
export type EventType = (typeof EVENT_TYPES)[number]

/** When it happens, for the reference. */
export const EVENT_MEANINGS: Record<EventType, string> = {
  'customer.created': 'A customer was created, through whichever door.',
  'customer.updated': 'At least one field of a customer has another value.',
  'customer.archived': 'A customer was taken out of use.',
  'customer.restored': 'An archived customer came back.',
  'customer.erased': 'Everything personal of a customer was deleted, for good. The event has none of it.',
  'customer.onboarding.completed': 'Every step of the onboarding of a customer is done.',
  'customer.onboarding.failed': 'A step of the onboarding failed for good; `detail` says which and why.',
  'webhook.endpoint.disabled': 'An endpoint is sent nothing any more; `detail` says which and why. About no customer.',
}

/** What `detail` holds, by type; it is null for all others. Made when asked for: the Worker has no need of them. */
const DETAILS = {
  'customer.onboarding.completed': () => z.object({ workflow: z.string() }),
  'customer.onboarding.failed': () =>
    z.object({ workflow: z.string(), step: z.string().nullable(), error: z.string() }),
  'webhook.endpoint.disabled': () =>
    z.object({
      endpoint_id: z.string().meta({ description: 'Its URL is a secret of those who may see the endpoint.' }),
      reason: z.enum(['gone', 'failing']).meta({
        description: '`gone`: the endpoint answered 410. `failing`: every attempt has failed for five days.',
      }),
      failing_since: z.string().meta({ format: 'date-time' }).nullable(),
    }),
} satisfies Partial<Record<EventType, () => z.ZodType>>

/** The payload of an event as the log and the webhooks have it; `customer` is the schema of the customer in it. */
export function payloadSchema(type: EventType, customer: z.ZodType) {
  const detail = (DETAILS as Partial<Record<EventType, () => z.ZodType>>)[type]?.() ?? z.null()
  return z.object({
    id: z.string().meta({ description: 'The same each time the event is sent.' }),
    type: z.literal(type),
    timestamp: z.string().meta({ format: 'date-time' }),
    data: z.object({
      customer: type === 'webhook.endpoint.disabled' ? z.null() : customer,
      previous_attributes: z.record(z.string(), z.unknown()).meta({
        description: 'What the fields that changed were before, by their names.',
      }),
      version: z.int().meta({ description: 'Of the customer: an event with a lower one is older.' }),
      actor: z.string().meta({ description: 'The id of the key, the name of a bound Worker, or a part of Roster.' }),
      request_id: z.string().nullable(),
      detail,
      truncated: z.array(z.enum(TRUNCATABLE)).optional().meta({
        description: 'What was left out because the whole would have been larger than 20 KB: read the customer.',
      }),
    }),
  })
}

/** In the order in which they are left out. */
export const TRUNCATABLE = ['previous_attributes', 'integrations', 'metadata'] as const

/** What is sent to an endpoint: the payload, and FlexPrice's shape of it beside. */
export function webhookBodySchema(type: EventType, customer: z.ZodType) {
  return payloadSchema(type, customer).extend({
    event_type: z.literal(type),
    customer: type === 'webhook.endpoint.disabled' ? z.null() : customer,
  })
}
