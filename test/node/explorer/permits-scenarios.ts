/**
 * The scenarios of permits, policies, keys, clocks and the year. Each has only the powers that its rules are about, and time steps
 * at the edges of their deadlines: 950 ms is the life of a calm permit, 40 ms the latest that a clock is read, 6 s how far a
 * horizon lies ahead. A uniform step finds hardly any of it: a guard is worth a seventh of a permit, for 40 ms.
 *
 * `states` is how many there are. A scenario that shrinks has lost a step, and its rules are not tried any more.
 */

import type { PermitsScenario } from './permits-events.ts'

export interface Pinned<Scenario> {
  scenario: Scenario
  states: number
}

const TWO = [0, 0]

function scenario(
  name: string,
  of: Omit<PermitsScenario, 'name' | 'isolates'> & { isolates?: readonly number[] },
): PermitsScenario {
  return { isolates: TWO, ...of, name }
}

export const PERMITS: Pinned<PermitsScenario>[] = [
  {
    states: 2_121_245,
    scenario: scenario('plain', {
      policies: [{ rate: 4, burst: 2 }],
      ...{ asks: 4, wants: [2], admits: 4, ticks: 3, stepsMs: [250], asksTravel: true },
    }),
  },
  {
    states: 77_455,
    scenario: scenario('restart', {
      policies: [{ rate: 4, burst: 2 }],
      ...{ asks: 2, wants: [2], admits: 4, ticks: 3, stepsMs: [250], asksTravel: true, restarts: 1, writes: 1 },
    }),
  },
  {
    states: 795,
    scenario: scenario('writes', {
      policies: [{ rate: 4, burst: 2 }],
      ...{ asks: 1, wants: [2], admits: 2, ticks: 2, stepsMs: [250], restarts: 1, writes: 3 },
    }),
  },
  {
    states: 36_338,
    scenario: scenario('lower', {
      policies: [
        { rate: 4, burst: 4 },
        { rate: 4, burst: 2 },
      ],
      ...{ asks: 2, wants: [4], admits: 5, ticks: 2, stepsMs: [900, 150], asksTravel: true, changes: [2] },
    }),
  },
  {
    states: 4_462,
    scenario: scenario('edge', {
      policies: [{ rate: 4, burst: 2 }],
      ...{ asks: 2, wants: [2], admits: 3, lagsMs: [0, 40], ticks: 2, stepsMs: [985, 215], asksTravel: true },
    }),
  },
  {
    states: 162_023,
    scenario: scenario('horizon', {
      policies: [
        { rate: 1, burst: 2 },
        { rate: 1, burst: 2 },
      ],
      ...{ asks: 2, wants: [2], admits: 1, lagsMs: [0, 40], ticks: 3, stepsMs: [900, 5_000], restarts: 1 },
      ...{ aheadsMs: [0, 2_000], changes: [2] },
    }),
  },
  {
    states: 68_971,
    scenario: scenario('idle', {
      policies: [{ rate: 0.5, burst: 2 }],
      ...{ asks: 3, wants: [2], admits: 4, ticks: 2, stepsMs: [5_000, 3_150], restarts: 1 },
    }),
  },
  {
    states: 54_631,
    scenario: scenario('twice', {
      policies: [{ rate: 4, burst: 2 }],
      ...{ asks: 3, wants: [2], admits: 4, ticks: 1, stepsMs: [500], asksTravel: true, doubles: 1 },
    }),
  },
  {
    states: 8_930,
    scenario: scenario('full in between', {
      policies: [{ rate: 4, burst: 2 }],
      ...{ asks: 4, wants: [2], admits: 4, ticks: 1, stepsMs: [1_450] },
    }),
  },
  {
    states: 92_721,
    scenario: scenario('waste', {
      policies: [{ rate: 4, burst: 4 }],
      ...{ asks: 4, wants: [1, 4], admits: 5, ticks: 1, stepsMs: [1_200] },
    }),
  },
  {
    states: 25_543,
    scenario: scenario('revoke', {
      policies: [
        { rate: 4, burst: 2, keys: ['a', 'b'] },
        { rate: 4, burst: 2, keys: ['a'] },
        { rate: 4, burst: 2, keys: ['b'] },
      ],
      ...{ asks: 2, wants: [2], admits: 2, ticks: 2, stepsMs: [1_000], changes: [2, 3], keys: ['a', 'b'] },
      kept: { keys: true },
    }),
  },
  {
    states: 403_588,
    scenario: scenario('expiry', {
      policies: [{ rate: 4, burst: 4, keys: ['a', 'b'] }],
      ...{
        asks: 2,
        wants: [1],
        admits: 2,
        lagsMs: [0, 40],
        ticks: 3,
        stepsMs: [250, 290],
        asksTravel: true,
        restarts: 1,
      },
      ...{ keys: ['a', 'b'], keyLeftMs: 500, kept: { keys: true } },
    }),
  },
  {
    states: 132_814,
    scenario: scenario('busy', {
      policies: [{ rate: 4, burst: 2 }],
      ...{ asks: 3, wants: [2], admits: 4, ticks: 2, stepsMs: [250, 1_000], asksTravel: true, busy: 2 },
    }),
  },
  {
    states: 133_793,
    scenario: scenario('charge', {
      policies: [{ rate: 4, burst: 4 }],
      ...{ asks: 3, wants: [1, 3], admits: 2, ticks: 2, stepsMs: [900], charges: 2, chargePermits: 2 },
    }),
  },
  {
    states: 8_926,
    scenario: scenario('ahead', {
      policies: [{ rate: 4, burst: 4 }],
      isolates: [0, 3_000],
      ...{ asks: 3, wants: [4], admits: 5, ticks: 1, stepsMs: [500], kept: { clocks: true } },
    }),
  },
  {
    states: 129_047,
    scenario: scenario('lost time', {
      policies: [{ rate: 4, burst: 4 }],
      ...{
        asks: 3,
        wants: [4],
        admits: 5,
        ticks: 2,
        stepsMs: [500, 1_000],
        losses: 2,
        lossMs: 500,
        kept: { clocks: true },
      },
    }),
  },
  {
    states: 66_918,
    scenario: scenario('lost time and raise', {
      isolates: [0],
      policies: [
        { rate: 1, burst: 3 },
        { rate: 8, burst: 3 },
      ],
      ...{ asks: 2, wants: [3], admits: 2, ticks: 2, stepsMs: [100, 1_000], losses: 1, lossMs: 1_000, writes: 3 },
      ...{ changes: [2], kept: { clocks: true } },
    }),
  },
  {
    states: 95_583,
    scenario: scenario('lost time and lower', {
      policies: [
        { rate: 4, burst: 4 },
        { rate: 1, burst: 2 },
      ],
      ...{ asks: 3, wants: [4], admits: 3, ticks: 2, stepsMs: [2_000], losses: 1, lossMs: 2_000, changes: [2] },
      kept: { clocks: true },
    }),
  },
  {
    states: 118_961,
    scenario: scenario('slow reply', {
      isolates: [0],
      policies: [{ rate: 1, burst: 3 }],
      ...{
        asks: 3,
        wants: [3],
        admits: 3,
        ticks: 2,
        stepsMs: [2_000],
        asksTravel: true,
        writes: 3,
        kept: { clocks: true },
      },
    }),
  },
  {
    states: 15_800,
    scenario: scenario('late reading', {
      policies: [{ rate: 4, burst: 2 }],
      isolates: [0],
      asksTravel: true,
      ...{
        asks: 2,
        wants: [2],
        admits: 1,
        lagsMs: [0, 40],
        ticks: 2,
        stepsMs: [100, 115],
        writes: 2,
        kept: { clocks: true },
      },
    }),
  },
  {
    states: 49_403,
    scenario: scenario('gate that lost time restarts', {
      policies: [
        { rate: 1, burst: 2 },
        { rate: 1, burst: 2 },
      ],
      ...{
        asks: 2,
        wants: [2],
        admits: 1,
        ticks: 2,
        stepsMs: [5_000],
        losses: 2,
        lossMs: 5_000,
        restarts: 1,
        changes: [2],
      },
      ...{ aheadsMs: [0, 2_000], kept: { clocks: true } },
    }),
  },
  {
    states: 22_926,
    scenario: scenario('lone isolate minutes late', {
      policies: [
        { rate: 1, burst: 2 },
        { rate: 1, burst: 2 },
      ],
      isolates: [-120_000],
      ...{ asks: 2, wants: [2], admits: 1, ticks: 2, stepsMs: [6_000], gateAheadMs: -1_000, losses: 2, lossMs: 4_000 },
      ...{ restarts: 1, aheadsMs: [0, 100], changes: [2], kept: { clocks: true } },
    }),
  },
  {
    states: 148_214,
    scenario: scenario('gate finds time again', {
      policies: [
        { rate: 4, burst: 2 },
        { rate: 4, burst: 2 },
      ],
      ...{
        asks: 2,
        wants: [2],
        admits: 1,
        ticks: 3,
        stepsMs: [500, 2_000],
        losses: 1,
        lossMs: 2_000,
        gainMs: 1_990,
        changes: [2],
      },
      kept: { clocks: true },
    }),
  },
  {
    states: 176_160,
    scenario: scenario('clock goes back', {
      policies: [
        { rate: 4, burst: 2 },
        { rate: 4, burst: 2 },
      ],
      ...{
        asks: 2,
        wants: [2],
        admits: 3,
        ticks: 2,
        stepsMs: [985, 100],
        asksTravel: true,
        jumpMs: 5_000,
        changes: [2],
      },
      kept: { jumps: true },
    }),
  },
  {
    states: 38_997,
    scenario: scenario('year', {
      policies: [{ rate: 4, burst: 2 }],
      annualLimit: 2,
      ...{
        asks: 3,
        wants: [1],
        admits: 3,
        ticks: 1,
        stepsMs: [1_300],
        asksTravel: true,
        restarts: 1,
        kept: { year: true },
      },
    }),
  },
  {
    states: 23_644,
    scenario: scenario('wide year', {
      policies: [{ rate: 4, burst: 2 }],
      annualLimit: 1_000,
      ...{ asks: 2, wants: [2], admits: 2, ticks: 1, stepsMs: [1_300], restarts: 1, writes: 2, kept: { year: true } },
    }),
  },
]

