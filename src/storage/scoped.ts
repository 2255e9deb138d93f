/** The rows of one tenant and mode, in any table that has both columns. */
import { type AnyColumn, and, eq, type SQL, type SQLWrapper } from 'drizzle-orm'

/** A tenant and mode: their values, or the expressions that give them. */
export interface ScopeValues {
  tenantId: string | SQLWrapper
  mode: string | SQLWrapper
}

/** Returns the condition that a row of `table` is of this tenant and mode. */
export function inScope(
  table: { tenantId: AnyColumn; mode: AnyColumn },
  { tenantId, mode }: ScopeValues,
): SQL | undefined {
  return and(eq(table.tenantId, tenantId), eq(table.mode, mode))
}

/** Returns how SQLite names the unique key of a table over tenant, mode and `columns`, when it refuses a row. */
export function uniqueOver(table: string, ...columns: string[]): string {
  return ['tenant_id', 'mode', ...columns].map((column) => `${table}.${column}`).join(', ')
}
