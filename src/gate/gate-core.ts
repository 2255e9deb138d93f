/**
 * Everything a gate decides, synchronously: what an isolate gets, when a new policy is in force, which number a write
 * has. The Durable Object around it supplies storage, time and randomness, and speaks to D1.
 *
 * No method waits for anything. That is a rule of the protocol, not a style: an object that has been replaced may go on
 * running an event it began, and only notices when it touches storage; an answer given without a pause, or after a
 * touch of storage, cannot come from such a ghost.
 */

import { AnnualCount, contractYear, type Usage } from './annual.ts'
import { Bucket } from './bucket.ts'
import {
  ASKS_PER_SECOND_SHED,
  CLOCK_SLACK_MS,
  GUARD_MS,
  HORIZON_AHEAD_MS,
  POLICY_TTL_MS,
  RETRY_MAX_MS,
  RETRY_MIN_MS,
} from './constants.ts'
import type { GateKey, GateStorage, WriteRow } from './gate-storage.ts'
import {
  type Lease,
  type LeaseReply,
  type LeaseRequest,
  type Policy,
  PROTOCOL_VERSION,
  type Verdict,
} from './protocol.ts'
import { type Size, Sizing } from './sizing.ts'
import { WriteLog } from './write-log.ts'

const NOTHING: Size = { permits: 0, ttlMs: 0, saturated: false, fraction: 1, backoffMs: 0 }

export type WriteRefusal = 'rate_limited' | 'annual_limit' | 'suspended' | 'unknown_key' | 'missing_scope'

export type WriteAdmission =
  /** `ticket` goes with the write into `beginWrite`, so that a restart counts it exactly once. */
  | { admitted: true; policy: Policy; verdict: Verdict | null; ticket: number; remaining: number; fullInMs: number }
  /** `recoversInMs`: until when this gate, having restarted, has less to give than the limit. */
  | {
      admitted: false
      policy: Policy
      reason: WriteRefusal
      retryAfterMs: number
      recoversInMs: number
      remaining: number
      fullInMs: number
    }

export interface Intent {
  /** Tags of everything the batch may change. `LIST_TAG` is added to them. */
  tags: readonly string[]
  changeId: string
  deadlineMs: number
  /** The tickets of the writes in the batch. */
  tickets: readonly number[]
}

export class GateCore {
  #storage: GateStorage
  #random: () => number
  #nowMs: number
  #policy: Policy | null
  #keys = new Map<string, GateKey>()
  #bucket: Bucket | null = null
  #sizing: Sizing
  #log: WriteLog
  #annual: AnnualCount
  #year: { yearStart: string; endsAtMs: number } | null = null
  #epoch: number
  #epochStored = false
  #ordinal = 0
  #horizonMs: number
  /** Until when a lease of an earlier epoch may live. */
  #earlierUntilMs: number
  /** How long before this start the last of them had ended; null when it had not. */
  #idleMs: number | null
  /** Per policy version, until when the last lease under it may live. */
  #leasedUntilMs = new Map<number, number>()
  /** Counts the times the annual count was stored. */
  #saves = 0

  /** Starts a gate from what is stored. Stores nothing itself: the first lease does. */
  constructor(storage: GateStorage, random: () => number, nowMs: number) {
    const { policy, keys, state, writes } = storage.load()
    this.#storage = storage
    this.#random = random
    this.#nowMs = nowMs
    this.#policy = policy
    for (const key of keys) this.#keys.set(key.secretHash, key)
    this.#sizing = new Sizing(random, nowMs)
    this.#log = new WriteLog(storage, writes)
    // Isolates go by the higher epoch; the clock keeps it rising even if the stored one was lost.
    this.#epoch = Math.max((state?.epoch ?? 0) + 1, nowMs)
    this.#horizonMs = state?.horizonMs ?? 0
    const aliveMs = state ? Math.min(POLICY_TTL_MS, state.horizonMs + CLOCK_SLACK_MS - nowMs) : 0
    this.#earlierUntilMs = nowMs + Math.max(0, aliveMs)
    this.#idleMs = state && aliveMs <= 0 ? -aliveMs : null
    if (policy) this.#bucket = this.#startBucket(policy, state !== null)

    this.#annual = new AnnualCount(state?.annual ?? null)
    const countedSeq = state?.annual.countedSeq ?? 0
    for (const row of writes) if (row.seq > countedSeq) this.#annual.admitted(row.uncounted, nowMs)
  }

  /** The policy in force; null until `setPolicy` was called once in the gate's life. Nothing can be leased before. */
  get policy(): Policy | null {
    return this.#policy
  }

