/**
 * Stores the onboarding runs of customers in D1. A trigger writes a run with its customer, and the erasure of the
 * customer deletes it. Pure code decides the next state of a run; it is written only if the run is still the one that
 * code has read.
 */
import { and, eq, gte, inArray, lte, type SQL, sql } from 'drizzle-orm'
import { ONBOARDING_ACTOR } from '../../onboarding/end.ts'
import type { RunQueue, RunStore } from '../../onboarding/ports.ts'
import { endOf, type Run, type StepProgress } from '../../onboarding/run.ts'
import type { Step } from '../../onboarding/steps.ts'
import type { Scope } from '../../registry/customer.ts'
import { unavailable } from '../../registry/errors.ts'
import { DAY_MS } from '../../shared/durations.ts'
import { newestArchived, scanArchive } from '../archive/reads.ts'
import { CHUNK_ROWS_MAX, inChunks } from '../chunks.ts'
import { customerColumns, customerOf, documentOf } from '../customer-row.ts'
import { type Database, openDatabase } from '../database.ts'
import { storedDocument } from '../event-documents.ts'
import { CLOCKS_DIFFER_MS, firstEventIdAt, mayStillBeLogged } from '../events/event-ids.ts'
import { EVENTS_OF_CUSTOMER } from '../events/of-customer.ts'
import { isNotHeld } from '../moves/held.ts'
import { customers, events } from '../schema/tables.ts'
import { tenants } from '../schema/tenant-tables.ts'
import { onboardingRuns } from '../schema/webhook-tables.ts'
import { inScope } from '../scoped.ts'
import { orUnavailableIn } from '../unavailable.ts'

/** A claimed run that was not started after all is claimed again after this. */
const START_CLAIM_MS = 60_000
/** Time for the queue message of a creation to arrive. */
const MESSAGE_MS = 10_000
/** How long a run that has ended is kept. */
const RUN_TTL_MS = 90 * DAY_MS
/** The engine accepts this many at once. */
const STARTED_MAX = 100
/** Each is a call of the engine, and a run of the sweep may make 1,000. */
const RUNS_CHECKED_MAX = 50
/** Only signals and the engine change a run, so a second try nearly always succeeds. */
const CHANGES_TRIED_MAX = 10

/** When the sweep checks a run that has just begun. */
const IN_A_DAY = sql`CAST(unixepoch('subsec') * 1000 AS INTEGER) + ${DAY_MS}`

const KEY = { tenantId: onboardingRuns.tenantId, mode: onboardingRuns.mode, customerId: onboardingRuns.customerId }

/** Objects of the archive that the search for a change of a step opens at most. */
const OPENED_MAX = 10

