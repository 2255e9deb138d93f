/**
 * The components of the permits space and the steps between them, each a call of the real code of gate and isolate on a copy.
 */

import type { GateKey } from '../../../src/gate/core/gate-storage.ts'
import type { Policy } from '../../../src/gate/protocol/leases.ts'
import { copyOf, Interned, Remembered } from './components.ts'
import {
  brokenBy,
  firstObserved,
  KEY_THAT_ENDS,
  type Observed,
  observedAdmission,
  observedChange,
  observedLater,
  type Reached,
  type ScenarioPolicy,
} from './observer.ts'
import type { PermitsScenario } from './permits-events.ts'
import {
  type Core,
  GATE_INSTANTS,
  type Gate,
  ISOLATE_INSTANTS,
  type Isolate,
  type Kept,
  MESSAGE_INSTANTS,
  type Message,
  NOW_MS,
  type OpenCore,
  projectGate,
  projectIsolate,
  projectMessage,
} from './projection.ts'
import { ExplorerStore } from './store.ts'

const NO_RANDOM = () => 0
const SCOPE = 'customers:write'
/** More than this many asks in a second make a gate answer "busy". */
const MANY_ASKS = 10_000

/** Returns the policies of a scenario as the gate gets them. They never change, so all states share them. */
export function policiesOf(scenario: PermitsScenario): { policy: Policy; keys: GateKey[] }[] {
  const { annualLimit = null } = scenario
  return scenario.policies.map(({ rate, burst, status = 'active', keys = [] }, at) => ({
    policy: Object.freeze({
      version: at + 1,
      tier: 'custom',
      status,
      ratePerSecond: rate,
      burst,
      annualLimit,
      contractStart: '1970-01-01',
    }),
    keys: keys.map(
      (name): GateKey => ({
        id: `key-${name}`,
        secretHash: name,
        scopes: [SCOPE],
        expiresAtMs: null,
        mode: 'live',
      }),
    ),
  }))
}

export class PermitsWorld {
  readonly gates = new Interned<Gate>()
  readonly isolates = new Interned<Isolate>()
  readonly messages = new Interned<Message>()
  /** The messages under way between one isolate and the gate: sorted numbers of messages. */
  readonly networks = new Interned<readonly number[]>()
  readonly observers = new Interned<Observed>()
  /** The promises that admissions break. */
  readonly broken = new Interned<string>()
  readonly reached: Reached = { levelMin: Number.POSITIVE_INFINITY, underOlderMs: 0 }
  readonly scenario: PermitsScenario
  readonly #core: Core
  readonly #kept: Kept
  readonly #policies: { policy: Policy; keys: GateKey[] }[]
  readonly #scenarioPolicies: readonly ScenarioPolicy[]
  readonly keys: readonly (string | null)[]

  constructor(core: Core, scenario: PermitsScenario) {
    this.scenario = scenario
    this.#core = core
    this.#kept = scenario.kept ?? {}
    this.#policies = policiesOf(scenario)
    this.#scenarioPolicies = scenario.policies
    this.keys = scenario.keys ?? [null]
  }

  firstGate(): number {
    const { keyLeftMs, gateAheadMs: aheadMs = 0 } = this.scenario
    const store = new ExplorerStore()
    const core = new this.#core.GateCore(store, NO_RANDOM, NOW_MS + aheadMs)
    const [first] = this.#policies
    const keys = (first?.keys ?? []).map((key) => ({
      ...key,
      expiresAtMs: keyLeftMs !== undefined && key.secretHash === KEY_THAT_ENDS ? NOW_MS + keyLeftMs : null,
    }))
    core.setPolicy(first?.policy as Policy, keys, NOW_MS + aheadMs)
    return this.#gateId({ core, store, aheadMs, tickets: [] })
  }

  firstIsolate(index: number): number {
    const offMs = this.scenario.isolates[index] as number
    const state = new this.#core.LeaseState(this.isSymmetric ? 'isolate' : `isolate-${index}`)
    return this.#isolateId({ state, offMs })
  }

