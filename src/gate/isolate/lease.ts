/**
 * The isolate's side of a lease: plain data per tenant and mode, and functions that spend permits from it and decide
 * when to call the gate. `admit` runs on every request and allocates nothing. Sending, waiting and timers are in
 * admission.ts. Nothing here holds a promise, because a promise belongs to the request that made it.
 * The messages to the gate and its replies are in lease-exchange.ts.
 *
 * Call `admit` first in a request, before CPU work and timers, because the clock stands still until I/O.
 */

import { FLIGHT_TAKEOVER_MS, VERDICTS_MAX } from '../protocol/constants.ts'
import { lookAtClock } from './clock.ts'
import { type HeldGrant, isHot, type LeaseState, usable } from './lease-state.ts'

/**
 * The decision on a request. `needs_lease`: the state cannot decide, so call the gate, or wait for the call under way,
 * and then admit again. `unavailable`: the gate cannot be called now, and its last reply has expired.
 */
export type Admission =
  | 'admitted'
  | 'needs_lease'
  | 'rate_limited'
  | 'annual_limit'
  | 'suspended'
  | 'unknown_key'
  | 'unavailable'

/** Demand is measured in windows of this length. The newest window has this weight. */
const WINDOW_MS = 250
const WINDOW_WEIGHT = 0.15
/** A renewal is sent this many round trips, plus this many milliseconds, before it is needed. */
const LEAD_ROUND_TRIPS = 1.3
const LEAD_MS = 5

/**
 * Decides one request. `credential` is the hash of its secret, null for a caller that needs none. `again` is true if
 * the decision was `needs_lease` before, so that the request is not counted twice.
 */
export function admit(state: LeaseState, nowMs: number, credential: string | null, again = false): Admission {
  lookAtClock(state, nowMs)
  if (!again) observe(state, nowMs)
  if (nowMs >= state.leasedUntilMs || !state.policy) return needLease(state, nowMs, credential)
  if (credential !== null) {
    const held = state.verdicts.get(credential)
    if (!held) return needLease(state, nowMs, credential)
    held.usedAtMs = nowMs
    state.verdict = held.verdict
    if (!held.verdict.known || nowMs >= held.expiresAtMs) return refuse(state, 'unknown_key', 0)
  } else {
    state.verdict = null
  }
  if (state.policy.status === 'suspended') return refuse(state, 'suspended', 0)
  for (let at = 0; at < state.grants.length; at++) {
    const grant = state.grants[at] as HeldGrant
    if (grant.left === 0 || nowMs >= grant.expiresAtMs) continue
    grant.left--
    grant.spent++
    state.admitted++
    return 'admitted'
  }
  if (state.refusal === 'annual_limit')
    return refuse(state, 'annual_limit', (state.roomAtMs ?? state.leasedUntilMs) - nowMs)
  if (nowMs < state.backoffUntilMs) {
    return refuse(state, state.unreachable ? 'unavailable' : 'rate_limited', state.backoffUntilMs - nowMs)
  }
  if (state.saturated && isHot(state)) return refuse(state, 'rate_limited', 1_000 / state.policy.ratePerSecond)
  return 'needs_lease'
}

/**
 * Returns how long a request should wait instead of being refused, because the tenant is below its limit but the gate
 * had no permits. This happens for up to a second after the gate has restarted. Returns 0 when there is nothing to wait
 * for.
 */
export function restMs(state: LeaseState, nowMs: number): number {
  lookAtClock(state, nowMs)
  if (nowMs >= state.backoffUntilMs || nowMs >= state.leasedUntilMs) return 0
  const isShort = !state.unreachable && !state.saturated && state.fraction >= 1 && state.refusal === null
  return isShort && usable(state, nowMs) === 0 ? state.backoffUntilMs - nowMs : 0
}

/** True when the isolate should call the gate in the background now, before any request has to wait for it. */
export function shouldRenew(state: LeaseState, nowMs: number): boolean {
  if (nowMs < state.backoffUntilMs || isRequesting(state, nowMs) || !state.policy || nowMs >= state.leasedUntilMs)
    return false
  if (!isHot(state)) return false
  if (nowMs >= state.renewAtMs) return true
  if (state.policy.status === 'suspended' || state.refusal !== null) return false
  const leadMs = state.roundTripMs * LEAD_ROUND_TRIPS + LEAD_MS
  return usable(state, nowMs + leadMs) < state.ratePerMs * leadMs
}

/** True while a call is under way that other requests should wait for instead of sending their own. */
export function isRequesting(state: LeaseState, nowMs: number): boolean {
  return state.flightAtMs !== null && nowMs - state.flightAtMs < FLIGHT_TAKEOVER_MS
}

function observe(state: LeaseState, nowMs: number): void {
  state.counted++
  state.windowCount++
  const elapsedMs = nowMs - state.windowAtMs
  if (elapsedMs < WINDOW_MS) return
  const weight = Math.min(1, (WINDOW_WEIGHT * elapsedMs) / WINDOW_MS)
  state.ratePerMs += (state.windowCount / elapsedMs - state.ratePerMs) * weight
  state.windowAtMs = nowMs
  state.windowCount = 0
}

function refuse<Reason extends Admission>(state: LeaseState, reason: Reason, retryAfterMs: number): Reason {
  state.retryAfterMs = retryAfterMs
  if (reason === 'rate_limited' || reason === 'annual_limit') state.limited++
  return reason
}

/** Decides a request without a lease or a verdict: `needs_lease`, unless the isolate must not call the gate yet. */
function needLease(state: LeaseState, nowMs: number, credential: string | null): Admission {
  if (nowMs < state.backoffUntilMs && (state.unreachable || nowMs < state.leasedUntilMs)) {
    return refuse(state, state.unreachable ? 'unavailable' : 'rate_limited', state.backoffUntilMs - nowMs)
  }
  const { unknown, verdicts } = state
  if (credential !== null && !verdicts.has(credential) && !unknown.includes(credential)) {
    unknown.push(credential)
    if (unknown.length > VERDICTS_MAX) unknown.shift()
  }
  return 'needs_lease'
}
