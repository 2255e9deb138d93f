/**
 * Plans an unmerge for the gate: looks up the merge and all that it moved, and decides with the rules of
 * `registry/unmerge.ts`. The plan names the versions it was made from, and the commit is refused if they have changed.
 */
import { and, eq, inArray, sql } from 'drizzle-orm'
import type { PlannedUnmerge } from '../../gate/protocol/write-store.ts'
import type { Customer, Scope } from '../../registry/customer.ts'
import { fail, type Outcome, ruledOut, versionConflict } from '../../registry/errors.ts'
import type { Command } from '../../registry/ports.ts'
import { preconditionOf, unmetBy } from '../../registry/precondition.ts'
import { type ParentPlace, planUnmerge, UNMERGE_TTL_MS, type UnmergeFacts } from '../../registry/unmerge.ts'
import { type CustomerRow, customerColumns, customerOf } from '../customer-row.ts'
import { D1_NOW, type Database } from '../database.ts'
import { customerMerges, customers } from '../schema/tables.ts'
import { inScope } from '../scoped.ts'
import { rowsStatement } from '../statement-texts.ts'
import { childrenBack, formerIdsBack } from './unmerge-statements.ts'

type Unmerge = Extract<Command, { kind: 'unmerge' }>
type MergeRow = Omit<typeof customerMerges.$inferSelect, keyof Scope | 'sourceId'>

interface Found {
  source: CustomerRow | undefined
  survivor: CustomerRow | undefined
  merge: MergeRow | undefined
  /** The customer by which the source came to the survivor: itself, or one that it had been merged into before. */
  by: string | null
  nowMs: number
}

/** Returns the plan, or why the unmerge is refused. */
export async function plannedUnmerge(
  db: Database,
  scope: Scope,
  command: Unmerge,
  survivorId: string,
): Promise<PlannedUnmerge> {
  const target = { id: survivorId }
  const found = await findMerge(db, scope, command.source, survivorId)
  const checked = checkedMerge(command, found)
  if (!checked.ok) return { kind: 'unmerge', target, refusal: checked.failure }
  const { source, survivor, merge } = checked
  const facts = await factsOf(db, scope, source, merge)
  const planned = planUnmerge(source, survivor, facts)
  return { kind: 'unmerge', target, ...(planned.ok ? { plan: planned.plan } : { refusal: planned.failure }) }
}

async function findMerge(db: Database, scope: Scope, sourceId: string, survivorId: string): Promise<Found> {
  const { tenantId, mode } = scope
  const { survivorId: mergedInto, changeId, mergedAtMs, given } = customerMerges
  const [rows, merges, way] = await db.batch([
    db
      .select(customerColumns)
      .from(customers)
      .where(and(inScope(customers, scope), inArray(customers.id, [sourceId, survivorId]))),
    db
      .select({ survivorId: mergedInto, changeId, mergedAtMs, given })
      .from(customerMerges)
      .where(and(inScope(customerMerges, scope), eq(customerMerges.sourceId, sourceId))),
    rowsStatement(
      db,
      sql`WITH RECURSIVE way(id, next) AS (
        SELECT m.source_id, m.survivor_id FROM customer_merges m
        WHERE m.tenant_id = ${tenantId} AND m.mode = ${mode} AND m.source_id = ${sourceId}
        UNION
        SELECT m.source_id, m.survivor_id FROM way CROSS JOIN customer_merges m
          ON m.tenant_id = ${tenantId} AND m.mode = ${mode} AND m.source_id = way.next
      ) SELECT (SELECT id FROM way WHERE next = ${survivorId}) AS id, ${sql.raw(D1_NOW)} AS now`,
    ),
  ])
  const [last] = way as unknown as [{ id: string | null; now: number }]
  return {
    source: rows.find(({ id }) => id === sourceId),
    survivor: rows.find(({ id }) => id === survivorId),
    merge: merges[0],
    by: last.id,
    nowMs: last.now,
  }
}

type Checked = Outcome<{ source: Customer; survivor: Customer; merge: MergeRow }>

