/**
 * The isolate's side of a lease: plain data per tenant and mode, and functions that spend permits from it and say when
 * to ask the gate. `admit` runs on every request and allocates nothing. Sending, waiting and timers are for the
 * isolate's shell; nothing here holds a promise, because a promise belongs to the request that made it.
 *
 * Every expiry counts from the moment the ask was sent, less a guard: the gate counts from when it answered, which is
 * later. Call `admit` first thing in a request, before CPU work and timers, for the clock stands still until I/O.
 */

import {
  FLIGHT_TAKEOVER_MS,
  GUARD_MS,
  HELD_GRANTS_MAX,
  permitTtlMs,
  RETRY_MAX_MS,
  RETRY_MIN_MS,
  TALLY_SILENCE_MS,
  VERDICTS_MAX,
  VERDICTS_RENEWED_MAX,
} from './constants.ts'
import { type EdgeState, type HeldGrant, isHot, usable } from './edge-state.ts'
import { type Lease, type LeaseReply, type LeaseRequest, PROTOCOL_VERSION, type Verdict } from './protocol.ts'

/**
 * `ask`: nothing here decides it, ask the gate (or wait for the ask under way) and then admit again.
 * `unavailable`: the gate cannot be asked now, and what it said last has expired.
 */
export type Admission =
  | 'admitted'
  | 'ask'
  | 'rate_limited'
  | 'annual_limit'
  | 'suspended'
  | 'unknown_key'
  | 'unavailable'

export { EdgeState, remaining, resetMs } from './edge-state.ts'

/** Demand is measured in windows of this length; the newer window weighs this much. */
const WINDOW_MS = 250
const WINDOW_WEIGHT = 0.15
/** A renewal is sent this many round trips before it is needed, and this much on top. */
const LEAD_ROUND_TRIPS = 1.3
const LEAD_MS = 5
/** The policy is renewed when between half and four fifths of its life is over, so that isolates do not renew together. */
const RENEW_FROM = 0.5
const RENEW_SPREAD = 0.3
const ROUND_TRIP_WEIGHT = 0.25

/**
 * Decides one request. `credential` is the hash of its secret, null for a caller that needs none; `again` marks a
 * request that has been told `ask` before, so that it is not counted twice.
 */
