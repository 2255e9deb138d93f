import { expect, it } from 'vitest'
import { loadOpenCore } from './open-core.ts'
import { story } from './reads-events.ts'
import { READS } from './reads-scenarios.ts'
import { ReadsSpace } from './reads-space.ts'
import { explore } from './search.ts'

it.each(READS)('keeps C3 in every order of $scenario.name: $states states', async ({ scenario, states, edits }) => {
  const space = new ReadsSpace(await loadOpenCore(edits), scenario)
  const { found, ...explored } = await explore(space, { statesHint: states })
  expect(space.failed).toBe(0)
  expect(found && story(found.path, found.violation)).toBeNull()
  expect(explored).toMatchObject({ states, isExhausted: true })
})
