/** The condition that a change would change something. */
import { type AnyColumn, type SQL, sql } from 'drizzle-orm'

/**
 * Returns the condition that a row of `table` differs from `values` in one of these columns. Without values, no row
 * differs.
 */
export function differsFrom(table: object, values: Record<string, unknown>): SQL {
  const each = Object.entries(values).map(([name, value]) => {
    const column = (table as Record<string, AnyColumn>)[name] as AnyColumn
    return sql`${column} IS NOT ${sql.param(value, column)}`
  })
  return each.length === 0 ? sql`0` : sql`(${sql.join(each, sql` OR `)})`
}
