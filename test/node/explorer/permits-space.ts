/**
 * The space of the permits: a gate, isolates, the messages between them, an observer, and what may still happen. At every state
 * each thing that may happen is tried: that is every interleaving. Loss needs no step, for a message may stay under way for ever;
 * nor does the death of an isolate, which does nothing any more, nor an event of a gate that dies half-way: by the output gate it
 * is a restart and a message that never arrives.
 *
 * A state is [gate, observer, what is left, then isolate and network for each isolate].
 */

import type { PermitsEvent, PermitsScenario } from './permits-events.ts'
import { PermitsWorld } from './permits-world.ts'
import type { Core, Message } from './projection.ts'
import type { Reach, Space } from './search.ts'

/** The things that may still happen, each in some bits of one number. */
const BITS = {
  asks: 3,
  admits: 3,
  ticks: 3,
  doubles: 2,
  restarts: 2,
  writes: 2,
  busy: 2,
  charges: 2,
  losses: 2,
  jumps: 1,
  gains: 1,
  changes: 4,
}
type Budget = keyof typeof BITS

const SHIFT = {} as Record<Budget, number>
let bits = 0
for (const budget of Object.keys(BITS) as Budget[]) {
  SHIFT[budget] = bits
  bits += BITS[budget]
}

/** The budgets of what the gate's clock may do while time passes. */
const CLOCKS = [null, 'losses', 'gains'] as const

const Kind = {
  Ask: 0,
  Arrive: 1,
  Absorb: 2,
  Admit: 3,
  Charge: 4,
  Tick: 5,
  Restart: 6,
  Change: 7,
  Write: 8,
  Begin: 9,
  Jump: 10,
  Accounts: 11,
} as const
type Kind = (typeof Kind)[keyof typeof Kind]

export class PermitsSpace implements Space<PermitsEvent> {
  readonly width: number
  readonly next: Int32Array
  violation: string | null = null
  readonly world: PermitsWorld
  readonly #scenario: PermitsScenario
  readonly #count: number
  /** Which isolate stands at which place, after the steps of the path so far. */
  #names: number[] = []
  /** Where each isolate of the last step came from. */
  readonly #from: number[] = []
  #messageNames: { isolate: number; message: number; ask: number }[] = []
  #asks = 0

  constructor(core: Core, scenario: PermitsScenario) {
    this.#scenario = scenario
    this.world = new PermitsWorld(core, scenario)
    this.#count = scenario.isolates.length
    this.width = 3 + 2 * this.#count
    this.next = new Int32Array(this.width)
  }

  initial(): number[] {
    const { world } = this
    const { asks, admits, ticks, doubles = 0, restarts = 0, writes = 0, busy = 0, charges = 0 } = this.#scenario
    const { losses = 0, jumpMs, gainMs, changes = [] } = this.#scenario
    const jumps = jumpMs === undefined ? 0 : 1
    const gains = gainMs === undefined ? 0 : 1
    const budgets = { asks, admits, ticks, doubles, restarts, writes, busy, charges, losses, jumps, gains }
    let left = ((1 << changes.length) - 1) << SHIFT.changes
    for (const [name, times] of Object.entries(budgets) as [Budget, number][]) {
      if (times >= 1 << BITS[name]) throw new RangeError(`${this.#scenario.name}: too many ${name}`)
      left |= times << SHIFT[name]
    }
    const isolates = this.#scenario.isolates.flatMap((_, index) => [world.firstIsolate(index), world.networks.id([])])
    return [world.firstGate(), world.firstObserver(), left, ...isolates]
  }

