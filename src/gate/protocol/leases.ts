/**
 * The messages between isolates and gates about leases. Plain data, versioned, so that old and new code can meet during
 * a deploy (versions.ts). Policy, permits and waits are durations, never instants: no lease depends on two clocks being
 * alike. `sentAtMs` is the only instant; wall-clock.ts uses it.
 */

/** Rises when a message changes its shape, here or in writes.ts and imports.ts. */
export const PROTOCOL_VERSION = 1
/** The oldest supported version: the one before this, once there is one. */
export const OLDEST_VERSION = 1

/** A message in transit. Leases have the version among their fields. */
export type Versioned<Message> = Message & { v: number }

export function versioned<Message extends object>(message: Message): Versioned<Message> {
  return { ...message, v: PROTOCOL_VERSION }
}

/**
 * A gate's reply to a message of a version that it does not support: `v` is its own. This shape is the same in every
 * version.
 */
export interface OtherVersion {
  v: number
  kind: 'other_version'
  asked: number
}

/** The facts that decide admission for a tenant and mode. Every lease carries all of them. */
export interface Policy {
  /** Rises with every change of tier, status, limits or keys. */
  version: number
  tier: string
  status: 'active' | 'suspended'
  ratePerSecond: number
  burst: number
  /** Admitted requests a contract year; null: no limit (test mode). */
  annualLimit: number | null
  /** First day of the contract, `YYYY-MM-DD` in UTC; contract years are counted from it. */
  contractStart: string
  /** The number of the tenant's database. Absent: 0. */
  database?: number
}

/** The gate's verdict on one API key, found by the SHA-256 of its secret. Valid as long as the policy it came with. */
export type Verdict = { known: true; keyId: string; scopes: string[]; expiresInMs: number | null } | { known: false }

/** An isolate's report on one grant. Counts are totals, so that a repeated or reordered report changes nothing. */
export interface GrantReport {
  epoch: number
  ordinal: number
  /** Permits of this grant spent so far. */
  spent: number
  /** Permits removed from the isolate, which can never spend them. */
  unspent: number
}

/**
 * Totals of an isolate for this tenant and mode since it began to count. Whatever messages are lost and whenever the
 * gate restarts, the next one that arrives makes the year's count right.
 */
export interface Tally {
  /** Random, new whenever an isolate starts counting from zero. */
  id: string
  admitted: number
  /** Requests refused for the rate or the annual limit. */
  limited: number
  /** Requests answered with a 5xx for which nobody but Roster is to blame. Absent from an isolate that runs older code. */
  errors?: number
  /**
   * The part of the totals that is stored, by the gate's reply. Used only by a gate that does not have this tally.
   */
  savedAdmitted: number
  savedLimited: number
  savedErrors?: number
  /** Permits the isolate can still spend, and its newest lease. Earlier grants that are not listed are settled. */
  held: number
  lastLeaseEpoch: number
  lastLeaseOrdinal: number
}

/**
 * How long ago, by the isolate's clock, a reply of the gate arrived. At least that much time has passed since it was
 * made.
 */
export interface Since {
  epoch: number
  /** `gateMs` of that reply. */
  gateMs: number
  elapsedMs: number
}

export interface LeaseRequest {
  v: number
  /** The isolate's clock. */
  sentAtMs: number
  since: Since | null
  /** Permits requested. */
  want: number
  /** Requests that wait for this reply; part of `want`. */
  waiting: number
  /** The demand: requests of this isolate since its last message, including refused ones. */
  counted: number
  reports: GrantReport[]
  tally: Tally
  /** SHA-256 (base64url) of the secrets whose verdict is requested. */
  credentials: string[]
  /** Secrets whose verdict is needed only if the policy is no longer `seenVersion`. */
  recent: string[]
  seenVersion: number
  /** Changes with a higher number are sent. */
  seenSeq: number
  /**
   * How many milliseconds ago keys were used last, by their ids: those that were used since the last report. Absent from
   * an isolate that runs older code.
   */
  uses?: Record<string, number>
}

/** The facts by which an isolate judges a cached value (freshness.ts). */
export interface FreshnessDelta {
  /** Newest number given to a write. */
  seq: number
  /** Largest number such that no write up to it is still pending. A value read now is stamped with it. */
  stable: number
  /** Values stamped below this cannot be judged any more. */
  floor: number
  /** D1 bookmark that covers every write up to `stable`; null before the first. */
  bookmark: string | null
  /** Everything that changed after this number is in `changes`. */
  since: number
  /** Pairs of a bucket and the number of its last change: b₁, n₁, b₂, n₂, … */
  changes: number[]
  /** Buckets with a pending write: they are read from the primary. */
  pending: number[]
}

export interface Lease {
  v: number
  kind: 'lease'
  /** Order of the leases of one gate; a newer epoch is newer whatever the ordinal. */
  epoch: number
  ordinal: number
  /** The time of the gate's bucket, for `since` of later requests. */
  gateMs: number
  policy: Policy
  policyTtlMs: number
  /** Its name in reports is the lease's epoch and ordinal. */
  grant: { permits: number; ttlMs: number } | null
  /** Why nothing was granted, when it is not the rate. */
  refusal: 'suspended' | 'annual_limit' | null
  /** With `annual_limit`: how long until the year has room again. Absent from a gate that runs older code. */
  roomInMs?: number
  /** Demand exceeds the limit: refuse at once instead of requesting a permit for each request. */
  saturated: boolean
  /** Share of the demand the limit can carry, 0–1. */
  fraction: number
  /** Wait at least this long before the next request. */
  backoffMs: number
  /** Permits left in the bucket, and how long until it is full: for the RateLimit headers. */
  remaining: number
  fullInMs: number
  verdicts: Record<string, Verdict>
  freshness: FreshnessDelta
  /** The part of this isolate's tally that is stored. */
  savedAdmitted: number
  savedLimited: number
  /** Absent from a gate that runs older code. */
  savedErrors?: number
}

/** The gate is overloaded: request later, and spend the permits at hand. */
export interface Busy {
  v: number
  kind: 'busy'
  backoffMs: number
}

export type LeaseReply = Lease | Busy | OtherVersion
