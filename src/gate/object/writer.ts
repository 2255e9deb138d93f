/**
 * Writes at a gate: admits, numbers, records the intent, commits one D1 batch, settles, and enqueues deliveries if
 * there are subscribers. Writes that arrive during a batch go into the next.
 */
import { DeliveryEnqueuer } from '../../events/delivery-enqueuer.ts'
import type { Scope } from '../../registry/customer.ts'
import { type Failure, fail, RETRY_AFTER_MS, UNAVAILABLE } from '../../registry/errors.ts'
import type { Command } from '../../registry/ports.ts'
import type { GateCore } from '../core/gate-core.ts'
import { failureOf, limitsOf, mayRead } from '../core/write-admission.ts'
import { WRITE_DEADLINE_MS } from '../protocol/constants.ts'
import type { CommitResult, Found, PreparedCommand, PreparedWrite, SingleCommand } from '../protocol/write-store.ts'
import type { LimitState, WriteReply, WriteRequest } from '../protocol/writes.ts'
import type { GateDeps } from './deps.ts'
import type { IntentWatch } from './intent-watch.ts'
import { KnownIds } from './known-ids.ts'
import { loggedChanges } from './logged-changes.ts'
import { admitSender, refusalOfSender } from './sender-admission.ts'
import { changedByOne, changedIdsOf, furtherChangesOf, isDryRun, needsLookUp } from './write-commands.ts'
import { type AdmittedCaller, type Outcome, outcomeOf, type QueuedWrite, refused } from './write-outcomes.ts'
import { WriteQueue } from './write-queue.ts'

/**
 * Times that a write is retargeted because its target moved between look-up and change. From then on it is looked up
 * and made while no other write is under way, so that no stream of others makes it fail.
 */
const RACES_MAX = 2
const ATTEMPTS_MAX = RACES_MAX + 3
/** A write waits this long for its tenant to be in its other database. */
export const MOVE_WAIT_MAX_MS = 5_000
const DATABASE_FULL: Failure = { reason: 'insufficient_storage' }

export class GateWriter {
  readonly #scope: Scope
  readonly #core: GateCore
  readonly #deps: GateDeps
  readonly #intents: IntentWatch
  readonly #deliveryEnqueuer: DeliveryEnqueuer
  readonly #knownIds = new KnownIds()
  readonly #queue = new WriteQueue<QueuedWrite, Outcome>((batch) => this.#commit(batch))
  /**
   * Maps the idempotency keys of requests under way to their fingerprints. D1 has the results; this only spares a
   * second request with the key the wait.
   */
  readonly #keysUnderWay = new Map<string, string>()

  constructor(scope: Scope, core: GateCore, deps: GateDeps, intents: IntentWatch) {
    this.#scope = scope
    this.#core = core
    this.#deps = deps
    this.#intents = intents
    this.#deliveryEnqueuer = new DeliveryEnqueuer((customerIds) => deps.enqueueDeliveries(scope, customerIds))
  }

