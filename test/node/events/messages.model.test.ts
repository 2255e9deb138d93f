import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { DeliveryEnqueuer } from '../../../src/events/delivery-enqueuer.ts'
import { deliverMessage, onboardMessage, readMessage } from '../../../src/events/messages.ts'

const SCOPE = { tenantId: '0b6f7d0e-3f0c-4a52-9a63-6f1a5a1c2d3e', mode: 'live' as const }

describe('a message', () => {
  it('is read as it was written', () => {
    for (const message of [deliverMessage(SCOPE, 'whe_1', 'cust_1'), onboardMessage(SCOPE, 'cust_1')]) {
      expect(readMessage(JSON.parse(JSON.stringify(message)))).toEqual(message)
    }
  })

  it('is ignored and never misread if its version, its kind or a part of it is unknown', () => {
    const message = deliverMessage(SCOPE, 'whe_1', 'cust_1')
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(message)), fc.anything(), (part, value) => {
        const read = readMessage({ ...message, [part]: value })
        if (read === null) return
        expect(read).toEqual(part === 'endpointId' && read.kind === 'onboard' ? null : { ...message, [part]: value })
      }),
    )
    expect(readMessage({ ...message, v: 2 })).toBeNull()
    expect(readMessage({ ...message, kind: 'other' })).toBeNull()
    fc.assert(
      fc.property(fc.anything(), (anything) => {
        expect(readMessage(anything)).toBeNull()
      }),
    )
  })
})

describe('deliveries to enqueue', () => {
  it('wait for the send under way, and are then sent together, each customer once', async () => {
    const made: string[][] = []
    const underWay: (() => void)[] = []
    const deliveryEnqueuer = new DeliveryEnqueuer((customerIds) => {
      made.push(customerIds)
      return new Promise((resolve) => underWay.push(resolve))
    })
    deliveryEnqueuer.add(['a'])
    deliveryEnqueuer.add(['b', 'c'])
    deliveryEnqueuer.add(['c', 'd'])
    expect(made).toEqual([['a']])
    underWay.shift()?.()
    await Promise.resolve()
    expect(made).toEqual([['a'], ['b', 'c', 'd']])
    deliveryEnqueuer.add(['a'])
    underWay.shift()?.()
    await Promise.resolve()
    expect(made.at(-1)).toEqual(['a'])
  })

  it('are sent in rounds of 50, and leave the rest of a flood to the sweep', async () => {
    const rounds: number[] = []
    const deliveryEnqueuer = new DeliveryEnqueuer(async (customerIds) => void rounds.push(customerIds.length))
    deliveryEnqueuer.add(Array.from({ length: 121 }, (_, at) => `cust_${at}`))
    await vi.waitFor(() => expect(rounds).toEqual([50, 50, 21]), 120_000)
    let sent = 0
    let begin = () => {}
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    const flooded = new DeliveryEnqueuer(async (ids) => {
      await begun
      sent += ids.length
    })
    flooded.add(['first'])
    for (let at = 0; at < 60; at++) flooded.add(Array.from({ length: 1_000 }, (_, i) => `cust_${at}_${i}`))
    begin()
    await vi.waitFor(() => expect(sent).toBe(1 + 50_000), 120_000)
    flooded.add(['last'])
    await vi.waitFor(() => expect(sent).toBe(2 + 50_000), 120_000)
  })
})
