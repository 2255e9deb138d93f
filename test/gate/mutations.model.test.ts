import { expect, it } from 'vitest'
import { loadCore } from './mutated-core.ts'
import { MUTATIONS, SEEDS_MAX } from './mutations.ts'
import { runPermits } from './permits-model.ts'
import { runReads } from './reads-model.ts'

it.each(MUTATIONS)(
  'is noticed when broken: $rule',
  async (mutation) => {
    const core = await loadCore([...(mutation.with ?? []), mutation])
    let found: string | null = null
    const seedsMax = SEEDS_MAX[mutation.with ? 'readsWithEdits' : mutation.model]
    const seeds = Array.from({ length: seedsMax }, (_, index) => index + 1)
    for (const seed of [mutation.seed ?? 1, ...seeds]) {
      if (found) break
      try {
        const { violations } = mutation.model === 'permits' ? runPermits(core, seed) : await runReads(core, seed)
        found = violations[0] ?? null
      } catch (error) {
        found = String(error)
      }
    }
    expect(found, `nothing noticed that ${mutation.because}`).not.toBeNull()
  },
  60_000,
)
