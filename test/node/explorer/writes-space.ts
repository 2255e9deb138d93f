/**
 * The space of writes: at every state each thing that may happen to a request, a trip to D1, an answer, an alarm and the gate
 * itself is tried. A caller that has lost its answer repeats its request with the same key, or does not. A trip that was sent may
 * run at any time, also when nobody waits for it any more: only the statements themselves can refuse to run late.
 *
 * A state is [gate, database, trips under way, callers, kept value, milliseconds so far, what is left].
 */
import type { Failure } from '../../../src/registry/errors.ts'
import { Interned } from './components.ts'
import type { Reach, Space } from './search.ts'
import type { WritesCore } from './writes-core.ts'
import type { WritesEvent, WritesScenario } from './writes-events.ts'
import { CUSTOMER, covers, type GateStanding, Happens, START_MS, WritesWorld } from './writes-world.ts'

const BITS = { ticks: 4, restarts: 3, losses: 3, overloads: 3, fulls: 2, reads: 2 }
type Budget = keyof typeof BITS

const SHIFT = {} as Record<Budget, number>
let bits = 0
for (const budget of Object.keys(BITS) as Budget[]) {
  SHIFT[budget] = bits
  bits += BITS[budget]
}

const Kind = {
  Send: 0,
  Run: 1,
  Answer: 2,
  Lose: 3,
  Overload: 4,
  Full: 5,
  Late: 6,
  Wake: 7,
  Alarm: 8,
  Tick: 9,
  Restart: 10,
  Read: 11,
} as const

const [GATE, DATABASE, TRIPS, CALLERS, CACHE, TIME, LEFT] = [0, 1, 2, 3, 4, 5, 6] as const

/** A trip under way: `call` is null when nobody waits for it, `answer` when it has not run. */
interface UnderWay {
  call: number | null
  trip: number
  answer: number | null
}

/** A caller: what became of its request. `reply` is the number of the reply. */
interface Caller {
  is: 'new' | 'waiting' | 'answered' | 'broken'
  reply: number | null
}

interface Kept {
  asof: number
  version: number
}

const LOST = 'D1_ERROR: Network connection lost.'
const OVERLOADED = 'D1_ERROR: D1 DB is overloaded. Too many requests queued.'
const FULL = 'D1_ERROR: Exceeded maximum DB size'

export class WritesSpace implements Space<WritesEvent> {
  readonly width = 7
  readonly next = new Int32Array(7)
  violation: string | null = null
  readonly world: WritesWorld
  /** How a write can end, as was seen: kinds of replies. */
  readonly seen = new Set<string>()
  /** True once a caller got `unavailable` for a change that D1 has made. */
  isUncertain = false
  readonly #scenario: WritesScenario
  readonly #trips = new Interned<readonly UnderWay[]>()
  readonly #callers = new Interned<readonly Caller[]>()
  readonly #kept = new Interned<Kept | null>()
  readonly #judged = new Map<number, string | null>()
  readonly #errors: { lost: number; overloaded: number; full: number }

