/**
 * What keyed requests were answered, in D1: the condition that a key is unused, the records themselves, and the answer they
 * give to a repeat. A success is written in the batch of its change and read back from the change's event; a refusal, which
 * changed nothing, after it was known. The gate writes here, and the sweep takes away what is a day old.
 */
import { and, eq, lte, type SQL, sql } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import type { CommitResult, PreparedWrite } from '../gate/write-store.ts'
import type { Scope } from '../registry/customer.ts'
import { type Failure, fail, isDefinite } from '../registry/failures.ts'
import type { Effect, Idempotency } from '../registry/ports.ts'
import { describeError, log } from '../shared/log.ts'
import { CHUNK_ROWS_MAX, inChunks } from './chunks.ts'
import { customerOfDocument, erasureOfDocument } from './customer-row.ts'
import { type Database, openDatabase } from './database.ts'
import { slot } from './statement-texts.ts'
import { events, idempotencyRecords } from './tables.ts'

/** An answer that could not be kept: the same request may be sent again at once; a second lets the cause pass. */
const RETRY_AFTER_MS = 1_000
/** As long as the contract says that a key is remembered. */
const RECORD_LIFE_MS = 24 * 3_600_000

type KeyedWrite = PreparedWrite & { idempotency: Idempotency }

export function isKeyed(write: PreparedWrite): write is KeyedWrite {
  return write.idempotency !== null
}

/** Part of the statement that makes the change: a repeat meets the record and changes nothing. */
export const IS_UNUSED: SQL = sql`NOT EXISTS (
  SELECT 1 FROM idempotency_records record WHERE record.tenant_id = ${slot('tenantId')} AND record.mode = ${slot('mode')}
    AND record.key = ${slot('idempotencyKey')} AND record.expires_at > ${slot('nowMs')}
)`

/** Keeps the answer if the change was made, which its event tells; goes behind the change, in the same batch. */
export function keepStatement(db: Database, scope: Scope, write: KeyedWrite, effect: Effect) {
  const { idempotency, changeId, nowMs } = write
  return db
    .insert(idempotencyRecords)
    .select(
      db
        .select({
          tenantId: events.tenantId,
          mode: events.mode,
          key: sql<string>`${idempotency.key}`.as('key'),
          fingerprint: sql<string>`${idempotency.fingerprint}`.as('fingerprint'),
          customerId: events.customerId,
          changeId: sql<string>`${events.id}`.as('change_id'),
          effect: sql<Effect>`${effect}`.as('effect'),
          failure: sql<null>`NULL`.as('failure'),
          expiresAtMs: sql<number>`${nowMs + RECORD_LIFE_MS}`.as('expires_at'),
        })
        .from(events)
        .where(and(eq(events.tenantId, scope.tenantId), eq(events.mode, scope.mode), eq(events.id, changeId))),
    )
    .onConflictDoUpdate({ target: KEY, set: REPLACED })
}

/** Keeps an answer that came with no change, unless one is kept already. Answers the key if it did. */
function keepUnchangedStatement(db: Database, scope: Scope, write: KeyedWrite, answer: UnchangedAnswer) {
  return db
    .insert(idempotencyRecords)
    .values({ ...scope, ...write.idempotency, ...answer, expiresAtMs: write.nowMs + RECORD_LIFE_MS })
    .onConflictDoUpdate({ target: KEY, set: REPLACED, setWhere: lte(idempotencyRecords.expiresAtMs, write.nowMs) })
    .returning({ key: idempotencyRecords.key })
}

/** An answer that is no change: the customer as a change before had left it, or a failure. */
interface UnchangedAnswer {
  customerId: string | null
  changeId: string | null
  effect: 'unchanged' | null
  failure: Failure | null
}

/** What is kept under the key of this write. */
export function keptStatement(db: Database, scope: Scope, { idempotency, nowMs }: KeyedWrite) {
  const { fingerprint, changeId, effect, failure } = idempotencyRecords
  return db
    .select({ fingerprint, changeId, effect, failure, after: events.after })
    .from(idempotencyRecords)
    .leftJoin(
      events,
      and(eq(events.tenantId, scope.tenantId), eq(events.mode, scope.mode), eq(events.id, idempotencyRecords.changeId)),
    )
    .where(
      and(
        eq(idempotencyRecords.tenantId, scope.tenantId),
        eq(idempotencyRecords.mode, scope.mode),
        eq(idempotencyRecords.key, idempotency.key),
        sql`${idempotencyRecords.expiresAtMs} > ${nowMs}`,
      ),
    )
}

