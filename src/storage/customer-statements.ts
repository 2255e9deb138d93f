/**
 * The SQL of one change of a customer: a statement that makes the change if it may be made, and one that then looks at the
 * row, to answer with it or to say why nothing changed. Builds, runs nothing.
 *
 * Every refusal that is common (taken, missing, archived, another version, nothing to change) is a condition, so that the
 * statement changes no row and harms no other write of its batch. What needs other rows the triggers refuse. Nothing is read
 * first and written back: a column that the caller did not name is not touched, whoever else writes.
 */
import { and, eq, getTableColumns, isNotNull, isNull, or, type SQL, sql } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import type { PreparedWrite } from '../gate/write-store.ts'
import { creationTimeOf, type Scope } from '../registry/customer.ts'
import type { Command } from '../registry/ports.ts'
import { customerColumns, customerRowOf } from './customer-row.ts'
import type { Database } from './database.ts'
import { type CustomerColumn, type Given, type GivenColumns, givenBy, isNew, newFields } from './given-columns.ts'
import { IS_UNUSED } from './idempotency-records.ts'
import { shapedStatement, slot } from './statement-texts.ts'
import { type CustomerDocument, customerAliases, customers, events } from './tables.ts'

/** Answers the customer if the change was made, no row if not. */
export function changeStatement(db: Database, scope: Scope, write: PreparedWrite): BatchItem<'sqlite'> {
  const { command } = write
  const given = givenBy(command)
  const values = { ...valuesOf(scope, write), ...mapValues(given, ({ value }) => value) }
  const build = () => (isNew(command) ? insertStatement(db, write, given) : updateStatement(db, write, command, given))
  return shapedStatement(db, shapeOf(write, given), build, values, customerRowOf)
}

/** What the change met or made: the customer it is about, or the one that has the external id. */
export function lookStatement(db: Database, scope: Scope, { command, deadlineMs }: PreparedWrite) {
  const externalId = isNew(command) ? newFields(command).externalId : command.target.externalId
  const which = isNew(command)
    ? and(eq(customers.externalId, newFields(command).externalId), isNull(customers.archivedAtMs))
    : eq(customers.id, targetId(command))
  return db
    .select({
      ...customerColumns,
      changeId: customers.changeId,
      /** Whether the external id that the caller named is this customer's. */
      named: (externalId === undefined ? sql<number>`1` : sql<number>`${isNamed(scope, externalId)}`).as('named'),
      late: sql<number>`NOT ${inTime(deadlineMs)}`.as('late'),
      /** The event of the change that made this version, where it is asked for: nothing follows an erasure, so it has the receipt. */
      latest: (command.kind === 'erase' ? latestEvent(db, scope) : sql<null>`NULL`).mapWith(documentOf).as('latest'),
    })
    .from(customers)
    .where(and(inScope(scope), which))
    .limit(1)
}

/** Every external id the customer ever had; to be asked before it is erased, in the same batch. */
export function externalIdsStatement(db: Database, scope: Scope, customerId: string) {
  return db
    .selectDistinct({ externalId: sql<string>`${events.after} ->> '$.external_id'`.as('external_id') })
    .from(events)
    .where(and(eq(events.tenantId, scope.tenantId), eq(events.mode, scope.mode), eq(events.customerId, customerId)))
}

function latestEvent(db: Database, scope: Scope): SQL {
  const isLatest = and(
    eq(events.tenantId, scope.tenantId),
    eq(events.mode, scope.mode),
    eq(events.id, customers.changeId),
  )
  return sql`(${db.select({ after: events.after }).from(events).where(isLatest)})`
}

function documentOf(text: string | null): CustomerDocument | null {
  return text === null ? null : JSON.parse(text)
}

export type Look = Awaited<ReturnType<typeof lookStatement>>[number]

type Targeted = Extract<Command, { kind: 'update' | 'archive' | 'restore' | 'erase' }>

const SCOPE = { tenantId: slot('tenantId'), mode: slot('mode') }

/** Everything that decides the text of a change. */
function shapeOf({ command, idempotency }: PreparedWrite, given: GivenColumns): string {
  const named = !isNew(command) && command.target.externalId !== undefined && 'named'
  const versioned = command.kind !== 'create' && command.ifVersion !== null && 'versioned'
  const columns = Object.entries(given).map(([column, { as }]) => `${column} ${as}`)
  return [command.kind, idempotency && 'keyed', named, versioned, ...columns].filter(Boolean).join(', ')
}

/** The values of a change by their slots, besides what the caller sent for the columns. */
function valuesOf(scope: Scope, write: PreparedWrite): Record<string, unknown> {
  const { command, nowMs, deadlineMs, idempotency } = write
  const stamps = { nowMs, deadlineMs, idempotencyKey: idempotency?.key, ...changeOf(write) }
  if (isNew(command)) {
    // Absent from an isolate that runs older code.
    const { id, onboarding = null } = command
    return { ...scope, ...stamps, id, createdAtMs: creationTimeOf(id), onboarding }
  }
  const { target, ifVersion } = command
  return { ...scope, ...stamps, id: targetId(command), namedExternalId: target.externalId, ifVersion }
}

function insertStatement(db: Database, write: PreparedWrite, given: GivenColumns) {
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
  // Asked before the rules about its parent are: who wants the customer that is there gets it, whatever they say.
  const condition = and(inTime(slot('deadlineMs')), write.idempotency ? IS_UNUSED : undefined, IS_FREE)
  return db
    .insert(customers)
    .select(sql`SELECT ${sql.join(values, sql`, `)} WHERE ${condition}`)
    .returning(customerColumns)
}

