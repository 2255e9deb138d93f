import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { Announcer } from '../../src/events/announce.ts'
import { deliverMessage, onboardMessage, readMessage } from '../../src/events/messages.ts'

const SCOPE = { tenantId: '0b6f7d0e-3f0c-4a52-9a63-6f1a5a1c2d3e', mode: 'live' as const }

describe('a message', () => {
  it('is read as it was written', () => {
    for (const message of [deliverMessage(SCOPE, 'whe_1', 'cust_1'), onboardMessage(SCOPE, 'cust_1')]) {
      expect(readMessage(JSON.parse(JSON.stringify(message)))).toEqual(message)
    }
  })

  it('of another version, of another kind, or with a part that is none, is ignored and never misread', () => {
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

describe('announcements', () => {
  it('wait for the one under way, and then go together, each customer once', async () => {
    const made: string[][] = []
    const underWay: (() => void)[] = []
    const announcer = new Announcer((customerIds) => {
      made.push(customerIds)
      return new Promise((resolve) => underWay.push(resolve))
    })
    announcer.add(['a'])
    announcer.add(['b', 'c'])
    announcer.add(['c', 'd'])
    expect(made).toEqual([['a']])
    underWay.shift()?.()
    await Promise.resolve()
    expect(made).toEqual([['a'], ['b', 'c', 'd']])
    announcer.add(['a'])
    underWay.shift()?.()
    await Promise.resolve()
    expect(made.at(-1)).toEqual(['a'])
  })

  it('go in rounds of 500, and of a flood the rest is left to the sweep', async () => {
    const rounds: number[] = []
    const announcer = new Announcer(async (customerIds) => void rounds.push(customerIds.length))
    announcer.add(Array.from({ length: 1_201 }, (_, at) => `cust_${at}`))
    await vi.waitFor(() => expect(rounds).toEqual([500, 500, 201]))
    let told = 0
    let begin = () => {}
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    const flooded = new Announcer(async (ids) => {
      await begun
      told += ids.length
    })
    flooded.add(['first'])
    for (let at = 0; at < 60; at++) flooded.add(Array.from({ length: 1_000 }, (_, i) => `cust_${at}_${i}`))
    begin()
    await vi.waitFor(() => expect(told).toBe(1 + 50_000))
    flooded.add(['last'])
    await vi.waitFor(() => expect(told).toBe(2 + 50_000))
  })
})
