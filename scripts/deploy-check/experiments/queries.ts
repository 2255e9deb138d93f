/** Experiment 7: how many D1 queries one invocation may make, and what counts as one. */
import { type Check, experiment, type Judgement, short } from '../experiment.ts'

type Shape = 'single' | 'batch' | 'batches'

interface Answer {
  asked: number
  passed: number
  error: string | null
}

type Seen = Record<Shape | 'smallerBatch', Answer>

const ASKED = 1_001
/** No request of Roster runs more statements than this in one invocation, those of batches counted one by one. */
const STATEMENTS_MAX = 900

function textOf({ passed, asked, error }: Answer): string {
  return `${passed} of ${asked} pass${error === null ? '' : `, then: ${error}`}`
}

/** Less than all is no surprise: D1 documents 1,000. */
function judgeSingle({ single }: Seen): Judgement {
  return { verdict: single.passed >= STATEMENTS_MAX ? 'expected' : 'different', seen: short(textOf(single)) }
}

/** A batch passes whole or not at all, so a smaller one says whether its statements are counted. */
function judgeBatch({ batch, smallerBatch }: Seen): Judgement {
  if (batch.passed === ASKED) return { verdict: 'expected', seen: textOf(batch) }
  const verdict = smallerBatch.passed === STATEMENTS_MAX ? 'harmless' : 'different'
  return { verdict, seen: short(`${smallerBatch.passed} of ${STATEMENTS_MAX} pass, ${textOf(batch)}`) }
}

function judgeBatches({ batches }: Seen): Judgement {
  if (batches.passed === ASKED) return { verdict: 'expected', seen: textOf(batches) }
  return { verdict: batches.passed >= STATEMENTS_MAX ? 'harmless' : 'different', seen: short(textOf(batches)) }
}

function check(name: string, expected: string, judge: Check<Seen>['judge']): Check<Seen> {
  return {
    name,
    expected,
    meaning: `Long exports, sweeps and imports break off: Roster runs up to ${STATEMENTS_MAX} statements in an invocation. About 50 means the Workers Free plan, which is too small; else lower the limits of statements below what passed.`,
    harmless: 'D1 counts each statement of a batch. So does Roster, so nothing breaks.',
    change: [{ file: 'src/gate/object/importer.ts', text: 'class GateImporter' }],
    judge,
  }
}

export const queries = experiment<Seen>({
  number: 7,
  title: 'D1 queries in one invocation',
  budgetMs: 180_000,
  async run(context) {
    const of = (shape: Shape, count = ASKED) => context.probe<Answer>('queries', { shape, count })
    return {
      single: await of('single'),
      batch: await of('batch'),
      smallerBatch: await of('batch', STATEMENTS_MAX),
      batches: await of('batches'),
    }
  },
  checks: [
    check('single queries', `at least ${STATEMENTS_MAX} pass`, judgeSingle),
    check('one batch', `all ${ASKED} pass`, judgeBatch),
    check('several batches', `all ${ASKED} pass`, judgeBatches),
  ],
})
