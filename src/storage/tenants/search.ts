/**
 * Finds customers of all tenants, and tenants, by an exact id, external id or e-mail address, and customers by the beginnings
 * of words. Each look-up is by an index that begins with the value, and ends after one page, however many customers share an
 * address. Words are looked for in a bounded number of tenants. All of it is one trip to the primary.
 */
import { getTableColumns, isNull, type SQL, sql } from 'drizzle-orm'
import type { FoundCustomer, OperatorSearch } from '../../tenants/ports.ts'
import { asciiEmail } from '../../validation/email.ts'
import { NAME_BOUNDS, type NameSearch, planNames } from '../customers/search-query.ts'
import { openDatabase } from '../database.ts'
import { tenants } from '../schema/tenant-tables.ts'
import { orUnavailable } from '../unavailable.ts'
import { tenantOf } from './rows.ts'

/** Customers and tenants that a search returns, of each at most. */
const FOUND_MAX = 100
const TENANTS = sql.raw(String(NAME_BOUNDS.tenantsMax + 1))
const ROWS = sql.raw(String(FOUND_MAX + 1))
/** A search for words that there are none of. */
const NO_WORDS: NameSearch = {
  found: sql`(SELECT tenant_id, mode, id FROM customer_numbers WHERE 0)`,
  looked: sql`SELECT 0 AS looked`,
}

export function operatorSearch(d1: D1Database): OperatorSearch {
  const db = openDatabase(d1.withSession('first-primary'))
  return {
    find: (text) =>
      orUnavailable(async () => {
        const address = asciiEmail(text) ?? text
        const names = planNames(text)
        const { found: named, looked } = names ?? NO_WORDS
        const [byId, byExternalId, byEmail, ofTenants, byWords, [reach]] = await db.batch([
          db.select(FOUND).from(among(sql`customer_numbers WHERE id = ${text}`)),
          db
            .select(FOUND)
            .from(
              among(
                sql`customers INDEXED BY customers_external_id WHERE external_id = ${text} AND archived_at IS NULL`,
              ),
            ),
          db.select(FOUND).from(
            among(sql`customers INDEXED BY customers_email
              WHERE email IS NOT NULL AND coalesce(email_ascii, email) COLLATE NOCASE = ${address}`),
          ),
          // Without the hint, and for a condition with OR, SQLite may look at all tenants.
          db
            .select(getTableColumns(tenants))
            .from(tenants)
            .where(sql`${tenants.id} IN (
              SELECT ${text.toLowerCase()} UNION ALL SELECT * FROM (
                SELECT id FROM tenants INDEXED BY tenants_contact_email
                WHERE contact_email COLLATE NOCASE = ${text} LIMIT ${ROWS}
              )
            ) AND ${isNull(tenants.deletedAtMs)}`)
            .limit(FOUND_MAX + 1),
          db.select(FOUND).from(among(named)),
          db
            .select({ looked: sql<number>`looked`, tenants: sql<number>`tenants` })
            .from(sql`(${looked}), (SELECT count(*) AS tenants FROM (SELECT 1 FROM search_scopes LIMIT ${TENANTS}))`),
        ])
        const lookUps = [byId, byExternalId, byEmail]
        const exact = shownIn(lookUps.flat())
        const isExact = new Set(exact.map(keyOf))
        const others = shownIn(byWords).filter((each) => !isExact.has(keyOf(each)))
        const { looked: lookedAt = 0, tenants: tenantCount = 0 } = reach ?? {}
        return {
          customers: [...exact.slice(0, FOUND_MAX), ...others.slice(0, NAME_BOUNDS.shownMax)],
          tenants: ofTenants.slice(0, FOUND_MAX).map(tenantOf),
          hasMore:
            exact.length > FOUND_MAX ||
            [...lookUps, ofTenants].some((rows) => rows.length > FOUND_MAX) ||
            byWords.length > NAME_BOUNDS.shownMax ||
            lookedAt >= NAME_BOUNDS.lookedMax,
          isOfAllTenants: names === null || tenantCount <= NAME_BOUNDS.tenantsMax,
        }
      }, {}),
  }
}

function keyOf({ tenantId, mode, id }: FoundCustomer): string {
  return `${tenantId} ${mode} ${id}`
}

/** Returns the customers that are shown, each once, the newest first. */
function shownIn(rows: readonly (FoundCustomer & { isShown: number })[]): FoundCustomer[] {
  const shown = rows.filter(({ isShown }) => isShown === 1)
  const found = new Map(shown.map(({ isShown: _isShown, ...each }) => [keyOf(each), each]))
  return [...found.values()].sort((a, b) => (a.id < b.id ? 1 : -1))
}

/** Column names as text, like the statement that selects them. */
const FOUND = {
  id: sql<string>`c.id`,
  externalId: sql<string>`c.external_id`,
  name: sql<string | null>`c.name`,
  email: sql<string | null>`c.email`,
  status: sql<FoundCustomer['status']>`iif(c.archived_at IS NOT NULL, 'archived', c.status)`,
  tenantId: sql<string>`c.tenant_id`,
  mode: sql<FoundCustomer['mode']>`c.mode`,
  companyName: sql<string>`t.company_name`,
  /** 0 for a customer that is erased, merged away or of a deleted tenant: it counts among the rows of a look-up, and is not shown. */
  isShown: sql<number>`c.erased_at IS NULL AND c.merged_into IS NULL AND t.deleted_at IS NULL`,
}

/** CROSS JOIN fixes the order: the rows that were found, then what belongs to each by its key. */
function among(rows: SQL): SQL {
  return sql`(SELECT tenant_id, mode, id FROM ${rows} LIMIT ${ROWS}) f
    CROSS JOIN customers c ON c.tenant_id = f.tenant_id AND c.mode = f.mode AND c.id = f.id
    CROSS JOIN tenants t ON t.id = c.tenant_id`
}