  expand(states: Int32Array, at: number, reach: Reach): void {
    const { world, next } = this
    const scenario = this.#scenario
    const gate = states[at] as number
    const observer = states[at + 1] as number
    const left = states[at + 2] as number
    const has = (budget: Budget) => (left >>> SHIFT[budget]) & ((1 << BITS[budget]) - 1)
    const mayTravel = scenario.asksTravel ?? false

    /** Begins a step that takes one of what is left. */
    const begin = (budget: Budget | null) => {
      for (let place = 0; place < this.width; place++) next[place] = states[at + place] as number
      if (budget !== null) next[2] = left - (1 << SHIFT[budget])
    }
    const end = (kind: Kind, a: number, b: number) => {
      this.#sort()
      reach(kind, a, b)
    }
    /** Shows the observer that so many permits were spent by this version. */
    const observe = (version: number, key: number, permits: number) => {
      for (let permit = 0; permit < permits; permit++) {
        next[1] = world.observeAdmission.find(next[1] as number, version * 16 + key)
        if (world.observeAdmission.b > 0) this.violation ??= world.broken.of(world.observeAdmission.b - 1)
      }
    }

    for (let index = 0; index < this.#count; index++) {
      const slot = 3 + 2 * index
      const isolate = states[at + slot] as number
      const network = states[at + slot + 1] as number
      // Two isolates in the same state take the same steps.
      if (world.isSymmetric && index > 0 && isolate === states[at + slot - 2] && network === states[at + slot - 1])
        continue

      if (has('asks') > 0) {
        for (let which = 0; which < 2 * scenario.wants.length; which++) {
          if (!scenario.kept?.keys && which & 1) continue
          begin('asks')
          next[slot] = world.ask.find(isolate, which)
          let message = world.ask.b
          if (!mayTravel) {
            next[0] = world.arrive.find(gate, 2 * message)
            message = world.arrive.b
          }
          next[slot + 1] = world.sent.find(network, message)
          end(Kind.Ask, index, which)
        }
      }
      const underWay = world.networks.of(network)
      for (let place = 0; place < underWay.length; place++) {
        const message = underWay[place] as number
        if (place > 0 && underWay[place - 1] === message) continue
        const isAsk = world.messages.of(message).kind === 'ask'
        for (let isDoubled = 0; isDoubled <= (has('doubles') > 0 ? 1 : 0); isDoubled++) {
          const budget = isDoubled ? 'doubles' : null
          const rest = isDoubled ? network : world.received.find(network, message)
          if (isAsk) {
            for (let isBusy = 0; isBusy <= (isDoubled === 0 && has('busy') > 0 ? 1 : 0); isBusy++) {
              begin(isBusy ? 'busy' : budget)
              next[0] = world.arrive.find(gate, 2 * message + isBusy)
              next[slot + 1] = world.sent.find(rest, world.arrive.b)
              end(Kind.Arrive, index, 4 * message + 2 * isBusy + isDoubled)
            }
            continue
          }
          const lags = scenario.kept?.clocks ? (scenario.lagsMs ?? [0]).length : 1
          for (let lag = 0; lag < lags; lag++) {
            begin(budget)
            next[slot] = world.absorb.find(isolate, 2 * message + lag)
            const paid = world.absorb.b
            next[slot + 1] = rest
            if (paid > 0) observe(world.versionOf.find(next[slot] as number), 15, paid)
            end(Kind.Absorb, index, 4 * message + 2 * lag + isDoubled)
          }
        }
      }
      if (has('admits') > 0) {
        for (let key = 0; key < world.keys.length; key++) {
          for (let lag = 0; lag < (scenario.lagsMs ?? [0]).length; lag++) {
            const after = world.admit.find(isolate, 2 * key + lag)
            if (after === -1) continue
            const version = world.admit.b
            begin('admits')
            next[slot] = after
            observe(version, key, 1)
            end(Kind.Admit, index, 2 * key + lag)
          }
        }
      }
      if (has('charges') > 0 && world.versionOf.find(isolate) > 0) {
        begin('charges')
        next[slot] = world.charge.find(isolate)
        observe(world.versionOf.find(isolate), 15, world.charge.b)
        end(Kind.Charge, index, 0)
      }
      if (has('jumps') > 0) {
        begin('jumps')
        next[slot] = world.jump.find(isolate)
        end(Kind.Jump, index, 0)
      }
    }

    if (has('ticks') > 0) {
      for (let step = 0; step < scenario.stepsMs.length; step++) {
        for (let clock = 0; clock < CLOCKS.length; clock++) {
          const budget = CLOCKS[clock] ?? null
          if (budget !== null && has(budget) === 0) continue
          if (budget === 'losses' && !this.#mayLose(step, has('asks'))) continue
          begin('ticks')
          if (budget !== null) next[2] = (next[2] as number) - (1 << SHIFT[budget])
          next[0] = world.gateLater.find(gate, CLOCKS.length * step + clock)
          next[1] = world.observerLater.find(observer, step)
          for (let index = 0; index < this.#count; index++) {
            const slot = 3 + 2 * index
            next[slot] = world.isolateLater.find(states[at + slot] as number, step)
            next[slot + 1] = world.networkLater.find(states[at + slot + 1] as number, step)
          }
          end(Kind.Tick, step, clock)
        }
      }
    }
    if (has('restarts') > 0) {
      for (let which = 0; which < (scenario.aheadsMs ?? [0]).length; which++) {
        begin('restarts')
        next[0] = world.restart.find(gate, which)
        if (world.restart.b > 0) next[1] = world.observeLost.find(observer, world.restart.b)
        end(Kind.Restart, which, 0)
      }
    }
    const changes = has('changes')
    for (let which = 0; changes >> which; which++) {
      const version = scenario.changes?.[which] as number
      if (!((changes >> which) & 1)) continue
      begin(null)
      next[2] = left - (1 << (SHIFT.changes + which))
      next[0] = world.change.find(gate, version)
      const waitMs = world.change.b
      next[1] = world.observeChange.find(observer, version * 8_192 + waitMs)
      end(Kind.Change, version, waitMs)
    }
    if (has('writes') > 0) {
      const after = world.write.find(gate)
      const version = world.write.b
      if (after !== -1) {
        begin('writes')
        next[0] = after
        observe(version, 15, 1)
        end(Kind.Write, 0, 0)
      }
    }
    if (!scenario.kept?.year) return
    const begun = world.begin.find(gate)
    if (begun !== -1) {
      begin(null)
      next[0] = begun
      end(Kind.Begin, 0, 0)
    }
    const counted = world.accounts.find(gate, world.pair.find(states[at + 3] as number, states[at + 5] as number))
    const { admitted, unsure } = world.observers.of(observer)
    if (counted <= admitted && counted >= admitted - unsure) return
    begin(null)
    this.violation = `the year: counted ${counted}, ${admitted} were admitted`
    end(Kind.Accounts, counted, 0)
  }

  /**
   * A clock loses no more than the time that passes. Where all isolates are late, what it loses before it has heard one is in
   * `gateAheadMs`: up to a second is allowed for.
   */
  #mayLose(step: number, asksLeft: number): boolean {
    const { lossMs = 0, stepsMs, isolates, asks } = this.#scenario
    return lossMs <= (stepsMs[step] as number) && (asksLeft < asks || isolates.some((offMs) => offMs >= 0))
  }

