/**
 * Compares the copy of a tenant with its rows, while nothing can change either: for each table the number of rows, the lengths
 * of their texts and the sums of their numbers.
 */
import { getTableColumns } from 'drizzle-orm'
import type { SQLiteTable } from 'drizzle-orm/sqlite-core'
import type { Ends } from './marks.ts'
import { ALONG_TABLES, COPIED_TABLES, ofTenant, WHOLE_TABLES } from './tables.ts'

/** D1 passes a function 32 arguments at most. */
const ARGUMENTS_MAX = 31
/** A sum of remainders stays exact. */
const MODULUS = 1_000_003

/** Returns the names of the tables that differ. */
export async function differingTables({ from, to, tenantId }: Ends): Promise<string[]> {
  const tables = [...COPIED_TABLES, ...ALONG_TABLES, ...WHOLE_TABLES]
  const sums = async (db: D1Database) => {
    const found = await db.batch<Record<string, number>>(
      tables.map((table) =>
        db.prepare(`SELECT ${sumsOf(table.schema)} FROM ${table.name} WHERE ${ofTenant(table)}`).bind(tenantId),
      ),
    )
    return found.map(({ results }) => JSON.stringify(results[0]))
  }
  const [there, here] = await Promise.all([sums(from), sums(to)])
  return tables.flatMap(({ name }, at) => (there[at] === here[at] ? [] : name))
}

function sumsOf(schema: SQLiteTable): string {
  const columns = Object.values(getTableColumns(schema)).filter((column) => column.name !== 'tenant_id')
  const isNumber = (column: (typeof columns)[number]) => column.getSQLType() === 'integer'
  const texts = columns.flatMap((column) => (isNumber(column) ? [] : column.name))
  // The id of a delivery is another one in each database.
  const numbers = columns.flatMap((column) => (isNumber(column) && column.name !== 'id' ? column.name : []))
  const lengths: string[] = []
  for (let at = 0; at < texts.length; at += ARGUMENTS_MAX) {
    lengths.push(`octet_length(concat_ws('', ${texts.slice(at, at + ARGUMENTS_MAX).join(', ')}))`)
  }
  return [
    'count(*) AS rows_there',
    `coalesce(sum(${lengths.join(' + ')}), 0) AS bytes`,
    ...numbers.map((column) => `coalesce(sum(${column} % ${MODULUS}), 0) AS ${column}`),
  ].join(', ')
}
