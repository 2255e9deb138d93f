/**
 * Runs of the two models by the thousand: one seed after the other until enough was admitted or read, in enough runs.
 */

import type * as CoreModule from './core.ts'
import { type PermitsRun, runPermits } from './permits-model.ts'
import { runReads } from './reads-model.ts'
import type { ReadsRun } from './reads-observer.ts'

type Core = typeof CoreModule

export interface Sum<Run> {
  runs: number
  total: Run
  /** The seeds that went wrong, with what went wrong: run the model with one of them to see it again. */
  violations: string[]
}

export async function manyPermits(
  core: Core,
  fromSeed: number,
  admissionsMin: number,
  runsMin = 0,
  isCostly = false,
): Promise<Sum<PermitsRun>> {
  const total: PermitsRun = { admissions: 0, calls: 0, restarts: 0, changes: 0, violations: [] }
  return addUp(
    total,
    'permits',
    fromSeed,
    (seed) => runPermits(core, seed, isCostly),
    (runs) => total.admissions >= admissionsMin && runs >= runsMin,
  )
}

export async function manyReads(
  core: Core,
  fromSeed: number,
  readsMin: number,
  runsMin = 0,
  setsBack = false,
): Promise<Sum<ReadsRun>> {
  const total: ReadsRun = {
    reads: 0,
    hits: 0,
    stillRight: 0,
    passed: 0,
    writes: 0,
    restarts: 0,
    setBacks: 0,
    violations: [],
  }
  return addUp(
    total,
    'reads',
    fromSeed,
    (seed) => runReads(core, seed, setsBack),
    (runs) => total.reads >= readsMin && runs >= runsMin,
  )
}

async function addUp<Run extends PermitsRun | ReadsRun>(
  total: Run,
  model: string,
  fromSeed: number,
  run: (seed: number) => Run | Promise<Run>,
  isEnough: (runs: number) => boolean,
): Promise<Sum<Run>> {
  const sum: Sum<Run> = { runs: 0, total, violations: [] }
  for (let seed = fromSeed; !isEnough(sum.runs); seed++) {
    const one = await run(seed)
    sum.runs++
    for (const key in one) if (typeof one[key] === 'number') (total[key] as number) += one[key]
    if (one.violations.length > 0) sum.violations.push(`${model} model, seed ${seed}: ${one.violations[0]}`)
  }
  return sum
}