  async write(request: WriteRequest): Promise<WriteReply> {
    const admission = admitSender(this.#core, request, this.#deps.clock())
    const limits = limitsOf(admission)
    if (!admission.admitted) {
      const { recoversInMs } = admission
      return { ...fail(failureOf(admission.reason, admission.retryAfterMs)), recoversInMs, limits }
    }
    const { verdict } = admission
    const caller = { name: verdict?.known ? verdict.keyId : (request.caller ?? 'unknown'), mayRead: mayRead(verdict) }
    const { idempotency } = request
    if (!idempotency) return this.#settle(request, caller, admission.ticket, limits)
    const underWay = this.#keysUnderWay.get(idempotency.key)
    if (underWay !== undefined) {
      const failure: Failure =
        underWay === idempotency.fingerprint
          ? { reason: 'idempotency_in_progress', retryAfterMs: RETRY_AFTER_MS }
          : { reason: 'idempotency_mismatch' }
      return { ...fail(failure), limits }
    }
    this.#keysUnderWay.set(idempotency.key, idempotency.fingerprint)
    try {
      return await this.#settle(request, caller, admission.ticket, limits)
    } finally {
      this.#keysUnderWay.delete(idempotency.key)
    }
  }

  async #settle(
    request: WriteRequest,
    caller: AdmittedCaller,
    ticket: number | null,
    limits: LimitState,
  ): Promise<WriteReply> {
    let wasLate = false
    let uncounted = ticket
    let last: WriteReply = { ...fail(UNAVAILABLE), limits }
    const waitsUntilMs = this.#deps.clock() + MOVE_WAIT_MAX_MS
    for (let attempt = 0; attempt < ATTEMPTS_MAX; ) {
      const admitted = { ticket: uncounted, caller, request, limits }
      const isMoved = attempt > 0
      const [outcome] = isDryRun(request.command)
        ? await this.alone(() => this.#attempt(admitted, isMoved, (queued) => this.#tryOut(queued)))
        : attempt < RACES_MAX
          ? await this.#attempt(admitted, isMoved, async (queued) => [this.#enqueue(queued)])
          : await this.alone(() => this.#attempt(admitted, isMoved, (queued) => this.#commit([queued])))
      const { reply, again } = await (outcome as Outcome | Promise<Outcome>)
      uncounted = null
      if (again === null || (again === 'late' && wasLate)) return reply
      last = reply
      wasLate ||= again === 'late'
      if (again !== 'moving') attempt++
      else if (this.#deps.clock() < waitsUntilMs) await this.#deps.awaitMove()
      else return reply
    }
    return last
  }

  /**
   * Looks up the target of a write and makes it by `commit`. `isMoved`: an attempt found that the target is another one.
   * Returns its outcome alone.
   */
  async #attempt(
    admitted: Omit<QueuedWrite, 'write'>,
    isMoved: boolean,
    commit: (queued: QueuedWrite) => Promise<(Outcome | Promise<Outcome>)[]>,
  ): Promise<(Outcome | Promise<Outcome>)[]> {
    const { request, limits, caller } = admitted
    const { command } = request
    const known = needsLookUp(command) ? this.#knownIds.resolved(command) : (command as PreparedCommand)
    const target = isMoved || !known ? await this.#lookUp(command) : { ok: true as const, command: known }
    if (!target.ok) return [{ reply: { ...target, limits }, again: null }]
    return commit({ ...admitted, write: this.#prepare(target.command, request, caller.name) })
  }

  /** Returns the outcome that the write would have. */
  async #tryOut(queued: QueuedWrite): Promise<Outcome[]> {
    const { request, write } = queued
    const barred = refusalOfSender(this.#core, request, this.#deps.clock())
    if (barred) return [refused(queued, failureOf(barred, 0))]
    const result = await this.#deps.writes
      .tryOut(this.#scope, write)
      .catch((error: unknown): CommitResult => fail(this.#deps.onStorageFailure(error, this.#scope)))
    return [outcomeOf(queued, result, { seq: 0, bookmark: '', strongInMs: 0 }, null)]
  }

  /**
   * Makes changes of customers that their sender has looked up, in the batches of all writers. The outcomes are in their
   * order; one that is to be prepared anew says so.
   */
  changeAll(
    commands: readonly SingleCommand[],
    sender: Omit<WriteRequest, 'command' | 'idempotency'>,
    actor: string,
    tickets: readonly number[],
    limits: LimitState,
  ): Promise<Outcome[]> {
    const caller = { name: actor, mayRead: true }
    const queued = commands.map((command, at) => {
      const request = { ...sender, command, idempotency: null }
      const write = this.#prepare(command, request, actor)
      return this.#enqueue({ write, caller, ticket: tickets[at] ?? null, request, limits, isOfMany: true })
    })
    return Promise.all(queued)
  }

  #enqueue(queued: QueuedWrite): Promise<Outcome> {
    return this.#queue.add(queued, JSON.stringify(queued.write.command).length)
  }

  /** Runs `work` while no write is under way. It must not wait for another write. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#queue.alone(work)
  }

  #lookUp(command: Command) {
    return this.#deps.writes
      .resolveTarget(this.#scope, command)
      .catch((error: unknown) => fail(this.#deps.onStorageFailure(error, this.#scope)))
  }

  /** Resolves when the commits now under way have ended: after a change of policy, no earlier one is still to come. */
  idle(): Promise<void> {
    return this.#queue.idle()
  }

  #prepare(command: PreparedCommand, request: WriteRequest, actor: string): PreparedWrite {
    const { operator = null, requestId, reason, idempotency = null } = request
    const nowMs = this.#core.d1Ms(this.#deps.clock())
    const changeId = this.#deps.newId('event', nowMs)
    const deadlineMs = nowMs + WRITE_DEADLINE_MS
    const write = { command, changeId, actor, operator, requestId, reason, nowMs, deadlineMs, idempotency }
    const further = furtherChangesOf(command)
    if (further === 0) return write
    return { ...write, furtherChangeIds: Array.from({ length: further }, () => this.#deps.newId('event', nowMs)) }
  }

  async #commit(queued: QueuedWrite[]): Promise<(Outcome | Promise<Outcome>)[]> {
    const waitMs = this.#core.writesOpenInMs(this.#deps.clock())
    if (waitMs > 0) await this.#deps.sleep(waitMs)
    const nowMs = this.#deps.clock()
    // It may have waited for a look-up or for its turn, and the tenant or the key may have been barred meanwhile.
    const barred = queued.map(({ request }) => refusalOfSender(this.#core, request, nowMs))
    const batch = queued.filter((_, at) => barred[at] === null)
    const settled = batch.length > 0 ? await this.#commitAdmitted(batch) : []
    return barred.map((reason, at) =>
      reason ? refused(queued[at] as QueuedWrite, failureOf(reason, 0)) : (settled.shift() as Outcome),
    )
  }

  async #commitAdmitted(batch: QueuedWrite[]): Promise<(Outcome | Promise<Outcome>)[]> {
    const writes = batch.map(({ write }) => write)
    const deadlineMs = Math.max(...writes.map((write) => write.deadlineMs))
    const { seq, strongInMs, isNext } = this.#core.beginWrite(
      {
        tags: writes.flatMap(({ command }) => changedIdsOf(command)),
        deadlineMs,
        tickets: batch.flatMap(({ ticket }) => ticket ?? []),
      },
      this.#deps.clock(),
    )
    await this.#intents.watch()
    try {
      const { results, hasSubscribers, bookmark, d1Ms } = await this.#deps.writes.commitWrites(this.#scope, writes)
      const expectedMs = this.#core.d1Ms(this.#deps.clock())
      if (d1Ms !== null) this.#core.noteD1Time(d1Ms, this.#deps.clock())
      this.#core.settleWrite(seq, bookmark)
      this.#note(batch, results)
      if (hasSubscribers) this.enqueueDeliveries(writes.flatMap(({ command }) => changedIdsOf(command)))
      const isShown = isNext ? changedByOne(writes) : () => false
      return batch.map((queued, at) => {
        const numbers = { seq, bookmark, strongInMs, ...(isShown(queued.write) && { asof: seq }) }
        return outcomeOf(queued, results[at] as CommitResult, numbers, expectedMs)
      })
    } catch (error) {
      this.#deps.onStorageFailure(error, this.#scope)
      if (this.#deps.writes.isFull(error)) {
        this.#core.settleWrite(seq, null)
        return batch.map((queued) => refused(queued, DATABASE_FULL))
      }
      if (this.#deps.writes.isMoving(error)) {
        this.#core.settleWrite(seq, null)
        return batch.map(heldBack)
      }
      if (this.#deps.writes.neverBegan(error)) {
        this.#core.settleWrite(seq, null)
        return batch.map((queued) => refused(queued, UNAVAILABLE))
      }
      return this.#outcomesByLookUp(batch, seq, deadlineMs, strongInMs)
    }
  }

  /**
   * Returns the outcomes of a batch that D1 may have made or not, or may make yet. A change that was made is answered as
   * soon as it is found; one that is missing only when it can no longer be made, or when D1 could not be reached.
   */
  #outcomesByLookUp(batch: QueuedWrite[], seq: number, deadlineMs: number, strongInMs: number): Promise<Outcome>[] {
    const later = batch.map(() => Promise.withResolvers<Outcome>())
    let unknown = batch
    const answer = ({ found, bookmark }: Found) => {
      const results = unknown.map(({ write }) => found.get(write.changeId))
      this.#note(unknown, results)
      unknown = unknown.filter(({ write }) => !found.has(write.changeId))
      for (const [at, queued] of batch.entries()) {
        const result = found.get(queued.write.changeId)
        if (result) later[at]?.resolve(outcomeOf(queued, result, { seq, bookmark, strongInMs }, null))
      }
    }
    const changeIds = batch.map(({ write }) => write.changeId)
    void this.#intents.learn(seq, changeIds, deadlineMs, answer).then((found) => {
      if (found) this.enqueueDeliveries(batch.flatMap(({ write }) => changedIdsOf(write.command)))
      for (const [at, queued] of batch.entries()) later[at]?.resolve(refused(queued, UNAVAILABLE))
    })
    return later.map(({ promise }) => promise)
  }

  #note(batch: readonly QueuedWrite[], results: readonly (CommitResult | undefined)[]): void {
    for (const result of results) if (result) this.#knownIds.learn(result)
    const changes = loggedChanges(batch, results)
    if (changes.length > 0) this.#deps.onChanges(this.#scope, changes)
  }

  /** Enqueues deliveries for these customers, to be sent soon. */
  enqueueDeliveries(customerIds: string[]): void {
    this.#deliveryEnqueuer.add(customerIds)
  }
}

/** A write that is to be made when the tenant is in its other database, and leases with the one before are over. */
function heldBack(queued: QueuedWrite): Outcome {
  return { ...refused(queued, UNAVAILABLE), again: 'moving' }
}
