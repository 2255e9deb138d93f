/**
 * The isolate's side of a lease: plain data per tenant and mode, and functions that spend permits from it and decide
 * when to call the gate. `admit` runs on every request and allocates nothing. Sending, waiting and timers are in
 * admission.ts. Nothing here holds a promise, because a promise belongs to the request that made it.
 * The messages to the gate and its replies are in lease-exchange.ts.
 *
 * Call `admit` first in a request, before CPU work and timers, because the clock stands still until I/O.
 */

import { FLIGHT_TAKEOVER_MS, KEY_USE_UNREPORTED_MAX_MS, VERDICTS_MAX } from '../protocol/constants.ts'
import { lookAtClock } from './clock.ts'
import { type HeldGrant, isHot, type LeaseState, usable } from './lease-state.ts'

/**
 * The decision on a request. `needs_lease`: the state cannot decide, so call the gate, or wait for the call under way,
 * and then admit again. `unavailable`: the gate cannot be called now, and its last reply has expired.
 */
export type Admission = 'admitted' | 'needs_lease' | 'rate_limited' | 'annual_limit' | KnownRefusal | 'unavailable'

/** A refusal that no permit would change. It is decided without a permit, and does not count as demand. */
export type KnownRefusal = 'suspended' | 'unknown_key' | 'missing_scope'

const NO_SCOPES: readonly string[] = []

/** Demand is measured in windows of this length. The newest window has this weight. */
const WINDOW_MS = 250
const WINDOW_WEIGHT = 0.15
/** A renewal is sent this many round trips, plus this many milliseconds, before it is needed. */
const LEAD_ROUND_TRIPS = 1.3
const LEAD_MS = 5

/**
 * Decides one request. `credential` is the hash of its secret, null for a caller that needs none. `scopes` are those that
 * its key must have. `counted` is true if the request already counts as demand, because `admit` decided `needs_lease`
 * before and set `isCounted`.
 */
export function admit(
  state: LeaseState,
  nowMs: number,
  credential: string | null,
  counted = false,
  scopes: readonly string[] = NO_SCOPES,
): Admission {
  lookAtClock(state, nowMs)
  const refusal = knownRefusal(state, nowMs, credential, scopes)
  if (!counted && refusal === null) observe(state, nowMs)
  state.isCounted = counted || refusal === null
  state.isUseUnreported = false
  if (nowMs >= state.leasedUntilMs || !state.policy) return needLease(state, nowMs, credential)
  if (credential !== null) {
    const held = state.verdicts.get(credential)
    if (!held) return needLease(state, nowMs, credential)
    held.usedAtMs = nowMs
    state.isUseUnreported = refusal !== 'unknown_key' && nowMs - held.reportedUseMs >= KEY_USE_UNREPORTED_MAX_MS
    state.verdict = held.verdict
  } else {
    state.verdict = null
  }
  if (refusal !== null) return refuse(state, refusal, 0)
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
 * Returns why the newest lease refuses such a request whatever its permits, also if that lease is over: then it is
 * likely that the next one does too. Null if it does not, or has no verdict on the key.
 */
export function knownRefusal(
  { policy, verdicts }: LeaseState,
  nowMs: number,
  credential: string | null,
  scopes: readonly string[],
): KnownRefusal | null {
  if (!policy) return null
  if (credential === null) return policy.status === 'suspended' ? 'suspended' : null
  const held = verdicts.get(credential)
  if (!held) return null
  const { verdict } = held
  if (!verdict.known || nowMs >= held.expiresAtMs) return 'unknown_key'
  if (policy.status === 'suspended') return 'suspended'
  for (let at = 0; at < scopes.length; at++) {
    if (!verdict.scopes.includes(scopes[at] as string)) return 'missing_scope'
  }
  return null
}

/**
 * Returns why a write is refused by the lease in force, without a call of the gate. Null if the lease does not refuse it,
 * or is over: then the gate decides.
 */
export function refusalInForce(
  state: LeaseState,
  nowMs: number,
  credential: string | null,
  scopes: readonly string[],
): KnownRefusal | null {
  lookAtClock(state, nowMs)
  if (nowMs >= state.leasedUntilMs) return null
  const refusal = knownRefusal(state, nowMs, credential, scopes)
  const held = credential === null ? undefined : state.verdicts.get(credential)
  state.verdict = held?.verdict ?? null
  // A key in use is requested again when the policy changes.
  if (held) held.usedAtMs = nowMs
  return refusal
}

/** Notes that the next request for a lease must bring a verdict on this key, even if there is one of an earlier lease. */
export function wantVerdict({ unknown }: LeaseState, credential: string): void {
  if (unknown.includes(credential)) return
  unknown.push(credential)
  if (unknown.length > VERDICTS_MAX) unknown.shift()
}

/**
 * Takes the permits that a request has cost beyond the one that admitted it. Those that are not at hand are owed: the
 * requests that follow wait for them.
 */
export function charge(state: LeaseState, nowMs: number, permits: number): void {
  lookAtClock(state, nowMs)
  state.owed += permits
  state.counted += permits
  payOwed(state, nowMs)
}

/**
 * Spends the permits at hand on those that are owed. Returns true when none is owed any more. It is called whenever one of
 * them comes, so while any is owed no permit is left for `admit`.
 */
export function payOwed(state: LeaseState, nowMs: number): boolean {
  for (let at = 0; at < state.grants.length && state.owed > 0; at++) {
    const grant = state.grants[at] as HeldGrant
    if (nowMs >= grant.expiresAtMs) continue
    const permits = Math.min(grant.left, state.owed)
    grant.left -= permits
    grant.spent += permits
    state.admitted += permits
    state.owed -= permits
  }
  return state.owed === 0
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
  if (state.isUseUnreported) return true
  if (!isHot(state)) return false
  if (nowMs >= state.renewAtMs) return true
  if (state.policy.status === 'suspended' || state.refusal !== null) return false
  const leadMs = renewalLeadMs(state)
  return usable(state, nowMs + leadMs) < state.ratePerMs * leadMs
}

/** Returns how long before permits are needed a call for them is sent. */
export function renewalLeadMs({ roundTripMs }: LeaseState): number {
  return roundTripMs * LEAD_ROUND_TRIPS + LEAD_MS
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
  if (credential === null) return 'needs_lease'
  const held = state.verdicts.get(credential)
  // The request for the lease reports it.
  if (held) held.usedAtMs = nowMs
  else wantVerdict(state, credential)
  return 'needs_lease'
}
