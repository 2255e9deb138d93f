/**
 * Commits changes of customers in D1, for the gate, which is the only writer of a tenant and mode. Many changes share one
 * batch, which is one transaction; each stands for itself. The SQL is in customer-statements.ts, the rules that need other
 * rows are triggers in `migrations/`, and the events are written by them in the same transaction.
 */
import { and, eq, isNull, sql } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import { alias } from 'drizzle-orm/sqlite-core'
import type { CommitResult, PreparedWrite, WriteStore } from '../gate/write-store.ts'
import type { Scope } from '../registry/customer.ts'
import { fail } from '../registry/failures.ts'
import type { Command } from '../registry/ports.ts'
import { describeError, log } from '../shared/log.ts'
import { findChanges } from './committed-changes.ts'
import { readCustomer, resolveExternalId } from './customer-reads.ts'
import { type CustomerRow, customerOf, erasureOfDocument } from './customer-row.ts'
import { changeStatement, externalIdsStatement, type Look, lookStatement } from './customer-statements.ts'
import { classifyD1Error, isStatementFault } from './d1-errors.ts'
import { bookmarkOf, type Database, openDatabase } from './database.ts'
import { noteKvKeys } from './erasures.ts'
import { isNew } from './given-columns.ts'
import {
  isKeyed,
  type Kept,
  keepStatement,
  keepUnchangedAnswers,
  keptStatement,
  replayOf,
} from './idempotency-records.ts'
import { listenedToStatement } from './outbox.ts'
import { failureOfRule, uniqueOver } from './refused-rules.ts'
import { customers } from './tables.ts'

/** A write that came too late has changed nothing and may be sent again at once; a second lets the cause pass. */
const RETRY_AFTER_MS = 1_000

const EFFECTS = {
  create: 'created',
  upsert: 'created',
  update: 'updated',
  archive: 'archived',
  restore: 'restored',
  erase: 'erased',
} as const

/** D1 failed when some of the writes may have been committed already, whatever it said of the trip that failed. */
class BrokenOff extends Error {}

