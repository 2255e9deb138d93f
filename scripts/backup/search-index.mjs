/**
 * The full-text index of customers in a backup. It is not copied, because it follows from the customers and their numbers;
 * the import file fills it anew, with every customer at its old place.
 */
import { literal } from './schema.mjs'

/** The virtual table, as `migrations/0007_search.sql` makes it. */
export const SEARCH_INDEX = 'customer_search'

/** The virtual tables of the schema: the index, and another look at it. */
export const VIRTUAL_TABLES = [SEARCH_INDEX, 'customer_search_words']

/** Customers of one statement: D1 ends one that takes longer than 30 seconds. */
const CUSTOMERS_PER_STATEMENT = 1_000

/** Yields the statements that fill the index. `copy` is the backup, an open SQLite file. */
export function* fillSearchIndex(copy) {
  yield `INSERT INTO ${SEARCH_INDEX} (${SEARCH_INDEX}, rank) VALUES ('usermerge', 2)`
  const ids = copy
    .prepare('SELECT DISTINCT id FROM customer_places ORDER BY id')
    .all()
    .map(({ id }) => String(id))
  for (let from = 0; from < ids.length; from += CUSTOMERS_PER_STATEMENT) {
    const last = ids[Math.min(from + CUSTOMERS_PER_STATEMENT, ids.length) - 1]
    const range = `n.id >= ${literal(ids[from])} AND n.id <= ${literal(last)}`
    yield `INSERT INTO ${SEARCH_INDEX} (rowid, tokens)
SELECT n.number, t.tokens FROM customer_numbers n
CROSS JOIN customer_tokens t ON t.tenant_id = n.tenant_id AND t.mode = n.mode AND t.id = n.id WHERE ${range}`
  }
}
