/**
 * Claims pending deliveries in D1, in their turn, and ends the claims. `events/outbox.ts` decides what to do with them.
 * All statements go to the primary.
 */
import { and, asc, type SQL, sql } from 'drizzle-orm'
import type { BatchItem } from 'drizzle-orm/batch'
import { type Chain, DELIVERY_CLAIM_MS, type Outbox } from '../../events/outbox.ts'
import { BROUGHT_BACK, pauseMsAfter, SLOT_WAIT_MAX_MS } from '../../events/slots.ts'
import type { NewId } from '../../shared/ids.ts'
import { type Database, openDatabase } from '../database.ts'
import { webhookAttempts, webhookDeliveries, webhookEndpoints } from '../schema/webhook-tables.ts'
import { slot } from '../statement-texts.ts'
import {
  CHAIN,
  chainStatement,
  headId,
  headOf,
  IS_PENDING,
  inChain,
  isDue,
  isEndpoint,
  type Looked,
  NOT_BEFORE_ANOTHER_MS,
  NOW_MS,
  readBackStatement,
  readWaitingStatement,
  WAITING_ID,
} from './chain.ts'
import { JointBatches } from './joint-batches.ts'
import { attemptOf, disabledEvent, keepAttempt, noteOnEndpoint, settle } from './outcomes.ts'
import { literal, mayBeSent } from './slots.ts'

/** Deliveries of one chain in one transaction; the next message continues with the rest. */
const GIVEN_UP_AT_ONCE_MAX = 100

/** Returns the outbox of one invocation: what its messages do at the same time is done together. */
export function webhookOutbox(d1: D1Database, newId: NewId): Outbox {
  const db = openDatabase(d1)
  const batches = new JointBatches(db)
  return {
    async claim(chain, nowMs) {
      const [claimed, looked] = await batches.run([claimStatement(db, chain, nowMs), readBackStatement(db, chain)])
      return headOf(chain, isTaken(claimed), rowsOf<Looked>(looked)[0], nowMs)
    },

    async finish(chain, delivery, { attempted, outcome }, options) {
      const { nowMs, claimNext } = options
      const isDelivered = outcome.next.kind === 'delivered'
      const bringsBack = isDelivered ? (options.bringsBack ?? BROUGHT_BACK.delivered) : BROUGHT_BACK.otherwise
      const takesOver = isDelivered && options.takesOver === true
      const disabling = outcome.disable === null ? [] : [disabledEvent(db, chain, outcome.disable, nowMs, newId)]
      const statements: BatchItem<'sqlite'>[] = [
        keepAttempt(db, chain, delivery, attempted),
        ...(outcome.next.kind === 'parked' ? [] : [noteOnEndpoint(db, chain, delivery, outcome, nowMs)]),
        // Directly after the update: the number of rows it changed shows whether it disabled the endpoint.
        ...disabling,
        settle(db, chain, delivery, outcome, nowMs),
        ...(claimNext ? [claimStatement(db, chain, nowMs)] : []),
        // Needed after a claim too: it claims nothing if the endpoint has been closed.
        releaseStatement(db, chain, nowMs),
        ...(takesOver ? [readWaitingStatement(db, chain), takeOverStatement(db, chain, nowMs)] : []),
        // Directly after the update: the one that it has claimed is not brought back, too.
        bringBackStatement(db, chain, bringsBack, { nowMs, pauseMs: pauseMsAfter(outcome.next), takesOver }),
        readBackStatement(db, chain),
      ]
      const answers = await batches.run(statements)
      const [broughtBack, [looked]] = answers.slice(-2) as [BroughtBack[], (Looked | undefined)[]]
      const [waiting, takenOver] = takesOver ? answers.slice(-4) : []
      const claimed = answers.at(takesOver ? -6 : -4)
      const isClaimed = claimNext && isTaken(claimed)
      const disabled = disabling.length > 0 && (answers[2] as unknown[]).length > 0
      return {
        head: headOf(chain, isClaimed, looked, nowMs),
        disabled,
        broughtBack: customersOf(broughtBack),
        taken: takesOver
          ? takenOf(chain, rowsOf<Looked>(waiting)[0], rowsOf<BroughtBack>(takenOver)[0], nowMs)
          : undefined,
      }
    },

    async giveUp(chain, reason, nowMs) {
      const due = and(inChain(chain), IS_PENDING, isDue(nowMs))
      const chosen = () =>
        db
          .select({ id: webhookDeliveries.id })
          .from(webhookDeliveries)
          .where(due)
          .orderBy(asc(webhookDeliveries.id))
          .limit(GIVEN_UP_AT_ONCE_MAX)
      const answers = await batches.run([
        db
          .insert(webhookAttempts)
          .select(
            attemptOf(db, { atMs: nowMs, durationMs: 0, statusCode: null, error: reason, answer: null })
              .where(due)
              .orderBy(asc(webhookDeliveries.id))
              .limit(GIVEN_UP_AT_ONCE_MAX),
          ),
        db
          .update(webhookDeliveries)
          .set({ status: 'failed', finishedAtMs: nowMs, awaitsRetry: false, slot: null })
          .where(sql`${webhookDeliveries.id} IN ${chosen()}`),
        releaseStatement(db, chain, nowMs),
        bringBackStatement(db, chain, BROUGHT_BACK.otherwise, { nowMs, pauseMs: 0, takesOver: false }),
        readBackStatement(db, chain),
      ])
      const [broughtBack, [looked]] = [rowsOf<BroughtBack>(answers[3]), rowsOf<Looked>(answers[4])]
      return { head: headOf(chain, false, looked, nowMs), broughtBack: customersOf(broughtBack) }
    },
  }
}

