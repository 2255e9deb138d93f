/**
 * Lists every event type: its name, when it happens, and the details it has beside the customer. The log, the webhooks,
 * the tests and the OpenAPI document are derived from this list; payload.ts builds the payloads.
 */
import * as z from 'zod'

/** In the order of a customer's life. */
export const EVENT_TYPES = [
  'customer.created',
  'customer.updated',
  'customer.archived',
  'customer.restored',
  'customer.merged',
  'customer.unmerged',
  'customer.erased',
  'customer.onboarding.completed',
  'customer.onboarding.failed',
  'webhook.endpoint.disabled',
] as const
export type EventType = (typeof EVENT_TYPES)[number]

/** When each event happens, for the reference. */
export const EVENT_MEANINGS: Record<EventType, string> = {
  'customer.created': 'A customer was created, through any API.',
  'customer.updated':
    'At least one field of a customer has another value. If a merge or an unmerge has given it another parent, `detail` says of which two customers.',
  'customer.archived': 'A customer was archived.',
  'customer.restored':
    'An archived customer was restored. Or one that had been merged into another one is itself again, archived if it was so; then `detail` says from which.',
  'customer.merged':
    'Another customer was merged into this one; `detail` says which, and what it gave. Its ids lead to this one from now on.',
  'customer.unmerged':
    'A merge into this customer was taken back; `detail` says which customer is itself again, what went back to it, and what did not. That one has an event `customer.restored`.',
  'customer.erased': 'All personal data of a customer was deleted for good. The event has none of it.',
  'customer.onboarding.completed': 'Every step of the onboarding of a customer is done.',
  'customer.onboarding.failed': 'A step of the onboarding failed for good; `detail` names it and the error.',
  'webhook.endpoint.disabled':
    'Roster stopped sending to an endpoint; `detail` says which and why. `data.customer` is null.',
}

/**
 * Schema of `detail` by type; it is null for all others, and for a customer's that an erasure has emptied. Built on demand,
 * because the Worker does not need the schemas.
 */
const DETAILS = {
  'customer.merged': () =>
    z.object({
      source_id: z.string(),
      survivor_id: z.string(),
      moved: movedSchema().nullable(),
    }),
  'customer.unmerged': () =>
    z.object({
      source_id: z.string(),
      survivor_id: z.string(),
      merged_at: z.string().meta({ format: 'date-time' }),
      moved: movedSchema().nullable(),
      kept: keptSchema().nullable(),
    }),
  'customer.updated': () => z.object({ source_id: z.string(), survivor_id: z.string() }),
  'customer.restored': () => z.object({ survivor_id: z.string(), merged_at: z.string().meta({ format: 'date-time' }) }),
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

/** Schema of what an unmerge left where the merge had put it. */
export function keptSchema() {
  return z.array(
    z.object({
      customer_id: z.string(),
      field: z.string(),
      name: z.string().nullable(),
      reason: z.enum(['changed', 'taken', 'gone']),
    }),
  )
}

/** Schema of what a merge moved. */
export function movedSchema() {
  return z.object({
    external_ids: z.array(z.string()),
    integrations: z.array(z.object({ provider: z.string(), id: z.string() })),
    children: z.int(),
    fields: z.array(z.string()),
    metadata: z.array(z.string()),
  })
}

/**
 * Returns the schema of an event's payload in the log and the webhooks; `customer` is the schema of the customer in it.
 */
export function payloadSchema(type: EventType, customer: z.ZodType) {
  const own = (DETAILS as Partial<Record<EventType, () => z.ZodType>>)[type]?.() ?? z.null()
  const detail = type === 'webhook.endpoint.disabled' ? own : own.nullable()
  return z.object({
    id: z.string().meta({ description: 'The same each time the event is sent.' }),
    type: z.literal(type),
    timestamp: z.string().meta({ format: 'date-time' }),
    data: z.object({
      customer: type === 'webhook.endpoint.disabled' ? z.null() : customer,
      previous_attributes: z.record(z.string(), z.unknown()).meta({
        description: 'What the fields of `customer` that changed were before, by their names.',
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

/** In the order in which they are left out of a payload that is too large. */
export const TRUNCATABLE = ['previous_attributes', 'moved', 'profile', 'integrations', 'metadata'] as const

/** Returns the schema of a request to an endpoint: the payload, with FlexPrice's shape of it beside. */
export function webhookBodySchema(type: EventType, customer: z.ZodType) {
  return payloadSchema(type, customer).extend({
    event_type: z.literal(type),
    customer: type === 'webhook.endpoint.disabled' ? z.null() : customer,
  })
}
