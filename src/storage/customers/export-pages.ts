/**
 * Reads the customers of an export, by id, in pages that are bounded by customers and by bytes. The first read also
 * finds where the response has to end, so that its headers can state it before the body begins.
 */
import { and, lte, type SQL, sql } from 'drizzle-orm'
import { BULK_BOUNDS } from '../../registry/bulk.ts'
import type { Scope } from '../../registry/customer.ts'
import type { ExportEnd, ExportedCustomer, ExportPage, ExportQuery } from '../../registry/query.ts'
import { type CustomerRow, customerExpressions, customerOf } from '../customer-row.ts'
import type { Database } from '../database.ts'
import { customers } from '../schema/tables.ts'
import { planList } from './list-query.ts'
import { anchorStatement, requireAnchor } from './reads.ts'

/** The approximate size of a customer without its documents. SQLite has the sizes of those without reading them. */
const FIXED_BYTES = 1_024
const BYTES = sql`${FIXED_BYTES} + octet_length(${customers.metadata}) + octet_length(${customers.integrations})
  + octet_length(${customers.profile})`

/** Written out, because Drizzle names a column of a single table without it, and the subqueries have columns of that name. */
const PARENT_EXTERNAL_ID = sql<string | null>`(
  SELECT parent.external_id FROM customers parent
  WHERE parent.tenant_id = customers.tenant_id AND parent.mode = customers.mode AND parent.id = customers.parent_id
    AND parent.archived_at IS NULL
)`.as('parent_external_id')

const FORMER_IDS = sql<string>`(
  SELECT json_group_array(former.external_id ORDER BY former.external_id)
  FROM customer_aliases former INDEXED BY customer_aliases_customer
  WHERE former.tenant_id = customers.tenant_id AND former.mode = customers.mode AND former.customer_id = customers.id
)`.as('former_ids')

function exportedOf(row: CustomerRow & { parentExternalId: string | null; formerIds: string }): ExportedCustomer {
  const { parentExternalId, formerIds, ...customer } = row
  return { ...customerOf(customer), parentExternalId, formerIds: JSON.parse(formerIds) }
}

interface Bounds {
  customersMax: number
  bytesMax: number
}

/**
 * Reads one page in one round trip. The first page of a response takes one more query of D1, and another one if the
 * caller named the customer that it begins after.
 */
export async function readExportPage(db: Database, scope: Scope, query: ExportQuery): Promise<ExportPage> {
  const { filters, includeArchived, afterId, anchorId, lastId } = query
  const bounds = { customersMax: BULK_BOUNDS.exportPageCustomers, bytesMax: BULK_BOUNDS.exportPageBytes }
  const plan = planList(scope, {
    filters,
    includeArchived,
    sort: [{ field: 'id', direction: 'asc' }],
    start: { kind: 'after', position: [afterId] },
    limit: bounds.customersMax,
  })
  const wanted = and(plan.matches, plan.beyond, lastId === null ? undefined : lte(customers.id, lastId))
  const page = db
    .select({ ...customerExpressions, parentExternalId: PARENT_EXTERNAL_ID, formerIds: FORMER_IDS })
    .from(plan.source)
    .where(and(wanted, sql`${customers.id} <= (${lastWithin(bounds, plan.source, wanted)})`))
    .orderBy(...plan.order)
  if (lastId !== null) return { customers: (await page).map(exportedOf), end: null }
  const ends = endOf(db, plan.source, wanted)
  const [rows, [end], anchors] =
    anchorId === undefined
      ? ([...(await db.batch([page, ends])), null] as const)
      : await db.batch([page, ends, anchorStatement(db, scope, anchorId)])
  if (anchors) requireAnchor(anchors)
  return { customers: rows.map(exportedOf), end: end ?? { lastId: null, hasMore: false } }
}

function endOf(db: Database, source: SQL, wanted: SQL | undefined) {
  const bounds = { customersMax: BULK_BOUNDS.exportCustomersMax, bytesMax: BULK_BOUNDS.exportBytesMax }
  const isBeyond = sql`${customers.id} > response.last_id`
  return db
    .select({
      lastId: sql<ExportEnd['lastId']>`response.last_id`.as('last_id'),
      hasMore: sql`EXISTS (SELECT 1 FROM ${source} WHERE ${and(wanted, isBeyond)})`.mapWith(Boolean).as('has_more'),
    })
    .from(sql`(${lastWithin(bounds, source, wanted)}) response`)
}

/** Selects the last wanted id that is within the bounds: of at least one customer, null if there is none. */
function lastWithin({ customersMax, bytesMax }: Bounds, source: SQL, wanted: SQL | undefined): SQL {
  return sql`SELECT max(id) AS last_id FROM (
    SELECT id, sum(bytes) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) - bytes AS before FROM (
      SELECT ${customers.id} AS id, ${BYTES} AS bytes FROM ${source} WHERE ${wanted}
      ORDER BY ${customers.id} LIMIT ${customersMax}
    )
  ) WHERE before < ${bytesMax}`
}
