/** One message works on many customers of an endpoint, within its time and its statements, and leaves the others to the queue. */
import { describe, expect, it } from 'vitest'
import type { LoggedEvent } from '../../../src/events/event.ts'
import { drainLane } from '../../../src/events/lane.ts'
import type { Chain, Claimed, DrainDeps, Outbox } from '../../../src/events/outbox.ts'

const FIRST: Chain = { tenantId: 'tenant', mode: 'live', endpointId: 'whe', customerId: '0' }
/** The share of each of five messages in the 1,000 statements that D1 allows an invocation. */
const STATEMENTS_MAX = 190

/** Drains an endless line of customers of a receiver that answers in this time with this status. */
async function drain(answerMs: number, statusCode = 200) {
  let [nowMs, statements, next] = [0, 0, 1]
  const sent: string[] = []
  const left: { customerId: string; broughtBack: string[]; atMs: number }[] = []
  const claimed: Claimed = {
    ...{ id: 1, eventId: 'evt', attempt: 1, claims: 1 },
    endpoint: { url: '', sealedSecrets: '', failingSinceMs: null },
    readEvent: () => ({}) as LoggedEvent,
  }
  const outbox: Outbox = {
    async claim() {
      statements += 2
      return { kind: 'claimed', delivery: claimed }
    },
    async finish(_chain, _delivery, { outcome }, { bringsBack = 2, takesOver }) {
      statements += 9
      const isDelivered = outcome.next.kind === 'delivered'
      const taken = takesOver && isDelivered ? { customerId: String(next++), delivery: claimed } : undefined
      const count = isDelivered ? bringsBack - (taken ? 1 : 0) : 1
      const broughtBack = Array.from({ length: count }, () => String(next++))
      return { head: { kind: 'none' }, disabled: false, broughtBack, taken }
    },
    giveUp: async () => {
      throw new Error('the endpoint is open')
    },
  }
  const deps: DrainDeps = {
    outbox,
    clock: () => nowMs,
    async send() {
      nowMs += answerMs
      return { statusCode, error: null, answer: null, isCut: false, durationMs: answerMs, retryAfterMs: null }
    },
    onParked: (_chain, _delivery, error) => {
      throw error
    },
  }
  await drainLane(FIRST, deps, async ({ customerId }, { broughtBack, broughtBackAtMs }) => {
    sent.push(customerId)
    left.push({ customerId, broughtBack, atMs: broughtBackAtMs })
  })
  return { sent, left: left.flatMap(({ broughtBack }) => broughtBack), statements, nowMs }
}

describe('a lane', () => {
  it('delivers to one customer after the other, as many as its statements are for, and loses none', async () => {
    const { sent, left, statements } = await drain(1)
    expect(sent.length).toBeGreaterThan(15)
    expect(statements).toBeLessThanOrEqual(STATEMENTS_MAX)
    const seen = [...sent, ...left].map(Number).toSorted((a, b) => a - b)
    expect(seen).toEqual(Array.from({ length: seen.length }, (_, at) => at))
  })

  it('begins a second lane, and hands over to one when it ends, and to no more', async () => {
    expect((await drain(1)).left).toHaveLength(2)
  })

  it('goes on for no longer than a second', async () => {
    const { sent, nowMs } = await drain(300)
    expect([sent.length, nowMs]).toEqual([4, 1_200])
    expect((await drain(5_000)).sent).toEqual(['0'])
  })

  it('does not go on with the next when the receiver fails', async () => {
    const { sent, left } = await drain(1, 500)
    expect([sent, left]).toEqual([['0'], ['1']])
  })
})
