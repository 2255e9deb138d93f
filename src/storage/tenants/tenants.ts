/**
 * Stores tenants and their keys in D1. `tenants/operations.ts` decides what a change means and when it is in force. Every
 * change is one batch that also raises the policy version. It touches only the columns it names, so that changes of
 * different fields never undo each other. All statements go to the primary: an operator's decision is never read from a
 * replica.
 */
import { and, desc, eq, exists, gt, inArray, isNull, lt, ne, notExists, type SQL, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import type { ResponseToStore } from '../../idempotency/idempotency.ts'
import { requireMet } from '../../registry/errors.ts'
import { newId } from '../../shared/ids.ts'
import type { Author, KeyReplacement, TenantStore } from '../../tenants/ports.ts'
import { ContractEndsBeforeStart, TooManyKeys } from '../../tenants/ports.ts'
import { classifyD1Error } from '../d1-errors.ts'
import { type Database, openDatabase } from '../database.ts'
import { OPERATOR_SCOPE, responseStore, storeResponseStatements } from '../idempotency/records.ts'
import { moves } from '../schema/move-tables.ts'
import { apiKeys, tenants } from '../schema/tenant-tables.ts'
import { orUnavailable } from '../unavailable.ts'
import { auditOf } from './audit-writes.ts'
import { databaseWith } from './placement.ts'
import {
  conditionsOf,
  deletedOf,
  isTenant,
  keyChangeOf,
  keyOf,
  pageOf,
  rowOf,
  storedOf,
  tenantOf,
  updateOf,
} from './rows.ts'
import { customersIn, storedBytes } from './storage-use.ts'

/**
 * `databases` are all by their numbers, the first with the directory. `author` is named in the audit for the changes made through
 * this store.
 */
export function tenantStore(databases: readonly D1Database[], author: Author): TenantStore {
  const db = openDatabase(databases[0] as D1Database)
  const audit = auditOf(db, author, newId)

  const selectTenant = (tenantId: string) => db.select().from(tenants).where(isTenant(tenantId)).limit(1)
  const selectKey = (tenantId: string, keyId: string) =>
    db.select().from(apiKeys).where(isKey(tenantId, keyId)).limit(1)
  const selectReplacement = (tenantId: string, keyId: string) =>
    db
      .select()
      .from(apiKeys)
      .where(and(eq(apiKeys.tenantId, tenantId), eq(apiKeys.rotatedFrom, keyId), isNull(apiKeys.revokedAtMs)))
      .limit(1)
  const raiseVersion = (condition: SQL | undefined) =>
    db
      .update(tenants)
      .set({ policyVersion: sql`${tenants.policyVersion} + 1` })
      .where(condition)
  const storing = (response: ResponseToStore | null, made?: SQL) =>
    response ? storeResponseStatements(db, OPERATOR_SCOPE, response, made) : []
  const keyExists = (condition: SQL | undefined) => exists(db.select({ found: sql`1` }).from(apiKeys).where(condition))

  return {
    insert: ({ policyAppliedVersion, ...tenant }, response) =>
      attempt(async () => {
        await db.batch([
          db.insert(tenants).values({ ...rowOf(tenant), policyAppliedVersion }),
          audit.created('tenant', tenant.createdAtMs, eq(tenants.id, tenant.id)),
          ...storing(response),
        ])
      }),

    get: (tenantId) => attempt(async () => storedOf((await selectTenant(tenantId))[0])),

    list: (query, page) =>
      attempt(async () => {
        const rows = await db
          .select()
          .from(tenants)
          .where(
            and(
              isNull(tenants.deletedAtMs),
              page.afterId === null ? undefined : lt(tenants.id, page.afterId),
              ...conditionsOf(query),
            ),
          )
          .orderBy(desc(tenants.id))
          .limit(page.limit + 1)
        return pageOf(rows.map(tenantOf), page)
      }),

    update: (tenantId, changes, precondition, nowMs) =>
      attempt(async () => {
        const update = updateOf(tenantId, changes, precondition, nowMs)
        if (!update) {
          const [tenant] = await selectTenant(tenantId)
          if (tenant) requireMet(precondition, tenant, 'tenant')
          return storedOf(tenant)
        }
        const { begin, end } = audit.changed('tenant.updated', 'tenant', nowMs)
        const [[before], , , , [tenant]] = await db.batch([
          selectTenant(tenantId),
          begin(update.where),
          db.update(tenants).set(update.set).where(update.where),
          end(eq(tenants.id, tenantId)),
          selectTenant(tenantId),
        ])
        // One batch is one transaction, so the condition of the change met the tenant in this state.
        if (before) requireMet(precondition, before, 'tenant')
        return storedOf(tenant)
      }),

    delete: (tenantId, names, nowMs) =>
      attempt(async () => {
        // Rows that a move has left behind are deleted by that move.
        const isMoved = and(eq(moves.tenantId, tenantId), isNull(moves.endedAtMs), ne(moves.state, 'cleaning'))
        const move = db.select({ state: moves.state, to: moves.toDatabase }).from(moves).where(isMoved)
        const mayBe = and(
          isTenant(tenantId),
          eq(tenants.status, 'suspended'),
          inArray(tenants.companyName, [...names]),
          notExists(move),
        )
        const data = await databaseWith(databases, tenantId)
        const [, , rows, [underWay]] = await db.batch([
          audit.deleted(nowMs, mayBe, data && (await customersIn(data, tenantId))),
          db
            .update(tenants)
            .set({ deletedAtMs: nowMs, policyVersion: sql`${tenants.policyVersion} + 1` })
            .where(mayBe),
          db.select().from(tenants).where(eq(tenants.id, tenantId)).limit(1),
          move,
        ])
        return deletedOf(rows[0], underWay ?? null)
      }),

    insertKey: (key, response) =>
      attempt(async () => {
        try {
          const [, , , rows] = await db.batch([
            db.insert(apiKeys).values(key),
            audit.created('key', key.createdAtMs, isKey(key.tenantId, key.id)),
            raiseVersion(eq(tenants.id, key.tenantId)),
            selectTenant(key.tenantId),
            ...storing(response),
          ])
          return storedOf(rows[0])
        } catch (error) {
          if (refusedBy(error) === 'FOREIGN KEY constraint failed') return null
          throw error
        }
      }),

    listKeys: (tenantId, page, mode) =>
      attempt(async () => {
        const [[tenant], rows] = await db.batch([
          selectTenant(tenantId),
          db
            .select()
            .from(apiKeys)
            .where(
              and(
                eq(apiKeys.tenantId, tenantId),
                mode === undefined ? undefined : eq(apiKeys.mode, mode),
                page.afterId === null ? undefined : lt(apiKeys.id, page.afterId),
              ),
            )
            .orderBy(desc(apiKeys.id))
            .limit(page.limit + 1),
        ])
        return tenant ? pageOf(rows.map(keyOf), page) : null
      }),

    getKey: (tenantId, keyId) =>
      attempt(async () => {
        const [key] = await selectKey(tenantId, keyId)
        return key ? keyOf(key) : null
      }),

    revokeKey: (tenantId, keyId, nowMs) =>
      attempt(async () => {
        const alive = and(isKey(tenantId, keyId), isNull(apiKeys.revokedAtMs))
        const { begin, end } = audit.changed('key.revoked', 'key', nowMs)
        const [, , , , rows, keys, replacements] = await db.batch([
          begin(alive),
          raiseVersion(and(eq(tenants.id, tenantId), keyExists(alive))),
          db.update(apiKeys).set({ revokedAtMs: nowMs }).where(alive),
          end(isKey(tenantId, keyId)),
          selectTenant(tenantId),
          selectKey(tenantId, keyId),
          selectReplacement(tenantId, keyId),
        ])
        return keyChangeOf(rows[0], keys[0], replacements[0])
      }),

    replaceKey: (replacement, response) =>
      attempt(async () => {
        const { oldExpiresAtMs, nowMs } = replacement
        const { tenantId, id: oldKeyId } = replacement.old
        const { id: newKeyId } = replacement.new
        const inserted = keyExists(isKey(tenantId, newKeyId))
        const { begin, end } = audit.changed('key.rotated', 'key', nowMs)
        const [, , , , , , rows, keys, replacements] = await db.batch([
          db.insert(apiKeys).select(replacementFrom(db, replacement)),
          begin(and(isKey(tenantId, oldKeyId), inserted)),
          db
            .update(apiKeys)
            .set({
              expiresAtMs: sql`min(coalesce(${apiKeys.expiresAtMs}, ${oldExpiresAtMs ?? nowMs}), ${oldExpiresAtMs ?? nowMs})`,
              // Two clocks may differ by a moment, so a key that ends now is revoked instead of left to the gate's
              // clock.
              ...(oldExpiresAtMs === null && { revokedAtMs: nowMs }),
            })
            .where(and(isKey(tenantId, oldKeyId), inserted)),
          end(isKey(tenantId, oldKeyId)),
          audit.created('key', nowMs, isKey(tenantId, newKeyId)),
          raiseVersion(and(eq(tenants.id, tenantId), inserted)),
          selectTenant(tenantId),
          selectKey(tenantId, oldKeyId),
          selectReplacement(tenantId, oldKeyId),
          ...storing(response, inserted),
        ])
        return keyChangeOf(rows[0], keys[0], replacements[0])
      }),

    ...responseStore(() => db, OPERATOR_SCOPE, attempt),

    storedBytes: (tenantId) =>
      attempt(async () => storedBytes((await databaseWith(databases, tenantId)) ?? db, tenantId)),

    unapplied: (afterId, limit) =>
      attempt(async () => {
        // In the words of the partial index, or SQLite would not use it.
        const behind = sql`policy_applied_version < policy_version`
        const rows = await db
          .select()
          .from(tenants)
          .where(and(behind, gt(tenants.id, afterId)))
          .orderBy(tenants.id)
          .limit(limit)
        return rows.map((row) => ({ ...tenantOf(row), policyAppliedVersion: row.policyAppliedVersion }))
      }),

    markApplied: (tenantId, policyVersion) =>
      attempt(async () => {
        await db
          .update(tenants)
          .set({ policyAppliedVersion: sql`max(${tenants.policyAppliedVersion}, ${policyVersion})` })
          .where(eq(tenants.id, tenantId))
      }),
  }
}

function isKey(tenantId: string, keyId: string): SQL | undefined {
  return and(eq(apiKeys.tenantId, tenantId), eq(apiKeys.id, keyId))
}

/** Selects the new key's row if the old key is as the caller read it, alive, and was not replaced. */
function replacementFrom(db: Database, replacement: KeyReplacement) {
  const { old, new: key, nowMs } = replacement
  const { tenantId, id: oldKeyId } = old
  const newer = alias(apiKeys, 'newer')
  const replacedBefore = db
    .select({ found: sql`1` })
    .from(newer)
    .where(and(eq(newer.tenantId, tenantId), eq(newer.rotatedFrom, oldKeyId), isNull(newer.revokedAtMs)))
  return db
    .select({
      tenantId: apiKeys.tenantId,
      id: sql<string>`${key.id}`.as('id'),
      mode: apiKeys.mode,
      name: apiKeys.name,
      secretHash: sql<string>`${key.secretHash}`.as('secret_hash'),
      scopes: apiKeys.scopes,
      createdAtMs: sql<number>`${nowMs}`.as('created_at'),
      expiresAtMs: sql<number | null>`${key.expiresAtMs}`.as('expires_at'),
      revokedAtMs: sql<number | null>`NULL`.as('revoked_at'),
      rotatedFrom: sql<string | null>`${oldKeyId}`.as('rotated_from'),
    })
    .from(apiKeys)
    .where(
      and(
        isKey(tenantId, oldKeyId),
        isNull(apiKeys.revokedAtMs),
        sql`${apiKeys.expiresAtMs} IS ${old.expiresAtMs}`,
        sql`(${apiKeys.expiresAtMs} IS NULL OR ${apiKeys.expiresAtMs} > ${nowMs})`,
        notExists(replacedBefore),
      ),
    )
}

/** Returns the constraint that refused the batch; null if none did. */
function refusedBy(error: unknown): string | null {
  const problem = classifyD1Error(error)
  return problem.kind === 'refused' ? problem.rule : null
}

/** Maps the error of a failed batch: a rule of the schema, a mistake of ours, or D1 being unavailable. */
async function attempt<T>(batch: () => Promise<T>): Promise<T> {
  try {
    return await batch()
  } catch (error) {
    if (refusedBy(error) === 'tenants_contract') throw new ContractEndsBeforeStart()
    if (refusedBy(error) === 'too_many_keys') throw new TooManyKeys()
    return orUnavailable(() => Promise.reject(error), {})
  }
}
