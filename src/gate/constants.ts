/**
 * The numbers that isolate and gate must agree on, each with the reason for it; those of one file alone are in it, by name.
 * They belong together: change one and run the model tests and `bench/gate-model.ts`.
 */

/** How long a lease lets an isolate judge by the policy and the freshness it carries. It is the "1 s" of C2 and C3. */
export const POLICY_TTL_MS = 1_000
/** Ceiling of a permit's life. Never above POLICY_TTL_MS, so that whoever outwaits the leases has outwaited the permits. */
export const PERMIT_TTL_MAX_MS = 1_000
/** Permits asked for by waiting requests only are spent at once; what is left of them should come back soon. */
export const PERMIT_TTL_STRICT_MS = 300
/** A tenant far below its limit gets permits that outlive most pauses. */
export const PERMIT_TTL_CALM_MS = 950
/** An isolate's clock may read late (40 ms seen) and drift (5e-4); it stops this much before the gate stops counting on it. */
export const GUARD_MS = 50
/** Two machines' clocks differ: the stored horizon, the only absolute time of the protocol, is read with this slack. */
export const CLOCK_SLACK_MS = 100

/** The horizon is stored this far ahead, so that a busy tenant costs about one row per 5 s. */
export const HORIZON_AHEAD_MS = 6_000
/** How long an expired grant is remembered, so that what was not spent of it can still be given back. */
export const GRANT_MEMORY_MS = 10_000

/** An isolate that expects to spend fewer permits than this in a permit's life asks for each request instead of ahead. */
export const HOT_PERMITS = 2
/** A call that takes longer than this no longer keeps others from asking. */
export const FLIGHT_TAKEOVER_MS = 300
/** Below this share of the limit, with the bucket more than half full, a tenant is calm. */
export const CALM_SHARE = 0.6
/** Most of the bucket that one calm grant may take beyond what was asked. */
export const CALM_BONUS_SHARE = 0.04
/** The gate thins out the asks of a tenant above this many a second: one object answers about 1,000. */
export const ASKS_PER_SECOND_MAX = 300
/** Above this many asks a second the gate only takes reports and answers `busy`. */
export const ASKS_PER_SECOND_SHED = 800
/** How long an isolate leaves a gate alone that is busy or could not be reached; a random point between the two. */
export const RETRY_MIN_MS = 250
export const RETRY_MAX_MS = 1_000

/** Buckets of the change sketch. More means fewer values thrown away for another id's change, and a longer first lease. */
export const SKETCH_BUCKETS = 1_024
/**
 * Writes kept in the log. A value read before the oldest of them cannot be judged after a restart of the gate; after so
 * many writes the sketch would hardly let it pass anyway, and every start of a gate reads the whole log.
 */
export const WRITE_LOG_ROWS = 2_048
/** After this D1 refuses to commit. Longer than a slow commit, shorter than a caller's patience. */
export const WRITE_DEADLINE_MS = 10_000
/** After its deadline a D1 statement refuses to commit; this much later the gate believes it and looks what became of it. */
export const INTENT_GRACE_MS = 2_000

/** Verdicts an isolate remembers per tenant and mode, and how many of them are asked again when the policy changed. */
export const VERDICTS_MAX = 64
export const VERDICTS_RENEWED_MAX = 16
/** Grants an isolate remembers for its reports. Dropping the oldest is safe: the gate takes them as spent. */
export const HELD_GRANTS_MAX = 16

/** The gate forgets an isolate's running totals when it heard nothing for this long. */
export const TALLY_MEMORY_MS = 3_600_000
/** An isolate silent for this long takes its totals as counted. Well below TALLY_MEMORY_MS, so that none counts twice. */
export const TALLY_SILENCE_MS = 1_800_000
/** Days of outcome counts kept for the usage answer. */
export const USAGE_DAYS = 90

/** Half the time a burst lasts, so that permits given to an isolate that does not need them come back within it. */
export function permitTtlMs(ratePerSecond: number, burst: number): number {
  return Math.min(PERMIT_TTL_MAX_MS, Math.max(1, Math.floor((500 * burst) / ratePerSecond)))
}
