/**
 * The SQL of a merge, as statements of one transaction. The first of them notes the merge if all that the plan depends on
 * is still so, and the others do their part if it was noted. Builds statements and runs none.
 *
 * The row of the source stays as it is, archived, and leads to the survivor. Triggers move its external ids.
 */
import { and, eq, type SQL, sql } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import { type MovedChildDetail, toMergeDetail, toMovedChildDetail } from '../../formats/merge-report.ts'
import type { PlannedMerge, PreparedWrite } from '../../gate/protocol/write-store.ts'
import type { Scope } from '../../registry/customer.ts'
import type { MergePlan } from '../../registry/merge.ts'
import { customerColumns } from '../customer-row.ts'
import type { Database } from '../database.ts'
import { IS_UNUSED } from '../idempotency/records.ts'
import { customerMerges, customers } from '../schema/tables.ts'
import { inScope } from '../scoped.ts'
import { rowsStatement, shapedStatement, slot } from '../statement-texts.ts'
import { inTime } from './change-expressions.ts'
import { type CustomerColumn, givenColumns } from './given-columns.ts'

type MergeWrite = Omit<PreparedWrite, 'command'> & { command: PlannedMerge & { plan: MergePlan } }

export function isMerge(write: PreparedWrite): write is MergeWrite {
  return write.command.kind === 'merge' && write.command.plan !== undefined
}

/** Returns the statements by the names of their results. `change` returns the survivor if the merge was made, else no row. */
export function mergeStatements(db: Database, scope: Scope, write: MergeWrite): Record<string, BatchItem<'sqlite'>> {
  const { plan } = write.command
  const { tenantId, mode } = scope
  const made = sql`EXISTS (
    SELECT 1 FROM customer_merges made WHERE made.tenant_id = ${tenantId} AND made.mode = ${mode}
      AND made.source_id = ${plan.sourceId} AND made.change_id = ${write.changeId}
  )`
  const changeIds = new Map(plan.children.map((id, at) => [id, write.furtherChangeIds?.[at]]))
  const detail = toMovedChildDetail(plan.report)
  const moved = { from: plan.sourceId, to: plan.survivorId, changeIds, detail }
  return {
    noted: noteStatement(db, scope, write),
    // First, because the survivor takes the entities of the source.
    source: db
      .update(customers)
      .set({ mergedInto: plan.survivorId, archivedAtMs: sql`coalesce(${customers.archivedAtMs}, ${write.nowMs})` })
      .where(and(inScope(customers, scope), eq(customers.id, plan.sourceId), made)),
    earlier: db
      .update(customers)
      .set({ mergedInto: plan.survivorId })
      .where(
        and(
          inScope(customers, scope),
          sql`${customers.id} IN (SELECT value FROM json_each(${JSON.stringify(plan.mergedIds)}))`,
          eq(customers.mergedInto, plan.sourceId),
          made,
        ),
      ),
    change: db
      .update(customers)
      .set({
        ...columnsOf(plan),
        version: plan.nextVersion,
        ...stampsOf(write),
        changeId: write.changeId,
        changeDetail: { change_id: write.changeId, type: 'customer.merged', detail: toMergeDetail(plan.report) },
      })
      .where(and(inScope(customers, scope), eq(customers.id, plan.survivorId), made))
      .returning(customerColumns),
    ...(plan.children.length > 0 && { children: rowsStatement(db, childrenUpdate(scope, write, moved, made)) }),
  }
}

