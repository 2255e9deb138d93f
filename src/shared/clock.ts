/** The one place that knows what time it is. Everything else is told. */

/** Milliseconds since 1970, UTC. */
export type Clock = () => number

export const systemClock: Clock = () => Date.now()

/** ISO 8601 in UTC, as every answer writes a time. */
export function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString()
}
