/**
 * A move of a tenant from one database to another: its states, and what to do in each. Pure.
 *
 * ```
 * copying ──▶ catching_up ──▶ frozen ──▶ flipped ──▶ cleaning ──▶ done
 *    └────────────┴─────────────┴──▶ aborting ──▶ aborted
 * ```
 * Each step can be done twice, and a run that dies leaves a state from which the next one goes on.
 */

/** `done` and `aborted` are the ends. From `flipped` on the tenant is in the other database, and nothing leads back. */
export const MOVE_STATES = [
  'copying',
  'catching_up',
  'frozen',
  'flipped',
  'cleaning',
  'done',
  'aborting',
  'aborted',
] as const
export type MoveState = (typeof MOVE_STATES)[number]

export interface Move {
  id: string
  tenantId: string
  /** The numbers of the databases. */
  from: number
  to: number
  state: MoveState
  copied: number
  copiedAgain: number
  /** The reason why it was aborted, or what its last step failed with. */
  problem: string | null
  /** The operator who began it. */
  actor: string
  createdAtMs: number
  updatedAtMs: number
  frozenAtMs: number | null
  flippedAtMs: number | null
  endedAtMs: number | null
}

/** The tenant's rows stay this long where they were, for readers with an old lease, token or message. */
export const KEPT_MS = 3_600_000
/** Writes wait while the tenant is frozen. If it is not in the other database after this time, the move is aborted. */
export const FROZEN_MAX_MS = 30_000
/** Changes that the last round of catching up may leave for the time in which the tenant is frozen. */
export const LEFT_FOR_FREEZE = 50

export type MoveStep =
  | { kind: 'copy' | 'catch_up' | 'complete' | 'bring_in_force' | 'clean' | 'undo' }
  | { kind: 'wait'; ms: number }
  | { kind: 'none' }

/** Returns what to do next. */
export function stepOf(move: Move, nowMs: number): MoveStep {
  switch (move.state) {
    case 'copying':
      return { kind: 'copy' }
    case 'catching_up':
      return { kind: 'catch_up' }
    case 'frozen':
      return { kind: 'complete' }
    case 'flipped':
      return { kind: 'bring_in_force' }
    case 'cleaning': {
      const ms = (move.flippedAtMs ?? 0) + KEPT_MS - nowMs
      return ms > 0 ? { kind: 'wait', ms } : { kind: 'clean' }
    }
    case 'aborting':
      return { kind: 'undo' }
    case 'done':
    case 'aborted':
      return { kind: 'none' }
  }
}

/** Returns whether an operator can still take the move back. */
export function canBeAborted(state: MoveState): boolean {
  return state === 'copying' || state === 'catching_up' || state === 'frozen' || state === 'aborting'
}

export function isUnderWay(state: MoveState): boolean {
  return state !== 'done' && state !== 'aborted'
}
