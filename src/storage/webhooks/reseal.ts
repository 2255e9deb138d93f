/**
 * Seals signing secrets anew that an older key sealed, after `SIGNING_SECRETS` was rotated: the old one can be removed
 * once nothing is sealed by it.
 */
import { and, eq, gt, lt, or } from 'drizzle-orm'
import type { SecretVault } from '../../events/secret-vault.ts'
import { openDatabase } from '../database.ts'
import { isNotHeld } from '../moves/held.ts'
import { settings, webhookEndpoints } from '../schema/webhook-tables.ts'

/** Rows of each table in one run; the next run is a minute later. */
const RESEALED_MAX = 50

/** Returns how many were sealed anew. Reads no row if all are sealed by the newest key. */
export async function resealSecrets(d1: D1Database, vault: SecretVault): Promise<number> {
  const db = openDatabase(d1)
  const current = await vault.keyId()
  let count = 0
  for (const table of [webhookEndpoints, settings] as const) {
    const name = table === webhookEndpoints ? webhookEndpoints.id : settings.name
    const rows = await db
      .select({ tenantId: table.tenantId, mode: table.mode, name, secrets: table.secrets })
      .from(table)
      // Two ranges of the index. An inequality would read the whole table.
      .where(and(or(lt(table.sealedBy, current), gt(table.sealedBy, current)), isNotHeld(table.tenantId)))
      .limit(RESEALED_MAX)
    for (const { tenantId, mode, name: own, secrets } of rows) {
      const opened = await vault.open(secrets)
      // Secrets that no key opens stay as they are, and are not looked at again. It opens if its signing secret comes back.
      const anew = opened === null ? { sealedBy: current } : await vault.seal(opened)
      const isSame = and(eq(table.tenantId, tenantId), eq(table.mode, mode), eq(name, own), eq(table.secrets, secrets))
      await db.update(table).set(anew).where(isSame)
      count++
    }
  }
  return count
}
