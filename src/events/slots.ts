/**
 * Shares the queue's consumers among tenants and endpoints. A delivery is attempted in a slot. A tenant and mode has a
 * bounded number of them, and so has each of its endpoints, so receivers that never answer keep no other tenant
 * waiting. Pure: `storage/webhooks/claims.ts` applies the same rule in the statement that claims a delivery.
 *
 * A delivery that is due and gets no slot waits in D1, and its message ends. Each delivery that ends brings back the
 * longest waiting of its endpoint. So nothing polls: an endpoint with deliveries that wait has one that is under way,
 * or due.
 */
import { MINUTE_MS, SECOND_MS } from '../shared/durations.ts'
import type { Outcome } from './attempts.ts'

export const SLOTS = {
  /** The slots of a tenant and mode. */
  tenantMax: 32,
  endpointMax: 16,
  /**
   * The deliveries to an endpoint that one large commit enqueues. Each that succeeds brings back two, so a receiver that
   * works soon has all its slots, and one that does not costs little before that is known.
   */
  firstMax: 4,
  /** The slots of an endpoint whose last attempt failed: it is probed. */
  probesMax: 1,
  /**
   * An endpoint with nothing under way gets a slot beyond `tenantMax`, up to this number of all: otherwise nobody
   * would bring its waiting deliveries back. A tenant has at most 20 endpoints in a mode.
   */
  allMax: 52,
} as const

/** Deliveries that a delivery brings back when it ends. With two, a receiver that works gets more slots each time. */
export const BROUGHT_BACK = { delivered: 2, otherwise: 1 } as const

/**
 * The pause of an endpoint after a failed attempt. The next delivery holds the slot meanwhile, so a receiver that refuses
 * connections at once, with thousands of deliveries behind it, is not attempted as fast as the database can write.
 */
const PROBE_PAUSE_MS = SECOND_MS

/** Returns for how long the delivery that is brought back waits. */
export function pauseMsAfter({ kind }: Outcome['next']): number {
  return kind === 'retry' || kind === 'given_up' ? PROBE_PAUSE_MS : 0
}

/** After this time the sweep finds a waiting delivery, should nothing have brought it back. */
export const SLOT_WAIT_MAX_MS = 10 * MINUTE_MS

/**
 * Milliseconds that a receiver has until the status of its response. The documentation asks receivers to respond first
 * and to work later.
 */
export const RECEIVER_TIMEOUT_MS = 15 * SECOND_MS
const PROBE_TIMEOUT_MS = 5 * SECOND_MS
/** From this attempt on a delivery has waited for minutes. A slow receiver gets its whole time again then. */
const WHOLE_TIMEOUT_FROM_ATTEMPT = 3

export interface SlotsInUse {
  ofEndpoint: number
  ofTenant: number
  isFailing: boolean
}

/** Returns whether a delivery to the endpoint may be attempted now. */
export function hasFreeSlot({ ofEndpoint, ofTenant, isFailing }: SlotsInUse): boolean {
  if (ofEndpoint === 0) return ofTenant < SLOTS.allMax
  return ofTenant < SLOTS.tenantMax && ofEndpoint < (isFailing ? SLOTS.probesMax : SLOTS.endpointMax)
}

/** Returns how long the receiver has: less while it fails, so that a probe does not hold a slot for long. */
export function timeoutMsOf({ attempt, isFailing }: { attempt: number; isFailing: boolean }): number {
  return isFailing && attempt < WHOLE_TIMEOUT_FROM_ATTEMPT ? PROBE_TIMEOUT_MS : RECEIVER_TIMEOUT_MS
}
