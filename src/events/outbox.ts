/**
 * Empties a chain: the pending deliveries of one customer's events to one endpoint, in their order. The next is tried only
 * when the one before is delivered or given up, so an endpoint sees a customer's events in the order in which they
 * happened. Decides nothing about HTTP or D1: both are handed in, as is time.
 *
 * Whatever dies in between leaves a delivery that is due again by itself, so an event may be sent twice but is never lost.
 */
import type { Scope } from '../registry/customer.ts'
import { ATTEMPTS_MAX, type Outcome, outcomeOf } from './attempts.ts'
import type { Posted } from './deliver.ts'
import type { LoggedEvent } from './event.ts'
import type { Secret } from './signature.ts'

export interface Chain extends Scope {
  endpointId: string
  /** Empty for events that are about no customer. */
  customerId: string
}

/** A delivery that nobody else tries for the next `CLAIM_MS`. */
export interface Claimed {
  id: number
  eventId: string
  /** Which attempt this is, from 1 on. One that was interrupted does not count: the receiver may never have seen it. */
  attempt: number
  /** How often the delivery has been taken on, this time included. */
  claims: number
  endpoint: { url: string; secrets: readonly Secret[]; failingSinceMs: number | null }
  /** Throws when the event can not be read. */
  readEvent(): LoggedEvent
}

/** What the head of a chain is like. */
export type Head =
  | { kind: 'none' }
  | { kind: 'claimed'; delivery: Claimed }
  /** Somebody is at it, or its next attempt is still to come: whoever saw to that sees to what follows. */
  | { kind: 'not_due' }
  /** It is due, and its endpoint is to be sent nothing. */
  | { kind: 'closed'; reason: 'endpoint_disabled' | 'endpoint_deleted' }

export interface Attempted {
  atMs: number
  durationMs: number
  statusCode: number | null
  error: string | null
  answer: string | null
}

export interface Finished {
  /** The head that follows, claimed if that was asked for; the same delivery when it is to be tried again. */
  head: Head
  /** True when this very attempt disabled the endpoint. */
  disabled: boolean
}

export interface Outbox {
  claim(chain: Chain, nowMs: number): Promise<Head>
  /**
   * One transaction: keeps the attempt and what follows from it, and takes on the next delivery. An attempt that somebody
   * else has taken over meanwhile changes nothing. Without `claimNext` the next one is left due.
   */
  finish(
    chain: Chain,
    delivery: Claimed,
    result: { attempted: Attempted; outcome: Outcome },
    options: { nowMs: number; claimNext: boolean },
  ): Promise<Finished>
  /** Gives up what is due of a chain whose endpoint is closed, a bounded number at once. Answers the head that is left. */
  giveUp(chain: Chain, reason: string, nowMs: number): Promise<Head>
}

export interface DrainDeps {
  outbox: Outbox
  clock(): number
  /** Sends an event to an endpoint. Throws only when there is nothing that could be sent. */
  send(event: LoggedEvent, endpoint: Claimed['endpoint']): Promise<Posted>
  /** A delivery that can never be made was given up. */
  onParked(chain: Chain, delivery: Claimed, error: unknown): void
}

/** As long as nobody else tries a delivery that somebody has taken on. Longer than the longest attempt. */
export const CLAIM_MS = 60_000
/** One invocation goes on for so long with one chain; others wait for their turn behind it. */
const DRAIN_MS = 30_000
const DELIVERIES_MAX = 100
/** An event that nobody survives the sending of must not stop those behind it for ever. */
const CLAIMS_MAX = 3 * ATTEMPTS_MAX

export interface Drained {
  /** When there is more to be done, by this invocation's doing: at once, or after a back-off. Null: nothing. */
  againAtMs: number | null
  /** The endpoint was disabled, which is an event for the others. */
  disabled: boolean
}

export async function drainChain(chain: Chain, deps: DrainDeps): Promise<Drained> {
  const { outbox, clock } = deps
  const startMs = clock()
  let head = await outbox.claim(chain, startMs)
  for (let done = 1; head.kind === 'claimed'; done++) {
    const { delivery } = head
    const { attempted, outcome } = await attempt(chain, delivery, deps)
    const nowMs = clock()
    const claimNext = done < DELIVERIES_MAX && nowMs - startMs < DRAIN_MS
    const finished = await outbox.finish(chain, delivery, { attempted, outcome }, { nowMs, claimNext })
    if (outcome.next.kind === 'retry') return { againAtMs: outcome.next.atMs, disabled: finished.disabled }
    if (finished.disabled || !claimNext) {
      return { againAtMs: finished.head.kind === 'none' ? null : nowMs, disabled: finished.disabled }
    }
    head = finished.head
  }
  if (head.kind === 'closed') head = await outbox.giveUp(chain, head.reason, clock())
  return { againAtMs: head.kind === 'closed' ? clock() : null, disabled: false }
}

const PARKED: Outcome = { next: { kind: 'parked' }, disable: null }

async function attempt(
  chain: Chain,
  delivery: Claimed,
  { send, clock, onParked }: DrainDeps,
): Promise<{ attempted: Attempted; outcome: Outcome }> {
  const atMs = clock()
  const park = (error: unknown, reason: string) => {
    onParked(chain, delivery, error)
    const attempted = { atMs, durationMs: 0, statusCode: null, error: reason, answer: null }
    return { attempted, outcome: PARKED }
  }
  if (delivery.claims > CLAIMS_MAX) return park(new Error('no attempt came to its end'), 'attempts_interrupted')
  try {
    const { retryAfterMs, ...posted } = await send(delivery.readEvent(), delivery.endpoint)
    const { failingSinceMs } = delivery.endpoint
    const { attempt } = delivery
    const outcome = outcomeOf({ ...posted, retryAfterMs }, { attempt, failingSinceMs, nowMs: clock() })
    return { attempted: { atMs, ...posted }, outcome }
  } catch (error) {
    return park(error, 'event_unreadable')
  }
}
