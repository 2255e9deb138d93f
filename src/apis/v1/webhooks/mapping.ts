/**
 * Maps the v1 requests of webhooks to the input of the operations, and their results to v1 responses. Pure.
 */
import { isDelivered } from '../../../events/attempts.ts'
import type { Posted } from '../../../events/deliver.ts'
import { deliveryIdOf } from '../../../events/delivery-id.ts'
import { toShownEndpoint } from '../../../events/endpoint-format.ts'
import type { NewEndpoint } from '../../../events/endpoints.ts'
import type {
  Delivery,
  DeliveryPage,
  DeliveryQuery,
  Endpoint,
  EndpointChanges,
  Redelivery,
  Waiting,
} from '../../../events/ports.ts'
import type { PageCursor } from '../../../http/cursor.ts'
import { isoTime, timeOrNull } from '../../../shared/clock.ts'
import {
  type DeliveryRetryInput,
  type EndpointCreate,
  type EndpointUpdate,
  placeText,
  type RedeliveryInput,
} from './schema.ts'

export function toNewEndpoint({ url, description, event_types: eventTypes, enabled }: EndpointCreate): NewEndpoint {
  return { url, description: description ?? '', eventTypes, enabled }
}

export function toChanges({ url, description, event_types: eventTypes, enabled }: EndpointUpdate): EndpointChanges {
  return { url, description: description === null ? '' : description, eventTypes, enabled }
}

/** `afterId` is the last event of the part before. */
export function toRedelivery({ event_id: eventId, since }: RedeliveryInput, afterId: string | null): Redelivery {
  if (eventId !== undefined) return { kind: 'event', eventId }
  return since === undefined ? { kind: 'failed', afterId } : { kind: 'since', sinceMs: since, afterId }
}

export function toWaiting({ delivery_id: delivery }: DeliveryRetryInput): Waiting {
  return delivery === undefined ? { kind: 'all' } : { kind: 'delivery', ...delivery }
}

/** Returns the endpoint with the secret that signs from now on. No other endpoint response has one. */
export function toV1NewSecret(endpoint: Endpoint) {
  const [signing] = endpoint.secrets
  // Each endpoint has a secret from its creation on.
  return { ...toShownEndpoint(endpoint), secret: signing?.secret as string }
}

/** Returns the result of sending a sample. The causes in `error` may grow, so they are text. */
export function toV1Test(posted: Posted & { eventId: string }) {
  const { eventId, statusCode, error, durationMs, answer } = posted
  return {
    event_id: eventId,
    delivered: isDelivered(posted),
    status_code: statusCode,
    error: error as string | null,
    duration_ms: durationMs,
    answer,
  }
}

export async function toV1Deliveries({ deliveries, next }: DeliveryPage, { limit }: DeliveryQuery, page: PageCursor) {
  const cursor = await page.next(next && placeText(next))
  return {
    items: deliveries.map(toV1Delivery),
    pagination: { limit, next_cursor: cursor, has_more: cursor !== null },
  }
}

function toV1Delivery(delivery: Delivery) {
  return {
    id: deliveryIdOf(delivery),
    event_id: delivery.eventId,
    event_type: delivery.eventType,
    customer_id: delivery.customerId,
    status: delivery.status,
    next_attempt_at: timeOrNull(delivery.nextAttemptAtMs),
    created_at: isoTime(delivery.createdAtMs),
    finished_at: timeOrNull(delivery.finishedAtMs),
    attempts: delivery.attempts.map(({ number, atMs, durationMs, statusCode, error, answer }) => ({
      number,
      at: isoTime(atMs),
      duration_ms: durationMs,
      status_code: statusCode,
      error,
      answer,
    })),
  }
}
