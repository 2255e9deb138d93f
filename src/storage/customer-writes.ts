/**
 * Commits changes of customers in D1, for the gate, which is the only writer of a tenant and mode. Many changes share one
 * batch, which is one transaction; each stands for itself. The SQL is in customer-statements.ts, the rules that need other
 * rows are triggers in `migrations/`, and the events are written by them in the same transaction.
 */
import { and, eq, inArray, isNull, sql } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import { alias } from 'drizzle-orm/sqlite-core'
import type { CommitResult, PreparedWrite, WriteStore } from '../gate/gate-writer.ts'
import { type Customer, LIMITS, type Scope } from '../registry/customer.ts'
import { fail } from '../registry/failures.ts'
import type { Command } from '../registry/ports.ts'
import { describeError, log } from '../shared/log.ts'
import { readCustomer, resolveExternalId } from './customer-reads.ts'
import { customerColumns, customerOf } from './customer-row.ts'
import { changeStatement, isNew, type Look, lookStatement } from './customer-statements.ts'
import { classifyD1Error, isStatementFault } from './d1-errors.ts'
import { type Database, openDatabase } from './database.ts'
import { customers, events } from './tables.ts'

/** A write that came too late has changed nothing and may be sent again at once; a second lets the cause pass. */
const RETRY_AFTER_MS = 1_000

const EFFECTS = {
  create: 'created',
  upsert: 'created',
  update: 'updated',
  archive: 'archived',
  restore: 'restored',
} as const

/** Everything reads and writes the primary; each call has a session of its own, because a session does not outlive an error. */
export function writeStore(d1: D1Database): WriteStore {
  return {
    resolveTarget: (scope, command) => resolve(openDatabase(d1.withSession('first-primary')), scope, command),

    async commitWrites(scope, writes) {
      const session = d1.withSession('first-primary')
      const results = await commit(openDatabase(session), scope, writes)
      return { results, bookmark: await bookmarkOf(session) }
    },

    async findCommitted(scope, changeIds) {
      const session = d1.withSession('first-primary')
      const found = await findChanges(openDatabase(session), scope, changeIds)
      return { found, bookmark: await bookmarkOf(session) }
    },
  }
}

/** The id must be known before the commit. By the time of the commit it may be another's; the change then says `retarget`. */
async function resolve(db: Database, scope: Scope, command: Command): ReturnType<WriteStore['resolveTarget']> {
  if (command.kind === 'create') return { ok: true, command }
  if (command.kind === 'upsert') {
    const { externalId, changes, ifVersion } = command
    const id = await resolveExternalId(db, scope, externalId)
    if (id !== null) return { ok: true, command: { kind: 'update', target: { id, externalId }, changes, ifVersion } }
    // Who expects a version expects a customer.
    return ifVersion === null ? { ok: true, command } : fail({ reason: 'version_conflict', currentVersion: 0 })
  }
  const { externalId } = command.target
  if (externalId === undefined) return { ok: true, command }
  const id = await resolveExternalId(db, scope, externalId)
  if (id === null) return fail({ reason: 'not_found', resource: 'customer' })
  if (command.target.id !== undefined && command.target.id !== id) return fail({ reason: 'targets_disagree' })
  return { ok: true, command: { ...command, target: { id, externalId } } }
}

/** One batch for all. Should a rule refuse one of them, all are rolled back, and each is then tried by itself, in order. */
async function commit(db: Database, scope: Scope, writes: PreparedWrite[]): Promise<CommitResult[]> {
  const [write, ...others] = writes
  if (!write) return []
  try {
    return await commitBatch(db, scope, writes)
  } catch (error) {
    if (!isStatementFault(classifyD1Error(error))) throw error
    if (others.length === 0) return [await refusal(db, scope, write, error)]
  }
  const results: CommitResult[] = []
  for (const each of writes) results.push(...(await commit(db, scope, [each])))
  return results
}

async function commitBatch(db: Database, scope: Scope, writes: PreparedWrite[]): Promise<CommitResult[]> {
  const statements = writes.flatMap((write): BatchItem<'sqlite'>[] => [
    changeStatement(db, scope, write),
    lookStatement(db, scope, write),
  ])
  const answers: unknown[] = await db.batch(statements as [BatchItem<'sqlite'>, ...BatchItem<'sqlite'>[]])
  return writes.map((write, at) => {
    const changed = answers[2 * at] as { id: string }[]
    const [look] = answers[2 * at + 1] as Look[]
    return judge(write, changed.length > 0, look)
  })
}

