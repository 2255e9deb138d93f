/**
 * Lets one piece of a tenant's heavy reads follow the other, so that a tenant that sends many of them at once has one under
 * way in this isolate, and others wait for no more than that. Small reads take no turn and go past. Requests share plain
 * data and never a promise: a request that waits checks every few milliseconds, with a timer of its own.
 */
import { LRUCache } from 'lru-cache'
import type { Clock } from '../../shared/clock.ts'
import type { Sleep } from '../../shared/sleep.ts'

/** Runs one piece of work in its turn. */
export type InTurn = <T>(piece: () => Promise<T>) => Promise<T>

/** A request that waits, or whose piece is under way. It counts until `untilMs`: a cancelled request never leaves. */
interface Ticket {
  untilMs: number
}

/** The pieces of one tenant and mode in this isolate, in their order. The first one's turn it is. */
export type Turns = Ticket[]

export interface TurnPorts {
  clock: Clock
  sleep: Sleep
  /** Lets work go on after the response. */
  waitUntil(work: Promise<unknown>): void
}

const TENANTS_MAX = 2_000
/** The first wait, and the longest: a request may have 10,000 timers. */
const POLL_MIN_MS = 2
const POLL_MAX_MS = 20
/** A waiting request that has not checked for so long was cancelled. */
const WAITER_TTL_MS = 1_000
/** A piece that takes longer waits for D1, and others need not wait for it. */
const PIECE_TTL_MS = 5_000

const turnsByGate = new LRUCache<string, Turns>({ max: TENANTS_MAX })

/** Returns the turns of the gate of that name in this isolate. */
export function turnsFor(gateName: string): Turns {
  const known = turnsByGate.get(gateName)
  if (known) return known
  const turns: Turns = []
  turnsByGate.set(gateName, turns)
  return turns
}

/**
 * Runs the piece when it is first. The next one begins after a pause, in which requests of others go first that arrived
 * meanwhile; the result does not wait for it.
 */
export async function inTurn<T>(turns: Turns, piece: () => Promise<T>, ports: TurnPorts): Promise<T> {
  const { clock, sleep } = ports
  const ticket: Ticket = { untilMs: clock() + WAITER_TTL_MS }
  turns.push(ticket)
  try {
    for (let waitMs = POLL_MIN_MS; firstOf(turns, clock()) !== ticket; waitMs = Math.min(2 * waitMs, POLL_MAX_MS)) {
      await sleep(waitMs)
      ticket.untilMs = clock() + WAITER_TTL_MS
      // The clock may have jumped, and another request may have taken this one for cancelled.
      if (!turns.includes(ticket)) turns.push(ticket)
    }
    ticket.untilMs = clock() + PIECE_TTL_MS
    return await piece()
  } finally {
    ports.waitUntil(sleep(0).finally(() => leave(turns, ticket)))
  }
}

/** Returns the ticket whose turn it is, and removes those before it that count no more. */
function firstOf(turns: Turns, nowMs: number): Ticket | undefined {
  while (turns[0] && turns[0].untilMs < nowMs) turns.shift()
  return turns[0]
}

function leave(turns: Turns, ticket: Ticket): void {
  const at = turns.indexOf(ticket)
  if (at !== -1) turns.splice(at, 1)
}