/** Scenarios that are too large for `npm test`. */
const LARGE: Pinned<PermitsScenario>[] = [
  {
    states: 377_069,
    scenario: scenario('raise', {
      policies: [
        { rate: 1, burst: 2 },
        { rate: 8, burst: 8 },
      ],
      ...{
        asks: 2,
        wants: [8],
        admits: 3,
        ticks: 3,
        stepsMs: [1_000, 8_000],
        restarts: 1,
        changes: [2],
        asksTravel: true,
      },
    }),
  },
  {
    states: 347_421,
    scenario: scenario('policy', {
      policies: [
        { rate: 4, burst: 2 },
        { rate: 4, burst: 2 },
      ],
      ...{ asks: 2, wants: [1], admits: 1, ticks: 2, stepsMs: [500, 985], asksTravel: true, restarts: 1, changes: [2] },
      ...{ lagsMs: [0, 40], writes: 1 },
    }),
  },
  {
    states: 552_962,
    scenario: scenario('suspend', {
      policies: [
        { rate: 4, burst: 2 },
        { rate: 4, burst: 2, status: 'suspended' },
        { rate: 4, burst: 2 },
      ],
      ...{
        asks: 2,
        wants: [2],
        admits: 3,
        ticks: 2,
        stepsMs: [500, 600],
        asksTravel: true,
        changes: [2, 3],
        restarts: 1,
      },
    }),
  },
  {
    states: 906_358,
    scenario: scenario('lost time twice', {
      policies: [{ rate: 1, burst: 2 }],
      ...{ asks: 4, wants: [2], admits: 2, ticks: 2, stepsMs: [500, 1_000], losses: 1, lossMs: 1_000, writes: 2 },
      kept: { clocks: true },
    }),
  },
]

