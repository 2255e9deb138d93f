/**
 * Runs the models for any length: `node test/node/gate/soak.ts [admissions] [reads] [first seed]`.
 * The default is ten million admissions and a million reads, and then the exhaustive search of test/node/explorer/soak.ts.
 * Prints the counts; ends with 1 if there was a violation.
 */

import { exploreAll } from '../explorer/soak.ts'
import * as core from './core.ts'
import { manyPermits, manyReads } from './many-runs.ts'

export async function soak(
  print: (line: string) => void,
  admissionsMin = 10_000_000,
  readsMin = 1_000_000,
  fromSeed = 1,
): Promise<boolean> {
  const permits = await manyPermits(core, fromSeed, admissionsMin)
  const { admissions, calls, restarts, changes } = permits.total
  print(
    `permits: ${admissions} admissions in ${permits.runs} runs, ${calls} calls to the gate, ${restarts} restarts, ` +
      `${changes} changes of policy: ${permits.violations.length} violations`,
  )
  const reads = await manyReads(core, fromSeed, readsMin)
  const { hits, writes } = reads.total
  print(
    `reads: ${reads.total.reads} reads in ${reads.runs} runs, ${((100 * hits) / reads.total.reads).toFixed(1)} % from caches, ` +
      `${writes} writes, ${reads.total.restarts} restarts: ${reads.violations.length} violations`,
  )
  for (const violation of [...permits.violations, ...reads.violations]) print(violation)
  return permits.violations.length + reads.violations.length === 0
}

if (process.argv[1] === import.meta.filename) {
  const [admissions, reads, seed] = process.argv.slice(2).map(Number)
  const isSound = await soak(console.log, admissions, reads, seed)
  process.exitCode = (await exploreAll(console.log)) && isSound ? 0 : 1
}
