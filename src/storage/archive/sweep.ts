/**
 * The sweep of the archive: deletes what is older than its tenant's retention, and moves old events out of D1. It goes through the
 * tenants once in an hour, a bounded amount in each run, and goes on where the run before stopped.
 */
import { and, eq, gt, sql } from 'drizzle-orm'
import { DAY_MS } from '../../shared/durations.ts'
import { describeError, log } from '../../shared/log.ts'
import { isHourly } from '../chunks.ts'
import { type Database, openDatabase } from '../database.ts'
import { firstEventIdAt } from '../events/event-ids.ts'
import { isNotHeld } from '../moves/held.ts'
import { sweeps, tenants } from '../schema/tenant-tables.ts'
import { rowsStatement } from '../statement-texts.ts'
import { archivedBefore, archiveNext, scopesWithOldEvents } from './archiver.ts'

export interface ArchiveSweepDeps {
  d1: D1Database
  archive: R2Bucket
  /** Days for which events stay in D1. */
  eventDays: number
}

/** The bounds of one run. An object has up to 2,000 events and takes 8 statements. */
export const RUN_BOUNDS = { objects: 6, tenants: 250, expired: 500, failures: 3 }

/** Tenants of one statement, which looks at all of them each time. */
const TENANTS_PER_STATEMENT = 25
/** The name of its row in `sweeps`. */
const NAME = 'archive'
/** The position of a round that has begun with no tenant done: it sorts before the id of any. */
const BEGUN = '0'
/** Ends the position of a round in which something failed. */
const HAS_FAILED = '!'
/** The row with the cutoff with which a round began that takes several runs. */
const BEGUN_BEFORE = 'archive begun before'
/** The row in `sweeps` with the time before which no event is left in D1, as milliseconds since 1970. */
export const ARCHIVED_BEFORE = 'archived before'

type Budget = typeof RUN_BOUNDS

/** Call it each minute. A run with nothing to go on with reads one row. */
export async function sweepArchive(deps: ArchiveSweepDeps, nowMs: number, bounds = RUN_BOUNDS): Promise<void> {
  const db = openDatabase(deps.d1)
  const [sweep] = await db.select().from(sweeps).where(eq(sweeps.name, NAME))
  const began = sweep?.position ?? ''
  if (began === '' && !isHourly(nowMs)) return
  const budget = { ...bounds }
  const beforeMs = archivedBefore(nowMs, deps.eventDays)
  const position = await sweepTenants(db, deps, began.replace(HAS_FAILED, ''), nowMs, budget)
  const hasFailed = began.endsWith(HAS_FAILED) || budget.failures < bounds.failures
  const reached = position !== '' && hasFailed ? `${position}${HAS_FAILED}` : position
  if (reached !== began) await store(db, NAME, reached)
  if (position !== '' && began === '') await store(db, BEGUN_BEFORE, String(beforeMs))
  if (position === '' && !hasFailed) await store(db, ARCHIVED_BEFORE, await cutoffOf(db, began, beforeMs))
}

/** Returns the cutoff with which the round began: a later one is not that of the tenants that were done first. */
async function cutoffOf(db: Database, began: string, beforeMs: number): Promise<string> {
  const [row] = began === '' ? [] : await db.select().from(sweeps).where(eq(sweeps.name, BEGUN_BEFORE))
  return row?.position ?? String(beforeMs)
}

async function store(db: Database, name: string, position: string): Promise<void> {
  const row = { name, position }
  await db.insert(sweeps).values(row).onConflictDoUpdate({ target: sweeps.name, set: row })
}

