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
    if (await mergeOn(db)) return finish(db, number)
  }
}

/** Returns whether words of a tenant that `takeOutOfIndex` has taken out still have bytes in the index. */
export async function areWordsLeft(db: Database, tenantId: string): Promise<boolean> {
  const [owed] = await db
    .select({ name: sweeps.name })
    .from(sweeps)
    .where(eq(sweeps.name, noteOf(tenantId)))
  return owed !== undefined
}

/** Returns the statements that owe a merge, and note that the tenant waits for it. */
export function owedFor(db: Database, tenantId: string) {
  const position = sql<string>`(SELECT owed FROM ${searchMerges})`
  return [
    rowsStatement(
      db,
      sql`INSERT INTO search_merges (id, owed, begun, done, begun_at) VALUES (1, 1, 0, 0, 0)
        ON CONFLICT (id) DO UPDATE SET owed = begun + 1 WHERE owed <= begun`,
    ),
    db
      .insert(sweeps)
      .values({ name: noteOf(tenantId), position })
      .onConflictDoUpdate({ target: sweeps.name, set: { position } }),
  ] as const
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

async function finish(db: Database, number: number): Promise<void> {
  await db.batch([
    db.update(searchMerges).set({ done: number }),
    db.delete(sweeps).where(sql`name LIKE ${noteOf('%')} AND CAST(position AS INTEGER) <= CAST(${number} AS INTEGER)`),
  ])
}

function merge(pages: number): SQL {
  return sql`INSERT INTO customer_search (customer_search, rank) VALUES ('merge', CAST(${pages} AS INTEGER))`
}

/** The name of the row of `sweeps` by which a tenant waits. Its position is the number of the merge. */
function noteOf(tenantId: string): string {
  return `index:${tenantId}`
}
