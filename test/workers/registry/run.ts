/**
 * One run: a tenant and its model, taken from step to step. Sends the requests of a step all at once, lets D1 fail as the
 * step says, and resends those without an answer. Then it requires that some order of the requests explains the observed
 * answers and the stored rows, and that the APIs show exactly that.
 */
import { expect } from 'vitest'
import { archived } from '../archive/support.ts'
import type { FailingD1, Trouble } from '../support/failing-d1.ts'
import { newOperator, type TestOperator } from '../support/operators.ts'
import { call, newTenant, type TestTenant } from '../support/roster.ts'
import {
  attemptOf,
  doubtfulOf,
  isOpen,
  type Line,
  leavesUnsure,
  type Planned,
  type Sent,
  type SentLines,
} from './attempts.ts'
import { importAll, prepareRequest, type ShownVersion } from './callers.ts'
import { expectAudited, expectRemembered, expectShown, expectWaysOut } from './expected-views.ts'
import { Model } from './model.ts'
import type { Operation } from './model-types.ts'
import { lineObservationOf } from './observed.ts'
import { type Attempt, expectedInOrder, explained } from './orderings.ts'
import { idAt, lineOf, requestOf } from './requests.ts'
import { type Stored, type StoredChange, storedOf } from './rows.ts'
import type { DrawnRequest, DrawnUndo, Step } from './steps.ts'
import { attemptsOf, type SentUndo, selectionOf, sendUndo } from './undos.ts'

/**
 * The one customer that no step touches: an update of it without a change returns a token that covers everything before it.
 */
const FENCE = 'fence'
/** Trying all orders of more requests than these would take too long. */
const TOGETHER_MAX = 4
const SENT_AGAIN_MAX = 3
/** Few, so that the history of a run is in several objects. */
const EVENTS_OF_OBJECT = 9

/** Leaves the second customer with a former external id. */
const RENAMES_SECOND: Step = {
  requests: [
    {
      kind: 'update',
      api: 'v1',
      who: 1,
      into: 0,
      externalId: 'b',
      changes: { externalId: 'c' },
      target: 'id',
      ifVersion: 'none',
      key: 'none',
      reason: null,
      variant: 0,
      nth: 0,
    },
  ],
  lines: [],
  undo: null,
  twice: 'no',
  troubles: [],
  view: { api: 'v1', who: 1, externalId: 'b' },
}

export class Run {
  readonly #tenant: TestTenant
  readonly #operator: TestOperator
  readonly #d1: FailingD1
  #model = new Model()
  #token = ''
  #fenceId = ''
  /** The requests with a key, for repeats later on. */
  readonly #keyed: Planned[] = []
  #named = 0
  /** Every version that the v1 API has shown. */
  readonly #shown: ShownVersion[] = []
  /** The changes so far, in the order of their commits. */
  #changes: StoredChange[] = []

  private constructor(tenant: TestTenant, operator: TestOperator, d1: FailingD1) {
    this.#tenant = tenant
    this.#operator = operator
    this.#d1 = d1
  }

  /** Creates a tenant with two customers, one of which has a former external id, and a chain of ten parents and children. */
  static async begin(d1: FailingD1): Promise<Run> {
    const run = new Run(await newTenant(), await newOperator('admin'), d1)
    const line = Array.from({ length: 10 }, (_, at) => ({
      externalId: `k${at + 1}`,
      changes: at === 0 ? {} : { parent: { externalId: `k${at}` } },
    }))
    const metadata = { replace: { plan: 'pro', nth: '1' } }
    const integrations = [{ provider: 'stripe', id: '1' }]
    const both = [
      { externalId: 'a', changes: { name: 'One', metadata, integrations } },
      { externalId: 'b', changes: { email: 'x@example.com', metadata } },
    ]
    await run.#import([{ externalId: FENCE, changes: {} }], [])
    run.#fenceId = run.#model.byExternalId(FENCE)?.id ?? ''
    await scheduler.wait(2)
    await run.#import([...both, ...line], [])
    await run.#fence()
    await run.take(RENAMES_SECOND)
    return run
  }

