/** The fields of events: in the log, in webhooks, and in what an onboarding step sends and accepts. */
import { EVENT_MEANINGS, EVENT_TYPES, type EventType } from '../../src/events/catalogue.ts'
import { kept, moved } from './customers.ts'
import { type FieldDocs, field, group, type SchemaDoc } from './field.ts'
import { CUSTOMER_ID, cursorPage, ENDPOINT_ID, EVENT_ID, KEY_ID, page, REQUEST_ID, TIME } from './shared.ts'

const payload: FieldDocs = {
  id: field('The id of the event. It is the same each time the event is sent.', EVENT_ID),
  type: field('The type of the event.'),
  timestamp: field('The time of the event.', TIME),
  data: group('The content of the event.', {
    customer: field('The customer after the event. Null if the event is about no customer.'),
    previous_attributes: field('The values before the event, of the fields that changed.', { name: 'Acme Inc.' }),
    version: field('The version of the customer. An event with a lower one is older.', 2),
    actor: field('The actor: the id of a key, the name of a bound Worker, or a part of Roster.', KEY_ID),
    request_id: field('The `x-request-id` of the request that caused the event.', REQUEST_ID),
    detail: group('More about the event. Null if its type has no details.', {
      workflow: field('The name of the onboarding workflow.', 'default'),
      step: field('The name of the step that failed.', 'billing'),
      error: field('The error of that step.', 'answered 500'),
      endpoint_id: field('The id of the endpoint. Its URL is a secret of those who may see the endpoint.', ENDPOINT_ID),
      reason: field('`gone`: the endpoint answered 410. `failing`: every attempt has failed for five days.', 'failing'),
      failing_since: field('The time since which every attempt has failed.', TIME),
      source_id: field('The customer that was merged into this one, or is itself again.', CUSTOMER_ID),
      survivor_id: field('The customer that it was merged into.', CUSTOMER_ID),
      merged_at: field('The time of the merge that was taken back.', TIME),
      moved: group('What moved, or went back. Null if `truncated` has `moved`.', moved),
      kept: group('What stayed where the merge had put it. Null if `truncated` has `moved`.', kept, []),
    }),
    truncated: field('The parts that were left out because the whole would be larger than 20 KB. Read the customer.', [
      'metadata',
    ]),
  }),
}

const sent: FieldDocs = {
  ...payload,
  event_type: field('The same as `type`, for FlexPrice clients.'),
  customer: field('The same as `data.customer`, for FlexPrice clients.'),
}

/** Returns the name of the component that is the payload of an event: `customer.created` in the log, or as a webhook. */
export function payloadName(type: EventType, where: 'Event' | 'Webhook'): string {
  const words = type.split('.').map((word) => word.charAt(0).toUpperCase() + word.slice(1))
  return `${words.join('')}${where}`
}

const payloads = EVENT_TYPES.flatMap((type): [string, SchemaDoc][] => [
  [payloadName(type, 'Event'), { description: EVENT_MEANINGS[type], fields: payload }],
  [payloadName(type, 'Webhook'), { description: EVENT_MEANINGS[type], fields: sent }],
])

export const eventSchemas: Record<string, SchemaDoc> = {
  ...Object.fromEntries(payloads),
  Event: { description: 'An event of the log. Its `type` says which.', fields: {} },
  EventList: {
    description: 'A page of the event log.',
    fields: {
      ...page('The events of this page.'),
      pagination: group('The place of this page in the log.', {
        ...cursorPage,
        next_cursor: field(
          'Where the next page begins: send it as `cursor`. With `order=asc` the last page has one too: continue from it later.',
          null,
        ),
      }),
    },
  },
}