export type Kept = Awaited<ReturnType<typeof keptStatement>>[number]

/** The answer to a repeat; a mismatch when the key was another request's. */
export function replayOf(scope: Scope, { idempotency }: KeyedWrite, kept: Kept): CommitResult {
  // Once its customer is erased a record has no fingerprint: nothing may tell which request it was, so it is none again.
  if (kept.fingerprint !== idempotency.fingerprint) return fail({ reason: 'idempotency_mismatch' })
  if (kept.failure) return { ...fail(kept.failure), replayed: true }
  const { after, effect, changeId } = kept
  if (!after || !effect || !changeId) throw new Error('an idempotency record has neither a change nor a failure')
  const receipt = erasureOfDocument(after)
  const customer = customerOfDocument(scope, after)
  return { ok: true, customer, effect, changeId, replayed: true, erased: receipt && { receipt, externalIds: [] } }
}

/**
 * Keeps the answers of keyed writes that changed nothing. What is refused is known only after the batch, and by then it has
 * been rolled back: this one trip more is what a refusal with a key costs. An answer that can not be kept is not given.
 */
export async function keepUnchangedAnswers(
  db: Database,
  scope: Scope,
  writes: PreparedWrite[],
  results: CommitResult[],
): Promise<CommitResult[]> {
  const due = writes.flatMap((write, at) => {
    const result = results[at]
    const answer = result && unchangedAnswer(result)
    return isKeyed(write) && answer ? [{ at, write, answer }] : []
  })
  if (due.length === 0) return results
  const settled = [...results]
  try {
    const statements = due.flatMap(({ write, answer }): BatchItem<'sqlite'>[] => [
      keepUnchangedStatement(db, scope, write, answer),
      keptStatement(db, scope, write),
    ])
    const answers: unknown[] = await db.batch(statements as [BatchItem<'sqlite'>, ...BatchItem<'sqlite'>[]])
    for (const [index, { at, write }] of due.entries()) {
      const isKept = (answers[2 * index] as unknown[]).length > 0
      const [kept] = answers[2 * index + 1] as Kept[]
      if (!isKept && kept) settled[at] = replayOf(scope, write, kept)
    }
  } catch (error) {
    log('error', { event: 'storage_failed', error: describeError(error), ...scope })
    for (const { at } of due) settled[at] = fail({ reason: 'unavailable', retryAfterMs: RETRY_AFTER_MS })
  }
  return settled
}

/** What is to be kept of an answer; null for one that is kept already or that is none for good. */
function unchangedAnswer(result: CommitResult): UnchangedAnswer | null {
  if (result.replayed) return null
  if (result.ok) {
    const { effect, changeId, customer } = result
    return effect === 'unchanged' ? { customerId: customer.id, changeId, effect, failure: null } : null
  }
  const { failure, retarget } = result
  if (retarget || !isDefinite(failure)) return null
  const customerId = 'customerId' in failure ? failure.customerId : null
  return { customerId, changeId: null, effect: null, failure }
}

/** Takes away what has expired. */
export async function sweepIdempotencyRecords(d1: D1Database, nowMs: number): Promise<void> {
  const db = openDatabase(d1)
  const { tenantId, mode, key, expiresAtMs } = idempotencyRecords
  await inChunks(() => {
    const expired = db
      .select({ tenantId, mode, key })
      .from(idempotencyRecords)
      .where(lte(expiresAtMs, nowMs))
      .orderBy(expiresAtMs)
      .limit(CHUNK_ROWS_MAX)
    return db.delete(idempotencyRecords).where(sql`(tenant_id, mode, key) IN ${expired}`)
  })
}

const KEY = [idempotencyRecords.tenantId, idempotencyRecords.mode, idempotencyRecords.key]

/** What a new record puts in the place of one that has expired and was not swept yet. */
const REPLACED = {
  fingerprint: sql`excluded.fingerprint`,
  customerId: sql`excluded.customer_id`,
  changeId: sql`excluded.change_id`,
  effect: sql`excluded.effect`,
  failure: sql`excluded.failure`,
  expiresAtMs: sql`excluded.expires_at`,
}
