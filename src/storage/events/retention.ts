/**
 * How long records of operators and dead keys are kept, and the sweep that deletes them afterwards. Customers, keys and tenants
 * stay until somebody deletes them. Tables with an index by expiry have a sweep of their own, and so have events: they go to the
 * archive.
 */
import { and, eq, gt, inArray, lt, or, type SQL, sql } from 'drizzle-orm'
import { DAY_MS } from '../../shared/durations.ts'
import { CHUNK_ROWS_MAX, inChunks, isHourly } from '../chunks.ts'
import { type Database, openDatabase } from '../database.ts'
import { isNotHeld } from '../moves/held.ts'
import { adminAudit, apiKeys, sweeps, tenants } from '../schema/tenant-tables.ts'
import { firstEventIdAt } from './event-ids.ts'

/** The admin audit is needed for long and is small. */
const ADMIN_AUDIT_TTL_MS = 2 * 365 * DAY_MS
/** Lifetime of a key after it is revoked or has expired. The audit has records of it for longer. */
const DEAD_KEY_TTL_MS = 90 * DAY_MS

/** Tenants of one run, and of one statement, which looks at all of its tenants each time. */
const TENANTS_MAX = 250
const TENANTS_PER_STATEMENT = 25
/** The name of its row in `sweeps`. */
const NAME = 'old records'
/** The position of a round that has begun with no tenant done: it sorts before the id of any. */
const BEGUN = '0'

/**
 * Deletes old records. Call it each minute. Each hour it begins to go through all tenants, because finding dead keys takes
 * a look at each; a run goes on where the one before stopped, and a run with nothing to go on with reads no row.
 */
export async function sweepOldRecords(d1: D1Database, nowMs: number): Promise<void> {
  const db = openDatabase(d1)
  const [sweep] = await db.select().from(sweeps).where(eq(sweeps.name, NAME))
  const began = sweep?.position ?? ''
  if (began === '') {
    if (!isHourly(nowMs)) return
    await deleteOldAudit(db, nowMs)
  }
  const position = await sweepTenants(db, began, nowMs)
  if (position === began) return
  const row = { name: NAME, position }
  await db.insert(sweeps).values(row).onConflictDoUpdate({ target: sweeps.name, set: row })
}

/** Returns the last tenant that is done; `''` after the last one of all. */
async function sweepTenants(db: Database, afterId: string, nowMs: number): Promise<string> {
  const rows = await db
    .select({ id: tenants.id })
    .from(tenants)
    .where(and(gt(tenants.id, afterId), isNotHeld(tenants.id)))
    .orderBy(tenants.id)
    .limit(TENANTS_MAX)
  const ids = rows.map(({ id }) => id)
  let position = afterId === '' ? BEGUN : afterId
  for (let from = 0; from < ids.length; from += TENANTS_PER_STATEMENT) {
    const some = ids.slice(from, from + TENANTS_PER_STATEMENT)
    await deleteDeadKeys(db, some, nowMs)
    position = some.at(-1) ?? position
  }
  return ids.length < TENANTS_MAX ? '' : position
}

function deleteDeadKeys(db: Database, tenantIds: readonly string[], nowMs: number) {
  const diedBeforeMs = nowMs - DEAD_KEY_TTL_MS
  const isDead = or(lt(apiKeys.revokedAtMs, diedBeforeMs), lt(apiKeys.expiresAtMs, diedBeforeMs))
  return db.delete(apiKeys).where(and(inArray(apiKeys.tenantId, listed(tenantIds)), isDead))
}

function deleteOldAudit(db: Database, nowMs: number): Promise<number> {
  return inChunks(() => {
    const old = and(lt(adminAudit.id, firstEventIdAt(nowMs - ADMIN_AUDIT_TTL_MS)), isNotHeld(adminAudit.tenantId))
    const chunk = db.select({ id: adminAudit.id }).from(adminAudit).where(old).limit(CHUNK_ROWS_MAX)
    return db.delete(adminAudit).where(and(old, inArray(adminAudit.id, chunk)))
  })
}

function listed(tenantIds: readonly string[]): SQL {
  return sql`(SELECT value FROM json_each(${JSON.stringify(tenantIds)}))`
}
