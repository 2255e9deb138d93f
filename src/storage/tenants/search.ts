/**
 * Finds customers of all tenants, and tenants, by an exact id, external id or e-mail address. Each look-up is by an index
 * that begins with the value, and ends after one page, however many customers share an address. Reads the primary.
 */
import { getTableColumns, isNull, type SQL, sql } from 'drizzle-orm'
import type { FoundCustomer, OperatorSearch } from '../../tenants/ports.ts'
import { asciiEmail } from '../../validation/email.ts'
import { openDatabase } from '../database.ts'
import { tenants } from '../schema/tenant-tables.ts'
import { orUnavailable } from '../unavailable.ts'
import { tenantOf } from './rows.ts'

/** Customers and tenants that a search returns, of each at most. */
const FOUND_MAX = 100
const ROWS = sql.raw(String(FOUND_MAX + 1))

export function operatorSearch(d1: D1Database): OperatorSearch {
  const db = openDatabase(d1.withSession('first-primary'))
  return {
    find: (text) =>
      orUnavailable(async () => {
        const address = asciiEmail(text) ?? text
        const [byId, byExternalId, byEmail, ofTenants] = await db.batch([
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
        ])
        const lookUps = [byId, byExternalId, byEmail]
        const shown = lookUps.flat().filter(({ isShown }) => isShown === 1)
        const found = new Map(
          shown.map(({ isShown: _isShown, ...each }) => [`${each.tenantId} ${each.mode} ${each.id}`, each]),
        )
        const customers = [...found.values()].sort((a, b) => (a.id < b.id ? 1 : -1))
        return {
          customers: customers.slice(0, FOUND_MAX),
          tenants: ofTenants.slice(0, FOUND_MAX).map(tenantOf),
          hasMore: customers.length > FOUND_MAX || [...lookUps, ofTenants].some((rows) => rows.length > FOUND_MAX),
        }
      }, {}),
  }
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
  /** 0 for a customer that is erased or of a deleted tenant: it counts among the rows of a look-up, and is not shown. */
  isShown: sql<number>`c.erased_at IS NULL AND t.deleted_at IS NULL`,
}

/** CROSS JOIN fixes the order: the rows that were found, then what belongs to each by its key. */
function among(rows: SQL): SQL {
  return sql`(SELECT tenant_id, mode, id FROM ${rows} LIMIT ${ROWS}) f
    CROSS JOIN customers c ON c.tenant_id = f.tenant_id AND c.mode = f.mode AND c.id = f.id
    CROSS JOIN tenants t ON t.id = c.tenant_id`
}
