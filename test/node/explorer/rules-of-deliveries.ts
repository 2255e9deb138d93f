/** Breaks a rule of the deliveries and searches its scenario for a counter-example. */

import { story } from './deliveries-events.ts'
import { DELIVERIES, SOAK_OF_DELIVERIES } from './deliveries-scenarios.ts'
import { DeliveriesSpace } from './deliveries-space.ts'
import { MUTATIONS_OF_DELIVERIES } from './mutations-of-deliveries.ts'
import { loadDeliveriesCore } from './open-core.ts'
import type { Check } from './rules.ts'
import { explore } from './search.ts'

export const CHECKS_OF_DELIVERIES: readonly (Check & { scenario: string })[] = MUTATIONS_OF_DELIVERIES.map(
  (mutation) => {
    const { rule, because } = mutation
    const pinned = [...DELIVERIES, ...SOAK_OF_DELIVERIES].find(({ scenario }) => scenario.name === mutation.scenario)
    if (!pinned) throw new Error(`${rule}: no scenario ${mutation.scenario}`)
    const { scenario, states, edits = [] } = pinned
    return {
      rule,
      states,
      scenario: scenario.name,
      async run() {
        const space = new DeliveriesSpace(await loadDeliveriesCore([...edits, mutation]), scenario)
        const explored = await explore(space, { statesMax: 2 * states + 10_000 })
        if (!explored.found) throw new Error(`${rule}: nothing found in ${explored.states} states, though ${because}`)
        return story(explored.found.path, explored.found.violation)
      },
    }
  },
)