  async take({ requests, lines: drawn, undo, twice, troubles, view }: Step): Promise<void> {
    const lines = drawn.map(({ externalId, changes }) => ({ externalId, changes: lineOf(changes, this.#idOf) }))
    const [first, ...others] = requests.map((request) => this.#planned(request))
    const again = twice === 'together' ? first : undefined
    const planned = [first, again, ...others].filter((each) => each !== undefined)
    if (undo) await this.#undo(undo, planned.slice(0, undo.beside), troubles)
    else if (lines.length === 0) await this.#send(planned.slice(0, TOGETHER_MAX), troubles, twice === 'after')
    else if (troubles.length > 0 || others.length === 0) await this.#import(lines, troubles)
    else await this.#race(planned.slice(0, TOGETHER_MAX / 2), lines.slice(0, TOGETHER_MAX / 2))
    if (undo || lines.length > 0 || planned.length > 1 || twice !== 'no' || troubles.length > 0) await this.#fence()
    const shown = await expectShown(this.#tenant, this.#model, {
      ...view,
      id: this.#idOf(view.who),
      token: this.#token,
    })
    if (shown) this.#shown.push(shown)
  }

  async end(): Promise<void> {
    await expectAudited(this.#tenant, this.#model)
    await expectRemembered(this.#tenant, this.#model, this.#shown)
    // Some of the history is in D1 and the rest in the archive, then all of it in the archive.
    for (const objects of [1 + (this.#changes.length % 3), Number.POSITIVE_INFINITY]) {
      await archived({ tenantId: this.#tenant.tenantId, mode: 'live' }, EVENTS_OF_OBJECT, undefined, objects)
      await expectAudited(this.#tenant, this.#model)
      await expectRemembered(this.#tenant, this.#model, this.#shown)
    }
    await expectWaysOut(this.#tenant, this.#model)
  }

  async #send(together: Planned[], ahead: readonly Trouble[], isSentAgain: boolean): Promise<void> {
    this.#d1.fail(ahead)
    const sent = await Promise.all(together.map((each) => this.#sendOne(each)))
    const troubles = this.#d1.heal()
    await this.#d1.deliver()
    const phases = [sent, ...(await this.#sendOpenAgain(sent)).map((each) => [each])]
    const [first] = together
    if (isSentAgain && first) phases.push([await this.#sendOne(first)])
    const stored = await storedOf(this.#tenant.tenantId)
    const isUnsure = leavesUnsure(troubles)
    const attempts = phases.map((phase, at) =>
      phase.map((each) => attemptOf(each, phase, stored, at === 0 && isUnsure)),
    )
    this.#explain(attempts, stored, troubles)
  }

  /** Sends those without an answer again, one after the other, until they have one. */
  async #sendOpenAgain(sent: Sent[]): Promise<Sent[]> {
    const again: Sent[] = []
    for (let due = sent, times = 0; ; times++) {
      const open = due.filter(({ observed }) => isOpen(observed))
      if (open.length === 0) return again
      expect(times, 'sent again and never answered').toBeLessThan(SENT_AGAIN_MAX)
      due = []
      for (const each of open) due.push(await this.#sendOne(each.planned))
      again.push(...due)
    }
  }

  /** Sends an undo along with the requests. */
  async #undo(drawn: DrawnUndo, together: Planned[], ahead: readonly Trouble[]): Promise<void> {
    const [fence] = this.#changes
    const selection = selectionOf(
      this.#tenant,
      drawn,
      this.#changes.filter(({ atMs }) => atMs > (fence?.atMs ?? 0)),
    )
    if (!selection) return
    this.#d1.fail(ahead)
    const [undo, ...sent] = await Promise.all([
      sendUndo(this.#tenant, selection, this.#newName('req')),
      ...together.map((each) => this.#sendOne(each)),
    ])
    const troubles = this.#d1.heal()
    await this.#d1.deliver()
    const again = await this.#sendOpenAgain(sent)
    const undos: SentUndo[] = []
    for (let last = undo; last.lines === null; undos.push(last)) {
      expect(undos.length, 'sent again and never answered').toBeLessThan(SENT_AGAIN_MAX)
      last = await sendUndo(this.#tenant, selection, drawn.keepsId ? last.requestId : this.#newName('req'))
    }
    const stored = await storedOf(this.#tenant.tenantId)
    const isUnsure = leavesUnsure(troubles)
    const { keyId } = this.#tenant.live
    const requests = sent.map((each) => attemptOf(each, sent, stored, isUnsure))
    const requestsAgain = again.map((each) => attemptOf(each, [each], stored, false))
    const [first, ...others] = [undo, ...undos].map((each) => attemptsOf(this.#model, each, stored, keyId))
    const { made, quiet } = first ?? { made: [], quiet: [] }
    const isAlone = sent.length === 0 && troubles.every((trouble) => trouble === 'none')
    const phases = isAlone
      ? // Nothing that is in the way of a customer may be gone when an undo ends.
        [made, quiet]
      : drawn.keepsId
        ? // The commits do not tell the sendings apart.
          [[...requests, ...requestsAgain, ...made, ...(others.at(-1)?.quiet ?? quiet)]]
        : [
            [...requests, ...made, ...quiet],
            ...requestsAgain.map((each) => [each]),
            ...others.flatMap((each) => [each.made, each.quiet]),
          ]
    this.#explain(phases, stored, troubles)
  }

  /** Sends requests and an import at once, over a D1 without failures. */
  async #race(together: Planned[], lines: Line[]): Promise<void> {
    const [sentLines, ...sent] = await Promise.all([
      this.#sendLines(lines),
      ...together.map((each) => this.#sendOne(each)),
    ])
    const stored = await storedOf(this.#tenant.tenantId)
    const requests = sent.map((each) => attemptOf(each, sent, stored, false))
    this.#explain([[...requests, ...lines.map((_, at) => this.#attemptOfLine(sentLines, at))]], stored, [])
  }

  /** Sends lines one after the other; after a failure the file is sent again, as its answer requires. */
  async #import(lines: Line[], ahead: readonly Trouble[]): Promise<void> {
    this.#d1.fail(ahead)
    const first = await this.#sendLines(lines)
    const troubles = this.#d1.heal()
    await this.#d1.deliver()
    const isWell = troubles.every((trouble) => trouble === 'none')
    const last = isWell ? first : await this.#sendLines(lines)
    const stored = await storedOf(this.#tenant.tenantId)
    const observed = lines.map((_, at) => [this.#attemptOfLine(last, at)])
    if (isWell) return this.#explain(observed, stored, troubles)
    // The isolate repeats a chunk that breaks off, so a line may have been done before its result is observed.
    const unobserved = lines.map((_, at) => [
      { ...this.#attemptOfLine(first, at, last), observed: null, mayBeDone: true },
    ])
    const doubtful = lines.map((_, at) => [doubtfulOf(this.#attemptOfLine(first, at, last), first.observed[at])])
    this.#explain([...unobserved, ...doubtful, ...observed], stored, troubles)
  }

  #explain(phases: Attempt[][], { madeBy: _, changes, ...stored }: Stored, troubles: readonly Trouble[]): void {
    const next = explained(this.#model, phases, stored)
    if (!next) {
      const expected = expectedInOrder(this.#model, phases)
      const sent = phases.map((phase) => phase.map(({ request, observed, waits }) => ({ ...request, observed, waits })))
      console.error(JSON.stringify({ troubles, sent, expected: expected.observed }, null, 1))
      const observed = phases.flat().map((attempt) => attempt.observed)
      expect({ observed, stored }, 'no order of the requests explains this').toEqual({
        observed: expected.observed,
        stored: expected.state,
      })
      throw new Error('no order of the requests explains what was observed')
    }
    this.#model = next
    this.#changes = changes
  }

  async #sendOne(planned: Planned): Promise<Sent> {
    const requestId = this.#newName('req')
    const { observed, token, shown } = await planned.send(requestId)
    if (shown) this.#shown.push(shown)
    if (token) this.#token = token
    return { planned, requestId, observed }
  }

  async #sendLines(lines: Line[]): Promise<SentLines> {
    const requestId = this.#newName('req')
    return { lines, requestId, observed: await importAll(this.#tenant, lines, requestId) }
  }

  #planned(request: DrawnRequest): Planned {
    const old = this.#keyed[request.who % Math.max(1, this.#keyed.length)]
    if (request.kind === 'repeat' && old) return old
    const { api, operation } = requestOf(this.#model, request, this.#idOf)
    const isDryRun = 'dryRun' in operation && operation.dryRun
    const keyable = ['create', 'restore', 'revert', 'erase', 'merge', 'unmerge']
    const canHaveKey = api !== 'rpc' && !isDryRun && keyable.includes(operation.kind)
    const key = (request.key === 'old' && old?.options.key) || this.#newName('key')
    const operator = request.api === 'operator' ? this.#operator : null
    const options = {
      key: canHaveKey && request.key !== 'none' ? key : null,
      // Without one, no change of an operator is taken.
      reason: request.reason ?? (operator && 'ticket 8'),
      variant: request.variant,
      operator,
    }
    const ownKey = options.key && `${operator?.operatorId ?? 'tenant'} ${options.key}`
    const planned = { ...prepareRequest(this.#tenant, api, operation, options), operation, options, key: ownKey }
    if (options.key !== null) this.#keyed.push(planned)
    return planned
  }

  #attemptOfLine({ lines, requestId, observed }: SentLines, at: number, later?: SentLines): Attempt {
    const { externalId, changes } = lines[at] as Line
    const operation: Operation = { kind: 'upsert', externalId, changes, ifVersion: null }
    return {
      request: { operation, key: null, fingerprint: '', actor: this.#tenant.live.keyId, requestId, reason: null },
      observed: observed[at],
      observationOf: (outcome) => lineObservationOf(outcome, changes),
      mayBeDone: false,
      newId: observed[at]?.id ?? later?.observed[at]?.id ?? undefined,
      waits: false,
    }
  }

  readonly #idOf = (who: number) => idAt(this.#model, who, this.#fenceId)

  #newName(kind: 'req' | 'key'): string {
    return `${kind}-${this.#named++}`
  }

  async #fence(): Promise<void> {
    const { key } = this.#tenant.live
    const { status, headers } = await call('PUT', `/v1/customers/${this.#fenceId}`, { key, body: {} })
    expect(status).toBe(200)
    this.#token = headers.get('consistency-token') ?? ''
  }
}
