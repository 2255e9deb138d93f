import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ErrorCount, ErrorCounts } from '../../../src/observability/error-counts.ts'

const BEGAN_MS = Date.UTC(2026, 5, 1, 12)

/** An isolate with a clock and a D1 that is away at times. */
class Isolate {
  nowMs = BEGAN_MS
  isAway = false
  attempts: number[] = []
  readonly stored = new Map<string, number>()
  readonly #work: Promise<unknown>[] = []
  readonly #counts = new ErrorCounts()
  readonly #at = { executionCtx: { waitUntil: (work: Promise<unknown>) => void this.#work.push(work) } }

  count(api: string, status: number): void {
    this.#counts.count({ api, status }, this.nowMs, this.#store, this.#at)
  }

  request(): void {
    if (this.#counts.hasUnstored) this.#counts.storeIfDue(this.nowMs, this.#store, this.#at)
  }

  /** Waits until the attempts under way have ended, too. */
  async wait(ms: number): Promise<void> {
    await Promise.all(this.#work)
    this.nowMs += ms
  }

  readonly #store = async (counts: readonly ErrorCount[]): Promise<void> => {
    this.attempts.push(this.nowMs)
    if (this.isAway) throw new Error('D1 is away')
    for (const { minuteMs, api, status, count } of counts) {
      const key = `${minuteMs} ${api} ${status}`
      this.stored.set(key, (this.stored.get(key) ?? 0) + count)
    }
  }
}

const step = fc.record({
  waitMs: fc.oneof(fc.nat(500), fc.nat(30_000)),
  api: fc.constantFrom('v1', 'admin', null),
  status: fc.constantFrom(500, 503),
  isAway: fc.boolean(),
})

describe('errors of an isolate', () => {
  it('are each stored once, by minute, whatever fails, and D1 is called once in ten seconds', async () => {
    let attempts = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25, size: 'max' }), async (steps) => {
        const isolate = new Isolate()
        const expected = new Map<string, number>()
        for (const { waitMs, api, status, isAway } of steps) {
          isolate.isAway = isAway
          await isolate.wait(waitMs)
          isolate.request()
          if (api === null) continue
          const key = `${Math.floor(isolate.nowMs / 60_000) * 60_000} ${api} ${status}`
          expected.set(key, (expected.get(key) ?? 0) + 1)
          isolate.count(api, status)
        }
        isolate.isAway = false
        for (let request = 0; request < 3; request++) {
          await isolate.wait(10_000)
          isolate.request()
        }
        await isolate.wait(10_000)
        expect([...isolate.stored].sort()).toEqual([...expected].sort())
        for (const [at, sentAtMs] of isolate.attempts.entries()) {
          const before = isolate.attempts[at - 1]
          if (before !== undefined) expect(sentAtMs - before).toBeGreaterThanOrEqual(10_000)
        }
        attempts += isolate.attempts.length
      }),
      { numRuns: 100, seed: 7 },
    )
    expect(attempts).toBeGreaterThan(200)
  })

  it('cost nothing while there are none, and the first is stored at once', async () => {
    const isolate = new Isolate()
    for (let request = 0; request < 100; request++) isolate.request()
    await isolate.wait(60_000)
    expect(isolate.attempts).toEqual([])
    isolate.count('v1', 503)
    expect(isolate.attempts).toEqual([isolate.nowMs])
  })

  it('are forgotten after an hour that D1 was away', async () => {
    const isolate = new Isolate()
    isolate.isAway = true
    isolate.count('v1', 503)
    await isolate.wait(3_700_000)
    isolate.isAway = false
    isolate.request()
    await isolate.wait(20_000)
    expect([...isolate.stored]).toEqual([])
  })
})