  constructor(core: WritesCore, scenario: WritesScenario) {
    this.#scenario = scenario
    this.world = new WritesWorld(core, scenario)
    const { answers } = this.world.database
    this.#errors = {
      lost: answers.id({ error: LOST }),
      overloaded: answers.id({ error: OVERLOADED }),
      full: answers.id({ error: FULL }),
    }
  }

  initial(): number[] {
    const { ticks, restarts = 0, losses = 0, overloads = 0, fulls = 0, reads = 0, requests } = this.#scenario
    let left = 0
    for (const [name, times] of Object.entries({ ticks, restarts, losses, overloads, fulls, reads })) {
      left |= times << SHIFT[name as Budget]
    }
    const callers = requests.map((): Caller => ({ is: 'new', reply: null }))
    return [this.world.firstGate(), 0, this.#trips.id([]), this.#callers.id(callers), this.#kept.id(null), 0, left]
  }

  expand(states: Int32Array, at: number, reach: Reach): void {
    const { world, next } = this
    const gate = states[at + GATE] as number
    const databaseId = states[at + DATABASE] as number
    const trips = this.#trips.of(states[at + TRIPS] as number)
    const callers = this.#callers.of(states[at + CALLERS] as number)
    const timeMs = states[at + TIME] as number
    const left = states[at + LEFT] as number
    const nowMs = START_MS + timeMs
    const standing = world.gates.standing(gate)
    const has = (budget: Budget) => ((left >>> SHIFT[budget]) & ((1 << BITS[budget]) - 1)) > 0
    const begin = (budget: Budget | null = null) => {
      for (let place = 0; place < this.width; place++) next[place] = states[at + place] as number
      if (budget !== null) next[LEFT] = left - (1 << SHIFT[budget])
    }
    const end = (kind: number, a = 0, b = 0) => {
      this.#judge()
      reach(kind, a, b)
    }
    const happen = (kind: number, a: number, b = 0) => {
      next[GATE] = world.gates.longer(gate, kind, a, b, nowMs)
    }
    const setTrips = (changed: readonly UnderWay[]) => {
      next[TRIPS] = this.#trips.id(changed)
    }
    const without = (place: number) => trips.filter((_, other) => other !== place)

    for (const [request, { is }] of callers.entries()) {
      if (is !== 'new' || !this.#mayBegin(request, callers)) continue
      begin()
      happen(Happens.Request, request)
      this.#setCaller(request, { is: 'waiting', reply: null })
      this.#take(trips)
      end(Kind.Send, request)
    }
    for (const [place, { call, trip, answer }] of trips.entries()) {
      if (answer === null) {
        const [after, given] = world.database.run(databaseId, trip, world.d1Ms(nowMs))
        if (call === null) {
          // A trip that changes nothing now may still do so later.
          if (after === databaseId) continue
          begin()
          next[DATABASE] = after
          setTrips(without(place))
          end(Kind.Late, trip)
          continue
        }
        begin()
        next[DATABASE] = after
        setTrips(trips.map((other, at) => (at === place ? { ...other, answer: given } : other)))
        end(Kind.Run, call, trip)
      } else if (call !== null) {
        begin()
        happen(Happens.Answer, call, answer)
        this.#take(without(place))
        end(Kind.Answer, call, trip)
      }
      if (call === null) continue
      const fail = (budget: Budget, error: number, rest: readonly UnderWay[], kind: number) => {
        if (!has(budget)) return
        begin(budget)
        happen(Happens.Answer, call, error)
        this.#take(rest)
        end(kind, call, trip)
      }
      const isLeft = answer === null && !world.database.isRead(trip)
      const orphan = isLeft ? [...without(place), { call: null, trip, answer: null }] : without(place)
      fail('losses', this.#errors.lost, orphan, Kind.Lose)
      if (answer !== null) continue
      fail('overloads', this.#errors.overloaded, without(place), Kind.Overload)
      if (!world.database.isRead(trip)) fail('fulls', this.#errors.full, without(place), Kind.Full)
    }
    for (const { call, asked } of standing.calls) {
      if ('trip' in asked || asked.untilMs > nowMs) continue
      begin()
      happen(Happens.Wake, call)
      this.#take(trips)
      end(Kind.Wake)
    }
    if (standing.alarmAtMs !== null && standing.alarmAtMs <= nowMs) {
      begin()
      happen(Happens.Alarm, 0)
      this.#take(trips)
      end(Kind.Alarm)
    }
    if (has('ticks')) {
      for (const [step, ms] of this.#scenario.stepsMs.entries()) {
        begin('ticks')
        next[TIME] = timeMs + ms
        end(Kind.Tick, step)
      }
    }
    if (has('restarts')) {
      begin('restarts')
      next[GATE] = world.gates.begin(standing.left, nowMs)
      const isLeft = ({ trip, answer }: UnderWay) => answer === null && !world.database.isRead(trip)
      setTrips(trips.filter(isLeft).map(({ trip }) => ({ call: null, trip, answer: null })))
      next[CALLERS] = this.#callers.id(
        callers.map((caller) => (caller.is === 'waiting' ? { is: 'broken', reply: null } : caller)),
      )
      end(Kind.Restart)
    }
    if (has('reads')) this.#read(standing, databaseId, begin, end)
  }

  /** An isolate asks for a lease now, reads from any state that the lease allows, and keeps the value. */
  #read(
    { delta }: GateStanding,
    databaseId: number,
    begin: (budget: Budget) => void,
    end: (kind: number, a: number) => void,
  ): void {
    const { core, database } = this.world
    const { facts, history, commits } = database.of(databaseId)
    const view = new core.View()
    view.merge(delta, true)
    const stamp = core.stampFor(view)
    const oldest = view.isPending([core.bucketOf(CUSTOMER)]) ? commits : Number(stamp.bookmark ?? 0)
    const versions = new Set<number>()
    for (let at = oldest; at <= commits; at++) {
      const seen = at === commits ? facts : history[at]
      versions.add(seen?.versions[CUSTOMER] ?? 0)
    }
    for (const version of versions) {
      begin('reads')
      this.next[CACHE] = this.#kept.id({ asof: stamp.asof, version })
      end(Kind.Read, version)
    }
  }

  #mayBegin(request: number, callers: readonly Caller[]): boolean {
    const { repeats } = this.#scenario.requests[request] as WritesScenario['requests'][number]
    return repeats === undefined || callers[repeats]?.is !== 'new'
  }

  #setCaller(request: number, caller: Caller): void {
    const callers = this.#callers.of(this.next[CALLERS] as number)
    this.next[CALLERS] = this.#callers.id(callers.map((other, at) => (at === request ? caller : other)))
  }

  /** Takes from the gate what it sends: trips to D1, and replies to callers. `rest`: the trips that stay under way. */
  #take(rest: readonly UnderWay[]): void {
    const { world, next } = this
    const { calls, replies } = world.gates.standing(next[GATE] as number)
    const known = new Set(rest.map(({ call }) => call))
    const sent = calls.flatMap(({ call, asked }): UnderWay[] =>
      'trip' in asked && !known.has(call) ? [{ call, trip: asked.trip, answer: null }] : [],
    )
    next[TRIPS] = this.#trips.id([...rest, ...sent])
    for (const [request, reply] of replies) {
      const caller = this.#callers.of(next[CALLERS] as number)[request]
      if (caller?.is !== 'waiting') continue
      this.#setCaller(request, { is: 'answered', reply })
      this.violation ??= this.#judgeReply(request, reply)
      if (this.#scenario.keepsWrites) this.#keepWritten(reply)
    }
  }

  /** The isolate of the caller keeps the customer of the reply, if the gate says which writes it shows. */
  #keepWritten(replyId: number): void {
    const reply = this.world.replies.of(replyId)
    if (!reply.ok || reply.asof === undefined || reply.customer.id !== CUSTOMER) return
    // The callers of a batch have isolates of their own, and this is that of the first one.
    if (this.#kept.of(this.next[CACHE] as number)?.asof === reply.asof) return
    this.next[CACHE] = this.#kept.id({ asof: reply.asof, version: reply.customer.version })
  }

  /** Judges a reply as it reaches its caller. */
  #judgeReply(request: number, replyId: number): string | null {
    const { world, next } = this
    const reply = world.replies.of(replyId)
    const { key } = this.#scenario.requests[request] as WritesScenario['requests'][number]
    const { facts } = world.database.of(next[DATABASE] as number)
    this.seen.add(reply.ok ? `${reply.effect}${reply.replayed ? ', replayed' : ''}` : reply.failure.reason)
    if (reply.ok && reply.effect !== 'unchanged') {
      const { id, version } = reply.customer
      const made = facts.events.findIndex(
        (event) => event.customerId === id && event.version === version && this.#isOf(event.requestId, request),
      )
      if (made === -1) return `request ${request} was answered as done, and D1 does not have it`
      if (!reply.replayed && !covers(reply.bookmark, world.committedAt(next[DATABASE] as number, id, version)))
        return `the token of request ${request} does not cover its change`
    }
    if (key === undefined) return null
    for (const [other, { reply: earlierId, is }] of this.#callers.of(next[CALLERS] as number).entries()) {
      if (other === request || is !== 'answered' || this.#scenario.requests[other]?.key !== key) continue
      const earlier = world.replies.of(earlierId as number)
      const [one, two] = [resultOf(earlier), resultOf(reply)]
      if (one !== null && two !== null && one !== two)
        return `request ${other} was answered ${one}, and its repeat ${request} ${two}`
    }
    return null
  }

  /** Returns whether an event is of the request, or of one with the same key. */
  #isOf(requestId: string, request: number): boolean {
    const { key } = this.#scenario.requests[request] as WritesScenario['requests'][number]
    return this.#scenario.requests.some(
      (other, at) => (at === request || (key !== undefined && other.key === key)) && requestId === `request ${at}`,
    )
  }

  /** Judges the state in `next`. */
  #judge(): void {
    if (this.violation !== null) return
    const { next } = this
    this.violation = this.#judgeDatabase(next[DATABASE] as number) ?? this.#judgeCallers() ?? this.#judgeGate()
  }

  #judgeDatabase(id: number): string | null {
    const known = this.#judged.get(id)
    if (known !== undefined) return known
    const { events, records, versions } = this.world.database.of(id).facts
    const { requests } = this.#scenario
    let broken: string | null = null
    const counts = new Map<string, number>()
    const newest: Record<string, number> = {}
    for (const { requestId, customerId, version } of events) {
      const request = requests.findIndex((_, at) => requestId === `request ${at}`)
      const key = requests[request]?.key
      const name = key === undefined ? requestId : `key ${key}`
      counts.set(name, (counts.get(name) ?? 0) + 1)
      if (version !== (newest[customerId] ?? 0) + 1)
        broken = 'the versions of a customer are not in the order of their commits'
      newest[customerId] = version
      if (key !== undefined && !records.some((record) => record.key === key && record.isChange))
        broken = 'a change was committed without the record of its key'
    }
    for (const [name, count] of counts) if (count > 1) broken = `${name} was done ${count} times`
    for (const [customerId, version] of Object.entries(versions)) {
      if (newest[customerId] !== version) broken = 'a customer has a version without an event'
    }
    this.#judged.set(id, broken)
    return broken
  }

  /** A refusal is for good: nothing of the request is ever committed. */
  #judgeCallers(): string | null {
    const { world, next } = this
    const { events } = world.database.of(next[DATABASE] as number).facts
    for (const [request, { is, reply: id }] of this.#callers.of(next[CALLERS] as number).entries()) {
      if (is !== 'answered') continue
      const reply = world.replies.of(id as number)
      if (reply.ok || !events.some(({ requestId }) => requestId === `request ${request}`)) continue
      if (reply.failure.reason === 'unavailable') this.isUncertain = true
      else return `request ${request} was refused (${reply.failure.reason}), and D1 has it`
    }
    return null
  }

  /** Judges what a lease of now makes isolates take for true, and that the gate forgets no intent. */
  #judgeGate(): string | null {
    const { world, next } = this
    const { core, database } = world
    const standing = world.gates.standing(next[GATE] as number)
    const { delta, calls, hasPending, alarmAtMs } = standing
    const databaseId = next[DATABASE] as number
    const { facts } = database.of(databaseId)
    for (const [customer, version] of Object.entries(facts.versions)) {
      const isPending = delta.pending.includes(core.bucketOf(customer))
      if (!isPending && !covers(delta.bookmark, world.committedAt(databaseId, customer, version)))
        return 'C3: a replica may show what a commit has replaced, and the gate says that nothing is under way'
    }
    const kept = this.#kept.of(next[CACHE] as number)
    if (kept !== null && kept.version < (facts.versions[CUSTOMER] ?? 0)) {
      const view = new core.View()
      view.merge(delta, true)
      if (core.isGood(view, [core.bucketOf(CUSTOMER)], kept.asof))
        return `C3: version ${kept.version} is kept as good, and D1 has version ${facts.versions[CUSTOMER]}`
    }
    const isIdle = calls.length === 0
    if (isIdle && hasPending && alarmAtMs === null) return 'an intent is left, and nobody will look it up'
    const isWaiting = this.#callers.of(next[CALLERS] as number).some(({ is }) => is === 'waiting')
    if (isIdle && isWaiting) return 'a caller waits, and the gate does nothing'
    return null
  }

  beginPath(): void {}

  tell(_states: Int32Array, _at: number, kind: number, a: number, b: number): WritesEvent {
    const what = (trip: number) => this.#nameOf(trip)
    switch (kind) {
      case Kind.Send:
        return { kind: 'send', request: a }
      case Kind.Run:
        return { kind: 'run', call: a, what: what(b) }
      case Kind.Answer:
        return { kind: 'answer', call: a, what: what(b) }
      case Kind.Lose:
        return { kind: 'lose', call: a, what: what(b) }
      case Kind.Overload:
        return { kind: 'overload', call: a, what: what(b) }
      case Kind.Full:
        return { kind: 'full', call: a, what: what(b) }
      case Kind.Late:
        return { kind: 'late', what: what(a) }
      case Kind.Wake:
        return { kind: 'wake' }
      case Kind.Alarm:
        return { kind: 'alarm' }
      case Kind.Tick:
        return { kind: 'tick', ms: this.#scenario.stepsMs[a] as number }
      case Kind.Restart:
        return { kind: 'restart' }
      default:
        return { kind: 'read', version: a }
    }
  }

  /** Returns the first words of the statements of a trip. */
  #nameOf(trip: number): string {
    const verbs = this.world.database.trips.of(trip).map(({ sql }) => {
      const [, verb = '', table = ''] = /^\s*(insert into|update|delete from|select)\s+"?(\w*)/i.exec(sql) ?? []
      return verb.toLowerCase() === 'select' ? 'select' : `${verb.toLowerCase()} ${table}`
    })
    return [...new Set(verbs)].join(', ')
  }
}

/** Returns what a repeat must be answered with again; null for what is not the result of the request. */
function resultOf(
  reply: { ok: true; effect: string; customer: { version: number } } | { ok: false; failure: Failure },
) {
  if (reply.ok) return `${reply.effect} in version ${reply.customer.version}`
  const { reason } = reply.failure
  const passing: Failure['reason'][] = [
    'unavailable',
    'insufficient_storage',
    'idempotency_in_progress',
    'rate_limited',
    'internal',
  ]
  return passing.includes(reason) ? null : reason
}
