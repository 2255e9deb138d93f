/**
 * The idempotency records in D1: stored results of customer changes, which the gate writes, and sealed responses of
 * operators, webhooks and onboarding. Both expire after a day, and one sweep deletes them.
 *
 * They differ in one point. A repeat of a customer change shares its batch with other writes, so its statement does
 * nothing if the key is used (`IS_UNUSED`). A repeat of a sealed change has a batch of its own, so its record makes the
 * batch fail.
 */
import { and, eq, gt, lte, type SQL, sql } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import type { CommitResult, PreparedWrite } from '../../gate/protocol/write-store.ts'
import type { ResponseStore, ResponseToStore } from '../../idempotency/idempotency.ts'
import type { Scope } from '../../registry/customer.ts'
import { type Failure, fail, isDefinite } from '../../registry/errors.ts'
import type { Effect, Idempotency } from '../../registry/ports.ts'
import { DAY_MS } from '../../shared/durations.ts'
import { CHUNK_ROWS_MAX, inChunks } from '../chunks.ts'
import { customerOfDocument, erasureOfDocument } from '../customer-row.ts'
import { type Database, openDatabase } from '../database.ts'
import { DOCUMENT_COLUMNS, documentAfter, mergeOfEvent } from '../event-documents.ts'
import { isNotHeld } from '../moves/held.ts'
import { events, idempotencyRecords as records } from '../schema/tables.ts'
import { inScope, type ScopeValues } from '../scoped.ts'
import { slot } from '../statement-texts.ts'
import { storageFailure } from '../unavailable.ts'
import { unmergedOfEvent, unmergedSource, unmergedSourceOf } from '../unmerge-events.ts'

/** The contract promises that a key is stored for this long. */
const IDEMPOTENCY_RECORD_TTL_MS = DAY_MS

/** The scope of operators' keys, apart from every tenant and mode. */
export const OPERATOR_SCOPE = { tenantId: '', mode: '' } as const

/** The scope of a key: one tenant and mode, or the operators. */
type KeyScope = Scope | typeof OPERATOR_SCOPE

type KeyedWrite = PreparedWrite & { idempotency: Idempotency }

export function isKeyed(write: PreparedWrite): write is KeyedWrite {
  return write.idempotency !== null
}

/**
 * Condition of the statement that makes a change: true if the key has no unexpired record, so that a repeat changes
 * nothing.
 */
export const IS_UNUSED: SQL = isUnused(
  { tenantId: slot('tenantId'), mode: slot('mode') },
  slot('idempotencyKey'),
  slot('nowMs'),
)

/** Returns the same condition for a statement without slots. */
export function isUnused({ tenantId, mode }: ScopeValues, key: SQL | string, nowMs: SQL | number): SQL {
  return sql`NOT EXISTS (
    SELECT 1 FROM idempotency_records record WHERE record.tenant_id = ${tenantId} AND record.mode = ${mode}
      AND record.key = ${key} AND record.expires_at > ${nowMs}
  )`
}

/**
 * Stores the result of a change if its event exists, which means that it was made. Goes after the change, in the same
 * batch.
 */
export function storeResultStatement(db: Database, scope: Scope, write: KeyedWrite, effect: Effect) {
  const { idempotency, changeId, nowMs } = write
  return db
    .insert(records)
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
          sealed: sql<null>`NULL`.as('sealed'),
          expiresAtMs: sql<number>`${nowMs + IDEMPOTENCY_RECORD_TTL_MS}`.as('expires_at'),
        })
        .from(events)
        .where(and(inScope(events, scope), eq(events.id, changeId))),
    )
    .onConflictDoUpdate({ target: KEY, set: REPLACED })
}

/** Stores a result that came with no change, unless one is stored already. Returns the key if it did. */
function storeUnchangedStatement(db: Database, scope: Scope, write: KeyedWrite, answer: UnchangedResult) {
  return db
    .insert(records)
    .values({ ...scope, ...write.idempotency, ...answer, expiresAtMs: write.nowMs + IDEMPOTENCY_RECORD_TTL_MS })
    .onConflictDoUpdate({ target: KEY, set: REPLACED, setWhere: lte(records.expiresAtMs, write.nowMs) })
    .returning({ key: records.key })
}

/** A result without a change: the customer as an earlier change left it, or a failure. */
interface UnchangedResult {
  customerId: string | null
  changeId: string | null
  effect: 'unchanged' | null
  failure: Failure | null
}

/** Selects the result that is stored under the key of this write. */
export function storedResultStatement(db: Database, scope: Scope, { idempotency, nowMs, command }: KeyedWrite) {
  const { fingerprint, changeId, effect, failure } = records
  return db
    .select({
      ...{ fingerprint, changeId, effect, failure, columns: DOCUMENT_COLUMNS },
      ...{ after: events.after, type: events.type, detail: events.detail },
      source: (command.kind === 'unmerge' ? unmergedSource() : sql<null>`NULL`).mapWith(unmergedSourceOf).as('source'),
    })
    .from(records)
    .leftJoin(events, and(inScope(events, scope), eq(events.id, changeId)))
    .where(isStored(scope, idempotency.key, nowMs))
}

/** Matches the record of this key, unless it has expired. */
function isStored(scope: ScopeValues, key: string, nowMs: number): SQL | undefined {
  return and(inScope(records, scope), eq(records.key, key), gt(records.expiresAtMs, nowMs))
}

export type StoredResult = Awaited<ReturnType<typeof storedResultStatement>>[number]

