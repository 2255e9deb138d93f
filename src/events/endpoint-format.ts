/** The wire format of an endpoint, which the v1 API shows its tenant and the admin API an operator. Pure. */
import { isoTime, timeOrNull } from '../shared/clock.ts'
import type { Endpoint } from './ports.ts'

function statusOf({ enabled, failingSinceMs }: Endpoint): 'ok' | 'failing' | 'disabled' {
  if (!enabled) return 'disabled'
  return failingSinceMs === null ? 'ok' : 'failing'
}

/** Returns the endpoint without its secrets. */
export function toShownEndpoint(endpoint: Endpoint) {
  const { id, url, description, eventTypes, enabled, disabledReason, failingSinceMs } = endpoint
  return {
    id,
    url,
    description,
    event_types: eventTypes,
    enabled,
    status: statusOf(endpoint),
    disabled_reason: disabledReason,
    failing_since: timeOrNull(failingSinceMs),
    created_at: isoTime(endpoint.createdAtMs),
    updated_at: isoTime(endpoint.updatedAtMs),
    created_by: endpoint.createdBy,
  }
}
