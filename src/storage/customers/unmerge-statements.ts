/**
 * The SQL of an unmerge, as statements of one transaction. The first of them claims the note of the merge if all that the
 * plan depends on is still so, and the others do their part if it was claimed. Builds statements and runs none.
 *
 * The row of the source is as the merge left it. It first becomes what it was before, which triggers complete, and then
 * gets its new version, so that its event shows what it was.
 */
import { and, eq, type SQL, sql } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import { toMovedChildDetail, toUnmergeDetail, toUnmergedDetail } from '../../formats/merge-report.ts'
import type { PlannedUnmerge, PreparedWrite } from '../../gate/protocol/write-store.ts'
import type { Scope } from '../../registry/customer.ts'
import type { MergeGift } from '../../registry/merge.ts'
import type { UnmergePlan } from '../../registry/unmerge.ts'
import { customerColumns } from '../customer-row.ts'
import type { Database } from '../database.ts'
import { isUnused } from '../idempotency/records.ts'
import { customers } from '../schema/tables.ts'
import { inScope } from '../scoped.ts'
import { rowsStatement } from '../statement-texts.ts'
import { inTime } from './change-expressions.ts'
import { childrenUpdate, columnsOf, stampsOf } from './merge-statements.ts'

type UnmergeWrite = Omit<PreparedWrite, 'command'> & { command: PlannedUnmerge & { plan: UnmergePlan } }

export function isUnmerge(write: PreparedWrite): write is UnmergeWrite {
  return write.command.kind === 'unmerge' && write.command.plan !== undefined
}

/** Returns the statements by the names of their results. `both` returns the two customers if the unmerge was made, else no row. */
export function unmergeStatements(
  db: Database,
  scope: Scope,
  write: UnmergeWrite,
): Record<string, BatchItem<'sqlite'>> {
  const { plan } = write.command
  const { changeId, furtherChangeIds = [] } = write
  const { tenantId, mode } = scope
  const [sourceChangeId = '', ...childrenChangeIds] = furtherChangeIds
  const changeIds = new Map(plan.children.map((id, at) => [id, childrenChangeIds[at]]))
  const detail = toMovedChildDetail(plan.report)
  const moved = { from: plan.survivorId, to: plan.sourceId, changeIds, detail }
  const isMade = sql`EXISTS (
    SELECT 1 FROM customer_merges made WHERE made.tenant_id = ${tenantId} AND made.mode = ${mode}
      AND made.source_id = ${plan.sourceId} AND made.change_id = ${changeId}
  )`
  const run = (query: SQL) => rowsStatement(db, query)
  const isOwn = sql`tenant_id = ${tenantId} AND mode = ${mode} AND source_id = ${plan.sourceId} AND change_id = ${changeId}`
  return {
    claimed: run(claim(scope, write)),
    source: db
      .update(customers)
      .set({
        mergedInto: null,
        archivedAtMs: plan.gift.archivedAtMs,
        ...(plan.sourceParent && { parentId: plan.sourceParent.after }),
      })
      .where(and(inScope(customers, scope), eq(customers.id, plan.sourceId), isMade)),
    formerIds: run(sql`INSERT OR REPLACE INTO customer_aliases (tenant_id, mode, external_id, customer_id, merged_from)
      SELECT ${tenantId}, ${mode}, value ->> '$.externalId', ${plan.sourceId}, value ->> '$.mergedFrom'
      FROM json_each(${JSON.stringify(plan.formerIds)}) WHERE ${isMade}`),
    stamped: db
      .update(customers)
      .set({
        version: plan.nextVersion,
        ...stampsOf(write),
        changeId: sourceChangeId,
        changeDetail: {
          change_id: sourceChangeId,
          type: 'customer.restored',
          detail: { ...toUnmergedDetail(plan.report) },
        },
      })
      .where(and(inScope(customers, scope), eq(customers.id, plan.sourceId), isMade)),
    ...(plan.sourceParent && parentBefore(run, scope, sourceChangeId, plan.sourceParent.before, isMade)),
    earlier: run(sql`UPDATE customers SET merged_into = ${plan.sourceId}
      WHERE tenant_id = ${tenantId} AND mode = ${mode} AND merged_into = ${plan.survivorId}
        AND id IN (SELECT value FROM json_each(${JSON.stringify(plan.mergedIds)})) AND ${isMade}`),
    // Before the survivor, which may go back below the source: the tree is then never deeper than it ends.
    ...(plan.children.length > 0 && { children: run(childrenUpdate(scope, write, moved, isMade)) }),
    survivor: db
      .update(customers)
      .set({
        ...columnsOf(plan),
        version: plan.nextVersion,
        ...stampsOf(write),
        changeId,
        changeDetail: { change_id: changeId, type: 'customer.unmerged', detail: { ...toUnmergeDetail(plan.report) } },
      })
      .where(and(inScope(customers, scope), eq(customers.id, plan.survivorId), isMade)),
    later: run(laterUpdate(scope, plan, isMade)),
    forgotten: run(sql`DELETE FROM customer_merges WHERE ${isOwn}`),
    both: db
      .select(customerColumns)
      .from(customers)
      .where(
        and(
          inScope(customers, scope),
          sql`${customers.id} IN (${plan.sourceId}, ${plan.survivorId})`,
          sql`${customers.changeId} IN (${changeId}, ${sourceChangeId})`,
        ),
      ),
  }
}

/**
 * Writes the parent that the source had into its event. Its row could not have it: a trigger refuses a parent that is not to
 * be had any more. The versions before the merge are read from what the event says was before it.
 */
