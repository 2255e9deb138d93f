/**
 * One isolate's way to one gate: spends what the lease holds, asks when it holds nothing, renews in the background.
 * The rules are in edge-lease.ts; here are only the calls, the waiting and the timers. Requests share plain data and never
 * a promise: one that waits for another's ask looks again every few milliseconds, with a timer of its own.
 */
import { LRUCache } from 'lru-cache'
import type { IoTimes } from '../watching/io-times.ts'
import {
  type Admission,
  absorb,
  absorbFailure,
  admit,
  EdgeState,
  isAsking,
  nextAsk,
  restMs,
  shouldRenew,
} from './edge-lease.ts'
import type { LeaseReply, LeaseRequest, Verdict } from './protocol.ts'

/** What an isolate holds for one gate. Losing it loses permits and never makes any. */
export interface Seat {
  state: EdgeState
  /** Until when each waiting request will wait; a cancelled one stays until then and counts as waiting. */
  waiters: Set<{ untilMs: number }>
}

export interface EdgePorts {
  /** What the request has waited for so far. */
  readonly io: IoTimes
  clock(): number
  random(): number
  sleep(ms: number): Promise<unknown>
  /** One call to the gate. Rejects when it can not be reached. */
  lease(request: LeaseRequest): Promise<LeaseReply>
  /** Lets work go on after the answer. */
  waitUntil(work: Promise<unknown>): void
}

/** The decision on one request, with the verdict on its key; `retryAfterMs` where a refusal has one. */
export interface Admitted {
  admission: Exclude<Admission, 'ask'>
  verdict: Verdict | null
  retryAfterMs: number
}

/** Tenants with traffic on one isolate are few; the rest pay a cold call when they come back. */
const SEATS_MAX = 2_000
const LOOK_AGAIN_MS = 3
/** Between two asks of a gate that has nothing to give yet. */
const REST_MIN_MS = 40
/** A gate that has not answered by then is away. */
const ASK_PATIENCE_MS = 2_000
const WAIT_PATIENCE_MS = 3_000

const seats = new LRUCache<string, Seat>({ max: SEATS_MAX })

/** The seat of this isolate at the gate of that name. */
export function seatAt(gateName: string): Seat {
  const known = seats.get(gateName)
  if (known) return known
  const seat: Seat = { state: new EdgeState(crypto.randomUUID()), waiters: new Set() }
  seats.set(gateName, seat)
  return seat
}

/** Decides at once when the lease can, else asks. `credential` is null for a caller that needs no key. */
export function admitAt(seat: Seat, credential: string | null, ports: EdgePorts): Admitted | Promise<Admitted> {
  const { state } = seat
  const nowMs = ports.clock()
  if (restMs(state, nowMs) > 0) return askAndWait(seat, credential, ports, false)
  const admission = admit(state, nowMs, credential)
  if (admission === 'ask') return askAndWait(seat, credential, ports, true)
  if (shouldRenew(state, nowMs)) ports.waitUntil(ask(seat, ports))
  return decided(seat, admission)
}

/** `again`: the request has been told to ask before, and is not to be counted twice. */
async function askAndWait(seat: Seat, credential: string | null, ports: EdgePorts, again: boolean): Promise<Admitted> {
  const { state, waiters } = seat
  const sinceMs = ports.clock()
  const waiter = { untilMs: sinceMs + WAIT_PATIENCE_MS }
  waiters.add(waiter)
  try {
    for (let counted = again; ports.clock() < waiter.untilMs; ) {
      const rest = restMs(state, ports.clock())
      if (rest > 0) await ports.sleep(Math.max(rest, REST_MIN_MS))
      else if (isAsking(state, ports.clock())) await ports.sleep(LOOK_AGAIN_MS)
      else await ask(seat, ports)
      if (restMs(state, ports.clock()) > 0) continue
      const admission = admit(state, ports.clock(), credential, counted)
      counted = true
      if (admission !== 'ask') return decided(seat, admission)
    }
    return { admission: 'unavailable', verdict: null, retryAfterMs: 1_000 }
  } finally {
    waiters.delete(waiter)
    ports.io.admitMs += ports.clock() - sinceMs
  }
}

/** Never rejects: a gate that can not be reached is a fact the state keeps. */
async function ask({ state, waiters }: Seat, ports: EdgePorts): Promise<void> {
  const sentAtMs = ports.clock()
  for (const waiter of waiters) if (waiter.untilMs <= sentAtMs) waiters.delete(waiter)
  try {
    const reply = await within(ASK_PATIENCE_MS, ports, ports.lease(nextAsk(state, sentAtMs, waiters.size)))
    absorb(state, reply, sentAtMs, ports.clock(), ports.random())
  } catch {
    absorbFailure(state, sentAtMs, ports.clock(), ports.random())
  }
}

function decided({ state }: Seat, admission: Exclude<Admission, 'ask'>): Admitted {
  return { admission, verdict: state.verdict, retryAfterMs: state.retryAfterMs }
}

async function within<T>(patienceMs: number, ports: EdgePorts, work: Promise<T>): Promise<T> {
  const outOfPatience = ports.sleep(patienceMs).then(() => {
    throw new Error('the gate did not answer in time')
  })
  // Whichever loses is nobody's failure.
  outOfPatience.catch(() => undefined)
  work.catch(() => undefined)
  return Promise.race([work, outOfPatience])
}
