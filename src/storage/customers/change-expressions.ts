/**
 * The expressions of a change of one customer: the values that columns get, and the conditions under which it is made. The
 * slots are those of statements.ts.
 */
import { and, isNull, type SQL, sql } from 'drizzle-orm'
import type { Scope } from '../../registry/customer.ts'
import { CUSTOMER_FIELDS, ERASED_TO_INITIAL, ERASED_TO_NULL } from '../../registry/customer-fields.ts'
import { customerAliases, customers } from '../schema/tables.ts'
import { SCOPE, slot } from '../statement-texts.ts'
import type { CustomerColumn, Given } from './given-columns.ts'

/** The row is of a customer: it is neither erased nor merged into another one. */
export const IS_THERE = and(isNull(customers.erasedAtMs), isNull(customers.mergedInto))

/**
 * A customer with children cannot be erased, but one with archived children can. They keep its id until they are
 * restored: to change them all in the erasure would take as many rows and cache entries as there are. The same holds for
 * a merge, after which they belong to the survivor.
 */
export const PARENT_THAT_IS_THERE = sql`iif(EXISTS (
  SELECT 1 FROM customers parent WHERE parent.tenant_id = ${SCOPE.tenantId} AND parent.mode = ${SCOPE.mode}
    AND parent.id = ${customers.parentId} AND parent.erased_at IS NOT NULL
), NULL, ${survivorOf(sql`${customers.parentId}`)})`

/** Returns the id itself, or that of the customer that it was merged into. */
function survivorOf(id: SQL): SQL {
  return sql`coalesce((
    SELECT merged.merged_into FROM customers merged WHERE merged.tenant_id = ${SCOPE.tenantId}
      AND merged.mode = ${SCOPE.mode} AND merged.id = ${id}
  ), ${id})`
}

/**
 * The columns that an erasure sets. The external id becomes the id. A trigger erases the customer in other tables. Without its key,
 * nobody reads its events in the archive, or those of another one from while they were merged.
 */
export const ERASED: Partial<Record<CustomerColumn, SQL>> = {
  ...Object.fromEntries(ERASED_TO_NULL.map((name) => [name, sql`NULL`])),
  ...Object.fromEntries(ERASED_TO_INITIAL.map((name) => [name, sql.raw(`'${CUSTOMER_FIELDS[name].initial}'`)])),
  emailAscii: sql`NULL`,
  externalId: sql`${customers.id}`,
  folded: sql`'{}'`,
  changeDetail: sql`NULL`,
  archiveKey: sql`NULL`,
  archivedAtMs: sql`coalesce(${customers.archivedAtMs}, ${slot('nowMs')})`,
  erasedAtMs: slot('nowMs'),
}

/**
 * Returns the expression for a column's new value. `before` is the value that is there, for one that is merged into it.
 */
export function expressionOf(column: CustomerColumn, { as }: Given, before: SQL): SQL {
  switch (as) {
    case 'is':
      return column === 'parentId' ? survivorOf(slot(column)) : slot(column)
    case 'was':
      return slot(column)
    case 'merged':
      return sql`json_patch(${before}, ${slot(column)})`
    case 'holder':
      // Only the customer that has the external id now can be the parent: a former id may find a customer that the
      // caller does not mean. Without such a customer the value is '', which is no customer's id: the trigger refuses
      // it, where null would clear the parent.
      return sql`coalesce((
        SELECT parent.id FROM customers parent
        WHERE parent.tenant_id = ${SCOPE.tenantId} AND parent.mode = ${SCOPE.mode}
          AND parent.external_id = ${slot(column)} AND parent.archived_at IS NULL
      ), '')`
  }
}

/**
 * Returns one condition for each column: its new value is not the one that the row has. What is folded differs only if
 * its text does.
 */
export function differences({ folded: _folded, ...set }: Partial<Record<CustomerColumn, SQL>>): SQL[] {
  return Object.entries(set).map(([name, value]) => {
    const column = customers[name as CustomerColumn]
    return name === 'metadata' ? sql`${inKeyOrder(column)} IS NOT ${inKeyOrder(value)}` : sql`${column} IS NOT ${value}`
  })
}

/** Expresses metadata as text with its keys sorted: sending the keys in another order does not change a customer. */
function inKeyOrder(object: unknown): SQL {
  return sql`(SELECT json_group_array(json_array(key, value) ORDER BY key) FROM json_each(${object}))`
}

/** True when no customer has the external id of the new one. */
export const IS_FREE = sql`NOT EXISTS (
  SELECT 1 FROM customers holder WHERE holder.tenant_id = ${SCOPE.tenantId} AND holder.mode = ${SCOPE.mode}
    AND holder.external_id = ${slot('externalId')} AND holder.archived_at IS NULL
)`

/** True for the customer that has the external id, or had it before. */
export function isNamed({ tenantId, mode }: Record<keyof Scope, SQL | string>, externalId: SQL | string): SQL {
  return sql`(${customers.externalId} = ${externalId} OR EXISTS (
    SELECT 1 FROM ${customerAliases} WHERE ${customerAliases.tenantId} = ${tenantId}
      AND ${customerAliases.mode} = ${mode} AND ${customerAliases.externalId} = ${externalId}
      AND ${customerAliases.customerId} = ${customers.id}
  ))`
}

/** True for the customer that the one with the id was merged into. */
export function isSurvivorOf({ tenantId, mode }: Record<keyof Scope, SQL | string>, mergedId: SQL | string): SQL {
  return sql`EXISTS (
    SELECT 1 FROM customers merged WHERE merged.tenant_id = ${tenantId} AND merged.mode = ${mode}
      AND merged.id = ${mergedId} AND merged.merged_into = ${customers.id}
  )`
}

/**
 * Compares the deadline with D1's own clock, so that a statement that arrives late changes nothing, even without its
 * sender.
 */
export function inTime(deadlineMs: SQL | number): SQL {
  return sql`(unixepoch('subsec') * 1000 < ${deadlineMs})`
}
