/**
 * Plays a path of the permits space on the core as it ships: private fields, a clock that runs, sizes and figures as they come,
 * nothing held constant. If the promise breaks here too, the counter-example is no artefact of the projection.
 */

import type { LeaseState } from '../../../src/gate/isolate/lease-state.ts'
import type { Lease, LeaseReply, LeaseRequest } from '../../../src/gate/protocol/leases.ts'
import { Meter } from '../gate/discrete-events.ts'
import { DurableStore } from '../gate/durable-store.ts'
import {
  brokenBy,
  firstObserved,
  KEY_THAT_ENDS,
  type Observed,
  observedAdmission,
  observedChange,
  observedLater,
  type ScenarioPolicy,
} from './observer.ts'
import type { PermitsEvent, PermitsScenario } from './permits-events.ts'
import { policiesOf, readingOf } from './permits-world.ts'
import type { Core } from './projection.ts'

const START_MS = Date.UTC(2026, 5, 1, 12)
const SCOPE = 'customers:write'
/** So many requests of an isolate without a pause make the gate answer "busy". */
const MANY_ASKS = 900

interface Call {
  isolate: number
  sentAtMs: number
  request: LeaseRequest
  reply: LeaseReply | null
}

/** Returns the promise that the path breaks on this core; null if it breaks none. */
export function replayPermits(core: Core, scenario: PermitsScenario, path: readonly PermitsEvent[]): string | null {
  const replay = new Replay(core, scenario)
  for (const event of path) {
    const broken = replay.play(event)
    if (broken !== null) return broken
  }
  return null
}

class Replay {
  readonly #core: Core
  readonly #scenario: PermitsScenario
  readonly #store = new DurableStore()
  readonly #meter: Meter
  readonly #isolates: { state: LeaseState; offMs: number }[]
  readonly #calls = new Map<number, Call>()
  #gate: InstanceType<Core['GateCore']>
  #nowMs = START_MS
  #aheadMs: number
  #tickets: number[] = []
  #seen: Observed

  constructor(core: Core, scenario: PermitsScenario) {
    this.#core = core
    this.#scenario = scenario
    const first = scenario.policies[0] as ScenarioPolicy
    const { keyLeftMs } = scenario
    this.#meter = new Meter(first.rate, first.burst, START_MS)
    this.#seen = firstObserved(first, keyLeftMs ?? null)
    this.#isolates = scenario.isolates.map((offMs, index) => ({ state: new core.LeaseState(`tally-${index}`), offMs }))
    this.#aheadMs = scenario.gateAheadMs ?? 0
    this.#gate = this.#start()
    const [{ policy, keys } = { policy: null, keys: [] }] = policiesOf(scenario)
    if (!policy) throw new Error('a scenario has a policy')
    const ending = keys.map((key) => {
      const ends = keyLeftMs !== undefined && key.secretHash === KEY_THAT_ENDS
      return ends ? { ...key, expiresAtMs: START_MS + keyLeftMs } : key
    })
    this.#gate.setPolicy(policy, ending, this.#gateMs)
  }