/** Returns the rows of a statement whose text is kept: a batch does not know their type. */
function rowsOf<Row>(answer: unknown): Row[] {
  return answer as Row[]
}

/**
 * Claims the head if it is due and there is a slot for it. Lets it wait otherwise, unless its endpoint is closed. Returns what
 * became of its slot.
 */
function claimStatement(db: Database, chain: Chain, nowMs: number) {
  const open = () =>
    db
      .select({ found: sql`1` })
      .from(webhookEndpoints)
      .where(and(isEndpoint(CHAIN), sql`${webhookEndpoints.enabled} = 1`))
  const isWaiting = sql`(${webhookDeliveries.slot} IS 'waits' AND ${webhookDeliveries.nextAttemptAtMs} > ${NOW_MS})`
  const ifGranted = (granted: SQL, refused: SQL) => sql`iif(grant.given, ${granted}, ${refused})`
  const build = () =>
    db
      .update(webhookDeliveries)
      .set({
        claims: sql`${webhookDeliveries.claims} + grant.given`,
        nextAttemptAtMs: sql`${NOW_MS} + ${ifGranted(literal(DELIVERY_CLAIM_MS), literal(SLOT_WAIT_MAX_MS))}`,
        awaitsRetry: ifGranted(sql`0`, sql`${webhookDeliveries.awaitsRetry}`),
        slot: ifGranted(sql`'taken'`, sql`'waits'`),
      })
      .from(sql`(SELECT ${mayBeSent(CHAIN, NOW_MS)} AS given) AS grant`)
      .where(
        and(
          sql`${webhookDeliveries.id} = ${headId(db, CHAIN)}`,
          isDue(NOW_MS),
          sql`(grant.given OR (NOT ${isWaiting} AND EXISTS ${open()}))`,
        ),
      )
      .returning({ slot: webhookDeliveries.slot })
  return chainStatement(db, 'claim', build, chain, { nowMs })
}

function isTaken(answer: unknown): boolean {
  return rowsOf<{ slot: string }>(answer)[0]?.slot === 'taken'
}

/** True if the chain goes on in its slot. */
const keepsSlot = (db: Database) => sql`EXISTS (
  SELECT 1 FROM webhook_deliveries head WHERE head.id = ${headId(db, CHAIN)} AND head.slot = 'taken'
)`

