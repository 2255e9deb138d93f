import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Bucket } from '../../../src/gate/core/token-bucket.ts'

/**
 * The same bucket without any cleverness: every drop of the level is written down, a late report changes the drop of
 * the past it belongs to, and the level is worked out from the beginning each time it is asked for.
 */
class NaiveBucket {
  #drops: { atMs: number; amount: number }[] = []
  #grants: {
    drop: { atMs: number; amount: number }
    permits: number
    spent: number
    unspent: number
    expiresAtMs: number
  }[] = []
  #rate: number
  #burst: number

  constructor(rate: number, burst: number) {
    this.#rate = rate
    this.#burst = burst
  }

  take(permits: number, nowMs: number): void {
    this.#drops.push({ atMs: nowMs, amount: permits })
  }

  grant(permits: number, ttlMs: number, nowMs: number): void {
    const drop = { atMs: nowMs + ttlMs, amount: permits }
    this.#drops.push(drop)
    this.#grants.push({ drop, permits, spent: 0, unspent: 0, expiresAtMs: nowMs + ttlMs })
  }

  report(index: number, spent: number, unspent: number, nowMs: number): void {
    const grant = this.#grants[index]
    if (!grant) return
    const moreSpent = Math.min(Math.max(0, spent - grant.spent), grant.permits - grant.spent - grant.unspent)
    grant.spent += moreSpent
    const moreUnspent = Math.min(Math.max(0, unspent - grant.unspent), grant.permits - grant.spent - grant.unspent)
    grant.unspent += moreUnspent
    grant.drop.amount -= moreUnspent
    if (nowMs >= grant.expiresAtMs) return
    grant.drop.amount -= moreSpent
    this.#drops.push({ atMs: nowMs, amount: moreSpent })
  }

  potential(nowMs: number): number {
    let level = this.#burst
    let atMs = 0
    for (const drop of [...this.#drops].sort((a, b) => a.atMs - b.atMs)) {
      if (drop.atMs > nowMs) break
      level = Math.min(this.#burst, level + (this.#rate * (drop.atMs - atMs)) / 1_000) - drop.amount
      atMs = drop.atMs
    }
    return Math.min(this.#burst, level + (this.#rate * (nowMs - atMs)) / 1_000)
  }
}

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 400 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('grant' as const),
      percent: fc.nat(100),
      ttlMs: fc.integer({ min: 1, max: 400 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('take' as const), permits: fc.integer({ min: 1, max: 5 }) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('report' as const),
      back: fc.nat(4),
      spent: fc.nat(12),
      unspent: fc.nat(120),
    }),
  },
)

describe('bucket', () => {
  it('is at every moment where a bucket would be that had known from the start what was reported since', () => {
    let gaveBackLate = 0
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.noBias(fc.integer({ min: 1, max: 200 })),
        fc.array(fc.noBias(step), { minLength: 20, maxLength: 60, size: 'max' }),
        (rate, burst, steps) => {
          const bucket = new Bucket({ ratePerSecond: rate, burst }, 0)
          const naive = new NaiveBucket(rate, burst)
          let nowMs = 0
          let grants = 0
          for (const one of steps) {
            if (one.kind === 'wait') nowMs += one.ms
            bucket.advance(nowMs)
            if (one.kind === 'take' && bucket.take(one.permits)) naive.take(one.permits, nowMs)
            const permits = one.kind === 'grant' ? Math.floor((one.percent * bucket.available) / 100) : 0
            if (one.kind === 'grant' && permits > 0) {
              bucket.grant(grants++, permits, one.ttlMs, nowMs)
              naive.grant(permits, one.ttlMs, nowMs)
            }
            const before = bucket.potential
            if (one.kind === 'report') {
              const newest = Math.max(0, grants - 1 - one.back)
              bucket.report(newest, one.spent, one.unspent)
              naive.report(newest, one.spent, one.unspent, nowMs)
            }
            if (bucket.potential > before) gaveBackLate++
            expect(bucket.potential).toBeCloseTo(naive.potential(nowMs), 6)
            expect(bucket.potential).toBeLessThanOrEqual(burst)
            expect(bucket.available).toBeGreaterThanOrEqual(0)
            expect(bucket.outstanding).toBeGreaterThanOrEqual(0)
          }
        },
      ),
      { numRuns: 400, seed: 7 },
    )
    expect(gaveBackLate, 'the case that matters must occur').toBeGreaterThan(500)
  })

  it('takes a report that comes again, late or in another order as if it had come once', () => {
    const run = (reports: [spent: number, unspent: number][]) => {
      const bucket = new Bucket({ ratePerSecond: 1, burst: 100 }, 0)
      bucket.grant(1, 80, 1_000, 0)
      for (const [spent, unspent] of reports) bucket.report(1, spent, unspent)
      return [bucket.available, bucket.outstanding]
    }
    const once = run([
      [30, 0],
      [50, 10],
    ])
    expect(once).toEqual([30, 20])
    expect(
      run([
        [30, 0],
        [50, 10],
        [50, 10],
      ]),
    ).toEqual(once)
    expect(
      run([
        [50, 10],
        [30, 0],
      ]),
    ).toEqual(once)
  })

  it('never makes permits of a report that claims more than was granted', () => {
    const bucket = new Bucket({ ratePerSecond: 1, burst: 100 }, 0)
    bucket.grant(1, 10, 1_000, 0)
    bucket.report(1, 4, 1_000)
    bucket.report(2, 0, 50)
    expect(bucket.available).toBe(96)
    expect(bucket.outstanding).toBe(0)
  })

  it('refuses a grant beyond what there is', () => {
    const bucket = new Bucket({ ratePerSecond: 1, burst: 10 }, 0)
    expect(() => bucket.grant(1, 11, 1_000, 0)).toThrow(RangeError)
    expect(bucket.take(11)).toBe(false)
    expect(bucket.available).toBe(10)
  })

  it('goes by the larger limits while old permits live, and by the lower ones after', () => {
    const bucket = new Bucket({ ratePerSecond: 100, burst: 200 }, 0)
    bucket.grant(1, 150, 1_000, 0)
    bucket.setLimits({ ratePerSecond: 10, burst: 20 }, 100)
    expect(bucket.available).toBe(20)
    bucket.take(20)
    bucket.report(1, 0, 100)
    expect(bucket.available, 'permits of the larger burst are not granted again').toBe(0)
    bucket.advance(1_000)
    expect(bucket.available).toBe(0)
    bucket.advance(2_000)
    expect(bucket.available).toBe(10)
    bucket.advance(60_000)
    expect(bucket.available).toBe(20)
  })

  it('does not go back in time', () => {
    const bucket = new Bucket({ ratePerSecond: 10, burst: 10 }, 1_000)
    bucket.take(10)
    bucket.advance(1_500)
    bucket.advance(900)
    expect(bucket.available).toBe(5)
    bucket.advance(1_600)
    expect(bucket.available).toBe(6)
  })

  it('starts again empty until everything granted before has expired, then refills', () => {
    const bucket = Bucket.afterRestart({ ratePerSecond: 10, burst: 20 }, 0, 1_000)
    bucket.advance(999)
    expect(bucket.available).toBe(0)
    bucket.advance(1_500)
    expect(bucket.available).toBe(5)
  })

  it('knows when it will be full', () => {
    const bucket = new Bucket({ ratePerSecond: 10, burst: 20 }, 0)
    expect(bucket.fullInMs).toBe(0)
    bucket.take(5)
    expect(bucket.fullInMs).toBe(500)
  })
})
