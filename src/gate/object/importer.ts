/**
 * Imports a chunk of lines at a gate: takes its permits and judges the lines. Those that no rule refuses follow in short
 * transactions, each of which is numbered, recorded as an intent, committed and settled. import-plan.ts decides which
 * lines are refused and in which order the others are done. The isolate that sent the chunk waits for permits.
 *
 * If a transaction is refused all the same, it has met another writer, or a rule that import-rules.ts does not have.
 * The lines are then looked up once more, and halved until the refused line is found. Each of these tries costs permits
 * like the first one, and their total is bounded: lines without a result by then get AGAIN.
 */
import type { ImportContext, ImportLine, ImportOutcome } from '../../registry/bulk.ts'
import type { Scope } from '../../registry/customer.ts'
import { type Failure, fail, RegistryError, UNAVAILABLE } from '../../registry/errors.ts'
import type { GateCore } from '../core/gate-core.ts'
import { failureOf } from '../core/write-admission.ts'
import { INTENT_GRACE_MS, WRITE_DEADLINE_MS } from '../protocol/constants.ts'
import {
  type ImportReply,
  type ImportRequest,
  type ImportStamp,
  LOOK_UP_STATEMENTS,
  type PlannedLine,
  type Segment,
  TRANSACTION_STATEMENTS,
} from '../protocol/imports.ts'
import type { GateDeps } from './deps.ts'
import { contextOf, customerIdOf, outcomeOf, unchangedOf, withoutTriedIds } from './import-outcomes.ts'
import { ChunkPermits } from './import-permits.ts'
import { type ImportPlan, planImport } from './import-plan.ts'
import { ImportPace, transactionsOf } from './import-transactions.ts'
import { ImportTurns } from './import-turns.ts'
import type { IntentWatch } from './intent-watch.ts'
import { refusalOfSender } from './sender-admission.ts'
import type { GateWriter } from './writer.ts'

/**
 * Rounds of look-up and transaction for lines whose customers other writers keep changing first. The rest gets AGAIN.
 */
const ROUNDS_MAX = 5
/** The first round that is done while no other write of the tenant is under way. */
const ALONE_ROUND = 2
const AGAIN: ImportOutcome = { result: 'error', failure: UNAVAILABLE }

/** One chunk in progress. */
interface Run {
  request: ImportRequest
  actor: string
  permits: ChunkPermits
  /** Outcomes by the id of the line. */
  outcomes: Map<string, ImportOutcome>
  /** Only in a dry run: lines that would be done, and so come before those that are tried next. */
  accepted: ImportLine[]
  /** True when the chunk has a turn of its own. */
  isAlone: boolean
  context: ImportContext | null
  written: { seq: number; bookmark: string } | null
}

export class GateImporter {
  readonly #scope: Scope
  readonly #core: GateCore
  readonly #deps: GateDeps
  readonly #writer: GateWriter
  readonly #intents: IntentWatch
  /** Transactions that D1 has not answered. */
  readonly #underWay = new Set<Promise<unknown>>()
  readonly #turns: ImportTurns
  readonly #pace = new ImportPace()

  constructor(scope: Scope, core: GateCore, deps: GateDeps, writer: GateWriter, intents: IntentWatch) {
    this.#scope = scope
    this.#core = core
    this.#deps = deps
    this.#writer = writer
    this.#intents = intents
    this.#turns = new ImportTurns(deps)
  }

  /**
   * Imports as much as the permits allow. A chunk that lacks permits gets `rate_limited`, and keeps those it has when
   * it is sent again.
   */
  async import(request: ImportRequest): Promise<ImportReply> {
    const { lines } = request
    const permits = new ChunkPermits(request, this.#core, this.#deps.clock)
    const admission = permits.take()
    if (!admission.admitted) return { ...fail(failureOf(admission.reason, admission.retryAfterMs)), ...permits.state }
    const run: Run = {
      request,
      actor: admission.verdict?.known ? admission.verdict.keyId : (request.caller ?? 'unknown'),
      permits,
      outcomes: new Map(),
      accepted: [...request.assumed],
      context: null,
      isAlone: false,
      written: null,
    }
    try {
      permits.pay(request.permits)
      await this.#run(run, lines, 0)
    } catch (error) {
      const isFull = this.#deps.writes.isFull(error)
      if (isFull) this.#deps.onStorageFailure(error, this.#scope)
      if (!isFull && !(error instanceof RegistryError)) throw error
      const failure: Failure = error instanceof RegistryError ? error.failure : { reason: 'insufficient_storage' }
      return { ...fail(failure), ...permits.state }
    }
    const outcomes = lines.map((line) => run.outcomes.get(line.id) ?? AGAIN)
    const { actor, written, context } = run
    const { limits, permitsPaid } = permits.state
    const reply = { ok: true, outcomes, actor, written, limits, permitsPaid } as const
    return context ? { ...reply, context } : reply
  }

  /**
   * Resolves when the transactions now under way have ended: after a change of policy, no earlier one is still to
   * come.
   */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#underWay)
  }