/** What became of a change: made, or not, and then why. `look` is what its statement met, in the same transaction. */
function judge(write: PreparedWrite, changed: boolean, look: Look | undefined): CommitResult {
  const { command, changeId } = write
  const unavailable = fail({ reason: 'unavailable', retryAfterMs: RETRY_AFTER_MS })
  const retarget = { ...unavailable, retarget: true }
  if (!look) return isNew(command) ? unavailable : fail({ reason: 'not_found', resource: 'customer' })
  const customer = customerOf(look)
  // The same change, sent twice: the first was committed after all.
  if (changed || look.changeId === changeId) return { ok: true, customer, effect: EFFECTS[command.kind] }

  if (isNew(command)) {
    if (look.id === command.id) return { ok: true, customer, effect: 'created' }
    if (command.kind === 'upsert') return retarget
    if (command.ifExists === 'return') return { ok: true, customer, effect: 'unchanged' }
    return fail({ reason: 'external_id_taken', externalId: look.externalId, customerId: look.id })
  }
  const archived = customer.status === 'archived'
  if (command.kind !== 'restore' && archived) {
    // An external id is free again once its customer is archived: it may be another's, or nobody's.
    if (command.target.externalId !== undefined) return retarget
    if (command.kind === 'archive') return fail({ reason: 'not_found', resource: 'customer' })
    return fail({ reason: 'archived', customerId: look.id })
  }
  if (!look.named) return retarget
  if (command.ifVersion !== null && command.ifVersion !== look.version) {
    return fail({ reason: 'version_conflict', currentVersion: look.version })
  }
  if (command.kind === 'restore' && !archived) return { ok: true, customer, effect: 'unchanged' }
  return look.late ? unavailable : { ok: true, customer, effect: 'unchanged' }
}

/** Why the database refused a change that was alone in its batch, in the words of the registry. */
async function refusal(db: Database, scope: Scope, write: PreparedWrite, error: unknown): Promise<CommitResult> {
  const problem = classifyD1Error(error)
  const rule = problem.kind === 'refused' ? problem.rule : problem.kind
  switch (rule) {
    case 'parent_not_found':
    case 'parent_cycle':
    case 'has_children':
      return fail({ reason: rule })
    case 'customers_not_own_parent':
      return fail({ reason: 'parent_cycle' })
    case 'parent_too_deep':
      return fail({ reason: rule, levelsMax: LIMITS.parentLevelsMax })
    case 'metadata_too_many_keys':
      return fail({ reason: rule, keysMax: LIMITS.metadataKeysMax })
    case uniqueOver('integration_mappings', 'provider', 'entity_id'):
      return fail({ reason: 'integration_taken' })
    case uniqueOver('customers', 'external_id'):
      return externalIdTaken(db, scope, write.command)
    case uniqueOver('customers', 'id'):
    case uniqueOver('events', 'id'): {
      // The id was made for this one change: it was committed before, and the customer has moved on since.
      const customer = await readCustomer(db, scope, customerId(write.command))
      if (customer) return { ok: true, customer, effect: EFFECTS[write.command.kind] }
    }
  }
  const { tenantId, mode } = scope
  log('error', { event: 'write_failed', requestId: write.requestId, tenantId, mode, error: describeError(error) })
  return fail({ reason: 'internal' })
}

/** How SQLite names a unique key: all of them here begin with the scope. */
function uniqueOver(table: string, ...columns: string[]): string {
  return ['tenant_id', 'mode', ...columns].map((column) => `${table}.${column}`).join(', ')
}

/** A change of the external id, or a customer that comes back to find its own in use. */
async function externalIdTaken(db: Database, scope: Scope, command: Command): Promise<CommitResult> {
  const own = alias(customers, 'own')
  const wanted =
    command.kind === 'update' && command.changes.externalId !== undefined
      ? sql`${command.changes.externalId}`
      : sql`(${db
          .select({ externalId: own.externalId })
          .from(own)
          .where(and(eq(own.tenantId, scope.tenantId), eq(own.mode, scope.mode), eq(own.id, customerId(command))))})`
  const [holder] = await db
    .select({ customerId: customers.id, externalId: customers.externalId })
    .from(customers)
    .where(and(inScope(scope), eq(customers.externalId, wanted), isNull(customers.archivedAtMs)))
    .limit(1)
  // Gone between the refusal and this look: a repeat will find it free.
  if (!holder) return fail({ reason: 'unavailable', retryAfterMs: RETRY_AFTER_MS })
  return fail({ reason: 'external_id_taken', ...holder })
}

/** The customers, as they are now, of those changes that are in the log of events: committed together with them. */
async function findChanges(db: Database, scope: Scope, changeIds: string[]): Promise<Map<string, Customer>> {
  const wanted = sql`(SELECT value FROM json_each(${JSON.stringify(changeIds)}))`
  const isWanted = and(eq(events.tenantId, scope.tenantId), eq(events.mode, scope.mode), inArray(events.id, wanted))
  const [changes, rows] = await db.batch([
    db.select({ changeId: events.id, customerId: events.customerId }).from(events).where(isWanted),
    db
      .select(customerColumns)
      .from(customers)
      .where(
        and(
          inScope(scope),
          inArray(customers.id, db.select({ customerId: events.customerId }).from(events).where(isWanted)),
        ),
      ),
  ])
  const byId = new Map(rows.map((row) => [row.id, customerOf(row)]))
  return new Map(
    changes.flatMap((change): [string, Customer][] => {
      const customer = byId.get(change.customerId)
      return customer ? [[change.changeId, customer]] : []
    }),
  )
}

/** A session that only failed may have no bookmark yet; one read of nothing gets it. */
async function bookmarkOf(session: D1DatabaseSession): Promise<string> {
  if (session.getBookmark() === null) await session.prepare('SELECT 1').run()
  const bookmark = session.getBookmark()
  if (bookmark === null) throw new Error('D1 gave no bookmark')
  return bookmark
}

function customerId(command: Command): string {
  const id = isNew(command) ? command.id : command.target.id
  if (id === undefined) throw new Error('the target of a change was not resolved')
  return id
}

function inScope(scope: Scope) {
  return and(eq(customers.tenantId, scope.tenantId), eq(customers.mode, scope.mode))
}
