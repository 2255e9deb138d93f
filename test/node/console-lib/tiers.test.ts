/**
 * Tests how the console tells what a change of the tier does, and reads limits that are typed.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LIMITS, type LimitName, limitChanges, limitsOf, TIERS, typedLimits } from '../../../console/src/lib/tiers.ts'
import { limitsFor } from '../../../src/tenants/tiers.ts'

const limit = fc.integer({ min: 1, max: 1_000_000_000 })
const limits = fc.record({
  requests_per_second: limit,
  burst: limit,
  annual_commitment: limit,
  annual_validation_limit: limit,
  storage_bytes: limit,
})

describe('a change of the tier', () => {
  it('shows as next what Roster then enforces, for every tier and what was given', () => {
    const given = fc.option(limits, { nil: {} })
    fc.assert(
      fc.property(fc.constantFrom(...TIERS), limits, given, (tier, current, typed) => {
        const enforced = limitsFor(tier, asStored(current), asStored(typed))
        for (const { name, next, direction } of limitChanges(current, tier, typed)) {
          const { show } = LIMITS.find((each) => each.name === name) ?? { show: String }
          const value = enforced[STORED[name]]
          expect(next).toBe(show(value))
          const differs = value === current[name] ? 'same' : value > current[name] ? 'up' : 'down'
          expect(direction).toBe(differs)
        }
      }),
    )
    expect(limitsOf('custom')).toBeNull()
  })
})

describe('typed limits', () => {
  it('are whole numbers, with any grouping, and an empty field is left out', () => {
    expect(typedLimits({ burst: '1,000', requests_per_second: ' 50 ', storage_bytes: '' })).toEqual({
      ...{ burst: 1_000, requests_per_second: 50 },
    })
    expect(typedLimits({ burst: '5O' })).toEqual({ invalid: 'burst' })
    fc.assert(
      fc.property(fc.string({ maxLength: 8 }), (text) => {
        const read = typedLimits({ burst: text })
        if (!('invalid' in read) && read.burst !== undefined) expect(Number.isSafeInteger(read.burst)).toBe(true)
      }),
    )
  })
})

const STORED = {
  requests_per_second: 'requestsPerSecond',
  burst: 'burst',
  annual_commitment: 'annualCommitment',
  annual_validation_limit: 'annualValidationLimit',
  storage_bytes: 'storageBytes',
} as const

function asStored(shown: Partial<Record<LimitName, number>>) {
  const entries = Object.entries(shown).map(([name, value]) => [STORED[name as LimitName], value])
  return Object.fromEntries(entries) as Record<(typeof STORED)[LimitName], number>
}
