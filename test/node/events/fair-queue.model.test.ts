/** No tenant's receivers keep the webhooks of another waiting, and no delivery that waits for its turn is forgotten. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hasFreeSlot, SLOTS, timeoutMsOf } from '../../../src/events/slots.ts'
import { QueueModel, type Receiver } from './queue-model.ts'

const HANGS: Receiver = () => null
const WORKS: Receiver = () => ({ afterMs: 50, statusCode: 200 })
const FAILS: Receiver = () => ({ afterMs: 20, statusCode: 500 })
/** As many messages as Cloudflare handles at once: 250 consumers with batches of five. */
const CONSUMERS = 1_250

const chain = (tenantId: string, endpointId: string, customerId: string) =>
  ({ tenantId, mode: 'live', endpointId: `${tenantId} ${endpointId}`, customerId }) as const

describe('the queue', () => {
  it('delivers at once beside 20 endpoints that never answer and 2,000 deliveries to them', async () => {
    const model = new QueueModel(CONSUMERS)
    for (let at = 0; at < 20; at++) model.receive(`bad ${at}`, HANGS)
    model.commit(
      Array.from({ length: 2_000 }, (_, at) => chain('bad', String(at % 20), String(Math.floor(at / 20)))),
      0,
    )
    model.receive('good 0', WORKS)
    const good = [1, 1_000, 5_000, 14_000, 16_000, 40_000].flatMap((atMs) =>
      model.commit([chain('good', '0', String(atMs))], atMs),
    )
    await model.run(60_000)
    for (const { finishedAtMs, createdAtMs } of good) {
      expect((finishedAtMs ?? Number.MAX_SAFE_INTEGER) - createdAtMs).toBeLessThan(2_000)
    }
    expect(model.most.ofTenant).toBeLessThanOrEqual(SLOTS.allMax)
  })

  it('bounds what is under way and forgets nothing, however receivers behave', async () => {
    const receiver = fc.constantFrom(HANGS, WORKS, FAILS)
    const bad = fc.array(fc.record({ receiver, recoversAtMs: fc.integer({ min: 0, max: 600_000 }) }), {
      minLength: 1,
      maxLength: 20,
    })
    await fc.assert(
      fc.asyncProperty(
        bad,
        fc.integer({ min: 1, max: 300 }),
        fc.constantFrom(SLOTS.allMax + 10, CONSUMERS),
        fc.integer({ min: 0, max: 60_000 }),
        fc.nat(300),
        async (endpoints, count, consumers, goodAtMs, alone) => {
          const model = new QueueModel(consumers)
          for (const [at, { receiver, recoversAtMs }] of endpoints.entries()) {
            model.receive(`bad ${at}`, (nowMs) => (nowMs < recoversAtMs ? receiver(nowMs) : WORKS(nowMs)))
          }
          const all = Array.from({ length: count }, (_, at) =>
            chain('bad', String(at % endpoints.length), String(at % 97)),
          )
          // One request each for some, one import for the others.
          for (const [at, one] of all.slice(0, alone).entries()) model.commit([one], at)
          model.commit(all.slice(alone), 500)
          model.receive('good 0', WORKS)
          const [good] = model.commit([chain('good', '0', '')], goodAtMs)
          await model.run()
          expect((good?.finishedAtMs ?? Number.MAX_SAFE_INTEGER) - goodAtMs).toBeLessThan(2_000)
          expect(model.most.ofTenant).toBeLessThanOrEqual(SLOTS.allMax)
          expect(model.most.ofEndpoint).toBeLessThanOrEqual(SLOTS.endpointMax)
          expect(model.most.probes).toBeLessThanOrEqual(SLOTS.probesMax)
          expect(model.deliveries.filter(({ status }) => status !== 'delivered')).toEqual([])
        },
      ),
      { numRuns: 30 },
    )
  })
})

describe('a slot', () => {
  it('is free for an endpoint with nothing under way, until all are taken', () => {
    for (const isFailing of [true, false]) {
      const free = (ofTenant: number) => hasFreeSlot({ ofEndpoint: 0, ofTenant, isFailing })
      expect([free(0), free(SLOTS.tenantMax), free(SLOTS.allMax - 1), free(SLOTS.allMax)]).toEqual([
        ...[true, true, true, false],
      ])
    }
  })

  it('lets a probe have 5 s of the 15, but a delivery that has waited for minutes all of them', () => {
    const timeouts = (isFailing: boolean) => [1, 2, 3, 10].map((attempt) => timeoutMsOf({ attempt, isFailing }))
    expect(timeouts(false)).toEqual([15_000, 15_000, 15_000, 15_000])
    expect(timeouts(true)).toEqual([5_000, 5_000, 15_000, 15_000])
  })
})
