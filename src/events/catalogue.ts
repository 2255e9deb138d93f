/**
 * Every event that Roster tells of: its name, when it happens, and what its payload holds. The log, the webhooks, the tests
 * and the OpenAPI document all follow from this list. Which customers' words a payload is in is `payload.ts`.
 */

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