export function runStore(d1: D1Database, scope: Scope, archive?: R2Bucket): RunStore {
  const orUnavailable = orUnavailableIn(scope)
  const database = () => openDatabase(d1.withSession('first-primary'))
  return {
    read: (customerId) =>
      orUnavailable(async () => {
        const [row] = await selectRun(database(), scope, customerId)
        return row ? runOf(row) : null
      }),

    isHeld: () =>
      orUnavailable(async () => {
        const isSuspended = and(eq(tenants.id, scope.tenantId), eq(tenants.status, 'suspended'))
        const rows = await database().select({ id: tenants.id }).from(tenants).where(isSuspended)
        return rows.length > 0
      }),

    change: (customerId, next) =>
      again(scope, async () => {
        const db = database()
        const [row] = await selectRun(db, scope, customerId)
        if (!row) return null
        const run = runOf(row)
        const changed = next(run)
        if (!changed) return run
        const { status, ...others } = stateOf(changed)
        const progress = changed.steps === run.steps ? others : { ...others, steps: changed.steps }
        // The status has an index, so it is written only when it changes.
        const state = status === row.status ? progress : { ...progress, status, dueAtMs: IN_A_DAY }
        const { meta } = await db.update(onboardingRuns).set(state).where(isStill(scope, row))
        // Rows that triggers write count too.
        return meta.changes > 0 ? changed : AGAIN
      }),

    async find(customerId, requestId, sinceMs) {
      const db = database()
      const firstId = firstEventIdAt(sinceMs - CLOCKS_DIFFER_MS)
      const [[row], made, [newest]] = await db.batch([
        selectCustomer(db, scope, customerId),
        db
          .select({ id: sql<string>`${events.id}`.as('id') })
          .from(EVENTS_OF_CUSTOMER)
          .where(
            and(
              inScope(events, scope),
              eq(events.customerId, customerId),
              gte(events.id, firstId),
              eq(events.requestId, requestId),
              eq(events.actor, ONBOARDING_ACTOR),
            ),
          )
          .limit(1),
        db.select({ id: sql<string | null>`id` }).from(sql`(${newestArchived(scope)})`),
      ])
      if (!row || row.erasedAtMs !== null) return null
      // The tenant was suspended for weeks, or the step waited for so long.
      const isOld = made.length === 0 && newest?.id != null && newest.id >= firstId
      if (!archive || !isOld) return { customer: customerOf(row), made: made.length > 0 }
      const { lines, end } = await scanArchive({ db, archive }, scope, {
        ...{ aboveId: firstId, belowId: null, order: 'asc', customerId, limit: 1, openedMax: OPENED_MAX },
        matches: (line) => line.requestId === requestId && line.actor === ONBOARDING_ACTOR,
      })
      if (lines.length === 0 && end !== null) throw unavailable()
      return { customer: customerOf(row), made: lines.length > 0 }
    },

    end: (customerId, next, stamp) =>
      again(scope, async () => {
        const db = database()
        const [[row], [customer]] = await db.batch([
          selectRun(db, scope, customerId),
          selectCustomer(db, scope, customerId),
        ])
        const { id, nowMs, requestId } = stamp()
        const ended = row && next(runOf(row), nowMs)
        if (!ended || !customer || customer.erasedAtMs !== null) return null
        const { type, detail } = endOf(ended)
        const columns = { customerId, version: customer.version, actor: ONBOARDING_ACTOR, createdAtMs: nowMs }
        const event: typeof events.$inferInsert = {
          ...scope,
          ...columns,
          id,
          type,
          requestId,
          reason: null,
          before: null,
          after: storedDocument(columns, documentOf(customer)),
          detail,
        }
        // The event holds the customer as it was read. If the customer has changed since, neither row is written.
        const isSo = and(isStill(scope, row), isCustomer(scope, customerId, customer.version), mayStillBeLogged(nowMs))
        const [, written] = await db.batch([
          insertWhere(db, event, isSo),
          db
            .update(onboardingRuns)
            .set({ ...stateOf(ended), finishedAtMs: nowMs, dueAtMs: nowMs + RUN_TTL_MS })
            .where(isSo)
            .returning(KEY),
        ])
        return written.length > 0 ? ended : AGAIN
      }),
  }
}

export function runQueue(d1: D1Database): RunQueue {
  const db = openDatabase(d1.withSession('first-primary'))
  /** Claims the due runs of a status, so that no other sweep claims them until they are due again. */
  const claimDue = (status: Run['status'], due: { atMs: number; nextMs: number; max: number }) => {
    const found = db
      .select(KEY)
      .from(onboardingRuns)
      .where(
        and(
          eq(onboardingRuns.status, status),
          lte(onboardingRuns.dueAtMs, due.atMs),
          isNotHeld(onboardingRuns.tenantId),
        ),
      )
      .orderBy(onboardingRuns.dueAtMs)
      .limit(due.max)
    return db
      .update(onboardingRuns)
      .set({ dueAtMs: due.nextMs })
      .where(sql`(tenant_id, mode, customer_id) IN ${found}`)
      .returning(KEY)
  }
  return {
    claimOverdue: (nowMs) =>
      claimDue('pending', { atMs: nowMs - MESSAGE_MS, nextMs: nowMs + START_CLAIM_MS, max: STARTED_MAX }),
    claimUnderWay: (nowMs) => claimDue('running', { atMs: nowMs, nextMs: nowMs + DAY_MS, max: RUNS_CHECKED_MAX }),
    async started(all, nowMs) {
      const those = JSON.stringify(all.map(({ tenantId, mode, customerId }) => [tenantId, mode, customerId]))
      await db
        .update(onboardingRuns)
        .set({ status: 'running', dueAtMs: nowMs + DAY_MS })
        .where(
          and(
            sql`(tenant_id, mode, customer_id) IN (
              SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(${those})
            )`,
            // The `+` keeps SQLite from the index of the status, which leads to all of them.
            sql`+${onboardingRuns.status} = 'pending'`,
          ),
        )
    },
  }
}

