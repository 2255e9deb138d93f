/**
 * What the id of an event says of its time: `evt_` and a ULID, whose first ten characters are the milliseconds since 1970.
 */
import { type SQL, sql } from 'drizzle-orm'
import { encodeTime } from 'ulid'
import { WRITE_DEADLINE_MS } from '../gate/constants.ts'

const PREFIX = 'evt_'
const TIME_LENGTH = 10
/** Crockford's base 32. */
const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const BITS_PER_DIGIT = 5

/** An id is made a moment before its change and by another clock than the last; this is more than they ever differ. */
export const CLOCKS_DIFFER_MS = 3_600_000

/** By then D1 refuses whatever was begun: no id from before can still be committed. A second for the clocks. */
const SETTLED_AFTER_MS = WRITE_DEADLINE_MS + 1_000

/** Whether an event whose id is of that time may still be written: later it would come behind whoever follows the log. */
export function mayStillBeLogged(timeMs: number): SQL {
  return sql`unixepoch('subsec') * 1000 < ${timeMs + WRITE_DEADLINE_MS}`
}

/** Events of that time and later have ids from this on. */
export function firstEventIdAt(timeMs: number): string {
  return PREFIX + encodeTime(Math.max(0, timeMs), TIME_LENGTH)
}

/**
 * The same in SQL, for the time before which nothing can be committed any more: whoever has seen all ids up to this one has
 * not missed any. By the clock of D1, which is the one that commits are judged by.
 */
export function firstUnsettledEventId(): SQL {
  const digits = Array.from({ length: TIME_LENGTH }, (_, at) => {
    const shift = sql.raw(String((TIME_LENGTH - 1 - at) * BITS_PER_DIGIT))
    return sql`substr(${DIGITS}, ((ms >> ${shift}) & 31) + 1, 1)`
  })
  return sql`(SELECT ${PREFIX} || ${sql.join(digits, sql` || `)}
    FROM (SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) - ${SETTLED_AFTER_MS} AS ms))`
}