function parentBefore(
  run: (query: SQL) => BatchItem<'sqlite'>,
  { tenantId, mode }: Scope,
  eventId: string,
  parentId: string,
  isMade: SQL,
) {
  const isOwn = sql`tenant_id = ${tenantId} AND mode = ${mode} AND id = ${eventId}`
  const before = sql`json_set(before, '$.parent_id', ${parentId})`
  return {
    parentCounted: run(sql`UPDATE storage_use
      SET bytes = bytes + (SELECT octet_length(${before}) - octet_length(before) FROM events WHERE ${isOwn})
      WHERE tenant_id = ${tenantId} AND mode = ${mode} AND ${isMade}`),
    parentBefore: run(sql`UPDATE events SET before = ${before} WHERE ${isOwn} AND ${isMade}`),
  }
}

/** Claims the note, unless something that the plan depends on has changed: a version, or what goes back. */
function claim(scope: Scope, { command: { plan }, changeId, deadlineMs, nowMs, idempotency }: UnmergeWrite): SQL {
  const { tenantId, mode } = scope
  const isIn = (table: string) => sql`${sql.raw(table)}.tenant_id = ${tenantId} AND ${sql.raw(table)}.mode = ${mode}`
  const conditions = [
    sql`tenant_id = ${tenantId}`,
    sql`mode = ${mode}`,
    sql`source_id = ${plan.sourceId}`,
    sql`survivor_id = ${plan.survivorId}`,
    sql`change_id = ${plan.mergeChangeId}`,
    inTime(deadlineMs),
    ...(idempotency ? [isUnused(scope, idempotency.key, nowMs)] : []),
    sql`EXISTS (
      SELECT 1 FROM customers source WHERE ${isIn('source')} AND source.id = ${plan.sourceId}
        AND source.version = ${plan.sourceVersion} AND source.merged_into = ${plan.survivorId}
    )`,
    sql`EXISTS (
      SELECT 1 FROM customers survivor WHERE ${isIn('survivor')} AND survivor.id = ${plan.survivorId}
        AND survivor.version = ${plan.survivorVersion} AND survivor.archived_at IS NULL
    )`,
    sql`${childrenBack(scope, plan.survivorId, plan.gift)} = ${plan.found.children}`,
    sql`${formerIdsBack(scope, plan.sourceId, plan.survivorId, plan.gift)} = ${plan.found.formerIds}`,
  ]
  return sql`UPDATE customer_merges SET change_id = ${changeId} WHERE ${sql.join(conditions, sql` AND `)}`
}

/** Selects the children that still belong to the survivor, as JSON. */
export function childrenBack({ tenantId, mode }: Scope, survivorId: string, { children }: MergeGift): SQL {
  return sql`(
    SELECT json_group_array(c.id) FROM json_each(${JSON.stringify(children)}) k
    CROSS JOIN customers c ON c.tenant_id = ${tenantId} AND c.mode = ${mode} AND c.id = k.value
    WHERE c.parent_id = ${survivorId} AND c.merged_into IS NULL AND c.erased_at IS NULL
  )`
}

/** Selects the former external ids that still lead to the survivor because of the merge, or that nobody has, as JSON. */
export function formerIdsBack(
  { tenantId, mode }: Scope,
  sourceId: string,
  survivorId: string,
  { formerIds, mergedIds }: MergeGift,
): SQL {
  const isIn = (table: string) => sql`${sql.raw(table)}.tenant_id = ${tenantId} AND ${sql.raw(table)}.mode = ${mode}`
  const name = sql`k.value ->> '$.externalId'`
  return sql`(
    SELECT json_group_array(${name}) FROM json_each(${JSON.stringify(formerIds)}) k
    LEFT JOIN customer_aliases a ON ${isIn('a')} AND a.external_id = ${name}
    WHERE iif(
      a.customer_id IS NULL,
      NOT EXISTS (
        SELECT 1 FROM customers h INDEXED BY customers_external_id
        WHERE h.external_id = ${name} AND ${isIn('h')} AND h.archived_at IS NULL
      ),
      a.customer_id = ${survivorId}
        AND a.merged_from IN (SELECT value FROM json_each(${JSON.stringify([sourceId, ...mergedIds])}))
    )
  )`
}

/**
 * A later merge into the same customer may have noted a value of this source as the one before its own. If it is taken back
 * too, the value from before both is to come back, so that one takes its place in the note.
 */
function laterUpdate({ tenantId, mode }: Scope, { sourceId, survivorId, gift }: UnmergePlan, isMade: SQL): SQL {
  const group = (name: 'fields' | 'metadata' | 'profile') => sql`(
    SELECT json_group_object(g.key, json_set(
      g.value, '$.before', json(iif(own.key IS NOT NULL, own.value -> '$.before', g.value -> '$.before'))
    ))
    FROM json_each(given, ${sql.raw(`'$.${name}'`)}) g
    LEFT JOIN json_each(${JSON.stringify(gift[name])}) own
      ON own.key = g.key AND (own.value -> '$.after') = (g.value -> '$.before')
  )`
  return sql`UPDATE customer_merges SET given = json_set(
      given, '$.fields', json(${group('fields')}), '$.metadata', json(${group('metadata')}), '$.profile', json(${group('profile')})
    )
    WHERE tenant_id = ${tenantId} AND mode = ${mode} AND survivor_id = ${survivorId} AND source_id <> ${sourceId}
      AND source_id IN (
        SELECT id FROM customers sibling INDEXED BY customers_merged
        WHERE sibling.tenant_id = ${tenantId} AND sibling.mode = ${mode} AND sibling.merged_into = ${survivorId}
      )
      AND merged_at >= (
        SELECT own.merged_at FROM customer_merges own
        WHERE own.tenant_id = ${tenantId} AND own.mode = ${mode} AND own.source_id = ${sourceId}
      )
      AND ${isMade}`
}
