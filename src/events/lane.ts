/**
 * Works on the chains of an endpoint, one after the other: the next is that of a customer which a delivery brought back, so it
 * needs no message, and no trip through the queue. Bounded in time and in D1 statements: then the queue decides whose turn it is.
 */
import { type Chain, DELIVERIES_MAX, type DrainDeps, type Drained, drainChain } from './outbox.ts'
import { BROUGHT_BACK } from './slots.ts'

/** How long a message goes on with other customers while messages of other tenants may be waiting. */
const LANE_MS = 1_000
/** D1 statements of a claim, and of a delivery that is stored with the claim of the next. */
const STATEMENTS = { claim: 2, finish: 8, giveUp: 5 }
/** An invocation has five messages, and D1 allows 1,000 statements. */
const STATEMENTS_MAX = STATEMENTS.claim + DELIVERIES_MAX * STATEMENTS.finish

/**
 * Works on the chain, and on those that follow. `onDrained` gets what is left to do after each, without the customer that is
 * next.
 */
export async function drainLane(
  first: Chain,
  deps: DrainDeps,
  onDrained: (chain: Chain, drained: Drained) => Promise<void>,
): Promise<void> {
  const { outbox, clock } = deps
  const startMs = clock()
  let statements = 0
  const counting: DrainDeps['outbox'] = {
    claim(...given) {
      statements += STATEMENTS.claim
      return outbox.claim(...given)
    },
    finish(...given) {
      statements += STATEMENTS.finish
      return outbox.finish(...given)
    },
    giveUp(...given) {
      statements += STATEMENTS.giveUp
      return outbox.giveUp(...given)
    },
  }
  let bringsBack: number = BROUGHT_BACK.delivered
  for (let chain: Chain | null = first; chain; ) {
    const deliveriesMax = Math.floor((STATEMENTS_MAX - statements - STATEMENTS.claim) / STATEMENTS.finish)
    const drained: Drained = await drainChain(chain, { ...deps, outbox: counting, deliveriesMax, bringsBack })
    const nowMs = clock()
    const goesOn =
      nowMs - startMs < LANE_MS &&
      drained.broughtBackAtMs <= nowMs &&
      statements + STATEMENTS.claim + STATEMENTS.finish <= STATEMENTS_MAX
    const [next, ...others] = goesOn ? drained.broughtBack : []
    await onDrained(chain, next === undefined ? drained : { ...drained, broughtBack: others })
    chain = next === undefined ? null : { ...chain, customerId: next }
    // The first has begun a second lane, if there was a slot. More of them would only find none.
    bringsBack = 1
  }
}
