/**
 * How a gate writes: admits, numbers, records the intent, commits one D1 batch, settles. Whatever arrives while a batch is
 * under way goes into the next. An outcome nobody knows is looked up on the primary, never guessed.
 */
import type { Customer, Scope } from '../registry/customer.ts'
import { type Failure, fail } from '../registry/failures.ts'
import type { Command, Target } from '../registry/ports.ts'
import type { GateDeps } from '../wiring.ts'
import { INTENT_GRACE_MS } from './constants.ts'
import type { GateCore, WriteAdmission } from './gate-core.ts'
import type { LimitState, WriteReply, WriteRequest } from './write-protocol.ts'
import { WriteQueue } from './write-queue.ts'

/** After this D1 refuses to commit. Longer than a slow commit, shorter than a caller's patience. */
const WRITE_DEADLINE_MS = 10_000
/** A target that keeps moving away between its look-up and its change is given up after this many. */
const RETARGETS_MAX = 5

export interface PreparedWrite {
  command: Command
  changeId: string
  actor: string
  requestId: string
  reason: string | null
  nowMs: number
  deadlineMs: number
}

/** `retarget`: the external id named another customer by the time of the change; look it up again. */
export type CommitResult =
  | { ok: true; customer: Customer; effect: 'created' | 'updated' | 'unchanged' | 'archived' | 'restored' }
  | { ok: false; failure: Failure; retarget?: boolean }

/** What a gate needs of D1. */
export interface WriteStore {
  /** The command with its target's id known; a failure when there is no such customer. Reads the primary. */
  resolveTarget(
    scope: Scope,
    command: Command,
  ): Promise<{ ok: true; command: Command } | { ok: false; failure: Failure }>
  /** All in one transaction, each for itself. */
  commitWrites(scope: Scope, writes: PreparedWrite[]): Promise<{ results: CommitResult[]; bookmark: string }>
  /** Which of the changes are in D1, with the customers as they are now. Reads the primary. */
  findCommitted(scope: Scope, changeIds: string[]): Promise<{ found: Map<string, Customer>; bookmark: string }>
}

interface QueuedWrite {
  write: PreparedWrite
  ticket: number
}

type Settled = { result: CommitResult; seq: number; bookmark: string } | { unknown: true }

export class GateWriter {
  readonly #scope: Scope
  readonly #core: GateCore
  readonly #deps: GateDeps
  readonly #setAlarm: (atMs: number) => Promise<void>
  readonly #queue = new WriteQueue<QueuedWrite, Settled>((batch) => this.#commit(batch))
  #alarmAtMs = 0

  constructor(scope: Scope, core: GateCore, deps: GateDeps, setAlarm: (atMs: number) => Promise<void>) {
    this.#scope = scope
    this.#core = core
    this.#deps = deps
    this.#setAlarm = setAlarm
  }

