/**
 * Reads one page of the customers that have words which begin like those of a text, in one round trip. Finds no row of
 * another tenant or mode. A page looks at few rows for each customer it shows, see `search-query.ts`, and shows
 * fewer customers than a page of a list, so that even the largest ones are no more than an isolate can hold.
 */
import { sql } from 'drizzle-orm'
import type { Scope } from '../../registry/customer.ts'
import { LIST_BOUNDS, type ListPage, type ListQuery, shortened } from '../../registry/query.ts'
import { customerExpressions, customerOf } from '../customer-row.ts'
import type { Database } from '../database.ts'
import { planSearch, SEARCH_BOUNDS } from './search-query.ts'

/** Throws `RegistryError` with `invalid_input` for a text without words, or with too many. */
export async function searchCustomers(
  db: Database,
  scope: Scope,
  given: ListQuery & { q: string },
  options: { total: boolean },
): Promise<ListPage> {
  const query = { ...given, limit: Math.min(given.limit, SEARCH_BOUNDS.shownMax) }
  const plan = planSearch(scope, query)
  const page = db.select({ ...customerExpressions, number: sql<number>`found.number` }).from(plan.source)
  const totals = db
    .select({ total: sql<number>`total`.as('total'), isLeast: sql<number>`isLeast`.as('is_least') })
    .from(sql`(${plan.total})`)
  const [found, [count]] = options.total ? await db.batch([page, totals]) : [...(await db.batch([page])), []]
  const rows = found.sort((a, b) => b.number - a.number)
  const customers = rows.slice(0, query.limit).map(({ number: _number, ...row }) => customerOf(row))
  const positions = customers.map(({ id }) => [id])
  const next = rows.length > query.limit ? (positions.at(-1) ?? null) : null
  const { total = 0, isLeast = 0 } = count ?? {}
  const capped = Math.min(total, SEARCH_BOUNDS.totalMax)
  const isCapped = isLeast === 1 || capped < total
  return withinBytes({ customers, positions, next, total: options.total ? { count: capped, isCapped } : null })
}

/** Returns the page without the customers that would make its response too large. */
function withinBytes(page: ListPage): ListPage {
  let bytes = 0
  const tooMany = page.customers.findIndex(({ metadata, integrations, profile }) => {
    const isFull = bytes >= LIST_BOUNDS.pageBytes
    bytes += JSON.stringify([metadata, integrations, profile]).length
    return isFull
  })
  return tooMany === -1 ? page : shortened(page, tooMany)
}