function checkedMerge(command: Unmerge, { source, survivor, merge, by, nowMs }: Found): Checked {
  if (!survivor || survivor.erasedAtMs !== null) return fail({ reason: 'not_found', resource: 'customer' })
  if (survivor.mergedInto !== null) {
    return fail({ reason: 'merged', customerId: survivor.id, mergedInto: survivor.mergedInto })
  }
  const unmet = unmetBy(preconditionOf(command), survivor)
  if (unmet) return fail(versionConflict(unmet, survivor))
  if (!source || source.mergedInto !== survivor.id) {
    const fix = 'send the source_id of a customer.merged event of this customer'
    return fail(ruledOut('source', 'names no customer that is merged into this one', fix).failure)
  }
  const sourceId = source.id
  if (survivor.archivedAtMs !== null) return fail({ reason: 'archived', customerId: survivor.id })
  if (!merge || by === null || merge.mergedAtMs <= nowMs - UNMERGE_TTL_MS) {
    return fail({ reason: 'unmerge_expired', sourceId })
  }
  if (by !== sourceId) return fail({ reason: 'unmerge_order', sourceId, firstId: by })
  const { archivedAtMs } = merge.given
  return { ok: true, source: customerOf({ ...source, archivedAtMs }), survivor: customerOf(survivor), merge }
}

/** Reads by keys and indexes only. */
async function factsOf(
  db: Database,
  scope: Scope,
  source: Customer,
  { survivorId, changeId, mergedAtMs, given }: MergeRow,
): Promise<UnmergeFacts> {
  const { tenantId, mode } = scope
  const isIn = (table: string) => sql`${sql.raw(table)}.tenant_id = ${tenantId} AND ${sql.raw(table)}.mode = ${mode}`
  const formerParentId = given.fields.parentId?.before ?? null
  const entities = JSON.stringify(given.integrations.map(({ provider, id }) => [provider, id]))
  const [[found], own, places] = (await db.batch([
    rowsStatement(
      db,
      sql`SELECT ${childrenBack(scope, survivorId, given)} AS children,
        ${formerIdsBack(scope, source.id, survivorId, given)} AS "formerIds",
        (
          SELECT h.id FROM customers h INDEXED BY customers_external_id
          WHERE h.external_id = ${source.externalId} AND ${isIn('h')} AND h.archived_at IS NULL
        ) AS holder,
        EXISTS (
          SELECT 1 FROM json_each(${entities}) k CROSS JOIN integration_mappings m
            ON ${isIn('m')} AND m.provider = k.value ->> 0 AND m.entity_id = k.value ->> 1
          WHERE m.customer_id <> ${survivorId}
        ) AS "isTaken"`,
    ),
    rowsStatement(
      db,
      sql`SELECT a.external_id AS id FROM customer_aliases a INDEXED BY customer_aliases_customer
        WHERE ${isIn('a')} AND a.customer_id = ${survivorId} AND a.merged_from IS NULL
          AND a.external_id IN (SELECT value ->> '$.externalId' FROM json_each(${JSON.stringify(given.formerIds)}))
        UNION ALL SELECT c.external_id FROM customers c WHERE ${isIn('c')} AND c.id = ${survivorId}`,
    ),
    rowsStatement(
      db,
      sql`SELECT named.id AS named, at.id AS id, at.archived_at IS NOT NULL AS "isArchived"
        FROM customers named CROSS JOIN customers at ON ${isIn('at')} AND at.id = coalesce(named.merged_into, named.id)
        WHERE ${isIn('named')} AND named.id IN (${source.parentId}, ${formerParentId}) AND at.erased_at IS NULL`,
    ),
  ])) as unknown as [
    [{ children: string; formerIds: string; holder: string | null; isTaken: number }],
    { id: string }[],
    { named: string; id: string; isArchived: number }[],
  ]
  const placeOf = (id: string | null): ParentPlace => {
    const place = places.find(({ named }) => named === id)
    return place ? { id: place.id, isArchived: place.isArchived === 1 } : null
  }
  return {
    mergeChangeId: changeId,
    mergedAtMs,
    gift: given,
    externalIdHolder: found.holder,
    isEntityTaken: found.isTaken === 1,
    children: JSON.parse(found.children),
    formerIds: JSON.parse(found.formerIds),
    survivorsOwn: own.map(({ id }) => id),
    sourceParent: placeOf(source.parentId),
    formerParent: placeOf(formerParentId),
    found: { children: found.children, formerIds: found.formerIds },
  }
}
