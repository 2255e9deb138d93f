/**
 * Bounds the error of an object's clock by the readings of its caller. The caller reads its own clock before and after
 * each call; the object was called somewhere between, so each lag is an interval, and the functions return its certain
 * bounds. Pure.
 */

/** One call. Times are milliseconds since 1970, by the clock that the name says. */
export interface ClockCall {
  /** The caller's clock. */
  sentAtMs: number
  receivedAtMs: number
  /** The object's clock when the call arrived. */
  beforeMs: number
  sqlBefore: { ms: number | null; error: string | null }
  /** Another after a restart of the object. */
  instance: string
}

/** Returns how far the object's clock was behind the caller's: at least and at most. */
export function lagOf({ sentAtMs, receivedAtMs, beforeMs }: ClockCall): { leastMs: number; mostMs: number } {
  return { leastMs: sentAtMs - beforeMs, mostMs: receivedAtMs - beforeMs }
}

/** Returns the time that the object's clock lost between the first call and the last, at least. */
export function lostMs(calls: ClockCall[]): number {
  const [first, last] = [calls[0], calls.at(-1)]
  if (!first || !last) return 0
  return Math.max(0, lagOf(last).leastMs - lagOf(first).mostMs)
}

/** Returns the largest time that the object's clock caught up between two calls, at least. */
export function caughtUpMs(calls: ClockCall[]): number {
  let [most, highestLeastMs] = [0, -Infinity]
  for (const call of calls) {
    most = Math.max(most, highestLeastMs - lagOf(call).mostMs)
    highestLeastMs = Math.max(highestLeastMs, lagOf(call).leastMs)
  }
  return most
}

/** Returns how far the object's clock was ahead of its caller's, at least. */
export function aheadMs(calls: ClockCall[]): number {
  return Math.max(0, ...calls.map((call) => -lagOf(call).mostMs))
}

/** Returns how far a reading is outside the time of its call. */
export function outsideMs(ms: number, { sentAtMs, receivedAtMs }: ClockCall): number {
  return Math.max(0, sentAtMs - ms, ms - receivedAtMs)
}

/** Returns the CPU time of the calls: the time of each beyond `idleMs`, that of a call that computes nothing. */
export function burnedMs(calls: ClockCall[], idleMs: number): number {
  return calls.reduce((sum, call) => sum + Math.max(0, tookMs(call) - idleMs), 0)
}

/**
 * Returns the time of the quickest call: the best estimate of a call that computes nothing, because any call may have
 * waited.
 */
export function quickestMs(calls: ClockCall[]): number {
  return Math.min(...calls.map(tookMs))
}

function tookMs({ sentAtMs, receivedAtMs }: ClockCall): number {
  return receivedAtMs - sentAtMs
}

/** Returns true if the object was not restarted between the calls. */
export function isOneLife(calls: ClockCall[]): boolean {
  return new Set(calls.map(({ instance }) => instance)).size === 1
}
