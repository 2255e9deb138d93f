/** Breaks a rule, searches its scenario for a counter-example, and plays that on the core as it is built. */

import { loadCore } from '../gate/mutated-core.ts'
import type { Mutation } from '../gate/mutations.ts'
import { MUTATIONS_OF_CLOCKS } from '../gate/mutations-of-clocks.ts'
import { MUTATIONS_OF_PERMITS } from '../gate/mutations-of-permits.ts'
import { MUTATIONS_OF_READS } from '../gate/mutations-of-reads.ts'
import { loadOpenCore } from './open-core.ts'
import { story } from './permits-events.ts'
import { PERMITS, SOAK } from './permits-scenarios.ts'
import { PermitsSpace } from './permits-space.ts'
import { story as storyOfReads } from './reads-events.ts'
import { READS, SOAK_OF_READS } from './reads-scenarios.ts'
import { ReadsSpace } from './reads-space.ts'
import { replayPermits } from './replay-permits.ts'
import { replayReads } from './replay-reads.ts'
import { RULES_OF_PERMITS } from './rules-of-permits.ts'
import { RULES_OF_READS } from './rules-of-reads.ts'
import { type Explored, explore } from './search.ts'

export const RULES: readonly Mutation[] = [...MUTATIONS_OF_PERMITS, ...MUTATIONS_OF_CLOCKS, ...MUTATIONS_OF_READS]

export interface Check {
  rule: string
  /** States of the scenario with the rule unbroken. */
  states: number
  /** Returns the counter-example as a story. Throws if there is none, or if the core as it is built does not have it. */
  run(): Promise<string>
}

/** The rules that have a scenario, each with its search. */
export const CHECKS: readonly Check[] = RULES.flatMap((mutation) => {
  const { rule } = mutation
  const ofPermits = [...PERMITS, ...SOAK].find(({ scenario }) => scenario.name === RULES_OF_PERMITS[rule])
  if (ofPermits) return [{ rule, states: ofPermits.states, run: () => checkPermits(mutation, ofPermits) }]
  const ofReads = [...READS, ...SOAK_OF_READS].find(({ scenario }) => scenario.name === RULES_OF_READS[rule])
  return ofReads ? [{ rule, states: ofReads.states, run: () => checkReads(mutation, ofReads) }] : []
})

async function checkPermits(mutation: Mutation, { scenario, states }: (typeof PERMITS)[number]): Promise<string> {
  const space = new PermitsSpace(await loadOpenCore([mutation]), scenario)
  try {
    const { violation, path } = foundIn(await explore(space, boundsOf(states)), mutation)
    const text = story(path, violation)
    compare(text, violation, replayPermits(await loadCore([mutation]), scenario, path))
    compare(text, null, replayPermits(await loadCore([]), scenario, path))
    return text
  } catch (error) {
    if (mutation.throws && String(error).includes(mutation.throws)) return mutation.throws
    throw error
  }
}

async function checkReads(
  mutation: Mutation,
  { scenario, states, edits = [] }: (typeof READS)[number],
): Promise<string> {
  const space = new ReadsSpace(await loadOpenCore([...edits, mutation]), scenario)
  const { violation, path } = foundIn(await explore(space, boundsOf(states)), mutation)
  const text = storyOfReads(path, violation)
  compare(text, violation, await replayReads(await loadCore([...edits, mutation]), scenario, path))
  compare(text, null, await replayReads(await loadCore(edits), scenario, path))
  return text
}

/** A broken rule may bring states that the unbroken one does not have. */
function boundsOf(states: number) {
  return { statesHint: states, statesMax: 2 * states + 100_000 }
}

function foundIn<Event>({ found, states }: Explored<Event>, { rule, because }: Mutation) {
  if (found) return found
  throw new Error(`${rule}: nothing found in ${states} states, though ${because}`)
}

function compare(text: string, expected: string | null, broken: string | null): void {
  if (broken !== expected) throw new Error(`${text}\n     the core as it is built: ${broken}, not ${expected}`)
}
