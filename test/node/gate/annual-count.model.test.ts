import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AnnualCount, type AnnualRow } from '../../../src/gate/core/annual-count.ts'
import { TALLIES_MAX, TALLY_MEMORY_MS, USAGE_DAYS } from '../../../src/gate/protocol/constants.ts'
import type { Tally } from '../../../src/gate/protocol/leases.ts'

const NOW = Date.UTC(2026, 5, 1, 12)
const tallyOf = (id: string, admitted: number, more: Partial<Tally> = {}): Tally => ({
  id,
  admitted,
  limited: 0,
  savedAdmitted: 0,
  savedLimited: 0,
  held: 0,
  lastLeaseEpoch: 1,
  lastLeaseOrdinal: 0,
  ...more,
})
const counting = () => {
  const annual = new AnnualCount(null)
  annual.enterYear('2026-01-01', NOW)
  return annual
}

const step = fc.record({
  isolate: fc.nat(3),
  admits: fc.nat(20),
  limits: fc.nat(5),
  fails: fc.nat(3),
  sends: fc.boolean(),
  arrives: fc.nat(6),
  forgets: fc.boolean(),
  saves: fc.boolean(),
  restarts: fc.boolean(),
})

describe('annual count', () => {
  it('stores a bounded row however many isolates there are, and never counts too little', () => {
    const annual = counting()
    const isolates = TALLIES_MAX + 3_000
    let held = 0
    for (let at = 0; at < isolates; at++) {
      const id = `0190a0a0-0000-4000-8000-${String(at).padStart(12, '0')}`
      annual.receive(tallyOf(id, 10), NOW + at)
      annual.granted(id, { epoch: 1, ordinal: at + 1 }, 5, 0)
      if (at >= isolates - TALLIES_MAX) held += 5
    }
    const row = annual.save(0, NOW + isolates)
    expect(Object.keys(row.tallies)).toHaveLength(TALLIES_MAX)
    expect(JSON.stringify(row).length).toBeLessThan(1_500_000)
    // The permits of those that were dropped count as spent.
    expect([row.count, annual.usage().outstanding]).toEqual([10 * isolates + 5 * (isolates - TALLIES_MAX), held])
    // One that was dropped is heard again: nothing that it counts is lost.
    annual.receive(tallyOf('0190a0a0-0000-4000-8000-000000000000', 17, { savedAdmitted: 10 }), NOW + isolates)
    expect(annual.usage().count).toBe(row.count + 7)
  })

  it('is exact once the newest total of every isolate has arrived, whatever was lost, repeated or forgotten before', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        let annual = counting()
        let stored = annual.save(0, NOW)
        const isolates = [0, 1, 2, 3].map((index) => ({
          id: `t${index}`,
          admitted: 0,
          limited: 0,
          errors: 0,
          savedAdmitted: 0,
          savedLimited: 0,
          savedErrors: 0,
        }))
        const onTheWay: Tally[] = []
        for (const one of steps) {
          const isolate = isolates[one.isolate] as (typeof isolates)[number]
          isolate.admitted += one.admits
          isolate.limited += one.limits
          isolate.errors += one.fails
          if (one.sends) onTheWay.push(tallyOf(isolate.id, isolate.admitted, isolate))
          const arriving = onTheWay[one.arrives % Math.max(1, onTheWay.length)]
          if (arriving) {
            annual.receive(arriving, NOW)
            if (one.saves) stored = annual.save(0, NOW)
            if (!one.forgets) Object.assign(isolates[Number(arriving.id[1])] as object, annual.savedOf(arriving.id))
          }
          if (one.restarts) annual = new AnnualCount(structuredClone(stored))
        }
        for (const isolate of isolates) annual.receive(tallyOf(isolate.id, isolate.admitted, isolate), NOW)
        const usage = annual.usage()
        expect(usage.count).toBe(isolates.reduce((sum, isolate) => sum + isolate.admitted, 0))
        const day = usage.days['2026-06-01']
        expect(day?.limited ?? 0).toBe(isolates.reduce((sum, isolate) => sum + isolate.limited, 0))
        expect(day?.errors ?? 0).toBe(isolates.reduce((sum, isolate) => sum + isolate.errors, 0))
      }),
      { numRuns: 300, seed: 7 },
    )
  })

  it('leaves no room for what is granted and not accounted for', () => {
    const annual = counting()
    annual.receive(tallyOf('a', 0), NOW)
    annual.granted('a', { epoch: 1, ordinal: 1 }, 60, 0)
    expect(annual.room(100)).toBe(40)
    annual.receive(tallyOf('a', 10, { held: 50, lastLeaseOrdinal: 1 }), NOW)
    expect(annual.usage()).toMatchObject({ count: 10, outstanding: 50 })
    annual.granted('a', { epoch: 1, ordinal: 2 }, 40, 0)
    expect(annual.room(100)).toBe(0)
    annual.receive(tallyOf('a', 20, { held: 0, lastLeaseOrdinal: 1 }), NOW)
    expect(annual.usage(), 'lease 2 is not confirmed').toMatchObject({ count: 20, outstanding: 40 })
    annual.receive(tallyOf('a', 20, { held: 0, lastLeaseOrdinal: 3 }), NOW)
    expect(annual.room(100)).toBe(80)
    expect(annual.room(null)).toBe(Number.POSITIVE_INFINITY)
  })

  it('takes nothing from a message that was overtaken', () => {
    const annual = counting()
    annual.receive(tallyOf('a', 0), NOW)
    annual.granted('a', { epoch: 1, ordinal: 1 }, 30, 0)
    annual.receive(tallyOf('a', 5, { held: 25, lastLeaseOrdinal: 1 }), NOW)
    annual.receive(tallyOf('a', 0, { held: 0 }), NOW)
    expect(annual.usage()).toMatchObject({ count: 5, outstanding: 25 })
  })

  it('counts for an isolate that is gone what its waiting requests were to spend, and frees the rest', () => {
    const annual = counting()
    annual.receive(tallyOf('a', 0), NOW)
    annual.granted('a', { epoch: 1, ordinal: 1 }, 9, 2)
    annual.save(0, NOW + TALLY_MEMORY_MS)
    expect(annual.usage()).toMatchObject({ count: 0, outstanding: 9 })
    annual.save(0, NOW + TALLY_MEMORY_MS + 1)
    expect(annual.usage()).toMatchObject({ count: 2, outstanding: 0 })
  })

  it('does not count again what it had stored of an isolate it has since forgotten', () => {
    const annual = counting()
    annual.receive(tallyOf('a', 100, { savedAdmitted: 90 }), NOW)
    expect(annual.usage().count).toBe(10)
  })

  it('takes the errors of an isolate whose row older code has stored, and those of a message of older code as none', () => {
    const annual = counting()
    annual.receive(tallyOf('a', 5), NOW)
    const { errors: _, ...tally } = annual.save(0, NOW).tallies.a ?? {}
    const read = new AnnualCount({ ...annual.save(0, NOW), tallies: { a: tally } } as AnnualRow)
    read.receive(tallyOf('a', 5, { errors: 2 }), NOW)
    read.receive(tallyOf('a', 6), NOW)
    expect(read.usage().days).toEqual({ '2026-06-01': { admitted: 6, limited: 0, errors: 2 } })
  })

  it('starts a contract year from zero and keeps the days', () => {
    const annual = counting()
    const laterMs = Date.UTC(2027, 0, 1)
    annual.admitted(7, NOW)
    annual.enterYear('2026-01-01', laterMs)
    annual.admitted(1, laterMs)
    expect(annual.usage()).toMatchObject({
      yearStart: '2027-01-01',
      count: 1,
      days: { '2026-06-01': { admitted: 7, limited: 0 }, '2027-01-01': { admitted: 1, limited: 0 } },
    })
  })

  it.each([
    { contract: '2026-01-01', laterMs: Date.UTC(2027, 0, 1), earlierYear: '2026-01-01' },
    { contract: '2024-02-29', laterMs: Date.UTC(2025, 2, 1), earlierYear: '2024-02-29' },
  ])('loses nothing when a clock that began a year of $contract too early is right again', (given) => {
    const { contract, laterMs, earlierYear } = given
    const ahead = new AnnualCount(null)
    ahead.enterYear(contract, laterMs)
    ahead.admitted(7, laterMs)
    const annual = new AnnualCount(ahead.save(0, laterMs))
    annual.enterYear(contract, laterMs - 60_000)
    annual.admitted(2, laterMs - 60_000)
    expect(annual.usage()).toMatchObject({ yearStart: earlierYear, count: 9 })
    annual.enterYear(contract, laterMs)
    expect(annual.usage().count).toBe(7)
  })

  it('shows the newest days only', () => {
    const annual = counting()
    for (let day = 0; day < USAGE_DAYS + 5; day++) annual.limited(1, NOW + day * 86_400_000)
    const days = Object.keys(annual.usage().days).sort()
    expect(days).toHaveLength(USAGE_DAYS)
    expect(days[0]).toBe('2026-06-06')
  })
})
