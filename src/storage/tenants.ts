/**
 * Tenants and their keys in D1. Owns the SQL of the operator's changes and what a gate loads to enforce; what a change means
 * and when it is in force is for `tenants/operations.ts`. Every change is one batch with the rise of the policy's version in
 * it, and touches only the columns it names, so that two changes of different fields never undo each other.
 * All of it goes to the primary: an operator's decision is never read from a replica.
 */
import { and, desc, eq, exists, gt, isNull, lt, notExists, or, type SQL, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import type { Mode } from '../registry/customer.ts'
import { Refused } from '../registry/failures.ts'
import { AnsweredBefore, type KeptAnswer } from '../registry/once.ts'
import { newId } from '../shared/ids.ts'
import { describeError, log } from '../shared/log.ts'
import type { Author, KeyReplacement, TenantStore } from '../tenants/ports.ts'
import { ContractEndsBeforeStart } from '../tenants/ports.ts'
import type { ApiKey, Tenant } from '../tenants/tenant.ts'
import { auditOf } from './admin-audit.ts'
import { KEPT_BEFORE, keepStatements, selectKept } from './admin-idempotency-records.ts'
import { classifyD1Error, isStatementFault } from './d1-errors.ts'
import { type Database, openDatabase } from './database.ts'
import { apiKeys, tenants } from './tables.ts'
import { conditionsOf, keyChangeOf, keyOf, pageOf, rowOf, storedOf, tenantOf, updateOf } from './tenant-rows.ts'

const RETRY_AFTER_MS = 1_000
/** More than the clocks of a gate and of D1 ever differ. */
const EXPIRY_LEEWAY_MS = 60_000

/** What a gate enforces for one mode; `db` reads the primary. Null: there is no such tenant. */
export async function loadTenantForGate(
  db: Database,
  tenantId: string,
  mode: Mode,
): Promise<{ tenant: Tenant; keys: ApiKey[] } | null> {
  // One batch is one transaction: the keys are those of the version that comes with them.
  const [[tenant], keys] = await db.batch([
    db.select().from(tenants).where(eq(tenants.id, tenantId)).limit(1),
    db
      .select()
      .from(apiKeys)
      .where(and(eq(apiKeys.tenantId, tenantId), eq(apiKeys.mode, mode), isNull(apiKeys.revokedAtMs), isNotLongDead())),
  ])
  return tenant ? { tenant: tenantOf(tenant), keys: keys.map(keyOf) } : null
}

/** A key that expired is no key; the gate, whose clock may be behind that of D1, says when. */
function isNotLongDead(): SQL | undefined {
  return or(isNull(apiKeys.expiresAtMs), gt(apiKeys.expiresAtMs, sql`unixepoch('subsec') * 1000 - ${EXPIRY_LEEWAY_MS}`))
}

/** The author is whom the audit names for the changes made through this store. */
export function tenantStore(d1: D1Database, author: Author): TenantStore {
  const db = openDatabase(d1)
  const audit = auditOf(db, author, newId)

  const selectTenant = (tenantId: string) => db.select().from(tenants).where(eq(tenants.id, tenantId)).limit(1)
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
  const keeping = (kept: KeptAnswer | null, made?: SQL) => (kept ? keepStatements(db, kept, made) : [])
  const keyExists = (condition: SQL | undefined) => exists(db.select({ found: sql`1` }).from(apiKeys).where(condition))

  return {
    insert: (tenant, kept) =>
      attempt(async () => {
        await db.batch([
          db.insert(tenants).values({ ...rowOf(tenant), policyAppliedVersion: tenant.policyVersion }),
          audit.created('tenant', tenant.createdAtMs, eq(tenants.id, tenant.id)),
          ...keeping(kept),
        ])
      }),

    get: (tenantId) => attempt(async () => storedOf((await selectTenant(tenantId))[0])),

    list: (query, page) =>
      attempt(async () => {
        const rows = await db
          .select()
          .from(tenants)
          .where(and(page.afterId === null ? undefined : lt(tenants.id, page.afterId), ...conditionsOf(query)))
          .orderBy(desc(tenants.id))
          .limit(page.limit + 1)
        return pageOf(rows.map(tenantOf), page)
      }),

    update: (tenantId, changes, nowMs) =>
      attempt(async () => {
        const update = updateOf(tenantId, changes, nowMs)
        if (!update) return storedOf((await selectTenant(tenantId))[0])
        const { begin, end } = audit.changed('tenant.updated', 'tenant', nowMs)
        const [, , , rows] = await db.batch([
          begin(update.where),
          db.update(tenants).set(update.set).where(update.where),
          end(eq(tenants.id, tenantId)),
          selectTenant(tenantId),
        ])
        return storedOf(rows[0])
      }),

    insertKey: (key, kept) =>
      attempt(async () => {
        try {
          const [, , , rows] = await db.batch([
            db.insert(apiKeys).values(key),
            audit.created('key', key.createdAtMs, isKey(key.tenantId, key.id)),
            raiseVersion(eq(tenants.id, key.tenantId)),
            selectTenant(key.tenantId),
            ...keeping(kept),
          ])
          return storedOf(rows[0])
        } catch (error) {
          if (refusedBy(error) === 'FOREIGN KEY constraint failed') return null
          throw error
        }
      }),

    listKeys: (tenantId, page) =>
      attempt(async () => {
        const [[tenant], rows] = await db.batch([
          selectTenant(tenantId),
          db
            .select()
            .from(apiKeys)
            .where(
              and(eq(apiKeys.tenantId, tenantId), page.afterId === null ? undefined : lt(apiKeys.id, page.afterId)),
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

    replaceKey: (replacement, kept) =>
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
              // Two clocks may differ by a moment: a key that ends now is not left to the gate's clock.
              ...(oldExpiresAtMs === null && { revokedAtMs: nowMs }),
            })
            .where(and(isKey(tenantId, oldKeyId), inserted)),
          end(isKey(tenantId, oldKeyId)),
          audit.created('key', nowMs, isKey(tenantId, newKeyId)),
          raiseVersion(and(eq(tenants.id, tenantId), inserted)),
          selectTenant(tenantId),
          selectKey(tenantId, oldKeyId),
          selectReplacement(tenantId, oldKeyId),
          ...keeping(kept, inserted),
        ])
        return keyChangeOf(rows[0], keys[0], replacements[0])
      }),

    keptAnswer: (key, nowMs) => attempt(async () => (await selectKept(db, key, nowMs))[0] ?? null),

    keepAnswer: (kept) =>
      attempt(async () => {
        await db.batch(keepStatements(db, kept))
      }),

    unapplied: (limit) =>
      attempt(async () => {
        // Words the condition as the partial index has it, or SQLite would not use the index.
        const behind = sql`policy_applied_version < policy_version`
        const rows = await db.select().from(tenants).where(behind).limit(limit)
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

/** The new key's row, if the old one is as it was seen, alive, and was not replaced. */
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

/** The constraint that refused, if one did. */
function refusedBy(error: unknown): string | null {
  const problem = classifyD1Error(error)
  return problem.kind === 'refused' ? problem.rule : null
}

/** Says of a failed batch what it means: a rule that the schema keeps, a mistake of ours, or D1 not being there. */
async function attempt<T>(batch: () => Promise<T>): Promise<T> {
  try {
    return await batch()
  } catch (error) {
    if (refusedBy(error) === 'tenants_contract') throw new ContractEndsBeforeStart()
    if (refusedBy(error) === KEPT_BEFORE) throw new AnsweredBefore()
    const problem = classifyD1Error(error)
    if (isStatementFault(problem)) throw error
    log('error', { event: 'storage_failed', kind: problem.kind, error: describeError(error) })
    throw new Refused({ reason: 'unavailable', retryAfterMs: RETRY_AFTER_MS })
  }
}
