/**
 * `npm run bench:archive`: lets customers change once a month for a year, archives what is old enough, and measures what is left in
 * the database and what the archive has. In memory, with the migrations and the code that ship. Writes the figures to docs/figures.md;
 * with a number of customers after `--` it only prints them.
 */

import { encodeTime } from 'ulid'
import { archiveNext } from '../src/storage/archive/archiver.ts'
import { openDatabase } from '../src/storage/database.ts'
import { change, insert, insertTenant, migrated, UNSET } from '../test/node/migrations/migrated.ts'
import { PRICES } from './bill.ts'
import { writeToPage } from './page.ts'

const CUSTOMERS = 20_000
const MONTHS = 13
const EVENT_DAYS = 14
const DAY_MS = 86_400_000
const MONTH_MS = 30 * DAY_MS
const START_MS = Date.UTC(2026, 0, 1)
const GB = 1_000_000_000
const TENANT = '0197c4b8-6f2e-7d11-9a53-3c1f0e2b7a44'
const KEY = 'key_01M8DMMFZMBCNYSYRHJJ7MG1K1'

const wanted = Number(process.argv[2] ?? CUSTOMERS)
const database = migrated()
insertTenant(database, TENANT)
database.exec('BEGIN')
for (let n = 0; n < wanted; n++) create(n)
for (let month = 1; month < MONTHS; month++) for (let n = 0; n < wanted; n++) changeOne(n, month)
database.exec('COMMIT')
const without = bytesOf(database)

const objects = new Map()
let puts = 0
const archive = {
  async put(name, bytes) {
    puts++
    objects.set(name, bytes.length)
  },
}
const scope = { tenantId: TENANT, mode: 'live' }
const deps = { db: openDatabase(d1Over(database)), archive }
await archiveBut(EVENT_DAYS)
const bytes = bytesOf(database)
const archived = Number(database.prepare('SELECT events FROM archive_totals').get()?.events)
const stored = [...objects.values()].reduce((sum, size) => sum + size, 0)
const written = puts
const perMillion = (amount) => (amount / archived) * 1_000_000
await archiveBut(7)
const seven = bytesOf(database)

const rows = [
  ['what', 'figure'],
  ['bytes of the database for each customer that changes once a month', `${Math.round(bytes / wanted)}`],
  ['such customers in 10 GB', millions((10 * GB) / (bytes / wanted))],
  [
    'the same, with 7 for `EVENT_DAYS_IN_D1`',
    `${Math.round(seven / wanted)} bytes, ${millions((10 * GB) / (seven / wanted))}`,
  ],
  [
    'the same, with all of its changes in the database',
    `${Math.round(without / wanted)} bytes, ${millions((10 * GB) / (without / wanted))}`,
  ],
  ['bytes of the archive for a million changes', `${(perMillion(stored) / 1_000_000).toFixed(0)} MB`],
  ['objects written for a million changes, of a tenant with so many', `${Math.round(perMillion(written))}`],
  [
    'to write a million changes, and to keep them for a month',
    `${usd(perMillion(written), 'r2Writes')} and ${usd(perMillion(stored) / GB, 'r2Gb')} USD`,
  ],
  ['a million pages that open one object', `${usd(1_000_000, 'r2Reads')} USD`],
]
for (const cells of rows) console.log(cells.join(' | '))
if (process.argv[2] === undefined) writeToPage('archive', 'npm run bench:archive', rows)

async function archiveBut(days) {
  while (await archiveNext(deps, scope, START_MS + MONTHS * MONTH_MS - days * DAY_MS)) {
    // Goes on.
  }
}

function millions(count) {
  return `${(count / 1_000_000).toFixed(1)} M`
}

/** Beyond what is included, at the list price. */
function usd(amount, unit) {
  return ((amount / PRICES[unit].per) * PRICES[unit].usd).toFixed(4)
}

function idAt(timeMs, n) {
  return `${encodeTime(timeMs, 10)}${String(n).padStart(16, '0')}`
}

function whereOf(n) {
  return { tenant_id: TENANT, mode: 'live', id: `cust_${idAt(START_MS, n)}` }
}

function timeOf(n, month) {
  return START_MS + month * MONTH_MS + Math.floor((n / wanted) * MONTH_MS)
}

function create(n) {
  const timeMs = timeOf(n, 0)
  insert(database, 'customers', {
    ...{
      ...UNSET,
      ...whereOf(n),
      external_id: `customer-${n}`,
      name: `Acme GmbH ${n}`,
      email: `billing-${n}@acme.example`,
    },
    ...{ contact: '+49 30 1234567', address_line1: 'Unter den Linden 77', address_city: 'Berlin' },
    ...{ address_postal_code: '10117', address_country: 'DE', timezone: 'Europe/Berlin', metadata: '{"plan":"pro"}' },
    ...{ created_at: timeMs, updated_at: timeMs, created_by: KEY, updated_by: KEY },
    ...{ change_id: `evt_${idAt(timeMs, n)}`, change_request_id: crypto.randomUUID() },
  })
}

function changeOne(n, month) {
  const timeMs = timeOf(n, month)
  const facts = { change_id: `evt_${idAt(timeMs, n)}`, change_request_id: crypto.randomUUID(), updated_by: KEY }
  change(database, whereOf(n), { contact: `+49 30 ${n}-${month}`, version: month + 1, updated_at: timeMs, ...facts })
}

function bytesOf(sqlite) {
  const pragma = (name) => Number(Object.values(sqlite.prepare(`PRAGMA ${name}`).get() ?? {})[0])
  return (pragma('page_count') - pragma('freelist_count')) * pragma('page_size')
}

/** As much of D1 as the archive uses. */
function d1Over(sqlite) {
  const statement = (text, values = []) => {
    const all = async () => ({ success: true, meta: {}, results: sqlite.prepare(text).all(...values) })
    return {
      bind: (...bound) => statement(text, bound),
      all,
      run: all,
    }
  }
  return {
    prepare: (text) => statement(text),
    async batch(statements) {
      const results = []
      sqlite.exec('BEGIN')
      for (const each of statements) results.push(await each.all())
      sqlite.exec('COMMIT')
      return results
    },
  }
}
