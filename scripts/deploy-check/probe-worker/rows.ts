/** Writes and reads rows in a session of D1, from a bookmark on. */
import { errorText } from './error-text.ts'

export interface RowsRequest {
  /** Where the session begins: a bookmark, or a constraint such as `first-primary`. */
  from: string
  /** The row to write first. Null: only read. */
  insert: number | null
}

/** Returns the rows and the session's bookmark; instead of both an error, if D1 refused. */
export async function readAndWrite(db: D1Database, { from, insert }: RowsRequest) {
  try {
    const session = db.withSession(from)
    if (insert !== null) {
      await session.batch([
        session.prepare('CREATE TABLE IF NOT EXISTS probe_rows (id INTEGER PRIMARY KEY)'),
        session.prepare('INSERT INTO probe_rows (id) VALUES (?)').bind(insert),
      ])
    }
    const { results } = await session.prepare('SELECT id FROM probe_rows ORDER BY id').all<{ id: number }>()
    return { rows: results.map(({ id }) => id), bookmark: session.getBookmark(), error: null }
  } catch (error) {
    return { rows: null, bookmark: null, error: errorText(error) }
  }
}
