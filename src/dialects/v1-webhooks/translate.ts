/**
 * From the words of the door of webhooks to what the operations take, and back. Pure.
 */
import type { NewEndpoint } from '../../events/endpoints.ts'
import type {
  Delivery,
  DeliveryPage,
  DeliveryQuery,
  Endpoint,
  EndpointChanges,
  Redelivery,
} from '../../events/ports.ts'
import { isoTime } from '../../shared/clock.ts'
import { cursorOf } from '../fields.ts'
import { type EndpointCreate, type EndpointUpdate, placeText, type RedeliveryInput } from './schema.ts'

export function toNewEndpoint({ url, description, event_types: eventTypes, enabled }: EndpointCreate): NewEndpoint {
  return { url, description: description ?? '', eventTypes, enabled }
}

export function toChanges({ url, description, event_types: eventTypes, enabled }: EndpointUpdate): EndpointChanges {
  return { url, description: description === null ? '' : description, eventTypes, enabled }
}

export function toRedelivery({ event_id: eventId, since, cursor }: RedeliveryInput): Redelivery {
  const afterId = cursor ?? null
  if (eventId !== undefined) return { kind: 'event', eventId }
  return since === undefined ? { kind: 'failed', afterId } : { kind: 'since', sinceMs: since, afterId }
}

export function toV1Endpoint(endpoint: Endpoint) {
  const { id, url, description, eventTypes, enabled, disabledReason, failingSinceMs } = endpoint
  return {
    id,
    url,
    description,
    event_types: eventTypes,
    enabled,
    status: enabled ? (failingSinceMs === null ? 'ok' : 'failing') : 'disabled',
    disabled_reason: disabledReason,
    failing_since: timeOrNull(failingSinceMs),
    created_at: isoTime(endpoint.createdAtMs),
    updated_at: isoTime(endpoint.updatedAtMs),
    created_by: endpoint.createdBy,
  }
}

/** The only answer that has a secret: the one that signs from now on. */
export function toV1NewSecret(endpoint: Endpoint) {
  return { ...toV1Endpoint(endpoint), secret: endpoint.secrets[0]?.secret }
}

export function toV1Deliveries({ deliveries, next }: DeliveryPage, { limit }: DeliveryQuery) {
  const cursor = next && cursorOf(placeText(next))
  return {
    items: deliveries.map(toV1Delivery),
    pagination: { limit, next_cursor: cursor, has_more: cursor !== null },
  }
}

function toV1Delivery(delivery: Delivery) {
  return {
    id: `whd_${delivery.id}`,
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

function timeOrNull(timeMs: number | null): string | null {
  return timeMs === null ? null : isoTime(timeMs)
}
