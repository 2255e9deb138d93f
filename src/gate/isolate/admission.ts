/**
 * Admits the requests of one isolate for one gate: spends permits of the lease, calls the gate when the lease has none,
 * and renews the lease in the background. The rules are in lease.ts; this file has only the calls, the waiting and the
 * timers. Requests share plain data and never a promise: a request that waits for another's call checks the lease every
 * few milliseconds, with a timer of its own.
 */
import { LRUCache } from 'lru-cache'
import type { IoTimes } from '../../observability/io-times.ts'
import { RETRY_AFTER_MS } from '../../registry/errors.ts'
import { LOOK } from '../../shared/lru.ts'
import { type Sleep, within } from '../../shared/sleep.ts'
import type { LeaseReply, LeaseRequest, Verdict } from '../protocol/leases.ts'
import { ChangeRate } from './kv-filling.ts'
import {
  type Admission,
  admit,
  charge,
  isRequesting,
  knownRefusal,
  payOwed,
  refusalInForce,
  restMs,
  shouldRenew,
  wantVerdict,
} from './lease.ts'
import { absorb, absorbFailure, nextRequest } from './lease-exchange.ts'
import { LeaseState } from './lease-state.ts'

/** The lease that an isolate holds for one gate. The loss of it loses its permits and creates none. */
export interface LeaseHolder {
  state: LeaseState
  /** The requests that wait, each with the end of its wait. A cancelled one stays until then and counts as waiting. */
  waiters: Set<Waiter>
  /** Until when a request of this isolate calls the gate for what is owed; 0 if none does. */
  payingUntilMs: number
  /** How fast the tenant changes its customers. */
  changeRate: ChangeRate
}

interface Waiter {
  untilMs: number
  /** False if the last lease refused such a request whatever its permits. Then no permit is requested for it. */
  needsPermit: boolean
}

export interface AdmissionPorts {
  /** The waiting times of the request so far. */
  readonly io: IoTimes
  clock(): number
  random(): number
  sleep: Sleep
  /** Calls the gate once. Rejects when the gate cannot be reached. */
  lease(request: LeaseRequest): Promise<LeaseReply>
  /** Lets work go on after the response. */
  waitUntil(work: Promise<unknown>): void
}

/**
 * The decision on one request, with the verdict on its key. `retryAfterMs` has a meaning only for a refusal.
 */
export interface Admitted {
  admission: Exclude<Admission, 'needs_lease'>
  verdict: Verdict | null
  retryAfterMs: number
}

/** Few tenants have traffic on one isolate. A tenant beyond this number costs a cold call when it comes back. */
const LEASE_HOLDERS_MAX = 2_000
const LEASE_POLL_MS = 3
/** The pause between two calls to a gate that has no permits yet. */
const REST_MIN_MS = 40
/** A gate that has not replied after this time counts as unreachable. */
const LEASE_PATIENCE_MS = 2_000
const WAIT_PATIENCE_MS = 3_000
/** The runtime ends work 30 s after the response. */
const PAY_PATIENCE_MS = 25_000

const leaseHolders = new LRUCache<string, LeaseHolder>({ max: LEASE_HOLDERS_MAX })

/** Returns this isolate's lease holder for the gate of that name. */
export function leaseHolderFor(gateName: string): LeaseHolder {
  const known = leaseHolders.get(gateName, LOOK)
  if (known) return known
  const leaseHolder: LeaseHolder = {
    state: new LeaseState(crypto.randomUUID()),
    waiters: new Set(),
    payingUntilMs: 0,
    changeRate: new ChangeRate(),
  }
  leaseHolders.set(gateName, leaseHolder)
  return leaseHolder
}

/**
 * Returns the number of the tenant's database by the last lease that this isolate got from the gate, and until when that lease is
 * in force; null if it got none.
 */
export function databaseHeld(gateName: string): { number: number; untilMs: number } | null {
  const state = leaseHolders.peek(gateName)?.state
  return state?.policy ? { number: state.view.database, untilMs: state.leasedUntilMs } : null
}

/**
 * Decides at once if the lease can, else calls the gate. `credential` is null for a caller that needs no key. A key
 * without one of the scopes is refused, and that costs no permit.
 */
export function admitAt(
  leaseHolder: LeaseHolder,
  credential: string | null,
  scopes: readonly string[],
  ports: AdmissionPorts,
): Admitted | Promise<Admitted> {
  const { state } = leaseHolder
  const nowMs = ports.clock()
  if (restMs(state, nowMs) > 0 && refusalInForce(state, nowMs, credential, scopes) === null) {
    return requestAndWait(leaseHolder, credential, scopes, ports, false)
  }
  const admission = admit(state, nowMs, credential, false, scopes)
  if (admission === 'needs_lease') return requestAndWait(leaseHolder, credential, scopes, ports, state.isCounted)
  if (shouldRenew(state, nowMs)) ports.waitUntil(requestLease(leaseHolder, ports))
  return decided(leaseHolder, admission)
}

/** Counts a request that was answered with an error of Roster's. The next request for a lease reports it. */
export function countErrorAt({ state }: LeaseHolder): void {
  state.errors++
}

