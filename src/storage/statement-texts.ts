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

/** `slots`: the name of the value of each parameter. */
const texts = new LRUCache<string, { sql: string; slots: string[] }>({ max: TEXTS_MAX })

/** The place of a value in a text, by its name among the values of a run. */
export function slot(name: string): SQL {
  return sql`${sql.placeholder(name)}`
}

/** The slots of the tenant and its mode. */
export const SCOPE = { tenantId: slot('tenantId'), mode: slot('mode') }

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
  return batchItem(db, textOf(shape, build, values), rowOf)
}

/** Runs such a statement by itself, for SQL that Drizzle's builders cannot express, and returns its rows. */
export async function shapedRows<Row>(
  db: Database,
  shape: string,
  build: () => SQL,
  values: Record<string, unknown>,
  rowOf: (columns: Record<string, unknown>) => Row,
): Promise<Row[]> {
  const { sql, params } = textOf(shape, () => written(db, build()), values)
  const { results } = await db.$client
    .prepare(sql)
    .bind(...params)
    .all<Record<string, unknown>>()
  return results.map(rowOf)
}

/** Returns a statement for `db.batch`, for SQL that Drizzle's builders cannot express. A row has the names of its columns. */
export function rowsStatement(db: Database, query: SQL): BatchItem<'sqlite'> {
  return batchItem(db, db.all(query).getQuery(), rowItself)
}

/** Does the same for SQL with slots. The text is kept if the query has a shape, which is that of its values in slots. */
export function slottedStatement(
  db: Database,
  shape: string | null,
  build: () => SQL,
  values: Record<string, unknown>,
): BatchItem<'sqlite'> {
  if (shape !== null)
    return batchItem(
      db,
      textOf(shape, () => written(db, build()), values),
      rowItself,
    )
  const { sql, params } = written(db, build()).toSQL()
  return batchItem(db, { sql, params: fillPlaceholders(params, values) }, rowItself)
}

/** Returns the text of the shape with the values of this run. Throws for a slot that has none. */
function textOf(shape: string, build: () => { toSQL(): Text }, values: Record<string, unknown>): Text {
  let text = texts.get(shape)
  if (!text) {
    const { sql, params } = build().toSQL()
    const slots = params.map((param) => {
      if (!is(param, Placeholder)) throw new Error(`the shape ${shape} has a value of its own`)
      return param.name
    })
    text = { sql, slots }
    texts.set(shape, text)
  }
  const params = text.slots.map((name) => {
    if (!(name in values)) throw new Error(`the shape ${shape} got no value for ${name}`)
    return values[name]
  })
  return { sql: text.sql, params }
}

function written(db: Database, query: SQL): { toSQL(): Text } {
  return { toSQL: () => db.all(query).getQuery() }
}

function rowItself(columns: Record<string, unknown>): Record<string, unknown> {
  return columns
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
