import { expect, it } from 'vitest'
import * as core from './core.ts'
import { manyPermits } from './many-runs.ts'
import { SEEDS_MAX } from './mutations.ts'

it('admits a million requests under faults, never one beyond burst + rate × T, and none under a policy that was replaced', async () => {
  const { total, violations } = await manyPermits(core, 1, 1_000_000, SEEDS_MAX.permits)
  expect(violations).toEqual([])
  expect(total.admissions).toBeGreaterThanOrEqual(1_000_000)
  // A model in which nothing ever happens finds nothing.
  expect(total.restarts).toBeGreaterThan(1_000)
  expect(total.changes).toBeGreaterThan(1_000)
  expect(total.calls).toBeLessThan(total.admissions / 2)
})

it('takes the further permits of costly requests from the same budget, and counts each of them', async () => {
  const { total, violations } = await manyPermits(core, 1, 50_000, 40, true)
  expect(violations).toEqual([])
  expect(total.restarts).toBeGreaterThan(10)
  expect(total.changes).toBeGreaterThan(10)
})
