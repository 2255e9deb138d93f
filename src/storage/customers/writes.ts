/**
 * Commits changes of customers in D1, for the gate, which is the only writer of a tenant and mode. Many changes share
 * one batch, which is one transaction; none depends on the success of another. The SQL is in statements.ts. Triggers in
 * `migrations/` apply the rules that need other rows, and write the events in the same transaction.
 */
import type { BatchItem } from 'drizzle-orm/batch'
import type { CommitResult, PreparedWrite, TripFacts, WriteStore } from '../../gate/protocol/write-store.ts'
import type { Customer, Scope } from '../../registry/customer.ts'
import { fail, UNAVAILABLE, versionConflict } from '../../registry/errors.ts'
import { preconditionOf, unmetBy } from '../../registry/precondition.ts'
import { type CustomerRow, customerOf, erasureOfDocument } from '../customer-row.ts'
import { classifyD1Error, isStatementFault } from '../d1-errors.ts'
import { bookmarkOf, type Database, openDatabase } from '../database.ts'
import { type DocumentColumns, documentAfter } from '../event-documents.ts'
import { type AlongWithChange, alongWithChangeStatement } from '../events/pending-messages.ts'
import {
  isKeyed,
  replayOf,
  type StoredResult,
  storedResultStatement,
  storeResultStatement,
  storeUnchangedResults,
} from '../idempotency/records.ts'
import { rowsStatement } from '../statement-texts.ts'
import { customerIdOf, EFFECTS } from './commands.ts'
import { findChanges } from './committed-changes.ts'
import { noteKvKeys } from './erasures.ts'
import { isNew, planOf as revertPlanOf } from './given-columns.ts'
import { type Look, readBackStatement } from './looks.ts'
import { judgeMerging, type MergingResults, mergingStatements, tryOut } from './merging.ts'
import { recordOperator } from './operator-changes.ts'
import { resultOfRefusal } from './refused-writes.ts'
import { resolveTarget } from './resolve-target.ts'
import {
  changeStatement,
  eraseMergedStatement,
  externalIdsStatement,
  isSingle,
  type SingleWrite,
} from './statements.ts'

/**
 * D1 failed after an earlier trip may have committed some of the writes, whatever the error of the failed trip means.
 */
class BrokenOff extends Error {}

/**
 * Reads and writes the primary. Each call has a session of its own, because a session cannot be used after an error.
 */
export function writeStore(d1: D1Database, archive?: R2Bucket): WriteStore {
  return {
    resolveTarget: (scope, command) =>
      resolveTarget(openDatabase(d1.withSession('first-primary')), scope, command, archive),

    async commitWrites(scope, writes) {
      const session = d1.withSession('first-primary')
      const db = openDatabase(session)
      const facts: TripFacts = { hasSubscribers: false, d1Ms: null }
      const committed = await commit(db, scope, writes, facts)
      const results = await storeUnchangedResults(db, scope, writes, committed)
      await Promise.all(results.map((result) => noteKvKeys(db, scope, result)))
      return { ...facts, results, bookmark: await bookmarkOf(session) }
    },

    tryOut: (scope, write) => tryOut(openDatabase(d1.withSession('first-primary')), scope, write),

    isFull: (error) => !(error instanceof BrokenOff) && classifyD1Error(error).kind === 'full',

    neverBegan: (error) => !(error instanceof BrokenOff) && classifyD1Error(error).kind === 'overloaded',

    isMoving: (error) => !(error instanceof BrokenOff) && classifyD1Error(error).kind === 'moving',

    async findCommitted(scope, changeIds) {
      const session = d1.withSession('first-primary')
      const looked = await findChanges(openDatabase(session), scope, changeIds)
      return { ...looked, bookmark: await bookmarkOf(session) }
    },
  }
}

/**
 * Commits all writes in one batch. When a rule refuses one of them, D1 rolls all back, and each is then tried by
 * itself, in order. Stores the facts of the trips in `facts`.
 */
async function commit(db: Database, scope: Scope, writes: PreparedWrite[], facts: TripFacts): Promise<CommitResult[]> {
  const [write, ...others] = writes
  if (!write) return []
  try {
    return await commitBatch(db, scope, writes, facts)
  } catch (error) {
    if (error instanceof BrokenOff || !isStatementFault(classifyD1Error(error))) throw error
    if (others.length === 0) return [await resultOfRefusal(db, scope, write, error)]
  }
  const each: CommitResult[] = []
  for (const one of writes) each.push(...(await afterBeginning(commit(db, scope, [one], facts).catch(refusedAsFull))))
  return each
}

/**
 * Returns the failure of a write that found the database full, and throws any other error. The write was not committed,
 * though writes before it may have been.
 */
