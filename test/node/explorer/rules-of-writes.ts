/** Breaks a rule of the path of a write and searches its scenario for a counter-example. Nothing is left out of its states, so there is nothing to replay. */
import { MUTATIONS_OF_WRITES } from './mutations-of-writes.ts'
import { loadWritesCore } from './open-core.ts'
import type { Check } from './rules.ts'
import { explore } from './search.ts'
import { story } from './writes-events.ts'
import { SOAK_OF_WRITES, WRITES } from './writes-scenarios.ts'
import { WritesSpace } from './writes-space.ts'

export const CHECKS_OF_WRITES: readonly (Check & { scenario: string })[] = MUTATIONS_OF_WRITES.map((mutation) => {
  const { rule, because } = mutation
  const pinned = [...WRITES, ...SOAK_OF_WRITES].find(({ scenario }) => scenario.name === mutation.scenario)
  if (!pinned) throw new Error(`${rule}: no scenario ${mutation.scenario}`)
  const { scenario, states } = pinned
  return {
    rule,
    states,
    scenario: scenario.name,
    async run() {
      const space = new WritesSpace(await loadWritesCore([mutation]), scenario)
      const explored = await explore(space, { statesMax: 2 * states + 100_000 })
      if (!explored.found) throw new Error(`${rule}: nothing found in ${explored.states} states, though ${because}`)
      return story(explored.found.path, explored.found.violation)
    },
  }
})
