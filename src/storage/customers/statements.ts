/**
 * The SQL of one change of a customer: a statement that makes the change if it is allowed. looks.ts then reads the row, to
 * return it or to determine why nothing changed. Builds statements and runs none.
 *
 * Every common refusal (taken, missing, archived, another version, nothing to change) is a condition, so that a refused
 * statement changes no row and does not fail the other writes of its batch. The triggers apply the rules that need
 * other rows. No value is read first and written back: a column that the caller did not name keeps the value of any
 * concurrent write.
 */
import { and, eq, getTableColumns, inArray, isNotNull, isNull, or, type SQL, sql } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import type { PreparedWrite, SingleCommand } from '../../gate/protocol/write-store.ts'
import { creationTimeOf, type Scope } from '../../registry/customer.ts'
import type { Command } from '../../registry/ports.ts'
import { isChange } from '../../registry/revert.ts'
import { customerColumns, customerIn } from '../customer-row.ts'
import type { Database } from '../database.ts'
import { EVENTS_OF_CUSTOMER } from '../events/of-customer.ts'
import { IS_UNUSED } from '../idempotency/records.ts'
import { meets, preconditionValues } from '../precondition.ts'
import { customers, events } from '../schema/tables.ts'
import { inScope } from '../scoped.ts'
import { SCOPE, shapedStatement, slot } from '../statement-texts.ts'
import {
  differences,
  ERASED,
  expressionOf,
  IS_FREE,
  IS_THERE,
  inTime,
  isNamed,
  isSurvivorOf,
  PARENT_THAT_IS_THERE,
} from './change-expressions.ts'
import { type CustomerColumn, type GivenColumns, givenBy, isNew, planOf } from './given-columns.ts'

/** A change of one customer alone: any but a merge and an unmerge. */
export type SingleWrite = Omit<PreparedWrite, 'command'> & { command: SingleCommand }

export function isSingle(write: PreparedWrite): write is SingleWrite {
  return write.command.kind !== 'merge' && write.command.kind !== 'unmerge'
}

/** Builds the statement of the change. It returns the customer if the change was made, else no row. */
export function changeStatement(db: Database, scope: Scope, write: SingleWrite): BatchItem<'sqlite'> {
  const { command } = write
  const given = givenBy(command)
  const values = { ...valuesOf(scope, write), ...mapValues(given, ({ value }) => value) }
  const build = () => (isNew(command) ? insertStatement(db, write, given) : updateStatement(db, write, command, given))
  return shapedStatement(db, shapeOf(write, given), build, values, customerIn)
}

/** Selects every external id that the customer ever had, or one that was merged into it. Goes before the erasure, in the same batch. */
export function externalIdsStatement(db: Database, scope: Scope, customerId: string) {
  const remains = sql`(SELECT id FROM customer_remains r
    WHERE r.tenant_id = ${scope.tenantId} AND r.mode = ${scope.mode} AND r.owner_id = ${customerId})`
  return db
    .selectDistinct({ externalId: sql<string>`${events.after} ->> '$.external_id'`.as('external_id') })
    .from(EVENTS_OF_CUSTOMER)
    .where(and(inScope(events, scope), inArray(events.customerId, remains)))
}

/** Empties the rows of the customers that were merged into one, after its erasure. Returns their ids. */
export function eraseMergedStatement(db: Database, scope: Scope, write: SingleWrite): BatchItem<'sqlite'> {
  const build = () =>
    db
      .update(customers)
      .set({ ...ERASED, changeReason: sql`NULL` })
      .where(
        and(
          inScope(customers, SCOPE),
          sql`${customers.id} IN (
            SELECT remains.id FROM customers remains INDEXED BY customers_merged WHERE remains.tenant_id = ${SCOPE.tenantId}
              AND remains.mode = ${SCOPE.mode} AND remains.merged_into = ${slot('id')}
          )`,
          isNull(customers.erasedAtMs),
          sql`EXISTS (
            SELECT 1 FROM customers survivor WHERE survivor.tenant_id = ${SCOPE.tenantId}
              AND survivor.mode = ${SCOPE.mode} AND survivor.id = ${slot('id')} AND survivor.erased_at IS NOT NULL
          )`,
        ),
      )
      .returning({ id: customers.id })
  return shapedStatement(db, 'erase merged', build, valuesOf(scope, write), ({ id }) => String(id))
}

