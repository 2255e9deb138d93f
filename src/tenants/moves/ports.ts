/** Ports of moves: where their state stands, and the two databases. `storage/moves/` implements them. */
import type { Author } from '../ports.ts'
import type { Move, MoveState } from './move.ts'

/** The outcome of a request to begin a move. `move` is the last one of the tenant, which may be another one than requested. */
export interface Begun {
  /** The tenant, null if there is none. */
  tenant: { database: number } | null
  move: Move | null
  isNew: boolean
}

export interface MoveStore {
  get(tenantId: string): Promise<Move | null>
  /** Begins a move unless one is under way or the tenant is in that database, with an entry in the audit. */
  begin(given: { tenantId: string; moveId: string; to: number; author: Author; nowMs: number }): Promise<Begun>
  /** Makes a move that is not flipped yet be aborted, with an entry in the audit. Returns the last move of the tenant. */
  abort(tenantId: string, author: Author, nowMs: number): Promise<Move | null>
  /** Lets this run do the steps of a move until that time. Returns null if another run does, or there is none under way. */
  claim(tenantId: string, nowMs: number, untilMs: number): Promise<Move | null>
  /**
   * Notes where a move is, if its state is still the one that this run knows, and lets this run go on until that time. Returns the
   * move as it is then.
   */
  note(move: Move, changes: Noted, nowMs: number, untilMs: number): Promise<Move>
  /** Makes the other database that of the tenant, and raises the version of its policy. Returns the move as it is then. */
  flip(move: Move, nowMs: number): Promise<Move>
  /** Lets another run do the steps. */
  release(move: Move): Promise<void>
  /** Returns the tenants whose moves nobody works on. */
  idle(nowMs: number): Promise<string[]>
}

export interface Noted {
  state?: MoveState
  copied?: number
  copiedAgain?: number
  problem?: string | null
  frozenAtMs?: number | null
  endedAtMs?: number | null
}

/** How far a copy is. */
export interface CopyProgress {
  copied: number
  copiedAgain: number
}

/** The steps in the databases of one move. Each can be done twice. */
export interface MoveDatabases {
  /** Copies one page, after preparing both databases. Returns the progress, and whether that was the last page. */
  copyPage(): Promise<CopyProgress & { isLast: boolean }>
  /** Copies what changed. Returns how many changes there were. */
  catchUp(): Promise<CopyProgress & { changes: number }>
  /** From then on nothing of the tenant changes where it is. */
  freeze(): Promise<void>
  /** Copies the last changes, compares both databases, and makes the copy the tenant's own. Returns the tables that differ. */
  complete(): Promise<string[]>
  /** Lets the tenant change again where it is. */
  thaw(): Promise<void>
  /** Deletes some of the copy, or of what was left. Returns whether all is gone. */
  removeCopy(): Promise<boolean>
  removeLeft(): Promise<boolean>
  /** Gives both databases the row of the tenant as the directory has it. */
  copyTenant(): Promise<void>
}
