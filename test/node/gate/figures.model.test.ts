import { describe, expect, it } from 'vitest'
import { simulate } from '../../../bench/gate-model.ts'

const run = (ratePerSecond: number, load: number, isolates: number) =>
  simulate({
    ratePerSecond,
    burst: 2 * ratePerSecond,
    isolates,
    offeredPerSecond: ratePerSecond * load,
    seconds: Math.max(10, 4_000 / ratePerSecond),
    seed: 1,
  })

describe('what it costs', () => {
  it.each([
    { rate: 200, load: 0.5, callsMax: 50 },
    { rate: 100, load: 1, callsMax: 50 },
    { rate: 1_000, load: 1, callsMax: 6 },
  ])(
    'an isolate at $load of $rate requests/s asks at most $callsMax times in a thousand',
    ({ rate, load, callsMax }) => {
      expect(run(rate, load, 1).callsPerThousand).toBeLessThanOrEqual(callsMax)
    },
  )

  it.each([50, 100, 200, 1_000])('at half of %i requests/s, 95 in 100 need no I/O', (rate) => {
    expect(run(rate, 0.5, 1).zeroIoShare).toBeGreaterThanOrEqual(0.95)
  })

  it.each([
    { roundTripMs: 235, offeredPerSecond: 20 },
    { roundTripMs: 235, offeredPerSecond: 100 },
    { roundTripMs: 139, offeredPerSecond: 20 },
  ])(
    'far from the gate, $roundTripMs ms, 97 in 100 of $offeredPerSecond requests/s need no I/O',
    ({ roundTripMs, offeredPerSecond }) => {
      const far = { isolates: 1, roundTripMs, offeredPerSecond, seconds: 60, seed: 1 }
      expect(simulate({ ratePerSecond: 1_000, burst: 2_000, ...far }).zeroIoShare).toBeGreaterThanOrEqual(0.97)
    },
  )

  it.each([
    { rate: 10, load: 2, lostMax: 0.015 },
    { rate: 100, load: 2, lostMax: 0.015 },
    { rate: 1_000, load: 2, lostMax: 0.015 },
    { rate: 10, load: 1, lostMax: 0.06 },
    { rate: 100, load: 1, lostMax: 0.03 },
    { rate: 1_000, load: 1, lostMax: 0.03 },
  ])(
    'at $load of $rate requests/s at most $lostMax of what one central bucket admits is lost',
    ({ rate, load, lostMax }) => {
      for (const isolates of [1, 10, 100]) {
        const { lostShare, excess, errors, offered } = run(rate, load, isolates)
        expect(lostShare).toBeLessThanOrEqual(lostMax)
        expect(excess).toBeLessThanOrEqual(0)
        expect(errors / offered).toBeLessThan(0.002)
      }
    },
  )
})
