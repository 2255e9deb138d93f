/**
 * The only place that reads the time of day. All other code receives a clock.
 */

/** Milliseconds since 1970, UTC. */
export type Clock = () => number

export const systemClock: Clock = () => Date.now()

/** Returns ISO 8601 in UTC, the format of every time in a response. */
export function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString()
}

/** Returns a time in milliseconds as ISO 8601 text in UTC; null for null. */
export function timeOrNull(timeMs: number | null): string | null {
  return timeMs === null ? null : isoTime(timeMs)
}
