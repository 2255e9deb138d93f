/**
 * The long search of `npm run soak`: all scenarios of `npm test`, and those that are too large for it. Prints each with its counts
 * and its time, and then the story of a counter-example for each rule of the gate.
 */

import { story as storyOfDeliveries } from './deliveries-events.ts'
import { DELIVERIES, SOAK_OF_DELIVERIES } from './deliveries-scenarios.ts'
import { DeliveriesSpace } from './deliveries-space.ts'
import { loadDeliveriesCore, loadOpenCore, loadWritesCore } from './open-core.ts'
import { story } from './permits-events.ts'
import { PERMITS, SOAK } from './permits-scenarios.ts'
import { PermitsSpace } from './permits-space.ts'
import { story as storyOfReads } from './reads-events.ts'
import { READS, SOAK_OF_READS } from './reads-scenarios.ts'
import { ReadsSpace } from './reads-space.ts'
import { CHECKS } from './rules.ts'
import { CHECKS_OF_DELIVERIES } from './rules-of-deliveries.ts'
import { CHECKS_OF_WRITES } from './rules-of-writes.ts'
import { type Explored, explore, type Space } from './search.ts'
import { story as storyOfWrites } from './writes-events.ts'
import { SOAK_OF_WRITES, WRITES } from './writes-scenarios.ts'
import { WritesSpace } from './writes-space.ts'

/**
 * Explores all scenarios, and then breaks each rule. Returns true if nothing is wrong, no scenario has more or fewer states than it
 * should, and each rule has its counter-example.
 */
export async function exploreAll(print: (line: string) => void): Promise<boolean> {
  let sum = 0
  let isRight = true
  const run = async <Event>(
    { name, states }: { name: string; states: number },
    space: Space<Event>,
    tell: (path: readonly Event[], violation: string) => string,
  ): Promise<Explored<Event>> => {
    const startMs = performance.now()
    const onProgress = (all: number, expanded: number) => print(`  ${name}: ${expanded} of ${all} states so far`)
    const explored = await explore(space, { statesHint: states, onProgress })
    const { found, steps, depth, isExhausted } = explored
    sum += explored.states
    const seconds = ((performance.now() - startMs) / 1_000).toFixed(1)
    print(`${name}: ${explored.states} states, ${steps} steps, at most ${depth} deep, ${seconds} s`)
    if (found) print(tell(found.path, found.violation))
    if (explored.states !== states) print(`  it should have ${states}`)
    isRight &&= isExhausted && explored.states === states
    return explored
  }
  const core = await loadOpenCore()
  for (const { scenario, states } of [...PERMITS, ...SOAK]) {
    await run({ name: scenario.name, states }, new PermitsSpace(core, scenario), story)
  }
  for (const { scenario, states, edits } of [...READS, ...SOAK_OF_READS]) {
    await run({ name: scenario.name, states }, new ReadsSpace(await loadOpenCore(edits), scenario), storyOfReads)
  }
  const writesCore = await loadWritesCore()
  for (const { scenario, states } of [...WRITES, ...SOAK_OF_WRITES]) {
    await run({ name: scenario.name, states }, new WritesSpace(writesCore, scenario), storyOfWrites)
  }
  for (const { scenario, states, edits } of [...DELIVERIES, ...SOAK_OF_DELIVERIES]) {
    const space = new DeliveriesSpace(await loadDeliveriesCore(edits), scenario)
    await run({ name: scenario.name, states }, space, storyOfDeliveries)
  }
  print(`${sum} distinct states`)
  for (const check of [...CHECKS, ...CHECKS_OF_WRITES, ...CHECKS_OF_DELIVERIES]) {
    try {
      print(`without: ${check.rule}\n${await check.run()}`)
    } catch (error) {
      print(String(error))
      isRight = false
    }
  }
  return isRight
}