  play(event: PermitsEvent): string | null {
    switch (event.kind) {
      case 'ask': {
        const { state } = this.#isolates[event.isolate] as { state: LeaseState }
        const sentAtMs = this.#reading(event.isolate, 0)
        const request = { ...this.#core.nextRequest(state, sentAtMs, 0), counted: 0, recent: [] }
        Object.assign(request, { want: event.want, credentials: event.keys } satisfies Partial<LeaseRequest>)
        this.#calls.set(event.ask, { isolate: event.isolate, sentAtMs, request, reply: null })
        if (event.arrives) this.#arrive(event.ask, false)
        return null
      }
      case 'arrive':
        this.#arrive(event.ask, event.isBusy)
        return null
      case 'absorb': {
        const { isolate, sentAtMs, reply } = this.#calls.get(event.ask) as Call
        const { state } = this.#isolates[isolate] as { state: LeaseState }
        const before = state.admitted
        const message = structuredClone(reply as Lease)
        this.#core.absorb(state, message, sentAtMs, this.#reading(isolate, event.lagMs), 0)
        return this.#observe(state.policy?.version ?? 0, null, state.admitted - before)
      }
      case 'admit': {
        const { state } = this.#isolates[event.isolate] as { state: LeaseState }
        const scopes = event.key === null ? [] : [SCOPE]
        const atMs = this.#reading(event.isolate, event.lagMs)
        const isAdmitted = this.#core.admit(state, atMs, event.key, false, scopes) === 'admitted'
        return isAdmitted ? this.#observe(state.policy?.version ?? 0, event.key, 1) : null
      }
      case 'charge': {
        const { state } = this.#isolates[event.isolate] as { state: LeaseState }
        const before = state.admitted
        this.#core.charge(state, this.#reading(event.isolate, 0), event.permits)
        return this.#observe(state.policy?.version ?? 0, null, state.admitted - before)
      }
      case 'tick':
        this.#nowMs += event.ms
        this.#aheadMs -= event.lostMs
        this.#seen = observedLater(this.#seen, event.ms)
        return null
      case 'restart':
        this.#aheadMs = event.aheadMs
        this.#seen = { ...this.#seen, unsure: this.#seen.unsure + this.#tickets.length }
        this.#tickets = []
        this.#gate = this.#start()
        return null
      case 'change': {
        const { policy, keys } = policiesOf(this.#scenario)[event.version - 1] as ReturnType<typeof policiesOf>[number]
        const { waitMs } = this.#gate.setPolicy(policy, keys, this.#gateMs)
        if (event.version > this.#seen.newest) {
          this.#meter.change(policy.ratePerSecond, policy.burst, waitMs, this.#nowMs)
        }
        const limits = this.#scenario.policies[event.version - 1] as ScenarioPolicy
        this.#seen = observedChange(this.#seen, event.version, limits, waitMs)
        return null
      }
      case 'write': {
        const sender = { sentAtMs: this.#nowMs, isolate: null }
        const admission = this.#gate.admitWrite(null, SCOPE, sender, this.#gateMs)
        if (!admission.admitted) return null
        this.#tickets.push(admission.ticket)
        return this.#observe(admission.policy.version, null, 1)
      }
      case 'begin': {
        const intent = { tags: [], deadlineMs: this.#nowMs, tickets: this.#tickets }
        this.#tickets = []
        this.#gate.settleWrite(this.#gate.beginWrite(intent, this.#gateMs).seq, null)
        return null
      }
      case 'jump': {
        const isolate = this.#isolates[event.isolate] as { offMs: number }
        isolate.offMs -= event.ms
        return null
      }
      case 'accounts':
        return this.#settleAccounts()
    }
  }

  #arrive(ask: number, isBusy: boolean): void {
    const call = this.#calls.get(ask) as Call
    for (let more = 0; isBusy && more < MANY_ASKS; more++) this.#gate.lease({ ...call.request, want: 0 }, this.#gateMs)
    call.reply = this.#gate.lease(call.request, this.#gateMs)
  }

  #observe(version: number, key: string | null, permits: number): string | null {
    const { policies, annualLimit = null } = this.#scenario
    for (let permit = 0; permit < permits; permit++) {
      this.#seen = observedAdmission(this.#seen)
      this.#meter.admit(this.#nowMs)
      const { excess } = this.#meter
      if (excess > 1e-6) return `C1: ${Math.round(excess * 1_000) / 1_000} permits too many`
      const broken = brokenBy({ ...this.#seen, level: 0 }, version, key, policies, annualLimit)
      if (broken !== null) return broken
    }
    return null
  }

  #settleAccounts(): string | null {
    for (let round = 0; round < 2; round++) {
      this.#isolates.forEach(({ state }, index) => {
        const sentAtMs = this.#reading(index, 0)
        const reply = this.#gate.lease(this.#core.nextRequest(state, sentAtMs, 0), this.#gateMs)
        this.#core.absorb(state, reply, sentAtMs, sentAtMs, 0)
      })
    }
    const { count } = this.#gate.usage(this.#gateMs)
    const { admitted, unsure } = this.#seen
    if (count <= admitted && count >= admitted - unsure) return null
    return `the year: counted ${count}, ${admitted} were admitted`
  }

  #start() {
    return new this.#core.GateCore(this.#store.open(), () => 0, this.#gateMs)
  }

  get #gateMs(): number {
    return this.#nowMs + this.#aheadMs
  }

  #reading(index: number, lagMs: number): number {
    return readingOf(this.#isolates[index] as { state: LeaseState; offMs: number }, lagMs, this.#nowMs)
  }
}
