/**
 * Tests how the console writes numbers, sizes, times and ids.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as format from '../../../console/src/lib/format.ts'

const NOW = '2026-11-27T14:02:07.000Z'
const nowMs = Date.parse(NOW)

describe('numbers', () => {
  it('are grouped, counted with their noun, and cut where there is little room', () => {
    expect(format.number(1234567)).toBe('1,234,567')
    expect([format.count(1, 'key'), format.count(3, 'key'), format.count(0, 'delivery', 'deliveries')]).toEqual([
      '1 key',
      '3 keys',
      '0 deliveries',
    ])
    expect(format.compact(1_250_000)).toBe('1.3M')
  })

  it('show as 0 % only nothing, and as 100 % only everything', () => {
    expect([format.percent(0, 10), format.percent(10, 10), format.percent(1, 0)]).toEqual(['0 %', '100 %', '–'])
    const part = fc.integer({ min: 1, max: 999_999 })
    fc.assert(fc.property(part, (used) => !['0 %', '100 %'].includes(format.percent(used, 1_000_000))))
  })

  it('never write 1,000 of a unit of bytes that has a next one', () => {
    expect([0, 999, 1_000, 48_200, 999_960, 2_000_000_000].map(format.bytes)).toEqual([
      '0 B',
      '999 B',
      '1 KB',
      '48.2 KB',
      '1 MB',
      '2 GB',
    ])
    fc.assert(fc.property(fc.nat({ max: 1e14 }), (value) => !/^1,000 [BKMG]/.test(format.bytes(value))))
  })
})

describe('times', () => {
  it('are durations in the largest unit that says them exactly', () => {
    expect([864_000, 86_400, 5_400, 3_600, 45, 0].map(format.duration)).toEqual([
      '10 days',
      '1 day',
      '90 minutes',
      '1 hour',
      '45 seconds',
      '0 seconds',
    ])
  })

  it.each([
    ['2026-11-27T14:02:30Z', 'now'],
    ['2026-11-27T14:01:15Z', '1 min ago'],
    ['2026-11-27T12:32:07Z', '1 hr ago'],
    ['2026-11-25T14:02:07Z', '2 days ago'],
    ['2026-11-28T15:02:07Z', 'tomorrow'],
    ['2024-11-27T14:02:07Z', '2 yr ago'],
    ['no time', 'no time'],
  ])('are relative to now: %s is %s', (time, shown) => {
    expect(format.relativeTime(time, nowMs).replace('.', '')).toBe(shown)
  })

  it('are exact in the zone of the reader', () => {
    expect(format.exactTime(NOW, 'Europe/Berlin')).toMatch(/^27 Nov 2026, 15:02:07 (CET|GMT\+1)$/)
    expect(format.clockTime(NOW, 'UTC')).toBe('14:02:07')
    expect(format.date('2026-11-27T23:30:00Z', 'Asia/Tokyo')).toBe('28 Nov 2026')
  })
})

describe('ids', () => {
  it('are cut in the middle, between whole characters, and only if that makes them shorter', () => {
    expect(format.shortId('cust_01JD3VQ4X8N2M7R5T9W6YBZKCE')).toBe('cust_01JD…BZKCE')
    expect(format.shortId('cust_01JD')).toBe('cust_01JD')
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (id) => {
        const short = format.shortId(id)
        expect(short.length).toBeLessThanOrEqual(id.length)
        expect(short.isWellFormed()).toBe(id.isWellFormed())
      }),
    )
  })
})
