/**
 * Plans a merge for the gate: looks up all that the plan depends on, in one trip, and decides with the rules of
 * `registry/merge.ts`. The plan names the versions it was made from, and the commit is refused if they have changed.
 */
import { and, type SQL, sql } from 'drizzle-orm'
import type { PlannedMerge } from '../../gate/protocol/write-store.ts'
import { LIMITS, type Scope } from '../../registry/customer.ts'
import { type Failure, ruledOut, versionConflict } from '../../registry/errors.ts'
import { MERGE_BOUNDS, planMerge } from '../../registry/merge.ts'
import type { Command } from '../../registry/ports.ts'
import { preconditionOf, unmetBy } from '../../registry/precondition.ts'
import { type CustomerRow, customerColumns, customerOf } from '../customer-row.ts'
import type { Database } from '../database.ts'
import { customers } from '../schema/tables.ts'
import { inScope } from '../scoped.ts'
import { rowsStatement } from '../statement-texts.ts'

type Merge = Extract<Command, { kind: 'merge' }>

/** Returns the plan, or why the merge is refused. */
export async function plannedMerge(
  db: Database,
  scope: Scope,
  command: Merge,
  sourceId: string,
): Promise<PlannedMerge> {
  const { rows, survivorId, ...facts } = await factsOf(db, scope, sourceId, command.into)
  const source = rows.find(({ id }) => id === sourceId)
  const survivor = rows.find(({ id }) => id === survivorId)
  const target = { id: sourceId }
  const refusal = refusalOf(command, source, survivor)
  if (refusal || !source || !survivor) {
    return { kind: 'merge', target, refusal: refusal ?? { reason: 'not_found', resource: 'customer' } }
  }
  const planned = planMerge(
    customerOf(source),
    customerOf(survivor),
    { archivedAtMs: source.archivedAtMs, ...facts },
    command.prefer,
  )
  return { kind: 'merge', target, ...(planned.ok ? { plan: planned.plan } : { refusal: planned.failure }) }
}

function refusalOf(command: Merge, source: CustomerRow | undefined, survivor: CustomerRow | undefined): Failure | null {
  if (!source || source.erasedAtMs !== null) return { reason: 'not_found', resource: 'customer' }
  if (source.mergedInto !== null) {
    return { reason: 'merged', customerId: source.id, mergedInto: source.mergedInto }
  }
  const unmet = unmetBy(preconditionOf(command), source)
  if (unmet) return versionConflict(unmet, source)
  const about = (message: string, fix: string) => ruledOut('into', message, fix).failure
  if (!survivor || survivor.erasedAtMs !== null) {
    return about('names no customer', 'name a customer of the same environment that exists')
  }
  if (survivor.id === source.id) {
    return about('names the customer itself, or one that was merged into it', 'name another customer')
  }
  if (survivor.archivedAtMs !== null) return about('names a customer that is archived', 'restore that customer first')
  const { intoVersion } = command
  if (intoVersion === null || intoVersion === survivor.version) return null
  return { reason: 'version_conflict', currentVersion: survivor.version, field: 'into_version' }
}

interface FoundId {
  id: string
  mergedFrom?: string | null
}

/** Reads by keys and indexes only. Lists are one longer than a merge may have. */
async function factsOf(db: Database, scope: Scope, sourceId: string, into: string) {
  const { childrenMax, formerIdsMax, mergedMax } = MERGE_BOUNDS
  const { tenantId, mode } = scope
  const isIn = (table: string) => sql`${sql.raw(table)}.tenant_id = ${tenantId} AND ${sql.raw(table)}.mode = ${mode}`
  const survivorId = sql`coalesce((
    SELECT named.merged_into FROM customers named WHERE ${isIn('named')} AND named.id = ${into}
  ), ${into})`
  const ids = (query: SQL) => rowsStatement(db, query)
  const [rows, led, children, ancestors, formerIds, merged, others] = (await db.batch([
    db
      .select(customerColumns)
      .from(customers)
      .where(and(inScope(customers, scope), sql`${customers.id} IN (${sourceId}, ${survivorId})`)),
    ids(sql`SELECT ${survivorId} AS id`),
    ids(sql`SELECT c.id FROM customers c INDEXED BY customers_parent
      WHERE ${isIn('c')} AND c.parent_id = ${sourceId} AND c.archived_at IS NULL LIMIT ${childrenMax + 1}`),
    ids(sql`WITH RECURSIVE up(id, level) AS (
        SELECT ${sourceId}, 0
        UNION ALL
        SELECT c.parent_id, up.level + 1 FROM up CROSS JOIN customers c ON ${isIn('c')} AND c.id = up.id
        WHERE up.level <= ${LIMITS.parentLevelsMax}
      ) SELECT id FROM up WHERE id IS NOT NULL AND level > 0`),
    ids(sql`SELECT a.external_id AS id, a.merged_from AS "mergedFrom" FROM customer_aliases a INDEXED BY customer_aliases_customer
      WHERE ${isIn('a')} AND a.customer_id = ${sourceId} ORDER BY a.external_id LIMIT ${formerIdsMax + 1}`),
    ids(sql`SELECT m.id FROM customers m INDEXED BY customers_merged
      WHERE ${isIn('m')} AND m.merged_into = ${sourceId} LIMIT ${mergedMax + 1}`),
    ids(sql`SELECT m.id FROM customers m INDEXED BY customers_merged
      WHERE ${isIn('m')} AND m.merged_into = ${survivorId} LIMIT ${mergedMax + 1}`),
  ])) as [CustomerRow[], ...FoundId[][]]
  const list = (found: FoundId[] = []) => found.map(({ id }) => id)
  return {
    rows,
    survivorId: led?.[0]?.id ?? into,
    children: list(children),
    ancestors: list(ancestors),
    formerIds: (formerIds ?? []).map(({ id, mergedFrom = null }) => ({ externalId: id, mergedFrom })),
    mergedIds: list(merged),
    mergedIntoSurvivor: others?.length ?? 0,
  }
}
