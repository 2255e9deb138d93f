import { describe, expect, it } from 'vitest'
import { ChangeRate, takesToKv } from '../../../src/gate/isolate/kv-filling.ts'
import { CHANGES_KEPT } from '../../../src/gate/protocol/constants.ts'

const T = 1_790_000_000_000
const changes = (count: number) => ({ changes: Array.from({ length: 2 * count }, () => 0) })

describe('a value', () => {
  it('is taken to KV once, when it is used again', () => {
    const kept = { isShared: false }
    expect([takesToKv(kept, new ChangeRate()), takesToKv(kept, new ChangeRate())]).toEqual([true, false])
  })

  it('is not taken to KV while its tenant changes so many others that nobody could judge it there', () => {
    const rate = new ChangeRate()
    rate.note(changes(CHANGES_KEPT / 2), T)
    expect(rate.isAboveKv).toBe(false)
    rate.note(changes(CHANGES_KEPT / 2), T + 59_000)
    const kept = { isShared: false }
    expect(takesToKv(kept, rate)).toBe(false)
    rate.note(changes(1), T + 60_000)
    expect(takesToKv(kept, rate), 'the minute before was like that').toBe(false)
    rate.note(changes(1), T + 120_000)
    expect(takesToKv(kept, rate)).toBe(true)
  })

  it('is taken to KV again after a long silence, or when the clock goes back', () => {
    for (const nextMs of [T + 120_000, T - 1]) {
      const rate = new ChangeRate()
      rate.note(changes(CHANGES_KEPT), T)
      expect(rate.isAboveKv).toBe(true)
      rate.note(changes(1), nextMs)
      rate.note(changes(1), nextMs + 60_000)
      expect(rate.isAboveKv).toBe(false)
    }
  })
})
