/**
 * The messages between an isolate and its gate: builds the requests for leases from the state, and stores the replies in
 * it. Plain data and functions, as in lease.ts, which decides when to send a request. Every expiry counts from the
 * moment the request was sent, less a guard: the gate counts from its reply, which is later.
 */

import {
  GUARD_MS,
  HELD_GRANTS_MAX,
  permitTtlMs,
  RETRY_MAX_MS,
  RETRY_MIN_MS,
  TALLY_SILENCE_MS,
  VERDICTS_MAX,
  VERDICTS_RENEWED_MAX,
} from '../protocol/constants.ts'
import { type Lease, type LeaseReply, type LeaseRequest, PROTOCOL_VERSION, type Verdict } from '../protocol/leases.ts'
import { readReply, versionToUse, writeRequest } from '../protocol/versions.ts'
import { isOfClockBefore, keepSince, lookAtClock, noteRequest, sinceOf } from './clock.ts'
import { payOwed, renewalLeadMs } from './lease.ts'
import { isHot, type LeaseState, usable } from './lease-state.ts'

/**
 * The policy is renewed when between half and four fifths of its life is over, so that isolates do not renew together.
 */
const RENEW_FROM = 0.5
const RENEW_SPREAD = 0.3
const ROUND_TRIP_WEIGHT = 0.25

/** Builds the next call for `waiting` requests, and marks it as under way. The caller must send it at once. */
export function nextRequest(state: LeaseState, nowMs: number, waiting: number): LeaseRequest {
  lookAtClock(state, nowMs)
  state.flightAtMs = nowMs
  noteRequest(state, nowMs)
  giveUpExpired(state, nowMs)
  for (const grant of state.grants) if (grant.left === 0) grant.settledAtMs ??= nowMs
  const counted = state.counted
  state.counted = 0
  if (nowMs - state.repliedAtMs > TALLY_SILENCE_MS) {
    state.savedAdmitted = state.admitted
    state.savedLimited = state.limited
    state.savedErrors = state.errors
  }
  const recent: string[] = []
  for (const [hash, held] of state.verdicts) {
    if (recent.length < VERDICTS_RENEWED_MAX && nowMs - held.usedAtMs < 2_000) recent.push(hash)
  }
  const request: LeaseRequest = {
    v: PROTOCOL_VERSION,
    sentAtMs: nowMs,
    since: sinceOf(state, nowMs),
    want: waiting + state.owed + ahead(state, nowMs),
    // Permits that are owed are spent as soon as they come, like those of requests that wait.
    waiting: waiting + state.owed,
    counted,
    reports: state.grants.map(({ epoch, ordinal, spent, unspent }) => ({ epoch, ordinal, spent, unspent })),
    tally: {
      id: state.tallyId,
      admitted: state.admitted,
      limited: state.limited,
      errors: state.errors,
      savedAdmitted: state.savedAdmitted,
      savedLimited: state.savedLimited,
      savedErrors: state.savedErrors,
      held: state.grants.reduce((sum, grant) => sum + grant.left, 0),
      lastLeaseEpoch: state.epoch,
      lastLeaseOrdinal: state.ordinal,
    },
    credentials: state.unknown.splice(0),
    recent,
    seenVersion: state.policy?.version ?? 0,
    seenSeq: state.view.seq,
    uses: unreportedUses(state, nowMs),
  }
  return writeRequest('lease', request, state.gateVersion)
}

/** Stores the reply to the call that was sent at `sentAtMs`. `random` is in [0, 1). */
export function absorb(state: LeaseState, message: LeaseReply, sentAtMs: number, nowMs: number, random: number): void {
  lookAtClock(state, nowMs)
  const version = versionToUse(message)
  if (version !== null || isOfClockBefore(state, sentAtMs)) {
    // Nothing of this reply is stored, and the next call may be sent at once.
    requestReturned(state, sentAtMs)
    state.gateVersion = version ?? state.gateVersion
    return
  }
  const reply = readReply('lease', message)
  if (!reply || reply.kind === 'other_version') {
    absorbFailure(state, sentAtMs, nowMs, random)
    return
  }
  requestReturned(state, sentAtMs)
  forgetSettled(state, sentAtMs)
  if (reply.kind === 'busy') {
    backOff(state, nowMs, reply.backoffMs, true)
    return
  }
  const newest = reply.epoch > state.epoch || (reply.epoch === state.epoch && reply.ordinal > state.ordinal)
  noteReported(state, sentAtMs)
  if (!state.view.merge(reply.freshness, newest)) return
  state.repliedAtMs = nowMs
  state.roundTripMs += (nowMs - sentAtMs - state.roundTripMs) * ROUND_TRIP_WEIGHT
  // A lease that a newer one overtook, or that came twice, is used for nothing else: the gate may already have replied
  // to the report on its permits, and they would be spent once more.
  if (!newest) return
  keepGrant(state, reply, sentAtMs)
  payOwed(state, nowMs)

  const versionChanged = state.policy?.version !== reply.policy.version
  if (versionChanged) state.verdicts.clear()
  for (const hash in reply.verdicts) keepVerdict(state, hash, reply.verdicts[hash] as Verdict, sentAtMs, nowMs)
  keepSince(state, reply, nowMs)
  // A gate that has restarted may run newer code.
  if (state.epoch !== 0 && reply.epoch !== state.epoch) state.gateVersion = PROTOCOL_VERSION
  const lifeMs = reply.policyTtlMs - GUARD_MS
  state.policy = reply.policy
  state.view.database = reply.policy.database ?? 0
  state.permitTtlMs = permitTtlMs(reply.policy.ratePerSecond, reply.policy.burst)
  state.epoch = reply.epoch
  state.ordinal = reply.ordinal
  state.leasedUntilMs = sentAtMs + lifeMs
  state.renewAtMs = sentAtMs + lifeMs * (RENEW_FROM + RENEW_SPREAD * random)
  state.refusal = reply.refusal
  state.roomAtMs = reply.roomInMs === undefined ? null : nowMs + reply.roomInMs
  state.saturated = reply.saturated
  state.fraction = reply.fraction
  state.remaining = reply.remaining
  state.fullAtMs = nowMs + reply.fullInMs
  state.savedAdmitted = reply.savedAdmitted
  state.savedLimited = reply.savedLimited
  state.savedErrors = reply.savedErrors ?? state.savedErrors
  backOff(state, nowMs, reply.backoffMs, false)
}

