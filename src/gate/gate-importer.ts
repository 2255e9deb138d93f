/**
 * How a gate imports a chunk of lines: takes its permits, numbers it, records the intent, commits it in one transaction,
 * settles. Where a rule refuses a line the chunk is halved until the line is found, so that the rest goes in. What has to
 * happen in which order is in import-plan.ts; waiting for permits is for the isolate that sent the chunk.
 */
import type { ImportLine, ImportOutcome } from '../registry/bulk.ts'
import type { Scope } from '../registry/customer.ts'
import { type Failure, fail, Refused } from '../registry/failures.ts'
import { INTENT_GRACE_MS, WRITE_DEADLINE_MS } from './constants.ts'
import type { GateCore } from './gate-core.ts'
import type { GateDeps } from './gate-deps.ts'
import { failureOf, type GateWriter, limitsOf } from './gate-writer.ts'
import { planImport } from './import-plan.ts'
import type { ImportReply, ImportRequest, ImportStamp, PlannedLine } from './import-protocol.ts'

/** A line whose external id keeps finding another customer is given up after this many looks. */
const ROUNDS_MAX = 5
const AGAIN: ImportOutcome = { result: 'error', failure: { reason: 'unavailable', retryAfterMs: 1_000 } }
const NO_PARENT: ImportOutcome = { result: 'error', failure: { reason: 'parent_not_found' } }

/** One chunk under way. */
interface Run {
  credential: string | null
  stamp: Omit<ImportStamp, 'nowMs' | 'deadlineMs'>
  /** Of the permits that no intent has counted yet. */
  tickets: number[]
  /** By the id of the line. */
  outcomes: Map<string, ImportOutcome>
  written: { seq: number; bookmark: string } | null
}

export class GateImporter {
  readonly #scope: Scope
  readonly #core: GateCore
  readonly #deps: GateDeps
  readonly #writer: GateWriter
  /** Transactions that D1 has not answered. */
  readonly #underWay = new Set<Promise<unknown>>()

  constructor(scope: Scope, core: GateCore, deps: GateDeps, writer: GateWriter) {
    this.#scope = scope
    this.#core = core
    this.#deps = deps
    this.#writer = writer
  }

  /** Does what the permits allow; a chunk that lacks some is answered `rate_limited`, and sent again keeps those it has. */
  async import(request: ImportRequest): Promise<ImportReply> {
    const { lines, dryRun, credential, caller, requestId, reason } = request
    let { permitsPaid } = request
    const tickets: number[] = []
    for (;;) {
      const admission = this.#core.admitWrite(credential, 'customers:write', this.#deps.clock())
      const limits = limitsOf(admission)
      if (!admission.admitted)
        return { ...fail(failureOf(admission.reason, admission.retryAfterMs)), limits, permitsPaid }
      tickets.push(admission.ticket)
      permitsPaid++
      if (permitsPaid < request.permits) continue
      const actor = admission.verdict?.known ? admission.verdict.keyId : (caller ?? 'unknown')
      const stamp = { actor, requestId, reason }
      const run: Run = { credential, stamp, tickets, outcomes: new Map(), written: null }
      try {
        if (dryRun) await this.#tryOut(run, lines, new Set(request.assumed))
        else await this.#run(run, lines, 0)
      } catch (error) {
        if (error instanceof Refused) return { ...fail(error.failure), limits, permitsPaid }
        throw error
      }
      const outcomes = lines.map((line) => run.outcomes.get(line.id) ?? AGAIN)
      return { ok: true, outcomes, actor, written: run.written, limits, permitsPaid }
    }
  }

  /** Ends when no transaction of now is under way any more: after a change of policy, nothing of before it is still to come. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#underWay)
  }

  /** Imports the lines, in as few transactions as their dependencies and the rules allow. */
  async #run(run: Run, lines: readonly ImportLine[], round: number): Promise<void> {
    if (lines.length === 0 || round === ROUNDS_MAX) return
    const facts = await this.#deps.imports.lookUpLines(this.#scope, lines)
    const { segments, orphans, rest } = planImport(lines, facts, this.#newChangeId)
    for (const { id } of orphans) run.outcomes.set(id, NO_PARENT)
    const planned = segments.flat()
    const refused = planned.length > 0 ? await this.#commit(run, segments) : null
    const [line, ...others] = planned
    if (refused && line && others.length === 0) run.outcomes.set(line.id, { result: 'error', failure: refused })
    else if (refused) {
      const half = planned.length >> 1
      await this.#run(run, planned.slice(0, half), 0)
      await this.#run(run, planned.slice(half), 0)
    } else {
      // With these another writer was quicker.
      const moved = planned.filter(({ id }) => !run.outcomes.has(id))
      await this.#run(run, moved, round + 1)
    }
    await this.#run(run, rest, 0)
  }

