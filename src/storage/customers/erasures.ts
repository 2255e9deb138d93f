/**
 * Deletes the values of erased customers in KV. The isolate that sent the erasure deletes them before it responds. An
 * isolate elsewhere that read the customer just before may put them back, so the sweep deletes them once more when no
 * such read can be under way. The keys to delete are in D1, with the erasure itself.
 */
import { and, eq, lte } from 'drizzle-orm'
import type { CommitResult } from '../../gate/protocol/write-store.ts'
import type { Scope } from '../../registry/customer.ts'
import { describeError, log } from '../../shared/log.ts'
import { type Database, openDatabase } from '../database.ts'
import { customerKey, deleteKeys, externalIdKey } from '../kv-cache.ts'
import { isNotHeld } from '../moves/held.ts'
import { erasures } from '../schema/tables.ts'
import { inScope } from '../scoped.ts'

/**
 * Erasures that one run of the sweep handles. The sweep runs every minute, and a run may make 1,000 calls to KV and D1.
 */
const SWEPT_ERASURES_MAX = 50

/**
 * Adds the KV keys of the external ids to the row of an erasure. This costs an erasure one more trip to D1: the
 * database cannot hash, and the external ids in clear text must not outlive the erasure. If the trip fails, the values
 * under these keys expire in KV by themselves.
 */
export async function noteKvKeys(db: Database, scope: Scope, result: CommitResult): Promise<void> {
  if (!result.ok || !result.erased || result.erased.externalIds.length === 0 || result.effect !== 'erased') return
  const { receipt, externalIds } = result.erased
  try {
    const kvKeys = await Promise.all(externalIds.map((externalId) => externalIdKey(scope, externalId)))
    await db.update(erasures).set({ kvKeys }).where(isOf(scope, receipt.customerId))
  } catch (error) {
    log('warn', { event: 'kv_keys_not_noted', error: describeError(error), ...scope })
  }
}

/**
 * Deletes the values that erasures of a minute ago and earlier may have left in KV. A failure of one does not stop the
 * others.
 */
export async function sweepErasures(d1: D1Database, namespace: KVNamespace | null, nowMs: number): Promise<void> {
  const db = openDatabase(d1)
  const due = await db
    .select()
    .from(erasures)
    .where(and(lte(erasures.dueAtMs, nowMs), isNotHeld(erasures.tenantId)))
    .limit(SWEPT_ERASURES_MAX)
  for (const { tenantId, mode, customerId, kvKeys } of due) {
    const scope = { tenantId, mode }
    try {
      await deleteKeys(namespace, [customerKey(scope, customerId), ...(kvKeys ?? [])])
      await db.delete(erasures).where(isOf(scope, customerId))
    } catch (error) {
      log('warn', { event: 'erasure_not_swept', customerId, error: describeError(error), ...scope })
    }
  }
}

function isOf(scope: Scope, customerId: string) {
  return and(inScope(erasures, scope), eq(erasures.customerId, customerId))
}
