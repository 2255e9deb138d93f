/**
 * Guards an isolate against errors of its clock: ends its lease when the clock goes back, and measures for the gate how
 * much time has passed. Section "Clocks" of README.md has the reasons.
 */
import { GUARD_MS, SINCE_MAX_MS } from '../protocol/constants.ts'
import type { Lease, Since } from '../protocol/leases.ts'
import type { LeaseState } from './lease-state.ts'

/** The share of a measured time to deduct. It is more than clocks run too fast. */
const DRIFT_SHARE = 0.001
/** Longer than any request waits for a reply. */
const UNDER_WAY_MAX_MS = 10_000

/**
 * Ends everything that is held when the clock has gone back by more than the guard, because its stored expiry now lies
 * too far in the future. The isolate then calls the gate for a new lease.
 */
export function lookAtClock(state: LeaseState, nowMs: number): void {
  if (nowMs >= state.clockMs) state.clockMs = nowMs
  if (nowMs >= state.clockMs - GUARD_MS) return
  state.clockMs = nowMs
  state.leasedUntilMs = 0
  for (const grant of state.grants) grant.expiresAtMs = 0
  state.verdicts.clear()
  state.since = null
  state.sentByClockBefore = state.underWay
  state.underWay = new Set()
  state.flightAtMs = null
  state.backoffUntilMs = 0
  state.windowAtMs = nowMs
  state.fullAtMs = nowMs
}

/**
 * Stores the time of a call. A call without a reply, because its request was cancelled, is removed when no reply can
 * come.
 */
export function noteRequest(state: LeaseState, nowMs: number): void {
  for (const sentAtMs of state.underWay) if (sentAtMs < nowMs - UNDER_WAY_MAX_MS) state.underWay.delete(sentAtMs)
  state.underWay.add(nowMs)
}

/**
 * True for the reply to a call that was under way when the clock went back: its contents would seem to live for too
 * long.
 */
export function isOfClockBefore(state: LeaseState, sentAtMs: number): boolean {
  return state.sentByClockBefore.has(sentAtMs)
}

/**
 * Stores a reply to measure from, and keeps it for a while: a measurement from each new reply would deduct the guard
 * every time.
 */
export function keepSince(state: LeaseState, { epoch, gateMs }: Lease, nowMs: number): void {
  const { since } = state
  if (since?.epoch === epoch && nowMs - since.arrivedAtMs <= SINCE_MAX_MS) return
  state.since = { epoch, gateMs, arrivedAtMs: nowMs }
}

/** Returns the time that has passed at least: less a guard and a thousandth, for clocks that read late and drift. */
export function sinceOf({ since }: LeaseState, nowMs: number): Since | null {
  if (!since) return null
  const elapsedMs = Math.floor((nowMs - since.arrivedAtMs) * (1 - DRIFT_SHARE)) - GUARD_MS
  return elapsedMs > 0 ? { epoch: since.epoch, gateMs: since.gateMs, elapsedMs } : null
}
