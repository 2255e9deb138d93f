/** The pure parts of `npm run bench:distance`: a figure is what its rule says, on every machine. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { arrivals, quantile, type Seen, summaryOf } from '../../../bench/distance/quantiles.ts'
import { REGIONS } from '../../../bench/distance/regions.ts'
import { regionRow, rowOf } from '../../../bench/distance/report.ts'

const seen = (tookMs: number, status: number | null, region = 'Tokyo'): Seen => ({
  region,
  sentAtMs: 0,
  lateMs: 0,
  tookMs,
  status,
})

describe('quantile', () => {
  it('returns a value that so many are not above, and no smaller one', () => {
    const values = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1 })
    fc.assert(
      fc.property(values, fc.double({ min: 0.01, max: 1, noNaN: true }), (all, share) => {
        const found = quantile(all, share) as number
        const notAbove = (bound: number) => all.filter((value) => value <= bound).length / all.length
        expect(all).toContain(found)
        expect(notAbove(found)).toBeGreaterThanOrEqual(share)
        expect(notAbove(found - 1)).toBeLessThan(share)
      }),
    )
  })

  it('returns null of nothing', () => {
    expect(quantile([], 0.5)).toBeNull()
  })
})

it('counts refusals and requests that were given up as not answered, and leaves their times out', () => {
  const all = [seen(10, 200), seen(20, 200), seen(1, 503), seen(2_000, null)]
  expect(summaryOf(all)).toEqual({ requests: 4, answered: 0.5, p50: 10, p95: 20, p99: 20 })
})

it('rounds the share of the answered down, so that 100 % means all', () => {
  const almostAll = [...Array.from({ length: 9_999 }, () => seen(10, 200)), seen(1, 503)]
  expect(rowOf('hot', almostAll, [seen(5, 200)])).toEqual([
    'reads of 20 customers, read before',
    '10 ms, 10 ms, 10 ms',
    '99.9 %',
    '5 ms, 5 ms, 5 ms',
    '100 %',
  ])
})

it('shows a region by its own clients only', () => {
  const peer = { hot: [seen(140, 200), seen(1, 200, 'Dallas')], cold: [], change: [] }
  const tokyo = REGIONS.find(({ name }) => name === 'Tokyo') as (typeof REGIONS)[number]
  expect(regionRow(tokyo, peer, {})).toEqual(['Tokyo', '139 ms', '140 ms, none', 'none, none', 'none, none'])
})

it('sends as often as it should on average, at the same times for the same seed', () => {
  const times = arrivals(100, 100, 7)
  expect(times).toEqual(arrivals(100, 100, 7))
  expect(times).not.toEqual(arrivals(100, 100, 8))
  expect(times).toEqual(times.toSorted((a, b) => a - b))
  expect(Math.abs(times.length - 10_000)).toBeLessThan(500)
})

it('has the primary region first, and every other one farther away', () => {
  const distances = REGIONS.map(({ toPrimaryMs }) => toPrimaryMs)
  expect(distances).toHaveLength(7)
  expect(distances).toEqual(distances.toSorted((a, b) => a - b))
  expect(distances[0]).toBeLessThan(2)
})
