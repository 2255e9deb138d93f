/**
 * Empties a chain: the pending deliveries of one customer's events to one endpoint, in their order. The next is
 * attempted only when the one before is delivered or given up, so an endpoint receives a customer's events in the order
 * in which they happened. A chain is worked on in a slot (slots.ts). HTTP, D1 and time are handed in.
 *
 * If the Worker dies at any point, the delivery becomes due again. So an event may be sent twice but is never lost.
 */
import type { Scope } from '../registry/customer.ts'
import { DELIVERY_ATTEMPTS_MAX, type Outcome, outcomeOf } from './attempts.ts'
import type { Posted } from './deliver.ts'
import type { LoggedEvent } from './event.ts'
import { pauseMsAfter, timeoutMsOf } from './slots.ts'

export interface Chain extends Scope {
  endpointId: string
  /** Empty for events that concern no customer. */
  customerId: string
}

/** A delivery that nobody else tries for the next `DELIVERY_CLAIM_MS`. */
export interface Claimed {
  id: number
  eventId: string
  /** Number of this attempt, from 1. An interrupted attempt does not count: the receiver may never have seen it. */
  attempt: number
  /** How often the delivery has been claimed, including this time. */
  claims: number
  endpoint: { url: string; sealedSecrets: string; failingSinceMs: number | null }
  /** Returns null when D1 no longer has the event. Throws when it cannot be read. */
  readEvent(): LoggedEvent | null
}

/** State of the head of a chain. */
export type Head =
  | { kind: 'none' }
  | { kind: 'claimed'; delivery: Claimed }
  /**
   * Another invocation holds it, it waits for a slot, or its next attempt is in the future. That invocation, the
   * delivery that brings it back, or the sweep continues the chain. `atMs`: when it is due.
   */
  | { kind: 'not_due'; atMs: number }
  /** It is due, but its endpoint receives no events. */
  | { kind: 'closed'; reason: 'endpoint_disabled' | 'endpoint_deleted' }

export interface Attempted {
  atMs: number
  durationMs: number
  statusCode: number | null
  error: string | null
  answer: string | null
}

export interface Finished {
  /** The next head, claimed if `claimNext` is set; the same delivery when it is to be retried. */
  head: Head
  /** True when this attempt disabled the endpoint. */
  disabled: boolean
  /** Customers whose deliveries to the endpoint were waiting for a slot, and are due after the pause of the outcome. */
  broughtBack: string[]
  /** The delivery that has the slot now, if one was to be taken over and was granted it. */
  taken?: { customerId: string; delivery: Claimed } | undefined
}

export interface GivenUp {
  /** The head that is left. */
  head: Head
  /** As in `Finished`. */
  broughtBack: string[]
}

export interface Outbox {
  claim(chain: Chain, nowMs: number): Promise<Head>
  /**
   * Stores the attempt with its outcome and claims the next delivery, in one transaction. Changes nothing if another
   * invocation has claimed the delivery meanwhile. Without `claimNext` the next delivery stays due. `bringsBack`: how many
   * that wait for a slot are brought back if it was delivered and its chain needs its slot no more. With `takesOver`, the
   * first of these is claimed.
   */
  finish(
    chain: Chain,
    delivery: Claimed,
    result: { attempted: Attempted; outcome: Outcome },
    options: { nowMs: number; claimNext: boolean; bringsBack?: number | undefined; takesOver?: boolean | undefined },
  ): Promise<Finished>
  /** Gives up a bounded number of due deliveries of a chain whose endpoint is closed. */
  giveUp(chain: Chain, reason: string, nowMs: number): Promise<GivenUp>
}

export interface DrainDeps {
  outbox: Outbox
  clock(): number
  /** Sends an event to an endpoint, which has `timeoutMs` to respond. Throws only when the event has no body that could be sent. */
  send(event: LoggedEvent, endpoint: Claimed['endpoint'], timeoutMs: number): Promise<Posted>
  /** Reads an event that D1 no longer has. Null if nobody has it. Throws if nobody knows now, and then the delivery is due again. */
  readArchived?: (chain: Chain, eventId: string) => Promise<LoggedEvent | null>
  /** Called when a delivery was given up because it can never be sent. */
  onParked(chain: Chain, delivery: Claimed, error: unknown): void
  /** The most deliveries of this turn. */
  deliveriesMax?: number
  /** See `Outbox.finish`. */
  bringsBack?: number
  /** Returns whether another chain may follow now. */
  takesOver?: () => boolean
  /** The head of the chain if it is claimed already. */
  claimed?: Claimed
}