function refusedAsFull(error: unknown): CommitResult[] {
  if (classifyD1Error(error).kind !== 'full') throw error
  return [fail({ reason: 'insufficient_storage' })]
}

/** Rejects with `BrokenOff` when the trip fails, because an earlier trip may have committed some of the writes. */
function afterBeginning<T>(trip: Promise<T>): Promise<T> {
  return trip.catch((cause) => Promise.reject(new BrokenOff('D1 broke off in the middle', { cause })))
}

async function commitBatch(
  db: Database,
  scope: Scope,
  writes: PreparedWrite[],
  facts: TripFacts,
): Promise<CommitResult[]> {
  const lookLater = canLookLater(writes)
  const plans = writes.map((write) => planOf(db, scope, write, lookLater ? 'later' : looksOf(write, writes)))
  const statements = [...plans.flatMap((plan) => Object.values(plan)), alongWithChangeStatement(db, scope)]
  const results: unknown[] = await db.batch(statements as [BatchItem<'sqlite'>, ...BatchItem<'sqlite'>[]])
  let at = 0
  const all = plans.map(
    (plan) => Object.fromEntries(Object.keys(plan).map((name) => [name, results[at++]])) as unknown as OwnResults,
  )
  if (lookLater) await readBackRefused(db, scope, writes, all)
  const [{ hasSubscribers, d1Ms }] = results.at(-1) as [AlongWithChange]
  facts.hasSubscribers ||= hasSubscribers
  facts.d1Ms = d1Ms
  return writes.map((write, index) => {
    const own = all[index] as OwnResults
    const [kept] = own.kept ?? []
    // A record with the id of another change was stored before this batch.
    if (isKeyed(write) && kept && kept.changeId !== write.changeId) return replayOf(scope, write, kept)
    return isSingle(write) ? judge(write, own, d1Ms) : judgeMerging(write, own, d1Ms)
  })
}

/**
 * True when the read-back of many writes may follow the batch: then only writes that changed nothing are read back,
 * which saves half of the statements. False when a later write of the batch could change the result of a read-back.
 */
function canLookLater(writes: PreparedWrite[]): boolean {
  const ids = new Set(writes.map(({ command }) => customerIdOf(command)))
  // A revert may give an external id to its customer, or free it. That is no matter to other reverts, which look by id.
  const areReverts = writes.every(({ command }) => command.kind === 'revert')
  return (
    writes.length > 1 &&
    ids.size === writes.length &&
    writes.every((write) => {
      const { command } = write
      if (isKeyed(write)) return false
      if (command.kind === 'update') return command.ifVersion === null && command.changes.externalId === undefined
      if (command.kind === 'revert') return areReverts && command.ifVersion === null
      return command.kind === 'create'
    })
  )
}

type Looks = 'later' | 'if unchanged' | 'always'

/**
 * Returns when the batch reads the row of a write. One that is alone is read only if the change was not made, in the same
 * trip: its sender waits for it. The receipt of an erasure is read in any case.
 */
function looksOf({ command }: PreparedWrite, writes: PreparedWrite[]): Looks {
  return writes.length === 1 && command.kind !== 'erase' ? 'if unchanged' : 'always'
}

async function readBackRefused(db: Database, scope: Scope, writes: PreparedWrite[], all: OwnResults[]): Promise<void> {
  const refused = writes.flatMap((write, at) =>
    all[at]?.changed?.length === 0 && isSingle(write) ? [{ write, own: all[at] as OwnResults }] : [],
  )
  const [first, ...others] = refused.map(({ write }) => readBackStatement(db, scope, write))
  if (!first) return
  const looks = await afterBeginning(db.batch([first, ...others]))
  for (const [at, { own }] of refused.entries()) own.look = looks[at] as Look[]
}

/** Returns the statements of one write by the names of their results, in the order in which they run. */
function planOf(db: Database, scope: Scope, write: PreparedWrite, looks: Looks): Record<string, BatchItem<'sqlite'>> {
  const { command, operator, changeId, furtherChangeIds = [] } = write
  const changeIds = [changeId, ...furtherChangeIds]
  return {
    ...(command.kind === 'erase' && { externalIds: externalIdsStatement(db, scope, customerIdOf(command)) }),
    ...(isSingle(write) && { changed: changeStatement(db, scope, write) }),
    ...(looks === 'if unchanged' &&
      isSingle(write) && { look: readBackStatement(db, scope, write, { ifUnchanged: true }) }),
    ...(!isSingle(write) && mergingStatements(db, scope, write)),
    ...(isSingle(write) && command.kind === 'erase' && { merged: eraseMergedStatement(db, scope, write) }),
    ...(operator && { operator: rowsStatement(db, recordOperator(scope, changeIds, operator)) }),
    ...(isKeyed(write) && { keep: storeResultStatement(db, scope, write, EFFECTS[command.kind]) }),
    ...(looks === 'always' && isSingle(write) && { look: readBackStatement(db, scope, write) }),
    ...(isKeyed(write) && { kept: storedResultStatement(db, scope, write) }),
  }
}