/** Claims the delivery of the endpoint that has waited longest, unless this chain keeps its slot. Directly after it is read. */
function takeOverStatement(db: Database, chain: Chain, nowMs: number) {
  const build = () =>
    db
      .update(webhookDeliveries)
      .set({
        claims: sql`${webhookDeliveries.claims} + 1`,
        nextAttemptAtMs: sql`${NOW_MS} + ${literal(DELIVERY_CLAIM_MS)}`,
        awaitsRetry: sql`0`,
        slot: sql`'taken'`,
      })
      .where(and(sql`${webhookDeliveries.id} = ${WAITING_ID}`, sql`NOT ${keepsSlot(db)}`, mayBeSent(CHAIN, NOW_MS)))
      .returning({ customerId: webhookDeliveries.customerId })
  return chainStatement(db, 'take over', build, chain, { nowMs })
}

/** Returns the delivery that was taken over; `waiting` is how it was before. */
function takenOf(chain: Chain, waiting: Looked | undefined, takenOver: BroughtBack | undefined, nowMs: number) {
  if (!waiting || !takenOver) return undefined
  const { customer_id: customerId } = takenOver
  const head = headOf({ ...chain, customerId }, true, { ...waiting, claims: waiting.claims + 1 }, nowMs)
  return head.kind === 'claimed' ? { customerId, delivery: head.delivery } : undefined
}

type BroughtBack = { customer_id: string }

/**
 * Makes the deliveries of the endpoint due that have waited longest for a slot, unless this chain keeps its own. Their
 * messages are sent after the batch; the sweep finds those whose message was lost. With a pause, each holds a slot until it
 * is due, as if it was claimed: nothing else of a failing endpoint is attempted meanwhile.
 */
function bringBackStatement(
  db: Database,
  chain: Chain,
  count: number,
  { nowMs, pauseMs, takesOver }: { nowMs: number; pauseMs: number; takesOver: boolean },
) {
  const waiting = () => sql`(
    SELECT w.id FROM webhook_deliveries w WHERE w.tenant_id = ${CHAIN.tenantId} AND w.mode = ${CHAIN.mode} AND w.slot = 'waits'
      AND w.endpoint_id = ${CHAIN.endpointId}
    ORDER BY w.next_attempt_at LIMIT ${slot('count')}${takesOver ? sql` - changes()` : sql``}
  )`
  const build = () =>
    db
      .update(webhookDeliveries)
      .set(
        pauseMs === 0
          ? { slot: sql`NULL`, nextAttemptAtMs: NOW_MS }
          : {
              slot: sql`'taken'`,
              nextAttemptAtMs: sql`${NOW_MS} + ${slot('pauseMs')}`,
              claims: sql`${webhookDeliveries.claims} + 1`,
            },
      )
      .where(sql`${webhookDeliveries.id} IN ${waiting()} AND NOT ${keepsSlot(db)}`)
      .returning({ customerId: webhookDeliveries.customerId })
  const shape = takesOver ? 'bring back others' : pauseMs === 0 ? 'bring back' : 'bring back after a pause'
  return chainStatement(db, shape, build, chain, { nowMs, count, pauseMs })
}

function customersOf(rows: readonly BroughtBack[]): string[] {
  return rows.map(({ customer_id }) => customer_id)
}

/** Makes the head due for the next claim. */
function releaseStatement(db: Database, chain: Chain, nowMs: number) {
  const build = () =>
    db
      .update(webhookDeliveries)
      .set({ nextAttemptAtMs: NOW_MS })
      .where(
        and(
          sql`${webhookDeliveries.id} = ${headId(db, CHAIN)}`,
          sql`${webhookDeliveries.nextAttemptAtMs} = ${literal(NOT_BEFORE_ANOTHER_MS)}`,
        ),
      )
  return chainStatement(db, 'release', build, chain, { nowMs })
}
