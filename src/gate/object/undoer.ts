/**
 * Undoes a chunk of changes at a gate: takes its permits, finds the next of the chosen changes and their customers, and lets the
 * writer make the reverts, in the batches of all writers. What one customer gives up, another one of the chunk may need: those
 * that are in each other's way are looked at again, as long as that helps.
 */
import { importPermits } from '../../registry/bulk.ts'
import type { Scope } from '../../registry/customer.ts'
import { fail, RegistryError, UNAVAILABLE } from '../../registry/errors.ts'
import { PERMIT_BUYS } from '../../registry/permits.ts'
import type { RevertPlan } from '../../registry/revert.ts'
import { judgeUndo, UNDO_BOUNDS, type UndoFacts, type UndoOutcome } from '../../registry/undo.ts'
import type { GateCore } from '../core/gate-core.ts'
import { failureOf, limitsOf } from '../core/write-admission.ts'
import type { UndoReply, UndoRequest } from '../protocol/undo.ts'
import type { LimitState, WriteReply } from '../protocol/writes.ts'
import type { GateDeps } from './deps.ts'
import { admitSender } from './sender-admission.ts'
import type { GateWriter } from './writer.ts'

/** Statements of one look at the customers of a chunk, and of the page before the first. */
const LOOK_STATEMENTS = 2
const PAGE_STATEMENTS = 2

/** One chunk in progress. */
interface Run {
  request: UndoRequest
  actor: string
  limits: LimitState
  permits: number
  permitsPaid: number
  /** Tickets of the permits that no intent has counted yet. */
  tickets: number[]
  statements: number
  rows: number
  outcomes: Map<string, UndoOutcome>
  written: { seq: number; bookmark: string } | null
}

/** The outcome of a look at customers of a chunk. */
interface Round {
  /** Customers that another change came to first. They are looked at again. */
  moved: string[]
  /** Customers that others are in the way of, which may have made room if any went back. */
  blocked: string[]
  made: boolean
}

export class GateUndoer {
  readonly #scope: Scope
  readonly #core: GateCore
  readonly #deps: GateDeps
  readonly #writer: GateWriter

  constructor(scope: Scope, core: GateCore, deps: GateDeps, writer: GateWriter) {
    this.#scope = scope
    this.#core = core
    this.#deps = deps
    this.#writer = writer
  }

  /**
   * Undoes the next chunk. One that lacks permits gets `rate_limited`, and keeps those it has when it is sent again. A chunk
   * that breaks off may be sent again: what is done by then is found unchanged.
   */
  async undo(request: UndoRequest): Promise<UndoReply> {
    const admission = admitSender(this.#core, request, this.#deps.clock())
    const { permits, permitsPaid } = request
    const limits = limitsOf(admission)
    if (!admission.admitted)
      return { ...fail(failureOf(admission.reason, admission.retryAfterMs)), limits, permits, permitsPaid }
    const run: Run = {
      request,
      actor: admission.verdict?.known ? admission.verdict.keyId : (request.caller ?? 'unknown'),
      limits,
      permits,
      permitsPaid: permitsPaid + 1,
      tickets: admission.ticket === null ? [] : [admission.ticket],
      statements: PAGE_STATEMENTS,
      rows: 0,
      outcomes: new Map(),
      written: null,
    }
    try {
      this.#pay(run)
      const nextBeforeId = await this.#run(run)
      const { outcomes, written, limits, permitsPaid } = run
      return { ok: true, outcomes: [...outcomes.values()], nextBeforeId, written, limits, permitsPaid }
    } catch (error) {
      const failure = error instanceof RegistryError ? error.failure : this.#deps.onStorageFailure(error, this.#scope)
      return { ...fail(failure), limits: run.limits, permits: run.permits, permitsPaid: run.permitsPaid }
    }
  }

  /** Returns where the next chunk goes on. */
  async #run(run: Run): Promise<string | null> {
    const { selection, beforeId, requestId } = run.request
    const page = await this.#deps.undos.findPage(this.#scope, { selection, beforeId }, requestId)
    run.rows += page.rows
    let open = page.customerIds
    for (let round = 0; open.length > 0; round++) {
      const { moved, blocked, made } = await this.#round(run, open)
      if (round === UNDO_BOUNDS.roundsMax && moved.length > 0) throw new RegistryError(UNAVAILABLE)
      // Those that nobody made room for stay as they are.
      open = [...moved, ...(made && round < UNDO_BOUNDS.roundsMax ? blocked : [])]
    }
    return page.nextBeforeId
  }

