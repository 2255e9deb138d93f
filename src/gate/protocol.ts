/**
 * What an isolate and a gate say to each other. Plain data, versioned, so that old and new code can
 * meet during a deploy: a message of another version is treated as no message at all.
 * Durations are durations, never instants: the two clocks are not compared.
 */

/** Rises when a message changes its shape, here or in write-protocol.ts and import-protocol.ts. */
export const PROTOCOL_VERSION = 1

/** A message as it travels. Leases have the version among their fields. */
export type Versioned<Message> = Message & { v: typeof PROTOCOL_VERSION }

export function versioned<Message extends object>(message: Message): Versioned<Message> {
  return { ...message, v: PROTOCOL_VERSION }
}

/** Throws for a message of another version: its sender is told nothing, and so can not be told anything wrong. */
export function understood<Message extends { v: number }>(message: Message): Message {
  if (message.v === PROTOCOL_VERSION) return message
  throw new Error(`a message of version ${message.v} of the protocol, and this is version ${PROTOCOL_VERSION}`)
}

/** What decides admission for a tenant and mode. Travels whole with every lease. */
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
}

/** What the gate says of one API key, found by the SHA-256 of its secret. Valid as long as the policy it came with. */
export type Verdict = { known: true; keyId: string; scopes: string[]; expiresInMs: number | null } | { known: false }

/** What an isolate did with one grant. Counts are totals, so that a repeated or reordered report changes nothing. */
export interface GrantReport {
  epoch: number
  ordinal: number
  /** Permits of this grant spent so far. */
  spent: number
  /** Permits removed from the isolate, which it can never spend. */
  unspent: number
}

/**
 * What an isolate did for this tenant and mode since it began to count. Totals again: whatever messages are lost and
 * whenever the gate restarts, the next one that arrives makes the year's count right.
 */
export interface Tally {
  /** Random, new whenever an isolate starts counting from zero. */
  id: string
  admitted: number
  /** Refused for the rate or the annual limit. */
  limited: number
  /** What the gate said it has stored of the two; used only by a gate that does not know this tally. */
  savedAdmitted: number
  savedLimited: number
  /** Permits the isolate can still spend, and the newest lease it has: what was granted before and is not here is settled. */
  held: number
  heardEpoch: number
  heardOrdinal: number
}

export interface LeaseRequest {
  v: typeof PROTOCOL_VERSION
  /** Permits asked for. */
  want: number
  /** Requests that wait for this answer; part of `want`. */
  waiting: number
  /** Requests this isolate saw since its last ask, refused ones too: the demand. */
  counted: number
  reports: GrantReport[]
  tally: Tally
  /** SHA-256 (base64url) of the secrets whose verdict is asked for. */
  credentials: string[]
  /** Secrets whose verdict is only wanted if the policy is no longer `seenVersion`. */
  recent: string[]
  seenVersion: number
  /** Changes with a higher number are sent. */
  seenSeq: number
}

/** What the isolate needs to judge a cached value (freshness.ts). */
export interface FreshnessDelta {
  /** Newest number given to a write. */
  seq: number
  /** Largest number such that no write up to it is still pending. A value read now is stamped with it. */
  stable: number
  /** Values stamped below this can not be judged any more. */
  floor: number
  /** D1 bookmark that covers every write up to `stable`; null before the first. */
  bookmark: string | null
  /** Everything that changed after this number is in `changes`. */
  since: number
  /** Bucket and number of its last change, in turn: b₁, n₁, b₂, n₂, … */
  changes: number[]
  /** Buckets with a write under way: read from the primary. */
  pending: number[]
}

export interface Lease {
  v: typeof PROTOCOL_VERSION
  kind: 'lease'
  /** Order of the leases of one gate; a newer epoch is newer whatever the ordinal. */
  epoch: number
  ordinal: number
  policy: Policy
  policyTtlMs: number
  /** Its name in reports is the lease's epoch and ordinal. */
  grant: { permits: number; ttlMs: number } | null
  /** Why nothing was granted, when it is not the rate. */
  refusal: 'suspended' | 'annual_limit' | null
  /** More is asked than the limit gives: refuse at once instead of asking for each request. */
  saturated: boolean
  /** Share of the demand the limit can carry, 0–1. */
  fraction: number
  /** Do not ask again before this. */
  backoffMs: number
  /** Permits left in the bucket, and how long until it is full: for the RateLimit headers. */
  remaining: number
  fullInMs: number
  verdicts: Record<string, Verdict>
  freshness: FreshnessDelta
  /** How much of this isolate's tally is stored. */
  savedAdmitted: number
  savedLimited: number
}

/** The gate has too much to do; ask later, spend what you have. */
export interface Busy {
  v: typeof PROTOCOL_VERSION
  kind: 'busy'
  backoffMs: number
}

export type LeaseReply = Lease | Busy
