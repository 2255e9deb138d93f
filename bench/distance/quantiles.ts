/** Sums up what clients saw, in few numbers. Pure. */

/** A request as its client saw it. */
export interface Seen {
  region: string
  /** Milliseconds since the load began. */
  sentAtMs: number
  /** Milliseconds by which the client itself was late, because the machine was busy. */
  lateMs: number
  tookMs: number
  /** The status of the answer; null if the client gave up. */
  status: number | null
}

export interface Summary {
  requests: number
  /** The share that was answered 2xx. */
  answered: number
  /** Milliseconds until an answer of 2xx; null if there was none. */
  p50: number | null
  p95: number | null
  p99: number | null
}

/** Returns the share that was answered 2xx, and how long these took. */
export function summaryOf(seen: readonly Seen[]): Summary {
  const tookMs = seen.filter(isAnswered).map((one) => one.tookMs)
  const share = seen.length === 0 ? 0 : tookMs.length / seen.length
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((rank) => quantile(tookMs, rank))
  return { requests: seen.length, answered: share, p50: p50 ?? null, p95: p95 ?? null, p99: p99 ?? null }
}

function isAnswered({ status }: Seen): boolean {
  return status !== null && status < 300
}

/** Returns the least value that is not below that share of all; null if there is none. */
export function quantile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null
}

/** Returns the times of events that come at random, `perSecond` on average, the same ones for the same seed. */
export function arrivals(perSecond: number, seconds: number, seed: number): number[] {
  const random = randomOf(seed)
  const times: number[] = []
  for (let atMs = 0; ; ) {
    atMs += (-Math.log(1 - random()) * 1_000) / perSecond
    if (atMs >= seconds * 1_000) return times
    times.push(atMs)
  }
}

/** Returns a generator of numbers from 0 to below 1 (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
