/**
 * Opens D1 through Drizzle, over a session that the caller chose (which decides how fresh a read is). The queries are
 * in the other files of this folder; d1-errors.ts classifies D1's errors.
 */
import { type DrizzleD1Database, drizzle } from 'drizzle-orm/d1'

export type Database = DrizzleD1Database & { $client: Pick<D1Database, 'prepare'> }

/**
 * Opens Drizzle over a database (always the primary) or over a session. Cheap: one is made for each request, because
 * Drizzle ties a query to the session it was built on.
 */
export function openDatabase(d1: D1Database | D1DatabaseSession): Database {
  // Drizzle calls only prepare() and batch(), which a session has too; its types require a whole D1Database.
  return drizzle(d1 as D1Database)
}

/** The table of the full-text index. What it does inside is in no count of D1, so its time counts. */
const INDEX = 'customer_search'
/** The time of a search that its rows pay for. One of ordinary words takes less than a millisecond among a million. */
const INDEX_FREE_MS = 10
/** A plain scan reads 5,000 rows, which a permit buys, in some 2 ms. */
const ROWS_PER_MS = 2_500

/**
 * Returns the session with a count of the rows that its batches read, as D1 bills them. A search that takes longer than
 * its rows explain counts more. A statement outside of a batch is not counted: its rows come without their price.
 */
export function countingRows(session: D1DatabaseSession, onRows: (rows: number) => void): D1DatabaseSession {
  let isSearch = false
  return {
    prepare(query) {
      isSearch ||= query.includes(INDEX)
      return session.prepare(query)
    },
    getBookmark: () => session.getBookmark(),
    async batch<T>(statements: D1PreparedStatement[]) {
      const results = await session.batch<T>(statements)
      onRows(results.reduce((rows, { meta }) => rows + meta.rows_read, 0))
      if (isSearch) onRows(rowsOfTime(durationOf(results)))
      return results
    },
  }
}

/** Returns the time that D1 worked on a batch, in milliseconds, without the trip and without its queue. */
export function durationOf(answers: readonly D1Result<unknown>[]): number {
  return answers.reduce((ms, { meta }) => ms + meta.duration, 0)
}

function rowsOfTime(durationMs: number): number {
  return Math.ceil(Math.max(0, durationMs - INDEX_FREE_MS) * ROWS_PER_MS)
}

/** Returns the session's bookmark. A session whose statements all failed may have none yet; an empty read gets one. */
export async function bookmarkOf(session: D1DatabaseSession): Promise<string> {
  if (session.getBookmark() === null) await session.prepare('SELECT 1').run()
  const bookmark = session.getBookmark()
  if (bookmark === null) throw new Error('D1 gave no bookmark')
  return bookmark
}

/** The time by D1's clock, in whole milliseconds. It judges the deadlines of writes. */
export const D1_NOW = `CAST(unixepoch('subsec') * 1000 AS INTEGER)`

/** Throws when D1 does not respond or the migrations are missing, for `GET /readyz`. */
export async function probeDatabase(d1: D1Database): Promise<void> {
  await d1.prepare('SELECT 1 FROM tenants LIMIT 1').first()
}