  /** See `ChunkPermits.affords`. */
  #affords({ permits, outcomes, accepted }: Run, priced: number, sent = priced): boolean {
    return permits.affords({ priced, sent }, outcomes.size > 0 || accepted.length > 0)
  }

  /**
   * Imports the lines, or determines what an import would do. `round`: how often some of them have been sent before.
   */
  async #run(run: Run, lines: readonly ImportLine[], round: number): Promise<void> {
    if (lines.length === 0 || round === ROUNDS_MAX || !this.#affords(run, LOOK_UP_STATEMENTS)) return
    const { dryRun } = run.request
    const all = [...run.accepted, ...lines]
    const { requestId } = run.request
    const facts = await this.#turns.take(
      () => this.#deps.imports.lookUpLines(this.#scope, all, requestId),
      ({ durationMs }) => durationMs,
    )
    if (dryRun) run.context ??= contextOf(all, lines, facts)
    const plan = planImport(all, facts, this.#newChangeId)
    const isLeft = ({ id }: ImportLine) => !run.outcomes.has(id)
    // A dry run takes back what it tries, so it is one transaction.
    const parted = (linesMax: ImportPace['next' | 'priced']) =>
      dryRun ? [plan.segments].filter(({ length }) => length > 0) : transactionsOf(plan.segments, linesMax)
    const each = TRANSACTION_STATEMENTS[dryRun ? 'dryRun' : run.request.operator ? 'operator' : 'own']
    const statementsOf = (transactions: readonly PlannedLine[][][]) =>
      transactions.flat().length + transactions.length * each
    const priced = statementsOf([...parted(this.#pace.priced)])
    if (priced > 0 && !this.#affords(run, priced, statementsOf([...parted(this.#pace.next)]))) return
    for (const segments of parted(this.#pace.next)) {
      const failure = dryRun ? await this.#tryOut(run, segments) : await this.#commit(run, segments)
      // No other line would find room either, or be taken from an operator who may not do this any more.
      if (failure?.reason === 'insufficient_storage' || failure?.reason === 'unauthorized')
        throw new RegistryError(failure)
      if (failure) return this.#narrow(run, lines.filter(isLeft), segments, failure, round)
      const sent = segments.flat()
      // Later lines may depend on these, and must not be done before them.
      if (sent.some(({ id }) => run.outcomes.get(id) === AGAIN)) return
      if (sent.some(isLeft)) break
    }
    const left = lines.filter(isLeft)
    const judged = plan.refused.length + plan.unchanged.length
    // For the lines that are left, another writer was faster. The refusals may be due to its changes.
    if (left.length > judged) return this.#repeat(run, left, round + 1)
    this.#recordJudged(run, plan, all)
    if (dryRun) run.accepted.push(...lines.filter(({ id }) => run.outcomes.get(id)?.result !== 'error'))
  }

  /** Sends lines again. After a few races they get a turn of their own, which no other write can win. */
  async #repeat(run: Run, lines: readonly ImportLine[], round: number): Promise<void> {
    if (round < ALONE_ROUND || run.isAlone) return this.#run(run, lines, round)
    await this.#writer.alone(async () => {
      run.isAlone = true
      await this.#run(run, lines, round).finally(() => {
        run.isAlone = false
      })
    })
  }

  #recordJudged({ outcomes, request }: Run, { refused, unchanged }: ImportPlan, lines: readonly ImportLine[]): void {
    for (const { line, failure } of refused) {
      outcomes.set(line.id, { result: 'error', failure: request.dryRun ? withoutTriedIds(failure, lines) : failure })
    }
    for (const { line, customerId } of unchanged) outcomes.set(line.id, unchangedOf(line, customerId))
  }

  /** Finds the line for which a transaction was refused: the only one, or one in one of the halves. */
  async #narrow(
    run: Run,
    lines: readonly ImportLine[],
    segments: readonly Segment[],
    failure: Failure,
    round: number,
  ): Promise<void> {
    const sent = new Set(segments.flat().map(({ id }) => id))
    const candidates = lines.filter(({ id }) => sent.has(id))
    const [only, ...others] = candidates
    // In a dry run, a line that was accepted before no longer is.
    if (!only) return
    if (others.length === 0) {
      run.outcomes.set(only.id, { result: 'error', failure })
      return this.#run(
        run,
        lines.filter((line) => line !== only),
        round,
      )
    }
    if (round === 0) return this.#run(run, lines, 1)
    const middle = lines.indexOf(candidates[candidates.length >> 1] as ImportLine)
    await this.#run(run, lines.slice(0, middle), 1)
    await this.#run(run, lines.slice(middle), 1)
  }

  /** Returns null when the lines would be done; else the failure that a rule gives for one. */
  async #tryOut(run: Run, segments: PlannedLine[][]): Promise<Failure | null> {
    const done = await this.#turns.take(
      () => this.#deps.imports.tryOut(this.#scope, segments, this.#stamp(run)),
      () => null,
    )
    if (!done.ok) return done.failure
    for (const line of segments.flat()) run.outcomes.set(line.id, outcomeOf(line, done.changed.has(line.changeId)))
    return null
  }

  /**
   * Returns null when the lines were done, except those where another writer was faster; else the failure that a rule
   * gave for one.
   */
  async #commit(run: Run, segments: PlannedLine[][]): Promise<Failure | null> {
    const planned = segments.flat()
    const { seq, deadlineMs, transaction } = await this.#turns.take(
      () => this.#begin(run, segments),
      async ({ transaction }) => {
        const done = await transaction
        return done.ok ? done.work.durationMs : null
      },
    )
    try {
      const done = await transaction
      // Late lines are looked up again, and planned with the time in this response.
      if (done.ok) this.#core.noteD1Time(done.d1Ms, this.#deps.clock())
      this.#core.settleWrite(seq, done.ok ? done.bookmark : null)
      if (!done.ok) return done.failure
      this.#pace.note(segments, done.work)
      if (done.hasSubscribers) this.#writer.enqueueDeliveries(planned.map(customerIdOf))
      run.written = { seq, bookmark: done.bookmark }
      for (const line of planned) {
        const missed = done.missed.has(customerIdOf(line))
        if (!missed) run.outcomes.set(line.id, outcomeOf(line, done.changed.has(line.changeId)))
      }
    } catch (error) {
      // Nothing was committed, so there is nothing to look up: the import ends here.
      if (this.#deps.writes.isFull(error)) {
        this.#core.settleWrite(seq, null)
        throw error
      }
      if (this.#deps.writes.isMoving(error)) {
        this.#core.settleWrite(seq, null)
        // The lines are looked up and sent again, until there are no more rounds.
        await this.#deps.awaitMove()
        return null
      }
      this.#deps.onStorageFailure(error, this.#scope)
      await this.#learn(run, seq, planned, deadlineMs)
    }
    return null
  }

  /** Begins a transaction. Resolves when it has ended, however it ends. */
  async #begin(run: Run, segments: PlannedLine[][]) {
    const waitMs = this.#core.writesOpenInMs(this.#deps.clock())
    if (waitMs > 0) await this.#deps.sleep(waitMs)
    const planned = segments.flat()
    const nowMs = this.#deps.clock()
    // A chunk may take several transactions, and the tenant or the key may have been barred meanwhile.
    const barred = refusalOfSender(this.#core, run.request, nowMs)
    if (barred) throw new RegistryError(failureOf(barred, 0))
    const stamp = this.#stamp(run)
    const { deadlineMs } = stamp
    const { seq } = this.#core.beginWrite(
      {
        tags: planned.map(customerIdOf),
        deadlineMs,
        tickets: run.permits.takeTickets(),
      },
      nowMs,
    )
    const transaction = this.#intents
      .watch()
      .then(() => this.#deps.imports.commitSegments(this.#scope, segments, stamp))
    this.#underWay.add(transaction)
    await transaction.catch(() => undefined).finally(() => this.#underWay.delete(transaction))
    return { seq, deadlineMs, transaction }
  }

  /**
   * D1 failed midway. A line that is found was done. The others were not, and cannot be any more once the batch is
   * decided.
   */
  async #learn(run: Run, seq: number, planned: PlannedLine[], deadlineMs: number): Promise<void> {
    for (const line of planned) run.outcomes.set(line.id, AGAIN)
    const changeIds = planned.map(({ changeId }) => changeId)
    let looked = await this.#intents.learn(seq, changeIds, deadlineMs)
    if (!looked) {
      await this.#deps.sleep(Math.max(0, deadlineMs + INTENT_GRACE_MS - this.#core.d1Ms(this.#deps.clock())))
      looked = await this.#intents.learn(seq, changeIds, deadlineMs)
    }
    // The batch stays unsettled, and the alarm will look it up.
    if (!looked) return
    this.#writer.enqueueDeliveries(planned.map(customerIdOf))
    run.written = { seq, bookmark: looked.bookmark }
    for (const line of planned) if (looked.found.has(line.changeId)) run.outcomes.set(line.id, outcomeOf(line, true))
  }

  /** Deadline, ids and stamps are by D1's clock, which judges the deadline. */
  #stamp({ actor, request: { operator = null, requestId, reason } }: Run): ImportStamp {
    const nowMs = this.#core.d1Ms(this.#deps.clock())
    return { actor, operator, requestId, reason, nowMs, deadlineMs: nowMs + WRITE_DEADLINE_MS }
  }

  readonly #newChangeId = () => this.#deps.newId('event', this.#core.d1Ms(this.#deps.clock()))
}
