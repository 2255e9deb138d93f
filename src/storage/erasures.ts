/**
 * What is left to be done after a customer was erased: its values in KV. The isolate that asked for the erasure deletes them
 * before it answers; a reader elsewhere that had read the customer just before may put them back, so the sweep deletes them
 * once more when none can be under way. What is to be deleted is in D1 with the erasure itself.
 */
import { and, eq, lte } from 'drizzle-orm'
import type { CommitResult } from '../gate/write-store.ts'
import type { Scope } from '../registry/customer.ts'
import { describeError, log } from '../shared/log.ts'
import { type Database, openDatabase } from './database.ts'
import { customerKey, deleteKeys, externalIdKey } from './kv-cache.ts'
import { erasures } from './tables.ts'

/** Of one run of the sweep: the next is a minute away, and a run may make 1,000 calls of KV and D1. */
const SWEPT_ERASURES_MAX = 50

/**
 * Completes the note of an erasure with the keys of the external ids. One more trip for an erasure: the database can not
 * hash, and their clear text is among what is to be forgotten. Lost, the keys go by themselves when their life is over.
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

/** Deletes from KV what the erasures of a minute ago and before may have left there. One failure does not stop the others. */
export async function sweepErasures(d1: D1Database, namespace: KVNamespace, nowMs: number): Promise<void> {
  const db = openDatabase(d1)
  const due = await db.select().from(erasures).where(lte(erasures.dueAtMs, nowMs)).limit(SWEPT_ERASURES_MAX)
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

function isOf({ tenantId, mode }: Scope, customerId: string) {
  return and(eq(erasures.tenantId, tenantId), eq(erasures.mode, mode), eq(erasures.customerId, customerId))
}
