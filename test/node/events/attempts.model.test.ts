/** Tests when an event is sent again, and when its endpoint is disabled. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DELIVERY_ATTEMPTS_MAX, FAILING_FOR_MS, outcomeOf } from '../../../src/events/attempts.ts'

const HOUR_MS = 3_600_000
const NOW_MS = 1_000_000_000_000
const at = (attempt: number, failingSinceMs: number | null = null) => ({ attempt, failingSinceMs, nowMs: NOW_MS })
const answered = (statusCode: number | null, retryAfterMs: number | null = null) => ({
  ...{ statusCode, retryAfterMs },
  error: statusCode === null ? ('timeout' as const) : null,
})
const delayOf = (...given: Parameters<typeof outcomeOf>) => {
  const { next } = outcomeOf(...given)
  return next.kind === 'retry' ? next.atMs - NOW_MS : next.kind
}

describe('an attempt', () => {
  it('follows the one before it after 5 s, 5 and 30 min, 2, 5, 10, 14, 20 and 24 h, and after ten there is none', () => {
    const delays = Array.from({ length: DELIVERY_ATTEMPTS_MAX }, (_, before) => delayOf(answered(500), at(before + 1)))
    const hours = [2, 5, 10, 14, 20, 24].map((hour) => hour * HOUR_MS)
    expect(delays).toEqual([5_000, 300_000, 1_800_000, ...hours, 'given_up'])
  })

  it('succeeds with a 2xx, and with nothing else', () => {
    const well = Array.from({ length: 500 }, (_, before) => before + 100).filter(
      (status) => outcomeOf(answered(status), at(1)).next.kind === 'delivered',
    )
    expect(well).toEqual(Array.from({ length: 100 }, (_, before) => before + 200))
    expect(outcomeOf(answered(null), at(1)).next.kind).toBe('retry')
  })

  it('counts as not received when Cloudflare answered in place of the receiver, with any status', () => {
    for (const error of ['connection_failed', 'refused_by_cloudflare'] as const) {
      for (const status of [200, 202, 403, 410, 522]) {
        const { next, disable } = outcomeOf({ ...answered(status), error }, at(1))
        expect([next.kind, disable], `${status} ${error}`).toEqual(['retry', null])
      }
    }
  })

  it('disables nothing when it succeeds, however long the endpoint has failed', () => {
    expect(outcomeOf(answered(204), at(9, 0)).disable).toBeNull()
  })

  it('waits as long as the receiver requests, at most a day, and never less than the schedule', () => {
    expect(delayOf(answered(429, 60_000), at(1))).toBe(60_000)
    expect(delayOf(answered(503, 60_000), at(1))).toBe(60_000)
    expect(delayOf(answered(429, 1_000), at(2))).toBe(300_000)
    expect(delayOf(answered(429, 1e12), at(1))).toBe(24 * HOUR_MS)
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: DELIVERY_ATTEMPTS_MAX - 1 }),
        fc.option(fc.integer({ min: 300, max: 599 })),
        fc.option(fc.nat()),
        (attempt, status, retryAfterMs) => {
          const delay = delayOf(answered(status, retryAfterMs), at(attempt)) as number
          expect(delay).toBeGreaterThanOrEqual(delayOf(answered(500), at(attempt)) as number)
          expect(delay).toBeLessThanOrEqual(24 * HOUR_MS)
        },
      ),
    )
  })
})

describe('an endpoint', () => {
  it('is disabled by a 410 at once', () => {
    expect(outcomeOf(answered(410), at(1)).disable).toBe('gone')
    expect(outcomeOf(answered(404), at(1)).disable).toBeNull()
  })

  it('is disabled when every attempt has failed for five days, and not a moment before', () => {
    expect(outcomeOf(answered(500), at(5, NOW_MS - FAILING_FOR_MS)).disable).toBe('failing')
    expect(outcomeOf(answered(500), at(5, NOW_MS - FAILING_FOR_MS + 1)).disable).toBeNull()
    expect(FAILING_FOR_MS).toBe(120 * HOUR_MS)
  })

  it('is not disabled because it failed weeks ago and is away for a moment just now', () => {
    for (const attempt of [1, 2, 3]) expect(outcomeOf(answered(500), at(attempt, 0)).disable).toBeNull()
    expect(outcomeOf(answered(500), at(4, 0)).disable).toBe('failing')
  })

  it('keeps its due attempts when it is disabled: it may be enabled again before the next one', () => {
    expect(outcomeOf(answered(410), at(1)).next.kind).toBe('retry')
    expect(outcomeOf(answered(500), at(4, 0)).next.kind).toBe('retry')
  })
})
