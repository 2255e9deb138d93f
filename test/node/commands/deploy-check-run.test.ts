/** Tests how `npm run deploy -- --check` runs and reports experiments, with invented ones. */
import { expect, it } from 'vitest'
import { type AnyExperiment, type Check, type Context, experiment } from '../../../scripts/deploy-check/experiment.ts'
import { EXIT, exitCodeOf, report, reportJson } from '../../../scripts/deploy-check/report.ts'
import { type Row, runExperiments } from '../../../scripts/deploy-check/run.ts'

const contextFor = (signal: AbortSignal) => ({ signal }) as Context
const going = () => new AbortController().signal

function check(name: string, judge: Check<string>['judge']): Check<string> {
  return { name, expected: 'yes', meaning: 'It breaks.', change: [{ file: 'a.ts', text: 'LIMIT' }], judge }
}

const yes = check('is yes', (seen) => ({ verdict: seen === 'yes' ? 'expected' : 'different', seen }))

function madeUp(number: number, run: (context: Context) => Promise<string>, checks = [yes], budgetMs = 10_000) {
  return experiment({ number, title: `experiment ${number}`, budgetMs, run, checks })
}

function runAll(experiments: AnyExperiment[], interrupted = going(), lines: string[] = []) {
  return runExperiments(experiments, contextFor, { interrupted, say: (line) => lines.push(line) })
}

const verdicts = (rows: Row[]) => rows.map(({ number, verdict, seen }) => [number, verdict, seen])

it('continues after an experiment that fails, takes too long, or returns an unexpected observation', async () => {
  const lines: string[] = []
  const puzzled = check('is odd', () => {
    throw new Error('no such field')
  })
  const rows = await runAll(
    [
      madeUp(1, async () => 'yes'),
      madeUp(2, async () => Promise.reject(new Error('fetch failed', { cause: new Error('ECONNREFUSED') }))),
      madeUp(3, () => new Promise(() => {}), [yes], 5),
      madeUp(4, async () => 'yes', [puzzled, yes]),
      madeUp(5, async () => 'no'),
    ],
    going(),
    lines,
  )
  expect(verdicts(rows)).toEqual([
    [1, 'expected', 'yes'],
    [2, 'unclear', 'fetch failed (ECONNREFUSED)'],
    [3, 'unclear', 'not done within 0.005 s'],
    [4, 'unclear', 'not understood: no such field'],
    [4, 'expected', 'yes'],
    [5, 'different', 'no'],
  ])
  expect(lines).toHaveLength(5)
  expect(lines[1]).toBe('[2/5] 2. experiment 2 (up to 10 s) …')
})

it('aborts the running calls of an experiment when its time is over', async () => {
  const signals: AbortSignal[] = []
  const remembering = async ({ signal }: Context) => {
    signals.push(signal)
    return 'yes'
  }
  await runAll([madeUp(1, remembering), madeUp(2, remembering)])
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true])
})

it('stops at once when it is interrupted, and starts no further experiment', async () => {
  const interrupt = new AbortController()
  const started: number[] = []
  const hanging = (number: number) =>
    madeUp(number, () => {
      started.push(number)
      interrupt.abort(new Error('Interrupted by SIGINT.'))
      return new Promise(() => {})
    })
  await expect(runAll([hanging(1), hanging(2)], interrupt.signal)).rejects.toThrow('Interrupted by SIGINT.')
  expect(started).toEqual([1])
})

const row = (verdict: Row['verdict']): Row => ({
  number: 7,
  check: 'single queries',
  expected: 'at least 900 pass',
  seen: '50 of 1001 pass',
  verdict,
  meaning: verdict === 'expected' ? null : 'It breaks.',
  change: verdict === 'expected' ? [] : [{ file: 'src/a.ts', text: 'LIMIT' }],
})

it('shows by its exit code whether anything differs, and whether a check is unclear', () => {
  expect(exitCodeOf([row('expected')])).toBe(EXIT.asExpected)
  expect(exitCodeOf([row('expected'), row('harmless')])).toBe(EXIT.differences)
  expect(exitCodeOf([row('unclear'), row('different')])).toBe(EXIT.differences)
  expect(exitCodeOf([row('expected'), row('unclear')])).toBe(EXIT.couldNotRun)
  expect(EXIT).toEqual({ asExpected: 0, differences: 1, couldNotRun: 2 })
})

it('prints a table, and below it what each difference means and where to change Roster', () => {
  expect(report([row('expected'), row('different')])).toBe(`#  check           expected           seen
7  single queries  at least 900 pass  50 of 1001 pass  ok
7  single queries  at least 900 pass  50 of 1001 pass  DIFFERS

7. single queries: DIFFERS
    It breaks.
    change: src/a.ts (LIMIT)

2 checks: 1 as expected, 1 different, 0 different but harmless, 0 unclear.`)
  expect(JSON.parse(reportJson([row('different')]))).toEqual({ exitCode: 1, checks: [row('different')] })
})