type Targeted = Extract<Command, { kind: 'update' | 'archive' | 'restore' | 'erase' | 'revert' }>

/** Returns all that the text of a change statement depends on. */
function shapeOf({ command, idempotency }: SingleWrite, given: GivenColumns): string {
  const named = !isNew(command) && command.target.externalId !== undefined && 'named'
  const merged = mergedIdOf(command) !== undefined && 'by merged id'
  const versioned = 'ifVersion' in command && command.ifVersion !== null && 'versioned'
  const condition = 'condition' in command && command.condition
  const conditional = condition && `if ${Object.keys(condition).toSorted().join(' ')} ${condition.exists}`
  const reverted = command.kind === 'revert' && (isMade(command) ? `archived ${planOf(command)?.archived}` : 'nothing')
  const columns = Object.entries(given).map(([column, { as }]) => `${column} ${as}`)
  return [command.kind, idempotency && 'keyed', named, merged, conditional || versioned, reverted, ...columns]
    .filter(Boolean)
    .join(', ')
}

/** Returns the values of a change by their slots, without those that the caller sent for the columns. */
export function valuesOf(scope: Scope, write: SingleWrite): Record<string, unknown> {
  const { command, nowMs, deadlineMs, idempotency } = write
  const stamps = { nowMs, deadlineMs, idempotencyKey: idempotency?.key, ...changeOf(write) }
  if (isNew(command)) {
    // An isolate that runs older code sends no `onboarding`.
    const { id, onboarding = null } = command
    return { ...scope, ...stamps, id, createdAtMs: creationTimeOf(id), onboarding }
  }
  const { target, ifVersion, condition } = command
  const conditions = condition ? preconditionValues(condition) : { ifVersion }
  const onVersion = command.kind === 'revert' ? planOf(command)?.onVersion : undefined
  const named = { namedExternalId: target.externalId, mergedId: mergedIdOf(command) }
  return { ...scope, ...stamps, id: targetId(command), ...named, onVersion, ...conditions }
}

function insertStatement(db: Database, write: SingleWrite, given: GivenColumns) {
  const made: Partial<Record<CustomerColumn, SQL>> = {
    ...SCOPE,
    id: slot('id'),
    ...mapValues(given, (how, column) => expressionOf(column, how, sql`'{}'`)),
    version: sql`1`,
    createdAtMs: slot('createdAtMs'),
    updatedAtMs: slot('createdAtMs'),
    createdBy: slot('updatedBy'),
    changeOnboarding: slot('onboarding'),
    ...CHANGE_SLOTS,
  }
  // Drizzle names every column of the table, in the table's order.
  const values = Object.keys(getTableColumns(customers)).map((column) => made[column as CustomerColumn] ?? sql`NULL`)
  // This condition is evaluated before the triggers' rules about the parent, so that a caller that accepts an existing
  // customer gets it even if these rules would refuse a new one.
  const condition = and(inTime(slot('deadlineMs')), write.idempotency ? IS_UNUSED : undefined, IS_FREE)
  return db
    .insert(customers)
    .select(sql`SELECT ${sql.join(values, sql`, `)} WHERE ${condition}`)
    .returning(customerColumns)
}

