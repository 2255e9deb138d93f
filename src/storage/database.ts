/**
 * How storage speaks to D1: through Drizzle, over a session that the caller chose (which decides how fresh a read is).
 * The queries are in the files beside this one; what D1's errors mean is in d1-errors.ts.
 */
import { type DrizzleD1Database, drizzle } from 'drizzle-orm/d1'

export type Database = DrizzleD1Database & { $client: Pick<D1Database, 'prepare'> }

/**
 * Drizzle over a database (always the primary) or over a session. Cheap: made for each request, because Drizzle ties a
 * query to the session it was built on.
 */
export function openDatabase(d1: D1Database | D1DatabaseSession): Database {
  // Drizzle calls only prepare() and batch(), which a session has too; its types ask for the rest of a D1Database.
  return drizzle(d1 as D1Database)
}

/** A session that only failed may have no bookmark yet; one read of nothing gets it. */
export async function bookmarkOf(session: D1DatabaseSession): Promise<string> {
  if (session.getBookmark() === null) await session.prepare('SELECT 1').run()
  const bookmark = session.getBookmark()
  if (bookmark === null) throw new Error('D1 gave no bookmark')
  return bookmark
}

/** Throws when D1 does not answer or the migrations are missing, for `GET /readyz`. */
export async function probeDatabase(d1: D1Database): Promise<void> {
  await d1.prepare('SELECT 1 FROM tenants LIMIT 1').first()
}
