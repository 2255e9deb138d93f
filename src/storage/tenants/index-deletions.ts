/**
 * Takes the customers of a deleted tenant out of the full-text index. To overwrite the words of each one, as an erasure does,
 * takes a millisecond or two a customer, during which D1 does nothing else. So that is for few customers only. Many are marked
 * as deleted, and then all parts of the index are merged in small steps, which leaves out what is marked. A row of `sweeps`
 * says that a merge is owed until it has come to its end, so a run goes on where the one before stopped.
 */
import { eq, type SQL, sql } from 'drizzle-orm'
import type { Database } from '../database.ts'
import { sweeps } from '../schema/tenant-tables.ts'
import { rowsStatement } from '../statement-texts.ts'

/** Customers that are overwritten. A merge, which rewrites the whole index, is no more work than some thousands of them. */
const FEW_MAX = 1_000
/** Customers of one statement that overwrites, of one transaction that marks, and pages of one step of the merge: at most some 50 ms each. */
const OVERWRITTEN_ROWS = 25
const MARKED_ROWS = 2_000
const MERGED_PAGES = 256
/** Statements of one transaction, with those that decide on the next. */
const STATEMENTS = 6

const OWED = 'owed'
const UNDER_WAY = 'under way'

/**
 * Returns true if no word of the tenant is left in the index, and false if the budget has no more statements. Takes those that
 * it needs out of the budget.
 */
export async function takeOutOfIndex(db: Database, tenantId: string, budget: { statements: number }): Promise<boolean> {
  const name = `index:${tenantId}`
  const noted = (position: string) =>
    db.insert(sweeps).values({ name, position }).onConflictDoUpdate({ target: sweeps.name, set: { position } })
  for (;;) {
    const [looked] = await db.all<{ count: number; merge: string | null }>(sql`
      SELECT (SELECT count(*) FROM (${found(tenantId, FEW_MAX + 1)})) AS count,
        (SELECT position FROM sweeps WHERE name = ${name}) AS merge`)
    const { count = 0, merge = null } = looked ?? {}
    if (count === 0 && merge === null) return true
    budget.statements -= STATEMENTS
    if (budget.statements < 0) return false
    if (count > FEW_MAX || (count > 0 && merge === OWED)) {
      await db.batch([
        noted(OWED),
        rowsStatement(db, option('secure-delete', 0)),
        rowsStatement(db, without(tenantId, MARKED_ROWS)),
        // FTS5 keeps deletions in memory, and the option of the moment decides how it writes them.
        rowsStatement(db, sql`INSERT INTO customer_search (customer_search) VALUES ('flush')`),
        rowsStatement(db, option('secure-delete', 1)),
      ])
    } else if (count > 0) await db.run(without(tenantId, OVERWRITTEN_ROWS))
    else if (merge === OWED) {
      // A negative number begins to merge all parts that there are. The other option lets further steps go on with only two.
      await db.batch([
        rowsStatement(db, option('usermerge', 2)),
        rowsStatement(db, option('merge', -MERGED_PAGES)),
        noted(UNDER_WAY),
      ])
    } else if (await mergeOn(db)) await db.delete(sweeps).where(eq(sweeps.name, name))
  }
}

interface Counted {
  n: number
}

/** Takes one step of the merge that is under way. Returns true if there was none to take. */
async function mergeOn(db: Database): Promise<boolean> {
  const changes = rowsStatement(db, sql`SELECT total_changes() AS n`)
  const results = await db.batch([changes, rowsStatement(db, option('merge', MERGED_PAGES)), changes])
  const [[before], , [after]] = results as unknown as [[Counted], unknown, [Counted]]
  // The command counts as one.
  return after.n - before.n < 2
}

function option(name: string, value: number): SQL {
  return sql`INSERT INTO customer_search (customer_search, rank) VALUES (${name}, CAST(${value} AS INTEGER))`
}

/** Deletes oldest first: the index writes at once what it has noted when a row is older than the one before. */
function without(tenantId: string, rows: number): SQL {
  return sql`DELETE FROM customer_search WHERE rowid IN (${found(tenantId, rows)})`
}

/** Selects customers of the tenant, oldest first. Each has a word that begins with `cust_`. */
function found(tenantId: string, rows: number): SQL {
  return sql`
    SELECT rowid FROM customer_search WHERE customer_search MATCH (
      SELECT replace('"?acust_"* OR "?bcust_"* OR "?ccust_"* OR "?dcust_"*', '?', coalesce((
        SELECT printf('%05x', number) FROM search_scopes WHERE tenant_id = ${tenantId}
      ), '-----'))
    ) ORDER BY rowid LIMIT ${rows}`
}
