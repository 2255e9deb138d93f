/** Deletes what is stored about merges that cannot be taken back any more. */
import { and, lte, sql } from 'drizzle-orm'
import { UNMERGE_TTL_MS } from '../../registry/unmerge.ts'
import { CHUNK_ROWS_MAX, inChunks } from '../chunks.ts'
import { openDatabase } from '../database.ts'
import { isNotHeld } from '../moves/held.ts'
import { customerMerges } from '../schema/tables.ts'

/** Deletes the notes of merges of more than 30 days ago, oldest first. Call it each minute. */
export async function sweepMerges(d1: D1Database, nowMs: number): Promise<void> {
  const db = openDatabase(d1)
  const { tenantId, mode, sourceId, mergedAtMs } = customerMerges
  await inChunks(() => {
    const old = db
      .select({ tenantId, mode, sourceId })
      .from(customerMerges)
      .where(and(lte(mergedAtMs, nowMs - UNMERGE_TTL_MS), isNotHeld(tenantId)))
      .orderBy(mergedAtMs)
      .limit(CHUNK_ROWS_MAX)
    return db.delete(customerMerges).where(sql`(tenant_id, mode, source_id) IN ${old}`)
  })
}
