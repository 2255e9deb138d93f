/**
 * Deletes what is left of deleted tenants, in small statements, until nothing is: their rows in D1, the storage of
 * their gates, their values in KV, their objects in the archive. The receipt of the deletion, an entry of the audit, stays. Every step can be
 * repeated, and the row of the tenant goes last, so a run continues where the one before stopped.
 */
import { and, eq, gte, isNotNull, type SQL, sql } from 'drizzle-orm'
import type { Mode } from '../../registry/customer.ts'
import { describeError, log } from '../../shared/log.ts'
import { areWordsLeft } from '../customers/removed-words.ts'
import { type Database, openDatabase } from '../database.ts'
import { deleteSomeOfTenant } from '../kv-cache.ts'
import { adminAudit, tenants } from '../schema/tenant-tables.ts'
import { boundAt } from './placement.ts'

/** Rows of one statement. More than that would let the writers of the primary wait. */
const ROWS_MAX = 2_000
/**
 * The bounds of one run: some 400,000 rows a minute. Other jobs of the same invocation take up to 730 of the 1,000 queries
 * that it may make, and need some of the 1,000 calls.
 */
const RUN_MAX = { statements: 220, kvKeys: 300, objects: 2_000 }
/** Tenants of one run. */
const TENANTS_MAX = 20
/**
 * A read that began before the deletion may put a value into KV, and KV lists a new value a minute late. After this time
 * no value is added or missed.
 */
const KV_SETTLES_MS = 180_000

/** R2 lists and deletes up to so many objects in one call. */
const OBJECTS_AT_ONCE_MAX = 1_000

const MODES: Mode[] = ['live', 'test']

/** The rows of a tenant in a table that a statement deletes, by their key. */
type Part = readonly [table: string, key: string, more?: SQL]

const TABLES: readonly Part[] = [
  // First, so that no deleted event is counted.
  ['storage_use', 'tenant_id, mode'],
  // Without these, nobody can read the objects of the archive.
  ['archive_objects', 'tenant_id, mode, last_id'],
  ['former_external_ids', 'tenant_id, mode, external_id, left_at, customer_id'],
  ['customer_stays', 'tenant_id, mode, host_id, customer_id, above_version'],
  ['webhook_deliveries', 'id'],
  ['webhook_endpoints', 'tenant_id, mode, id'],
  ['settings', 'tenant_id, mode, name'],
  ['onboarding_runs', 'tenant_id, mode, customer_id'],
  ['idempotency_records', 'tenant_id, mode, key'],
  ['events', 'rowid'],
  ['customer_aliases', 'tenant_id, mode, external_id'],
  ['customer_merges', 'tenant_id, mode, source_id'],
  ['integration_mappings', 'tenant_id, mode, provider, entity_id'],
  ['customer_counts', 'tenant_id, mode, status'],
  ['erasures', 'tenant_id, mode, customer_id'],
  ['customers', 'tenant_id, mode, id'],
]
const API_KEYS: Part = ['api_keys', 'tenant_id, id']
/** The receipt stays. */
const ADMIN_AUDIT: Part = ['admin_audit', 'id', sql`AND type <> 'tenant.deleted'`]

export interface DeletionDeps {
  /** All by their numbers, the first with the directory. */
  databases: readonly D1Database[]
  kv: KVNamespace | null
  archive: R2Bucket
  /** Deletes what the gate of a mode stores. Returns false if the gate found the tenant in D1. */
  forgetGate(tenantId: string, mode: Mode): Promise<boolean>
}

