/**
 * Reads customers from D1. Each function makes one round trip, with one statement or one batch. The session, which the
 * caller opened, determines how fresh the result is. Every function takes the scope first and finds no row of another
 * tenant or mode.
 */
import { and, eq, isNull, type SQL, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import type { Customer, MergedAway, Scope } from '../../registry/customer.ts'
import { notFound } from '../../registry/errors.ts'
import { CUSTOMER_COLUMNS, customerIn, foundIn } from '../customer-row.ts'
import type { Database } from '../database.ts'
import { customerAliases, customers } from '../schema/tables.ts'
import { inScope, type ScopeValues } from '../scoped.ts'
import { SCOPE, shapedRows, slot, slottedStatement } from '../statement-texts.ts'

/** Returns the customer, even if it is archived; null if there is none, or if it is erased or merged into another one. */
export async function readCustomer(db: Database, scope: Scope, id: string): Promise<Customer | null> {
  const found = await findCustomer(db, scope, id)
  return found && !('mergedInto' in found) ? found : null
}

/** Returns the same, or the customer that it was merged into. */
export async function findCustomer(db: Database, scope: Scope, id: string): Promise<Customer | MergedAway | null> {
  const build = () => sql`
    SELECT ${CUSTOMER_COLUMNS} FROM ${customers}
    WHERE ${inScope(customers, SCOPE)} AND ${customers.id} = ${slot('id')} AND ${customers.erasedAtMs} IS NULL`
  const [found] = await shapedRows(db, 'customer by id', build, { ...scope, id }, foundIn)
  return found ?? null
}

/** Returns the id that changes of the customer go to: its own, or that of the customer that it was merged into. */
export async function resolveId(db: Database, scope: Scope, id: string): Promise<string> {
  const [row] = await db
    .select({ mergedInto: customers.mergedInto })
    .from(customers)
    .where(and(inScope(customers, scope), eq(customers.id, id)))
    .limit(1)
  return row?.mergedInto ?? id
}

/** Returns the customer that had the external id before it was merged into another one; null if there is none. */
export async function mergedFrom(db: Database, scope: Scope, externalId: string): Promise<string | null> {
  const [row] = await db
    .select({ mergedFrom: customerAliases.mergedFrom })
    .from(customerAliases)
    .where(and(inScope(customerAliases, scope), eq(customerAliases.externalId, externalId)))
    .limit(1)
  return row?.mergedFrom ?? null
}

/**
 * Returns the customer that has the external id, or had it before if no other took it since. Returns null if there is
 * neither, and for an archived customer.
 */
export async function readByExternalId(db: Database, scope: Scope, externalId: string): Promise<Customer | null> {
  const build = () => sql`
    SELECT ${CUSTOMER_COLUMNS} FROM ${customers}
    WHERE ${inScope(customers, SCOPE)} AND ${customers.id} = ${idBehind(db, SCOPE, slot('externalId'))}`
  const [found] = await shapedRows(db, 'customer by external id', build, { ...scope, externalId }, customerIn)
  return found ?? null
}

/** Returns the id of the customer that `readByExternalId` would return; null if there is none. */
export async function resolveExternalId(db: Database, scope: Scope, externalId: string): Promise<string | null> {
  const build = () => sql`SELECT ${idBehind(db, SCOPE, slot('externalId'))} AS id`
  const [id] = await shapedRows(db, 'id by external id', build, { ...scope, externalId }, ({ id }) => id)
  return (id as string | null | undefined) ?? null
}

/** Returns former external ids that still find the customer, in byte order. */
export async function readAliases(db: Database, scope: Scope, customerId: string): Promise<string[]> {
  const build = () => sql`
    SELECT ${customerAliases.externalId} AS external_id FROM ${customerAliases}
    WHERE ${inScope(customerAliases, SCOPE)} AND ${customerAliases.customerId} = ${slot('customerId')}
    ORDER BY ${customerAliases.externalId}`
  const statement = slottedStatement(db, 'aliases', build, { ...scope, customerId })
  const [rows] = (await db.batch([statement])) as unknown as [{ external_id: string }[]]
  return rows.map((row) => row.external_id)
}

/** Returns the same for many customers, by their ids. A customer without former external ids is not in the map. */
export async function readAliasesOfEach(
  db: Database,
  scope: Scope,
  customerIds: readonly string[],
): Promise<Map<string, string[]>> {
  const build = () => sql`
    SELECT ${customerAliases.customerId} AS customer_id, ${customerAliases.externalId} AS external_id
    FROM ${customerAliases}
    WHERE ${inScope(customerAliases, SCOPE)}
      AND ${customerAliases.customerId} IN (SELECT value FROM json_each(${slot('customerIds')}))
    ORDER BY ${customerAliases.externalId}`
  const values = { ...scope, customerIds: JSON.stringify(customerIds) }
  const statement = slottedStatement(db, 'aliases of each', build, values)
  const [rows] = (await db.batch([statement])) as unknown as [{ customer_id: string; external_id: string }[]]
  const aliases = new Map<string, string[]>()
  for (const { customer_id: customerId, external_id: externalId } of rows) {
    const known = aliases.get(customerId)
    if (known) known.push(externalId)
    else aliases.set(customerId, [externalId])
  }
  return aliases
}

/** Selects a row if the tenant and mode have, or had, a customer with the id. */
export function anchorStatement(db: Database, scope: Scope, id: string) {
  return db
    .select({ id: customers.id })
    .from(customers)
    .where(and(inScope(customers, scope), eq(customers.id, id)))
    .limit(1)
}

/** Throws `RegistryError` with `not_found` unless `anchorStatement` found its customer. */
export function requireAnchor(found: readonly unknown[]): void {
  if (found.length === 0) throw notFound('customer')
}

/**
 * Returns an expression for the id of the customer that has the external id, else of the one that has it as a former
 * external id; null if there is neither. Finds no archived customer: the first query leaves them out, and the triggers
 * have deleted their former external ids.
 */
export function idBehind(db: Database, scope: ScopeValues, externalId: string | SQL): SQL<string | null> {
  const holder = alias(customers, 'holder')
  const current = db
    .select({ id: holder.id })
    .from(holder)
    .where(and(inScope(holder, scope), eq(holder.externalId, externalId), isNull(holder.archivedAtMs)))
  const former = db
    .select({ id: customerAliases.customerId })
    .from(customerAliases)
    .where(and(inScope(customerAliases, scope), eq(customerAliases.externalId, externalId)))
  return sql`coalesce((${current}), (${former}))`
}
