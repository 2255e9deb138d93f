/**
 * The SQL of one change of a customer: a statement that makes the change if it may be made, and one that then looks at the
 * row, to answer with it or to say why nothing changed. Builds, runs nothing.
 *
 * Every refusal that is common (taken, missing, archived, another version, nothing to change) is a condition, so that the
 * statement changes no row and harms no other write of its batch. What needs other rows the triggers refuse. Nothing is read
 * first and written back: a column that the caller did not name is not touched, whoever else writes.
 */
import { and, eq, getTableColumns, isNotNull, isNull, or, type SQL, sql } from 'drizzle-orm'
import type { PreparedWrite } from '../gate/gate-writer.ts'
import {
  type CustomerChanges,
  creationTimeOf,
  DEFAULT_TIMEZONE,
  OPTIONAL_TEXT_FIELDS,
  type ParentReference,
  type Scope,
} from '../registry/customer.ts'
import type { Command } from '../registry/ports.ts'
import { customerColumns } from './customer-row.ts'
import type { Database } from './database.ts'
import { isUnused } from './idempotency-records.ts'
import { type CustomerDocument, customerAliases, customers, events } from './tables.ts'

type New = Extract<Command, { kind: 'create' | 'upsert' }>
type Targeted = Extract<Command, { kind: 'update' | 'archive' | 'restore' | 'erase' }>
type CustomerColumn = keyof typeof customers.$inferInsert

/** An upsert that gets here names no customer yet: it creates, or finds that another was quicker. */
export function isNew(command: Command): command is New {
  return command.kind === 'create' || command.kind === 'upsert'
}

