/**
 * Reads customers from D1, one statement or one batch each: one round trip. How fresh the answer is, the caller decided
 * when it opened the session. Every function takes the scope first: what is not the tenant's own is simply not there.
 */
import { and, type Column, eq, inArray, isNull, type SQL, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import type { Customer, Scope } from '../registry/customer.ts'
import type { ListPage, ListQuery } from '../registry/query.ts'
import { customerColumns, customerExpressions, customerOf } from './customer-row.ts'
import type { Database } from './database.ts'
import { type ListPlan, planList } from './list-query.ts'
import { customerAliases, customerCounts, customers } from './tables.ts'

/** Archived customers are found too, erased ones are not. */
export async function readCustomer(db: Database, scope: Scope, id: string): Promise<Customer | null> {
  const [row] = await db
    .select(customerColumns)
    .from(customers)
    .where(and(inScope(customers, scope), eq(customers.id, id), isNull(customers.erasedAtMs)))
    .limit(1)
  return row ? customerOf(row) : null
}

/** The customer that has the external id, or had it before and no other took it. Archived ones are not found. */
export async function readByExternalId(db: Database, scope: Scope, externalId: string): Promise<Customer | null> {
  const [row] = await db
    .select(customerColumns)
    .from(customers)
    .where(and(inScope(customers, scope), eq(customers.id, idBehind(db, scope, externalId))))
    .limit(1)
  return row ? customerOf(row) : null
}

/** The id of that customer. */
export async function resolveExternalId(db: Database, scope: Scope, externalId: string): Promise<string | null> {
  const row = await db.get<{ id: string | null } | undefined>(sql`SELECT ${idBehind(db, scope, externalId)} AS id`)
  return row?.id ?? null
}

/** Former external ids that still find the customer, in byte order. */
export async function readAliases(db: Database, scope: Scope, customerId: string): Promise<string[]> {
  const rows = await db
    .select({ externalId: customerAliases.externalId })
    .from(customerAliases)
    .where(and(inScope(customerAliases, scope), eq(customerAliases.customerId, customerId)))
    .orderBy(customerAliases.externalId)
  return rows.map((row) => row.externalId)
}

/** The same for many customers; one without any is not in the map. */
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

/** One page, and with `total` how many match in all, both as of the same moment. */
export async function listCustomers(
  db: Database,
  scope: Scope,
  query: ListQuery,
  options: { total: boolean },
): Promise<ListPage> {
  const plan = planList(scope, query)
  // One more than asked for tells whether there is a further page.
  const page = db
    .select(customerExpressions)
    .from(plan.source)
    .where(and(plan.matches, plan.beyond))
    .orderBy(...plan.order)
    .limit(query.limit + 1)
    .offset(plan.offset)
  const [rows, total] = options.total
    ? await db.batch([page, countOf(db, scope, plan)]).then(([rows, [count]]) => [rows, count?.total ?? 0] as const)
    : ([await page, null] as const)
  const shown = rows.slice(0, query.limit).map(customerOf)
  return { customers: plan.backwards ? shown.reverse() : shown, hasMore: rows.length > query.limit, total }
}

/** From the counts that the triggers keep when they can tell, so that knowing a total does not read every customer. */
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
 * A statement's part: the id of the customer that has the external id, else of the one that had it; null for neither.
 * Of archived customers none is found: the first look leaves them out, and the triggers took their former ids away.
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

function inScope(table: { tenantId: Column; mode: Column }, scope: Scope): SQL | undefined {
  return and(eq(table.tenantId, scope.tenantId), eq(table.mode, scope.mode))
}
