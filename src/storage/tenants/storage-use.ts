import { eq, sql } from 'drizzle-orm'
import type { Mode } from '../../registry/customer.ts'
import type { Database } from '../database.ts'
import { customerCounts, storageUse } from '../schema/tables.ts'

/** Returns the bytes that each mode of a tenant stores, as the triggers count them. */
export async function storedBytes(db: Database, tenantId: string): Promise<Record<Mode, number>> {
  const rows = await db
    .select({ mode: storageUse.mode, bytes: storageUse.bytes })
    .from(storageUse)
    .where(eq(storageUse.tenantId, tenantId))
  return { live: 0, test: 0, ...Object.fromEntries(rows.map(({ mode, bytes }) => [mode, bytes])) }
}

/** Returns the number of a tenant's customers of both modes, archived ones too. */
export async function customersIn(db: Database, tenantId: string): Promise<number> {
  const [row] = await db
    .select({ count: sql<number>`coalesce(sum(${customerCounts.count}), 0)` })
    .from(customerCounts)
    .where(eq(customerCounts.tenantId, tenantId))
  return row?.count ?? 0
}