function updateStatement(db: Database, write: SingleWrite, command: Targeted, given: GivenColumns) {
  const { set, condition } = stateChange(command, given)
  return db
    .update(customers)
    .set({
      ...set,
      version: sql`${customers.version} + 1`,
      // The clocks of two machines differ, but a caller must never see this time of a customer go back.
      updatedAtMs: sql`max(${customers.updatedAtMs}, ${slot('nowMs')})`,
      ...CHANGE_SLOTS,
    })
    .where(
      and(
        inScope(customers, SCOPE),
        eq(customers.id, slot('id')),
        command.target.externalId === undefined ? undefined : isNamed(SCOPE, slot('namedExternalId')),
        mergedIdOf(command) === undefined ? undefined : isSurvivorOf(SCOPE, slot('mergedId')),
        conditionOf(command),
        inTime(slot('deadlineMs')),
        write.idempotency ? IS_UNUSED : undefined,
        condition,
      ),
    )
    .returning(customerColumns)
}

function conditionOf({ ifVersion, condition }: Targeted): SQL | undefined {
  if (condition) return meets(customers, condition, CONDITION_SLOTS)
  return ifVersion === null ? undefined : eq(customers.version, slot('ifVersion'))
}

const CONDITION_SLOTS = {
  versions: slot('versions'),
  notVersions: slot('notVersions'),
  unmodifiedSinceMs: slot('unmodifiedSinceMs'),
}

/** Returns the columns that the change sets besides the stamps, and the condition under which it may be made. */
function stateChange(command: Targeted, given: GivenColumns) {
  const set = mapValues(given, (how, column) => expressionOf(column, how, sql`${customers[column]}`))
  switch (command.kind) {
    case 'archive':
      return { set: { archivedAtMs: slot('nowMs') }, condition: isNull(customers.archivedAtMs) }
    case 'restore':
      return {
        set: { parentId: PARENT_THAT_IS_THERE, ...set, archivedAtMs: sql`NULL` },
        condition: and(IS_THERE, or(isNotNull(customers.archivedAtMs), ...differences(set))),
      }
    case 'erase':
      return { set: ERASED, condition: IS_THERE }
    case 'update':
      return { set, condition: and(isNull(customers.archivedAtMs), or(...differences(set)) ?? sql`0`) }
    case 'revert': {
      const archived = planOf(command)?.archived
      const archivedAtMs = archived === undefined ? undefined : archived ? slot('nowMs') : sql`NULL`
      // The plan knows what differs, because it is for this version alone.
      const condition = and(IS_THERE, eq(customers.version, slot('onVersion')))
      return {
        set: { ...set, ...(archivedAtMs && { archivedAtMs }) },
        condition: isMade(command) ? condition : sql`0`,
      }
    }
  }
}

/** Returns whether a revert is to change anything. */
function isMade(command: Extract<Command, { kind: 'revert' }>): boolean {
  const plan = planOf(command)
  return plan !== null && isChange(plan) && (command.partial || plan.conflicts.length === 0)
}

const CHANGE_SLOTS = {
  updatedBy: slot('updatedBy'),
  changeId: slot('changeId'),
  changeRequestId: slot('changeRequestId'),
  changeReason: slot('changeReason'),
}

function changeOf({ actor, changeId, requestId, reason }: SingleWrite) {
  return { updatedBy: actor, changeId, changeRequestId: requestId, changeReason: reason }
}

/** Returns the id of the target, which the gate looked up before the commit. */
function targetId({ target }: Targeted): string {
  if (target.id === undefined) throw new Error('the target of a change was not resolved')
  return target.id
}

/** Returns the id that an update was sent to, if its customer was merged into the target. */
export function mergedIdOf(command: SingleCommand): string | undefined {
  return command.kind === 'update' ? command.mergedId : undefined
}

function mapValues<Value, Mapped>(
  columns: Partial<Record<CustomerColumn, Value>>,
  map: (value: Value, column: CustomerColumn) => Mapped,
): Partial<Record<CustomerColumn, Mapped>> {
  const entries = Object.entries(columns) as [CustomerColumn, Value][]
  return Object.fromEntries(entries.map(([column, value]) => [column, map(value, column)])) as Partial<
    Record<CustomerColumn, Mapped>
  >
}
