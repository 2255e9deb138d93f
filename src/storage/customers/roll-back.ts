/**
 * Lets a transaction fail after all other statements in it were allowed, for a dry run: by a count that is null, which the
 * table refuses.
 */
import { classifyD1Error } from '../d1-errors.ts'

/** The last statement of the transaction. */
export const ROLL_BACK = `INSERT INTO customer_counts (tenant_id, mode, status, count) VALUES ('', '', 'dry run', NULL)`

/** Returns true if the error is that of this statement: nothing else was refused. */
export function isRolledBack(error: unknown): boolean {
  const problem = classifyD1Error(error)
  return problem.kind === 'refused' && problem.rule === 'customer_counts.count'
}