/** Deletes runs that ended long ago. */
export async function sweepEndedRuns(d1: D1Database, nowMs: number): Promise<void> {
  const db = openDatabase(d1)
  await inChunks(() => {
    const over = db
      .select(KEY)
      .from(onboardingRuns)
      .where(
        and(
          inArray(onboardingRuns.status, ['completed', 'failed']),
          lte(onboardingRuns.dueAtMs, nowMs),
          isNotHeld(onboardingRuns.tenantId),
        ),
      )
      .limit(CHUNK_ROWS_MAX)
    return db.delete(onboardingRuns).where(sql`(tenant_id, mode, customer_id) IN ${over}`)
  })
}

type RunRow = typeof onboardingRuns.$inferSelect

const AGAIN = Symbol('again')

/** Repeats an attempt until its write finds the run as it was read. */
async function again<T>(scope: Scope, attempt: () => Promise<T | typeof AGAIN>): Promise<T> {
  const orUnavailable = orUnavailableIn(scope)
  for (let tried = 0; tried < CHANGES_TRIED_MAX; tried++) {
    const result = await orUnavailable(attempt)
    if (result !== AGAIN) return result
  }
  throw new Error('an onboarding run was changed by others each time')
}

function runOf(row: RunRow): Run {
  const { customerId, workflow, status, createdAtMs, finishedAtMs } = row
  const steps = row.steps as unknown as Step[]
  const progress = row.progress as unknown as StepProgress[]
  return { customerId, workflow, steps, progress, status, createdAtMs, finishedAtMs }
}

function stateOf({ status, progress }: Run) {
  return { status, progress: progress as unknown as RunRow['progress'] }
}

function selectRun(db: Database, scope: Scope, customerId: string) {
  return db.select().from(onboardingRuns).where(isRun(scope, customerId))
}

function selectCustomer(db: Database, scope: Scope, customerId: string) {
  return db
    .select(customerColumns)
    .from(customers)
    .where(and(inScope(customers, scope), eq(customers.id, customerId)))
}

function isRun(scope: Scope, customerId: string): SQL | undefined {
  return and(inScope(onboardingRuns, scope), eq(onboardingRuns.customerId, customerId))
}

/** Matches the run as it was read. Equal JSON values have equal texts here, so the texts are compared. */
function isStill(scope: Scope, { customerId, status, progress }: RunRow): SQL | undefined {
  return and(
    isRun(scope, customerId),
    eq(onboardingRuns.status, status),
    sql`${onboardingRuns.progress} = ${JSON.stringify(progress)}`,
  )
}

function isCustomer({ tenantId, mode }: Scope, customerId: string, version: number): SQL {
  return sql`EXISTS (
    SELECT 1 FROM customers c WHERE c.tenant_id = ${tenantId} AND c.mode = ${mode} AND c.id = ${customerId}
      AND c.version = ${version} AND c.erased_at IS NULL
  )`
}

/** Inserts the event if there is a run that meets the condition. */
function insertWhere(db: Database, event: typeof events.$inferInsert, condition: SQL | undefined) {
  const text = (value: unknown) => (value === null ? null : JSON.stringify(value))
  return db.insert(events).select(sql`
    SELECT ${event.tenantId}, ${event.mode}, ${event.id}, ${event.type}, ${event.customerId}, ${event.version}, ${event.actor},
      ${event.requestId}, ${event.reason}, ${text(event.before)}, ${text(event.after)}, ${text(event.detail)}, ${event.createdAtMs}, 0
    FROM onboarding_runs WHERE ${condition}`)
}
