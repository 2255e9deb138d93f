import { eq } from 'drizzle-orm'
import type { Mode } from '../../registry/customer.ts'
import type { Database } from '../database.ts'
import { storageUse } from '../schema/tables.ts'

/** Returns the bytes that each mode of a tenant stores, as the triggers count them. */
export async function storedBytes(db: Database, tenantId: string): Promise<Record<Mode, number>> {
  const rows = await db
    .select({ mode: storageUse.mode, bytes: storageUse.bytes })
    .from(storageUse)
    .where(eq(storageUse.tenantId, tenantId))
  return { live: 0, test: 0, ...Object.fromEntries(rows.map(({ mode, bytes }) => [mode, bytes])) }
}
