/**
 * Tests the series of the usage chart, and the outlook on the contract year.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { total, usageSeries, yearOutlook } from '../../../console/src/lib/usage-series.ts'

const nowMs = Date.parse('2026-11-27T14:00:00Z')

describe('a series', () => {
  it('has every day up to today once, and zero for a day without requests', () => {
    const days = [
      { date: '2026-11-27', admitted: 5, rate_limited: 1, errors: 2 },
      { date: '2026-11-25', admitted: 7, rate_limited: 0 },
      { date: '2026-10-01', admitted: 9, rate_limited: 9 },
    ]
    const series = usageSeries(days, nowMs, 3)
    expect(series.seconds.map((at) => new Date(at * 1000).toISOString().slice(0, 10))).toEqual([
      ...['2026-11-25', '2026-11-26', '2026-11-27'],
    ])
    expect([series.admitted, series.limited, series.errors]).toEqual([
      [7, 0, 5],
      [0, 0, 1],
      [0, 0, 2],
    ])
    expect(total(series.admitted)).toBe(12)
  })
})

describe('the outlook on a year', () => {
  it('foresees the day on which the limit is reached, and none within the first week', () => {
    const half = yearOutlook(600, 1_000, '2026-01-01', Date.parse('2026-07-01T00:00:00Z'))
    expect([half.share, half.endsAt.slice(0, 10), half.reachedAt?.slice(0, 7)]).toEqual([0.6, '2027-01-01', '2026-10'])
    expect(yearOutlook(900, 1_000, '2026-11-25', nowMs).reachedAt).toBeNull()
    expect(yearOutlook(400, 1_000, '2026-01-01', Date.parse('2026-07-01T00:00:00Z')).reachedAt).toBeNull()
    expect(yearOutlook(1_000, 1_000, '2026-01-01', nowMs)).toMatchObject({ isReached: true, reachedAt: null, share: 1 })
  })

  it('foresees only days between now and the end of the year', () => {
    const used = fc.nat({ max: 2_000 })
    fc.assert(
      fc.property(used, fc.integer({ min: 1, max: 2_000 }), fc.nat({ max: 364 }), (count, limit, day) => {
        const at = Date.parse('2026-01-01T00:00:00Z') + day * 86_400_000
        const { reachedAt, endsAt, share } = yearOutlook(count, limit, '2026-01-01', at)
        expect(share >= 0 && share <= 1).toBe(true)
        if (reachedAt === null) return
        expect(Date.parse(reachedAt)).toBeGreaterThanOrEqual(at)
        expect(reachedAt < endsAt).toBe(true)
      }),
    )
  })
})
