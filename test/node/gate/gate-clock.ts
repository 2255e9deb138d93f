/**
 * The clock of a modelled gate. A Durable Object's clock may lose the CPU time that the object uses, for good, and be
 * right again after a restart; every start may be on another machine, whose clock says something else.
 */
import type { Agenda, Dice } from './discrete-events.ts'

export interface ClockLoss {
  /** Share of the time that is lost, in spells of up to `spellMaxMs`. */
  share: number
  spellMaxMs: number
  /** After half of the starts so much is lost at once. 0: never. */
  jumpMaxMs: number
  /** May be lost before the gate is reached by the first isolate whose clock counts. */
  unobservedMaxMs: number
}

export interface ClockFaults {
  loss: ClockLoss
  /** At a start the clock is ahead by up to this, or behind by up to BEHIND_MAX_MS. */
  gateAheadMaxMs: number
  /** Reads late by up to this, for a moment. */
  gateLagMaxMs: number
}

export const NO_LOSS: ClockLoss = { share: 0, spellMaxMs: 1, jumpMaxMs: 0, unobservedMaxMs: 0 }
const BEHIND_MAX_MS = 50
const JUMP_MIN_MS = 1_200

export function lossOf(dice: Dice): ClockLoss {
  return {
    share: dice.oneOf([0, 0.1, 0.4, 0.8]),
    spellMaxMs: dice.oneOf([2, 20, 200, 1_000]),
    jumpMaxMs: dice.oneOf([0, 5_000, 60_000, 300_000]),
    unobservedMaxMs: dice.oneOf([0, 1_000]),
  }
}

export class GateClock {
  readonly #agenda: Agenda
  readonly #dice: Dice
  readonly #faults: ClockFaults
  #aheadMs = 0
  #lostMs = 0
  #jumpMs = 0
  #isObserved = false

  constructor(agenda: Agenda, dice: Dice, faults: ClockFaults) {
    this.#agenda = agenda
    this.#dice = dice
    this.#faults = faults
  }

  /** The gate starts: whatever was lost is there again. Returns what `create` makes of the time it shows. */
  start<Gate>(create: (nowMs: number) => Gate): Gate {
    const { gateAheadMaxMs, loss } = this.#faults
    this.#aheadMs = this.#dice.whole(-BEHIND_MAX_MS, gateAheadMaxMs)
    this.#lostMs = 0
    this.#isObserved = false
    const gate = create(this.now())
    this.#lostMs = this.#dice.whole(0, loss.unobservedMaxMs)
    this.#jumpMs = loss.jumpMaxMs > 0 && this.#dice.chance(0.5) ? this.#dice.whole(JUMP_MIN_MS, loss.jumpMaxMs) : 0
    return gate
  }

  now(): number {
    return this.#agenda.nowMs + this.#aheadMs - this.#lostMs - this.#dice.whole(0, this.#faults.gateLagMaxMs)
  }

  /** An isolate whose clock counts has reached the gate: from now on it may lose more than it was allowed to before. */
  wasObserved(): void {
    this.#isObserved = true
    this.#lostMs += this.#jumpMs
    this.#jumpMs = 0
  }

  /** How often `compute` happens, on average every so many milliseconds; 0: never. */
  get computesEveryMs(): number {
    const { share, spellMaxMs } = this.#faults.loss
    return share && spellMaxMs / 2 / share
  }

  /** The gate computes for a while, and its clock does not show it. */
  compute(): void {
    if (this.#isObserved) this.#lostMs += this.#dice.whole(1, this.#faults.loss.spellMaxMs)
  }
}
