/** Many D1 queries in one invocation, until they are refused. */
import { errorText } from './error-text.ts'

/** `single`: one call for each statement; `batch`: one call; `batches`: calls of `BATCH_STATEMENTS` statements. */
export type QueryShape = 'single' | 'batch' | 'batches'

const BATCH_STATEMENTS = 91
/** An invocation has six connections at once. */
const LANES = 6

/** Returns how many of `count` statements passed before the first was refused, and why it was. */
export async function answerCount(db: D1Database, shape: QueryShape, count: number) {
  const size = { single: 1, batch: count, batches: BATCH_STATEMENTS }[shape]
  let started = 0
  let passed = 0
  let error: string | null = null
  const lane = async () => {
    while (error === null && started < count) {
      const statements = Math.min(size, count - started)
      started += statements
      try {
        const statement = db.prepare('SELECT 1')
        if (shape === 'single') await statement.run()
        else await db.batch(Array.from({ length: statements }, () => statement))
        passed += statements
      } catch (caught) {
        error ??= errorText(caught)
      }
    }
  }
  await Promise.all(Array.from({ length: shape === 'single' ? LANES : 1 }, lane))
  return { asked: count, passed, error }
}