  async write(request: WriteRequest): Promise<WriteReply> {
    const admission = this.#core.admitWrite(request.credential, 'customers:write', this.#deps.clock())
    const limits = limitsOf(admission)
    if (!admission.admitted) return { ...fail(failureOf(admission)), limits }
    const actor = admission.verdict?.known ? admission.verdict.keyId : (request.caller ?? 'unknown')
    for (let attempt = 0; attempt < RETARGETS_MAX; attempt++) {
      const target = needsLookUp(request.command)
        ? await this.#deps.writes.resolveTarget(this.#scope, request.command)
        : { ok: true as const, command: request.command }
      if (!target.ok) return { ...target, limits }
      const settled = await this.#queue.add({
        write: this.#prepare(target.command, request, actor),
        ticket: admission.ticket,
      })
      if ('unknown' in settled) break
      const { result, seq, bookmark } = settled
      if (result.ok) return { ...result, actor, seq, bookmark, limits }
      if (!result.retarget) return { ...fail(result.failure), limits }
    }
    return { ...fail({ reason: 'unavailable', retryAfterMs: 1_000 }), limits }
  }

  /** Settles writes whose outcome nobody learned, now that they can no longer be committed. */
  async resolveOverdue(): Promise<void> {
    this.#alarmAtMs = 0
    for (const intent of this.#core.overdueIntents(this.#deps.clock())) {
      const { bookmark } = await this.#deps.writes.findCommitted(this.#scope, [intent.changeId])
      this.#core.settleWrite(intent.seq, bookmark)
    }
    await this.#watchIntents()
  }

  #prepare(command: Command, { requestId, reason }: WriteRequest, actor: string): PreparedWrite {
    const nowMs = this.#deps.clock()
    const changeId = this.#deps.newId('event', nowMs)
    return { command, changeId, actor, requestId, reason, nowMs, deadlineMs: nowMs + WRITE_DEADLINE_MS }
  }

  async #commit(batch: QueuedWrite[]): Promise<(Settled | Promise<Settled>)[]> {
    const writes = batch.map(({ write }) => write)
    const first = writes[0] as PreparedWrite
    const deadlineMs = Math.max(...writes.map((write) => write.deadlineMs))
    const { seq } = this.#core.beginWrite(
      {
        tags: writes.map(({ command }) => customerIdOf(command)),
        changeId: first.changeId,
        deadlineMs,
        tickets: batch.map(({ ticket }) => ticket),
      },
      this.#deps.clock(),
    )
    await this.#watchIntents()
    try {
      const { results, bookmark } = await this.#deps.writes.commitWrites(this.#scope, writes)
      this.#core.settleWrite(seq, bookmark)
      return results.map((result) => ({ result, seq, bookmark }))
    } catch (error) {
      this.#deps.onStorageFailure(error, this.#scope)
      const learned = this.#learn(seq, writes, deadlineMs)
      return writes.map((_, at) => learned.then((all) => all[at] as Settled))
    }
  }

  /**
   * D1 broke off: each change may have been made or not, or may be yet. What is found now is told; for the rest the truth
   * is only sure after the deadline, when nothing of this batch can be committed any more.
   */
  async #learn(seq: number, writes: PreparedWrite[], deadlineMs: number): Promise<Settled[]> {
    const changeIds = writes.map(({ changeId }) => changeId)
    const look = () => this.#deps.writes.findCommitted(this.#scope, changeIds).catch(() => null)
    let looked = await look()
    if (looked && looked.found.size < writes.length) {
      await this.#deps.sleep(Math.max(0, deadlineMs + INTENT_GRACE_MS - this.#deps.clock()))
      looked = await look()
    }
    if (!looked) return writes.map(() => ({ unknown: true }))
    const { found, bookmark } = looked
    this.#core.settleWrite(seq, bookmark)
    return writes.map(({ changeId, command }) => {
      const customer = found.get(changeId)
      return customer
        ? { result: { ok: true, customer, effect: effectOf(command, customer) }, seq, bookmark }
        : { unknown: true }
    })
  }

  /** Wakes the gate when an intent is overdue, should whoever is to settle it have died by then. */
  async #watchIntents(): Promise<void> {
    const nextMs = this.#core.nextOverdueMs
    if (nextMs === null || (this.#alarmAtMs > this.#deps.clock() && this.#alarmAtMs <= nextMs)) return
    this.#alarmAtMs = nextMs
    await this.#setAlarm(nextMs)
  }
}

function limitsOf({ policy, remaining, fullInMs }: WriteAdmission): LimitState {
  return { policy, remaining, fullInMs }
}

function failureOf({ reason, retryAfterMs }: Extract<WriteAdmission, { admitted: false }>): Failure {
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
      return { reason, scope: 'customers:write' }
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

function effectOf(command: Command, customer: Customer) {
  if (command.kind === 'archive') return 'archived' as const
  if (command.kind === 'restore') return 'restored' as const
  return customer.version === 1 ? ('created' as const) : ('updated' as const)
}
