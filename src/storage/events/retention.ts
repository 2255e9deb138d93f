/**
 * How long records are kept, and the sweep that deletes them afterwards. Customers, keys and tenants stay until
 * somebody deletes them; records of past events expire. Tables with an index by expiry have a sweep of their own.
 */
import { and, inArray, lt, or, type SQL, sql } from 'drizzle-orm'
import { DAY_MS } from '../../shared/durations.ts'
import { CHUNK_ROWS_MAX, inChunks, isHourly } from '../chunks.ts'
import { openDatabase } from '../database.ts'
import { adminAudit, apiKeys } from '../schema/tenant-tables.ts'
import { firstEventIdAt } from './event-ids.ts'

const EVENT_TTL_MS = 90 * DAY_MS
/** The admin audit is needed for long and is small. */
const ADMIN_AUDIT_TTL_MS = 2 * 365 * DAY_MS
/** Lifetime of a key after it is revoked or has expired. The audit has records of it for longer. */
const DEAD_KEY_TTL_MS = 90 * DAY_MS

/**
 * Statements of one run. One hundredth of what these delete in 90 days would fill a database of 10 GB, so no log
 * outgrows the sweep.
 */
const STATEMENTS_MAX = 200

/**
 * Deletes old records. Call it each minute; it works once an hour, because finding old events takes a query for each
 * tenant.
 */
export async function sweepOldRecords(d1: D1Database, nowMs: number): Promise<void> {
  if (!isHourly(nowMs)) return
  const db = openDatabase(d1)
  await inChunks(() => db.run(oldEvents(nowMs)), STATEMENTS_MAX)
  await inChunks(() => {
    const old = lt(adminAudit.id, firstEventIdAt(nowMs - ADMIN_AUDIT_TTL_MS))
    const chunk = db.select({ id: adminAudit.id }).from(adminAudit).where(old).limit(CHUNK_ROWS_MAX)
    return db.delete(adminAudit).where(and(old, inArray(adminAudit.id, chunk)))
  })
  const diedBeforeMs = nowMs - DEAD_KEY_TTL_MS
  await db.delete(apiKeys).where(or(lt(apiKeys.revokedAtMs, diedBeforeMs), lt(apiKeys.expiresAtMs, diedBeforeMs)))
}

/**
 * Searches by the key of each tenant and mode. The event of an erasure stays: it is the receipt and holds no personal
 * data.
 */
function oldEvents(nowMs: number): SQL {
  return sql`DELETE FROM events WHERE (tenant_id, mode, id) IN (
    SELECT e.tenant_id, e.mode, e.id
    FROM tenants t CROSS JOIN json_each('["live","test"]') m
      CROSS JOIN events e ON e.tenant_id = t.id AND e.mode = m.value AND e.id < ${firstEventIdAt(nowMs - EVENT_TTL_MS)}
    WHERE e.type <> 'customer.erased' LIMIT ${CHUNK_ROWS_MAX}
  )`
}
