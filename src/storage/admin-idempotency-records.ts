/**
 * What keyed requests to the operator's door, webhooks and onboarding were answered, sealed: the statements that keep an
 * answer in the batch of its change, and the sweep that takes away what is a day old. A second answer under a key fails with
 * its whole batch, and that is how of two requests at once one is the first. Those of customers are in idempotency-records.ts.
 */
import { and, eq, getTableColumns, gt, inArray, lte, type SQL, sql } from 'drizzle-orm'
import type { KeptAnswer } from '../registry/once.ts'
import { CHUNK_ROWS_MAX, inChunks } from './chunks.ts'
import { type Database, openDatabase } from './database.ts'
import { adminIdempotencyRecords as records } from './tables.ts'

/** As long as the contract says that a key is remembered. */
const RECORD_LIFE_MS = 24 * 3_600_000

/** The rule that refuses a batch whose key has an answer. */
export const KEPT_BEFORE = 'admin_idempotency_records.key'

/** Keeps the answer if the change before it in the batch was made, which `made` tells; without it whatever happens. */
export function keepStatements(db: Database, kept: KeptAnswer, made: SQL = sql`1`) {
  const { key, fingerprint, tenantId, sealed, keptAtMs } = kept
  const expiresAtMs = keptAtMs + RECORD_LIFE_MS
  return [
    db.delete(records).where(and(eq(records.key, key), lte(records.expiresAtMs, keptAtMs))),
    db
      .insert(records)
      .select(sql`SELECT ${key}, ${fingerprint}, ${tenantId}, ${sealed}, ${keptAtMs}, ${expiresAtMs} WHERE ${made}`),
  ] as const
}

export function selectKept(db: Database, key: string, nowMs: number) {
  const { expiresAtMs, ...columns } = getTableColumns(records)
  return db
    .select(columns)
    .from(records)
    .where(and(eq(records.key, key), gt(expiresAtMs, nowMs)))
}

/** Takes away what has expired. */
export async function sweepAdminIdempotencyRecords(d1: D1Database, nowMs: number): Promise<void> {
  const db = openDatabase(d1)
  await inChunks(() => {
    const expired = db
      .select({ key: records.key })
      .from(records)
      .where(lte(records.expiresAtMs, nowMs))
      .orderBy(records.expiresAtMs)
      .limit(CHUNK_ROWS_MAX)
    return db.delete(records).where(inArray(records.key, expired))
  })
}
