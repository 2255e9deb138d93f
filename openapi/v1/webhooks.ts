/**
 * Webhooks in the OpenAPI document: the documentation of the contracts, and the requests that Roster sends to an
 * endpoint. `openapi/build.ts` adds the error responses of the v1 API. The Worker does not import this file.
 */
import type { ZodOpenApiObject, ZodOpenApiPathItemObject } from 'zod-openapi'
import { webhookContracts } from '../../src/apis/v1/webhooks/contract.ts'
import { EVENT_MEANINGS, EVENT_TYPES, type EventType, webhookBodySchema } from '../../src/events/catalogue.ts'
import { bodyOf } from '../../src/events/payload.ts'
import { sampleEvent } from '../../src/events/sample.ts'
import { documented } from '../documented.ts'
import { payloadName } from '../fields/events.ts'
import { CURSOR_PARAMETER } from '../fields/shared.ts'
import { eventCustomer } from './shared-responses.ts'
import {
  newWebhookSecret,
  webhookDeliveryList,
  webhookEndpoint,
  webhookEndpointList,
  webhookRedelivery,
  webhookRetry,
  webhookTest,
} from './webhooks-responses.ts'

const SHOWN = {
  id: 'whe_01JD3VQ4X8N2M7R5T9W6YBZKCE',
  url: 'https://hooks.example.com/roster',
  description: 'Billing',
  event_types: ['customer.created', 'customer.updated'],
  enabled: true,
  status: 'ok',
  disabled_reason: null,
  failing_since: null,
  created_at: '2026-01-20T15:00:00.000Z',
  updated_at: '2026-01-20T15:00:00.000Z',
  created_by: 'key_01JD3VQ4X8N2M7R5T9W6YBZKCE',
}
const WITH_SECRET = { ...SHOWN, secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=' }
const EVENT_ID = 'evt_01JD3VQ4X8N2M7R5T9W6YBZKCE'
const ATTEMPT = { status_code: 200, error: null, duration_ms: 84, answer: 'ok' }
const DELIVERY = {
  id: 'whd_01JD3VQ4X8N2M7R5T9W6YBZKCE01JD3VQ4X9',
  event_id: EVENT_ID,
  event_type: 'customer.updated',
  customer_id: 'cust_01JD3VQ4X8N2M7R5T9W6YBZKCE',
  status: 'delivered',
  next_attempt_at: null,
  created_at: '2026-01-20T15:00:00.000Z',
  finished_at: '2026-01-20T15:00:00.200Z',
  attempts: [{ number: 1, at: '2026-01-20T15:00:00.100Z', ...ATTEMPT }],
}

const path = { endpoint_id: { description: 'The id of the endpoint.', examples: [SHOWN.id] } }

export const webhookRoutes = documented(webhookContracts, {
  list: {
    operationId: 'listWebhookEndpoints',
    summary: 'List webhook endpoints',
    description: 'All endpoints of the mode, with their state, without their secrets.',
    answers: {
      200: { description: 'All endpoints, newest first.', schema: webhookEndpointList, example: { items: [SHOWN] } },
    },
  },
  create: {
    operationId: 'createWebhookEndpoint',
    etag: true,
    summary: 'Create a webhook endpoint',
    description:
      'A tenant has at most 20 endpoints per mode. The URL must use https, have a public host and contain no credentials. Only this response has the signing secret.',
    body: {
      id: 'WebhookEndpointCreate',
      example: { url: SHOWN.url, description: 'Billing', event_types: SHOWN.event_types },
    },
    answers: { 201: { description: 'Created.', schema: newWebhookSecret, example: WITH_SECRET } },
    failures: ['too_many_endpoints'],
  },
  get: {
    operationId: 'getWebhookEndpoint',
    etag: true,
    summary: 'Get a webhook endpoint',
    description: 'Says also whether the deliveries fail, and since when.',
    path,
    answers: { 200: { description: 'The endpoint, without its secret.', schema: webhookEndpoint, example: SHOWN } },
    failures: ['not_found'],
  },
  update: {
    operationId: 'updateWebhookEndpoint',
    etag: true,
    summary: 'Change a webhook endpoint',
    description:
      'An absent field is kept. `enabled: true` enables a disabled endpoint and resets its failures. After it, and after a new `url`, deliveries that wait for their next attempt are attempted now. To send it the events that happened meanwhile, use `redeliver` with `since`. While an endpoint is disabled, each of its pending deliveries is given up when it becomes due.',
    path,
    body: { id: 'WebhookEndpointUpdate', example: { enabled: true } },
    answers: { 200: { description: 'The changed endpoint.', schema: webhookEndpoint, example: SHOWN } },
    failures: ['not_found'],
  },
  delete: {
    operationId: 'deleteWebhookEndpoint',
    summary: 'Delete a webhook endpoint',
    description: 'Its pending deliveries are not sent.',
    path,
    answers: { 204: { description: 'Deleted.' } },
    failures: ['not_found'],
  },
  rotate: {
    operationId: 'rotateWebhookSecret',
    etag: true,
    summary: 'Rotate the signing secret of a webhook endpoint',
    description:
      'The old secret also signs for `overlap_seconds` (default: one day), so that receivers have time to change. Deliveries that wait for their next attempt are attempted now.',
    path,
    body: {
      id: 'WebhookSecretRotate',
      example: { overlap_seconds: 86_400 },
    },
    answers: {
      201: {
        description: 'The new secret, which only this response has.',
        schema: newWebhookSecret,
        example: WITH_SECRET,
      },
    },
    failures: ['not_found'],
  },
  test: {
    operationId: 'testWebhookEndpoint',
    summary: 'Send a sample now',
    description: 'Sends a signed sample event and returns the result. The event is sent once and is not stored.',
    path,
    body: {
      id: 'WebhookTestRequest',
      example: { type: 'customer.updated' },
    },
    answers: {
      200: {
        description: 'The result, whether the delivery succeeded or failed.',
        schema: webhookTest,
        example: { event_id: EVENT_ID, delivered: true, ...ATTEMPT },
      },
    },
    failures: ['not_found'],
  },
  listDeliveries: {
    operationId: 'listWebhookDeliveries',
    summary: 'List the deliveries of a webhook endpoint',
    description: 'Newest event first, each with its attempts. Deliveries are kept for 30 days.',
    path,
    query: {
      limit: { description: 'The number of deliveries on a page, at most 100.', examples: [20] },
      cursor: CURSOR_PARAMETER,
      status: { description: 'Returns only deliveries with this status.', examples: ['failed'] },
    },
    answers: {
      200: {
        description: 'A page.',
        schema: webhookDeliveryList,
        example: { items: [DELIVERY], pagination: { limit: 50, next_cursor: null, has_more: false } },
      },
    },
    failures: ['not_found'],
  },
  retry: {
    operationId: 'retryWebhooks',
    summary: 'Attempt waiting deliveries now',
    description:
      'For when a receiver is repaired: deliveries that wait for their next attempt are attempted now, and the later events of the same customers follow in order. Without a body, all of the endpoint; with `delivery_id`, those of the customer of this delivery. An attempt counts as one of the ten that a delivery has. A new URL, a new secret and `enabled: true` do the same.',
    path,
    body: { id: 'WebhookRetryRequest', example: { delivery_id: DELIVERY.id } },
    answers: {
      202: { description: 'They will be attempted.', schema: webhookRetry, example: { retried: 12, has_more: false } },
    },
    failures: ['not_found', 'endpoint_disabled'],
  },
  redeliver: {
    operationId: 'redeliverWebhooks',
    summary: 'Send events again',
    description:
      'Send one of `event_id`, `failed` (the events that were given up and not sent since) and `since` (the events in the log from then on that match the endpoint’s types, including those from while it was disabled). Events that are still pending are attempted now. A call sends at most 1,000 events, takes a permit for each 100 that it begins, and waits for them if necessary; the response has the cursor for the next call. `failed` and `since` are refused while 1,000 deliveries of the endpoint wait for their turn. The events of a customer are sent in order.',
    path,
    body: { id: 'WebhookRedeliver', example: { since: '2026-01-20T00:00:00Z' } },
    answers: {
      202: {
        description: 'The events will be sent.',
        schema: webhookRedelivery,
        example: { redelivered: 3, retried: 0, next_cursor: null, has_more: false },
      },
    },
    failures: ['not_found', 'endpoint_disabled', 'deliveries_waiting'],
  },
})

const SAMPLE_SCOPE = { tenantId: '0b6f7d0e-3f0c-4a52-9a63-6f1a5a1c2d3e', mode: 'live' } as const
const SAMPLE_AT_MS = Date.UTC(2026, 0, 20, 15)

const SENT_HEADERS = {
  'webhook-id': {
    description: 'The id of the event. It is the same in each attempt, so that a receiver recognizes a repeat.',
    example: EVENT_ID,
  },
  'webhook-timestamp': { description: 'The time of this attempt, in seconds since 1970.', example: '1768921200' },
  'webhook-signature': {
    description: 'The signatures by Standard Webhooks, one for each valid secret, separated by spaces.',
    example: 'v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=',
  },
}

/** The requests that Roster sends to endpoints, by event type. */
export const sentWebhooks: NonNullable<ZodOpenApiObject['webhooks']> = Object.fromEntries(
  EVENT_TYPES.map((type) => [type, { post: sentOperation(type) }]),
)

function sentOperation(type: EventType): ZodOpenApiPathItemObject['post'] {
  return {
    operationId: `on${payloadName(type, 'Webhook')}`,
    tags: ['Webhooks'],
    summary: type,
    description: EVENT_MEANINGS[type],
    security: [],
    parameters: Object.entries(SENT_HEADERS).map(([name, doc]) => ({
      ...{ in: 'header' as const, name, ...doc, required: true },
      schema: { type: 'string' as const },
    })),
    requestBody: {
      required: true,
      content: {
        'application/json': {
          schema: webhookBodySchema(type, eventCustomer).meta({ id: payloadName(type, 'Webhook') }),
          example: JSON.parse(bodyOf(sampleEvent(type, SAMPLE_SCOPE, EVENT_ID, SAMPLE_AT_MS))),
        },
      },
    },
    responses: {
      '2XX': {
        description:
          'The event has been received. Respond first and process it afterwards: without a response within 15 seconds, the attempt fails.',
      },
      '410': { description: 'The endpoint is gone: Roster disables it and sends nothing more to it.' },
      default: {
        description: 'The attempt has failed, as with a redirect. Roster retries it up to nine times in three days.',
      },
    },
  }
}
