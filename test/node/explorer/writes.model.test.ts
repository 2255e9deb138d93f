import { describe, expect, it } from 'vitest'
import { loadWritesCore } from './open-core.ts'
import { CHECKS_OF_WRITES } from './rules-of-writes.ts'
import { explore } from './search.ts'
import { story } from './writes-events.ts'
import { WRITES } from './writes-scenarios.ts'
import { WritesSpace } from './writes-space.ts'

/** The scenarios of the others are searched by `npm run soak`. */
const inTest = new Set(WRITES.map(({ scenario }) => scenario.name))
const core = await loadWritesCore()
const seen = new Set<string>()
let isUncertain = false

describe('no order of events makes a write twice, half or unnoticed', () => {
  it.each(WRITES)('$scenario.name: $states states', async ({ scenario, states }) => {
    const space = new WritesSpace(core, scenario)
    const { found, ...explored } = await explore(space)
    expect(found && story(found.path, found.violation)).toBeNull()
    expect(explored).toMatchObject({ states, isExhausted: true })
    for (const ending of space.seen) seen.add(ending)
    isUncertain ||= space.isUncertain
  })

  it('and each way in which a write can end was among them', () => {
    expect([...seen].sort()).toEqual([
      ...['archived', 'created', 'created, replayed', 'external_id_taken', 'idempotency_in_progress', 'unavailable'],
      ...['updated', 'updated, replayed', 'version_conflict'],
    ])
  })

  it('and “unavailable” was answered to a write that D1 has made', () => {
    expect(isUncertain).toBe(true)
  })
})

it.each(CHECKS_OF_WRITES.filter(({ scenario }) => inTest.has(scenario)))(
  'finds a counter-example without: $rule',
  async (check) => {
    expect(await check.run()).toBeTruthy()
  },
)
