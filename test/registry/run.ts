/**
 * One run: a tenant and its model, taken from step to step. Sends what a step says, all at once, lets D1 fail as it says, sends
 * again what was not answered, and then demands that some order of the requests explains what was heard and what is stored,
 * and that the doors show just that.
 */
import { expect } from 'vitest'
import type { CustomerChanges } from '../../src/registry/customer.ts'
import type { FailingD1, Trouble } from '../support/failing-d1.ts'
import { call, newTenant, type TestTenant } from '../support/roster.ts'
import { askedOf, idAt, lineOf } from './asks.ts'
import { importAll, type Manner, type Saying, saying } from './callers.ts'
import { type Heard, type HeardLine, heardLineOf } from './heard.ts'
import { expectAudited, expectShown } from './looks.ts'
import { Model } from './model.ts'
import { type Attempt, expectedInOrder, explained } from './orders.ts'
import type { Ask, Step } from './steps.ts'
import { type Stored, storedOf } from './stored.ts'
import type { Operation } from './words.ts'

/** The one customer that no step is about: a change of it that changes nothing answers a token that covers all before it. */
const FENCE = 'fence'
/** All orders of more than these would take too long to try. */
const TOGETHER_MAX = 4
const SENT_AGAIN_MAX = 3

/** Leaves the second customer with a former external id. */
const RENAMES_SECOND: Step = {
  asks: [
    {
      kind: 'update',
      door: 'v1',
      who: 1,
      externalId: 'b',
      changes: { externalId: 'c' },
      target: 'id',
      ifVersion: 'none',
      key: 'none',
      reason: null,
      way: 0,
    },
  ],
  lines: [],
  twice: 'no',
  troubles: [],
  look: { door: 'v1', who: 1, externalId: 'b' },
}

interface Planned extends Saying {
  operation: Operation
  manner: Manner
}

interface Sent {
  planned: Planned
  requestId: string
  heard: Heard
}

interface Line {
  externalId: string
  changes: CustomerChanges
}

interface SentLines {
  lines: Line[]
  requestId: string
  heard: HeardLine[]
}

export class Run {
  readonly #tenant: TestTenant
  readonly #d1: FailingD1
  #model = new Model()
  #token = ''
  #fenceId = ''
  /** What was sent with a key, to be sent again some time. */
  readonly #keyed: Planned[] = []
  #named = 0

  private constructor(tenant: TestTenant, d1: FailingD1) {
    this.#tenant = tenant
    this.#d1 = d1
  }

  /** A tenant with two customers, one of which has a former external id, and a line of ten parents and children. */
  static async begin(d1: FailingD1): Promise<Run> {
    const run = new Run(await newTenant(), d1)
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
    await run.#import([...both, { externalId: FENCE, changes: {} }, ...line], [])
    run.#fenceId = run.#model.byExternalId(FENCE)?.id ?? ''
    await run.#fence()
    await run.take(RENAMES_SECOND)
    return run
  }

