/**
 * Decides how often and when a delivery is attempted, and what a response means for the delivery and its endpoint.
 * Pure.
 */
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../shared/durations.ts'
import type { Posted } from './deliver.ts'

/** Waits between one attempt and the next, as Standard Webhooks proposes: 3 days and 4 hours in all. */
const ATTEMPT_DELAYS_MS = [
  0,
  5 * SECOND_MS,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  5 * HOUR_MS,
  10 * HOUR_MS,
  14 * HOUR_MS,
  20 * HOUR_MS,
  24 * HOUR_MS,
]
export const DELIVERY_ATTEMPTS_MAX = ATTEMPT_DELAYS_MS.length

/** Longest time by which a receiver can postpone the next attempt. It is also the longest delay of a queue message. */
const RETRY_AFTER_MAX_MS = DAY_MS

/** Time of failures only, after which an endpoint is disabled. */
export const FAILING_FOR_MS = 5 * DAY_MS
/**
 * Only this attempt or a later one, at least half an hour after the event, may disable an endpoint as failing. A rarely
 * used endpoint that failed weeks ago and is restarting now stays enabled.
 */
const FAILING_SHOWN_BY_ATTEMPT = 4

const GONE = 410

/** `parked`: the event cannot be sent, for a reason that has nothing to do with the endpoint. */
export type Next = { kind: 'delivered' } | { kind: 'retry'; atMs: number } | { kind: 'given_up' } | { kind: 'parked' }

export interface Outcome {
  next: Next
  /** Why the endpoint is to be disabled; null to leave it as it is. */
  disable: 'gone' | 'failing' | null
}

/**
 * Returns true for a 2xx of the receiver. A status with an error beside it is not the receiver's own: Cloudflare may
 * answer a challenge with 202.
 */
export function isDelivered({ statusCode, error }: Pick<Posted, 'statusCode' | 'error'>): boolean {
  return error === null && statusCode !== null && statusCode >= 200 && statusCode < 300
}

/**
 * Returns what follows from an attempt that ended at `nowMs`; `attempt` counts from 1. Disabling an endpoint gives up
 * no delivery by itself: a pending one waits until it is due, and is sent if the endpoint has been enabled again by
 * then.
 */
export function outcomeOf(
  { statusCode, error, retryAfterMs }: Pick<Posted, 'statusCode' | 'error' | 'retryAfterMs'>,
  { attempt, failingSinceMs, nowMs }: { attempt: number; failingSinceMs: number | null; nowMs: number },
): Outcome {
  if (isDelivered({ statusCode, error })) return { next: { kind: 'delivered' }, disable: null }
  const isFailing = failingSinceMs !== null && nowMs - failingSinceMs >= FAILING_FOR_MS
  const isGone = statusCode === GONE && error === null
  const disable = isGone ? 'gone' : isFailing && attempt >= FAILING_SHOWN_BY_ATTEMPT ? 'failing' : null
  const delayMs = ATTEMPT_DELAYS_MS[attempt]
  if (delayMs === undefined) return { next: { kind: 'given_up' }, disable }
  // A receiver may ask for a longer wait than the schedule's, not for a shorter one.
  const requestedMs = Math.min(retryAfterMs ?? 0, RETRY_AFTER_MAX_MS)
  return { next: { kind: 'retry', atMs: nowMs + Math.max(delayMs, requestedMs) }, disable }
}
