/**
 * The door of webhooks in the OpenAPI document, and what Roster sends to an endpoint. Documentation only; failures are in the
 * words of the v1 door, which `http/openapi-document.ts` adds.
 */
import { z } from 'zod'
import type { ZodOpenApiObject, ZodOpenApiPathItemObject } from 'zod-openapi'
import { EVENT_MEANINGS, EVENT_TYPES, type EventType, webhookBodySchema } from '../../events/catalogue.ts'
import { bodyOf } from '../../events/payload.ts'
import { sampleEvent } from '../../events/sample.ts'
import type { RouteDoc } from '../../http/openapi.ts'
import { secretRotate } from '../fields.ts'
import { eventCustomer } from '../flexprice-answers.ts'
import {
  newWebhookSecret,
  webhookDeliveryList,
  webhookEndpoint,
  webhookEndpointList,
  webhookRedelivery,
  webhookTest,
} from './answers.ts'
import { deliveryListQuery, endpointCreate, endpointTest, endpointUpdate, redelivery } from './schema.ts'

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
  id: 'whd_4711',
  event_id: EVENT_ID,
  event_type: 'customer.updated',
  customer_id: 'cust_01JD3VQ4X8N2M7R5T9W6YBZKCE',
  status: 'delivered',
  next_attempt_at: null,
  created_at: '2026-01-20T15:00:00.000Z',
  finished_at: '2026-01-20T15:00:00.200Z',
  attempts: [{ number: 1, at: '2026-01-20T15:00:00.100Z', ...ATTEMPT }],
}

const path = z.object({
  endpoint_id: z.string().meta({ description: 'The id of the endpoint.', examples: [SHOWN.id] }),
})
const COMMON = { touches: null, scope: 'webhooks' } as const
const { cursor, status } = deliveryListQuery

export const webhookRoutes: Record<string, RouteDoc> = {
  'POST /v1/webhooks/endpoints': {
    ...COMMON,
    operationId: 'createWebhookEndpoint',
    headers: ['idempotency-key'],
    summary: 'Have changes sent to a URL',
    description:
      'At most 20 for a tenant and mode. The URL is https, of a public host, without credentials. The answer has the signing secret, this once.',
    body: {
      schema: endpointCreate.meta({ id: 'WebhookEndpointCreate' }),
      example: { url: SHOWN.url, description: 'Billing', event_types: SHOWN.event_types },
    },
    answers: { 201: { description: 'Created.', schema: newWebhookSecret, example: WITH_SECRET } },
    failures: ['too_many_endpoints'],
  },
  'GET /v1/webhooks/endpoints': {
    ...COMMON,
    operationId: 'listWebhookEndpoints',
    summary: 'List webhook endpoints',
    answers: { 200: { description: 'All, newest first.', schema: webhookEndpointList, example: { items: [SHOWN] } } },
  },
  'GET /v1/webhooks/endpoints/:endpoint_id': {
    ...COMMON,
    operationId: 'getWebhookEndpoint',
    summary: 'Get a webhook endpoint',
    path,
    answers: { 200: { description: 'The endpoint, without its secret.', schema: webhookEndpoint, example: SHOWN } },
    failures: ['not_found'],
  },
  'PATCH /v1/webhooks/endpoints/:endpoint_id': {
    ...COMMON,
    operationId: 'updateWebhookEndpoint',
    summary: 'Change a webhook endpoint',
    description:
      'An absent field is kept. `enabled: true` is a fresh start for an endpoint that was disabled; what happened meanwhile is sent by `redeliver` with `since`. While it is disabled, what is still to be sent is given up as it becomes due.',
    path,
    body: { schema: endpointUpdate.meta({ id: 'WebhookEndpointUpdate' }), example: { enabled: true } },
    answers: { 200: { description: 'As it is now.', schema: webhookEndpoint, example: SHOWN } },
    failures: ['not_found'],
  },
  'DELETE /v1/webhooks/endpoints/:endpoint_id': {
    ...COMMON,
    operationId: 'deleteWebhookEndpoint',
    summary: 'Delete a webhook endpoint',
    description: 'What is still to be sent to it is not.',
    path,
    answers: { 204: { description: 'Deleted.' } },
    failures: ['not_found'],
  },
  'POST /v1/webhooks/endpoints/:endpoint_id/rotate': {
    ...COMMON,
    operationId: 'rotateWebhookSecret',
    headers: ['idempotency-key'],
    summary: 'Sign with a new secret',
    description:
      'The old one signs along for `overlap_seconds` (a day unless said), so that receivers can change over.',
    path,
    body: {
      schema: secretRotate.meta({ id: 'WebhookSecretRotate' }),
      optional: true,
      example: { overlap_seconds: 86_400 },
    },
    answers: { 201: { description: 'The new secret, this once.', schema: newWebhookSecret, example: WITH_SECRET } },
    failures: ['not_found'],
  },
  'POST /v1/webhooks/endpoints/:endpoint_id/test': {
    ...COMMON,
    operationId: 'testWebhookEndpoint',
    headers: ['idempotency-key'],
    summary: 'Send a sample now',
    description: 'Signed like any other, and answered with what came of it. It is sent once and kept nowhere.',
    path,
    body: {
      schema: endpointTest.meta({ id: 'WebhookTestRequest' }),
      optional: true,
      example: { type: 'customer.updated' },
    },
    answers: {
      200: {
        description: 'What came of it, well or not.',
        schema: webhookTest,
        example: { event_id: EVENT_ID, delivered: true, ...ATTEMPT },
      },
    },
    failures: ['not_found'],
  },
  'GET /v1/webhooks/endpoints/:endpoint_id/deliveries': {
    ...COMMON,
    operationId: 'listWebhookDeliveries',
    summary: 'See what became of each event',
    description: 'Newest event first, each with its attempts. Kept for 30 days.',
    path,
    query: z.object({
      ...deliveryListQuery,
      cursor: cursor.meta({ description: '`next_cursor` of the page before.' }),
      status: status.meta({ description: 'Only those that are so.' }),
    }),
    answers: {
      200: {
        description: 'A page.',
        schema: webhookDeliveryList,
        example: { items: [DELIVERY], pagination: { limit: 50, next_cursor: null, has_more: false } },
      },
    },
    failures: ['not_found'],
  },
  'POST /v1/webhooks/endpoints/:endpoint_id/redeliver': {
    ...COMMON,
    operationId: 'redeliverWebhooks',
    headers: ['idempotency-key'],
    summary: 'Send events once more',
    description:
      'One of `event_id`, `failed` (whatever was given up and not sent since) and `since` (whatever the endpoint wants of the log from then on, also what happened while it was disabled). At most 1,000 events a call; the answer says where the next goes on. A customer’s events come in their order.',
    path,
    body: { schema: redelivery.meta({ id: 'WebhookRedeliver' }), example: { since: '2026-01-20T00:00:00Z' } },
    answers: {
      202: {
        description: 'They are on their way.',
        schema: webhookRedelivery,
        example: { redelivered: 3, next_cursor: null, has_more: false },
      },
    },
    failures: ['not_found', 'endpoint_disabled'],
  },
}

