/**
 * How storage speaks to D1: through Drizzle, over a session that the caller chose (which decides how fresh a read is).
 * The queries are in the files beside this one; what D1's errors mean is in d1-errors.ts.
 */
import { type DrizzleD1Database, drizzle } from 'drizzle-orm/d1'

export type Database = DrizzleD1Database

/**
 * Drizzle over a database (always the primary) or over a session. Cheap: made for each request, because Drizzle ties a
 * query to the session it was built on.
 */
export function openDatabase(d1: D1Database | D1DatabaseSession): Database {
  // Drizzle calls only prepare() and batch(), which a session has too; its types ask for the rest of a D1Database.
  return drizzle(d1 as D1Database)
}
