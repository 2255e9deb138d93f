/**
 * Reads the state of the deployment. Each count ends at a bound and each list is read from an index, so the costs are the
 * same however much there is.
 */
import { eq, type SQL, sql } from 'drizzle-orm'
import type { Capped, FailingEndpoint, Health } from '../observability/health.ts'
import { HOUR_MS } from '../shared/durations.ts'
import { ARCHIVED_BEFORE } from './archive/sweep.ts'
import { type Database, openDatabase } from './database.ts'
import { databaseSize } from './database-size.ts'
import { selectErrorCounts } from './error-counts.ts'
import { archiveTotals } from './schema/archive-tables.ts'
import { sweeps } from './schema/tenant-tables.ts'
import { orUnavailable } from './unavailable.ts'
import { NOT_BEFORE_ANOTHER_MS } from './webhooks/chain.ts'

/** Things that are counted, of each kind at most. */
const COUNTED_MAX = 1_000
/** Endpoints that are listed. */
const LISTED_MAX = 50

/** `databases` are all by their numbers, the first with the directory. */
export function readHealth(databases: readonly D1Database[], nowMs: number): Promise<Health> {
  return orUnavailable(async () => {
    const [directory, ...ofEach] = await Promise.all([
      readDirectory(openDatabase(databases[0] as D1Database), nowMs),
      ...databases.map(readDatabase),
    ])
    const oldest = Math.min(...ofEach.map(({ oldestDueAtMs }) => oldestDueAtMs))
    const items = ofEach.flatMap(({ endpoints }) => endpoints).toSorted((a, b) => a.failingSinceMs - b.failingSinceMs)
    return {
      databases: ofEach.map(({ size }, number) => ({ name: number === 0 ? 'DB' : `DB_${number}`, ...size })),
      archive: archiveOf(ofEach.map(({ archive }) => archive)),
      outbox: {
        pending: cappedOf(ofEach.map(({ pending }) => pending)),
        oldestDueAtMs: oldest < NOT_BEFORE_ANOTHER_MS ? oldest : null,
      },
      failingEndpoints: { ...cappedOf(ofEach.map(({ failing }) => failing)), items: items.slice(0, LISTED_MAX) },
      ...directory,
    }
  }, {})
}

async function readDirectory(db: Database, nowMs: number) {
  const [errorsLastHour, [policies], [deletions]] = await db.batch([
    selectErrorCounts(db, nowMs - HOUR_MS),
    selectCapped(
      db,
      sql`tenants INDEXED BY tenants_policy_unapplied WHERE policy_applied_version < policy_version`,
      sql`id`,
    ),
    selectCapped(db, sql`tenants INDEXED BY tenants_deleted WHERE deleted_at IS NOT NULL`, sql`id`),
  ])
  return { errorsLastHour, unfinished: { policies: cappedOf([policies]), deletions: cappedOf([deletions]) } }
}

async function readDatabase(d1: D1Database) {
  const db = openDatabase(d1)
  const [size, [[pending], endpoints, [failing], [totals], [swept]]] = await Promise.all([
    databaseSize(d1),
    db.batch([
      selectCapped(
        db,
        sql`webhook_deliveries INDEXED BY webhook_deliveries_due WHERE status = 'pending'`,
        sql`next_attempt_at`,
      ),
      selectFailing(db),
      selectCapped(db, sql`webhook_endpoints INDEXED BY webhook_endpoints_failing ${IS_FAILING}`, sql`failing_since`),
      db.select().from(archiveTotals),
      db.select().from(sweeps).where(eq(sweeps.name, ARCHIVED_BEFORE)),
    ]),
  ])
  const { objects = 0, events = 0, bytes = 0 } = totals ?? {}
  const archive = { objects, events, bytes, beforeMs: swept ? Number(swept.position) : null }
  return { size, archive, pending, endpoints, failing, oldestDueAtMs: Number(pending?.first ?? NOT_BEFORE_ANOTHER_MS) }
}

/** Adds up the archives of several databases. Everything is archived only up to where that of the last of them is. */
function archiveOf(archives: readonly Health['archive'][]): Health['archive'] {
  const sumOf = (name: 'objects' | 'events' | 'bytes') => archives.reduce((sum, archive) => sum + archive[name], 0)
  const befores = archives.map(({ beforeMs }) => beforeMs)
  return {
    objects: sumOf('objects'),
    events: sumOf('events'),
    bytes: sumOf('bytes'),
    beforeMs: befores.includes(null) ? null : Math.min(...(befores as number[])),
  }
}

const IS_FAILING = sql`WHERE failing_since IS NOT NULL AND enabled = 1`

/** Selects the number of rows, up to one more than is counted, and the first of a column in the order of its index. */
function selectCapped(db: Database, rows: SQL, column: SQL) {
  return db
    .select({ counted: sql<number>`count(*)`, first: sql<number | string | null>`min(${column})` })
    .from(sql`(SELECT ${column} FROM ${rows} ORDER BY ${column} LIMIT ${sql.raw(String(COUNTED_MAX + 1))})`)
}

/** Adds up the counts of several databases. */
function cappedOf(rows: readonly ({ counted: number } | undefined)[]): Capped {
  const counted = rows.reduce((sum, row) => sum + (row?.counted ?? 0), 0)
  return { total: Math.min(counted, COUNTED_MAX), isCapped: counted > COUNTED_MAX }
}

/** CROSS JOIN fixes the order: the endpoints first, then the tenant of each by its key. */
function selectFailing(db: Database) {
  return db
    .select({
      tenantId: sql<string>`e.tenant_id`,
      companyName: sql<string>`t.company_name`,
      mode: sql<FailingEndpoint['mode']>`e.mode`,
      endpointId: sql<string>`e.id`,
      url: sql<string>`e.url`,
      failingSinceMs: sql<number>`e.failing_since`,
    })
    .from(sql`(SELECT * FROM webhook_endpoints INDEXED BY webhook_endpoints_failing ${IS_FAILING}
      ORDER BY failing_since LIMIT ${sql.raw(String(LISTED_MAX))}) e CROSS JOIN tenants t ON t.id = e.tenant_id`)
}
