/**
 * Reads the customers of an export, by id, in pages of a list. The first read also finds where the response has to end, so
 * that its headers can state it before the body begins.
 */
import { and, lte, sql } from 'drizzle-orm'
import type { InTurn } from '../../gate/isolate/turns.ts'
import { BULK_BOUNDS } from '../../registry/bulk.ts'
import type { Scope } from '../../registry/customer.ts'
import type { ExportEnd, ExportedCustomer, ExportPage, ExportQuery } from '../../registry/query.ts'
import { customerIn } from '../customer-row.ts'
import type { Database } from '../database.ts'
import { customers } from '../schema/tables.ts'
import { slottedStatement } from '../statement-texts.ts'
import { BYTES, type PageRow } from './list-pages.ts'
import { type PageInPieces, readInPieces } from './list-pieces.ts'
import { planList, type Way } from './list-query.ts'
import { anchorStatement, requireAnchor } from './reads.ts'

const PARENT_EXTERNAL_ID = sql`(
  SELECT parent.external_id FROM customers parent
  WHERE parent.tenant_id = customers.tenant_id AND parent.mode = customers.mode AND parent.id = customers.parent_id
    AND parent.archived_at IS NULL
) AS parent_external_id`

const FORMER_IDS = sql`(
  SELECT json_group_array(former.external_id ORDER BY former.external_id)
  FROM customer_aliases former INDEXED BY customer_aliases_customer
  WHERE former.tenant_id = customers.tenant_id AND former.mode = customers.mode AND former.customer_id = customers.id
) AS former_ids`

function exportedOf(row: PageRow): ExportedCustomer {
  return {
    ...customerIn(row),
    parentExternalId: row.parent_external_id as string | null,
    formerIds: JSON.parse(row.former_ids as string),
  }
}

/**
 * Reads one page, in pieces. The first page of a response takes one more query of D1, and another one if the caller named
 * the customer that it begins after.
 */
export async function readExportPage(
  db: Database,
  scope: Scope,
  query: ExportQuery,
  inTurn: InTurn = (piece) => piece(),
): Promise<ExportPage> {
  const { filters, includeArchived, afterId, anchorId, lastId } = query
  const list = planList({
    filters,
    includeArchived,
    sort: [{ field: 'id', direction: 'asc' }],
    start: { kind: 'after', position: [afterId] },
    limit: BULK_BOUNDS.exportPageCustomers,
  })
  // Its columns and its end are its own.
  const plan = { ...list, shape: null }
  // By id there is one way, which is a walk.
  const whole = plan.ways[0] as Way
  const way = lastId === null ? whole : { ...whole, within: and(whole.within, lte(customers.id, lastId)) }
  const found = await readInPieces(db, scope, plan, way, {
    page: { customersMax: BULK_BOUNDS.exportPageCustomers, bytesMax: BULK_BOUNDS.exportPageBytes },
    piece: { customersMax: BULK_BOUNDS.exportPieceCustomers, bytesMax: BULK_BOUNDS.exportPieceBytes },
    columns: [PARENT_EXTERNAL_ID, FORMER_IDS],
    besides: [
      ...(lastId === null ? [endStatement(db, scope, whole, afterId)] : []),
      ...(anchorId === undefined ? [] : [anchorStatement(db, scope, anchorId)]),
    ],
    itemOf: exportedOf,
    inTurn,
  })
  if (!found) throw new Error('a walk always suits')
  if (anchorId !== undefined) requireAnchor(found.others.at(-1) ?? [])
  const [ended] = lastId === null ? ((found.others[0] ?? []) as { last_id: string | null; has_more: number }[]) : []
  return pageUpTo(found, ended ? { lastId: ended.last_id, hasMore: ended.has_more === 1 } : null)
}

/** Returns the page, without what is beyond the end that the same read found. */
function pageUpTo({ items, next }: PageInPieces<ExportedCustomer>, end: ExportEnd | null): ExportPage {
  const lastId = end?.lastId ?? null
  const customers = items.filter(({ id }) => lastId === null || id <= lastId)
  const nextAfterId = next === null ? null : String(next[0])
  const isDone = nextAfterId === null || (lastId !== null && nextAfterId >= lastId)
  return { customers, nextAfterId: isDone ? null : nextAfterId, end }
}

/** Selects the last id that is within the bounds of a response, and whether more customers follow it. */
function endStatement(db: Database, scope: Scope, { source, within }: Way, afterId: string) {
  const { exportCustomersMax, exportBytesMax } = BULK_BOUNDS
  const query = sql`
    SELECT response.last_id, EXISTS (
      SELECT 1 FROM ${source} WHERE ${within} AND ${customers.id} > response.last_id
    ) AS has_more
    FROM (
      SELECT max(id) AS last_id FROM (
        SELECT id, sum(bytes) OVER (ROWS UNBOUNDED PRECEDING) - bytes AS before FROM (
          SELECT ${customers.id} AS id, ${BYTES} AS bytes FROM ${source}
          WHERE ${within} AND ${customers.id} > ${afterId} ORDER BY ${customers.id} LIMIT ${exportCustomersMax}
        )
      ) WHERE before < ${exportBytesMax}
    ) response`
  return slottedStatement(db, null, () => query, { ...scope })
}
