/**
 * The state of an isolate for one tenant and mode: the lease, its permits, its verdicts, and its counts. Plain data and
 * functions that read it; the functions that change it are in lease.ts and clock.ts.
 */

import { View } from '../core/freshness.ts'
import { HOT_PERMITS } from '../protocol/constants.ts'
import { type Lease, type Policy, PROTOCOL_VERSION, type Verdict } from '../protocol/leases.ts'

/** The assumed length of a round trip to the gate, before one has been measured. */
const ROUND_TRIP_GUESS_MS = 50

/** Permits of one lease. */
export interface HeldGrant {
  epoch: number
  ordinal: number
  left: number
  spent: number
  unspent: number
  expiresAtMs: number
  /**
   * When the first call was sent that reports it with no permits left. After the reply to that call no report is
   * needed.
   */
  settledAtMs: number | null
}

/** The gate's verdict on one key, by the policy in force. */
export interface HeldVerdict {
  verdict: Verdict
  expiresAtMs: number
  usedAtMs: number
  /** The last use that was reported, and the last one that was sent, with the time of the request it was in. */
  reportedUseMs: number
  sentUseMs: number
  useSentAtMs: number
}

/** All that an isolate stores of one tenant and mode, apart from cached customers. */
export class LeaseState {
  readonly view = new View()
  /** The version of the protocol that this isolate uses, because the gate understands it. */
  gateVersion = PROTOCOL_VERSION
  /** The latest time this isolate's clock showed. */
  clockMs = 0
  /** A reply of the gate, and when it arrived: the time that the gate's clock loses is measured from there. */
  since: { epoch: number; gateMs: number; arrivedAtMs: number } | null = null
  policy: Policy | null = null
  permitTtlMs = 0
  /** The time until which policy, verdicts and view may be used. */
  leasedUntilMs = 0
  renewAtMs = 0
  epoch = 0
  ordinal = 0
  refusal: Lease['refusal'] = null
  /** When the year has room again; null if the gate did not say so. */
  roomAtMs: number | null = null
  saturated = false
  fraction = 1
  /**
   * The isolate does not call the gate before this time. `unreachable`: because the gate was busy or could not be
   * reached.
   */
  backoffUntilMs = 0
  unreachable = false
  remaining = 0
  fullAtMs = 0
  /**
   * Permits that requests have cost beyond the one that admitted them, and that are not paid yet. No request is admitted
   * before they are.
   */
  owed = 0
  /** Oldest first. */
  grants: HeldGrant[] = []
  verdicts = new Map<string, HeldVerdict>()
  /** Hashes of secrets without a verdict yet, each of a request that waits. */
  unknown: string[] = []
  /** Set by `admit`: the verdict on the credential of the request; null for a caller that needs none. */
  verdict: Verdict | null = null
  /** Set by `admit`: whether the request counts as demand by now. */
  isCounted = false
  /** Set by `admit`: whether no use of the key of the request was reported for long. */
  isUseUnreported = false
  /** Set by `admit` when it refuses. */
  retryAfterMs = 0
  flightAtMs: number | null = null
  /**
   * The send times of calls without a reply. `sentByClockBefore` has those that were without a reply when the clock
   * last went back.
   */
  underWay = new Set<number>()
  sentByClockBefore = new Set<number>()
  roundTripMs = ROUND_TRIP_GUESS_MS
  counted = 0
  ratePerMs = 0
  windowAtMs = 0
  windowCount = 0
  readonly tallyId: string
  admitted = 0
  limited = 0
  errors = 0
  savedAdmitted = 0
  savedLimited = 0
  savedErrors = 0
  repliedAtMs = 0

  /** `tallyId` is random and never used for another state, because each state starts counting from zero. */
  constructor(tallyId: string) {
    this.tallyId = tallyId
  }
}

/**
 * Returns, for the RateLimit headers, the permits that are left here and, by its last reply, at the gate, less those that
 * are owed.
 */
export function remaining(state: LeaseState, nowMs: number): number {
  const left = state.remaining + usable(state, nowMs) - state.owed
  return Math.max(0, Math.min(state.policy?.burst ?? 0, left))
}

/** Returns, for the RateLimit headers, the time until the whole burst is available again. */
export function resetMs(state: LeaseState, nowMs: number): number {
  return Math.max(0, state.fullAtMs - nowMs)
}

/** True when the isolate will spend several permits before they expire. It then requests permits ahead of need. */
export function isHot(state: LeaseState): boolean {
  return state.ratePerMs * state.permitTtlMs * state.fraction >= HOT_PERMITS
}

/** Returns the number of permits that can be spent at `atMs`. */
export function usable(state: LeaseState, atMs: number): number {
  let permits = 0
  for (let at = 0; at < state.grants.length; at++) {
    const grant = state.grants[at] as HeldGrant
    if (atMs < grant.expiresAtMs) permits += grant.left
  }
  return permits
}
