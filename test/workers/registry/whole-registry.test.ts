/**
 * The whole registry against a model that can be checked by eye: for any requests, through any API, twice or all at once,
 * with a D1 that breaks off in the middle, the answers, the rows, the events and the audit are those of the requests one
 * after the other, each at most once. A failure prints its seed; `test/README.md` says how to run it again, and for longer.
 */
import { env } from 'cloudflare:workers'
import fc from 'fast-check'
import { afterEach, beforeEach, it } from 'vitest'
import { type FailingD1, failingD1 } from '../support/failing-d1.ts'
import { Run } from './run.ts'
import { step } from './steps.ts'

const RUNS = 30
const STEPS_MAX = 14
/** The length of a soak. */
const TIMEOUT_MS = 6 * 3_600_000

let d1: FailingD1
beforeEach(() => {
  d1 = failingD1()
})
afterEach(() => d1.restore())

it('equals one request after the other, each done at most once, whatever happens to D1', {
  timeout: TIMEOUT_MS,
}, async () => {
  const steps = fc.array(step, { minLength: 1, maxLength: STEPS_MAX, size: 'max' })
  const runs = fc.asyncProperty(steps, async (drawn) => {
    const run = await Run.begin(d1)
    for (const each of drawn) await run.take(each)
    await run.end()
  })
  // Finding the smallest failure takes hours, so only the run of a seed does.
  const seed = env.MODEL_SEED === '' ? { endOnFailure: true } : { seed: Number(env.MODEL_SEED) }
  await fc.assert(runs, { numRuns: Number(env.MODEL_RUNS || RUNS), ...seed })
})
