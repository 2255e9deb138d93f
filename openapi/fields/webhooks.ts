/** The fields of webhook endpoints, their deliveries, and the tests of an endpoint. */
import { type FieldDocs, field, group, type SchemaDoc } from './field.ts'
import {
  CURSOR,
  CUSTOMER_ID,
  createdAt,
  ENDPOINT_ID,
  EVENT_ID,
  KEY_ID,
  OVERLAP,
  page,
  TIME,
  updatedAt,
} from './shared.ts'

const sent: FieldDocs = {
  url: field('The https URL that gets the requests, without credentials.', 'https://hooks.example.com/roster'),
  description: field('A note for people.', 'Billing'),
  event_types: field('The types of events that are sent. Null for all types, including future ones.', [
    'customer.created',
    'customer.updated',
  ]),
  enabled: field('False stops the deliveries. True starts them again and resets the failures.', true),
}

export const shown: FieldDocs = {
  ...sent,
  id: field('The id of the endpoint.', ENDPOINT_ID),
  status: field('`ok`, `failing` while every attempt fails, or `disabled`.', 'ok'),
  disabled_reason: field(
    'Why Roster disabled the endpoint: it responded with 410, or failed for five days. Null if it is enabled or if you disabled it.',
    null,
  ),
  failing_since: field('The time since which every attempt has failed.', null),
  ...createdAt,
  ...updatedAt,
  created_by: field('The id of the key that created it.', KEY_ID),
}

export const SIGNING_SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo='

const attempted: FieldDocs = {
  status_code: field(
    'The status of the response. Null if there was none. With the errors `connection_failed` and `refused_by_cloudflare` it is a status that Cloudflare created: 520 and 527 your server returned no valid HTTP, 521 it refused the connection, 522 and 524 it did not respond in time, 523 it cannot be reached, 525 and 526 its certificate is not accepted, 530 its name does not resolve or its tunnel is down.',
    200,
  ),
  error: field(
    'Null if your server has responded, whatever the status. Otherwise the reason: `timeout`, `connection_failed` (no connection to your server), `refused_by_cloudflare` (the Cloudflare zone in front of your server refused the request: a firewall rule, a challenge, a rate limit; let requests with the user agent `Roster-Webhooks/1` through), `redirect_not_followed`, `host_not_found`, `lookup_failed`, `destination_refused`, `endpoint_disabled`, `endpoint_deleted`, `event_unreadable`, `secret_unreadable`, `attempts_interrupted`.',
    null,
  ),
  duration_ms: field('The milliseconds until the result was known.', 84),
  answer: field('The first 500 bytes of the response body.', 'ok'),
}

const delivery: FieldDocs = {
  id: field('The id of the delivery.', 'whd_01JD3VQ4X8N2M7R5T9W6YBZKCE01JD3VQ4X9'),
  event_id: field('The id of the event.', EVENT_ID),
  event_type: field('The type of the event.', 'customer.updated'),
  customer_id: field('The customer of the event, if it has one.', CUSTOMER_ID),
  status: field('`pending` until the delivery is `delivered` or given up (`failed`).', 'delivered'),
  next_attempt_at: field(
    'The time of the next attempt. Null if the delivery is finished, or waits for an earlier event of its customer.',
    null,
  ),
  ...createdAt,
  finished_at: field('The time of the last attempt of a finished delivery.', TIME),
  attempts: group('The attempts, the first one first.', {
    number: field('The number of the attempt, from 1.', 1),
    at: field('The time of the attempt.', TIME),
    ...attempted,
  }),
}

export const webhookSchemas: Record<string, SchemaDoc> = {
  WebhookEndpointCreate: { description: 'A new endpoint. Only `url` is required.', fields: sent },
  WebhookEndpointUpdate: { description: 'The fields to change. An absent field is kept.', fields: sent },
  WebhookEndpoint: { description: 'An endpoint, without its signing secret.', fields: shown },
  WebhookEndpointList: {
    description: 'All endpoints of the mode.',
    fields: { items: field('The endpoints, newest first.') },
  },
  NewWebhookSecret: {
    description: 'An endpoint with a new signing secret.',
    fields: { ...shown, secret: field('Signs from now on. Shown in clear only here.', SIGNING_SECRET) },
  },
  WebhookSecretRotate: {
    description: 'How long the old secret goes on signing.',
    fields: { overlap_seconds: OVERLAP },
  },
  WebhookTestRequest: {
    description: 'The sample to send.',
    fields: { type: field('The type of the sample event.', 'customer.updated') },
  },
  WebhookTest: {
    description: 'The result of a test.',
    fields: {
      event_id: field('The id of the sample event, which is not stored.', EVENT_ID),
      delivered: field('True if your server responded with 2xx.', true),
      ...attempted,
    },
  },
  WebhookDelivery: { description: 'The delivery of one event to one endpoint, with its attempts.', fields: delivery },
  WebhookDeliveryList: { description: 'A page of deliveries.', fields: page('The deliveries of this page.') },
  WebhookRetryRequest: {
    description: 'The deliveries to attempt now. Without a body, all that wait.',
    fields: {
      delivery_id: field(
        'A delivery. Those of its customer are attempted, in order.',
        'whd_01JD3VQ4X8N2M7R5T9W6YBZKCE01JD3VQ4X9',
      ),
    },
  },
  WebhookRetry: {
    description: 'The number of deliveries that are attempted.',
    fields: {
      retried: field('The number of customers whose next delivery is attempted now.', 12),
      has_more: field('True if more may be waiting: repeat the request.', false),
    },
  },
  WebhookRedeliver: {
    description: 'The events to send again: exactly one of `event_id`, `failed` and `since`.',
    fields: {
      event_id: field('One event.', EVENT_ID),
      failed: field('The events that were given up and not sent since.'),
      since: field('The events in the log from then on that match the endpoint’s types.', '2026-01-20T00:00:00Z'),
      cursor: field('`next_cursor` of the response before, to continue.', CURSOR),
    },
  },
  WebhookRedelivery: {
    description: 'The number of events that will be sent.',
    fields: {
      redelivered: field('The number of events, without those that are still to be sent.', 3),
      retried: field('The number of customers whose pending events are attempted now instead of later.', 0),
      next_cursor: field('Where the next request continues: send it as `cursor`. Null at the end.', null),
      has_more: field('True if more events follow.', false),
    },
  },
}
