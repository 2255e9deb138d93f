/** The scenarios of deliveries. Each has only the powers that its rules are about. `states` is how many there are. */
import type { Edit } from '../gate/mutations.ts'
import type { DeliveriesScenario } from './deliveries-events.ts'
import { A, B, C } from './deliveries-world.ts'
import type { Pinned } from './permits-scenarios.ts'

/** Two attempts, five seconds apart, instead of ten in three days. */
export const TWO_ATTEMPTS: Edit = {
  file: 'events/attempts.ts',
  find: `  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  5 * HOUR_MS,
  10 * HOUR_MS,
  14 * HOUR_MS,
  20 * HOUR_MS,
  24 * HOUR_MS,
`,
  replace: '',
}

/** One slot, which the deliveries of two customers contend for. */
const ONE_SLOT: readonly Edit[] = [
  { file: 'events/slots.ts', find: 'endpointMax: 16,', replace: 'endpointMax: 1,' },
  { file: 'events/slots.ts', find: 'firstMax: 4,', replace: 'firstMax: 1,' },
]

/** After this a claim is over. */
const MINUTE = [61_000]

export const DELIVERIES: (Pinned<DeliveriesScenario> & { edits?: readonly Edit[] })[] = [
  { states: 423, scenario: { name: 'dead consumer', commits: [A, A], ticks: 1, stepsMs: MINUTE } },
  {
    states: 156,
    scenario: { name: 'doubled', commits: [A, A], ticks: 0, stepsMs: [], doubles: 1, playsOn: true },
  },
  { states: 96, scenario: { name: 'lost answer', commits: [A, A], ticks: 0, stepsMs: [], losses: 1 } },
  { states: 2_561, scenario: { name: 'gone', commits: [A, A], ticks: 1, stepsMs: [6_000], fails: 1, gones: 1 } },
  { states: 347, scenario: { name: 'sent again', commits: [A, A], ticks: 0, stepsMs: [], redeliveries: 1 } },
  { states: 406, scenario: { name: 'hurried', commits: [A, A], ticks: 0, stepsMs: [], hurries: 1, fails: 1 } },
  { states: 80, scenario: { name: 'suspended', commits: [A], ticks: 0, stepsMs: [], suspensions: 1, playsOn: true } },
  {
    states: 134,
    edits: ONE_SLOT,
    scenario: { name: 'one slot', commits: [A, B], ticks: 0, stepsMs: [], fails: 1, playsOn: true },
  },
]

/** The scenarios that only `npm run soak` searches. */
export const SOAK_OF_DELIVERIES: typeof DELIVERIES = [
  {
    states: 2_350,
    edits: ONE_SLOT,
    scenario: { name: 'one slot for three', commits: [A, B, C], ticks: 0, stepsMs: [] },
  },
  {
    states: 1_057,
    scenario: {
      name: 'refused until given up',
      commits: [A, A],
      ticks: 1,
      stepsMs: MINUTE,
      fails: 2,
      playsOn: true,
    },
  },
  { states: 2_134, scenario: { name: 'swept', commits: [A, A], ticks: 1, stepsMs: MINUTE, sweeps: 1 } },
  {
    states: 1_056,
    scenario: { name: 'lost answer and dead consumer', commits: [A, A], ticks: 1, stepsMs: MINUTE, losses: 1 },
  },
  {
    states: 1_434,
    scenario: { name: 'suspended between', commits: [A, A], ticks: 0, stepsMs: [], suspensions: 1, playsOn: true },
  },
]
