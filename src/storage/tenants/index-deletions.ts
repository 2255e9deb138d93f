/**
 * Takes the customers of a tenant that is deleted or has moved away out of the full-text index. What is left of their words there goes with
 * the next merge, see `customers/removed-words.ts`.
 */
import { type SQL, sql } from 'drizzle-orm'
import { owedFor } from '../customers/removed-words.ts'
import type { Database } from '../database.ts'
import { rowsStatement } from '../statement-texts.ts'

/** Customers of one transaction: at most some 50 ms. */
const ROWS_MAX = 2_000
/** Statements of one transaction, with the one that decides on the next. */
const STATEMENTS = 4

/**
 * Returns true if no customer of the tenant is left in the index, and false if the budget has no more statements. Takes those
 * that it needs out of the budget.
 */
export async function takeOutOfIndex(db: Database, tenantId: string, budget: { statements: number }): Promise<boolean> {
  for (;;) {
    const [next] = await db.all(found(tenantId, 1))
    if (!next) return true
    budget.statements -= STATEMENTS
    if (budget.statements < 0) return false
    await db.batch([
      rowsStatement(db, sql`DELETE FROM customer_search WHERE rowid IN (${found(tenantId, ROWS_MAX)})`),
      ...owedFor(db, tenantId),
    ])
  }
}

/**
 * Selects customers of the tenant, oldest first: the index writes at once what it has noted when a row is older than the one before.
 * Each has a word that begins with `cust_`.
 */
function found(tenantId: string, rows: number): SQL {
  return sql`
    SELECT rowid FROM customer_search WHERE customer_search MATCH (
      SELECT replace('"?acust_"* OR "?bcust_"* OR "?ccust_"* OR "?dcust_"*', '?', coalesce((
        SELECT printf('%05x', number) FROM search_scopes WHERE tenant_id = ${tenantId}
      ), '-----'))
    ) ORDER BY rowid LIMIT ${rows}`
}
