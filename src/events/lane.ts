/**
 * Works on the chains of an endpoint, one after the other: the next is that of the customer who has waited longest for a slot. It
 * is claimed as the one before is stored, so it needs no message and no trip of its own. Bounded in time and in D1 statements:
 * then the queue decides whose turn it is.
 */
import { type Chain, type DrainDeps, type Drained, drainChain } from './outbox.ts'
import { BROUGHT_BACK } from './slots.ts'

/** How long a message goes on with other customers while messages of other tenants may be waiting. */
const LANE_MS = 1_000
/** D1 statements of a claim, and of a delivery that is stored with the claim of the next. */
const STATEMENTS = { claim: 2, finish: 9, giveUp: 5 }
/** An invocation has five messages, and D1 allows 1,000 statements. */
const STATEMENTS_MAX = STATEMENTS.claim + 20 * STATEMENTS.finish

/** Works on the chain, and on those that follow. `onDrained` gets what is left to do after each. */
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
  const takesOver = () => {
    const further = 2 * STATEMENTS.finish + STATEMENTS.giveUp
    return clock() - startMs < LANE_MS && statements + further <= STATEMENTS_MAX
  }
  let next: NonNullable<Drained['taken']> | null = null
  for (let turn = 0; turn === 0 || next; turn++) {
    const chain: Chain = next ? { ...first, customerId: next.customerId } : first
    const drained: Drained = await drainChain(chain, {
      ...{ ...deps, outbox: counting, takesOver },
      ...(next && { claimed: next.delivery }),
      deliveriesMax: Math.floor((STATEMENTS_MAX - statements - STATEMENTS.claim) / STATEMENTS.finish),
      // The first begins a second lane, if there is a slot. More of them would only find none.
      bringsBack: turn === 0 ? BROUGHT_BACK.delivered : 1,
    })
    await onDrained(chain, drained)
    next = drained.taken ?? null
  }
}
