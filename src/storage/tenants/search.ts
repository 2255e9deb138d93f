/**
 * Finds customers of all tenants, and tenants, by an exact id, external id or e-mail address, and customers by the beginnings
 * of words. Each look-up is by an index that begins with the value, and ends after one page, however many customers share an
 * address. Words are looked for in a bounded number of tenants. All of it is one trip to the primary of each database.
 */
import { and, getTableColumns, isNull, type SQL, sql } from 'drizzle-orm'
import type { FoundCustomer, OperatorSearch } from '../../tenants/ports.ts'
import { asciiEmail } from '../../validation/email.ts'
import { type Database, openDatabase } from '../database.ts'
import { tenants } from '../schema/tenant-tables.ts'
import { orUnavailable } from '../unavailable.ts'
import { tenantOf } from './rows.ts'
import { NAME_BOUNDS, type NameSearch, planAddress, planNames, searchedTenants } from './search-query.ts'

/** Customers and tenants that a search returns, of each at most. */
const FOUND_MAX = 100
const TENANTS = sql.raw(String(NAME_BOUNDS.tenantsMax + 1))
const LOOKED_AT = sql.raw(String(NAME_BOUNDS.tenantsLookedMax))
const ROWS = sql.raw(String(FOUND_MAX + 1))
const NO_CUSTOMERS = sql`(SELECT tenant_id, mode, id FROM customer_numbers WHERE 0)`
/** A search for words that there are none of. */
const NO_WORDS: NameSearch = { found: NO_CUSTOMERS, looked: sql`SELECT 0 AS looked` }

/** `databases` are all by their numbers, the first with the directory. */
export function operatorSearch(databases: readonly D1Database[]): OperatorSearch {
  const [directory, ...others] = databases.map((d1) => openDatabase(d1.withSession('first-primary'))) as [
    Database,
    ...Database[],
  ]
  return {
    find: (text) =>
      orUnavailable(async () => {
        const [ofTenants, ...found] = await Promise.all([
          findTenants(directory, text),
          ...[directory, ...others].map((db, number) => findCustomers(db, number, others.length > 0, text)),
        ])
        const customers = {
          exact: newestFirst(found.flatMap(({ exact }) => exact)),
          byWords: newestFirst(found.flatMap(({ byWords }) => byWords)),
        }
        const shown = [...customers.exact.slice(0, FOUND_MAX), ...customers.byWords.slice(0, NAME_BOUNDS.shownMax)]
        return {
          customers: others.length === 0 ? shown : await withNames(directory, shown),
          tenants: ofTenants.slice(0, FOUND_MAX).map(tenantOf),
          hasMore:
            ofTenants.length > FOUND_MAX ||
            customers.exact.length > FOUND_MAX ||
            customers.byWords.length > NAME_BOUNDS.shownMax ||
            found.some(({ hasMore }) => hasMore),
          isOfAllTenants: found.every(({ isOfAllTenants }) => isOfAllTenants),
        }
      }, {}),
  }
}

async function findTenants(db: Database, text: string) {
  // Without the hint, and for a condition with OR, SQLite may look at all tenants.
  const isOne = sql`${tenants.id} IN (
    SELECT ${text.toLowerCase()} UNION ALL SELECT * FROM (
      SELECT id FROM tenants INDEXED BY tenants_contact_email
      WHERE contact_email COLLATE NOCASE = ${text} LIMIT ${ROWS}
    )
  )`
  const found = and(isOne, isNull(tenants.deletedAtMs))
  const [rows] = await db.batch([
    db
      .select(getTableColumns(tenants))
      .from(tenants)
      .where(found)
      .limit(FOUND_MAX + 1),
  ])
  return rows
}