/** Notes the merge, unless something that the plan depends on has changed: a version, or who is below or behind the source. */
function noteStatement(db: Database, scope: Scope, write: MergeWrite): BatchItem<'sqlite'> {
  const { plan } = write.command
  const { idempotency, changeId, nowMs, deadlineMs } = write
  const isIn = (table: string) =>
    sql`${sql.raw(table)}.tenant_id = ${slot('tenantId')} AND ${sql.raw(table)}.mode = ${slot('mode')}`
  const build = () =>
    db.insert(customerMerges).select(sql`
      SELECT ${slot('tenantId')}, ${slot('mode')}, ${slot('sourceId')}, ${slot('survivorId')}, ${slot('changeId')},
        ${slot('nowMs')}, ${slot('given')}
      WHERE ${and(
        inTime(slot('deadlineMs')),
        idempotency ? IS_UNUSED : undefined,
        sql`EXISTS (
          SELECT 1 FROM customers source WHERE ${isIn('source')} AND source.id = ${slot('sourceId')}
            AND source.version = ${slot('sourceVersion')} AND source.merged_into IS NULL AND source.erased_at IS NULL
        )`,
        sql`EXISTS (
          SELECT 1 FROM customers survivor WHERE ${isIn('survivor')} AND survivor.id = ${slot('survivorId')}
            AND survivor.version = ${slot('survivorVersion')} AND survivor.archived_at IS NULL
        )`,
        sql`NOT EXISTS (
          SELECT 1 FROM customers child INDEXED BY customers_parent
          WHERE ${isIn('child')} AND child.parent_id = ${slot('sourceId')} AND child.archived_at IS NULL
            AND child.id NOT IN (SELECT value FROM json_each(${slot('children')}))
        )`,
        sql`NOT EXISTS (
          SELECT 1 FROM json_each(${slot('moved')}) moved WHERE NOT EXISTS (
            SELECT 1 FROM customers child WHERE ${isIn('child')} AND child.id = moved.value
              AND child.parent_id = ${slot('sourceId')} AND child.archived_at IS NULL
          )
        )`,
        sql`NOT EXISTS (
          SELECT 1 FROM customers earlier INDEXED BY customers_merged
          WHERE ${isIn('earlier')} AND earlier.merged_into = ${slot('sourceId')}
            AND earlier.id NOT IN (SELECT value FROM json_each(${slot('mergedIds')}))
        )`,
      )}`)
  const values = {
    ...scope,
    sourceId: plan.sourceId,
    survivorId: plan.survivorId,
    sourceVersion: plan.sourceVersion,
    survivorVersion: plan.survivorVersion,
    children: JSON.stringify([...plan.children, plan.survivorId]),
    moved: JSON.stringify(plan.children),
    mergedIds: JSON.stringify(plan.mergedIds),
    given: JSON.stringify(plan.gift),
    changeId,
    nowMs,
    deadlineMs,
    idempotencyKey: idempotency?.key,
  }
  return shapedStatement(db, `merge${idempotency ? ', keyed' : ''}`, build, values, (columns) => columns)
}

/**
 * Gives customers another parent. Each is a change of its own, with an event. Finds them by their key: with a join, SQLite may
 * look at all customers of the tenant.
 */
export function childrenUpdate(
  { tenantId, mode }: Scope,
  { nowMs, actor, requestId, reason }: Pick<PreparedWrite, 'nowMs' | 'actor' | 'requestId' | 'reason'>,
  moved: { from: string; to: string; changeIds: Map<string, string | undefined>; detail: MovedChildDetail },
  isMade: SQL,
): SQL {
  // The form of an id makes it a part of a JSON path.
  const changeId = sql`json_extract(${JSON.stringify(Object.fromEntries(moved.changeIds))}, '$.' || id)`
  return sql`UPDATE customers SET parent_id = ${moved.to}, version = version + 1, updated_at = max(updated_at, ${nowMs}),
      updated_by = ${actor}, change_id = ${changeId}, change_detail = json_object(
        'change_id', ${changeId}, 'type', 'customer.updated', 'detail', json(${JSON.stringify(moved.detail)})
      ), change_request_id = ${requestId}, change_reason = ${reason}
    WHERE tenant_id = ${tenantId} AND mode = ${mode}
      AND id IN (SELECT value FROM json_each(${JSON.stringify([...moved.changeIds.keys()])}))
      AND parent_id = ${moved.from} AND ${isMade}`
}

/** Returns the columns of the survivor that get another value. The whole profile is in the plan, so nothing is merged into it. */
export function columnsOf({ changes }: Pick<MergePlan, 'changes'>) {
  const given = { ...givenColumns(changes), ...(changes.profile && { profile: wholeOf(changes.profile) }) }
  const columns = Object.entries(given).map(([name, { as, value }]) => {
    const column = customers[name as CustomerColumn]
    return [name, as === 'merged' ? sql`json_patch(${column}, ${value})` : sql`${value}`]
  })
  return Object.fromEntries(columns)
}

function wholeOf(profile: Record<string, unknown>) {
  return { as: 'is', value: JSON.stringify(profile) } as const
}

export function stampsOf({ nowMs, actor, requestId, reason }: PreparedWrite) {
  return {
    updatedAtMs: sql`max(${customers.updatedAtMs}, ${nowMs})`,
    updatedBy: actor,
    changeRequestId: requestId,
    changeReason: reason,
  }
}
