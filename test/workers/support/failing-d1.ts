/**
 * A D1 that fails on demand, for every isolate and gate of the test at once: each call may be rejected, lost on the way
 * there or on the way back, or arrive after its sender has given up.
 */
import { env } from 'cloudflare:workers'
import { vi } from 'vitest'
import { type Sent, withTrips } from './d1-trips.ts'

/**
 * The fate of a call. `unsent`: broke off before D1 had it. `lost`: done, and the answer did not come back. `late`: broke
 * off, and arrives when `deliver` is called. `overloaded`: rejected unread. `full`: refused for want of room. The first
 * three look the same to the sender. `held`: succeeds once `release` is called.
 */
export type Trouble = 'none' | 'unsent' | 'lost' | 'late' | 'overloaded' | 'full' | 'held'

const BROKEN_OFF = 'D1_ERROR: Network connection lost.'
/** D1's own text without room; an account without room has `Exceeded maximum account storage limit.` */
export const NO_ROOM = 'D1_ERROR: Exceeded maximum DB size'
const TURNED_AWAY = 'D1_ERROR: D1 DB is overloaded. Too many requests queued.'
/** The gate gives D1 this long, so a bound number beyond now and within it is the deadline of a write. */
const DEADLINE_WITHIN_MS = 20_000
/** Shortens waits for a deadline and pauses before another attempt. */
const SHORTENED_FROM_MS = 250
const HELD_LOOK_MS = 5

export interface FailingD1 {
  /** Makes the next calls fail like this, one after the other; those after them succeed. */
  fail(troubles: readonly Trouble[]): void
  /** Ends the failures and returns the fate of each call since they began. */
  heal(): Trouble[]
  /** Delivers the late calls now, with their deadline passed. Their errors are dropped. */
  deliver(): Promise<void>
  /** Resolves when a call is held. */
  holds(): Promise<void>
  release(): void
  restore(): void
}

export function failingD1(): FailingD1 {
  const prototype = Object.getPrototypeOf(env.DB) as D1Database
  const open = prototype.withSession
  const pause = scheduler.wait.bind(scheduler)
  let ahead: Trouble[] = []
  let met: Trouble[] = []
  let late: Sent[][] = []
  let isFailing = false
  let isHolding = false

  async function trip<T>(run: () => Promise<T>, sent: Sent[]): Promise<T> {
    const trouble = ahead.shift() ?? 'none'
    if (isFailing) met.push(trouble)
    switch (trouble) {
      case 'none':
        return run()
      case 'held':
        isHolding = true
        while (isHolding) await pause(HELD_LOOK_MS)
        return run()
      case 'overloaded':
        throw new Error(TURNED_AWAY)
      case 'full':
        throw new Error(NO_ROOM)
      case 'late':
        late.push(sent.map(({ sql, values }) => ({ sql, values: values.map(passed) })))
        break
      case 'lost':
        await run().catch(() => undefined)
    }
    throw new Error(BROKEN_OFF)
  }

  vi.spyOn(prototype, 'withSession').mockImplementation(function (this: D1Database, start) {
    return withTrips(open.call(this, start), trip)
  })
  vi.spyOn(scheduler, 'wait').mockImplementation((ms, options) =>
    pause(isFailing && ms >= SHORTENED_FROM_MS ? 0 : ms, options),
  )
  return {
    fail(troubles) {
      ahead = [...troubles]
      met = []
      isFailing = true
    },
    heal() {
      ahead = []
      isFailing = false
      return met
    },
    async deliver() {
      for (const batch of late.splice(0)) {
        const statements = batch.map(({ sql, values }) => env.DB.prepare(sql).bind(...values))
        await env.DB.batch(statements).catch(() => undefined)
      }
    },
    async holds() {
      while (!isHolding) await pause(HELD_LOOK_MS)
    },
    release() {
      isHolding = false
    },
    restore() {
      isHolding = false
      vi.restoreAllMocks()
      late = []
    },
  }
}

function passed(value: unknown): unknown {
  const fromNowMs = typeof value === 'number' ? value - Date.now() : -1
  return fromNowMs > 0 && fromNowMs < DEADLINE_WITHIN_MS ? Date.now() - 1 : value
}
