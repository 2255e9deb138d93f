/**
 * Statements whose SQL text is built once. Drizzle builds a text for each run, which for one change of a batch takes
 * about as long as SQLite needs to execute it. The shape determines the text. A text is cached by its shape, and has
 * slots for the values of each run. The cache is bounded, least recently used first.
 */
import { fillPlaceholders, is, Placeholder, type SQL, sql } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import { LRUCache } from 'lru-cache'
import type { Database } from './database.ts'

interface Text {
  sql: string
  params: unknown[]
}

/** The requests of all callers have a few dozen shapes. */
const TEXTS_MAX = 500

const texts = new LRUCache<string, Text>({ max: TEXTS_MAX })

/** The place of a value in a text, by its name among the values of a run. */
export function slot(name: string): SQL {
  return sql`${sql.placeholder(name)}`
}

/**
 * Returns a statement for `db.batch`. `build` makes the text for a new shape, with slots for all values. A value inside
 * the text would be used by every later run too, so it throws. `rowOf` reads a row, by the names of its columns.
 */
export function shapedStatement<Row>(
  db: Database,
  shape: string,
  build: () => { toSQL(): Text },
  values: Record<string, unknown>,
  rowOf: (columns: Record<string, unknown>) => Row,
): BatchItem<'sqlite'> {
  let text = texts.get(shape)
  if (!text) {
    text = build().toSQL()
    if (!text.params.every((param) => is(param, Placeholder)))
      throw new Error(`the shape ${shape} has a value of its own`)
    texts.set(shape, text)
  }
  return batchItem(db, { sql: text.sql, params: fillPlaceholders(text.params, values) }, rowOf)
}

/** Returns a statement for `db.batch`, for SQL that Drizzle's builders cannot express. A row has the names of its columns. */
export function rowsStatement(db: Database, query: SQL): BatchItem<'sqlite'> {
  return batchItem(db, db.all(query).getQuery(), (columns) => columns)
}

/**
 * The members that Drizzle's batch over D1 uses of an item, which its types do not show: `stmt` is bound to the params
 * and sent.
 */
function batchItem<Row>(
  db: Database,
  query: Text,
  rowOf: (columns: Record<string, unknown>) => Row,
): BatchItem<'sqlite'> {
  const prepared = {
    stmt: db.$client.prepare(query.sql),
    getQuery: () => query,
    mapResult: ({ results }: D1Result<Record<string, unknown>>) => results.map(rowOf),
  }
  return { _prepare: () => prepared } as unknown as BatchItem<'sqlite'>
}
