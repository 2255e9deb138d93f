/** Stores how many errors there were in each minute, for operators. Rows are few: APIs and statuses are. */
import { gte, lt, sql } from 'drizzle-orm'
import type { ErrorCount } from '../observability/error-counts.ts'
import { DAY_MS } from '../shared/durations.ts'
import { type Database, openDatabase } from './database.ts'
import { errorCounts } from './schema/tenant-tables.ts'

/** Adds the counts of an isolate to those of the others, in one statement. */
export async function addErrorCounts(d1: D1Database, counts: readonly ErrorCount[]): Promise<void> {
  await openDatabase(d1).run(sql`
    INSERT INTO error_counts (minute, api, status, count)
    SELECT value ->> 'minuteMs', value ->> 'api', value ->> 'status', value ->> 'count'
    FROM json_each(${JSON.stringify(counts)}) WHERE 1
    ON CONFLICT (minute, api, status) DO UPDATE SET count = error_counts.count + excluded.count`)
}

/** Returns the errors of this minute and later, by API and status. Reads at most a row a minute for each of these. */
export function selectErrorCounts(db: Database, fromMs: number) {
  const { minuteMs, api, status, count } = errorCounts
  return db
    .select({ api, status, count: sql<number>`sum(${count})` })
    .from(errorCounts)
    .where(gte(minuteMs, fromMs))
    .groupBy(api, status)
    .orderBy(api, status)
}

/** Deletes the counts that nobody reads any more. Reads one row while there are none. */
export async function sweepErrorCounts(d1: D1Database, nowMs: number): Promise<void> {
  await openDatabase(d1)
    .delete(errorCounts)
    .where(lt(errorCounts.minuteMs, nowMs - DAY_MS))
}
