/**
 * Takes the words of customers that are gone, erased or deleted, out of the full-text index. A search finds none of them any more, but
 * FTS5 only marks an entry as deleted: its bytes stay, and so do those of the customer's former names, until all parts of the index
 * that have them are merged. So a customer that is gone owes a merge of the whole index, which the sweep makes in small steps.
 *
 * The option `secure-delete` overwrites an entry at once. It is not used: words that part two pages of the index stay nevertheless, so
 * the merge is owed all the same, and it makes each rename three times as long.
 */
import { eq, type SQL, sql } from 'drizzle-orm'
import { type Database, openDatabase } from '../database.ts'
import { searchMerges } from '../schema/search-tables.ts'
import { sweeps } from '../schema/tenant-tables.ts'
import { rowsStatement } from '../statement-texts.ts'

/** The time from the beginning of a merge to that of the next one: each rewrites the whole index. */
export const MERGE_REST_MS = 15 * 60_000
/**
 * Pages that one step writes. It takes some 15 ms, during which D1 does nothing else, and up to half a second where it leaves out what a
 * tenant of a million customers had there: entries that are left out make no page.
 */
const STEP_PAGES = 256
/** Steps of one run of the sweep, which is each minute. */
const STEPS_MAX = 20

/** Goes on with a merge that has begun, or begins the one that is owed, if the one before began long enough ago. */
export async function sweepRemovedWords(d1: D1Database, nowMs: number): Promise<void> {
  const db = openDatabase(d1)
  const [state] = await db.select().from(searchMerges)
  if (!state) return
  const { owed, begun, done, begunAtMs } = state
  const isUnderWay = begun > done
  if (!isUnderWay && (owed <= done || nowMs - begunAtMs < MERGE_REST_MS)) return
  const number = isUnderWay ? begun : begun + 1
  if (!isUnderWay) {
    // A negative number begins to merge all parts that there are.
    await db.batch([
      rowsStatement(db, merge(-STEP_PAGES)),
      db.update(searchMerges).set({ begun: number, begunAtMs: nowMs }),
    ])
  }
  for (let step = 0; step < STEPS_MAX; step++) {
    if (!(await mergeOn(db))) continue
    await db.update(searchMerges).set({ done: number })
    return
  }
}

/**
 * Returns whether words of a tenant, of which no customer is left, still have bytes in the index. The first call notes in `sweeps` which
 * merge takes them out.
 */
export async function areWordsLeft(db: Database, tenantId: string): Promise<boolean> {
  const name = `index:${tenantId}`
  await db.run(sql`
    INSERT INTO sweeps (name, position) SELECT ${name}, owed FROM search_merges WHERE owed > done
    ON CONFLICT (name) DO NOTHING`)
  const [waits] = await db.all(sql`
    SELECT 1 FROM sweeps, search_merges WHERE name = ${name} AND CAST(position AS INTEGER) > done`)
  if (waits) return true
  await db.delete(sweeps).where(eq(sweeps.name, name))
  return false
}

interface Counted {
  n: number
}

/** Takes one step of the merge that is under way. Returns true if there was none to take. */
async function mergeOn(db: Database): Promise<boolean> {
  const changes = rowsStatement(db, sql`SELECT total_changes() AS n`)
  const results = await db.batch([changes, rowsStatement(db, merge(STEP_PAGES)), changes])
  const [[before], , [after]] = results as unknown as [[Counted], unknown, [Counted]]
  // The command counts as one.
  return after.n - before.n < 2
}

function merge(pages: number): SQL {
  return sql`INSERT INTO customer_search (customer_search, rank) VALUES ('merge', CAST(${pages} AS INTEGER))`
}