/** Returns a scenario of those above with larger bounds. */
function wider(name: string, bounds: Partial<PermitsScenario>): PermitsScenario {
  const pinned = [...PERMITS, ...LARGE].find(({ scenario }) => scenario.name === name) as Pinned<PermitsScenario>
  return { ...pinned.scenario, ...bounds, name: `${name}, wider` }
}

/** The scenarios that only `npm run soak` searches. */
export const SOAK: Pinned<PermitsScenario>[] = [
  ...LARGE,
  { states: 32_953_056, scenario: wider('plain', { ticks: 6 }) },
  { states: 999_390, scenario: wider('twice', { ticks: 3 }) },
  { states: 2_059_266, scenario: wider('restart', { asks: 3 }) },
  { states: 5_788_590, scenario: wider('waste', { asks: 5, ticks: 2 }) },
  { states: 7_363_679, scenario: wider('charge', { asks: 4, ticks: 3 }) },
  { states: 16_331_528, scenario: wider('busy', { asks: 4, ticks: 3 }) },
  { states: 10_770_600, scenario: wider('lost time', { asks: 4, ticks: 3 }) },
  { states: 3_922_347, scenario: wider('idle', { asks: 4, ticks: 3 }) },
  { states: 1_626_494, scenario: wider('expiry', { ticks: 4 }) },
  { states: 2_547_467, scenario: wider('suspend', { ticks: 3 }) },
  { states: 1_501_787, scenario: wider('raise', { ticks: 4, admits: 4 }) },
  { states: 5_825_404, scenario: wider('lower', { asks: 3, ticks: 3 }) },
  { states: 1_005_314, scenario: wider('clock goes back', { ticks: 3 }) },
]
