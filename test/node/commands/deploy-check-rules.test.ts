/** Tests the conclusions of `npm run deploy -- --check` from clocks read over a network, and from requests under load. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  aheadMs,
  type ClockCall,
  caughtUpMs,
  lostMs,
  outsideMs,
} from '../../../scripts/deploy-check/experiments/clock-rules.ts'
import { failuresOf, replacementOf, restartsOf, type Sample } from '../../../scripts/deploy-check/experiments/load.ts'

describe('the conclusions from an interval', () => {
  /** Calls one after the other to an object with these lags. Requests and responses travel for any time. */
  const story = fc.array(
    fc.record({
      pauseMs: fc.nat(500),
      outMs: fc.nat(400),
      backMs: fc.nat(400),
      lagMs: fc.integer({ min: -3_000, max: 3_000 }),
    }),
    { minLength: 1, maxLength: 10 },
  )

  function callsOf(steps: { pauseMs: number; outMs: number; backMs: number; lagMs: number }[]): ClockCall[] {
    let nowMs = 0
    return steps.map(({ pauseMs, outMs, backMs, lagMs }) => {
      const sentAtMs = nowMs + pauseMs
      const arrivedMs = sentAtMs + outMs
      nowMs = arrivedMs + backMs
      const sqlBefore = { ms: arrivedMs, error: null }
      return { sentAtMs, receivedAtMs: nowMs, beforeMs: arrivedMs - lagMs, sqlBefore, instance: 'one' }
    })
  }

  it('returns at most the truth, and at least the truth without the travelling time', () => {
    fc.assert(
      fc.property(story, (steps) => {
        const seen = callsOf(steps)
        const lags = steps.map(({ lagMs }) => lagMs)
        const travelMs = Math.max(...steps.map(({ outMs, backMs }) => outMs + backMs))
        const within = (found: number, truth: number, slackMs: number) => {
          expect(found).toBeLessThanOrEqual(Math.max(0, truth))
          expect(found).toBeGreaterThanOrEqual(truth - slackMs)
        }
        within(lostMs(seen), (lags.at(-1) ?? 0) - (lags[0] ?? 0), 2 * travelMs)
        within(aheadMs(seen), -Math.min(...lags), travelMs)
        const drops = lags.flatMap((lag, at) => lags.slice(at + 1).map((later) => lag - later))
        within(caughtUpMs(seen), Math.max(0, ...drops), 2 * travelMs)
        for (const each of seen) expect(outsideMs(each.sqlBefore.ms ?? 0, each)).toBe(0)
      }),
    )
  })
})

describe('the conclusions from requests under load', () => {
  const sample = (atMs: number, object: string, answer: string | null, tookMs = 10): Sample => {
    const [worker = '', version = '', instance = ''] = answer?.split(' ') ?? []
    const common = { sentAtMs: atMs, receivedAtMs: atMs + tookMs, object }
    return answer === null
      ? { ...common, answer: null, error: 'the probe answered 503' }
      : { ...common, answer: { worker, version, instance }, error: null }
  }
  const others = ['load-2', 'load-3', 'load-4'].map((object) => sample(0, object, '2 2 n'))

  it('counts the life of old objects from the first isolate of the new version', () => {
    const samples = [
      sample(0, 'load-1', '1 1 a'),
      sample(1_000, 'load-1', '2 1 a'),
      sample(4_000, 'load-1', '1 1 a'),
      sample(5_000, 'load-1', '2 1 a'),
      sample(6_000, 'load-1', '2 2 b'),
    ]
    expect(
      replacementOf([...samples, ...others.map((other) => ({ ...other, receivedAtMs: 6_000 }))], '2'),
    ).toMatchObject({
      oldLivedMs: 4_000,
      stillOld: 0,
    })
    expect(replacementOf([...samples.slice(0, 4), ...others], '2').stillOld).toBe(1)
    expect(replacementOf(samples.slice(0, 1), '2').oldLivedMs).toBeNull()
  })

  it('counts failures in a row, silence and restarts for each object by itself', () => {
    const samples = [
      sample(0, 'load-1', '1 1 a'),
      sample(250, 'load-1', null),
      sample(300, 'load-2', null),
      sample(500, 'load-1', null),
      sample(600, 'load-2', '1 1 x'),
      sample(750, 'load-1', '1 1 b'),
      sample(1_000, 'load-1', '1 1 c'),
    ]
    expect(failuresOf(samples)).toEqual({ requests: 7, failed: 3, failedInARow: 2, longestSilenceMs: 750 })
    expect(restartsOf(samples)).toBe(2)
  })
})
