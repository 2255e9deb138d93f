/**
 * Keeps the statistics of the tables, from which SQLite chooses its indexes. A statement that must not depend on them names
 * its index.
 */
import { isHourly } from './chunks.ts'

/**
 * Call it each minute; it works once an hour. SQLite looks only at tables that have changed much, and at some 2,000 rows
 * of each index.
 */
export async function refreshStatistics(d1: D1Database, nowMs: number): Promise<void> {
  if (isHourly(nowMs)) await d1.prepare('PRAGMA optimize').run()
}
