/**
 * What an isolate holds of one tenant and mode: the lease, its permits, its verdicts, and what it has counted. Plain
 * data and what can be read off it; what changes it is in edge-lease.ts.
 */

import { HOT_PERMITS } from './constants.ts'
import { View } from './freshness.ts'
import type { Lease, Policy, Verdict } from './protocol.ts'

/** A round trip to the gate, before one has been measured. */
const ROUND_TRIP_GUESS_MS = 50

/** Permits of one lease. */
export interface HeldGrant {
  epoch: number
  ordinal: number
  left: number
  spent: number
  unspent: number
  expiresAtMs: number
  /** When the first ask was sent that reports it with nothing left; its answer is the last that is needed. */
  settledAtMs: number | null
}

/** What the gate said of one key, by the policy in force. */
export interface HeldVerdict {
  verdict: Verdict
  expiresAtMs: number
  usedAtMs: number
}

/** All an isolate knows of one tenant and mode. */
export class EdgeState {
  readonly view = new View()
  policy: Policy | null = null
  permitTtlMs = 0
  /** Until when policy, verdicts and view may be used. */
  leasedUntilMs = 0
  renewAtMs = 0
  epoch = 0
  ordinal = 0
  refusal: Lease['refusal'] = null
  saturated = false
  fraction = 1
  /** No ask before this, and why. */
  backoffUntilMs = 0
  unreachable = false
  remaining = 0
  fullAtMs = 0
  /** Oldest first. */
  grants: HeldGrant[] = []
  verdicts = new Map<string, HeldVerdict>()
  /** Secrets that a request waits for, not yet known. */
  unknown: string[] = []
  /** Set by `admit`: the verdict on the credential it admitted; null for a caller that needs none. */
  verdict: Verdict | null = null
  /** Set by `admit` when it refuses. */
  retryAfterMs = 0
  flightAtMs: number | null = null
  roundTripMs = ROUND_TRIP_GUESS_MS
  counted = 0
  ratePerMs = 0
  windowAtMs = 0
  windowCount = 0
  readonly tallyId: string
  admitted = 0
  limited = 0
  savedAdmitted = 0
  savedLimited = 0
  repliedAtMs = 0

  /** `tallyId` is random and never used for another state: a state starts counting from zero. */
  constructor(tallyId: string) {
    this.tallyId = tallyId
  }
}

/** For the RateLimit headers: permits that may still be had, here and at the gate as it said last. */
export function remaining(state: EdgeState, nowMs: number): number {
  return Math.min(state.policy?.burst ?? 0, state.remaining + usable(state, nowMs))
}

/** For the RateLimit headers: time until the whole burst is there again. */
export function resetMs(state: EdgeState, nowMs: number): number {
  return Math.max(0, state.fullAtMs - nowMs)
}

/** An isolate is hot when it will spend several permits before they expire: then it asks ahead. */
export function isHot(state: EdgeState): boolean {
  return state.ratePerMs * state.permitTtlMs * state.fraction >= HOT_PERMITS
}

/** Permits that can be spent at `atMs`. */
export function usable(state: EdgeState, atMs: number): number {
  let permits = 0
  for (let at = 0; at < state.grants.length; at++) {
    const grant = state.grants[at] as HeldGrant
    if (atMs < grant.expiresAtMs) permits += grant.left
  }
  return permits
}
