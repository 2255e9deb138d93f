/**
 * Tracks how long leases may still be alive somewhere. A change of policy and a strong write wait for that long. Pure;
 * `nowMs` is the gate's own clock.
 */
import { CATCH_UP_MAX_MS, GUARD_MS, POLICY_TTL_MS } from '../protocol/constants.ts'

export class LeaseWaits {
  /** Until when a lease of an earlier start of the gate may live. */
  #earlierUntilMs: number
  /** Per policy version, until when the last lease under it may live. */
  #leasedUntilMs = new Map<number, number>()

  /** `earlierUntilMs` is null when no lease of an earlier start lives. */
  constructor(earlierUntilMs: number | null) {
    this.#earlierUntilMs = earlierUntilMs ?? Number.NEGATIVE_INFINITY
  }

  /** Notes that a lease was granted under this version of the policy. */
  granted(version: number, nowMs: number): void {
    this.#leasedUntilMs.set(version, nowMs + POLICY_TTL_MS)
  }

  /** Returns for how long leases of an earlier start may still live. */
  earlierMs(nowMs: number): number {
    return Math.max(0, this.#earlierUntilMs - nowMs)
  }

  /** Returns how long to wait until no lease is alive that was given before now. */
  allMs(nowMs: number): number {
    return waitMs(Math.max(this.#earlierUntilMs, ...this.#leasedUntilMs.values()), nowMs)
  }

  /** Returns how long to wait until no lease under an older version than this is alive. */
  olderMs(version: number, nowMs: number): number {
    let untilMs = this.#earlierUntilMs
    for (const [leased, leasedUntilMs] of this.#leasedUntilMs) {
      if (leased < version) untilMs = Math.max(untilMs, leasedUntilMs)
      if (waitMs(leasedUntilMs, nowMs) === 0) this.#leasedUntilMs.delete(leased)
    }
    return waitMs(untilMs, nowMs)
  }
}

/**
 * Returns the whole life of a lease instead of the rest, and also when the lease seems to have ended just now: the
 * gate's clock may have caught up lost time since it granted the lease.
 */
function waitMs(untilMs: number, nowMs: number): number {
  return untilMs + CATCH_UP_MAX_MS > nowMs ? POLICY_TTL_MS + GUARD_MS : 0
}