  firstObserver(): number {
    return this.observers.id(
      firstObserved(this.#scenarioPolicies[0] as ScenarioPolicy, this.scenario.keyLeftMs ?? null),
    )
  }

  /** True if it makes no difference which isolate is which: then the gate does not know their names. */
  get isSymmetric(): boolean {
    return !this.#kept.year && this.scenario.isolates.every((offMs) => offMs === 0)
  }

  /** Isolate, which ask: isolate, message. An even ask wants the verdicts on all keys, an odd one has heard of none for long. */
  readonly ask = new Remembered((id, which) => {
    const isolate = this.#copyIsolate(id)
    const body = this.#core.nextRequest(isolate.state, readingOf(isolate, 0), 0)
    body.want = this.scenario.wants[which >> 1] as number
    body.recent = []
    body.credentials = which & 1 ? [] : this.keys.filter((key) => key !== null)
    return [this.#isolateId(isolate), this.#messageId({ kind: 'ask', body })]
  })

  /** Gate, twice the message plus one if the gate is busy: gate, message. */
  readonly arrive = new Remembered((id, input) => {
    const gate = this.#copyGate(id)
    const { body } = copyOf(this.messages.of(input >> 1)) as Message & { kind: 'ask' }
    if (input & 1) (gate.core as unknown as OpenCore)._sizing._leaseRequests = MANY_ASKS
    const reply = gate.core.lease(body, NOW_MS + gate.aheadMs)
    if (reply.kind === 'other_version') throw new Error('one version only')
    const { sentAtMs } = body
    return [this.#gateId(gate), this.#messageId({ kind: 'answer', body: reply, sentAtMs })]
  })

  /** Isolate, twice the message plus one if it reads its clock late: isolate, permits that were owed and are paid. */
  readonly absorb = new Remembered((id, input) => {
    const isolate = this.#copyIsolate(id)
    const { body, sentAtMs } = copyOf(this.messages.of(input >> 1)) as Message & { kind: 'answer' }
    const before = isolate.state.admitted
    this.#core.absorb(isolate.state, body, sentAtMs, readingOf(isolate, this.#lagMs(input & 1)), 0)
    const paid = isolate.state.admitted - before
    return [this.#isolateId(isolate), paid]
  })

  /** Isolate, twice the key plus one if it reads its clock late: isolate or −1, version. */
  readonly admit = new Remembered((id, input) => {
    const isolate = this.#copyIsolate(id)
    const key = this.keys[input >> 1] ?? null
    const scopes = key === null ? [] : [SCOPE]
    const atMs = readingOf(isolate, this.#lagMs(input & 1))
    const isAdmitted = this.#core.admit(isolate.state, atMs, key, false, scopes) === 'admitted'
    const version = isolate.state.policy?.version ?? 0
    return isAdmitted ? [this.#isolateId(isolate), version] : [-1, 0]
  })

  /** Isolate: isolate, permits paid at once. */
  readonly charge = new Remembered((id) => {
    const isolate = this.#copyIsolate(id)
    const before = isolate.state.admitted
    this.#core.charge(isolate.state, readingOf(isolate, 0), this.scenario.chargePermits ?? 0)
    const paid = isolate.state.admitted - before
    return [this.#isolateId(isolate), paid]
  })

  readonly versionOf = new Remembered((id) => [this.isolates.of(id).state.policy?.version ?? 0])

  readonly jump = new Remembered((id) => {
    const isolate = this.#copyIsolate(id)
    isolate.offMs -= this.scenario.jumpMs ?? 0
    return [this.#isolateId(isolate)]
  })

  /** Gate, which start: gate, tickets that are lost. */
  readonly restart = new Remembered((id, which) => {
    const before = this.gates.of(id)
    const aheadMs = (this.scenario.aheadsMs ?? [0])[which] as number
    const store = new ExplorerStore(copyOf(before.store.rows))
    const core = new this.#core.GateCore(store, NO_RANDOM, NOW_MS + aheadMs)
    return [this.#gateId({ core, store, aheadMs, tickets: [] }), before.tickets.length]
  })

  /** Gate, version: gate, wait. */
  readonly change = new Remembered((id, version) => {
    const gate = this.#copyGate(id)
    const { policy, keys } = this.#policies[version - 1] as { policy: Policy; keys: GateKey[] }
    const { waitMs } = gate.core.setPolicy(policy, keys, NOW_MS + gate.aheadMs)
    return [this.#gateId(gate), waitMs]
  })

  /** Gate: gate or −1, version. */
  readonly write = new Remembered((id) => {
    const gate = this.#copyGate(id)
    const sender = { sentAtMs: NOW_MS, isolate: null }
    const admission = gate.core.admitWrite(null, SCOPE, sender, NOW_MS + gate.aheadMs)
    if (!admission.admitted) return [-1]
    if (this.#kept.year) gate.tickets.push(admission.ticket)
    return [this.#gateId(gate), admission.policy.version]
  })

  /** Gate: gate or −1. */
  readonly begin = new Remembered((id) => {
    const gate = this.#copyGate(id)
    if (gate.tickets.length === 0) return [-1]
    const intent = { tags: [], deadlineMs: NOW_MS, tickets: gate.tickets }
    gate.core.settleWrite(gate.core.beginWrite(intent, NOW_MS + gate.aheadMs).seq, null)
    gate.tickets = []
    return [this.#gateId(gate)]
  })

  /** Gate, three times the step plus what its clock does: 1 loses time, 2 finds it again. */
  readonly gateLater = new Remembered((id, input) => {
    const gate = this.#copyGate(id, this.#stepMs(Math.floor(input / 3)))
    gate.aheadMs -= this.lostMs(input % 3)
    return [this.#gateId(gate)]
  })
  readonly isolateLater = new Remembered((id, step) => {
    return [this.#isolateId(copyOf(this.isolates.of(id), ISOLATE_INSTANTS, this.#stepMs(step)))]
  })
  readonly messageLater = new Remembered((id, step) => {
    return [this.#messageId(copyOf(this.messages.of(id), MESSAGE_INSTANTS, this.#stepMs(step)))]
  })
  readonly networkLater = new Remembered((id, step) => {
    return [this.networks.id(sorted(this.networks.of(id).map((message) => this.messageLater.find(message, step))))]
  })
  readonly observerLater = new Remembered((id, step) => {
    return [this.observers.id(observedLater(this.observers.of(id), this.#stepMs(step)))]
  })

  /** Network, message: network. */
  readonly sent = new Remembered((id, message) => [this.networks.id(sorted([...this.networks.of(id), message]))])
  readonly received = new Remembered((id, message) => {
    const left = [...this.networks.of(id)]
    left.splice(left.indexOf(message), 1)
    return [this.networks.id(left)]
  })

  /** Observer, version and key: observer, one more than the number of what is broken. */
  readonly observeAdmission = new Remembered((id, input) => {
    const version = Math.floor(input / 16)
    const before = this.observers.of(id)
    const seen = observedAdmission(before)
    const what = brokenBy(
      seen,
      version,
      this.keys[input % 16] ?? null,
      this.#scenarioPolicies,
      this.scenario.annualLimit ?? null,
    )
    if (what === null) {
      this.reached.levelMin = Math.min(this.reached.levelMin, seen.level)
      if (version < seen.newest) this.reached.underOlderMs = Math.max(this.reached.underOlderMs, seen.changedMs)
    }
    // Without a limit of the year their number does not matter.
    if (!this.#kept.year) seen.admitted = 0
    return [this.observers.id(seen), what === null ? 0 : 1 + this.broken.id(what)]
  })
  /** Observer, version and wait. */
  readonly observeChange = new Remembered((id, input) => {
    const version = Math.floor(input / 8_192)
    const policy = this.#scenarioPolicies[version - 1] as ScenarioPolicy
    return [this.observers.id(observedChange(this.observers.of(id), version, policy, input % 8_192))]
  })
  readonly observeLost = new Remembered((id, tickets) => {
    const before = this.observers.of(id)
    return [this.observers.id({ ...before, unsure: before.unsure + tickets })]
  })

  readonly pair = new Remembered((one, other) => [this.pairs.id([one, other])])
  readonly pairs = new Interned<readonly [number, number]>()

  /** Gate, pair of isolates: what the gate has counted when each has reported twice more. */
  readonly accounts = new Remembered((id, pairId) => {
    const gate = this.#copyGate(id)
    const states = this.pairs.of(pairId).map((isolate) => this.#copyIsolate(isolate))
    for (let round = 0; round < 2; round++) {
      for (const isolate of states) {
        const sentAtMs = readingOf(isolate, 0)
        const reply = gate.core.lease(this.#core.nextRequest(isolate.state, sentAtMs, 0), NOW_MS + gate.aheadMs)
        this.#core.absorb(isolate.state, reply, sentAtMs, sentAtMs, 0)
      }
    }
    return [gate.core.usage(NOW_MS + gate.aheadMs).count]
  })

  /** How often the real code ran. */
  get computed(): number {
    const steps = [this.ask, this.arrive, this.absorb, this.admit, this.charge, this.restart, this.change, this.write]
    return [...steps, this.begin, this.accounts].reduce((sum, { computed }) => sum + computed, 0)
  }

  #lagMs(which: number): number {
    return (this.scenario.lagsMs ?? [0])[which] as number
  }

  #stepMs(step: number): number {
    return this.scenario.stepsMs[step] as number
  }

  /** Returns how much time the gate's clock loses: 1 loses, 2 finds again. */
  lostMs(clock: number): number {
    const { lossMs = 0, gainMs = 0 } = this.scenario
    return clock === 1 ? lossMs : clock === 2 ? -gainMs : 0
  }

  #copyGate(id: number, ms = 0): Gate {
    return copyOf(this.gates.of(id), GATE_INSTANTS, ms)
  }

  #copyIsolate(id: number): Isolate {
    return copyOf(this.isolates.of(id))
  }

  #gateId(gate: Gate): number {
    projectGate(gate, this.#kept)
    return this.gates.id(gate)
  }

  #isolateId(isolate: Isolate): number {
    projectIsolate(isolate, this.#kept)
    return this.isolates.id(isolate)
  }

  #messageId(message: Message): number {
    projectMessage(message, this.#kept)
    return this.messages.id(message)
  }
}

/** Returns what an isolate's clock shows when it is read late by `lagMs`. It goes back only where the scenario makes it. */
export function readingOf({ state, offMs }: Isolate, lagMs: number, nowMs = NOW_MS): number {
  const shownMs = nowMs + offMs - lagMs
  return state.clockMs - shownMs <= lagMs ? Math.max(state.clockMs, shownMs) : shownMs
}

function sorted(numbers: number[]): number[] {
  return numbers.sort((a, b) => a - b)
}
