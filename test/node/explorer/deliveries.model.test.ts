import { describe, expect, it } from 'vitest'
import { story } from './deliveries-events.ts'
import { DELIVERIES } from './deliveries-scenarios.ts'
import { DeliveriesSpace } from './deliveries-space.ts'
import { loadDeliveriesCore } from './open-core.ts'
import { CHECKS_OF_DELIVERIES } from './rules-of-deliveries.ts'
import { explore } from './search.ts'

/** The scenarios of the others are searched by `npm run soak`. */
const inTest = new Set(DELIVERIES.map(({ scenario }) => scenario.name))
let hasWaited = false
let mostTaken = 0

describe('no order of events makes a customer’s deliveries overtake each other, or forgets one', () => {
  it.each(DELIVERIES)('$scenario.name: $states states', async ({ scenario, states, edits }) => {
    const space = new DeliveriesSpace(await loadDeliveriesCore(edits), scenario)
    const { found, ...explored } = await explore(space)
    expect(found && story(found.path, found.violation)).toBeNull()
    expect(explored).toMatchObject({ states, isExhausted: true })
    hasWaited ||= space.hasWaited
    mostTaken = Math.max(mostTaken, space.mostTaken)
  })

  it('and a slot was taken, and waited for', () => {
    expect([mostTaken, hasWaited]).toEqual([1, true])
  })
})

it.each(CHECKS_OF_DELIVERIES.filter(({ scenario }) => inTest.has(scenario)))(
  'finds a counter-example without: $rule',
  async (check) => {
    expect(await check.run()).toBeTruthy()
  },
)