export function admit(state: EdgeState, nowMs: number, credential: string | null, again = false): Admission {
  if (!again) observe(state, nowMs)
  if (nowMs >= state.leasedUntilMs || !state.policy) return mustAsk(state, nowMs, credential)
  if (credential !== null) {
    const held = state.verdicts.get(credential)
    if (!held) return mustAsk(state, nowMs, credential)
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
  if (state.refusal === 'annual_limit') return refuse(state, 'annual_limit', state.leasedUntilMs - nowMs)
  if (nowMs < state.backoffUntilMs) {
    return refuse(state, state.unreachable ? 'unavailable' : 'rate_limited', state.backoffUntilMs - nowMs)
  }
  if (state.saturated && isHot(state)) return refuse(state, 'rate_limited', 1_000 / state.policy.ratePerSecond)
  return 'ask'
}

/**
 * How long a request should rather wait than be refused: the tenant is below its limit, yet the gate had nothing to give.
 * So it is for up to a second after the gate has restarted. 0 when there is nothing to wait for.
 */
export function restMs(state: EdgeState, nowMs: number): number {
  if (nowMs >= state.backoffUntilMs || nowMs >= state.leasedUntilMs) return 0
  const isShort = !state.unreachable && !state.saturated && state.fraction >= 1 && state.refusal === null
  return isShort && usable(state, nowMs) === 0 ? state.backoffUntilMs - nowMs : 0
}

/** True when an ask should go out in the background now, before any request has to wait for it. */
export function shouldRenew(state: EdgeState, nowMs: number): boolean {
  if (nowMs < state.backoffUntilMs || isAsking(state, nowMs) || !state.policy || nowMs >= state.leasedUntilMs)
    return false
  if (!isHot(state)) return false
  if (nowMs >= state.renewAtMs) return true
  if (state.policy.status === 'suspended' || state.refusal !== null) return false
  const leadMs = state.roundTripMs * LEAD_ROUND_TRIPS + LEAD_MS
  return usable(state, nowMs + leadMs) < state.ratePerMs * leadMs
}

/** True while an ask is under way that others should wait for rather than ask too. */
export function isAsking(state: EdgeState, nowMs: number): boolean {
  return state.flightAtMs !== null && nowMs - state.flightAtMs < FLIGHT_TAKEOVER_MS
}

/** Puts together the next ask for `waiting` requests, and notes that it is under way. Send it at once. */
export function nextAsk(state: EdgeState, nowMs: number, waiting: number): LeaseRequest {
  state.flightAtMs = nowMs
  giveUpExpired(state, nowMs)
  for (const grant of state.grants) if (grant.left === 0) grant.settledAtMs ??= nowMs
  const counted = state.counted
  state.counted = 0
  if (nowMs - state.repliedAtMs > TALLY_SILENCE_MS) {
    state.savedAdmitted = state.admitted
    state.savedLimited = state.limited
  }
  const recent: string[] = []
  for (const [hash, held] of state.verdicts) {
    if (recent.length < VERDICTS_RENEWED_MAX && nowMs - held.usedAtMs < 2_000) recent.push(hash)
  }
  return {
    v: PROTOCOL_VERSION,
    want: waiting + ahead(state, nowMs),
    waiting,
    counted,
    reports: state.grants.map(({ epoch, ordinal, spent, unspent }) => ({ epoch, ordinal, spent, unspent })),
    tally: {
      id: state.tallyId,
      admitted: state.admitted,
      limited: state.limited,
      savedAdmitted: state.savedAdmitted,
      savedLimited: state.savedLimited,
      held: state.grants.reduce((sum, grant) => sum + grant.left, 0),
      heardEpoch: state.epoch,
      heardOrdinal: state.ordinal,
    },
    credentials: state.unknown.splice(0),
    recent,
    seenVersion: state.policy?.version ?? 0,
    seenSeq: state.view.seq,
  }
}

/** Takes in the answer to the ask that was sent at `sentAtMs`. `random` in [0, 1). */
export function absorb(state: EdgeState, reply: LeaseReply, sentAtMs: number, nowMs: number, random: number): void {
  if (reply.v !== PROTOCOL_VERSION) {
    absorbFailure(state, sentAtMs, nowMs, random)
    return
  }
  landed(state, sentAtMs)
  forgetSettled(state, sentAtMs)
  if (reply.kind === 'busy') {
    backOff(state, nowMs, reply.backoffMs, true)
    return
  }
  const newest = reply.epoch > state.epoch || (reply.epoch === state.epoch && reply.ordinal > state.ordinal)
  if (!state.view.merge(reply.freshness, newest)) return
  state.repliedAtMs = nowMs
  state.roundTripMs += (nowMs - sentAtMs - state.roundTripMs) * ROUND_TRIP_WEIGHT
  // A lease that another overtook, or that came twice, brings nothing else: its permits would be spent beside their report.
  if (!newest) return
  keepGrant(state, reply, sentAtMs)

  const versionChanged = state.policy?.version !== reply.policy.version
  if (versionChanged) state.verdicts.clear()
  for (const hash in reply.verdicts) keepVerdict(state, hash, reply.verdicts[hash] as Verdict, sentAtMs, nowMs)
  const lifeMs = reply.policyTtlMs - GUARD_MS
  state.policy = reply.policy
  state.permitTtlMs = permitTtlMs(reply.policy.ratePerSecond, reply.policy.burst)
  state.epoch = reply.epoch
  state.ordinal = reply.ordinal
  state.leasedUntilMs = sentAtMs + lifeMs
  state.renewAtMs = sentAtMs + lifeMs * (RENEW_FROM + RENEW_SPREAD * random)
  state.refusal = reply.refusal
  state.saturated = reply.saturated
  state.fraction = reply.fraction
  state.remaining = reply.remaining
  state.fullAtMs = nowMs + reply.fullInMs
  state.savedAdmitted = reply.savedAdmitted
  state.savedLimited = reply.savedLimited
  backOff(state, nowMs, reply.backoffMs, false)
}

/** The ask that was sent at `sentAtMs` failed: what the isolate holds lives on until it expires. */
export function absorbFailure(state: EdgeState, sentAtMs: number, nowMs: number, random: number): void {
  landed(state, sentAtMs)
  backOff(state, nowMs, RETRY_MIN_MS + random * (RETRY_MAX_MS - RETRY_MIN_MS), true)
}

function observe(state: EdgeState, nowMs: number): void {
  state.counted++
  state.windowCount++
  const elapsedMs = nowMs - state.windowAtMs
  if (elapsedMs < WINDOW_MS) return
  const weight = Math.min(1, (WINDOW_WEIGHT * elapsedMs) / WINDOW_MS)
  state.ratePerMs += (state.windowCount / elapsedMs - state.ratePerMs) * weight
  state.windowAtMs = nowMs
  state.windowCount = 0
}

function refuse<Reason extends Admission>(state: EdgeState, reason: Reason, retryAfterMs: number): Reason {
  state.retryAfterMs = retryAfterMs
  if (reason === 'rate_limited' || reason === 'annual_limit') state.limited++
  return reason
}

/** The lease or the verdict is missing: ask, unless the gate is to be left alone for now. */
function mustAsk(state: EdgeState, nowMs: number, credential: string | null): Admission {
  if (nowMs < state.backoffUntilMs && (state.unreachable || nowMs < state.leasedUntilMs)) {
    return refuse(state, state.unreachable ? 'unavailable' : 'rate_limited', state.backoffUntilMs - nowMs)
  }
  const { unknown, verdicts } = state
  if (credential !== null && !verdicts.has(credential) && !unknown.includes(credential)) {
    unknown.push(credential)
    if (unknown.length > VERDICTS_MAX) unknown.shift()
  }
  return 'ask'
}

/** Permits wanted beyond those for waiting requests: what will be spent before they expire, less what is there. */
function ahead(state: EdgeState, nowMs: number): number {
  if (!isHot(state)) return 0
  const lifeMs = state.permitTtlMs - state.roundTripMs
  return Math.max(0, Math.floor(state.ratePerMs * lifeMs - usable(state, nowMs + state.roundTripMs)))
}

/** Expired permits are removed, so that the next report can give them back. */
function giveUpExpired(state: EdgeState, nowMs: number): void {
  for (const grant of state.grants) {
    if (nowMs < grant.expiresAtMs) continue
    grant.unspent += grant.left
    grant.left = 0
  }
}

function keepGrant(state: EdgeState, lease: Lease, sentAtMs: number): void {
  if (!lease.grant) return
  const { permits, ttlMs } = lease.grant
  const { epoch, ordinal } = lease
  const expiresAtMs = sentAtMs + ttlMs - GUARD_MS
  state.grants.push({ epoch, ordinal, left: permits, spent: 0, unspent: 0, expiresAtMs, settledAtMs: null })
  if (state.grants.length > HELD_GRANTS_MAX) state.grants.shift()
}

function keepVerdict(state: EdgeState, hash: string, verdict: Verdict, sentAtMs: number, nowMs: number): void {
  const expiresInMs = verdict.known ? verdict.expiresInMs : null
  const expiresAtMs = expiresInMs === null ? Number.POSITIVE_INFINITY : sentAtMs + expiresInMs
  state.verdicts.set(hash, { verdict, expiresAtMs, usedAtMs: nowMs })
  if (state.verdicts.size <= VERDICTS_MAX) return
  for (const oldest of state.verdicts.keys()) {
    state.verdicts.delete(oldest)
    return
  }
}

function landed(state: EdgeState, sentAtMs: number): void {
  if (state.flightAtMs === sentAtMs) state.flightAtMs = null
}

/** Grants whose last report the gate has now answered need not be reported again. */
function forgetSettled(state: EdgeState, sentAtMs: number): void {
  let kept = 0
  for (const grant of state.grants) {
    if (grant.settledAtMs === null || grant.settledAtMs > sentAtMs) state.grants[kept++] = grant
  }
  state.grants.length = kept
}

function backOff(state: EdgeState, nowMs: number, backoffMs: number, unreachable: boolean): void {
  state.backoffUntilMs = nowMs + backoffMs
  state.unreachable = unreachable
}