interface OwnResults extends MergingResults {
  /** The customer, if its change was made. */
  changed?: Customer[]
  externalIds?: { externalId: string }[]
  merged?: string[]
  look?: Look[]
  kept?: StoredResult[]
}

/**
 * Returns the result of a change: the customer if it was made, else why not. `look` is the row as read back after its
 * statement, `d1Ms` the time after it by D1's clock.
 */
function judge(
  write: SingleWrite,
  { changed: [changed] = [], look: [look] = [], externalIds = [], merged = [] }: OwnResults,
  d1Ms: number,
): CommitResult {
  const { command, changeId } = write
  if (changed && !look) return { ok: true, customer: changed, effect: EFFECTS[command.kind], changeId }
  // A write that came too late has changed nothing and may be repeated.
  const unavailable = fail(UNAVAILABLE)
  const targetMoved = { ...unavailable, targetMoved: true }
  // No customer has the external id of the new one, and yet it was not inserted.
  if (!look && isNew(command)) return { ...unavailable, late: d1Ms >= write.deadlineMs }
  if (command.kind === 'revert' && command.refusal) return fail(command.refusal)
  // Its id was known from an external id, in a history of the database that is gone.
  if (!look && !isNew(command) && command.target.externalId !== undefined) return targetMoved
  if (!look) return fail({ reason: 'not_found', resource: 'customer' })
  const { changeId: _changeId, isNamed: _isNamed, isLate: _isLate, latest: _latest, ...row } = look
  const customer = customerOf(row)
  const receipt = look.latest ? erasureOfDocument(documentAfter(eventOf(row), look.latest)) : undefined
  const erased = receipt && {
    receipt,
    externalIds: externalIds.map(({ externalId }) => externalId),
    ...(merged.length > 0 && { mergedIds: merged }),
  }
  // The row has this very change, sent twice: the first attempt was committed after all.
  if (changed || look.changeId === changeId) {
    return { ok: true, customer, effect: EFFECTS[command.kind], changeId: look.changeId, erased }
  }
  if (erased) return { ok: true, customer, effect: 'unchanged', changeId: look.changeId, erased }
  if (look.erasedAtMs !== null) {
    // The external id that was looked up before the erasure is free by now.
    const isNamed = !isNew(command) && command.target.externalId !== undefined
    return isNamed ? targetMoved : fail({ reason: 'not_found', resource: 'customer' })
  }

  const unchanged = { ok: true, customer, effect: 'unchanged', changeId: look.changeId } as const
  if (isNew(command)) {
    if (look.id === command.id) return { ok: true, customer, effect: 'created', changeId: look.changeId }
    if (command.kind === 'upsert') return targetMoved
    if (command.ifExists === 'return') return unchanged
    return fail({ reason: 'external_id_taken', externalId: look.externalId, customerId: look.id })
  }
  if (look.mergedInto !== null) {
    // A change of fields goes on to the customer that this one was merged into.
    if (command.kind === 'update') return targetMoved
    return fail({ reason: 'merged', customerId: look.id, mergedInto: look.mergedInto })
  }
  const archived = customer.status === 'archived'
  if (archived && !['restore', 'erase', 'revert'].includes(command.kind)) {
    // An external id is free again once its customer is archived: another customer may have it by now, or none.
    if (command.target.externalId !== undefined) return targetMoved
    if (command.kind === 'archive') return fail({ reason: 'not_found', resource: 'customer' })
    return fail({ reason: 'archived', customerId: look.id })
  }
  if (!look.isNamed) return targetMoved
  const unmet = unmetBy(preconditionOf(command), look)
  if (unmet) return fail(versionConflict(unmet, look))
  if (command.kind === 'revert') {
    const { onVersion = 0, conflicts = [] } = revertPlanOf(command) ?? {}
    if (look.version !== onVersion) return targetMoved
    if (conflicts.length > 0 && !command.partial) return fail({ reason: 'revert_conflict', conflicts })
  }
  return look.isLate ? { ...unavailable, late: true } : unchanged
}

/** Returns the columns that the event of the customer's last change has. */
function eventOf({ id, version, updatedBy, updatedAtMs }: CustomerRow): DocumentColumns {
  return { customerId: id, version, actor: updatedBy, createdAtMs: updatedAtMs }
}
