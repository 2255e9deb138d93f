/**
 * The SQL that reads a customer after a change of it, to return it or to determine why nothing changed. Builds statements and runs
 * none.
 */
import { and, eq, isNull, type SQL, sql } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import type { Scope } from '../../registry/customer.ts'
import { CUSTOMER_COLUMNS, type CustomerRow, customerRowOf, type RawRow } from '../customer-row.ts'
import type { Database } from '../database.ts'
import { customers, events, type StoredDocument } from '../schema/tables.ts'
import { inScope } from '../scoped.ts'
import { SCOPE, shapedStatement, slot } from '../statement-texts.ts'
import { inTime, isNamed, isSurvivorOf } from './change-expressions.ts'
import { isNew, newFields } from './given-columns.ts'
import { mergedIdOf, type SingleWrite, valuesOf } from './statements.ts'

/** The customer as a change left it. */
export interface Look extends CustomerRow {
  changeId: string
  /** True if what the caller named is this customer's, or was before a merge. */
  isNamed: boolean
  isLate: boolean
  /**
   * For an erasure, the event of the customer's last change; else null. No change follows an erasure, so that event has the
   * receipt.
   */
  latest: StoredDocument | null
}

/**
 * Reads the customer after the change: the target of the change, or for a new customer the one that has its external
 * id. `ifUnchanged`: only if the statement before, which is the change, changed no row.
 */
export function readBackStatement(
  db: Database,
  scope: Scope,
  write: SingleWrite,
  { ifUnchanged = false } = {},
): BatchItem<'sqlite'> {
  const { command } = write
  const isErasure = command.kind === 'erase'
  const isExternal = !isNew(command) && command.target.externalId !== undefined
  const isMerged = mergedIdOf(command) !== undefined
  const build = () => sql`
    SELECT ${CUSTOMER_COLUMNS}, ${customers.changeId} AS change_id,
      ${and(
        sql`1`,
        isExternal ? isNamed(SCOPE, slot('namedExternalId')) : undefined,
        isMerged ? isSurvivorOf(SCOPE, slot('mergedId')) : undefined,
      )} AS is_named,
      NOT ${inTime(slot('deadlineMs'))} AS is_late, ${isErasure ? latestEvent(db) : sql`NULL`} AS latest
    FROM ${customers}
    WHERE ${and(
      ifUnchanged ? sql`changes() = 0` : undefined,
      inScope(customers, SCOPE),
      isNew(command)
        ? and(eq(customers.externalId, slot('externalId')), isNull(customers.archivedAtMs))
        : eq(customers.id, slot('id')),
    )}`
  const shape = ['look at', isNew(command) ? 'new' : '', isErasure, isExternal, isMerged, ifUnchanged].join()
  const values = {
    ...valuesOf(scope, write),
    externalId: isNew(command) ? newFields(command).externalId : undefined,
  }
  return shapedStatement(db, shape, () => ({ toSQL: () => db.all(build()).getQuery() }), values, lookOf)
}

function lookOf(row: RawRow): Look {
  return {
    ...customerRowOf(row),
    changeId: row.change_id as string,
    isNamed: row.is_named === 1,
    isLate: row.is_late === 1,
    latest: row.latest === null ? null : JSON.parse(row.latest as string),
  }
}

function latestEvent(db: Database): SQL {
  const isLatest = and(inScope(events, SCOPE), eq(events.id, customers.changeId))
  return sql`(${db.select({ after: events.after }).from(events).where(isLatest)})`
}
