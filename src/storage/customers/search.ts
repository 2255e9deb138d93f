/**
 * Reads one page of the customers that have words which begin like those of a text, in one round trip. Finds no row of
 * another tenant or mode.
 */
import { sql } from 'drizzle-orm'
import type { Scope } from '../../registry/customer.ts'
import type { ListPage, ListQuery } from '../../registry/query.ts'
import { type CustomerRow, customerExpressions, customerOf } from '../customer-row.ts'
import type { Database } from '../database.ts'
import { planSearch, SEARCH_BOUNDS } from './search-query.ts'

/** Throws `RegistryError` with `invalid_input` for a text without words, or with too many. */
export async function searchCustomers(
  db: Database,
  scope: Scope,
  query: ListQuery & { q: string },
  options: { total: boolean },
): Promise<ListPage> {
  const plan = planSearch(scope, query)
  const page = db
    .select(customerExpressions)
    .from(plan.source)
    .orderBy(...plan.order)
  const pageOf = (rows: CustomerRow[]) => {
    return { customers: rows.slice(0, query.limit).map(customerOf), hasMore: rows.length > query.limit }
  }
  if (!options.total) return { ...pageOf(await page), total: null }
  const totals = db
    .select({ total: sql<number>`total`.as('total'), isLeast: sql<number>`isLeast`.as('is_least') })
    .from(sql`(${plan.total})`)
  const [rows, [count]] = await db.batch([page, totals])
  const { total = 0, isLeast = 0 } = count ?? {}
  const capped = Math.min(total, SEARCH_BOUNDS.totalMax)
  return { ...pageOf(rows), total: capped, totalIsCapped: isLeast === 1 || capped < total }
}
