/**
 * How much one ask gets, for how long, and when that isolate may ask again. Nothing here touches exactness: the bucket
 * grants what it has and no more. This is only about giving permits to those who will spend them, and about
 * keeping the gate's own load bounded.
 */

import type { Limits } from './bucket.ts'
import {
  ASKS_PER_SECOND_MAX,
  CALM_BONUS_SHARE,
  CALM_SHARE,
  PERMIT_TTL_CALM_MS,
  PERMIT_TTL_STRICT_MS,
  permitTtlMs,
} from './constants.ts'

/** Demand and asks are measured over about this long. */
const MEASURE_MS = 1_000
/** A denied isolate may ask again after this at the latest, however low the limit. */
const DENIED_BACKOFF_MAX_MS = 250
const PACE_MAX_MS = 1_000
/** A saturated isolate refuses without asking, so little is gained by asking more often than this. */
const SATURATED_PACE_MS = 100
/** A small limit is not worth many asks, yet a tenant of any size gets this many a second. */
const ASKS_PER_SECOND_MIN = 20
const ASKS_PER_PERMIT_MAX = 2.5

export interface Ask {
  want: number
  waiting: number
  counted: number
}

export interface Size {
  permits: number
  ttlMs: number
  saturated: boolean
  /** Share of the demand that the limit can carry. */
  fraction: number
  backoffMs: number
}

export class Sizing {
  #random: () => number
  #atMs: number
  #demand = 0
  #asks = 0
  #paceMs = 0

  /** `random` in [0, 1) rounds fair shares fairly. */
  constructor(random: () => number, nowMs: number) {
    this.#random = random
    this.#atMs = nowMs
  }

  get asksPerSecond(): number {
    return this.#asks
  }

  /** Counts `requests` of demand, and one ask when an isolate brought them. */
  observe(requests: number, asked: boolean, limits: Limits, nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - this.#atMs)
    const decay = Math.exp(-elapsedMs / MEASURE_MS)
    this.#demand = this.#demand * decay + requests
    this.#asks = this.#asks * decay + (asked ? 1 : 0)
    this.#atMs = nowMs
    if (!asked) return
    const budget = Math.min(
      ASKS_PER_SECOND_MAX,
      Math.max(ASKS_PER_SECOND_MIN, ASKS_PER_PERMIT_MAX * limits.ratePerSecond),
    )
    const pressure = this.#asks / budget
    this.#paceMs =
      pressure <= 0.8
        ? 0
        : Math.min(
            PACE_MAX_MS,
            Math.max(this.#paceMs, 5) * (1 + (pressure - 1) * Math.min(0.1, elapsedMs / MEASURE_MS)),
          )
  }

  /** Sizes one grant out of `available` permits. */
  size(ask: Ask, available: number, limits: Limits): Size {
    const { ratePerSecond, burst } = limits
    const ttlMs = permitTtlMs(ratePerSecond, burst)
    // What the bucket holds when every permit given out comes back at the end of its life.
    const swing = Math.max(1, burst - (ratePerSecond * ttlMs) / 1_000)
    const fraction = Math.min(1, ratePerSecond / Math.max(this.#demand, 1e-9))
    const saturated = this.#demand > ratePerSecond && available < 0.5 * swing
    const plenty = Math.min(4, Math.max(0.1, available / (0.25 * swing)))
    const share = saturated
      ? this.#round(Math.min(1, plenty * fraction) * Math.max(ask.counted, ask.waiting))
      : ask.want
    let permits = Math.min(ask.want, available, share)

    const calm =
      !saturated && permits === ask.want && this.#demand < CALM_SHARE * ratePerSecond && available > 0.5 * burst
    if (calm) permits = Math.min(available, permits + Math.floor(CALM_BONUS_SHARE * available))
    const life = calm ? PERMIT_TTL_CALM_MS : ask.want === ask.waiting ? Math.min(ttlMs, PERMIT_TTL_STRICT_MS) : ttlMs

    let backoffMs = permits < ask.want ? Math.max(this.#paceMs, saturated ? SATURATED_PACE_MS : 0) : 0
    if (permits === 0) backoffMs = Math.max(backoffMs, Math.min(DENIED_BACKOFF_MAX_MS, 500 / ratePerSecond))
    return { permits, ttlMs: life, saturated, fraction, backoffMs }
  }

  #round(amount: number): number {
    const whole = Math.floor(amount)
    return whole + (this.#random() < amount - whole ? 1 : 0)
  }
}
