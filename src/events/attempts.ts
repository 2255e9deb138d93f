/**
 * How often something is sent, when, and what an answer means for it and for its endpoint. Pure.
 */
import type { Posted } from './deliver.ts'

const SECOND_MS = 1_000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** After which time each attempt follows the one before it, as Standard Webhooks proposes: 3 days and 4 hours in all. */
export const ATTEMPT_DELAYS_MS = [
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
export const ATTEMPTS_MAX = ATTEMPT_DELAYS_MS.length

/** The longest that a receiver can put off the next attempt; also what the queue can delay a message by. */
const RETRY_AFTER_MAX_MS = DAY_MS

/** An endpoint that has answered nothing well for so long is sent nothing more. */
export const FAILING_FOR_MS = 5 * DAY_MS
/**
 * …which only an attempt can show that comes half an hour after the first of its event: an endpoint that is seldom told
 * anything, failed once weeks ago, and is restarting just now, is not failing.
 */
const FAILING_SHOWN_BY_ATTEMPT = 4

const GONE = 410

/** `parked`: it can not be sent, which says nothing of its endpoint. */
export type Next = { kind: 'delivered' } | { kind: 'retry'; atMs: number } | { kind: 'given_up' } | { kind: 'parked' }

export interface Outcome {
  next: Next
  /** Why the endpoint is to be disabled; null: it is not. */
  disable: 'gone' | 'failing' | null
}

/**
 * What follows from an attempt that ended at `nowMs`; `attempt` counts from 1. A disabled endpoint gives nothing up by
 * itself: what is pending waits until it is due, and goes on if the endpoint has been enabled again by then.
 */
export function outcomeOf(
  { statusCode, retryAfterMs }: Pick<Posted, 'statusCode' | 'retryAfterMs'>,
  { attempt, failingSinceMs, nowMs }: { attempt: number; failingSinceMs: number | null; nowMs: number },
): Outcome {
  if (statusCode !== null && statusCode >= 200 && statusCode < 300) {
    return { next: { kind: 'delivered' }, disable: null }
  }
  const isFailing = failingSinceMs !== null && nowMs - failingSinceMs >= FAILING_FOR_MS
  const disable = statusCode === GONE ? 'gone' : isFailing && attempt >= FAILING_SHOWN_BY_ATTEMPT ? 'failing' : null
  const delayMs = ATTEMPT_DELAYS_MS[attempt]
  if (delayMs === undefined) return { next: { kind: 'given_up' }, disable }
  // A receiver may ask for more time than the schedule gives it, not for less.
  const askedForMs = Math.min(retryAfterMs ?? 0, RETRY_AFTER_MAX_MS)
  return { next: { kind: 'retry', atMs: nowMs + Math.max(delayMs, askedForMs) }, disable }
}
