/**
 * The scenarios of writes and cached reads. Each has only the powers that its rules are about. `states` is how many there are.
 */

import type { Edit } from '../gate/mutations.ts'
import { LOG_OF_ONE } from '../gate/mutations-of-reads.ts'
import type { Pinned } from './permits-scenarios.ts'
import type { ReadsScenario } from './reads-events.ts'

/** A view with one place, and filters of one change: what happens to a thousand customers happens to the second one. */
const ONE_PLACE: readonly Edit[] = [
  { file: 'changes.ts', find: 'const FEW_MAX = 96', replace: 'const FEW_MAX = 0' },
  { file: 'changes.ts', find: 'const SETS = 256', replace: 'const SETS = 1' },
  { file: 'changes.ts', find: 'const PLACES = 4', replace: 'const PLACES = 1' },
  { file: 'changes.ts', find: 'const FILTER_CHANGES = 2_048', replace: 'const FILTER_CHANGES = 1' },
  { file: 'changes.ts', find: 'const FILTER_BITS = 16_384', replace: 'const FILTER_BITS = 64' },
]
const ONE_FILTER: Edit = { file: 'changes.ts', find: 'const FILTERS_MAX = 6', replace: 'const FILTERS_MAX = 1' }
/** A gate that knows the lists and the customer that changed last. */
const ONE_CHANGE: readonly Edit[] = [
  { file: 'constants.ts', find: 'export const CHANGES_KEPT = 2_048', replace: 'export const CHANGES_KEPT = 2' },
]
const TWO_CUSTOMERS = {
  ...{ asks: 2, writes: 1, otherWrites: 1, wholeWrites: true, reads: 2, ticks: 1, stepsMs: [1_050], strong: true },
}

const MOVED = { asks: 2, reads: 1, ticks: 2, stepsMs: [1_050], tokens: true, moves: 1 }

