import { expect, it } from 'vitest'
import { manyReads } from './many-runs.ts'
import { loadCore } from './mutated-core.ts'
import { SEEDS_MAX } from './mutations.ts'
import { EARLY_LOOKS, SHORT_LOG, SHORT_MEMORY } from './mutations-of-reads.ts'

it.each([
  { edits: [], kind: 'as it is', reads: 40_000, passedMin: 0.99 },
  { edits: SHORT_LOG, kind: 'with a write log of six rows', reads: 20_000, passedMin: 0.99 },
  // A filter is asked about each value from before its last change, and a dropped one makes all of them count as changed.
  { edits: SHORT_MEMORY, kind: 'that forgets all but a few changes', reads: 20_000, passedMin: 0.6 },
  { edits: EARLY_LOOKS, kind: 'that looks up every write too early', reads: 20_000, passedMin: 0.99 },
])(
  'the gate $kind: no cached read misses a write committed a second before, or the write of its token',
  async (tried) => {
    const runsMin = tried.edits.length > 0 ? SEEDS_MAX.readsWithEdits : SEEDS_MAX.reads
    const { total, violations } = await manyReads(await loadCore(tried.edits), 1, tried.reads, runsMin)
    expect(violations).toEqual([])
    expect(total.reads).toBeGreaterThanOrEqual(tried.reads)
    // A gate that sends every read to the primary would have no violations either, so the cache hits are checked too.
    // The faults decide how many reads a cache can answer. It must answer them all, except those that meet a lease from
    // before a restart.
    expect(total.stillRight).toBeGreaterThan(tried.reads / 20)
    expect(total.passed / total.stillRight).toBeGreaterThan(tried.passedMin)
    expect(total.writes).toBeGreaterThan(1_000)
    expect(total.restarts).toBeGreaterThan(50)
  },
  120_000,
)

it('returns nothing that is gone, waits for nothing that is gone and keeps C3, once the gate has followed a D1 that was set back', async () => {
  const { total, violations } = await manyReads(await loadCore([]), 1, 50_000, SEEDS_MAX.setsBack, true)
  expect(violations).toEqual([])
  expect(total.setBacks).toBeGreaterThan(100)
  expect(total.hits / total.reads).toBeGreaterThan(0.2)
})