/** How long a claim protects a delivery from other invocations. Longer than the longest attempt. */
export const DELIVERY_CLAIM_MS = 60_000
/** How long one invocation works on one chain while others wait for their turn. */
const DRAIN_MS = 30_000
/** A delivery takes eight D1 statements, an invocation has five messages, and D1 allows 1,000 statements. */
const DELIVERIES_MAX = 20
/** An event that ends every Worker that sends it must not block the events behind it for ever. */
const CLAIMS_MAX = 3 * DELIVERY_ATTEMPTS_MAX

export interface Drained {
  /** When this chain needs work again: at once or after a back-off. Null when it needs none. */
  againAtMs: number | null
  /** True when the endpoint was disabled, which is an event for the tenant's other endpoints. */
  disabled: boolean
  /** Customers whose deliveries to this endpoint were waiting for a slot. */
  broughtBack: string[]
  /** When these are due. */
  broughtBackAtMs: number
  /** As in `Finished`. */
  taken?: Finished['taken']
}

export async function drainChain(chain: Chain, deps: DrainDeps): Promise<Drained> {
  const { outbox, clock, deliveriesMax = DELIVERIES_MAX, bringsBack, claimed } = deps
  const startMs = clock()
  const broughtBack: string[] = []
  let broughtBackAtMs = startMs
  let taken: Finished['taken']
  let head: Head = claimed ? { kind: 'claimed', delivery: claimed } : await outbox.claim(chain, startMs)
  for (let done = 1; head.kind === 'claimed'; done++) {
    const { delivery } = head
    const { attempted, outcome } = await attempt(chain, delivery, deps)
    const nowMs = clock()
    const claimNext = done < deliveriesMax && nowMs - startMs < DRAIN_MS
    const takesOver = deps.takesOver?.()
    const options = { nowMs, claimNext, bringsBack, takesOver }
    const finished = await outbox.finish(chain, delivery, { attempted, outcome }, options)
    broughtBackAtMs = nowMs + pauseMsAfter(outcome.next)
    // After a change of the endpoint during the attempt, the same delivery may be due at once.
    if (outcome.next.kind === 'retry' && finished.head.kind !== 'claimed') {
      const { head, disabled, broughtBack } = finished
      return {
        againAtMs: head.kind === 'not_due' ? head.atMs : outcome.next.atMs,
        disabled,
        broughtBack,
        broughtBackAtMs,
      }
    }
    if (finished.disabled || !claimNext) {
      const { disabled, broughtBack, taken } = finished
      return { againAtMs: finished.head.kind === 'none' ? null : nowMs, disabled, broughtBack, broughtBackAtMs, taken }
    }
    head = finished.head
    broughtBack.push(...finished.broughtBack)
    taken = finished.taken
  }
  if (head.kind === 'closed') {
    const left = await outbox.giveUp(chain, head.reason, clock())
    head = left.head
    broughtBack.push(...left.broughtBack)
  }
  return { againAtMs: head.kind === 'closed' ? clock() : null, disabled: false, broughtBack, broughtBackAtMs, taken }
}

const PARKED: Outcome = { next: { kind: 'parked' }, disable: null }

async function attempt(
  chain: Chain,
  delivery: Claimed,
  { send, clock, onParked, readArchived }: DrainDeps,
): Promise<{ attempted: Attempted; outcome: Outcome }> {
  const atMs = clock()
  const park = (error: unknown, reason: string) => {
    onParked(chain, delivery, error)
    const attempted = { atMs, durationMs: 0, statusCode: null, error: reason, answer: null }
    return { attempted, outcome: PARKED }
  }
  if (delivery.claims > CLAIMS_MAX) return park(new Error('no attempt came to its end'), 'attempts_interrupted')
  let event: LoggedEvent | null
  try {
    event = delivery.readEvent()
  } catch (error) {
    return park(error, 'event_unreadable')
  }
  event ??= (await readArchived?.(chain, delivery.eventId)) ?? null
  if (event === null) return park(new Error('the event is not in the log'), 'event_unreadable')
  try {
    const { failingSinceMs } = delivery.endpoint
    const { attempt } = delivery
    const timeoutMs = timeoutMsOf({ attempt, isFailing: failingSinceMs !== null })
    const { retryAfterMs, ...posted } = await send(event, delivery.endpoint, timeoutMs)
    const outcome = outcomeOf({ ...posted, retryAfterMs }, { attempt, failingSinceMs, nowMs: clock() })
    return { attempted: { atMs, ...posted }, outcome }
  } catch (error) {
    return park(error, 'event_unreadable')
  }
}