export const READS: (Pinned<ReadsScenario> & { edits?: readonly Edit[] })[] = [
  { states: 8_313, scenario: { name: 'hot', asks: 2, writes: 1, reads: 2, ticks: 2, stepsMs: [500] } },
  {
    states: 12_849,
    scenario: {
      name: 'slow lease',
      asks: 1,
      repliesTravel: true,
      writes: 1,
      reads: 2,
      ticks: 2,
      stepsMs: [500, 1_000],
      strong: true,
    },
  },
  {
    states: 9_742,
    scenario: { name: 'hot and strong', asks: 2, writes: 1, reads: 2, ticks: 2, stepsMs: [1_050], strong: true },
  },
  { states: 427, scenario: { name: 'token', asks: 2, writes: 1, reads: 2, ticks: 0, stepsMs: [], tokens: true } },
  {
    states: 8_313,
    scenario: { name: 'list', of: 'list', asks: 2, writes: 0, otherWrites: 1, reads: 2, ticks: 2, stepsMs: [500] },
  },
  { states: 9_207, scenario: { name: 'kv', asks: 2, writes: 1, reads: 2, ticks: 2, stepsMs: [500], kv: true } },
  {
    states: 27_187,
    scenario: {
      ...{ name: 'late kv', asks: 2, writes: 1, reads: 2, ticks: 2, stepsMs: [500], kv: true, lateKv: true },
    },
  },
  {
    states: 4_193,
    scenario: {
      ...{ name: 'cold and late', asks: 1, repliesTravel: true, writes: 1, reads: 1, ticks: 1, stepsMs: [1_000] },
      ...{ tokens: true, lateKv: true },
    },
  },
  {
    states: 54_759,
    scenario: {
      ...{ name: 'overtaken', asks: 3, repliesTravel: true, writes: 2, wholeWrites: true, reads: 2 },
      ...{ ticks: 1, stepsMs: [1_050], strong: true },
    },
  },
  {
    states: 79_482,
    edits: ONE_PLACE,
    scenario: {
      ...{ name: 'overtaken with one place', asks: 3, repliesTravel: true, writes: 2, wholeWrites: true, reads: 2 },
      ...{ ticks: 1, stepsMs: [1_050], strong: true },
    },
  },
  { states: 3_810, edits: ONE_PLACE, scenario: { name: 'in filters', ...TWO_CUSTOMERS } },
  {
    states: 3_743,
    edits: [...ONE_PLACE, ONE_FILTER],
    scenario: { name: 'forgotten by the isolate', ...TWO_CUSTOMERS },
  },
  { states: 3_810, edits: ONE_CHANGE, scenario: { name: 'forgotten by the gate', ...TWO_CUSTOMERS } },
  {
    states: 260_007,
    scenario: {
      ...{
        name: 'overtaken by a slow write',
        asks: 2,
        repliesTravel: true,
        writes: 2,
        reads: 2,
        ticks: 1,
        stepsMs: [1_000],
      },
    },
  },
  {
    states: 58_674,
    scenario: { name: 'restart', asks: 2, writes: 1, reads: 2, ticks: 2, stepsMs: [1_000], restarts: 1 },
  },
  {
    states: 38_586,
    scenario: {
      ...{ name: 'cold', asks: 1, repliesTravel: true, writes: 2, reads: 1, ticks: 1, stepsMs: [1_000], tokens: true },
    },
  },
  {
    states: 34_643,
    scenario: { name: 'overdue', asks: 2, writes: 1, reads: 2, ticks: 2, stepsMs: [1_000, 3_000], deadlineMs: 1_000 },
  },
  {
    states: 16_463,
    scenario: {
      ...{ name: 'gate ahead of D1', asks: 2, writes: 1, reads: 2, ticks: 1, stepsMs: [1_000], deadlineMs: 1_000 },
      ...{ restarts: 1, aheadMs: 5_000 },
    },
  },
  {
    states: 214_693,
    edits: LOG_OF_ONE,
    scenario: {
      ...{
        name: 'short log',
        asks: 2,
        writes: 1,
        otherWrites: 2,
        wholeWrites: true,
        reads: 2,
        ticks: 1,
        stepsMs: [1_000],
      },
      ...{ restarts: 1 },
    },
  },
  {
    states: 42_448,
    edits: LOG_OF_ONE,
    scenario: {
      ...{ name: 'short log and a slow write', asks: 1, writes: 1, quickWrites: 2, reads: 1 },
      ...{ ticks: 1, stepsMs: [1_000], restarts: 1, leasedReads: true },
    },
  },
  {
    states: 363_647,
    edits: LOG_OF_ONE,
    scenario: {
      ...{ name: 'short log and two slow writes', asks: 1, writes: 1, otherWrites: 1, quickWrites: 1, reads: 1 },
      ...{ ticks: 1, stepsMs: [1_000], restarts: 1, leasedReads: true },
    },
  },
  { states: 80_495, scenario: { name: 'moved', writes: 2, wholeWrites: true, ...MOVED } },
  { states: 60_666, scenario: { name: 'moved under a slow write', writes: 1, ...MOVED } },
  {
    states: 9_084,
    scenario: {
      ...MOVED,
      ...{ name: 'restarted after a move', asks: 1, writes: 1, wholeWrites: true, ticks: 1, restarts: 1 },
    },
  },
]

/** Returns a scenario of those above with larger bounds. */
function wider(name: string, bounds: Partial<ReadsScenario>): ReadsScenario {
  const { scenario } = READS.find((pinned) => pinned.scenario.name === name) as (typeof READS)[number]
  return { ...scenario, ...bounds, name: `${name}, wider` }
}

/** The scenarios that only `npm run soak` searches. */
export const SOAK_OF_READS: typeof READS = [
  { states: 1_293_766, scenario: wider('overtaken by a slow write', { ticks: 2 }) },
  { states: 153_748, scenario: wider('restart', { asks: 3 }) },
  { states: 544_339, scenario: wider('cold', { reads: 2, asks: 2 }) },
  { states: 1_324_618, scenario: wider('overdue', { writes: 2 }) },
  { states: 971_637, scenario: wider('kv', { writes: 2, asks: 3 }) },
  { states: 518_761, scenario: wider('moved', { repliesTravel: true }) },
  { states: 826_772, scenario: wider('restarted after a move', { asks: 2, writes: 2, ticks: 2 }) },
]
