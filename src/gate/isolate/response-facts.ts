/**
 * The facts of one request that its response states in headers. The reader and the writer note them here, and
 * http/ reads them.
 */
import type { ReadSource } from '../../registry/ports.ts'
import type { LimitState } from '../protocol/writes.ts'
import { type LeaseState, remaining, resetMs } from './lease-state.ts'

export class ResponseFacts {
  /** The place that the last read of customers was answered from; null before one. */
  source: ReadSource | null = null
  /** The token of the write that this request made; null when it made none. */
  consistencyToken: string | null = null
  /** True when the result is the one that an earlier request with the same idempotency key got. */
  replayed = false
  /** The limits as the gate stated them with a write; null when the request made none. */
  gateLimits: LimitState | null = null
  readonly #lease: LeaseState
  readonly #clock: () => number

  constructor(lease: LeaseState, clock: () => number) {
    this.#lease = lease
    this.#clock = clock
  }

  /** Returns the state of the rate limit as of now; null before the first lease. */
  limits(): LimitState | null {
    if (this.gateLimits) return this.gateLimits
    const lease = this.#lease
    if (!lease.policy) return null
    const nowMs = this.#clock()
    return { policy: lease.policy, remaining: remaining(lease, nowMs), fullInMs: resetMs(lease, nowMs) }
  }
}