/** Returns the refusal of a write that the lease in force knows, without a call of the gate; null if it knows none. */
export function refusedAt(
  leaseHolder: LeaseHolder,
  credential: string | null,
  scopes: readonly string[],
  ports: Pick<AdmissionPorts, 'clock'>,
): Admitted | null {
  const admission = refusalInForce(leaseHolder.state, ports.clock(), credential, scopes)
  return admission && { admission, verdict: leaseHolder.state.verdict, retryAfterMs: 0 }
}

/** True if the last lease refused such a request whatever its permits, and so no work should begin before the next one. */
export function isLikelyRefused(
  { state }: LeaseHolder,
  credential: string | null,
  scopes: readonly string[],
  ports: Pick<AdmissionPorts, 'clock'>,
): boolean {
  return knownRefusal(state, ports.clock(), credential, scopes) !== null
}

/**
 * Requests a lease in the background after the gate has refused a write whatever its permits. As long as that lease is in
 * force, the isolate refuses such writes by itself.
 */
export function learnRefusal(leaseHolder: LeaseHolder, credential: string | null, ports: AdmissionPorts): void {
  const { state } = leaseHolder
  const nowMs = ports.clock()
  if (isRequesting(state, nowMs) || nowMs < state.backoffUntilMs) return
  if (credential !== null) wantVerdict(state, credential)
  ports.waitUntil(requestLease(leaseHolder, ports))
}

/**
 * Takes the permits that a request has cost beyond the one that admitted it, after its work. What the lease lacks is owed,
 * and requested from the gate in the background; until it is paid, the requests that follow wait or are refused.
 */
export function chargeAt(leaseHolder: LeaseHolder, permits: number, ports: AdmissionPorts): void {
  const nowMs = ports.clock()
  charge(leaseHolder.state, nowMs, permits)
  if (leaseHolder.state.owed === 0 || nowMs < leaseHolder.payingUntilMs) return
  leaseHolder.payingUntilMs = nowMs + PAY_PATIENCE_MS
  ports.waitUntil(payAt(leaseHolder, ports))
}

/**
 * Calls the gate until nothing is owed any more. Ends without that when the tenant gets no permits, or when the runtime
 * would not let it go on: then the next request that costs more, or that needs a lease, goes on.
 */
async function payAt(leaseHolder: LeaseHolder, ports: AdmissionPorts): Promise<void> {
  const { state } = leaseHolder
  while (ports.clock() < leaseHolder.payingUntilMs) {
    const nowMs = ports.clock()
    if (payOwed(state, nowMs) || state.refusal !== null || state.policy?.status === 'suspended') break
    const restMs = state.backoffUntilMs - nowMs
    if (restMs > 0) await ports.sleep(Math.max(restMs, REST_MIN_MS))
    else if (isRequesting(state, nowMs)) await ports.sleep(LEASE_POLL_MS)
    else await requestLease(leaseHolder, ports)
  }
  leaseHolder.payingUntilMs = 0
}

/** Calls the gate until the lease can decide. `isCounted` is true if the request counts as demand already. */
async function requestAndWait(
  leaseHolder: LeaseHolder,
  credential: string | null,
  scopes: readonly string[],
  ports: AdmissionPorts,
  isCounted: boolean,
): Promise<Admitted> {
  const { state, waiters } = leaseHolder
  const sinceMs = ports.clock()
  const needsPermit = knownRefusal(state, sinceMs, credential, scopes) === null
  const waiter: Waiter = { untilMs: sinceMs + WAIT_PATIENCE_MS, needsPermit }
  waiters.add(waiter)
  try {
    for (let counted = isCounted; ports.clock() < waiter.untilMs; ) {
      const rest = restMs(state, ports.clock())
      if (rest > 0) await ports.sleep(Math.max(rest, REST_MIN_MS))
      else if (isRequesting(state, ports.clock())) await ports.sleep(LEASE_POLL_MS)
      else await requestLease(leaseHolder, ports)
      if (restMs(state, ports.clock()) > 0) continue
      const admission = admit(state, ports.clock(), credential, counted, scopes)
      counted = state.isCounted
      waiter.needsPermit = counted
      if (admission !== 'needs_lease') return decided(leaseHolder, admission)
    }
    return { admission: 'unavailable', verdict: null, retryAfterMs: RETRY_AFTER_MS }
  } finally {
    waiters.delete(waiter)
    ports.io.admitMs += ports.clock() - sinceMs
  }
}

/** Calls the gate and stores the reply. Never rejects: the state records a gate that cannot be reached. */
async function requestLease({ state, waiters, changeRate }: LeaseHolder, ports: AdmissionPorts): Promise<void> {
  const sentAtMs = ports.clock()
  let waiting = 0
  for (const waiter of waiters) {
    if (waiter.untilMs <= sentAtMs) waiters.delete(waiter)
    else if (waiter.needsPermit) waiting++
  }
  try {
    const request = ports.lease(nextRequest(state, sentAtMs, waiting))
    const reply = await within(request, LEASE_PATIENCE_MS, ports.sleep, null)
    if (reply?.kind === 'lease') changeRate.note(reply.freshness, ports.clock())
    if (reply) absorb(state, reply, sentAtMs, ports.clock(), ports.random())
    else absorbFailure(state, sentAtMs, ports.clock(), ports.random())
  } catch {
    absorbFailure(state, sentAtMs, ports.clock(), ports.random())
  }
}

function decided({ state }: LeaseHolder, admission: Exclude<Admission, 'needs_lease'>): Admitted {
  return { admission, verdict: state.verdict, retryAfterMs: state.retryAfterMs }
}
