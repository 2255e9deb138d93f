import { describe, expect, it } from 'vitest'
import { loadOpenCore } from './open-core.ts'
import { story } from './permits-events.ts'
import { PERMITS } from './permits-scenarios.ts'
import { PermitsSpace } from './permits-space.ts'
import { explore } from './search.ts'

const core = await loadOpenCore()

describe('no order of events breaks C1, C2 or the count of the year', () => {
  it.each(PERMITS)('$scenario.name: $states states', async ({ scenario, states }) => {
    const space = new PermitsSpace(core, scenario)
    const { found, ...explored } = await explore(space, { statesHint: states })
    expect(found && story(found.path, found.violation)).toBeNull()
    expect(explored).toMatchObject({ states, isExhausted: true })
  })
})

describe('the bounds are reached, not only kept', () => {
  it('C1: the ideal bucket becomes empty', async () => {
    expect((await reachedIn('edge')).levelMin).toBe(0)
  })

  it('C2: a lease is used until shortly before the change is answered', async () => {
    expect((await reachedIn('horizon')).underOlderMs).toBeGreaterThanOrEqual(900)
  })
})

async function reachedIn(name: string) {
  const scenario = PERMITS.find((pinned) => pinned.scenario.name === name)?.scenario
  if (!scenario) throw new Error(`no scenario ${name}`)
  const space = new PermitsSpace(core, scenario)
  await explore(space)
  return space.world.reached
}