  /** Null when the lines were done, but for those that another writer was quicker with; else what a rule said of one. */
  async #commit(run: Run, segments: PlannedLine[][]): Promise<Failure | null> {
    const planned = segments.flat()
    const nowMs = this.#deps.clock()
    // A chunk may take several, and the tenant or the key may have been barred meanwhile.
    const barred = this.#core.refusalOf(run.credential, 'customers:write', nowMs)
    if (barred) throw new Refused(failureOf(barred, 0))
    const stamp: ImportStamp = { ...run.stamp, nowMs, deadlineMs: nowMs + WRITE_DEADLINE_MS }
    const { seq } = this.#core.beginWrite(
      {
        tags: planned.map(customerIdOf),
        changeId: planned[0]?.changeId ?? '',
        deadlineMs: stamp.deadlineMs,
        tickets: run.tickets.splice(0),
      },
      nowMs,
    )
    const transaction = this.#writer
      .watchIntents()
      .then(() => this.#deps.imports.commitSegments(this.#scope, segments, stamp, { dryRun: false }))
    this.#underWay.add(transaction)
    try {
      const done = await transaction.finally(() => this.#underWay.delete(transaction))
      this.#core.settleWrite(seq, done.bookmark)
      if (!done.ok) return done.failure
      this.#writer.announce(planned.map(customerIdOf))
      run.written = { seq, bookmark: done.bookmark }
      for (const line of planned) {
        const there = done.there.has(customerIdOf(line))
        if (there) run.outcomes.set(line.id, outcomeOf(line, done.changed.has(line.changeId)))
      }
    } catch (error) {
      this.#deps.onStorageFailure(error, this.#scope)
      await this.#learn(run, seq, planned, stamp.deadlineMs)
    }
    return null
  }

  /** D1 broke off: what is found after the deadline was done, the rest was not and can not be any more. */
  async #learn(run: Run, seq: number, planned: PlannedLine[], deadlineMs: number): Promise<void> {
    for (const line of planned) run.outcomes.set(line.id, AGAIN)
    const changeIds = planned.map(({ changeId }) => changeId)
    const look = () => this.#deps.writes.findCommitted(this.#scope, changeIds).catch(() => null)
    let looked = await look()
    if (!looked || looked.found.size < planned.length) {
      await this.#deps.sleep(Math.max(0, deadlineMs + INTENT_GRACE_MS - this.#deps.clock()))
      looked = await look()
    }
    // Unsettled, the alarm will look again.
    if (!looked) return
    this.#core.settleWrite(seq, looked.bookmark)
    this.#writer.announce(planned.map(customerIdOf))
    run.written = { seq, bookmark: looked.bookmark }
    for (const line of planned) if (looked.found.has(line.changeId)) run.outcomes.set(line.id, outcomeOf(line, true))
  }

  /**
   * Says what would become of each line, by doing them and taking them back. Lines for a customer that an earlier line
   * is for too, and parents that an earlier chunk would have made, are taken to go well.
   */
  async #tryOut(run: Run, lines: readonly ImportLine[], assumed: ReadonlySet<string>): Promise<void> {
    const seen = new Set(assumed)
    const first: ImportLine[] = []
    const facts = await this.#deps.imports.lookUpLines(this.#scope, lines)
    for (const [at, line] of lines.entries()) {
      if (seen.has(line.externalId)) {
        run.outcomes.set(line.id, { result: 'updated', id: facts[at]?.customerId ?? line.id })
        continue
      }
      seen.add(line.externalId)
      const { parent, ...fields } = line.fields
      const isAssumed = parent && 'externalId' in parent && assumed.has(parent.externalId)
      first.push(isAssumed && facts[at]?.parentId === null ? { ...line, fields } : line)
    }
    await this.#tryHalves(run, [], first)
  }

  /** `accepted` are lines before them that would go in; those of `lines` that would are added. */
  async #tryHalves(run: Run, accepted: ImportLine[], lines: readonly ImportLine[]): Promise<void> {
    if (lines.length === 0) return
    const tried = [...accepted, ...lines]
    const facts = await this.#deps.imports.lookUpLines(this.#scope, tried)
    const { segments, orphans } = planImport(tried, facts, this.#newChangeId)
    for (const { id } of orphans) run.outcomes.set(id, NO_PARENT)
    const planned = segments.flat()
    const left = new Set(lines.map(({ id }) => id))
    const own = planned.filter(({ id }) => left.has(id))
    if (own.length === 0) return
    const nowMs = this.#deps.clock()
    const stamp = { ...run.stamp, nowMs, deadlineMs: nowMs + WRITE_DEADLINE_MS }
    const done = await this.#deps.imports.commitSegments(this.#scope, segments, stamp, { dryRun: true })
    if (done.ok) {
      const changed = await this.#deps.imports.wouldChange(this.#scope, own)
      for (const line of own) run.outcomes.set(line.id, outcomeOf(line, changed.has(customerIdOf(line))))
      accepted.push(...own)
      return
    }
    const [line, ...others] = own
    if (line && others.length === 0) {
      run.outcomes.set(line.id, { result: 'error', failure: done.failure })
      return
    }
    await this.#tryHalves(run, accepted, own.slice(0, own.length >> 1))
    await this.#tryHalves(run, accepted, own.slice(own.length >> 1))
  }

  readonly #newChangeId = () => this.#deps.newId('event', this.#deps.clock())
}

function customerIdOf(line: PlannedLine): string {
  return line.customerId ?? line.id
}

/** A chunk that is sent again finds its own customers there. */
function outcomeOf(line: PlannedLine, changed: boolean): ImportOutcome {
  const id = customerIdOf(line)
  if (id === line.id) return { result: 'created', id }
  return { result: changed ? 'updated' : 'unchanged', id }
}
