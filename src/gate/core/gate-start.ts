/** The state of a gate at its start, derived from the stored rows of the start before it. Pure. */

import { CLOCK_SLACK_MS, GUARD_MS, POLICY_TTL_MS } from '../protocol/constants.ts'
import type { LoadedRow, StateRow } from './gate-storage.ts'
import { LeaseWaits } from './lease-waits.ts'
import { Bucket, type Limits } from './token-bucket.ts'

export class GateStart {
  readonly epoch: number
  readonly horizonMs: number
  /** Tracks until when leases of earlier starts may live. */
  readonly waits: LeaseWaits
  /** No write begins earlier, because leases may name another database: those that the gate gave before it learnt of a move. */
  readonly writesOpenAtMs: number
  readonly #nowMs: number
  readonly #ranBefore: boolean
  /** How long before this start the last of those leases had ended; null when it had not. */
  readonly #idleMs: number | null

  /** `state` is null for a gate that has never granted anything, `loaded` for one that never had a policy. */
  constructor(state: StateRow | null, loaded: LoadedRow | null, nowMs: number) {
    this.#nowMs = nowMs
    this.#ranBefore = state !== null
    // Isolates go by the higher epoch; the clock keeps it rising even if the stored one was lost.
    this.epoch = Math.max((state?.epoch ?? 0) + 1, nowMs)
    this.horizonMs = state?.horizonMs ?? 0
    const aliveMs = state ? Math.min(POLICY_TTL_MS, state.horizonMs + CLOCK_SLACK_MS - nowMs) : 0
    this.waits = new LeaseWaits(aliveMs > 0 ? nowMs + aliveMs : null)
    this.#idleMs = state && aliveMs <= 0 ? -aliveMs : null
    this.writesOpenAtMs = (loaded?.movedAtMs ?? Number.NEGATIVE_INFINITY) + POLICY_TTL_MS + GUARD_MS + CLOCK_SLACK_MS
  }

  /** Returns the bucket as it is at least, whatever was spent before the start. */
  bucket(limits: Limits): Bucket {
    const nowMs = this.#nowMs
    if (!this.#ranBefore) return new Bucket(limits, nowMs)
    if (this.#idleMs !== null) return Bucket.afterIdle(limits, nowMs, this.#idleMs)
    return Bucket.afterRestart(limits, nowMs, this.waits.earlierMs(nowMs))
  }
}
