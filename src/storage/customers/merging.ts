/**
 * Merges and unmerges in a batch of writes: the two changes that are about two customers, and more. The gate has planned
 * them, or found why they are refused.
 */
import { sql } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import type { CommitResult, PreparedWrite } from '../../gate/protocol/write-store.ts'
import type { Customer, Scope } from '../../registry/customer.ts'
import { fail, UNAVAILABLE } from '../../registry/errors.ts'
import { type CustomerRow, customerOf } from '../customer-row.ts'
import type { Database } from '../database.ts'
import { rowsStatement } from '../statement-texts.ts'
import { isMerge, mergeStatements } from './merge-statements.ts'
import { resultOfRefusal } from './refused-writes.ts'
import { isRolledBack, ROLL_BACK } from './roll-back.ts'
import { isUnmerge, unmergeStatements } from './unmerge-statements.ts'

/** Absent for a change that was refused before. */
export interface MergingResults {
  /** The survivor of a merge that was made. */
  change?: CustomerRow[]
  /** The customers of an unmerge that was made. */
  both?: CustomerRow[]
}

/** Returns the statements of a planned merge or unmerge by the names of their results; none if it is refused. */
export function mergingStatements(
  db: Database,
  scope: Scope,
  write: PreparedWrite,
): Record<string, BatchItem<'sqlite'>> {
  if (isMerge(write)) return mergeStatements(db, scope, write)
  return isUnmerge(write) ? unmergeStatements(db, scope, write) : {}
}

/** Returns the result of a merge or an unmerge: the survivor if it was made, else why not. */
export function judgeMerging(
  write: PreparedWrite,
  { change = [], both = [] }: MergingResults,
  d1Ms: number,
): CommitResult {
  const { command, changeId, deadlineMs } = write
  if ('refusal' in command && command.refusal) return fail(command.refusal)
  const rows = isMerge(write) ? change : both
  const customers = new Map(rows.map((row): [string, Customer] => [row.id, customerOf(row)]))
  const result = resultOf(write, (id) => customers.get(id))
  if (result) return { ...result, changeId }
  const isLate = d1Ms >= deadlineMs
  return { ...fail(UNAVAILABLE), ...(isLate ? { late: true } : { targetMoved: true }) }
}

/** Makes the change in a transaction that cannot succeed, so that the rules of the database say what they think of it. */
export async function tryOut(db: Database, scope: Scope, write: PreparedWrite): Promise<CommitResult> {
  const { command, changeId, nowMs, actor } = write
  if (!isMerge(write) && !isUnmerge(write)) {
    return fail(('refusal' in command && command.refusal) || { reason: 'internal' })
  }
  const statements = [...Object.values(mergingStatements(db, scope, write)), rowsStatement(db, sql.raw(ROLL_BACK))]
  try {
    await db.batch(statements as [BatchItem<'sqlite'>, ...BatchItem<'sqlite'>[]])
    throw new Error('a dry run was not rolled back')
  } catch (error) {
    if (!isRolledBack(error)) return resultOfRefusal(db, scope, write, error)
  }
  const { plan } = write.command
  const planned = [plan.survivor, ...('source' in plan ? [plan.source] : [])]
  const result = resultOf(write, (id) => {
    const customer = planned.find((one) => one.id === id)
    return customer && { ...customer, updatedAtMs: Math.max(customer.updatedAtMs, Math.trunc(nowMs)), updatedBy: actor }
  })
  return result ? { ...result, changeId } : fail({ reason: 'internal' })
}

type Done = Omit<Extract<CommitResult, { ok: true }>, 'changeId' | 'replayed'>

/** Returns the result with the customers as they are afterwards; null if one of them is not to be had. */
function resultOf(write: PreparedWrite, customerWith: (id: string) => Customer | undefined): Done | null {
  if (isMerge(write)) {
    const { survivorId, report } = write.command.plan
    const customer = customerWith(survivorId)
    return customer ? { ok: true, customer, effect: 'merged', merge: report } : null
  }
  if (!isUnmerge(write)) return null
  const { survivorId, sourceId, report } = write.command.plan
  const [customer, source] = [customerWith(survivorId), customerWith(sourceId)]
  return customer && source ? { ok: true, customer, effect: 'unmerged', unmerged: { source, report } } : null
}
