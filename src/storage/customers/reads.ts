/**
 * Reads customers from D1. Each function makes one round trip, with one statement or one batch. The session, which the
 * caller opened, determines how fresh the result is. Every function takes the scope first and finds no row of another
 * tenant or mode.
 */
import { and, eq, inArray, isNull, type SQL, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import type { Customer, Scope } from '../../registry/customer.ts'
import { notFound } from '../../registry/errors.ts'
import type { ListPage, ListQuery } from '../../registry/query.ts'
import { type CustomerRow, customerColumns, customerExpressions, customerOf } from '../customer-row.ts'
import type { Database } from '../database.ts'
import { customerAliases, customerCounts, customers } from '../schema/tables.ts'
import { inScope } from '../scoped.ts'
import { type ListPlan, planList } from './list-query.ts'
import { searchCustomers } from './search.ts'

/** Returns the customer, even if it is archived; null if there is none, or if it is erased. */
export async function readCustomer(db: Database, scope: Scope, id: string): Promise<Customer | null> {
  const [row] = await db
    .select(customerColumns)
    .from(customers)
    .where(and(inScope(customers, scope), eq(customers.id, id), isNull(customers.erasedAtMs)))
    .limit(1)
  return row ? customerOf(row) : null
}

/**
 * Returns the customer that has the external id, or had it before if no other took it since. Returns null if there is
 * neither, and for an archived customer.
 */
export async function readByExternalId(db: Database, scope: Scope, externalId: string): Promise<Customer | null> {
  const [row] = await db
    .select(customerColumns)
    .from(customers)
    .where(and(inScope(customers, scope), eq(customers.id, idBehind(db, scope, externalId))))
    .limit(1)
  return row ? customerOf(row) : null
}

/** Returns the id of the customer that `readByExternalId` would return; null if there is none. */
export async function resolveExternalId(db: Database, scope: Scope, externalId: string): Promise<string | null> {
  const row = await db.get<{ id: string | null } | undefined>(sql`SELECT ${idBehind(db, scope, externalId)} AS id`)
  return row?.id ?? null
}

/** Returns former external ids that still find the customer, in byte order. */
export async function readAliases(db: Database, scope: Scope, customerId: string): Promise<string[]> {
  const rows = await db
    .select({ externalId: customerAliases.externalId })
    .from(customerAliases)
    .where(and(inScope(customerAliases, scope), eq(customerAliases.customerId, customerId)))
    .orderBy(customerAliases.externalId)
  return rows.map((row) => row.externalId)
}

/** Returns the same for many customers, by their ids. A customer without former external ids is not in the map. */
export async function readAliasesOfEach(
  db: Database,
  scope: Scope,
  customerIds: readonly string[],
): Promise<Map<string, string[]>> {
  const wanted = sql`(SELECT value FROM json_each(${JSON.stringify(customerIds)}))`
  const rows = await db
    .select({ customerId: customerAliases.customerId, externalId: customerAliases.externalId })
    .from(customerAliases)
    .where(and(inScope(customerAliases, scope), inArray(customerAliases.customerId, wanted)))
    .orderBy(customerAliases.externalId)
  const aliases = new Map<string, string[]>()
  for (const { customerId, externalId } of rows) {
    const known = aliases.get(customerId)
    if (known) known.push(externalId)
    else aliases.set(customerId, [externalId])
  }
  return aliases
}

/**
 * Returns one page, and with `total` the number of all customers that match, both as of the same moment. A page that
 * begins at an `anchorId` has no total.
 */
export async function listCustomers(
  db: Database,
  scope: Scope,
  query: ListQuery,
  options: { total: boolean },
): Promise<ListPage> {
  if (query.q !== undefined) return searchCustomers(db, scope, { ...query, q: query.q }, options)
  const plan = planList(scope, query)
  // The query reads one more than the limit, which shows whether there is a further page.
  const page = db
    .select(customerExpressions)
    .from(plan.source)
    .where(and(plan.matches, plan.beyond))
    .orderBy(...plan.order)
    .limit(query.limit + 1)
    .offset(plan.offset)
  const pageOf = (rows: CustomerRow[], total: number | null) => {
    const shown = rows.slice(0, query.limit).map(customerOf)
    return { customers: plan.backwards ? shown.reverse() : shown, hasMore: rows.length > query.limit, total }
  }
  if (query.start.kind !== 'offset' && query.start.anchorId !== undefined) {
    const [rows, anchors] = await db.batch([page, anchorStatement(db, scope, query.start.anchorId)])
    requireAnchor(anchors)
    return pageOf(rows, null)
  }
  if (!options.total) return pageOf(await page, null)
  const [rows, [count]] = await db.batch([page, countOf(db, scope, plan)])
  return pageOf(rows, count?.total ?? 0)
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
 * Selects the total from the counts that the triggers keep, if the list has no filter but the status: this reads no
 * customer.
 */
function countOf(db: Database, scope: Scope, plan: ListPlan) {
  return plan.statusOnly
    ? db
        .select({ total: sql<number | null>`sum(${customerCounts.count})`.as('total') })
        .from(customerCounts)
        .where(and(inScope(customerCounts, scope), plan.statusOnly))
    : db
        .select({ total: sql<number | null>`count(*)`.as('total') })
        .from(plan.source)
        .where(plan.matches)
}

/**
 * Returns an expression for the id of the customer that has the external id, else of the one that has it as a former
 * external id; null if there is neither. Finds no archived customer: the first query leaves them out, and the triggers
 * have deleted their former external ids.
 */
function idBehind(db: Database, scope: Scope, externalId: string): SQL<string | null> {
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
