/**
 * Reads the customers that are related to those of a page, in one statement: their parents, or the children of each. It
 * takes them in the order of the page and stops when they are as many as a page may have.
 */
import { isNull, sql } from 'drizzle-orm'
import type { Customer, Scope } from '../../registry/customer.ts'
import { LIST_BOUNDS, RELATED_BOUNDS, type Related, type Relation } from '../../registry/query.ts'
import { CUSTOMER_COLUMNS, customerIn } from '../customer-row.ts'
import type { Database } from '../database.ts'
import { customers } from '../schema/tables.ts'
import { inScope } from '../scoped.ts'
import { rowsStatement } from '../statement-texts.ts'
import { BYTES } from './list-pages.ts'

type RelatedRow = Record<string, unknown> & { at: number; bytes: number }

/** Returns what `CustomerReader.related` describes. */
export async function readRelated(
  db: Database,
  scope: Scope,
  relation: Relation,
  ids: readonly string[],
): Promise<Related> {
  const { childrenMax, childrenLookedAtMax, customersMax } = RELATED_BOUNDS
  // The newest children of one parent, by the index of parents, whose entries end with the id.
  const children = sql`(
    SELECT id FROM (
      SELECT child.id, child.archived_at FROM ${customers} child INDEXED BY customers_parent
      WHERE child.tenant_id = ${scope.tenantId} AND child.mode = ${scope.mode} AND child.parent_id = wanted.value
      ORDER BY child.id DESC LIMIT ${childrenLookedAtMax}
    ) WHERE archived_at IS NULL LIMIT ${childrenMax}
  )`
  const found = sql`
    SELECT wanted.key AS at, ${customers.id} AS id, ${BYTES} AS bytes
    FROM json_each(${JSON.stringify(ids)}) wanted CROSS JOIN ${customers} ON ${inScope(customers, scope)}
      AND ${relation === 'children' ? sql`${customers.id} IN ${children}` : sql`${customers.id} = wanted.value`}
    WHERE ${isNull(customers.erasedAtMs)} AND ${isNull(customers.mergedInto)}
    LIMIT ${customersMax + 1}`
  const [rows] = (await db.batch([
    rowsStatement(
      db,
      sql`
      SELECT ${CUSTOMER_COLUMNS}, related.at, related.bytes FROM (
        SELECT *, sum(bytes) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING) AS before FROM (${found})
      ) related
      CROSS JOIN ${customers} ON ${inScope(customers, scope)} AND ${customers.id} = related.id
      WHERE coalesce(related.before, 0) < ${LIST_BOUNDS.pageBytes}`,
    ),
  ])) as [RelatedRow[]]
  return relatedOf(rows, relation, ids.length)
}

function relatedOf(rows: readonly RelatedRow[], relation: Relation, idsCount: number): Related {
  const of = new Map<string, Customer[]>()
  let bytes = 0
  for (const [nth, row] of rows.entries()) {
    // The last row shows that there are more.
    if (nth === RELATED_BOUNDS.customersMax || bytes >= LIST_BOUNDS.pageBytes) {
      return { of, complete: Math.max(1, row.at) }
    }
    bytes += row.bytes
    const customer = customerIn(row)
    const id = relation === 'children' ? (customer.parentId as string) : customer.id
    of.set(id, [customer, ...(of.get(id) ?? [])])
  }
  return { of, complete: idsCount }
}
