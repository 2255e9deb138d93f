/** Loads what a gate enforces for a tenant. All statements go to the primary. */
import { and, eq, gt, isNull, or, type SQL, sql } from 'drizzle-orm'
import type { Mode } from '../../registry/customer.ts'
import type { ApiKey, Tenant } from '../../tenants/tenant.ts'
import { D1_NOW, type Database, openDatabase } from '../database.ts'
import { apiKeys, deployment, tenants } from '../schema/tenant-tables.ts'
import { orUnavailable } from '../unavailable.ts'
import { isTenant, keyOf, tenantOf } from './rows.ts'

/** More than the clocks of a gate and of D1 ever differ. */
const EXPIRY_LEEWAY_MS = 60_000

/**
 * Loads the policy that a gate enforces for one mode, and the time by D1's clock; `db` reads the primary. `tenant` is
 * null when there is no such tenant.
 */
export async function loadTenantForGate(
  db: Database,
  tenantId: string,
  mode: Mode,
): Promise<{ dataEpoch: number; d1Ms: number; tenant: Tenant | null; keys: ApiKey[] }> {
  // One batch is one transaction, so the keys belong to the version in the same result.
  const [[state], [tenant], keys] = await db.batch([
    db.select({ dataEpoch: deployment.dataEpoch, d1Ms: sql<number>`${sql.raw(D1_NOW)}`.as('d1_now') }).from(deployment),
    db.select().from(tenants).where(isTenant(tenantId)).limit(1),
    db
      .select()
      .from(apiKeys)
      .where(and(eq(apiKeys.tenantId, tenantId), eq(apiKeys.mode, mode), isNull(apiKeys.revokedAtMs), isNotLongDead())),
  ])
  if (!state) throw new Error('D1 has no row in the table deployment')
  return { ...state, tenant: tenant ? tenantOf(tenant) : null, keys: keys.map(keyOf) }
}

/** Returns whether there is such a tenant, which may be suspended. Reads the primary. */
export function isTenantThere(d1: D1Database, tenantId: string): Promise<boolean> {
  const db = openDatabase(d1.withSession('first-primary'))
  return orUnavailable(async () => {
    const rows = await db.select({ id: tenants.id }).from(tenants).where(isTenant(tenantId)).limit(1)
    return rows.length > 0
  }, {})
}

/** Excludes keys that expired long ago. The gate, whose clock may be behind D1's, judges the others. */
function isNotLongDead(): SQL | undefined {
  return or(isNull(apiKeys.expiresAtMs), gt(apiKeys.expiresAtMs, sql`unixepoch('subsec') * 1000 - ${EXPIRY_LEEWAY_MS}`))
}
