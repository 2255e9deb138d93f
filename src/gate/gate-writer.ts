/**
 * How a gate writes: admits, numbers, records the intent, commits one D1 batch, settles, and has it announced where somebody
 * listens. Whatever arrives while a batch is under way goes into the next. An outcome nobody knows is looked up on the
 * primary, never guessed.
 */
import { Announcer } from '../events/announce.ts'
import type { Scope } from '../registry/customer.ts'
import { type Failure, fail } from '../registry/failures.ts'
import type { Command, Target } from '../registry/ports.ts'
import { INTENT_GRACE_MS, WRITE_DEADLINE_MS } from './constants.ts'
import type { GateCore, WriteAdmission, WriteRefusal } from './gate-core.ts'
import type { GateDeps } from './gate-deps.ts'
import type { LimitState, WriteReply, WriteRequest } from './write-protocol.ts'
import { WriteQueue } from './write-queue.ts'
import type { CommitResult, PreparedWrite } from './write-store.ts'

/** A target that keeps moving away between its look-up and its change is given up after this many. */
const RETARGETS_MAX = 5
/** When the primary could not be asked what became of a write, it is asked again after this. */
const LOOK_AGAIN_MS = 30_000
const WRITE_SCOPE = 'customers:write'

interface QueuedWrite {
  write: PreparedWrite
  ticket: number
  credential: string | null
}

/** `seq`, `bookmark`: of the batch; a write that did not get into one has none. */
type Settled =
  | { result: CommitResult; seq: number; bookmark: string; strongInMs: number }
  | { unknown: true }
  | { barred: Failure }

export class GateWriter {
  readonly #scope: Scope
  readonly #core: GateCore
  readonly #deps: GateDeps
  readonly #setAlarm: (atMs: number) => Promise<void>
  readonly #announcer: Announcer
  readonly #queue = new WriteQueue<QueuedWrite, Settled>((batch) => this.#commit(batch))
  /** Keys of requests under way, and which requests. D1 decides what was answered; this only spares the second one the wait. */
  readonly #keysUnderWay = new Map<string, string>()
  #alarmAtMs = 0

  constructor(scope: Scope, core: GateCore, deps: GateDeps, setAlarm: (atMs: number) => Promise<void>) {
    this.#scope = scope
    this.#core = core
    this.#deps = deps
    this.#setAlarm = setAlarm
    this.#announcer = new Announcer((customerIds) => deps.announce(scope, customerIds))
  }

  async write(request: WriteRequest): Promise<WriteReply> {
    const admission = this.#core.admitWrite(request.credential, WRITE_SCOPE, this.#deps.clock())
    const limits = limitsOf(admission)
    if (!admission.admitted) {
      const { recoversInMs } = admission
      return { ...fail(failureOf(admission.reason, admission.retryAfterMs)), recoversInMs, limits }
    }
    const actor = admission.verdict?.known ? admission.verdict.keyId : (request.caller ?? 'unknown')
    const { idempotency } = request
    if (!idempotency) return this.#settle(request, actor, admission.ticket, limits)
    const underWay = this.#keysUnderWay.get(idempotency.key)
    if (underWay !== undefined) {
      const failure: Failure =
        underWay === idempotency.fingerprint
          ? { reason: 'idempotency_in_progress', retryAfterMs: 1_000 }
          : { reason: 'idempotency_mismatch' }
      return { ...fail(failure), limits }
    }
    this.#keysUnderWay.set(idempotency.key, idempotency.fingerprint)
    try {
      return await this.#settle(request, actor, admission.ticket, limits)
    } finally {
      this.#keysUnderWay.delete(idempotency.key)
    }
  }

