/** The outcome of each write of a batch, by what D1 made of it. Pure. */
import { type Failure, fail } from '../../registry/errors.ts'
import { fieldsLeft } from '../../registry/revert.ts'
import type { CommitResult, PreparedWrite } from '../protocol/write-store.ts'
import type { LimitState, WriteReply, WriteRequest } from '../protocol/writes.ts'
import { changedIdsOf } from './write-commands.ts'

/**
 * The author of a write, as the gate found it at admission. `name` is the id of a key, the name of a bound Worker, or the
 * actor of an operator.
 */
export interface AdmittedCaller {
  name: string
  mayRead: boolean
}

export interface QueuedWrite {
  write: PreparedWrite
  caller: AdmittedCaller
  /** Ticket of the permit; null for an operator, and when an earlier intent counts the request already. */
  ticket: number | null
  request: WriteRequest
  limits: LimitState
  /** True for one of many changes of a request, which the log has by their number. */
  isOfMany?: true
}

/**
 * The outcome of one write of a batch: its reply, or why it is to be prepared anew. `target_moved`: its external id
 * names another customer by now. `late`: D1 refused it as late although it was in time by all that the gate knew. `moving`: the
 * tenant is frozen for a move to another database.
 */
export type Outcome = { reply: WriteReply; again: 'target_moved' | 'late' | 'moving' | null }

/** The numbers of the batch that a write was committed in. */
export type Batch = Pick<Extract<WriteReply, { ok: true }>, 'seq' | 'bookmark' | 'strongInMs' | 'asof'>

/**
 * Returns the outcome of a write by its result. `expectedMs` is the time by D1's clock as the gate estimated it; null
 * when no retry is due.
 */
export function outcomeOf(
  { write, caller, limits }: QueuedWrite,
  result: CommitResult,
  batch: Batch,
  expectedMs: number | null,
): Outcome {
  const { replayed } = result
  if (result.ok) {
    const { customer, effect, erased, merge, unmerged } = result
    const { mayRead } = caller
    const { command } = write
    const left = command.kind === 'revert' && command.plan ? fieldsLeft(command.plan.past, customer) : undefined
    const changed = changedIdsOf(command)
    const changedIds = changed.length > 1 ? changed : undefined
    const about = { customer, effect, erased, left, merge, unmerged, changedIds }
    const { asof, ...numbers } = batch
    // A replayed result is that of then, and an upsert may have found another customer.
    const isNow = asof !== undefined && !replayed && customer.id === changed[0]
    return {
      reply: { ok: true, ...about, replayed, actor: write.actor, mayRead, ...numbers, ...(isNow && { asof }), limits },
      again: null,
    }
  }
  const isLate = result.late === true && expectedMs !== null && expectedMs < write.deadlineMs
  const again = isLate ? 'late' : result.targetMoved ? 'target_moved' : null
  return { reply: { ...fail(result.failure), replayed, limits }, again }
}

export function refused({ limits }: Pick<QueuedWrite, 'limits'>, failure: Failure): Outcome {
  return { reply: { ...fail(failure), limits }, again: null }
}
