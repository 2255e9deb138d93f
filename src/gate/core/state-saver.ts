/**
 * Stores the state row of a gate: the horizon, and with it the counts gathered since the row before. A lease that
 * outlives the horizon is granted only after the row is stored, so a busy gate stores one row each few seconds. Pure.
 */
import { HORIZON_AHEAD_MS, POLICY_TTL_MS } from '../protocol/constants.ts'
import type { AnnualCount } from './annual-count.ts'
import type { GateStart } from './gate-start.ts'
import type { GateStorage } from './gate-storage.ts'
import type { WriteLog } from './write-log.ts'

export class StateSaver {
  readonly #storage: GateStorage
  readonly #log: WriteLog
  readonly #annual: AnnualCount
  readonly #epoch: number
  #isEpochStored = false
  #horizonMs: number
  #saves = 0

  constructor(storage: GateStorage, { epoch, horizonMs }: GateStart, log: WriteLog, annual: AnnualCount) {
    this.#storage = storage
    this.#log = log
    this.#annual = annual
    this.#epoch = epoch
    this.#horizonMs = horizonMs
  }

  /** How often this start of the gate has stored the row. Requests counted since the last time are not in it. */
  get saves(): number {
    return this.#saves
  }

  /** Stores the row if a lease that is granted now would outlive the stored horizon, or if it must be `atOnce`. */
  saveIfDue(atOnce: boolean, wallMs: number): void {
    if (this.#isEpochStored && !atOnce && wallMs + POLICY_TTL_MS <= this.#horizonMs) return
    this.#save(wallMs + HORIZON_AHEAD_MS, wallMs)
  }

  /** Stores the row, with a horizon that is not before now: a later start must not assume a longer idle time. */
  saveFromNow(wallMs: number): void {
    this.#save(Math.max(this.#horizonMs, wallMs), wallMs)
  }

  /** Stores the counts. The horizon stays. */
  saveCounts(wallMs: number): void {
    this.#save(this.#horizonMs, wallMs)
  }

  #save(horizonMs: number, wallMs: number): void {
    this.#horizonMs = horizonMs
    this.#isEpochStored = true
    this.#saves++
    this.#log.open(wallMs)
    const annual = this.#annual.save(this.#log.ledger.seq, wallMs)
    this.#storage.saveState({ epoch: this.#epoch, horizonMs, annual })
  }
}
