/** The scenarios of writes. Each has only the powers that its rules are about. `states` is how many there are. */
import type { Command } from '../../../src/registry/ports.ts'
import type { Pinned } from './permits-scenarios.ts'
import type { WritesScenario } from './writes-events.ts'
import { CUSTOMER, NEW, OTHER } from './writes-world.ts'

const named = (id: string, name: string, ifVersion: number | null = null): Command => ({
  kind: 'update',
  target: { id },
  changes: { name },
  ifVersion,
})
/** Takes the external id of the customer: a rule of the database refuses it, and with it the batch that it is in. */
const taken: Command = { kind: 'update', target: { id: OTHER }, changes: { externalId: 'a' }, ifVersion: null }
const create: Command = { kind: 'create', id: NEW, fields: { externalId: 'c', name: 'C' }, ifExists: 'fail' }

const REPEATED: WritesScenario['requests'] = [
  { command: named(CUSTOMER, 'x'), key: 'k' },
  { command: named(CUSTOMER, 'x'), key: 'k', repeats: 0 },
  { command: named(CUSTOMER, 'y') },
]
const CREATED: WritesScenario['requests'] = [
  { command: create, key: 'k' },
  { command: create, key: 'k', repeats: 0 },
]
const REFUSED: WritesScenario['requests'] = [
  { command: named(CUSTOMER, 'x', 2), key: 'k' },
  { command: named(CUSTOMER, 'x', 2), key: 'k', repeats: 0 },
  { command: named(CUSTOMER, 'y') },
]
const WITH_A_RULE: WritesScenario['requests'] = [
  { command: named(OTHER, 'x') },
  { command: named(CUSTOMER, 'x') },
  { command: taken },
]
const ONE: WritesScenario['requests'] = [{ command: named(CUSTOMER, 'x') }]
const THREE: WritesScenario['requests'] = ['x', 'y', 'z'].map((name) => ({ command: named(CUSTOMER, name) }))
const TWO: WritesScenario['requests'] = [{ command: named(CUSTOMER, 'x') }, { command: named(CUSTOMER, 'y') }]

export const WRITES: Pinned<WritesScenario>[] = [
  {
    states: 4_426,
    scenario: {
      ...{ name: 'lost answer', requests: ONE },
      ...{ ticks: 2, stepsMs: [6_000], losses: 1, restarts: 1, reads: 1 },
    },
  },
  {
    states: 427,
    scenario: { name: 'lost twice', requests: ONE, ticks: 1, stepsMs: [12_000], losses: 2 },
  },
  {
    states: 1_792,
    scenario: { name: 'repeat', requests: REPEATED, ticks: 0, stepsMs: [], losses: 1 },
  },
  {
    states: 150,
    scenario: { name: 'repeat of a creation', requests: CREATED, ticks: 0, stepsMs: [], losses: 1, restarts: 1 },
  },
  {
    states: 132,
    scenario: { name: 'repeat of a refusal', requests: REFUSED, ticks: 0, stepsMs: [] },
  },
  {
    states: 1_202,
    scenario: { name: 'two of a customer', requests: TWO, ticks: 0, stepsMs: [], losses: 1, reads: 1 },
  },
  {
    states: 7_468,
    scenario: { name: 'kept by its writer', requests: THREE, ticks: 0, stepsMs: [], losses: 1, keepsWrites: true },
  },
  {
    states: 870,
    scenario: {
      ...{ name: 'batch with a refusal', requests: WITH_A_RULE, ticks: 0, stepsMs: [], overloads: 1 },
    },
  },
  {
    states: 5_010,
    scenario: {
      ...{ name: 'D1 ahead', requests: ONE },
      ...{ ticks: 2, stepsMs: [6_000], losses: 1, reads: 1, d1AheadMs: 20_000 },
    },
  },
  {
    states: 1_231,
    scenario: {
      ...{ name: 'D1 behind', requests: ONE },
      ...{ ticks: 3, stepsMs: [6_000], restarts: 1, d1AheadMs: -6_000 },
    },
  },
  {
    states: 84,
    scenario: {
      name: 'archived meanwhile',
      requests: [
        { command: { kind: 'upsert', id: NEW, externalId: 'a', changes: { name: 'u' }, ifVersion: null }, key: 'k' },
        { command: { kind: 'archive', target: { id: CUSTOMER }, ifVersion: null } },
      ],
      ...{ ticks: 0, stepsMs: [] },
    },
  },
]

/** The scenarios that only `npm run soak` searches. */
export const SOAK_OF_WRITES: typeof WRITES = [
  {
    states: 5_449,
    scenario: { name: 'repeat at another gate', requests: REPEATED, ticks: 0, stepsMs: [], losses: 1, restarts: 1 },
  },
  {
    states: 50_510,
    scenario: {
      ...{ name: 'lost answers', requests: ONE },
      ...{ ticks: 3, stepsMs: [6_000], losses: 2, restarts: 1, reads: 1 },
    },
  },
  {
    states: 9_099,
    scenario: {
      ...{ name: 'refusals at another gate', requests: REFUSED, ticks: 0, stepsMs: [], losses: 1, restarts: 1 },
    },
  },
]
