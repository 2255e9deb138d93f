/**
 * How long records are kept, and the sweep that takes them away after it. What a customer is, and who may do what, is kept
 * until somebody deletes it; what once happened is not. Sweeps of what has an index by its end are beside its table.
 */
import { and, inArray, lt, or, type SQL, sql } from 'drizzle-orm'
import { CHUNK_ROWS_MAX, inChunks } from './chunks.ts'
import { openDatabase } from './database.ts'
import { firstEventIdAt } from './event-ids.ts'
import { adminAudit, apiKeys } from './tables.ts'

const DAY_MS = 24 * 3_600_000
const EVENT_LIFE_MS = 90 * DAY_MS
/** What operators did is asked for long after, and is little. */
const ADMIN_AUDIT_LIFE_MS = 2 * 365 * DAY_MS
/** Of a key that is revoked or has expired; the audit tells of it for longer. */
const DEAD_KEY_LIFE_MS = 90 * DAY_MS

const HOUR_MS = 3_600_000
const RUN_MS = 60_000
/** Of one run. A hundredth of what that comes to in 90 days fills a database of 10 GB, so no log outgrows it. */
const STATEMENTS_MAX = 200

/** To be called each minute; works once an hour, because to look for old events it has to ask for each tenant's. */
export async function sweepOldRecords(d1: D1Database, nowMs: number): Promise<void> {
  // A run may come a minute late; one that finds nothing more to do costs little.
  if (nowMs % HOUR_MS >= 2 * RUN_MS) return
  const db = openDatabase(d1)
  await inChunks(() => db.run(oldEvents(nowMs)), STATEMENTS_MAX)
  await inChunks(() => {
    const old = lt(adminAudit.id, firstEventIdAt(nowMs - ADMIN_AUDIT_LIFE_MS))
    const chunk = db.select({ id: adminAudit.id }).from(adminAudit).where(old).limit(CHUNK_ROWS_MAX)
    return db.delete(adminAudit).where(and(old, inArray(adminAudit.id, chunk)))
  }, STATEMENTS_MAX)
  const diedBeforeMs = nowMs - DEAD_KEY_LIFE_MS
  await db.delete(apiKeys).where(or(lt(apiKeys.revokedAtMs, diedBeforeMs), lt(apiKeys.expiresAtMs, diedBeforeMs)))
}

/** By the key of each tenant and mode. The event of an erasure stays: it is the receipt, and has nothing personal. */
function oldEvents(nowMs: number): SQL {
  return sql`DELETE FROM events WHERE (tenant_id, mode, id) IN (
    SELECT e.tenant_id, e.mode, e.id
    FROM tenants t CROSS JOIN json_each('["live","test"]') m
      CROSS JOIN events e ON e.tenant_id = t.id AND e.mode = m.value AND e.id < ${firstEventIdAt(nowMs - EVENT_LIFE_MS)}
    WHERE e.type <> 'customer.erased' LIMIT ${CHUNK_ROWS_MAX}
  )`
}