/** Goes on with every deleted tenant whose deletion is in force. A failure for one tenant does not stop the others. */
export async function sweepDeletedTenants(deps: DeletionDeps, nowMs: number, runMax = RUN_MAX): Promise<void> {
  const directory = openDatabase(deps.databases[0] as D1Database)
  const deleted = await directory
    .select({ id: tenants.id, deletedAtMs: tenants.deletedAtMs, database: tenants.database })
    .from(tenants)
    // The first condition is in the words of the partial index, or SQLite would not use it.
    .where(and(isNotNull(sql`deleted_at`), gte(tenants.policyAppliedVersion, tenants.policyVersion)))
    // A tenant that cannot be completed must not use up every run.
    .orderBy(sql`random()`)
    .limit(TENANTS_MAX)
  const budget = { ...runMax }
  for (const { id: tenantId, deletedAtMs, database } of deleted) {
    try {
      const data = openDatabase(boundAt(deps.databases, database))
      if (!(await deleteRows(data, database === 0 ? TABLES : [...TABLES, ADMIN_AUDIT], tenantId, budget))) return
      if (!(await deleteRows(directory, [API_KEYS, ADMIN_AUDIT], tenantId, budget))) return
      const forgotten = await Promise.all(MODES.map((mode) => deps.forgetGate(tenantId, mode)))
      if (forgotten.includes(false)) throw new Error('a gate found the tenant in D1')
      if (nowMs - (deletedAtMs ?? nowMs) < KV_SETTLES_MS || (await areWordsLeft(data, tenantId))) continue
      if (!(await deleteValues(deps.kv, tenantId, budget))) return
      if (!(await deleteObjects(deps.archive, tenantId, budget))) return
      if (database !== 0) await data.delete(tenants).where(eq(tenants.id, tenantId))
      await finish(directory, tenantId, nowMs)
      log('info', { event: 'tenant_deleted', tenantId })
    } catch (error) {
      log('error', { event: 'tenant_not_deleted', tenantId, error: describeError(error) })
    }
  }
}

/** Returns true if no row of the tenant is left in these parts of a database. */
async function deleteRows(
  db: Database,
  parts: readonly Part[],
  tenantId: string,
  budget: { statements: number },
): Promise<boolean> {
  for (const [table, key, more = sql``] of parts) {
    const statement = sql`DELETE FROM ${sql.raw(table)} WHERE (${sql.raw(key)}) IN (
      SELECT ${sql.raw(key)} FROM ${sql.raw(table)} AS one WHERE tenant_id = ${tenantId} ${more} LIMIT ${ROWS_MAX}
    )`
    for (;;) {
      if (budget.statements-- <= 0) return false
      const { meta } = await db.run(statement)
      // Attempts that a trigger deletes with a delivery may count too, so only zero means that nothing is left.
      if (meta.changes === 0) break
    }
  }
  return true
}

/** Returns true if KV lists no value of the tenant. */
async function deleteValues(kv: KVNamespace | null, tenantId: string, budget: { kvKeys: number }): Promise<boolean> {
  while (budget.kvKeys > 0) {
    const deleted = await deleteSomeOfTenant(kv, tenantId, budget.kvKeys)
    if (deleted === 0) return true
    budget.kvKeys -= deleted
  }
  return false
}

/** Returns true if the archive lists no object of the tenant: by now no run that began before the deletion adds one. */
async function deleteObjects(archive: R2Bucket, tenantId: string, budget: { objects: number }): Promise<boolean> {
  while (budget.objects > 0) {
    const limit = Math.min(OBJECTS_AT_ONCE_MAX, budget.objects)
    const { objects } = await archive.list({ prefix: `events/${tenantId}/`, limit })
    if (objects.length === 0) return true
    await archive.delete(objects.map(({ key }) => key))
    budget.objects -= objects.length
  }
  return false
}

/** Deletes the row of the tenant, and notes in the receipt that nothing else is left. */
async function finish(db: Database, tenantId: string, nowMs: number): Promise<void> {
  await db.batch([
    db
      .update(adminAudit)
      .set({ after: sql`json_set(${adminAudit.after}, '$.completed_at', CAST(${nowMs} AS INTEGER))` })
      .where(and(eq(adminAudit.tenantId, tenantId), eq(adminAudit.type, 'tenant.deleted'))),
    db.delete(tenants).where(and(eq(tenants.id, tenantId), isNotNull(tenants.deletedAtMs))),
  ])
}
