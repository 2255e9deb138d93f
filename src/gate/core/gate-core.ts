/**
 * Makes every decision of a gate, synchronously: an isolate's lease, when a new policy is in force, the number of a
 * write. The Durable Object around it supplies storage, time and randomness, and calls D1.
 *
 * No method awaits anything. This is a rule of the protocol, not a style. An object that has been replaced may continue
 * an event it began, and notices only when it writes to its storage (a read is local and notices nothing). A response
 * without a pause, or after a write, cannot come from such a replaced object.
 *
 * Three clocks are never mixed. `atMs` is the gate's own, for durations within this start. The time of day
 * (wall-clock.ts) is for the horizon, which outlives the start, and for the calendar. D1's clock (d1-clock.ts) is for
 * deadlines, ids and stamps.
 */

import { LEASE_REQUESTS_PER_SECOND_SHED, POLICY_TTL_MS } from '../protocol/constants.ts'
import { type Lease, type LeaseReply, type LeaseRequest, type Policy, PROTOCOL_VERSION } from '../protocol/leases.ts'
import type { Usage } from '../protocol/usage.ts'
import { otherVersion, readRequest, writeReply } from '../protocol/versions.ts'
import { AnnualCount, isNearlyUsedUp } from './annual-count.ts'
import { D1Clock } from './d1-clock.ts'
import { GateStart } from './gate-start.ts'
import { type GateKey, type GateStorage, type LoadedRow, storedKeyOf, type WriteRow } from './gate-storage.ts'
import { KeyUses } from './key-uses.ts'
import type { LeaseWaits } from './lease-waits.ts'
import { isNoTenant } from './no-tenant.ts'
import { NO_GRANT, Sizing } from './sizing.ts'
import { StateSaver } from './state-saver.ts'
import { Bucket } from './token-bucket.ts'
import { Verdicts } from './verdicts.ts'
import { type Sender, WallClock } from './wall-clock.ts'
import type { Intent, WriteAdmission, WriteRefusal } from './write-admission.ts'
import { WriteLog } from './write-log.ts'

export class GateCore {
  #storage: GateStorage
  #nowMs: number
  #loaded: LoadedRow | null
  readonly #wall = new WallClock()
  readonly #d1 = new D1Clock()
  #policy: Policy | null
  #verdicts: Verdicts
  #bucket: Bucket | null = null
  #sizing: Sizing
  #log: WriteLog
  #annual: AnnualCount
  readonly #keyUses: KeyUses
  #epoch: number
  #ordinal = 0
  #saver: StateSaver
  #waits: LeaseWaits
  /** No write begins earlier, by the gate's own clock. */
  #writesOpenAtMs: number

  /** Starts a gate from its stored rows. Stores nothing itself: the first lease does. */
  constructor(storage: GateStorage, random: () => number, nowMs: number) {
    const { loaded, policy, keys, state, writes, stable, keyUses } = storage.load()
    this.#storage = storage
    this.#nowMs = nowMs
    this.#loaded = loaded
    this.#policy = policy
    this.#keyUses = new KeyUses(storage, keyUses)
    this.#verdicts = new Verdicts(keys)
    this.#sizing = new Sizing(random, nowMs)
    this.#log = new WriteLog(storage, writes, stable)
    const start = new GateStart(state, loaded, nowMs)
    this.#writesOpenAtMs = start.writesOpenAtMs
    this.#epoch = start.epoch
    this.#waits = start.waits
    if (policy) this.#bucket = start.bucket(policy)
    this.#annual = new AnnualCount(state?.annual ?? null)
    this.#saver = new StateSaver(storage, start, this.#log, this.#annual)
    const countedSeq = state?.annual.countedSeq ?? 0
    for (const row of writes) if (row.seq > countedSeq) this.#annual.admitted(row.uncounted, nowMs)
  }

  /** The policy in force; null until the first `setPolicy` in the gate's life. No lease is granted before. */
  get policy(): Policy | null {
    return this.#policy
  }

  /** Takes the time of a response of D1. */
  noteD1Time(d1Ms: number, atMs: number): void {
    this.noteClock({ sentAtMs: d1Ms, isolate: null }, atMs)
    this.#d1.observe(d1Ms, this.#nowMs)
  }

  /** Returns D1's time as the gate estimates it. Only a response of D1 decides whether a deadline has passed. */
  d1Ms(atMs: number): number {
    return this.#d1.now(Math.max(this.#nowMs, atMs))
  }