/** Answers the customer if the change was made, no row if not. */
export function changeStatement(db: Database, scope: Scope, write: PreparedWrite) {
  const { command } = write
  return isNew(command) ? insertStatement(db, scope, write, command) : updateStatement(db, scope, write, command)
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

function insertStatement(db: Database, scope: Scope, write: PreparedWrite, command: New) {
  const fields = newFields(command)
  const given: Partial<Record<CustomerColumn, unknown>> = {
    tenantId: scope.tenantId,
    mode: scope.mode,
    id: command.id,
    ...assignments(scope, fields),
    timezone: fields.timezone ?? DEFAULT_TIMEZONE,
    metadata: newMetadata(fields.metadata),
    integrations: canonicalJson(fields.integrations ?? []),
    profile: sql`json_patch('{}', ${JSON.stringify(fields.profile ?? {})})`,
    status: fields.status ?? 'published',
    version: 1,
    createdAtMs: creationTimeOf(command.id),
    updatedAtMs: creationTimeOf(command.id),
    createdBy: write.actor,
    ...changeOf(write),
  }
  // Drizzle names every column of the table, in the table's order.
  const values = Object.keys(getTableColumns(customers)).map(
    (column) => sql`${given[column as CustomerColumn] ?? null}`,
  )
  return (
    db
      .insert(customers)
      .select(sql`SELECT ${sql.join(values, sql`, `)} WHERE ${and(inTime(write.deadlineMs), isUnused(scope, write))}`)
      // DO NOTHING, in words that Drizzle can say: its onConflictDoNothing() writes the condition of the index in the wrong place.
      .onConflictDoUpdate({
        target: [customers.tenantId, customers.mode, customers.externalId],
        targetWhere: sql`archived_at IS NULL`,
        set: { changeId: write.changeId },
        setWhere: sql`0`,
      })
      .returning(customerColumns)
  )
}

function updateStatement(db: Database, scope: Scope, write: PreparedWrite, command: Targeted) {
  const { externalId } = command.target
  const { set, condition } = stateChange(scope, write, command)
  return db
    .update(customers)
    .set({
      ...(set as Record<string, SQL>),
      version: sql`${customers.version} + 1`,
      // The clocks of two machines differ; what a caller sees of a customer never goes back in time.
      updatedAtMs: sql`max(${customers.updatedAtMs}, ${write.nowMs})`,
      ...changeOf(write),
    })
    .where(
      and(
        inScope(scope),
        eq(customers.id, targetId(command)),
        externalId === undefined ? undefined : isNamed(scope, externalId),
        command.ifVersion === null ? undefined : eq(customers.version, command.ifVersion),
        inTime(write.deadlineMs),
        isUnused(scope, write),
        condition,
      ),
    )
    .returning(customerColumns)
}

/** What the change sets besides the stamps, and in which state it may be made. */
function stateChange(scope: Scope, write: PreparedWrite, command: Targeted) {
  switch (command.kind) {
    case 'archive':
      return { set: { archivedAtMs: write.nowMs }, condition: isNull(customers.archivedAtMs) }
    case 'restore':
      return {
        set: { archivedAtMs: null },
        condition: and(isNotNull(customers.archivedAtMs), isNull(customers.erasedAtMs)),
      }
    case 'erase':
      return { set: erased(write), condition: isNull(customers.erasedAtMs) }
    case 'update': {
      const { changes } = command
      const condition = and(isNull(customers.archivedAtMs), or(...differences(scope, changes)) ?? sql`0`)
      return { set: assignments(scope, changes), condition }
    }
  }
}

/** What stays: the id, also in the place of the external id, and the stamps. What follows from it a trigger does. */
function erased({ nowMs }: PreparedWrite): Partial<Record<CustomerColumn, unknown>> {
  return {
    ...Object.fromEntries(OPTIONAL_TEXT_FIELDS.map((field) => [field, null])),
    externalId: sql`${customers.id}`,
    timezone: DEFAULT_TIMEZONE,
    parentId: null,
    metadata: sql`'{}'`,
    integrations: sql`'[]'`,
    profile: sql`'{}'`,
    archivedAtMs: sql`coalesce(${customers.archivedAtMs}, ${nowMs})`,
    erasedAtMs: nowMs,
  }
}

/** The new value of each column that the caller named. */
function assignments(scope: Scope, changes: CustomerChanges): Partial<Record<CustomerColumn, unknown>> {
  const { externalId, timezone, parent, metadata, integrations, profile, status } = changes
  const set: Partial<Record<CustomerColumn, unknown>> = {}
  for (const field of OPTIONAL_TEXT_FIELDS) if (changes[field] !== undefined) set[field] = changes[field]
  if (externalId !== undefined) set.externalId = externalId
  if (timezone !== undefined) set.timezone = timezone ?? DEFAULT_TIMEZONE
  if (parent !== undefined) set.parentId = parentId(scope, parent)
  if (metadata !== undefined) set.metadata = changedMetadata(metadata)
  if (integrations !== undefined) set.integrations = sql`${canonicalJson(integrations)}`
  if (profile !== undefined) set.profile = sql`json_patch(${customers.profile}, ${JSON.stringify(profile)})`
  if (status !== undefined) set.status = status
  return set
}

/** For each of them, whether it is another value than the row has. */
function differences(scope: Scope, changes: CustomerChanges): SQL[] {
  return Object.entries(assignments(scope, changes)).map(([name, value]) => {
    const column = customers[name as CustomerColumn]
    return name === 'metadata' ? sql`${inKeyOrder(column)} IS NOT ${inKeyOrder(value)}` : sql`${column} IS NOT ${value}`
  })
}

/** Metadata as text in which the order of the keys has no part: a customer is not changed by sending them in another. */
function inKeyOrder(object: unknown): SQL {
  return sql`(SELECT json_group_array(json_array(key, value) ORDER BY key) FROM json_each(${object}))`
}

function changedMetadata(metadata: NonNullable<CustomerChanges['metadata']>): SQL {
  return 'replace' in metadata
    ? sql`${JSON.stringify(metadata.replace)}`
    : sql`json_patch(${customers.metadata}, ${JSON.stringify(metadata.merge)})`
}

function newMetadata(metadata: CustomerChanges['metadata']): SQL {
  if (!metadata) return sql`'{}'`
  return 'replace' in metadata
    ? sql`${JSON.stringify(metadata.replace)}`
    : sql`json_patch('{}', ${JSON.stringify(metadata.merge)})`
}

/**
 * By external id: the customer that has it now; a former one would tie the child to whoever it happens to find.
 * None gives an id that nobody has, so that the trigger refuses instead of the parent being cleared.
 */
function parentId(scope: Scope, parent: ParentReference | null): SQL {
  if (parent === null) return sql`NULL`
  if ('id' in parent) return sql`${parent.id}`
  return sql`coalesce((
    SELECT parent.id FROM customers parent
    WHERE parent.tenant_id = ${scope.tenantId} AND parent.mode = ${scope.mode}
      AND parent.external_id = ${parent.externalId} AND parent.archived_at IS NULL
  ), '')`
}

/** Integrations as text that is the same for the same list, whatever the order of the keys in its entries. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  )
}

function changeOf({ actor, changeId, requestId, reason }: PreparedWrite) {
  return { updatedBy: actor, changeId, changeRequestId: requestId, changeReason: reason }
}

function newFields(command: New): CustomerChanges & { externalId: string } {
  return command.kind === 'create' ? command.fields : { ...command.changes, externalId: command.externalId }
}

/** The gate looked the id up before it committed. */
function targetId({ target }: Targeted): string {
  if (target.id === undefined) throw new Error('the target of a change was not resolved')
  return target.id
}

function isNamed(scope: Scope, externalId: string): SQL {
  return sql`(${customers.externalId} = ${externalId} OR EXISTS (
    SELECT 1 FROM ${customerAliases} WHERE ${customerAliases.tenantId} = ${scope.tenantId}
      AND ${customerAliases.mode} = ${scope.mode} AND ${customerAliases.externalId} = ${externalId}
      AND ${customerAliases.customerId} = ${customers.id}
  ))`
}

/** Judged by the database itself: a statement that arrives late, with its sender long gone, changes nothing. */
function inTime(deadlineMs: number): SQL {
  return sql`(unixepoch('subsec') * 1000 < ${deadlineMs})`
}

function inScope(scope: Scope): SQL | undefined {
  return and(eq(customers.tenantId, scope.tenantId), eq(customers.mode, scope.mode))
}