  async #round(run: Run, customerIds: string[]): Promise<Round> {
    const { selection, beforeId, requestId: undoId, dryRun } = run.request
    run.statements += LOOK_STATEMENTS
    const { found, rows } = await this.#deps.undos.findCustomers(this.#scope, {
      ...{ selection, beforeId, customerIds, undoId },
    })
    run.rows += rows
    if (found.length === 0) return { moved: [], blocked: [], made: false }
    const obstacles = await this.#deps.undos.findObstacles(this.#scope, found, dryRun ? selection : null, undoId)
    run.rows += obstacles.rows
    const planned: { facts: UndoFacts; plan: RevertPlan }[] = []
    const blocked: string[] = []
    for (const [at, facts] of found.entries()) {
      const about = obstacles.about[at]
      if (!about) throw new Error('a customer was not looked up')
      const judged = judgeUndo(facts, about)
      if ('plan' in judged) {
        planned.push({ facts, plan: judged.plan })
        continue
      }
      const { outcome } = judged
      run.outcomes.set(outcome.id, outcome)
      if (outcome.result === 'conflict' && outcome.conflicts.length > 0) blocked.push(outcome.id)
    }
    run.statements += dryRun ? 0 : planned.length
    this.#pay(run)
    if (dryRun) {
      for (const { facts } of planned) run.outcomes.set(facts.now.id, revertedOf(facts))
      return { moved: [], blocked: [], made: false }
    }
    const moved = await this.#commit(run, planned)
    return { moved, blocked, made: planned.length > moved.length }
  }

  /** Makes the reverts. Returns the customers that another change came to first. */
  async #commit(run: Run, planned: { facts: UndoFacts; plan: RevertPlan }[]): Promise<string[]> {
    const commands = planned.map(({ facts, plan }) => {
      const { id, version } = facts.now
      return { kind: 'revert', target: { id }, to: { version }, partial: false, plan, ifVersion: null } as const
    })
    const { request, actor, limits } = run
    const outcomes = await this.#writer.changeAll(commands, request, actor, run.tickets.splice(0), limits)
    const moved: string[] = []
    if (outcomes.some(({ again }) => again === 'moving')) await this.#deps.awaitMove()
    for (const [at, { reply, again }] of outcomes.entries()) {
      const { facts } = planned[at] as { facts: UndoFacts }
      const { id, externalId } = facts.now
      if (reply.ok) {
        run.outcomes.set(id, revertedOf(facts))
        this.#note(run, reply)
      } else if (again !== null || isAboutState(reply)) moved.push(id)
      else if (isFinal(reply)) throw new RegistryError(reply.failure)
      else {
        const rule = reply.failure.reason
        run.outcomes.set(id, { id, externalId, result: 'conflict', change: null, conflicts: [], rule })
      }
    }
    return moved
  }

  #note(run: Run, { seq, bookmark }: Extract<WriteReply, { ok: true }>): void {
    if (!run.written || run.written.seq < seq) run.written = { seq, bookmark }
  }

  /** Takes the permits that the chunk costs by now. Throws `RegistryError` when there are none. */
  #pay(run: Run): void {
    const { outcomes, statements, rows } = run
    const price = importPermits(outcomes.size, statements) + Math.floor(rows / PERMIT_BUYS.rows)
    run.permits = Math.max(run.permits, price)
    while (run.permitsPaid < run.permits) {
      const admission = admitSender(this.#core, run.request, this.#deps.clock())
      run.limits = limitsOf(admission)
      if (!admission.admitted) throw new RegistryError(failureOf(admission.reason, admission.retryAfterMs))
      if (admission.ticket !== null) run.tickets.push(admission.ticket)
      run.permitsPaid++
    }
  }
}

function revertedOf({ now: { id, externalId } }: UndoFacts): UndoOutcome {
  return { id, externalId, result: 'reverted' }
}

/** Returns whether the customer was erased or merged since the look at it, so that another look tells what that means for it. */
function isAboutState({ failure }: Extract<WriteReply, { ok: false }>): boolean {
  return failure.reason === 'not_found' || failure.reason === 'merged'
}

/** Returns whether no other customer would fare better: the rest of the undo is in vain. */
function isFinal(reply: Extract<WriteReply, { ok: false }>): boolean {
  const finals: string[] = [
    'insufficient_storage',
    'unauthorized',
    'missing_scope',
    'tenant_suspended',
    UNAVAILABLE.reason,
  ]
  return finals.includes(reply.failure.reason)
}
