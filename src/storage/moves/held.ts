/**
 * The tenants whose rows in a database nobody may touch but a move: those that are frozen where they were, and copies that are
 * being made. The sweeps of a database leave them out: one refused row would end the statement for all tenants.
 */
import { type SQL, type SQLWrapper, sql } from 'drizzle-orm'

/** The condition that a row is of no such tenant. Almost always there are none, and then it reads no row. */
export function isNotHeld(tenantId: SQLWrapper): SQL {
  return sql`NOT EXISTS (SELECT 1 FROM leaving_tenants held WHERE held.tenant_id = ${tenantId} AND held.state <> 'copied')
    AND NOT EXISTS (SELECT 1 FROM arriving_tenants held WHERE held.tenant_id = ${tenantId})`
}
