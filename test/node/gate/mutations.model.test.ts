import { describe, expect, it } from 'vitest'
import type * as CoreModule from './core.ts'
import { DIRECTED_CASES } from './directed-cases.ts'
import { loadCore } from './mutated-core.ts'
import { type Mutation, SEEDS_MAX } from './mutations.ts'
import { MUTATIONS_OF_CLOCKS } from './mutations-of-clocks.ts'
import { MUTATIONS_OF_PERMITS } from './mutations-of-permits.ts'
import { MUTATIONS_OF_READS } from './mutations-of-reads.ts'
import { runPermits } from './permits-model.ts'
import { runReads } from './reads-model.ts'

type Core = typeof CoreModule
type Run = (seed: number) => { violations: string[] } | Promise<{ violations: string[] }>

/** Returns the first violation with the rule broken, null if there is none. */
async function firstViolation(
  { seed: hint = 1, throws }: Mutation,
  seedsMax: number,
  run: Run,
): Promise<string | null> {
  const seeds = Array.from({ length: seedsMax }, (_, index) => index + 1)
  for (const seed of [hint, ...seeds]) {
    try {
      const { violations } = await run(seed)
      if (violations[0]) return violations[0]
    } catch (error) {
      if (throws && String(error).includes(throws)) return throws
      throw error
    }
  }
  return null
}

/**
 * Returns the violation of the rule's directed case with the rule broken, or else the first violation of the model;
 * null if none.
 */
async function noticed(mutation: Mutation, core: Core, seedsMax: number, run: Run): Promise<string | null> {
  return mutation.case ? DIRECTED_CASES[mutation.case](core) : firstViolation(mutation, seedsMax, run)
}

describe('a broken rule is noticed', () => {
  it.each([...MUTATIONS_OF_PERMITS, ...MUTATIONS_OF_CLOCKS])('$rule', async (mutation) => {
    const core = await loadCore([mutation])
    const found = await noticed(mutation, core, SEEDS_MAX.permits, (seed) => runPermits(core, seed))
    expect(found, `nothing noticed that ${mutation.because}`).not.toBeNull()
  })

  it.each(MUTATIONS_OF_READS)('$rule', async (mutation) => {
    const { with: sizes = [], setsBack = false } = mutation
    const core = await loadCore([...sizes, mutation])
    const seedsMax = setsBack ? SEEDS_MAX.setsBack : sizes.length > 0 ? SEEDS_MAX.readsWithEdits : SEEDS_MAX.reads
    const found = await noticed(mutation, core, seedsMax, (seed) => runReads(core, seed, setsBack))
    expect(found, `nothing noticed that ${mutation.because}`).not.toBeNull()
  })
})