/** Finds the customers of one database, by its number, which may be one of several. */
async function findCustomers(db: Database, number: number, isOneOfSeveral: boolean, text: string) {
  const searched = searchedTenants(isOneOfSeveral ? number : null)
  const names = planNames(text, searched)
  const { found: named, looked } = names ?? NO_WORDS
  // Tenants that are not even looked at count as too many.
  const beyond = isOneOfSeveral
    ? sql`${TENANTS} * EXISTS (SELECT 1 FROM search_scopes LIMIT 1 OFFSET ${LOOKED_AT})`
    : sql`0`
  const select = (rows: SQL) => db.select(foundIn(number)).from(among(rows))
  const [byId, byExternalId, byEmail, byWords, [reach]] = await db.batch([
    select(sql`customer_numbers WHERE id = ${text}`),
    select(sql`customers INDEXED BY customers_external_id WHERE external_id = ${text} AND archived_at IS NULL`),
    select(planAddress(asciiEmail(text) ?? text, FOUND_MAX + 1) ?? NO_CUSTOMERS),
    select(named),
    db
      .select({ looked: sql<number>`looked`, tenants: sql<number>`tenants` })
      .from(sql`(${looked}), (SELECT ${beyond} + count(*) AS tenants FROM (${searched} LIMIT ${TENANTS}))`),
  ])
  const lookUps = [byId, byExternalId, byEmail]
  const exact = shownIn(lookUps.flat())
  const isExact = new Set(exact.map(keyOf))
  const { looked: lookedAt = 0, tenants: tenantCount = 0 } = reach ?? {}
  return {
    exact,
    byWords: shownIn(byWords).filter((each) => !isExact.has(keyOf(each))),
    hasMore:
      lookUps.some((rows) => rows.length > FOUND_MAX) ||
      byWords.length > NAME_BOUNDS.shownMax ||
      lookedAt >= NAME_BOUNDS.lookedMax,
    isOfAllTenants: names === null || tenantCount <= NAME_BOUNDS.tenantsMax,
  }
}

/** Takes the names of the tenants from the directory: those in the copies of other databases may be old. */
async function withNames(directory: Database, customers: readonly FoundCustomer[]): Promise<FoundCustomer[]> {
  if (customers.length === 0) return []
  const ids = JSON.stringify([...new Set(customers.map(({ tenantId }) => tenantId))])
  const rows = await directory
    .select({ id: tenants.id, companyName: tenants.companyName })
    .from(tenants)
    .where(sql`${tenants.id} IN (SELECT value FROM json_each(${ids}))`)
  const names = new Map(rows.map(({ id, companyName }) => [id, companyName]))
  return customers.map((each) => ({ ...each, companyName: names.get(each.tenantId) ?? each.companyName }))
}

function keyOf({ tenantId, mode, id }: FoundCustomer): string {
  return `${tenantId} ${mode} ${id}`
}

/** Returns the customers that are shown, each once, the newest first. */
function shownIn(rows: readonly (FoundCustomer & { isShown: number })[]): FoundCustomer[] {
  const shown = rows.filter(({ isShown }) => isShown === 1)
  const found = new Map(shown.map(({ isShown: _isShown, ...each }) => [keyOf(each), each]))
  return newestFirst([...found.values()])
}

function newestFirst(customers: readonly FoundCustomer[]): FoundCustomer[] {
  return customers.toSorted((a, b) => (a.id < b.id ? 1 : -1))
}

/** Column names as text, like the statement that selects them. */
function foundIn(number: number) {
  return {
    id: sql<string>`c.id`,
    externalId: sql<string>`c.external_id`,
    name: sql<string | null>`c.name`,
    email: sql<string | null>`c.email`,
    status: sql<FoundCustomer['status']>`iif(c.archived_at IS NOT NULL, 'archived', c.status)`,
    tenantId: sql<string>`c.tenant_id`,
    mode: sql<FoundCustomer['mode']>`c.mode`,
    companyName: sql<string>`t.company_name`,
    /**
     * 0 for a customer that is erased or merged away, and of a tenant that is deleted or in another database: it counts among the
     * rows of a look-up, and is not shown.
     */
    isShown: sql<number>`c.erased_at IS NULL AND c.merged_into IS NULL AND t.deleted_at IS NULL
      AND t.database_number = ${sql.raw(String(number))}`,
  }
}

/** CROSS JOIN fixes the order: the rows that were found, then what belongs to each by its key. */
function among(rows: SQL): SQL {
  return sql`(SELECT tenant_id, mode, id FROM ${rows} LIMIT ${ROWS}) f
    CROSS JOIN customers c ON c.tenant_id = f.tenant_id AND c.mode = f.mode AND c.id = f.id
    CROSS JOIN tenants t ON t.id = c.tenant_id`
}