  /** Answers an isolate: takes in what it reports, then grants what it gets. */
  lease(request: LeaseRequest, atMs: number): LeaseReply {
    const policy = this.#policy
    const bucket = this.#bucket
    if (request.v !== PROTOCOL_VERSION || !policy || !bucket) return this.#busy()
    const nowMs = this.#tick(atMs)
    for (const report of request.reports) {
      if (report.epoch === this.#epoch) bucket.report(report.ordinal, report.spent, report.unspent)
    }
    this.#enterYear(policy, nowMs)
    const { tally } = request
    this.#annual.hear(tally, nowMs)
    this.#sizing.observe(request.counted, true, policy, nowMs)
    if (this.#sizing.asksPerSecond > ASKS_PER_SECOND_SHED) return this.#busy()

    const ordinal = ++this.#ordinal
    const room = this.#annual.room(policy.annualLimit)
    const refusal = policy.status === 'suspended' ? 'suspended' : room === 0 ? 'annual_limit' : null
    const size = refusal ? NOTHING : this.#sizing.size(request, Math.min(room, bucket.available), policy)
    if (size.permits > 0) {
      bucket.grant(ordinal, size.permits, size.ttlMs, nowMs)
      this.#annual.granted(tally.id, { epoch: this.#epoch, ordinal }, size.permits, request.waiting)
    }
    this.#leasedUntilMs.set(policy.version, nowMs + POLICY_TTL_MS)
    this.#saveIfDue(size.permits > 0 && isNearlyUsedUp(room, policy), nowMs)
    return {
      v: PROTOCOL_VERSION,
      kind: 'lease',
      epoch: this.#epoch,
      ordinal,
      policy,
      policyTtlMs: POLICY_TTL_MS,
      grant: size.permits > 0 ? { permits: size.permits, ttlMs: size.ttlMs } : null,
      refusal,
      saturated: size.saturated,
      fraction: size.fraction,
      backoffMs: size.backoffMs,
      remaining: bucket.available,
      fullInMs: bucket.fullInMs,
      verdicts: this.#verdicts(request, policy, nowMs),
      freshness: this.#log.ledger.deltaSince(request.seenSeq),
      ...this.#annual.savedOf(tally.id),
    } satisfies Lease
  }

  /** Admits one write here and now. `credential` is a secret's hash, or null for a caller that needs none. */
  admitWrite(credential: string | null, scope: string, atMs: number): WriteAdmission {
    const policy = this.#policy
    const bucket = this.#bucket
    if (!policy || !bucket) throw new Error('the gate has no policy yet')
    const nowMs = this.#tick(atMs)
    const verdict = credential === null ? null : this.#verdict(credential, nowMs)
    const recoversInMs = Math.max(0, this.#earlierUntilMs - nowMs)
    const refuse = (reason: WriteRefusal, retryAfterMs = 0): WriteAdmission => {
      const { available: remaining, fullInMs } = bucket
      return { admitted: false, policy, reason, retryAfterMs, recoversInMs, remaining, fullInMs }
    }
    const refusal = this.refusalOf(credential, scope, nowMs)
    if (refusal) return refuse(refusal)
    this.#enterYear(policy, nowMs)
    this.#sizing.observe(1, false, policy, nowMs)
    const room = this.#annual.room(policy.annualLimit)
    if (room === 0 || !bucket.take(1)) {
      this.#annual.limited(1, nowMs)
      return room === 0 ? refuse('annual_limit', POLICY_TTL_MS) : refuse('rate_limited', 1_000 / policy.ratePerSecond)
    }
    this.#annual.admitted(1, nowMs)
    const ticket = this.#saves
    this.#saveIfDue(isNearlyUsedUp(room, policy), nowMs)
    const { available: remaining, fullInMs } = bucket
    return { admitted: true, policy, verdict, ticket, remaining, fullInMs }
  }

  /** Why this caller may not write, however many permits there are; null when it may. Asked again right before a commit. */
  refusalOf(credential: string | null, scope: string, nowMs: number): WriteRefusal | null {
    const verdict = credential === null ? null : this.#verdict(credential, nowMs)
    if (verdict && !verdict.known) return 'unknown_key'
    if (this.#policy?.status !== 'active') return 'suspended'
    return verdict && !verdict.scopes.includes(scope) ? 'missing_scope' : null
  }

  /**
   * Numbers a batch of writes and stores its intent, before any of it is sent to D1. `strongInMs` is how long leases
   * that do not know of it may still live: whoever asked for it waits that long after the commit, and no cache anywhere
   * answers with what was before.
   */
  beginWrite(intent: Intent, atMs: number): { seq: number; strongInMs: number } {
    const nowMs = this.#tick(atMs)
    const uncounted = intent.tickets.filter((ticket) => ticket === this.#saves).length
    const seq = this.#log.begin(intent.tags, intent.changeId, intent.deadlineMs, uncounted)
    const untilMs = Math.max(this.#earlierUntilMs, ...this.#leasedUntilMs.values())
    return { seq, strongInMs: untilMs > nowMs ? untilMs - nowMs + GUARD_MS : 0 }
  }

  /** The batch is in D1 at `bookmark`, or will never be (null). Touches storage first, so a ghost fails here. */
  settleWrite(seq: number, bookmark: string | null): void {
    this.#log.settle(seq, bookmark)
  }

  /**
   * Writes of which nobody knows what became of them, and which can no longer be committed. The shell looks each up on
   * the primary by its change id, and settles it with the bookmark of that look-up, whatever it found.
   */
  overdueIntents(atMs: number): WriteRow[] {
    return this.#log.overdue(atMs)
  }

  /** When to call `overdueIntents` next; null when no write is under way. */
  get nextOverdueMs(): number | null {
    return this.#log.nextOverdueMs
  }

  /**
   * Puts a policy in force. `waitMs` from now, no lease under an older one is alive anywhere. A policy that is not newer
   * than what is stored changes nothing, yet its wait is answered: the call can be repeated until it is heard.
   */
  setPolicy(policy: Policy, keys: readonly GateKey[], atMs: number): { waitMs: number } {
    const nowMs = this.#tick(atMs)
    if (!this.#policy || policy.version > this.#policy.version) {
      this.#storage.savePolicy(policy, [...keys])
      this.#keys = new Map(keys.map((key) => [key.secretHash, key]))
      if (this.#bucket) {
        this.#bucket.setLimits(policy, nowMs)
        // A later start must not think that the new rate has refilled the bucket since the old horizon.
        this.#save(Math.max(this.#horizonMs, nowMs), nowMs)
      } else {
        this.#bucket = this.#startBucket(policy, false)
      }
      this.#policy = policy
      this.#year = null
    }
    let untilMs = this.#earlierUntilMs
    for (const [version, leasedUntilMs] of this.#leasedUntilMs) {
      if (version < policy.version) untilMs = Math.max(untilMs, leasedUntilMs)
      if (leasedUntilMs <= nowMs) this.#leasedUntilMs.delete(version)
    }
    return { waitMs: untilMs > nowMs ? untilMs - nowMs + GUARD_MS : 0 }
  }

  /** The counts of the year and of each day. */
  usage(atMs: number): Usage {
    const nowMs = this.#tick(atMs)
    if (this.#policy) this.#enterYear(this.#policy, nowMs)
    return this.#annual.usage()
  }

  /** The gate's clock never goes back. */
  #tick(atMs: number): number {
    this.#nowMs = Math.max(this.#nowMs, atMs)
    this.#bucket?.advance(this.#nowMs)
    return this.#nowMs
  }

  #startBucket(policy: Policy, ranBefore: boolean): Bucket {
    const nowMs = this.#nowMs
    if (!ranBefore) return new Bucket(policy, nowMs)
    if (this.#idleMs !== null) return Bucket.afterIdle(policy, nowMs, this.#idleMs)
    return Bucket.afterRestart(policy, nowMs, this.#earlierUntilMs - nowMs)
  }

  #enterYear(policy: Policy, nowMs: number): void {
    if (!this.#year || nowMs >= this.#year.endsAtMs) this.#year = contractYear(policy.contractStart, nowMs)
    this.#annual.enterYear(this.#year.yearStart)
  }

  /** Stores the horizon before a lease that outlives it is answered, and with it whatever counts have gathered. */
  #saveIfDue(atOnce: boolean, nowMs: number): void {
    if (this.#epochStored && !atOnce && nowMs + POLICY_TTL_MS <= this.#horizonMs) return
    this.#save(nowMs + HORIZON_AHEAD_MS, nowMs)
  }

  #save(horizonMs: number, nowMs: number): void {
    this.#horizonMs = horizonMs
    this.#epochStored = true
    this.#saves++
    this.#log.open(nowMs)
    const annual = this.#annual.save(this.#log.ledger.seq, nowMs)
    this.#storage.saveState({ epoch: this.#epoch, horizonMs, annual })
  }

  #verdicts(request: LeaseRequest, policy: Policy, nowMs: number): Record<string, Verdict> {
    const verdicts: Record<string, Verdict> = {}
    for (const hash of request.credentials) verdicts[hash] = this.#verdict(hash, nowMs)
    if (request.seenVersion !== policy.version)
      for (const hash of request.recent) verdicts[hash] = this.#verdict(hash, nowMs)
    return verdicts
  }

  #verdict(secretHash: string, nowMs: number): Verdict {
    const key = this.#keys.get(secretHash)
    if (!key || (key.expiresAtMs !== null && key.expiresAtMs <= nowMs)) return { known: false }
    const expiresInMs = key.expiresAtMs === null ? null : key.expiresAtMs - nowMs
    return { known: true, keyId: key.id, scopes: key.scopes, expiresInMs }
  }

  #busy(): LeaseReply {
    const backoffMs = RETRY_MIN_MS + this.#random() * (RETRY_MAX_MS - RETRY_MIN_MS)
    return { v: PROTOCOL_VERSION, kind: 'busy', backoffMs }
  }
}

/**
 * True for the last seconds of a year's traffic. Then the count is stored with each grant, for the seconds of it that a
 * crash makes the gate forget could otherwise be granted once more.
 */
function isNearlyUsedUp(room: number, { burst, ratePerSecond }: Policy): boolean {
  return room < 2 * (burst + (ratePerSecond * HORIZON_AHEAD_MS) / 1_000)
}