  async take({ asks, lines: drawn, twice, troubles, look }: Step): Promise<void> {
    const lines = drawn.map(({ externalId, changes }) => ({ externalId, changes: lineOf(changes, this.#idOf) }))
    const [first, ...others] = asks.map((ask) => this.#planned(ask))
    const again = twice === 'together' ? first : undefined
    const planned = [first, again, ...others].filter((each) => each !== undefined)
    if (lines.length === 0) await this.#send(planned.slice(0, TOGETHER_MAX), troubles, twice === 'after')
    else if (troubles.length > 0 || others.length === 0) await this.#import(lines, troubles)
    else await this.#race(planned.slice(0, TOGETHER_MAX / 2), lines.slice(0, TOGETHER_MAX / 2))
    if (lines.length > 0 || planned.length > 1 || twice !== 'no' || troubles.length > 0) await this.#fence()
    await expectShown(this.#tenant, this.#model, { ...look, id: this.#idOf(look.who), token: this.#token })
  }

  end(): Promise<void> {
    return expectAudited(this.#tenant, this.#model)
  }

  async #send(together: Planned[], ahead: readonly Trouble[], isSentAgain: boolean): Promise<void> {
    this.#d1.fail(ahead)
    const phases = [await Promise.all(together.map((each) => this.#say(each)))]
    const troubles = this.#d1.heal()
    await this.#d1.deliver()
    for (let due = phases[0] ?? [], times = 0; ; times++) {
      const open = due.filter(({ heard }) => isOpen(heard))
      if (open.length === 0) break
      expect(times, 'sent again and never answered').toBeLessThan(SENT_AGAIN_MAX)
      due = []
      for (const each of open) due.push(await this.#say(each.planned))
      phases.push(...due.map((each) => [each]))
    }
    const [first] = together
    if (isSentAgain && first) phases.push([await this.#say(first)])
    const stored = await storedOf(this.#tenant.tenantId)
    const isUnsure = leavesUnsure(troubles)
    const attempts = phases.map((phase, at) =>
      phase.map((each) => attemptOf(each, phase, stored, at === 0 && isUnsure)),
    )
    this.#explain(attempts, stored, troubles)
  }

  /** Requests and an import at once, over a D1 with which nothing is the matter. */
  async #race(together: Planned[], lines: Line[]): Promise<void> {
    const [sentLines, ...sent] = await Promise.all([this.#sayLines(lines), ...together.map((each) => this.#say(each))])
    const stored = await storedOf(this.#tenant.tenantId)
    const requests = sent.map((each) => attemptOf(each, sent, stored, false))
    this.#explain([[...requests, ...lines.map((_, at) => this.#attemptOfLine(sentLines, at))]], stored, [])
  }

  /** Lines one after the other; after trouble the file is sent again, as its answer says. */
  async #import(lines: Line[], ahead: readonly Trouble[]): Promise<void> {
    this.#d1.fail(ahead)
    const first = await this.#sayLines(lines)
    const troubles = this.#d1.heal()
    await this.#d1.deliver()
    const isWell = troubles.every((trouble) => trouble === 'none')
    const last = isWell ? first : await this.#sayLines(lines)
    const stored = await storedOf(this.#tenant.tenantId)
    const heard = lines.map((_, at) => [this.#attemptOfLine(last, at)])
    if (isWell) return this.#explain(heard, stored, troubles)
    // A chunk that breaks off the isolate sends again by itself, so a line may have been done before it was heard of.
    const unheard = lines.map((_, at) => [{ ...this.#attemptOfLine(first, at, last), heard: null, mayBeDone: true }])
    const doubtful = lines.map((_, at) => [doubtfulOf(this.#attemptOfLine(first, at, last), first.heard[at])])
    this.#explain([...unheard, ...doubtful, ...heard], stored, troubles)
  }

  #explain(phases: Attempt[][], { madeBy: _, ...stored }: Stored, troubles: readonly Trouble[]): void {
    const next = explained(this.#model, phases, stored)
    if (!next) {
      const expected = expectedInOrder(this.#model, phases)
      const sent = phases.map((phase) => phase.map(({ request, heard, waits }) => ({ ...request, heard, waits })))
      console.error(JSON.stringify({ troubles, sent, expected: expected.heard }, null, 1))
      const heard = phases.flat().map((attempt) => attempt.heard)
      expect({ heard, stored }, 'no order of the requests explains this').toEqual({
        heard: expected.heard,
        stored: expected.state,
      })
      throw new Error('no order of the requests explains what was heard')
    }
    this.#model = next
  }

  async #say(planned: Planned): Promise<Sent> {
    const requestId = this.#newName('req')
    const { heard, token } = await planned.say(requestId)
    if (token) this.#token = token
    return { planned, requestId, heard }
  }

  async #sayLines(lines: Line[]): Promise<SentLines> {
    const requestId = this.#newName('req')
    return { lines, requestId, heard: await importAll(this.#tenant, lines, requestId) }
  }

  #planned(ask: Ask): Planned {
    const old = this.#keyed[ask.who % Math.max(1, this.#keyed.length)]
    if (ask.kind === 'repeat' && old) return old
    const { door, operation } = askedOf(this.#model, ask, this.#idOf)
    const canHaveKey = door !== 'rpc' && ['create', 'restore', 'erase'].includes(operation.kind)
    const key = (ask.key === 'old' && old?.manner.key) || this.#newName('key')
    const manner = { key: canHaveKey && ask.key !== 'none' ? key : null, reason: ask.reason, way: ask.way }
    const planned = { ...saying(this.#tenant, door, operation, manner), operation, manner }
    if (manner.key !== null) this.#keyed.push(planned)
    return planned
  }

  #attemptOfLine({ lines, requestId, heard }: SentLines, at: number, later?: SentLines): Attempt {
    const { externalId, changes } = lines[at] as Line
    const operation: Operation = { kind: 'upsert', externalId, changes, ifVersion: null }
    return {
      request: { operation, key: null, asked: '', actor: this.#tenant.live.keyId, requestId, reason: null },
      heard: heard[at],
      heardOf: (told) => heardLineOf(told, changes),
      mayBeDone: false,
      newId: heard[at]?.id ?? later?.heard[at]?.id ?? undefined,
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

/** A line of a file that broke off: told that it was done, it was, now or before; told to send it again, nobody knows. */
function doubtfulOf(attempt: Attempt, heard: HeardLine | undefined): Attempt {
  if (!heard || heard.field === '') return { ...attempt, heard: null, mayBeDone: true }
  if (heard.result === 'error') return attempt
  const certain = ({ id, result }: HeardLine) => ({ id, isDone: result !== 'error' })
  return { ...attempt, heard: certain(heard), heardOf: (told) => certain(heardLineOf(told, {})) }
}

/** To be sent again: not answered, or the first of its kind is under way. */
function isOpen(heard: Heard): boolean {
  return 'unanswered' in heard || (!heard.ok && heard.reason === 'idempotency_in_progress')
}

/**
 * Whether the gate may not have learned what became of a change: what D1 did was followed by two failures, of the answer and of
 * the look for it. After one alone it tells the truth, and what came late was never done.
 */
function leavesUnsure(trips: readonly Trouble[]): boolean {
  return trips.some((trip, at) => {
    const failures = trips.slice(at).filter((later) => later !== 'none').length
    return (trip === 'none' || trip === 'lost') && failures > 1
  })
}

function attemptOf({ planned, requestId, heard }: Sent, phase: Sent[], stored: Stored, mayBeDone: boolean): Attempt {
  const { operation, manner, asked, actor, heardOf } = planned
  const { key, reason } = manner
  const beside = phase.filter((other) => other.requestId !== requestId && other.planned.manner.key === key)
  const refusal = 'reason' in heard ? heard.reason : null
  const isBesideAnother = beside.some((other) => other.planned.asked !== asked)
  return {
    request: { operation, key, asked, actor, requestId, reason },
    heard: 'unanswered' in heard ? null : heard,
    heardOf,
    mayBeDone,
    newId: stored.madeBy.get(requestId) ?? ('id' in heard ? heard.id : undefined),
    waits:
      key !== null &&
      ((refusal === 'idempotency_in_progress' && beside.length > 0) ||
        (refusal === 'idempotency_mismatch' && isBesideAnother)),
  }
}
