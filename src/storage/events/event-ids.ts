/**
 * Converts between the ids of events and their times: an id is `evt_` and a ULID, whose first ten characters are the
 * milliseconds since 1970.
 */
import { type SQL, sql } from 'drizzle-orm'
import { decodeTime, encodeTime } from 'ulid'
import { WRITE_DEADLINE_MS } from '../../gate/protocol/constants.ts'

const PREFIX = 'evt_'
const TIME_LENGTH = 10
const ULID_LENGTH = 26
/** Crockford's base 32. */
const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const BITS_PER_DIGIT = 5

/** An id is made shortly before its change, by another clock than D1's. More than the two ever differ. */
export const CLOCKS_DIFFER_MS = 3_600_000

/**
 * After this time D1 refuses every write that was begun, so no earlier id can still be committed. Includes one second
 * for the difference of the clocks.
 */
export const SETTLED_AFTER_MS = WRITE_DEADLINE_MS + 1_000

/**
 * Matches while an event with an id of that time may still be written. Later, it would come behind readers that follow
 * the log.
 */
export function mayStillBeLogged(timeMs: number): SQL {
  return sql`unixepoch('subsec') * 1000 < ${timeMs + WRITE_DEADLINE_MS}`
}

/** Returns the smallest id of events at that time or later. */
export function firstEventIdAt(timeMs: number): string {
  return PREFIX + encodeTime(Math.max(0, timeMs), TIME_LENGTH)
}

/** Returns the time at which the id of an event, a customer or anything else was made, or which `firstEventIdAt` got. */
export function timeOfId(id: string): number {
  return decodeTime(id.slice(id.indexOf('_') + 1).padEnd(ULID_LENGTH, '0'))
}

/**
 * SQL for the smallest id that may still be committed: a reader that has all ids below it has missed none. Uses D1's
 * clock, which also judges commits.
 */
export function firstUnsettledEventId(): SQL {
  const digits = Array.from({ length: TIME_LENGTH }, (_, at) => {
    const shift = sql.raw(String((TIME_LENGTH - 1 - at) * BITS_PER_DIGIT))
    return sql`substr(${DIGITS}, ((ms >> ${shift}) & 31) + 1, 1)`
  })
  return sql`(SELECT ${PREFIX} || ${sql.join(digits, sql` || `)}
    FROM (SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) - ${SETTLED_AFTER_MS} AS ms))`
}