  /** Puts isolates that may change places into the order of their numbers. */
  #sort(): void {
    for (let index = 0; index < this.#count; index++) this.#from[index] = index
    if (!this.world.isSymmetric) return
    const { next } = this
    for (let index = 1; index < this.#count; index++) {
      for (let place = index; place > 0; place--) {
        const slot = 3 + 2 * place
        const [isolate, network] = [next[slot] as number, next[slot + 1] as number]
        const [isolateBefore, networkBefore] = [next[slot - 2] as number, next[slot - 1] as number]
        if (isolateBefore < isolate || (isolateBefore === isolate && networkBefore <= network)) break
        next[slot] = isolateBefore
        next[slot + 1] = networkBefore
        next[slot - 2] = isolate
        next[slot - 1] = network
        const from = this.#from[place] as number
        this.#from[place] = this.#from[place - 1] as number
        this.#from[place - 1] = from
      }
    }
  }

  beginPath(): void {
    this.#names = this.#scenario.isolates.map((_, index) => index)
    this.#messageNames = []
    this.#asks = 0
  }

  tell(states: Int32Array, at: number, kind: number, a: number, b: number): PermitsEvent {
    const isolate = this.#names[a] as number
    const event = this.#event(states, at, kind as Kind, a, b, isolate)
    this.#names = this.#from.map((from) => this.#names[from] as number)
    return event
  }