/** Everything reads and writes the primary; each call has a session of its own, because a session does not outlive an error. */
export function writeStore(d1: D1Database): WriteStore {
  return {
    resolveTarget: (scope, command) => resolve(openDatabase(d1.withSession('first-primary')), scope, command),

    async commitWrites(scope, writes) {
      const session = d1.withSession('first-primary')
      const db = openDatabase(session)
      const committed = await commit(db, scope, writes)
      const results = await keepUnchangedAnswers(db, scope, writes, committed.results)
      await Promise.all(results.map((result) => noteKvKeys(db, scope, result)))
      return { results, isListenedTo: committed.isListenedTo, bookmark: await bookmarkOf(session) }
    },

    neverBegan: (error) => !(error instanceof BrokenOff) && classifyD1Error(error).kind === 'overloaded',

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

interface Committed {
  results: CommitResult[]
  /** Whether the tenant has anyone be told of changes. */
  isListenedTo: boolean
}

/** One batch for all. Should a rule refuse one of them, all are rolled back, and each is then tried by itself, in order. */
async function commit(db: Database, scope: Scope, writes: PreparedWrite[]): Promise<Committed> {
  const [write, ...others] = writes
  if (!write) return { results: [], isListenedTo: false }
  try {
    return await commitBatch(db, scope, writes)
  } catch (error) {
    if (error instanceof BrokenOff || !isStatementFault(classifyD1Error(error))) throw error
    if (others.length === 0) return { results: [await refusal(db, scope, write, error)], isListenedTo: false }
  }
  const each: Committed[] = []
  for (const one of writes) each.push(await afterBeginning(commit(db, scope, [one])))
  return { results: each.flatMap(({ results }) => results), isListenedTo: each.some((one) => one.isListenedTo) }
}

/** A trip behind one that may have committed something. */
function afterBeginning<T>(trip: Promise<T>): Promise<T> {
  return trip.catch((cause) => Promise.reject(new BrokenOff('D1 broke off in the middle', { cause })))
}

async function commitBatch(db: Database, scope: Scope, writes: PreparedWrite[]): Promise<Committed> {
  const lookLater = canLookLater(writes)
  const plans = writes.map((write) => planOf(db, scope, write, lookLater))
  const statements = [...plans.flatMap((plan) => Object.values(plan)), listenedToStatement(db, scope)]
  const answers: unknown[] = await db.batch(statements as [BatchItem<'sqlite'>, ...BatchItem<'sqlite'>[]])
  let at = 0
  const all = plans.map(
    (plan) => Object.fromEntries(Object.keys(plan).map((name) => [name, answers[at++]])) as unknown as Answers,
  )
  if (lookLater) await lookAtRefused(db, scope, writes, all)
  const results = writes.map((write, index) => {
    const own = all[index] as Answers
    const [kept] = own.kept ?? []
    // What is kept under the key with another change than this one was there before.
    if (isKeyed(write) && kept && kept.changeId !== write.changeId) return replayOf(scope, write, kept)
    return judge(write, own)
  })
  const [isListenedTo] = answers.at(-1) as boolean[]
  return { results, isListenedTo: isListenedTo === true }
}

/**
 * Of many writes at once only those that changed nothing are looked at, after the batch: half of the statements are saved.
 * Not where a later write could make the look say something else than it would have said in its place.
 */
function canLookLater(writes: PreparedWrite[]): boolean {
  const ids = new Set(writes.map(({ command }) => customerId(command)))
  return (
    writes.length > 1 &&
    ids.size === writes.length &&
    writes.every((write) => {
      const { command } = write
      if (isKeyed(write)) return false
      if (command.kind === 'update') return command.ifVersion === null && command.changes.externalId === undefined
      return command.kind === 'create'
    })
  )
}

async function lookAtRefused(db: Database, scope: Scope, writes: PreparedWrite[], all: Answers[]): Promise<void> {
  const refused = writes.flatMap((write, at) =>
    all[at]?.change.length === 0 ? [{ write, own: all[at] as Answers }] : [],
  )
  const [first, ...others] = refused.map(({ write }) => lookStatement(db, scope, write))
  if (!first) return
  const looks = await afterBeginning(db.batch([first, ...others]))
  for (const [at, { own }] of refused.entries()) own.look = looks[at] as Look[]
}

/** The statements of one write in the order in which they run, by the names of their answers. */
function planOf(
  db: Database,
  scope: Scope,
  write: PreparedWrite,
  lookLater: boolean,
): Record<string, BatchItem<'sqlite'>> {
  const { command } = write
  return {
    ...(command.kind === 'erase' && { externalIds: externalIdsStatement(db, scope, customerId(command)) }),
    change: changeStatement(db, scope, write),
    ...(isKeyed(write) && { keep: keepStatement(db, scope, write, EFFECTS[command.kind]) }),
    ...(!lookLater && { look: lookStatement(db, scope, write) }),
    ...(isKeyed(write) && { kept: keptStatement(db, scope, write) }),
  }
}

interface Answers {
  externalIds?: { externalId: string }[]
  change: CustomerRow[]
  look?: Look[]
  kept?: Kept[]
}

/** What became of a change: made, or not, and then why. `look` is what its statement met. */
function judge(write: PreparedWrite, { change, look: [look] = [], externalIds = [] }: Answers): CommitResult {
  const { command, changeId } = write
  const [changed] = change
  if (changed && !look) return { ok: true, customer: customerOf(changed), effect: EFFECTS[command.kind], changeId }
  const unavailable = fail({ reason: 'unavailable', retryAfterMs: RETRY_AFTER_MS })
  const retarget = { ...unavailable, retarget: true }
  if (!look) return isNew(command) ? unavailable : fail({ reason: 'not_found', resource: 'customer' })
  const customer = customerOf(look)
  const receipt = look.latest ? erasureOfDocument(look.latest) : undefined
  const erased = receipt && { receipt, externalIds: externalIds.map(({ externalId }) => externalId) }
  // The same change, sent twice: the first was committed after all.
  if (change.length > 0 || look.changeId === changeId) {
    return { ok: true, customer, effect: EFFECTS[command.kind], changeId: look.changeId, erased }
  }
  if (erased) return { ok: true, customer, effect: 'unchanged', changeId: look.changeId, erased }
  if (look.erasedAtMs !== null) return fail({ reason: 'not_found', resource: 'customer' })

  const unchanged = { ok: true, customer, effect: 'unchanged', changeId: look.changeId } as const
  if (isNew(command)) {
    if (look.id === command.id) return { ok: true, customer, effect: 'created', changeId: look.changeId }
    if (command.kind === 'upsert') return retarget
    if (command.ifExists === 'return') return unchanged
    return fail({ reason: 'external_id_taken', externalId: look.externalId, customerId: look.id })
  }
  const archived = customer.status === 'archived'
  if (command.kind !== 'restore' && command.kind !== 'erase' && archived) {
    // An external id is free again once its customer is archived: it may be another's, or nobody's.
    if (command.target.externalId !== undefined) return retarget
    if (command.kind === 'archive') return fail({ reason: 'not_found', resource: 'customer' })
    return fail({ reason: 'archived', customerId: look.id })
  }
  if (!look.named) return retarget
  if (command.ifVersion !== null && command.ifVersion !== look.version) {
    return fail({ reason: 'version_conflict', currentVersion: look.version })
  }
  if (command.kind === 'restore' && !archived) return unchanged
  return look.late ? unavailable : unchanged
}

/** Why the database refused a change that was alone in its batch, in the words of the registry. */
async function refusal(db: Database, scope: Scope, write: PreparedWrite, error: unknown): Promise<CommitResult> {
  const problem = classifyD1Error(error)
  const rule = problem.kind === 'refused' ? problem.rule : problem.kind
  const failure = failureOfRule(rule)
  if (failure) return fail(failure)
  switch (rule) {
    case uniqueOver('customers', 'external_id'):
      return externalIdTaken(db, scope, write.command)
    case uniqueOver('customers', 'id'):
    case uniqueOver('events', 'id'): {
      // The id was made for this one change: it was committed before, and the customer has moved on since.
      const customer = await readCustomer(db, scope, customerId(write.command))
      if (customer) return { ok: true, customer, effect: EFFECTS[write.command.kind], changeId: write.changeId }
    }
  }
  const { tenantId, mode } = scope
  log('error', { event: 'write_failed', requestId: write.requestId, tenantId, mode, error: describeError(error) })
  return fail({ reason: 'internal' })
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

function customerId(command: Command): string {
  const id = isNew(command) ? command.id : command.target.id
  if (id === undefined) throw new Error('the target of a change was not resolved')
  return id
}

function inScope(scope: Scope) {
  return and(eq(customers.tenantId, scope.tenantId), eq(customers.mode, scope.mode))
}
