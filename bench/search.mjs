/**
 * Measures searches among many customers: `npm run bench:search`, or with a number of customers after `--`. Prints the time
 * that SQLite takes for the statement of each, as a multiple of a read by id in the same run. It runs the statements of
 * Roster in a SQLite file of this process, because D1 tells its time in whole milliseconds. 1,000,000 customers take some
 * minutes and 3 GB; `test/workers/storage/costs.test.ts` has the rows.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { sql } from 'drizzle-orm'
import { planSearch } from '../src/storage/customers/search-query.ts'
import { openDatabase } from '../src/storage/database.ts'

const ROWS_PER_STATEMENT = 5_000
const LIMIT = 20
const ROUNDS = 15
/** Other tenants in the same tables, with this many customers each. */
const [OTHER_TENANTS, OTHER_CUSTOMERS] = [50, 500]

const count = Number(process.argv[2] ?? 1_000_000)
/** Builds statements, and runs none. */
const db = openDatabase({})
const folder = mkdtempSync(path.join(process.env.BENCH_FOLDER ?? tmpdir(), 'roster-search-'))
const sqlite = new DatabaseSync(path.join(folder, 'bench.sqlite'))
try {
  measure()
} finally {
  sqlite.close()
  rmSync(folder, { recursive: true, force: true })
}

function measure() {
  sqlite.exec('PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL; PRAGMA cache_size = -500000')
  for (const name of readdirSync('migrations').sort()) {
    if (name.endsWith('.sql')) sqlite.exec(readFileSync(path.join('migrations', name), 'utf8'))
  }
  const startMs = Date.now()
  for (let other = 0; other < OTHER_TENANTS; other++) fill(insertTenant(), OTHER_CUSTOMERS)
  const scope = insertTenant()
  fill(scope, count)
  sqlite.exec('PRAGMA optimize')
  console.log(`${count} customers in ${Math.round((Date.now() - startMs) / 1000)} s`)

  const middle = idOf(scope, Math.floor(count / 2))
  const byId = {
    sql: 'SELECT * FROM customers WHERE tenant_id = ? AND mode = ? AND id = ?',
    values: [scope.tenantId, scope.mode, middle],
  }
  const byIdMs = median(byId)
  console.log(`read by id: ${byIdMs.toFixed(3)} ms\n`)
  const beyond = { kind: 'after', position: [middle] }
  const kinds = [
    ['one letter', 'm'],
    ['a common word', 'maria'],
    ['a common word, a page in the middle', 'maria', { start: beyond }],
    ['a common word, archived too', 'maria', { includeArchived: true }],
    ['a rare word', 'user7777@'],
    ['a word that nobody has', 'zzyxqua'],
    ['two common words', 'maria smith'],
    ['two common words that never meet', 'usr_1 user2'],
    ['half and half that never meet', 'odd even'],
    ['the beginning of every id', 'cust_'],
    ['a common domain', 'gmail.com'],
    ['a common domain, a page in the middle', 'gmail.com', { start: beyond }],
    ['a long beginning that a third has', 'external-number-'],
    ['one whole external id', `external-number-${Math.floor(count / 3)}`],
    ['one whole id', middle],
  ]
  console.log(['search', 'shown', 'ms of the page', 'times a read by id', 'ms of the total'].join(' | '))
  for (const [name, q, more] of kinds) {
    const query = {
      filters: [],
      includeArchived: false,
      sort: [],
      start: { kind: 'offset', offset: 0 },
      limit: LIMIT,
      ...more,
      q,
    }
    const plan = planSearch(scope, query)
    const page = textOf(
      db
        .select({ all: sql`customers.*` })
        .from(plan.source)
        .orderBy(...plan.order),
    )
    const total = textOf(db.select({ total: sql`total` }).from(sql`(${plan.total})`))
    const shown = Math.min(LIMIT, sqlite.prepare(page.sql).all(...page.values).length)
    const pageMs = median(page)
    const figures = [pageMs.toFixed(2), (pageMs / byIdMs).toFixed(0), median(total).toFixed(2)]
    console.log([name, shown, ...figures].join(' | '))
  }
}

function textOf(statement) {
  const { sql: text, params } = statement.toSQL()
  return { sql: text, values: params }
}

/** Returns the median: a single run waits for other processes. */
function median({ sql: text, values }) {
  const statement = sqlite.prepare(text)
  const times = Array.from({ length: ROUNDS }, () => {
    const startMs = performance.now()
    statement.all(...values)
    return performance.now() - startMs
  })
  return times.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)]
}

function insertTenant() {
  const tenantId = crypto.randomUUID()
  sqlite
    .prepare(
      `INSERT INTO tenants (id, company_name, contact_email, tier, status, requests_per_second, burst, annual_commitment,
         annual_validation_limit, storage_bytes, metadata, created_at, updated_at, version, policy_version)
       VALUES (?, 'Bench', 'ops@example.com', 'scale', 'active', 1, 1, 0, 1, 9000000000000, '{}', 1, 1, 1, 1)`,
    )
    .run(tenantId)
  return { tenantId, mode: 'live' }
}

function idOf({ tenantId }, n) {
  return `cust_${tenantId.slice(0, 8)}${String(n).padStart(18, '0')}`
}

/** Inserts customers straight into the table: the triggers do the rest. Few names are common and many are rare. */
function fill(scope, customers) {
  const firstNames = ['maria', 'james', 'mary', 'mohammed', 'anna', 'john', 'wei', 'fatima', 'peter', 'laura']
  const lastNames = ['smith', 'garcia', 'mueller', 'wang', 'khan', 'silva', 'jones', 'rossi', 'kim', 'novak']
  const domains = ['gmail.com', 'outlook.com', 'example.com']
  let seed = 1
  const random = () => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed / 2_147_483_647
  }
  const skewed = (common, rare) =>
    random() < 0.5 ? common[Math.floor(random() ** 2 * common.length)] : `${rare}${Math.floor(random() * 30_000)}`
  for (let from = 0; from < customers; from += ROWS_PER_STATEMENT) {
    const rows = Array.from({ length: Math.min(ROWS_PER_STATEMENT, customers - from) }, (_, at) => {
      const n = from + at
      const name = `${skewed(firstNames, 'firstname')} ${skewed(lastNames, 'lastname')} ${n % 2 ? 'odd' : 'even'}`
      const domain =
        random() < 0.4 ? domains[Math.floor(random() * 3)] : `company${Math.floor(random() * 60_000)}.example`
      const external = n % 3 === 0 ? `external-number-${n}` : `usr_${n}`
      return [idOf(scope, n), external, name, `user${n}@${domain}`, `evt_${scope.tenantId.slice(0, 8)}${n}`]
    })
    sqlite
      .prepare(
        `INSERT INTO customers (tenant_id, mode, id, external_id, name, email, timezone, metadata, integrations, profile,
           status, version, created_at, updated_at, created_by, updated_by, change_id, change_onboarding)
         SELECT ?2, ?3, value ->> 0, value ->> 1, value ->> 2, value ->> 3, 'UTC', '{}', '[]', '{}', 'published', 1, 0, 0,
           'bench', 'bench', value ->> 4, '' FROM json_each(?1)`,
      )
      .run(JSON.stringify(rows), scope.tenantId, scope.mode)
  }
}