  #event(states: Int32Array, at: number, kind: Kind, a: number, b: number, isolate: number): PermitsEvent {
    const { world } = this
    const scenario = this.#scenario
    const lagOf = (which: number) => (scenario.lagsMs ?? [0])[which] as number
    switch (kind) {
      case Kind.Ask: {
        const ask = ++this.#asks
        const arrives = !(scenario.asksTravel ?? false)
        world.ask.find(states[at + 3 + 2 * a] as number, b)
        let message = world.ask.b
        if (arrives) {
          world.arrive.find(states[at] as number, 2 * message)
          message = world.arrive.b
        }
        this.#messageNames.push({ isolate, message, ask })
        const keys = b & 1 ? [] : world.keys.filter((key) => key !== null)
        return { kind: 'ask', isolate, want: scenario.wants[b >> 1] as number, ask, arrives, keys }
      }
      case Kind.Arrive: {
        const ask = this.#take(isolate, b >> 2, (b & 1) === 1)
        world.arrive.find(states[at] as number, b >> 1)
        this.#messageNames.push({ isolate, message: world.arrive.b, ask })
        const granted = grantedIn(world.messages.of(world.arrive.b))
        return { kind: 'arrive', ask, isBusy: (b & 2) === 2, isDoubled: (b & 1) === 1, granted }
      }
      case Kind.Absorb: {
        const ask = this.#take(isolate, b >> 2, (b & 1) === 1)
        return { kind: 'absorb', isolate, ask, isDoubled: (b & 1) === 1, lagMs: lagOf((b >> 1) & 1) }
      }
      case Kind.Admit:
        return { kind: 'admit', isolate, lagMs: lagOf(b & 1), key: world.keys[b >> 1] ?? null }
      case Kind.Charge:
        return { kind: 'charge', isolate, permits: scenario.chargePermits ?? 0 }
      case Kind.Tick: {
        for (const name of this.#messageNames) name.message = world.messageLater.find(name.message, a)
        return { kind: 'tick', ms: scenario.stepsMs[a] as number, lostMs: world.lostMs(b) }
      }
      case Kind.Restart:
        return { kind: 'restart', aheadMs: (scenario.aheadsMs ?? [0])[a] as number }
      case Kind.Change:
        return { kind: 'change', version: a, waitMs: b }
      case Kind.Write:
        return { kind: 'write' }
      case Kind.Begin:
        return { kind: 'begin' }
      case Kind.Jump:
        return { kind: 'jump', isolate, ms: scenario.jumpMs ?? 0 }
      case Kind.Accounts:
        return { kind: 'accounts', counted: a }
    }
  }

  /** Returns the number of the ask that a message belongs to, and forgets the message unless a copy stays. */
  #take(isolate: number, message: number, isDoubled: boolean): number {
    const at = this.#messageNames.findIndex((name) => name.isolate === isolate && name.message === message)
    const { ask } = this.#messageNames[at] as { ask: number }
    if (!isDoubled) this.#messageNames.splice(at, 1)
    return ask
  }
}

function grantedIn(message: Message): string {
  if (message.kind === 'ask' || message.body.kind !== 'lease') return 'it is busy'
  const { grant } = message.body
  return grant ? `${grant.permits} permits for ${grant.ttlMs} ms` : 'no permit'
}
