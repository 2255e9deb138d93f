/**
 * The time of day at a gate: its own clock, corrected by the clocks of others. A Durable Object's clock may lose time
 * permanently and is right again after a restart. So everything that outlives the gate, or belongs to a calendar, uses
 * this time.
 *
 * Nothing inside one life of a gate may use it: moving a clock forward refills a bucket that was full already, and
 * counts live permits as expired. Pure.
 */
import { CLOCK_LEAD_MAX_MS, FLIGHT_MAX_MS } from '../protocol/constants.ts'

/** Isolates whose delay is remembered. A dropped one is measured again. */
const ISOLATES_MAX = 1_000

/** The sender of a message and its clock. `isolate` is the id of its tally; null for a sender that holds no lease. */
export interface Sender {
  sentAtMs: number
  isolate: string | null
}

export class WallClock {
  /** How far the own clock is known to be behind. Only rises. */
  #lostMs = 0
  /** How late each isolate's clock was at its first message. */
  #behindMs = new Map<string, number>()

  /**
   * Takes a sender's clock. An isolate that is late at its first message stays late by that much: from then on only
   * the time that passes on its clock counts. So an isolate that is minutes behind still shows what the gate's clock
   * loses.
   */
  observe({ sentAtMs, isolate }: Sender, ownMs: number): void {
    const aheadMs = sentAtMs + (isolate === null ? 0 : this.#behind(isolate, sentAtMs, ownMs)) - ownMs
    this.#lostMs = Math.max(this.#lostMs, Math.min(aheadMs, CLOCK_LEAD_MAX_MS))
  }

  /** Returns the time of day when the own clock shows `ownMs`. */
  at(ownMs: number): number {
    return ownMs + this.#lostMs
  }

  #behind(isolate: string, sentAtMs: number, ownMs: number): number {
    const known = this.#behindMs.get(isolate)
    if (known !== undefined) return known
    // A message that travelled for longer would request a lease that is dead when it arrives.
    const behindMs = Math.max(0, this.at(ownMs) - sentAtMs - FLIGHT_MAX_MS)
    this.#behindMs.set(isolate, behindMs)
    const [oldest] = this.#behindMs.keys()
    if (this.#behindMs.size > ISOLATES_MAX && oldest !== undefined) this.#behindMs.delete(oldest)
    return behindMs
  }
}