const SAMPLE_SCOPE = { tenantId: '0b6f7d0e-3f0c-4a52-9a63-6f1a5a1c2d3e', mode: 'live' } as const
const SAMPLE_AT_MS = Date.UTC(2026, 0, 20, 15)

const SENT_HEADERS = {
  'webhook-id': 'The id of the event, the same each time it is sent: how a receiver tells a repeat.',
  'webhook-timestamp': 'When this attempt was made, in seconds since 1970.',
  'webhook-signature': 'Standard Webhooks: one signature for each secret that is good now, with a space between them.',
}

/** What endpoints are sent, by type. */
export const sentWebhooks: NonNullable<ZodOpenApiObject['webhooks']> = Object.fromEntries(
  EVENT_TYPES.map((type) => [type, { post: sentOperation(type) }]),
)

function sentOperation(type: EventType): ZodOpenApiPathItemObject['post'] {
  return {
    operationId: `on.${type}`,
    tags: ['Webhooks'],
    summary: EVENT_MEANINGS[type],
    security: [],
    parameters: Object.entries(SENT_HEADERS).map(([name, description]) => ({
      ...{ in: 'header' as const, name, description, required: true },
      schema: { type: 'string' as const },
    })),
    requestBody: {
      required: true,
      content: {
        'application/json': {
          schema: webhookBodySchema(type, eventCustomer),
          example: JSON.parse(bodyOf(sampleEvent(type, SAMPLE_SCOPE, EVENT_ID, SAMPLE_AT_MS))),
        },
      },
    },
    responses: {
      '2XX': { description: 'It has been taken on. Answer first and work then: after 15 seconds it has failed.' },
      '410': { description: 'The endpoint is gone: it is disabled, and sent nothing more.' },
      default: { description: 'It has failed, a redirect too, and is sent again up to nine times in three days.' },
    },
  }
}
