/**
 * Logs the size of the database once an hour, and warns before it is full. A full D1 database refuses every change of
 * every tenant.
 */
import { log } from '../shared/log.ts'
import { isHourly } from './chunks.ts'

/** Limit of one D1 database on Workers Paid. The last page that fits ends at 9,999,998,976 bytes. */
const DATABASE_BYTES_MAX = 10_000_000_000
const NEARLY_FULL_PERCENT = 80

/** Returns the size of the database, which D1 states with the result of any statement, and its limit. */
export async function databaseSize(d1: D1Database): Promise<{ bytes: number; bytesMax: number }> {
  const { meta } = await d1.prepare('SELECT 1').run()
  return { bytes: meta.size_after, bytesMax: DATABASE_BYTES_MAX }
}

/** Call it each minute; it works once an hour. */
export async function logDatabaseSize(d1: D1Database, database: number, nowMs: number): Promise<void> {
  if (!isHourly(nowMs)) return
  const size = await databaseSize(d1)
  const percent = Math.floor((100 * size.bytes) / size.bytesMax)
  const sizes = { database, ...size, percent }
  if (percent >= NEARLY_FULL_PERCENT) log('warn', { event: 'database_nearly_full', ...sizes })
  else log('info', { event: 'database_size', ...sizes })
}
