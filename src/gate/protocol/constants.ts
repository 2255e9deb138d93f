/**
 * The numbers that isolate and gate must agree on, each with the reason for it; those of one file alone are in it, by name.
 * They belong together: change one and run the model tests and `bench/gate-model.ts`.
 */

/** How long a lease lets an isolate decide by the policy and the freshness it carries. It is the "1 s" of C2 and C3. */
export const POLICY_TTL_MS = 1_000
/**
 * Ceiling of a permit's life. Never above POLICY_TTL_MS, so that waiting for the leases to end also waits for the
 * permits.
 */
const PERMIT_TTL_MAX_MS = 1_000
/** Permits requested by waiting requests only are spent at once. The rest of them should come back soon. */
export const PERMIT_TTL_STRICT_MS = 300
/** A tenant far below its limit gets permits that outlive most pauses. */
export const PERMIT_TTL_CALM_MS = 950
/** An isolate's clock may read late (40 ms seen) and drift (5e-4); it stops this much before the gate stops counting on it. */
export const GUARD_MS = 50
/**
 * The stored horizon is an instant, written by one machine's clock and read by another's. Its writer may be late by
 * FLIGHT_MAX_MS where the only isolate is late, and by 1 s that the gate lost before it received that isolate's first
 * message; the reader may be ahead by 0.1 s. Without a late isolate the reader may be ahead by 2 s.
 */
export const CLOCK_SLACK_MS = 2_100
/** An isolate whose first message looks older than this has a clock that is late; its lease would be dead otherwise. */
export const FLIGHT_MAX_MS = 1_000
/**
 * A sender's clock moves the gate's time of day by at most this. Well below the half hour between TALLY_SILENCE_MS and
 * TALLY_MEMORY_MS, within which a wrong clock must not make the gate forget an isolate.
 */
export const CLOCK_LEAD_MAX_MS = 600_000
/** A gate's clock that lost time may find it again at once, by up to this: leases are waited for as if it had not yet. */
export const CATCH_UP_MAX_MS = 2_000
/** An isolate sends how long ago a reply arrived, and uses a newer reply for it after this time. */
export const SINCE_MAX_MS = 3_000

/** The horizon is stored this far ahead, so that a busy tenant costs about one row per 5 s. */
export const HORIZON_AHEAD_MS = 6_000
/** How long an expired grant is remembered, so that its unspent permits can still come back. */
export const GRANT_MEMORY_MS = 10_000

/**
 * An isolate that expects to spend fewer permits than this in a permit's life requests them one by one instead of
 * ahead.
 */
export const HOT_PERMITS = 2
/** A call that takes longer than this no longer keeps others from requesting a lease. */
export const FLIGHT_TAKEOVER_MS = 300
/** Below this share of the limit, with the bucket more than half full, a tenant is calm. */
export const CALM_SHARE = 0.6
/** Most of the bucket that one calm grant may take beyond what was requested. */
export const CALM_BONUS_SHARE = 0.04
/** The gate thins out the lease requests of a tenant above this many a second: one object serves about 1,000. */
export const LEASE_REQUESTS_PER_SECOND_MAX = 300
/** Above this many requests for leases a second the gate only takes reports and replies `busy`. */
export const LEASE_REQUESTS_PER_SECOND_SHED = 800
/** How long an isolate leaves a busy or unreachable gate alone: a random time between the two. */
export const RETRY_MIN_MS = 250
export const RETRY_MAX_MS = 1_000

/**
 * Changed customers that a gate sends to an isolate that it has sent nothing before: those that changed last. Values in KV from
 * before cannot be judged there. More means a longer first lease: 18 bytes each.
 */
export const CHANGES_KEPT = 2_048
/**
 * Writes kept in the log. A value read before the oldest of them cannot be judged by a new isolate after a restart of the
 * gate; every start of a gate reads the whole log.
 */
export const WRITE_LOG_ROWS = 2_048
/** After this D1 refuses to commit. Longer than a slow commit, shorter than a caller waits. */
export const WRITE_DEADLINE_MS = 10_000
/** The gate looks up the outcome of a statement this long after its deadline, when D1 surely refuses to commit it. */
export const INTENT_GRACE_MS = 2_000

/**
 * Verdicts an isolate remembers per tenant and mode, and how many of them it requests again when the policy changed.
 */
export const VERDICTS_MAX = 64
export const VERDICTS_RENEWED_MAX = 16
/** Grants an isolate remembers for its reports. Dropping the oldest is safe: the gate counts them as spent. */
export const HELD_GRANTS_MAX = 16

/** The gate drops an isolate's running totals after this time without a message. */
export const TALLY_MEMORY_MS = 3_600_000
/** Isolates whose totals a gate stores, some 230 bytes each: a row of a Durable Object has at most 2 MB. */
export const TALLIES_MAX = 4_000
/**
 * After this time without a message an isolate takes its totals as counted. Well below TALLY_MEMORY_MS, so that none
 * counts twice.
 */
export const TALLY_SILENCE_MS = 1_800_000
/**
 * Keys whose last use a gate stores. Twice as many as may be in use at once, apart from those that replace others; some
 * 50 bytes each.
 */
export const KEY_USES_MAX = 2_000
/** An isolate reports the use of a key in the background when it has reported none for this long. */
export const KEY_USE_UNREPORTED_MAX_MS = 60_000
/** Days of outcome counts that the usage response has. */
export const USAGE_DAYS = 90
/** Days that a gate stores: those of a leap year, and some that only a wrong clock has seen. Some 60 bytes each. */
export const COUNTED_DAYS_MAX = 370

/** Half the time a burst lasts, so that permits given to an isolate that does not need them come back within it. */
export function permitTtlMs(ratePerSecond: number, burst: number): number {
  return Math.min(PERMIT_TTL_MAX_MS, Math.max(1, Math.floor((500 * burst) / ratePerSecond)))
}