/** Returns the last tenant that is done; `''` after the last one of all. */
async function sweepTenants(
  db: Database,
  deps: ArchiveSweepDeps,
  afterId: string,
  nowMs: number,
  budget: Budget,
): Promise<string> {
  const rows = await db
    .select({ id: tenants.id })
    .from(tenants)
    .where(and(gt(tenants.id, afterId), isNotHeld(tenants.id)))
    .orderBy(tenants.id)
    .limit(budget.tenants)
  const ids = rows.map(({ id }) => id)
  let position = afterId === '' ? BEGUN : afterId
  for (let from = 0; from < ids.length; from += TENANTS_PER_STATEMENT) {
    const some = ids.slice(from, from + TENANTS_PER_STATEMENT)
    // More may be left of these tenants.
    if (!(await sweepSome(db, deps, some, nowMs, budget))) return position
    position = some.at(-1) ?? position
    // The next round tries again.
    if (budget.failures <= 0) return position
  }
  return ids.length < budget.tenants ? '' : position
}

/** Returns false if the budget is used up before these tenants are done. */
async function sweepSome(
  db: Database,
  deps: ArchiveSweepDeps,
  tenantIds: readonly string[],
  nowMs: number,
  budget: Budget,
): Promise<boolean> {
  try {
    if (!(await deleteExpired(db, deps.archive, tenantIds, nowMs, budget))) return false
  } catch (error) {
    failed(error, {}, budget)
  }
  const beforeMs = archivedBefore(nowMs, deps.eventDays)
  for (const scope of await scopesWithOldEvents(db, tenantIds, beforeMs)) {
    try {
      for (;;) {
        if (budget.objects <= 0) return false
        budget.objects--
        if (!(await archiveNext({ db, archive: deps.archive }, scope, beforeMs))) break
      }
    } catch (error) {
      failed(error, scope, budget)
      if (budget.failures <= 0) return true
    }
  }
  return true
}

function failed(error: unknown, facts: object, budget: Budget): void {
  log('error', { event: 'archive_failed', error: describeError(error), ...facts })
  budget.failures--
}

/**
 * Deletes the objects whose events are all older than the retention of their tenant, and then their rows: a run that is killed
 * in between deletes an object again. Returns false if there may be more.
 */
async function deleteExpired(
  db: Database,
  archive: R2Bucket,
  tenantIds: readonly string[],
  nowMs: number,
  budget: Budget,
): Promise<boolean> {
  const listed = JSON.stringify(tenantIds)
  const kept = await db.all<{ id: string; days: number }>(sql`
    SELECT t.id, t.event_retention_days AS days FROM json_each(${listed}) w CROSS JOIN tenants t ON t.id = w.value`)
  const ends = kept.map(({ id, days }) => [id, firstEventIdAt(nowMs - days * DAY_MS), nowMs - days * DAY_MS])
  const expired = await db.all<{ tenantId: string; mode: string; lastId: string; name: string }>(sql`
    SELECT o.tenant_id AS "tenantId", o.mode, o.last_id AS "lastId", o.name
    FROM json_each(${JSON.stringify(ends)}) w CROSS JOIN json_each('["live","test"]') m CROSS JOIN archive_objects o
      ON o.tenant_id = w.value ->> 0 AND o.mode = m.value AND o.last_id < w.value ->> 1
    LIMIT ${budget.expired}`)
  if (expired.length === 0) return true
  await archive.delete(expired.map(({ name }) => name))
  const keys = JSON.stringify(expired.map(({ tenantId, mode, lastId }) => [tenantId, mode, lastId]))
  await db.batch([
    rowsStatement(
      db,
      sql`
      DELETE FROM archive_objects WHERE (tenant_id, mode, last_id) IN (
        SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(${keys})
      )`,
    ),
    rowsStatement(
      db,
      sql`
      DELETE FROM former_external_ids WHERE (tenant_id, mode, external_id, left_at, customer_id) IN (
        SELECT f.tenant_id, f.mode, f.external_id, f.left_at, f.customer_id
        FROM json_each(${JSON.stringify(ends)}) w CROSS JOIN json_each('["live","test"]') m CROSS JOIN former_external_ids f
          ON f.tenant_id = w.value ->> 0 AND f.mode = m.value AND f.left_at < w.value ->> 2
        LIMIT ${budget.expired}
      )`,
    ),
  ])
  return expired.length < budget.expired
}
