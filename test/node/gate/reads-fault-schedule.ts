/** How far the clocks of a run of the reads model are off. */

import type { Dice } from './discrete-events.ts'
import { type ClockFaults, lossOf, NO_LOSS } from './gate-clock.ts'

/** In half of the runs clocks are right; in the others they are off, of several isolates or of a lone one. */
export function clocksOf(dice: Dice, isolates: number): ClockFaults & { isolates: number; firstOffMs: number } {
  const right = { isolates, firstOffMs: 0, loss: NO_LOSS, gateAheadMaxMs: 50, gateLagMaxMs: 0 }
  const off = dice.oneOf([0, 3_000, 20_000, 300_000, 900_000]) * dice.oneOf([-1, 1])
  const lost = { ...right, loss: lossOf(dice) }
  return dice.oneOf([
    right,
    right,
    off < 0
      ? { ...lost, isolates: Math.max(3, right.isolates), firstOffMs: off }
      : { ...lost, firstOffMs: off, gateAheadMaxMs: dice.oneOf([50, 1_900]) },
    { ...lost, isolates: 1, firstOffMs: -dice.whole(1_500, 300_000) },
  ])
}
