/**
 * Admits the requests of one isolate for one gate: spends permits of the lease, calls the gate when the lease has none,
 * and renews the lease in the background. The rules are in lease.ts; this file has only the calls, the waiting and the
 * timers. Requests share plain data and never a promise: a request that waits for another's call checks the lease every
 * few milliseconds, with a timer of its own.
 */
import { LRUCache } from 'lru-cache'
import type { IoTimes } from '../../observability/io-times.ts'
import { RETRY_AFTER_MS } from '../../registry/errors.ts'
import { type Sleep, within } from '../../shared/sleep.ts'
import type { LeaseReply, LeaseRequest, Verdict } from '../protocol/leases.ts'
import { type Admission, admit, isRequesting, restMs, shouldRenew } from './lease.ts'
import { absorb, absorbFailure, nextRequest } from './lease-exchange.ts'
import { LeaseState } from './lease-state.ts'

/** The lease that an isolate holds for one gate. The loss of it loses its permits and creates none. */
export interface LeaseHolder {
  state: LeaseState
  /** The requests that wait, each with the end of its wait. A cancelled one stays until then and counts as waiting. */
  waiters: Set<{ untilMs: number }>
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

const leaseHolders = new LRUCache<string, LeaseHolder>({ max: LEASE_HOLDERS_MAX })

/** Returns this isolate's lease holder for the gate of that name. */
export function leaseHolderFor(gateName: string): LeaseHolder {
  const known = leaseHolders.get(gateName)
  if (known) return known
  const leaseHolder: LeaseHolder = { state: new LeaseState(crypto.randomUUID()), waiters: new Set() }
  leaseHolders.set(gateName, leaseHolder)
  return leaseHolder
}

/** Decides at once if the lease can, else calls the gate. `credential` is null for a caller that needs no key. */
export function admitAt(
  leaseHolder: LeaseHolder,
  credential: string | null,
  ports: AdmissionPorts,
): Admitted | Promise<Admitted> {
  const { state } = leaseHolder
  const nowMs = ports.clock()
  if (restMs(state, nowMs) > 0) return requestAndWait(leaseHolder, credential, ports, false)
  const admission = admit(state, nowMs, credential)
  if (admission === 'needs_lease') return requestAndWait(leaseHolder, credential, ports, true)
  if (shouldRenew(state, nowMs)) ports.waitUntil(requestLease(leaseHolder, ports))
  return decided(leaseHolder, admission)
}

/** Calls the gate until the lease can decide. `again` is true if `admit` has already counted the request. */
async function requestAndWait(
  leaseHolder: LeaseHolder,
  credential: string | null,
  ports: AdmissionPorts,
  again: boolean,
): Promise<Admitted> {
  const { state, waiters } = leaseHolder
  const sinceMs = ports.clock()
  const waiter = { untilMs: sinceMs + WAIT_PATIENCE_MS }
  waiters.add(waiter)
  try {
    for (let counted = again; ports.clock() < waiter.untilMs; ) {
      const rest = restMs(state, ports.clock())
      if (rest > 0) await ports.sleep(Math.max(rest, REST_MIN_MS))
      else if (isRequesting(state, ports.clock())) await ports.sleep(LEASE_POLL_MS)
      else await requestLease(leaseHolder, ports)
      if (restMs(state, ports.clock()) > 0) continue
      const admission = admit(state, ports.clock(), credential, counted)
      counted = true
      if (admission !== 'needs_lease') return decided(leaseHolder, admission)
    }
    return { admission: 'unavailable', verdict: null, retryAfterMs: RETRY_AFTER_MS }
  } finally {
    waiters.delete(waiter)
    ports.io.admitMs += ports.clock() - sinceMs
  }
}

/** Calls the gate and stores the reply. Never rejects: the state records a gate that cannot be reached. */
async function requestLease({ state, waiters }: LeaseHolder, ports: AdmissionPorts): Promise<void> {
  const sentAtMs = ports.clock()
  for (const waiter of waiters) if (waiter.untilMs <= sentAtMs) waiters.delete(waiter)
  try {
    const request = ports.lease(nextRequest(state, sentAtMs, waiters.size))
    const reply = await within(request, LEASE_PATIENCE_MS, ports.sleep, null)
    if (reply) absorb(state, reply, sentAtMs, ports.clock(), ports.random())
    else absorbFailure(state, sentAtMs, ports.clock(), ports.random())
  } catch {
    absorbFailure(state, sentAtMs, ports.clock(), ports.random())
  }
}

function decided({ state }: LeaseHolder, admission: Exclude<Admission, 'needs_lease'>): Admitted {
  return { admission, verdict: state.verdict, retryAfterMs: state.retryAfterMs }
}