  /** Takes the clock of a message's sender for the time of day. */
  noteClock(sender: Sender, atMs: number): void {
    this.#wall.observe(sender, this.#tick(atMs))
  }

  /** Responds to an isolate in the protocol version of its request. */
  lease(message: LeaseRequest, atMs: number): LeaseReply {
    const request = readRequest('lease', message)
    return request ? writeReply('lease', this.#lease(request, atMs), message.v) : otherVersion(message)
  }

  /** Takes an isolate's report, then grants a lease. */
  #lease(request: LeaseRequest, atMs: number): LeaseReply {
    const policy = this.#policy
    const bucket = this.#bucket
    if (!policy || !bucket) return this.#busy()
    const { tally, since, sentAtMs } = request
    this.noteClock({ sentAtMs, isolate: tally.id }, atMs)
    const nowMs = this.#nowMs
    if (since?.epoch === this.#epoch) bucket.regain(since.gateMs, since.elapsedMs)
    for (const report of request.reports) {
      if (report.epoch === this.#epoch) bucket.report(report.ordinal, report.spent, report.unspent)
    }
    this.#annual.enterYear(policy.contractStart, this.#wallMs)
    this.#annual.receive(tally, this.#wallMs)
    this.#noteUses(request, Math.max(nowMs, sentAtMs))
    this.#sizing.observe(request.counted, true, policy, nowMs)
    if (this.#sizing.leaseRequestsPerSecond > LEASE_REQUESTS_PER_SECOND_SHED) return this.#busy()

    const ordinal = ++this.#ordinal
    const room = this.#annual.room(policy.annualLimit)
    const refusal = policy.status === 'suspended' ? 'suspended' : room === 0 ? 'annual_limit' : null
    const size = refusal ? NO_GRANT : this.#sizing.size(request, Math.min(room, bucket.available), policy)
    if (size.permits > 0) {
      bucket.grant(ordinal, size.permits, size.ttlMs, nowMs)
      this.#annual.granted(tally.id, { epoch: this.#epoch, ordinal }, size.permits, request.waiting)
    }
    this.#waits.granted(policy.version, nowMs)
    this.#saver.saveIfDue(size.permits > 0 && isNearlyUsedUp(room, policy), this.#wallMs)
    return {
      v: PROTOCOL_VERSION,
      kind: 'lease',
      epoch: this.#epoch,
      ordinal,
      gateMs: bucket.elapsedMs,
      policy,
      policyTtlMs: POLICY_TTL_MS,
      grant: size.permits > 0 ? { permits: size.permits, ttlMs: size.ttlMs } : null,
      refusal,
      ...(refusal === 'annual_limit' && { roomInMs: this.#roomInMs(policy) }),
      saturated: size.saturated,
      fraction: size.fraction,
      backoffMs: size.backoffMs,
      remaining: bucket.available,
      fullInMs: bucket.fullInMs,
      verdicts: this.#verdicts.for(request, policy.version, Math.max(nowMs, sentAtMs)),
      freshness: this.#log.ledger.deltaSince(request.seenSeq),
      ...this.#annual.savedOf(tally.id),
    } satisfies Lease
  }

  /** Admits one write immediately. `credential` is a secret's hash, or null for a caller that needs none. */
  admitWrite(credential: string | null, scope: string, sender: Sender, atMs: number): WriteAdmission {
    const policy = this.#policy
    const bucket = this.#bucket
    if (!policy || !bucket) throw new Error('the gate has no policy yet')
    this.noteClock(sender, atMs)
    const nowMs = this.#nowMs
    const verdict = credential === null ? null : this.#verdicts.of(credential, Math.max(nowMs, sender.sentAtMs))
    if (verdict?.known) this.#keyUses.note(verdict.keyId, this.#wallMs, this.#verdicts.ids)
    const recoversInMs = this.#waits.earlierMs(nowMs)
    const refuse = (reason: WriteRefusal, retryAfterMs = 0): WriteAdmission => {
      const { available: remaining, fullInMs } = bucket
      return { admitted: false, policy, reason, retryAfterMs, recoversInMs, remaining, fullInMs }
    }
    const refusal = this.refusalOf(credential, scope, sender, nowMs)
    if (refusal) return refuse(refusal)
    this.#annual.enterYear(policy.contractStart, this.#wallMs)
    this.#sizing.observe(1, false, policy, nowMs)
    const room = this.#annual.room(policy.annualLimit)
    if (room === 0 || !bucket.take(1)) {
      this.#annual.limited(1, this.#wallMs)
      return room === 0
        ? refuse('annual_limit', this.#roomInMs(policy))
        : refuse('rate_limited', 1_000 / policy.ratePerSecond)
    }
    this.#annual.admitted(1, this.#wallMs)
    const ticket = this.#saver.saves
    this.#saver.saveIfDue(isNearlyUsedUp(room, policy), this.#wallMs)
    const { available: remaining, fullInMs } = bucket
    return { admitted: true, policy, verdict, ticket, remaining, fullInMs }
  }

  /**
   * Returns why this caller may not write, apart from permits; null when it may. It is called again right before a
   * commit. An isolate whose clock is ahead ends keys early for its own requests only, so its clock is used as it is.
   */
  refusalOf(credential: string | null, scope: string, sender: Sender, atMs: number): WriteRefusal | null {
    const nowMs = Math.max(this.#nowMs, atMs, sender.sentAtMs)
    const verdict = credential === null ? null : this.#verdicts.of(credential, nowMs)
    if (verdict && !verdict.known) return 'unknown_key'
    if (this.#policy?.status !== 'active') return 'suspended'
    return verdict && !verdict.scopes.includes(scope) ? 'missing_scope' : null
  }

  /** Admits a write of an operator as the tenant. It takes no permit and is no demand, whatever the tenant's status. */
  admitOperator(sender: Sender, atMs: number): WriteAdmission<null> {
    const policy = this.#policy
    const bucket = this.#bucket
    if (!policy || !bucket) throw new Error('the gate has no policy yet')
    this.noteClock(sender, atMs)
    const { available: remaining, fullInMs } = bucket
    const reason = this.refusalOfOperator()
    if (reason) return { admitted: false, policy, reason, retryAfterMs: 0, recoversInMs: 0, remaining, fullInMs }
    return { admitted: true, policy, verdict: null, ticket: null, remaining, fullInMs }
  }

  /** Returns why an operator may not write as the tenant; null when it may. Call it again right before a commit. */
  refusalOfOperator(): WriteRefusal | null {
    return this.#policy && !isNoTenant(this.#policy) ? null : 'no_tenant'
  }

  /**
   * Numbers a batch of writes and stores its intent, before any of it is sent to D1. `strongInMs` is how long leases
   * without this write may still live. A strong write waits that long after the commit, and then no cache anywhere
   * returns the value before it. `isNext`: no earlier write is under way, so a value that the batch returns shows every write
   * up to its number.
   */
  beginWrite(intent: Intent, atMs: number): { seq: number; strongInMs: number; isNext: boolean } {
    const nowMs = this.#tick(atMs)
    const uncounted = intent.tickets.filter((ticket) => ticket === this.#saver.saves).length
    const isNext = this.#log.ledger.stable === this.#log.ledger.seq
    const seq = this.#log.begin(intent.tags, intent.deadlineMs, uncounted)
    return { seq, strongInMs: this.#waits.allMs(nowMs), isNext }
  }

  /**
   * Returns how long a write has to wait before it begins. After a move to another database, leases that name the one before may
   * be alive for a moment: a read under one of these would not find the write that its token is of.
   */
  writesOpenInMs(atMs: number): number {
    return Math.max(0, this.#writesOpenAtMs - Math.max(this.#nowMs, atMs))
  }

  /** Settles a batch: in D1 at `bookmark`, or never to be committed (null). Stores nothing, so no response waits for it. */
  settleWrite(seq: number, bookmark: string | null): void {
    this.#log.settle(seq, bookmark)
  }

  /** Stores what is settled and is in no row yet, so that a later start of the gate does not look it up. */
  saveStable(): void {
    this.#log.saveStable()
  }

  /**
   * Returns overdue writes with unknown outcome. The shell asks the primary for its time and its bookmark. If a write is
   * decided by then, the shell settles it with that bookmark, whatever became of it.
   */
  overdueIntents(atMs: number): WriteRow[] {
    return this.#log.overdue(this.d1Ms(atMs))
  }

  /**
   * Returns true when the result of a look-up is final for the batch. `d1Ms` is the time in the look-up's own
   * response: no other clock can show that D1 will not commit the batch any more.
   */
  isDecided(seq: number, d1Ms: number): boolean {
    return this.#log.isDecided(seq, d1Ms)
  }

  /** When to call `overdueIntents` next, by the gate's own clock; null when no write is pending. */
  nextLookMs(atMs: number): number | null {
    const { nextOverdueMs } = this.#log
    return nextOverdueMs === null ? null : atMs + Math.max(0, nextOverdueMs - this.d1Ms(atMs))
  }

  /**
   * Puts a policy in force. Returns `waitMs`: after it no lease under an older policy is alive anywhere. A policy
   * that is not newer than the stored one changes nothing, but its wait is returned, so the call can be repeated
   * until a response arrives.
   */
  setPolicy(policy: Policy, keys: readonly GateKey[], atMs: number): { waitMs: number } {
    const nowMs = this.#tick(atMs)
    if (!this.#policy || policy.version > this.#policy.version) {
      // Names and the like stay in D1: they are most of a key, and a row has an end.
      this.#storage.savePolicy(policy, keys.map(storedKeyOf))
      this.#verdicts = new Verdicts(keys)
      if (this.#bucket) {
        this.#bucket.setLimits(policy, nowMs)
        // A later start must not assume that the new rate has refilled the bucket since the old horizon.
        this.#saver.saveFromNow(this.#wallMs)
      } else {
        this.#bucket = new Bucket(policy, nowMs)
      }
      const isMoved = this.#policy !== null && databaseOf(this.#policy) !== databaseOf(policy)
      this.#policy = policy
      if (isMoved) this.#beginInAnotherDatabase(policy, nowMs)
    }
    return { waitMs: this.#waits.olderMs(policy.version, nowMs) }
  }

  /**
   * Drops what says something about the database before: a bookmark means nothing in another one. A write that was under way
   * stays pending, and its outcome is looked up in the new database, which has all that was committed in the old one.
   */
  #beginInAnotherDatabase(policy: Policy, nowMs: number): void {
    this.#writesOpenAtMs = nowMs + this.#waits.olderMs(policy.version, nowMs)
    this.#loaded = { dataEpoch: 0, atMs: nowMs, ...this.#loaded, movedAtMs: this.#wallMs }
    this.#storage.saveLoaded(this.#loaded)
    this.#startLogAnew()
  }

  #startLogAnew(): void {
    this.#log.startAnew()
    // The rows that a restart would have counted requests from are gone.
    this.#saver.saveCounts(this.#wallMs)
  }

  /** The data epoch of the gate's D1 history, and when the gate last loaded it; null before the first policy. */
  get loaded(): LoadedRow | null {
    return this.#loaded
  }

  /**
   * Notes that the policy was loaded from D1, and the data epoch that came with it. Call it before `setPolicy`, in
   * the same event. Under another epoch, all data about the earlier D1 is dropped: the freshness floor rises above
   * every number given so far, and no bookmark is left.
   */
  notePolicyLoaded(dataEpoch: number, atMs: number): void {
    const nowMs = this.#tick(atMs)
    const isSetBack = dataEpoch !== this.#loaded?.dataEpoch && this.#log.ledger.seq > 0
    this.#loaded = { ...this.#loaded, dataEpoch, atMs: nowMs }
    this.#storage.saveLoaded(this.#loaded)
    if (isSetBack) this.#startLogAnew()
  }

  /** Returns the counts of the year and of each day, and when each key was last used. */
  usage(atMs: number): Usage {
    this.#tick(atMs)
    if (this.#policy) this.#annual.enterYear(this.#policy.contractStart, this.#wallMs)
    return { ...this.#annual.usage(), keyUses: this.#keyUses.all() }
  }

  /** Notes the uses that an isolate reports, and those of the requests that wait for a verdict on their key. */
  #noteUses({ uses = {}, credentials }: LeaseRequest, keysAtMs: number): void {
    for (const keyId in uses) this.#keyUses.note(keyId, this.#wallMs - (uses[keyId] as number), this.#verdicts.ids)
    for (const secretHash of credentials) {
      const verdict = this.#verdicts.of(secretHash, keysAtMs)
      if (verdict.known) this.#keyUses.note(verdict.keyId, this.#wallMs, this.#verdicts.ids)
    }
  }

  /** The time of day. */
  get #wallMs(): number {
    return this.#wall.at(this.#nowMs)
  }

  /** The gate's own clock never goes back, and no other clock moves it forward. */
  #tick(atMs: number): number {
    this.#nowMs = Math.max(this.#nowMs, atMs)
    this.#bucket?.advance(this.#nowMs)
    return this.#nowMs
  }

  /** Returns how long it takes until the year has room again. */
  #roomInMs({ annualLimit }: Policy): number {
    return this.#annual.roomInMs(annualLimit ?? 0, this.#wallMs)
  }

  #busy(): LeaseReply {
    return { v: PROTOCOL_VERSION, kind: 'busy', backoffMs: this.#sizing.busyBackoffMs() }
  }
}

function databaseOf({ database = 0 }: Policy): number {
  return database
}
