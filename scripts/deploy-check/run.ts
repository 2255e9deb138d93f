/**
 * Runs experiments one after the other, each within its time, and judges their observations. One that fails stops no
 * other.
 */
import {
  type AnyExperiment,
  type Check,
  type Context,
  type Judgement,
  type Place,
  short,
  textOf,
  type Verdict,
} from './experiment.ts'

export interface Row {
  number: number
  check: string
  expected: string
  seen: string
  verdict: Verdict
  /** The meaning for Roster; null if all is as expected. */
  meaning: string | null
  change: Place[]
}

/** Returns a row for each check. Throws the reason of `interrupted` if it is aborted. */
export async function runExperiments(
  experiments: AnyExperiment[],
  contextFor: (signal: AbortSignal) => Context,
  { interrupted, say }: { interrupted: AbortSignal; say: (line: string) => void },
): Promise<Row[]> {
  const rows: Row[] = []
  for (const [at, experiment] of experiments.entries()) {
    interrupted.throwIfAborted()
    const budget = `up to ${Math.ceil(experiment.budgetMs / 1000)} s`
    say(`[${at + 1}/${experiments.length}] ${experiment.number}. ${experiment.title} (${budget}) …`)
    rows.push(...(await rowsOf(experiment, contextFor, interrupted)))
  }
  return rows
}

async function rowsOf(
  experiment: AnyExperiment,
  contextFor: (signal: AbortSignal) => Context,
  interrupted: AbortSignal,
): Promise<Row[]> {
  const budget = new AbortController()
  const timer = setTimeout(() => budget.abort(), experiment.budgetMs)
  const signal = AbortSignal.any([interrupted, budget.signal])
  try {
    const seen = await Promise.race([experiment.run(contextFor(signal)), rejectionOf(signal)])
    return experiment.checks.map((check) => judged(experiment.number, check, () => check.judge(seen)))
  } catch (error) {
    interrupted.throwIfAborted()
    const why = budget.signal.aborted ? `not done within ${experiment.budgetMs / 1000} s` : textOf(error)
    return experiment.checks.map((check) =>
      judged(experiment.number, check, () => ({ verdict: 'unclear', seen: short(why) })),
    )
  } finally {
    clearTimeout(timer)
    // Ends all calls of the experiment that are still running.
    budget.abort()
  }
}

function rejectionOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/**
 * Returns the row of one check. It is `unclear` if the judge throws, because then the observation is of an unexpected
 * form.
 */
function judged(number: number, check: Check<never>, judge: () => Judgement): Row {
  let judgement: Judgement
  try {
    judgement = judge()
  } catch (error) {
    judgement = { verdict: 'unclear', seen: short(`not understood: ${textOf(error)}`) }
  }
  const { verdict, seen } = judgement
  const { name, expected, meaning, harmless, change } = check
  const meaningOf = { expected: null, harmless: harmless ?? meaning, different: meaning, unclear: UNCLEAR }[verdict]
  return {
    number,
    check: name,
    expected,
    seen,
    verdict,
    meaning: meaningOf,
    change: verdict === 'expected' ? [] : change,
  }
}

const UNCLEAR = 'Nothing was learned. Run it again with --only.'