function updateStatement(db: Database, write: PreparedWrite, command: Targeted, given: GivenColumns) {
  const { set, condition } = stateChange(command, given)
  return db
    .update(customers)
    .set({
      ...set,
      version: sql`${customers.version} + 1`,
      // The clocks of two machines differ; what a caller sees of a customer never goes back in time.
      updatedAtMs: sql`max(${customers.updatedAtMs}, ${slot('nowMs')})`,
      ...CHANGE_SLOTS,
    })
    .where(
      and(
        eq(customers.tenantId, SCOPE.tenantId),
        eq(customers.mode, SCOPE.mode),
        eq(customers.id, slot('id')),
        command.target.externalId === undefined ? undefined : isNamed(SCOPE, slot('namedExternalId')),
        command.ifVersion === null ? undefined : eq(customers.version, slot('ifVersion')),
        inTime(slot('deadlineMs')),
        write.idempotency ? IS_UNUSED : undefined,
        condition,
      ),
    )
    .returning(customerColumns)
}

/** What the change sets besides the stamps, and in which state it may be made. */
function stateChange({ kind }: Targeted, given: GivenColumns) {
  const set = mapValues(given, (how, column) => expressionOf(column, how, sql`${customers[column]}`))
  switch (kind) {
    case 'archive':
      return { set: { archivedAtMs: slot('nowMs') }, condition: isNull(customers.archivedAtMs) }
    case 'restore':
      return {
        set: { archivedAtMs: sql`NULL` },
        condition: and(isNotNull(customers.archivedAtMs), isNull(customers.erasedAtMs)),
      }
    case 'erase':
      return { set: { ...set, ...ERASED }, condition: isNull(customers.erasedAtMs) }
    case 'update':
      return { set, condition: and(isNull(customers.archivedAtMs), or(...differences(set)) ?? sql`0`) }
  }
}

/** What stays of an erased one besides: the id, also in the place of the external id. What follows from it a trigger does. */
const ERASED = {
  externalId: sql`${customers.id}`,
  parentId: sql`NULL`,
  metadata: sql`'{}'`,
  integrations: sql`'[]'`,
  profile: sql`'{}'`,
  archivedAtMs: sql`coalesce(${customers.archivedAtMs}, ${slot('nowMs')})`,
  erasedAtMs: slot('nowMs'),
} satisfies Partial<Record<CustomerColumn, SQL>>

/** `before`: what is there, for a value that is merged into it. */
function expressionOf(column: CustomerColumn, { as }: Given, before: SQL): SQL {
  switch (as) {
    case 'is':
      return slot(column)
    case 'merged':
      return sql`json_patch(${before}, ${slot(column)})`
    case 'holder':
      // The customer that has it now; a former one would tie the child to whoever it happens to find. None gives an id that
      // nobody has, so that the trigger refuses instead of the parent being cleared.
      return sql`coalesce((
        SELECT parent.id FROM customers parent
        WHERE parent.tenant_id = ${SCOPE.tenantId} AND parent.mode = ${SCOPE.mode}
          AND parent.external_id = ${slot(column)} AND parent.archived_at IS NULL
      ), '')`
  }
}

/** For each column, whether what it is to be set to is another value than the row has. */
function differences(set: Partial<Record<CustomerColumn, SQL>>): SQL[] {
  return Object.entries(set).map(([name, value]) => {
    const column = customers[name as CustomerColumn]
    return name === 'metadata' ? sql`${inKeyOrder(column)} IS NOT ${inKeyOrder(value)}` : sql`${column} IS NOT ${value}`
  })
}

/** Metadata as text in which the order of the keys has no part: a customer is not changed by sending them in another. */
function inKeyOrder(object: unknown): SQL {
  return sql`(SELECT json_group_array(json_array(key, value) ORDER BY key) FROM json_each(${object}))`
}

const CHANGE_SLOTS = {
  updatedBy: slot('updatedBy'),
  changeId: slot('changeId'),
  changeRequestId: slot('changeRequestId'),
  changeReason: slot('changeReason'),
}

function changeOf({ actor, changeId, requestId, reason }: PreparedWrite) {
  return { updatedBy: actor, changeId, changeRequestId: requestId, changeReason: reason }
}

/** The gate looked the id up before it committed. */
function targetId({ target }: Targeted): string {
  if (target.id === undefined) throw new Error('the target of a change was not resolved')
  return target.id
}

/** No customer has the external id of the new one. */
const IS_FREE = sql`NOT EXISTS (
  SELECT 1 FROM customers holder WHERE holder.tenant_id = ${SCOPE.tenantId} AND holder.mode = ${SCOPE.mode}
    AND holder.external_id = ${slot('externalId')} AND holder.archived_at IS NULL
)`

function isNamed({ tenantId, mode }: Record<keyof Scope, SQL | string>, externalId: SQL | string): SQL {
  return sql`(${customers.externalId} = ${externalId} OR EXISTS (
    SELECT 1 FROM ${customerAliases} WHERE ${customerAliases.tenantId} = ${tenantId}
      AND ${customerAliases.mode} = ${mode} AND ${customerAliases.externalId} = ${externalId}
      AND ${customerAliases.customerId} = ${customers.id}
  ))`
}

/** Judged by the database itself: a statement that arrives late, with its sender long gone, changes nothing. */
function inTime(deadlineMs: SQL | number): SQL {
  return sql`(unixepoch('subsec') * 1000 < ${deadlineMs})`
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

function inScope(scope: Scope): SQL | undefined {
  return and(eq(customers.tenantId, scope.tenantId), eq(customers.mode, scope.mode))
}
