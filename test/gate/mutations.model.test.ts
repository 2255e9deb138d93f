import { describe, expect, it } from 'vitest'
import { loadCore } from './mutated-core.ts'
import { type Mutation, SEEDS_MAX } from './mutations.ts'
import { MUTATIONS_OF_PERMITS } from './mutations-of-permits.ts'
import { MUTATIONS_OF_READS } from './mutations-of-reads.ts'
import { runPermits } from './permits-model.ts'
import { runReads } from './reads-model.ts'

type Run = (seed: number) => { violations: string[] } | Promise<{ violations: string[] }>

/** The first thing that goes wrong with the rule broken; null when nothing does. */
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

describe('a broken rule is noticed', () => {
  it.each(MUTATIONS_OF_PERMITS)('$rule', async (mutation) => {
    const core = await loadCore([mutation])
    const found = await firstViolation(mutation, SEEDS_MAX.permits, (seed) => runPermits(core, seed))
    expect(found, `nothing noticed that ${mutation.because}`).not.toBeNull()
  })

  it.each(MUTATIONS_OF_READS)('$rule', async (mutation) => {
    const { with: sizes = [] } = mutation
    const core = await loadCore([...sizes, mutation])
    const seedsMax = sizes.length > 0 ? SEEDS_MAX.readsWithEdits : SEEDS_MAX.reads
    const found = await firstViolation(mutation, seedsMax, (seed) => runReads(core, seed))
    expect(found, `nothing noticed that ${mutation.because}`).not.toBeNull()
  })
})