/** Notes that the call that was sent at `sentAtMs` failed. The isolate keeps its lease until it expires. */
export function absorbFailure(state: LeaseState, sentAtMs: number, nowMs: number, random: number): void {
  requestReturned(state, sentAtMs)
  backOff(state, nowMs, RETRY_MIN_MS + random * (RETRY_MAX_MS - RETRY_MIN_MS), true)
}

/**
 * Returns the number of permits to request beyond those for waiting requests: the permits that will be spent before
 * they expire, less those that are still there when the next call could return. Those that expire before are of no use
 * to the requests that come meanwhile, which would wait for that call: far from the gate, one in five did.
 */
function ahead(state: LeaseState, nowMs: number): number {
  if (!isHot(state)) return 0
  const lifeMs = state.permitTtlMs - state.roundTripMs
  const nextReplyMs = nowMs + state.roundTripMs + renewalLeadMs(state)
  return Math.max(0, Math.floor(state.ratePerMs * lifeMs - usable(state, nextReplyMs)))
}

/** Returns how long ago keys were used whose use was not reported, by their ids, and notes that they are sent. */
function unreportedUses({ verdicts }: LeaseState, nowMs: number): Record<string, number> {
  const uses: Record<string, number> = {}
  for (const held of verdicts.values()) {
    if (!held.verdict.known || held.usedAtMs === held.reportedUseMs || held.usedAtMs >= held.expiresAtMs) continue
    uses[held.verdict.keyId] = nowMs - held.usedAtMs
    held.sentUseMs = held.usedAtMs
    held.useSentAtMs = nowMs
  }
  return uses
}

/** Notes that the uses in the call that was sent at `sentAtMs` are reported. */
function noteReported({ verdicts }: LeaseState, sentAtMs: number): void {
  for (const held of verdicts.values()) if (held.useSentAtMs === sentAtMs) held.reportedUseMs = held.sentUseMs
}

/** Removes expired permits, so that the next report gives them back. */
function giveUpExpired(state: LeaseState, nowMs: number): void {
  for (const grant of state.grants) {
    if (nowMs < grant.expiresAtMs) continue
    grant.unspent += grant.left
    grant.left = 0
  }
}

function keepGrant(state: LeaseState, lease: Lease, sentAtMs: number): void {
  if (!lease.grant) return
  const { permits, ttlMs } = lease.grant
  const { epoch, ordinal } = lease
  const expiresAtMs = sentAtMs + ttlMs - GUARD_MS
  state.grants.push({ epoch, ordinal, left: permits, spent: 0, unspent: 0, expiresAtMs, settledAtMs: null })
  if (state.grants.length > HELD_GRANTS_MAX) state.grants.shift()
}

function keepVerdict(state: LeaseState, hash: string, verdict: Verdict, sentAtMs: number, nowMs: number): void {
  const expiresInMs = verdict.known ? verdict.expiresInMs : null
  const expiresAtMs = expiresInMs === null ? Number.POSITIVE_INFINITY : sentAtMs + expiresInMs
  // The request for the verdict has reported its use.
  const use = { usedAtMs: nowMs, reportedUseMs: nowMs, sentUseMs: nowMs, useSentAtMs: sentAtMs }
  state.verdicts.set(hash, { verdict, expiresAtMs, ...use })
  if (state.verdicts.size <= VERDICTS_MAX) return
  for (const oldest of state.verdicts.keys()) {
    state.verdicts.delete(oldest)
    return
  }
}

function requestReturned(state: LeaseState, sentAtMs: number): void {
  if (state.flightAtMs === sentAtMs) state.flightAtMs = null
  state.underWay.delete(sentAtMs)
}

/** Removes grants whose last report the gate has now replied to, because they need no further report. */
function forgetSettled(state: LeaseState, sentAtMs: number): void {
  let kept = 0
  for (const grant of state.grants) {
    if (grant.settledAtMs === null || grant.settledAtMs > sentAtMs) state.grants[kept++] = grant
  }
  state.grants.length = kept
}

function backOff(state: LeaseState, nowMs: number, backoffMs: number, unreachable: boolean): void {
  state.backoffUntilMs = nowMs + backoffMs
  state.unreachable = unreachable
}
