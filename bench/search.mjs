/**
 * `npm run bench:search`: measures searches and changes among few and many customers, through a local D1. The times are
 * multiples of a read by id in the same run, the rows are those that D1 counts; `test/workers/storage/costs.test.ts` holds
 * these. Writes the figures to docs/figures.md; with numbers of customers after `--` it only prints them. 1,000,000
 * customers take some minutes and 3 GB.
 */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { sql } from 'drizzle-orm'
import { planSearch } from '../src/storage/customers/search-query.ts'
import { openDatabase } from '../src/storage/database.ts'
import { filledD1 } from './local-d1.mjs'
import { writeToPage } from './page.ts'

const ROWS_PER_STATEMENT = 5_000
const LIMIT = 20
const TIMES = { rounds: 9, timesInARow: 10 }
/** Other tenants in the same tables, with this many customers each. */
const [OTHER_TENANTS, OTHER_CUSTOMERS] = [50, 500]

/** Builds statements, and runs none. */
const db = openDatabase({})

const COUNTS = [10_000, 1_000_000]

const wanted = process.argv.slice(2).map(Number)
const counts = wanted.length > 0 ? wanted : COUNTS
const measured = []
for (const count of counts) measured.push(await measure(count))
const rows = rowsOf(measured)
for (const cells of rows) console.log(cells.join(' | '))
if (wanted.length === 0) writeToPage('search', 'npm run bench:search', rows)

/** Returns the figures as rows, the headings first: for each number of customers the rows and the time of page and total. */
function rowsOf(measured) {
  const of = (what) => counts.map((count) => `${what} at ${count.toLocaleString('en')}`)
  const headings = ['`q`, or a change', 'shown', ...of('rows'), ...of('page ÷ read by id'), ...of('total ÷ read by id')]
  const [first] = measured
  return [
    headings,
    ...first.map(({ name }, at) => {
      const all = measured.map((figures) => figures[at])
      const texts = (of) => all.map((figure) => of(figure) ?? '')
      return [
        name,
        all[0].shown ?? '',
        ...texts(({ rows }) => rows?.join(' + ')),
        ...texts(({ page }) => `${page.toFixed(1)} ×`),
        ...texts(({ total }) => total && `${total.toFixed(1)} ×`),
      ]
    }),
  ]
}

async function measure(count) {
  const startMs = Date.now()
  let scope
  const d1 = await filledD1((sqlite) => {
    for (const name of readdirSync('migrations').sort()) {
      if (name.endsWith('.sql')) sqlite.exec(readFileSync(path.join('migrations', name), 'utf8'))
    }
    for (let other = 0; other < OTHER_TENANTS; other++) fill(sqlite, insertTenant(sqlite), OTHER_CUSTOMERS)
    scope = insertTenant(sqlite)
    fill(sqlite, scope, count)
    sqlite.exec('PRAGMA optimize')
  })
  console.log(`${count} customers, ready after ${Math.round((Date.now() - startMs) / 1000)} s`)
  try {
    return [...(await measureSearches(d1, scope, count)), await measureRename(d1, scope, count)]
  } finally {
    await d1.close()
  }
}

/** Returns for each search the customers shown, the rows of page and total, and their times as multiples of a read by id. */
async function measureSearches(d1, scope, count) {
  const middle = idOf(scope, Math.floor(count / 2))
  const byId = {
    sql: 'SELECT * FROM customers WHERE tenant_id = ? AND mode = ? AND id = ?',
    sets: [[scope.tenantId, scope.mode, middle]],
  }
  const kinds = kindsOf(middle, count)
  const statements = kinds.flatMap(([, q, more]) => statementsOf(scope, { ...more, q }))
  const [{ ms: byIdMs }, ...measured] = await d1.measure([byId, ...statements], TIMES)
  return kinds.map(([name], at) => {
    const [page, total] = measured.slice(2 * at, 2 * at + 2)
    const shown = Math.min(LIMIT, page.shown)
    return { name, shown, rows: [page.rowsRead, total.rowsRead], page: page.ms / byIdMs, total: total.ms / byIdMs }
  })
}

/** Returns the time of a change of words as a multiple of one of none. */
async function measureRename(d1, scope, count) {
  const ids = Array.from({ length: TIMES.rounds * TIMES.timesInARow }, (_, at) =>
    idOf(scope, Math.floor(((at + 0.5) * count) / (TIMES.rounds * TIMES.timesInARow))),
  )
  const update = (column, text) => ({
    sql: `UPDATE customers SET ${column} = ?4, version = version + 1, change_id = ?5
      WHERE tenant_id = ?1 AND mode = ?2 AND id = ?3`,
    sets: ids.map((id, at) => [scope.tenantId, scope.mode, id, `${text} ${at}`, `evt_${column}_${id}`]),
  })
  const [plain, rename] = await d1.measure([update('contact', 'contact'), update('name', 'maria new')], TIMES)
  return { name: 'a rename, ÷ an update without words', page: rename.ms / plain.ms }
}

/** Returns names, words, and what else the query has. */
function kindsOf(middle, count) {
  const beyond = { kind: 'after', position: [middle] }
  const third = Math.floor(count / 3)
  return [
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
    ['a long beginning that some in a thousand have', `external-number-${String(third).slice(0, 3)}`],
    ['one whole external id', `external-number-${third - (third % 3)}`],
    ['one whole id', middle],
  ]
}

/** Returns the statements of the page and of the total. */
function statementsOf(scope, given) {
  const start = { kind: 'offset', offset: 0 }
  const plan = planSearch(scope, { filters: [], includeArchived: false, sort: [], start, limit: LIMIT, ...given })
  return [
    db.select({ all: sql`customers.*` }).from(plan.source),
    db.select({ total: sql`total` }).from(sql`(${plan.total})`),
  ].map((statement) => {
    const { sql: text, params } = statement.toSQL()
    return { sql: text, sets: [params] }
  })
}

function insertTenant(sqlite) {
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
  return `cust_${tenantId.slice(0, 8).toUpperCase()}${String(n).padStart(18, '0')}`
}

/** Inserts customers straight into the table: the triggers do the rest. Few names are common and many are rare. */
function fill(sqlite, scope, customers) {
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
