/**
 * Does the steps of a move, for some seconds at a time. A message begins each run, which does what it can and
 * sends the next. The sweep sends one for a move whose run has died.
 */
import { describeError, log } from '../../shared/log.ts'
import { FROZEN_MAX_MS, LEFT_FOR_FREEZE, type Move, stepOf } from './move.ts'
import type { MoveDatabases, MoveStore, Noted } from './ports.ts'

/** How long one run goes on. An invocation of the queue may make 1,000 queries. */
const RUN_MAX_MS = 15_000
const STEPS_MAX = 120
/** A run that has not noted anything for this long is dead, and another one takes over. */
const CLAIM_MS = 30_000
/** Longest time until the next look at a move that waits. */
const WAIT_MAX_MS = 600_000

export interface MoveDeps {
  store: MoveStore
  databasesOf(move: Move): MoveDatabases
  /** Resolves when no lease under an older policy of the tenant is alive. Throws if that cannot be said. */
  bringInForce(tenantId: string): Promise<void>
  clock(): number
}

/** Returns after how many milliseconds the next run should begin; null if there is none to begin. */
export async function runMove(deps: MoveDeps, tenantId: string): Promise<number | null> {
  const beganAtMs = deps.clock()
  let move = await deps.store.claim(tenantId, beganAtMs, beganAtMs + CLAIM_MS)
  if (!move) return null
  const databases = deps.databasesOf(move)
  try {
    for (let step = 0; step < STEPS_MAX && deps.clock() - beganAtMs < RUN_MAX_MS; step++) {
      const next = stepOf(move, deps.clock())
      if (next.kind === 'none') return null
      if (next.kind === 'wait') return Math.min(next.ms, WAIT_MAX_MS)
      const { state } = move
      move = await doStep(deps, databases, move)
      if (move.state !== state) log('info', { event: 'move', tenantId, moveId: move.id, state: move.state })
    }
    return 0
  } catch (error) {
    await noteOf(deps, move)(problemOf(move, error, deps.clock()))
    throw error
  } finally {
    await deps.store.release(move)
  }
}

/** A tenant whose writes wait is not kept waiting by a database that fails. */
function problemOf({ state, frozenAtMs }: Move, error: unknown, nowMs: number): Noted {
  const problem = describeError(error)
  const isFrozenTooLong = state === 'frozen' && nowMs - (frozenAtMs ?? nowMs) > FROZEN_MAX_MS
  return isFrozenTooLong ? { problem, state: 'aborting' } : { problem }
}

function noteOf({ store, clock }: MoveDeps, move: Move) {
  return (noted: Noted) => store.note(move, noted, clock(), clock() + CLAIM_MS)
}

async function doStep(deps: MoveDeps, databases: MoveDatabases, move: Move): Promise<Move> {
  const { store, clock } = deps
  const noteAll = noteOf(deps, move)
  const note = (noted: Noted) => noteAll({ problem: null, ...noted })
  switch (stepOf(move, clock()).kind) {
    case 'copy': {
      const { isLast, ...progress } = await databases.copyPage()
      return note({ ...progress, ...(isLast && { state: 'catching_up' }) })
    }
    case 'catch_up': {
      const { changes, ...progress } = await databases.catchUp()
      if (changes > LEFT_FOR_FREEZE) return note(progress)
      // First the state: a run that dies right after the freeze is taken up, and the tenant does not stay frozen.
      return note({ ...progress, state: 'frozen', frozenAtMs: clock() })
    }
    case 'complete': {
      await databases.freeze()
      const differing = await databases.complete()
      if (differing.length > 0)
        return note({ state: 'aborting', problem: `the copy differs in ${differing.join(', ')}` })
      return store.flip(move, clock())
    }
    case 'bring_in_force':
      await databases.copyTenant()
      await deps.bringInForce(move.tenantId)
      return note({ state: 'cleaning' })
    case 'clean':
      return (await databases.removeLeft()) ? note({ state: 'done', endedAtMs: clock() }) : note({})
    case 'undo': {
      const { problem } = move
      await databases.thaw()
      const isGone = await databases.removeCopy()
      return noteAll(isGone ? { problem, state: 'aborted', endedAtMs: clock() } : { problem })
    }
    default:
      return move
  }
}