  async #settle(request: WriteRequest, actor: string, ticket: number, limits: LimitState): Promise<WriteReply> {
    for (let attempt = 0; attempt < RETARGETS_MAX; attempt++) {
      const target = needsLookUp(request.command)
        ? await this.#lookUp(request.command)
        : { ok: true as const, command: request.command }
      if (!target) break
      if (!target.ok) return { ...target, limits }
      const settled = await this.#queue.add({
        write: this.#prepare(target.command, request, actor),
        ticket,
        credential: request.credential,
      })
      if ('unknown' in settled) break
      if ('barred' in settled) return { ...fail(settled.barred), limits }
      const { result, seq, bookmark, strongInMs } = settled
      if (result.ok) {
        const { customer, effect, erased, replayed } = result
        return { ok: true, customer, effect, erased, replayed, actor, seq, bookmark, strongInMs, limits }
      }
      if (!result.retarget) return { ...fail(result.failure), replayed: result.replayed, limits }
    }
    return { ...fail({ reason: 'unavailable', retryAfterMs: 1_000 }), limits }
  }

  /** Null: D1 could not be asked. */
  #lookUp(command: Command) {
    return this.#deps.writes.resolveTarget(this.#scope, command).catch((error: unknown) => {
      this.#deps.onStorageFailure(error, this.#scope)
      return null
    })
  }

  /** Ends when whatever is being committed now has been: after a change of policy, nothing of before it is still to come. */
  idle(): Promise<void> {
    return this.#queue.idle()
  }

  /** Settles writes whose outcome nobody learned, now that they can no longer be committed. */
  async resolveOverdue(): Promise<void> {
    this.#alarmAtMs = 0
    const nowMs = this.#deps.clock()
    for (const intent of this.#core.overdueIntents(nowMs)) {
      try {
        const { bookmark } = await this.#deps.writes.findCommitted(this.#scope, [intent.changeId])
        this.#core.settleWrite(intent.seq, bookmark)
      } catch (error) {
        this.#deps.onStorageFailure(error, this.#scope)
      }
    }
    // Not by letting the alarm fail: the runtime gives a failing one up after a few tries, and D1 may be away for longer.
    await this.watchIntents(nowMs + LOOK_AGAIN_MS)
  }

  #prepare(command: Command, { requestId, reason, idempotency = null }: WriteRequest, actor: string): PreparedWrite {
    const nowMs = this.#deps.clock()
    const changeId = this.#deps.newId('event', nowMs)
    const deadlineMs = nowMs + WRITE_DEADLINE_MS
    return { command, changeId, actor, requestId, reason, nowMs, deadlineMs, idempotency }
  }

  async #commit(queued: QueuedWrite[]): Promise<(Settled | Promise<Settled>)[]> {
    const nowMs = this.#deps.clock()
    // It may have waited for a look-up or for its turn, and the tenant or the key may have been barred meanwhile.
    const barred = queued.map(({ credential }) => this.#core.refusalOf(credential, WRITE_SCOPE, nowMs))
    const batch = queued.filter((_, at) => barred[at] === null)
    const settled = batch.length > 0 ? await this.#commitAdmitted(batch) : []
    return barred.map((reason) => (reason ? { barred: failureOf(reason, 0) } : (settled.shift() as Settled)))
  }

  async #commitAdmitted(batch: QueuedWrite[]): Promise<(Settled | Promise<Settled>)[]> {
    const writes = batch.map(({ write }) => write)
    const first = writes[0] as PreparedWrite
    const deadlineMs = Math.max(...writes.map((write) => write.deadlineMs))
    const { seq, strongInMs } = this.#core.beginWrite(
      {
        tags: writes.map(({ command }) => customerIdOf(command)),
        changeId: first.changeId,
        deadlineMs,
        tickets: batch.map(({ ticket }) => ticket),
      },
      this.#deps.clock(),
    )
    await this.watchIntents()
    try {
      const { results, isListenedTo, bookmark } = await this.#deps.writes.commitWrites(this.#scope, writes)
      this.#core.settleWrite(seq, bookmark)
      if (isListenedTo) this.announce(writes.map(({ command }) => customerIdOf(command)))
      return results.map((result) => ({ result, seq, bookmark, strongInMs }))
    } catch (error) {
      this.#deps.onStorageFailure(error, this.#scope)
      if (this.#deps.writes.neverBegan(error)) {
        this.#core.settleWrite(seq, null)
        return writes.map(() => ({ unknown: true }))
      }
      const learned = this.#learn(seq, writes, deadlineMs)
      return writes.map(async (_, at) => {
        const own = (await learned)[at] as Learned
        return own ? { result: own.result, seq, bookmark: own.bookmark, strongInMs } : { unknown: true }
      })
    }
  }

  /**
   * D1 broke off: each change may have been made or not, or may be yet. What is found now is told; for the rest the truth
   * is only sure after the deadline, when nothing of this batch can be committed any more.
   */
  async #learn(seq: number, writes: PreparedWrite[], deadlineMs: number): Promise<Learned[]> {
    const changeIds = writes.map(({ changeId }) => changeId)
    const look = () => this.#deps.writes.findCommitted(this.#scope, changeIds).catch(() => null)
    let looked = await look()
    if (looked && looked.found.size < writes.length) {
      await this.#deps.sleep(Math.max(0, deadlineMs + INTENT_GRACE_MS - this.#deps.clock()))
      looked = await look()
    }
    if (!looked) return writes.map(() => null)
    const { found, bookmark } = looked
    this.#core.settleWrite(seq, bookmark)
    this.announce(writes.map(({ command }) => customerIdOf(command)))
    return writes.map(({ changeId }) => {
      const result = found.get(changeId)
      return result ? { result, bookmark } : null
    })
  }

  /** Has whoever is to know of these customers' changes told soon. */
  announce(customerIds: string[]): void {
    this.#announcer.add(customerIds)
  }

  /** Wakes the gate when an intent is overdue, should whoever is to settle it have died by then. */
  async watchIntents(notBeforeMs = 0): Promise<void> {
    const nextOverdueMs = this.#core.nextOverdueMs
    if (nextOverdueMs === null) return
    const nextMs = Math.max(nextOverdueMs, notBeforeMs)
    if (this.#alarmAtMs > this.#deps.clock() && this.#alarmAtMs <= nextMs) return
    await this.#setAlarm(nextMs)
    this.#alarmAtMs = nextMs
  }
}

/** What became of one change of a batch that broke off; null: nothing, or nobody knows. */
type Learned = { result: CommitResult; bookmark: string } | null

export function limitsOf({ policy, remaining, fullInMs }: WriteAdmission): LimitState {
  return { policy, remaining, fullInMs }
}

export function failureOf(reason: WriteRefusal, retryAfterMs: number): Failure {
  switch (reason) {
    case 'rate_limited':
      return { reason, retryAfterMs }
    case 'annual_limit':
      return { reason: 'annual_limit_reached', retryAfterMs }
    case 'suspended':
      return { reason: 'tenant_suspended' }
    case 'unknown_key':
      return { reason: 'unauthorized' }
    case 'missing_scope':
      return { reason, scope: WRITE_SCOPE }
  }
}

/** The id has to be known before the commit, because caches are told of a change by it. */
function needsLookUp(command: Command): boolean {
  return command.kind === 'upsert' || (command.kind !== 'create' && command.target.externalId !== undefined)
}

function customerIdOf(command: Command): string {
  if (command.kind === 'create' || command.kind === 'upsert') return command.id
  return (command.target as Extract<Target, { id: string }>).id
}
