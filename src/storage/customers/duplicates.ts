/**
 * Reads the customers that may be the same as another one, in one trip, by indexes that exist for lists. However many
 * customers share an address or a name, it looks at the newest few of them.
 */
import { type SQL, sql } from 'drizzle-orm'
import type { Customer, Scope } from '../../registry/customer.ts'
import { DUPLICATE_BOUNDS, type Duplicate, type DuplicateReason, rankedDuplicates } from '../../registry/duplicates.ts'
import { CUSTOMER_COLUMNS, customerIn } from '../customer-row.ts'
import type { Database } from '../database.ts'
import { customers } from '../schema/tables.ts'
import { rowsStatement } from '../statement-texts.ts'

/** Returns the candidates, best first. Archived customers are among them. */
export async function readDuplicates(db: Database, scope: Scope, customerId: string): Promise<Duplicate[]> {
  const { tenantId, mode } = scope
  const own = (value: SQL) => sql`(SELECT ${value} FROM customers own
    WHERE own.tenant_id = ${tenantId} AND own.mode = ${mode} AND own.id = ${customerId})`
  const isInScope = sql`${customers.tenantId} = ${tenantId} AND ${customers.mode} = ${mode}`
  // The newest come first in the index, and the bound is on those that are looked at: none is sorted, few are left out.
  const newest = (max: number) => sql`ORDER BY ${customers.id} DESC LIMIT ${max + 1}`
  const isAnother = sql`found.id <> ${customerId} AND found.erased_at IS NULL AND found.merged_into IS NULL`
  const sameEmail = sql`SELECT * FROM (
    SELECT ${CUSTOMER_COLUMNS} FROM ${customers} INDEXED BY customers_email_order
    WHERE ${isInScope} AND coalesce(customers.email_ascii, customers.email, '') COLLATE NOCASE
      = ${own(sql`nullif(coalesce(own.email_ascii, own.email), '')`)} ${newest(DUPLICATE_BOUNDS.sameEmailMax)}
  ) found WHERE ${isAnother}`
  const sameName = sql`SELECT * FROM (
    SELECT ${CUSTOMER_COLUMNS} FROM ${customers} INDEXED BY customers_name_order
    WHERE ${isInScope} AND coalesce(customers.name, '') = ${own(sql`iif(own.address_postal_code <> '', nullif(own.name, ''), NULL)`)}
    ${newest(DUPLICATE_BOUNDS.sameNameMax)}
  ) found WHERE ${isAnother} AND found.address_postal_code = ${own(sql`own.address_postal_code`)}`
  // An entity belongs to one customer that is not archived; an archived one keeps in its row those that it had.
  const sameEntity = sql`SELECT * FROM (
    SELECT DISTINCT ${CUSTOMER_COLUMNS} FROM json_each(${own(sql`own.integrations`)}) entity
    CROSS JOIN integration_mappings m ON m.tenant_id = ${tenantId} AND m.mode = ${mode}
      AND m.provider = entity.value ->> '$.provider' AND m.entity_id = entity.value ->> '$.id'
    CROSS JOIN ${customers} ON ${isInScope} AND ${customers.id} = m.customer_id
  ) found WHERE ${isAnother}`
  const [byEntity, byEmail, byName] = (await db.batch([
    rowsStatement(db, sameEntity),
    rowsStatement(db, sameEmail),
    rowsStatement(db, sameName),
  ])) as Row[][]
  return rankedDuplicates([
    ...because('same_integration_entity', byEntity),
    ...because('same_email', byEmail),
    ...because('same_name_and_postal_code', byName),
  ])
}

type Row = Record<string, unknown>

function because(reason: DuplicateReason, rows: Row[] = []): { customer: Customer; reason: DuplicateReason }[] {
  return rows.map((row) => ({ customer: customerIn(row), reason }))
}
