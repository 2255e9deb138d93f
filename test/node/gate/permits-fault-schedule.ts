/**
 * The fault schedules of the permits model: the faults of a run, the policies it changes to, and the errors of clocks.
 */

import type { Policy } from '../../../src/gate/protocol/leases.ts'
import type { Dice } from './discrete-events.ts'
import { type ClockFaults, lossOf, NO_LOSS } from './gate-clock.ts'

/** The most by which a clock may read late. */
export const LAG_MAX_MS = 40

/** The fault schedule of one run. A rate of 0 means never. */
export interface FaultSchedule extends ClockFaults {
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
  /** The share of isolates that request more permits than they need; `habits` is what they do with them. */
  greedyShare: number
  habits: readonly Habit[]
  /** All permits are out when the gate crashes, and a change of policy follows. */
  crashEveryMs: number
  /** The error of the first isolate's clock; those of the others are right to within ISOLATES_APART_MS. */
  firstIsolateOffMs: number
}

export const ISOLATES_APART_MS = 50
/** A start that ends earlier than some 8 s after its clock lost time is covered by the horizon of its first second. */
const LONG_LIFE_MS = 10_000

/** The greedy spend at the last moment their clock allows, or ask and report all the time, or keep quiet. */
export type Habit = 'late' | 'asking' | 'quiet'

const FAIR: Partial<FaultSchedule> = {
  lossShare: 0,
  doubleShare: 0,
  restartEveryMs: 0,
  deathEveryMs: 0,
  changeEveryMs: 0,
  writeEveryMs: 0,
  sleepEveryMs: 0,
  wasteEveryMs: 0,
  crashEveryMs: 0,
  gateLagMaxMs: 0,
}

/** In half of the runs clocks are right; in the others they are off, of several isolates or of a lone one. */
export function faultScheduleOf(dice: Dice, policy: Policy): FaultSchedule {
  const faults = quietClocksOf(dice, policy)
  return dice.oneOf([() => faults, () => faults, () => mixedClocks(dice, faults), () => loneIsolate(dice, faults)])()
}

/** The gate loses time, and one isolate may be minutes off either way. */
function mixedClocks(dice: Dice, faults: FaultSchedule): FaultSchedule {
  const firstIsolateOffMs = dice.oneOf([0, 3_000, 20_000, 300_000, 900_000]) * dice.oneOf([-1, 1])
  return {
    ...faults,
    isolates: Math.max(faults.isolates, firstIsolateOffMs < 0 ? 3 : 1),
    loss: lossOf(dice),
    gateLagMaxMs: 0,
    gateAheadMaxMs: firstIsolateOffMs < 0 ? faults.gateAheadMaxMs : dice.oneOf([faults.gateAheadMaxMs, 1_000]),
    firstIsolateOffMs,
    restartEveryMs: dice.oneOf([faults.restartEveryMs, LONG_LIFE_MS]),
    crashEveryMs: dice.oneOf([0, LONG_LIFE_MS]),
  }
}

/**
 * Returns faults in which the gate loses time and the only isolate is late, so that the gate never sees a right clock.
 */
function loneIsolate(dice: Dice, faults: FaultSchedule): FaultSchedule {
  return {
    ...faults,
    isolates: 1,
    runMs: faults.runMs + 2 * LONG_LIFE_MS,
    deathEveryMs: 0,
    loss: { ...lossOf(dice), jumpMaxMs: dice.oneOf([10_000, 300_000]) },
    gateLagMaxMs: 0,
    firstIsolateOffMs: -dice.whole(1_500, dice.oneOf([5_000, 300_000])),
    restartEveryMs: dice.oneOf([0, 0, LONG_LIFE_MS]),
    sleepEveryMs: 0,
    changeEveryMs: 0,
    crashEveryMs: LONG_LIFE_MS,
    loadPerMs: Math.max(faults.loadPerMs, 0.1),
    greedyShare: 0.5,
  }
}

/** Half of the runs are everything at once; the others have one thing only, for what hides in a storm. */
function quietClocksOf(dice: Dice, policy: Policy): FaultSchedule {
  const storm: FaultSchedule = {
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
    crashEveryMs: 0,
    gateLagMaxMs: dice.chance(0.2) ? LAG_MAX_MS : 0,
    loss: NO_LOSS,
    gateAheadMaxMs: 50,
    firstIsolateOffMs: 0,
  }
  const near = dice.oneOf([2, 10])
  return dice.oneOf<() => FaultSchedule>([
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
    burst: Math.max(2, Math.round(ratePerSecond * dice.oneOf([0.3, 1, 2, 3, 5]))),
    annualLimit,
    contractStart: '2025-03-01',
  }
}