/** Returns the result of a repeat; `idempotency_mismatch` when the key was another request's. */
export function replayOf(scope: Scope, { idempotency }: KeyedWrite, kept: StoredResult): CommitResult {
  // The record of an erased customer has an empty fingerprint, which no request has.
  if (kept.fingerprint !== idempotency.fingerprint) return fail({ reason: 'idempotency_mismatch' })
  if (kept.failure) return { ...fail(kept.failure), replayed: true }
  const { after, columns, effect, changeId, type, detail, source } = kept
  if (!after || !columns || !effect || !changeId)
    throw new Error('an idempotency record has neither a change nor a failure')
  const document = documentAfter(columns, after)
  const receipt = erasureOfDocument(document)
  const customer = customerOfDocument(scope, document)
  const erased = receipt && { receipt, externalIds: [] }
  const merge = mergeOfEvent(type, detail)
  const unmerged = source ? unmergedOfEvent(scope, columns, detail, source) : undefined
  return { ok: true, customer, effect, changeId, replayed: true, erased, merge, unmerged }
}

/**
 * Stores the results of keyed writes that changed nothing. This costs one more trip to D1: a refusal is certain only
 * after the batch, which by then is rolled back. A result that cannot be stored is not returned; the write fails with
 * `unavailable`.
 */
export async function storeUnchangedResults(
  db: Database,
  scope: Scope,
  writes: PreparedWrite[],
  results: CommitResult[],
): Promise<CommitResult[]> {
  const due = writes.flatMap((write, at) => {
    const result = results[at]
    const answer = result && unchangedResult(result)
    return isKeyed(write) && answer ? [{ at, write, answer }] : []
  })
  if (due.length === 0) return results
  const settled = [...results]
  try {
    const statements = due.flatMap(({ write, answer }): BatchItem<'sqlite'>[] => [
      storeUnchangedStatement(db, scope, write, answer),
      storedResultStatement(db, scope, write),
    ])
    const answers: unknown[] = await db.batch(statements as [BatchItem<'sqlite'>, ...BatchItem<'sqlite'>[]])
    for (const [index, { at, write }] of due.entries()) {
      const isKept = (answers[2 * index] as unknown[]).length > 0
      const [kept] = answers[2 * index + 1] as StoredResult[]
      if (!isKept && kept) settled[at] = replayOf(scope, write, kept)
    }
  } catch (error) {
    const failure = storageFailure(error, { ...scope })
    for (const { at } of due) settled[at] = fail(failure)
  }
  return settled
}

/** Returns what to store of a result; null for one that is stored already, or that a repeat may change. */
function unchangedResult(result: CommitResult): UnchangedResult | null {
  if (result.replayed) return null
  if (result.ok) {
    const { effect, changeId, customer } = result
    return effect === 'unchanged' ? { customerId: customer.id, changeId, effect, failure: null } : null
  }
  const { failure, targetMoved } = result
  if (targetMoved || !isDefinite(failure)) return null
  const customerId = 'customerId' in failure ? failure.customerId : null
  return { customerId, changeId: null, effect: null, failure }
}

/**
 * Stores a sealed response if `made` is true, a condition which is to hold if the change before it in the batch was
 * made. Fails the batch if the key has a stored response (`ALREADY_STORED` in unavailable.ts), so of two requests at
 * once one is rolled back.
 */
export function storeResponseStatements(db: Database, scope: KeyScope, response: ResponseToStore, made: SQL = sql`1`) {
  const { key, fingerprint, sealed, nowMs } = response
  const result = sql`NULL, NULL, NULL, NULL`
  return [
    db.delete(records).where(and(inScope(records, scope), eq(records.key, key), lte(records.expiresAtMs, nowMs))),
    db
      .insert(records)
      .select(
        sql`SELECT ${scope.tenantId}, ${scope.mode}, ${key}, ${fingerprint}, ${result}, ${sealed}, ${nowMs + IDEMPOTENCY_RECORD_TTL_MS} WHERE ${made}`,
      ),
  ] as const
}

/** The sealed responses of one scope. `orUnavailable` maps the errors of D1. */
export function responseStore(
  database: () => Database,
  scope: KeyScope,
  orUnavailable: <T>(work: () => Promise<T>) => Promise<T>,
): ResponseStore {
  return {
    storedResponse: (key, nowMs) =>
      orUnavailable(async () => {
        const { fingerprint, sealed } = records
        const [stored] = await database()
          .select({ key: records.key, fingerprint, sealed: sql<string>`${sealed}` })
          .from(records)
          .where(isStored(scope, key, nowMs))
        return stored ?? null
      }),

    storeResponse: (response) =>
      orUnavailable(async () => {
        const db = database()
        await db.batch(storeResponseStatements(db, scope, response))
      }),
  }
}

/** Deletes the records that have expired. */
export async function sweepIdempotencyRecords(d1: D1Database, nowMs: number): Promise<void> {
  const db = openDatabase(d1)
  const { tenantId, mode, key, expiresAtMs } = records
  await inChunks(() => {
    const expired = db
      .select({ tenantId, mode, key })
      .from(records)
      .where(and(lte(expiresAtMs, nowMs), isNotHeld(tenantId)))
      .orderBy(expiresAtMs)
      .limit(CHUNK_ROWS_MAX)
    return db.delete(records).where(sql`(tenant_id, mode, key) IN ${expired}`)
  })
}

const KEY = [records.tenantId, records.mode, records.key]

/** A new record replaces one that has expired and was not swept yet. */
const REPLACED = {
  fingerprint: sql`excluded.fingerprint`,
  customerId: sql`excluded.customer_id`,
  changeId: sql`excluded.change_id`,
  effect: sql`excluded.effect`,
  failure: sql`excluded.failure`,
  sealed: sql`excluded.sealed`,
  expiresAtMs: sql`excluded.expires_at`,
}
