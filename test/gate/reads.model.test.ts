import { expect, it } from 'vitest'
import { manyReads } from './many-runs.ts'
import { loadCore } from './mutated-core.ts'
import { SEEDS_MAX } from './mutations.ts'
import { SHORT_LOG, SMALL_SKETCH } from './mutations-of-reads.ts'

it.each([
  { edits: [], kind: 'as it is', reads: 100_000, hitShareMin: 0.3 },
  { edits: SHORT_LOG, kind: 'with a write log of six rows', reads: 50_000, hitShareMin: 0.25 },
  { edits: SMALL_SKETCH, kind: 'with a sketch of six buckets', reads: 50_000, hitShareMin: 0.15 },
])(
  'the gate $kind: no cached read misses a write committed a second before, or the write of its token',
  async (tried) => {
    const runsMin = tried.edits.length > 0 ? SEEDS_MAX.readsWithEdits : SEEDS_MAX.reads
    const { total, violations } = await manyReads(await loadCore(tried.edits), 1, tried.reads, runsMin)
    expect(violations).toEqual([])
    expect(total.reads).toBeGreaterThanOrEqual(tried.reads)
    // Reading everything from the primary would be right too: the caches must have been used, and disturbed.
    expect(total.hits / total.reads).toBeGreaterThan(tried.hitShareMin)
    expect(total.writes).toBeGreaterThan(1_000)
    expect(total.restarts).toBeGreaterThan(50)
  },
  120_000,
)
