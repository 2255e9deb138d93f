/**
 * Where tenants are: the number of each one's database, the database for a new one, and the copies of rows of the directory that
 * the other databases need. Their triggers and statements read the status and the limits of a tenant.
 */
import { eq, getTableColumns, type SQL, sql } from 'drizzle-orm'
import { describeError, log } from '../../shared/log.ts'
import { type Database, openDatabase } from '../database.ts'
import { databaseSize } from '../database-size.ts'
import { tenants } from '../schema/tenant-tables.ts'
import { orUnavailable } from '../unavailable.ts'

/** Returns the number of the tenant's database by the directory's primary; null if there is no such tenant. */
export function findDatabaseOf(directory: D1Database, tenantId: string): Promise<number | null> {
  const db = openDatabase(directory.withSession('first-primary'))
  return orUnavailable(async () => {
    const [row] = await db.select({ database: tenants.database }).from(tenants).where(eq(tenants.id, tenantId))
    return row?.database ?? null
  }, {})
}

/** Opens the tenant's database if that is another one than the directory's; null if it is not. With one database, nothing is read. */
export async function databaseWith(databases: readonly D1Database[], tenantId: string): Promise<Database | null> {
  const [directory] = databases as [D1Database]
  const number = databases.length === 1 ? 0 : ((await findDatabaseOf(directory, tenantId)) ?? 0)
  return number === 0 ? null : openDatabase(boundAt(databases, number))
}

/** Returns the database with that number. Throws if it is not bound: a deployment has left it out. */
export function boundAt(databases: readonly D1Database[], number: number): D1Database {
  const database = databases[number]
  if (!database) throw new Error(`the binding DB_${number} is missing`)
  return database
}

/** A smaller difference of sizes says nothing about how much room there is. */
const DIFFERENCE_BYTES_MIN = 1_000_000

/** Returns the number of the database with the most room, of those that respond; of equal ones the last, as the first does most. */
export async function roomiestDatabase(databases: readonly D1Database[]): Promise<number> {
  if (databases.length === 1) return 0
  const sizes = await Promise.all(
    databases.map(async (d1, number) => {
      try {
        return (await databaseSize(d1)).bytes
      } catch (error) {
        log('warn', { event: 'database_unavailable', database: number, error: describeError(error) })
        return Number.POSITIVE_INFINITY
      }
    }),
  )
  const least = Math.min(...sizes)
  return Math.max(
    0,
    sizes.findLastIndex((bytes) => bytes < least + DIFFERENCE_BYTES_MIN),
  )
}

/**
 * Copies the row of a tenant from the directory to its database, unless that one has a newer one. With the directory as its
 * database, nothing is copied. Throws `RegistryError` with `unavailable`.
 */
export function copyTenant(databases: readonly D1Database[], tenantId: string): Promise<void> {
  return orUnavailable(() => copyRow(databases, tenantId, ({ database }) => database), {})
}

/** Copies the row of a tenant to that database, where it is not, because the tenant is moved. */
export function copyTenantTo(databases: readonly D1Database[], tenantId: string, number: number): Promise<void> {
  return copyRow(databases, tenantId, () => number)
}

async function copyRow(
  databases: readonly D1Database[],
  tenantId: string,
  numberOf: (row: typeof tenants.$inferSelect) => number,
): Promise<void> {
  const [directory] = databases as [D1Database]
  const [row] = await openDatabase(directory).select().from(tenants).where(eq(tenants.id, tenantId))
  const number = row ? numberOf(row) : 0
  if (!row || number === 0) return
  // Nothing is left to apply in a copy: only the directory says what is.
  const copy = { ...row, policyAppliedVersion: row.policyVersion }
  await openDatabase(boundAt(databases, number))
    .insert(tenants)
    .values(copy)
    .onConflictDoUpdate({ target: tenants.id, set: excludedColumns(), setWhere: IS_NEWER })
}

/** Two copies may be under way. The older one must not overwrite the newer one. */
const IS_NEWER = sql`excluded.policy_version >= ${tenants.policyVersion}`

function excludedColumns(): Record<string, SQL> {
  const { id: _id, ...columns } = getTableColumns(tenants)
  return Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, sql.raw(`excluded.${column.name}`)]))
}
