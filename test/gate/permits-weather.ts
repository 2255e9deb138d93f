/** What the permits model throws at the gate: the weather of a run, the policies it changes to, and how far clocks are off. */

import type { Policy } from '../../src/gate/protocol.ts'
import type { Dice } from './discrete-events.ts'

/** How late a clock may read. */
export const LAG_MAX_MS = 40

/** The weather of one run. A rate of 0 means never. */
export interface Weather {
  isolates: number
  runMs: number
  loadPerMs: number
  delayMaxMs: number
  lossShare: number
  doubleShare: number
  restartEveryMs: number
  deathEveryMs: number
  changeEveryMs: number
  writeEveryMs: number
  sleepEveryMs: number
  wasteEveryMs: number
  /** Isolates that ask for more than they need; what they do with it is `habits`. */
  greedyShare: number
  habits: readonly Habit[]
  /** The gate's own clock reads late by up to this. */
  gateLagMaxMs: number
}

/** The greedy spend at the last moment their clock allows, or ask and report all the time, or keep quiet. */
export type Habit = 'late' | 'asking' | 'quiet'

const FAIR: Partial<Weather> = {
  lossShare: 0,
  doubleShare: 0,
  restartEveryMs: 0,
  deathEveryMs: 0,
  changeEveryMs: 0,
  writeEveryMs: 0,
  sleepEveryMs: 0,
  wasteEveryMs: 0,
  gateLagMaxMs: 0,
}

/** Half of the runs are everything at once; the others have one thing only, for what hides in a storm. */
export function weatherOf(dice: Dice, policy: Policy): Weather {
  const storm: Weather = {
    isolates: dice.whole(1, 8),
    runMs: dice.whole(4_000, 18_000),
    loadPerMs: (policy.ratePerSecond / 1_000) * dice.oneOf([0.2, 0.6, 1, 1.5, 3, 6]),
    delayMaxMs: dice.oneOf([2, 10, 60, 250, 600]),
    lossShare: dice.oneOf([0, 0.03, 0.15]),
    doubleShare: dice.oneOf([0, 0.05, 0.2]),
    restartEveryMs: dice.oneOf([0, 0, 9_000, 4_000, 1_500]),
    deathEveryMs: dice.oneOf([0, 0, 3_000]),
    changeEveryMs: dice.oneOf([0, 0, 2_500, 800]),
    writeEveryMs: dice.oneOf([0, 300, 40]),
    sleepEveryMs: dice.oneOf([0, 0, 4_000]),
    wasteEveryMs: dice.oneOf([0, 0, 3_000]),
    greedyShare: dice.oneOf([0, 0.3, 0.6]),
    habits: ['late', 'asking', 'quiet'],
    gateLagMaxMs: dice.chance(0.2) ? LAG_MAX_MS : 0,
  }
  const near = dice.oneOf([2, 10])
  return dice.oneOf<() => Weather>([
    () => storm,
    () => storm,
    () => storm,
    () => storm,
    () => ({ ...storm, ...FAIR, delayMaxMs: near, wasteEveryMs: 2_500, greedyShare: 0.5, habits: ['quiet'] }),
    () => ({ ...storm, ...FAIR, delayMaxMs: near, greedyShare: 0.7, habits: ['late', 'asking'], doubleShare: 0.2 }),
    () => ({ ...storm, ...FAIR, delayMaxMs: near, sleepEveryMs: 2_500, writeEveryMs: dice.oneOf([0, 40]) }),
    () => ({ ...storm, ...FAIR, changeEveryMs: 900, greedyShare: 0.5, habits: ['late', 'quiet'] }),
  ])()
}

export function policyOf(dice: Dice, version: number, annualLimit: number | null): Policy {
  const ratePerSecond = dice.oneOf([5, 10, 40, 100, 200, 1_000, 1_000])
  return {
    version,
    tier: 'custom',
    status: version > 1 && dice.chance(0.15) ? 'suspended' : 'active',
    ratePerSecond,
    burst: Math.max(2, Math.round(ratePerSecond * dice.oneOf([0.3, 1, 2, 2, 3]))),
    annualLimit,
    contractStart: '2025-03-01',
  }
}
