/**
 * Decides how many permits one request for a lease gets, for how long, and when that isolate may request again.
 * Exactness does not depend on it: the bucket grants what it has and no more. It gives permits to isolates that will
 * spend them, and bounds the gate's own load.
 */

import {
  CALM_BONUS_SHARE,
  CALM_SHARE,
  LEASE_REQUESTS_PER_SECOND_MAX,
  PERMIT_TTL_CALM_MS,
  PERMIT_TTL_STRICT_MS,
  permitTtlMs,
  RETRY_MAX_MS,
  RETRY_MIN_MS,
} from '../protocol/constants.ts'
import type { Limits } from './token-bucket.ts'

/** Demand and requests for leases are measured over about this time. */
const MEASURE_MS = 1_000
/** Longest back-off of a denied isolate, however low the limit. */
const DENIED_BACKOFF_MAX_MS = 250
const PACE_MAX_MS = 1_000
/** A saturated isolate refuses by itself, so requests more frequent than this gain little. */
const SATURATED_PACE_MS = 100
/** A small limit does not justify many requests for leases, but every tenant gets this many a second. */
const LEASE_REQUESTS_PER_SECOND_MIN = 20
const LEASE_REQUESTS_PER_PERMIT_MAX = 2.5

export interface PermitRequest {
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

/** The size of a grant to a tenant that gets no permits, whatever its bucket holds. */
export const NO_GRANT: Size = { permits: 0, ttlMs: 0, saturated: false, fraction: 1, backoffMs: 0 }

export class Sizing {
  #random: () => number
  #atMs: number
  #demand = 0
  #leaseRequests = 0
  #paceMs = 0

  /** `random` in [0, 1) rounds fair shares without bias. */
  constructor(random: () => number, nowMs: number) {
    this.#random = random
    this.#atMs = nowMs
  }

  get leaseRequestsPerSecond(): number {
    return this.#leaseRequests
  }

  /** Counts `requests` of demand, and one request for a lease when an isolate sent them. */
  observe(requests: number, isLeaseRequest: boolean, limits: Limits, nowMs: number): void {
    const elapsedMs = Math.max(0, nowMs - this.#atMs)
    const decay = Math.exp(-elapsedMs / MEASURE_MS)
    this.#demand = this.#demand * decay + requests
    this.#leaseRequests = this.#leaseRequests * decay + (isLeaseRequest ? 1 : 0)
    this.#atMs = nowMs
    if (!isLeaseRequest) return
    const budget = Math.min(
      LEASE_REQUESTS_PER_SECOND_MAX,
      Math.max(LEASE_REQUESTS_PER_SECOND_MIN, LEASE_REQUESTS_PER_PERMIT_MAX * limits.ratePerSecond),
    )
    const pressure = this.#leaseRequests / budget
    this.#paceMs =
      pressure <= 0.8
        ? 0
        : Math.min(
            PACE_MAX_MS,
            Math.max(this.#paceMs, 5) * (1 + (pressure - 1) * Math.min(0.1, elapsedMs / MEASURE_MS)),
          )
  }

  /** Sizes one grant out of `available` permits. */
  size(request: PermitRequest, available: number, limits: Limits): Size {
    const { ratePerSecond, burst } = limits
    const ttlMs = permitTtlMs(ratePerSecond, burst)
    // The content of the bucket if every granted permit comes back at the end of its life.
    const swing = Math.max(1, burst - (ratePerSecond * ttlMs) / 1_000)
    const fraction = Math.min(1, ratePerSecond / Math.max(this.#demand, 1e-9))
    const saturated = this.#demand > ratePerSecond && available < 0.5 * swing
    const plenty = Math.min(4, Math.max(0.1, available / (0.25 * swing)))
    const share = saturated
      ? this.#round(Math.min(1, plenty * fraction) * Math.max(request.counted, request.waiting))
      : request.want
    let permits = Math.min(request.want, available, share)

    const calm =
      !saturated &&
      request.want > 0 &&
      permits === request.want &&
      this.#demand < CALM_SHARE * ratePerSecond &&
      available > 0.5 * burst
    if (calm) permits = Math.min(available, permits + Math.floor(CALM_BONUS_SHARE * available))
    const life = calm
      ? PERMIT_TTL_CALM_MS
      : request.want === request.waiting
        ? Math.min(ttlMs, PERMIT_TTL_STRICT_MS)
        : ttlMs

    let backoffMs = permits < request.want ? Math.max(this.#paceMs, saturated ? SATURATED_PACE_MS : 0) : 0
    if (permits === 0 && request.want > 0)
      backoffMs = Math.max(backoffMs, Math.min(DENIED_BACKOFF_MAX_MS, 500 / ratePerSecond))
    return { permits, ttlMs: life, saturated, fraction, backoffMs }
  }

  /** Returns how long an isolate leaves a busy gate alone. It is random, so that isolates do not return together. */
  busyBackoffMs(): number {
    return RETRY_MIN_MS + this.#random() * (RETRY_MAX_MS - RETRY_MIN_MS)
  }

  #round(amount: number): number {
    const whole = Math.floor(amount)
    return whole + (this.#random() < amount - whole ? 1 : 0)
  }
}
