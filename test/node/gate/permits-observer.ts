/**
 * The observer: sees every admission anywhere at the moment it happens, and every change when it returns. Judges C1 and
 * C2.
 */

import type { Policy } from '../../../src/gate/protocol/leases.ts'
import { Meter } from './discrete-events.ts'
import { LAG_MAX_MS } from './permits-fault-schedule.ts'

/** Once for the refill, once for the expiry of permits that isolates with late clocks still spend. */
const GATE_LAG_WEIGHT = 2
const VIOLATIONS_KEPT_MAX = 5

export class Observer {
  admissions = 0
  readonly violations: string[] = []
  readonly #clock: () => number
  readonly #startMs: number
  readonly #gateIsLate: boolean
  readonly #meter: Meter
  readonly #keysOf = new Map<number, Set<string>>()
  #rateMax = 0
  /** The newest version whose change has been answered. */
  #answered = 1
  #newest = 1

  constructor(policy: Policy, gateIsLate: boolean, clock: () => number) {
    this.#clock = clock
    this.#startMs = clock()
    this.#gateIsLate = gateIsLate
    this.#meter = new Meter(policy.ratePerSecond, policy.burst, this.#startMs)
  }

  /** Records a change that the gate has accepted. The change is in force after `waitMs`. */
  changed(policy: Policy, keys: readonly string[], waitMs: number): void {
    this.#meter.change(policy.ratePerSecond, policy.burst, waitMs, this.#clock())
    this.#keysOf.set(policy.version, new Set(keys))
    this.#newest = Math.max(this.#newest, policy.version)
    this.#rateMax = Math.max(this.#rateMax, policy.ratePerSecond)
  }

  answered(version: number): void {
    this.#answered = Math.max(this.#answered, version)
  }

  admitted(version: number, credential: string | null, where: string): void {
    this.admissions++
    this.#meter.admit(this.#clock())
    // A gate that reads its clock late sees an interval as longer than it is: that error of measurement, and no more.
    const clockError = this.#gateIsLate ? (GATE_LAG_WEIGHT * LAG_MAX_MS * this.#rateMax) / 1_000 : 0
    if (this.#meter.excess > clockError + 1e-6) this.violated(`C1: ${this.#meter.excess.toFixed(2)} permits too many`)
    if (version < this.#answered) {
      this.violated(`C2: admitted ${where} under version ${version}, ${this.#answered} answered`)
    }
    if (credential === null) return
    for (let known = version; known <= this.#newest; known++) if (this.#keysOf.get(known)?.has(credential)) return
    this.violated(`C2: ${credential} admitted under version ${version}, which had revoked it`)
  }

  violated(what: string): void {
    if (this.violations.length < VIOLATIONS_KEPT_MAX) {
      this.violations.push(`${what} at ${this.#clock() - this.#startMs} ms`)
    }
  }
}
