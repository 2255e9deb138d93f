/**
 * Simulates a tenant's traffic as discrete events, through the gate and the isolates' leases of src/gate. Measures the
 * calls to the gate, the requests that need no I/O, and the loss against one central bucket that every isolate reaches
 * without delay. Round trips and service times are assumed (below), arrivals are Poisson, isolates share them by Zipf's
 * law.
 *
 * `node bench/gate-model.ts` prints the figures of docs/figures.md; test/node/gate compares them with their goals.
 */

import { GateCore } from '../src/gate/core/gate-core.ts'
import type { StoredGate } from '../src/gate/core/gate-storage.ts'
import { admit, isRequesting, shouldRenew } from '../src/gate/isolate/lease.ts'
import { absorb, nextRequest } from '../src/gate/isolate/lease-exchange.ts'
import { LeaseState } from '../src/gate/isolate/lease-state.ts'
import type { LeaseReply, Policy } from '../src/gate/protocol/leases.ts'
import { Agenda, Meter, seeded } from '../test/node/gate/discrete-events.ts'

export interface Scenario {
  ratePerSecond: number
  burst: number
  isolates: number
  /** Offered requests a second, all isolates together. */
  offeredPerSecond: number
  seconds: number
  seed: number
  /** Round trip of every isolate in milliseconds. If absent, the isolates are spread over seven regions. */
  roundTripMs?: number
}

export interface Figures {
  offered: number
  admitted: number
  central: number
  /** Share of the requests that the central bucket admits and this gate did not. */
  lostShare: number
  callsPerThousand: number
  callsPerSecond: number
  /** Share of the requests that were decided without waiting for anything. */
  zeroIoShare: number
  /** Requests that were not decided within a second. */
  errors: number
  /** The most permits by which the admissions exceeded burst + rate × T. */
  excess: number
}

/** Round trips from the isolates' regions to the gate, in milliseconds. */
const REGION_ROUND_TRIPS_MS = [12, 35, 75, 90, 110, 160, 215]
const GATE_SERVICE_MS = 0.8
const WAIT_MAX_MS = 1_000
const WARM_UP_MS = 2_000

/** The storage of an empty gate. It keeps nothing, because the figures need no restart. */
function volatileStorage() {
  const stored: StoredGate = {
    loaded: null,
    policy: null,
    keys: [],
    state: null,
    writes: [],
    stable: null,
    keyUses: [],
  }
  return {
    load: () => stored,
    saveLoaded() {},
    savePolicy() {},
    saveState() {},
    insertWrite() {},
    saveStable() {},
    pruneWrites() {},
    saveKeyUse() {},
    forgetKeyUse() {},
  }
}

interface Waiter {
  sinceMs: number
  done: boolean
}

export function simulate(scenario: Scenario): Figures {
  const { ratePerSecond, burst, isolates, offeredPerSecond, seconds, seed } = scenario
  const random = seeded(seed)
  const agenda = new Agenda()
  const policy: Policy = {
    version: 1,
    tier: 'custom',
    status: 'active',
    ratePerSecond,
    burst,
    annualLimit: null,
    contractStart: '2026-01-01',
  }
  const gate = new GateCore(volatileStorage(), random, 0)
  gate.setPolicy(policy, [], 0)
  const meter = new Meter(ratePerSecond, burst)
  const central = new Meter(ratePerSecond, burst)
  const figures = { offered: 0, admitted: 0, central: 0, calls: 0, instant: 0, errors: 0 }
  const measured = () => agenda.nowMs >= WARM_UP_MS
  let gateFreeAtMs = 0

  const makeIsolate = (index: number) => {
    const state = new LeaseState(`isolate-${index}`)
    const baseMs = scenario.roundTripMs ?? (REGION_ROUND_TRIPS_MS[index % REGION_ROUND_TRIPS_MS.length] as number)
    let waiters: Waiter[] = []

    const clock = () => Math.floor(agenda.nowMs)
    const oneWayMs = () => {
      const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
      return (baseMs / 2) * Math.exp(0.12 * normal) * (random() < 0.005 ? 3 : 1)
    }
    const succeed = () => {
      meter.admit(agenda.nowMs)
      if (measured()) figures.admitted++
    }
    const send = () => {
      const sentAtMs = clock()
      const request = nextRequest(state, sentAtMs, waiters.length)
      if (measured()) figures.calls++
      agenda.at(agenda.nowMs + oneWayMs(), () => {
        gateFreeAtMs = Math.max(gateFreeAtMs, agenda.nowMs) + GATE_SERVICE_MS
        agenda.at(gateFreeAtMs, () => {
          const reply = gate.lease(request, clock())
          agenda.at(agenda.nowMs + oneWayMs(), () => receive(reply, sentAtMs))
        })
      })
    }
    const receive = (reply: LeaseReply, sentAtMs: number) => {
      absorb(state, reply, sentAtMs, clock(), random())
      const again = waiters
      waiters = []
      for (const waiter of again) {
        if (waiter.done) continue
        const decision = admit(state, clock(), null, true)
        if (decision === 'needs_lease') waiters.push(waiter)
        else waiter.done = true
        if (decision === 'admitted') succeed()
        if (decision === 'unavailable' && measured()) figures.errors++
      }
      askIfNeeded()
    }
    const askIfNeeded = () => {
      const nowMs = clock()
      if (isRequesting(state, nowMs)) return
      if (waiters.length > 0 || shouldRenew(state, nowMs)) send()
    }
    return () => {
      const decision = admit(state, clock(), null)
      if (measured()) {
        figures.offered++
        if (central.police(agenda.nowMs)) figures.central++
        if (decision !== 'needs_lease') figures.instant++
        if (decision === 'unavailable') figures.errors++
      } else {
        central.police(agenda.nowMs)
      }
      if (decision === 'admitted') succeed()
      if (decision === 'needs_lease') {
        const waiter = { sinceMs: agenda.nowMs, done: false }
        waiters.push(waiter)
        agenda.at(agenda.nowMs + WAIT_MAX_MS, () => {
          if (waiter.done) return
          waiter.done = true
          waiters = waiters.filter((other) => other !== waiter)
          if (measured()) figures.errors++
        })
        agenda.at(agenda.nowMs + 301, askIfNeeded)
      }
      askIfNeeded()
    }
  }

  const weights = Array.from({ length: isolates }, (_, index) => 1 / (index + 1))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const endMs = WARM_UP_MS + seconds * 1_000
  for (const [index, weight] of weights.entries()) {
    const arrive = makeIsolate(index)
    const meanMs = 1_000 / ((offeredPerSecond * weight) / total)
    const next = () => {
      const atMs = agenda.nowMs - Math.log(1 - random()) * meanMs
      if (atMs > endMs) return
      agenda.at(atMs, () => {
        arrive()
        next()
      })
    }
    next()
  }
  while (agenda.step());
  const { offered, admitted, calls, instant, errors } = figures
  return {
    offered,
    admitted,
    central: figures.central,
    lostShare: 1 - admitted / figures.central,
    callsPerThousand: (1_000 * calls) / offered,
    callsPerSecond: calls / seconds,
    zeroIoShare: instant / offered,
    errors,
    excess: meter.excess,
  }
}

/** The scenarios of docs/figures.md, one line each. */
export function report(print: (line: string) => void): void {
  print('limit  isolates  load   calls/1000  zero-I/O %  lost %  errors  calls/s  excess')
  for (const [rate, isolates, load] of TABLE) {
    const seconds = Math.max(20, Math.min(120, 20_000 / (rate * load)))
    const scenario = { ratePerSecond: rate, burst: 2 * rate, isolates, offeredPerSecond: rate * load, seconds, seed: 1 }
    const figures = simulate(scenario)
    print(
      [
        String(rate).padStart(5),
        String(isolates).padStart(8),
        `${load.toFixed(1)}×`.padStart(7),
        figures.callsPerThousand.toFixed(1).padStart(11),
        (100 * figures.zeroIoShare).toFixed(1).padStart(11),
        (100 * figures.lostShare).toFixed(2).padStart(7),
        String(figures.errors).padStart(7),
        figures.callsPerSecond.toFixed(1).padStart(8),
        figures.excess.toFixed(1).padStart(7),
      ].join(' '),
    )
  }
}

const TABLE: [rate: number, isolates: number, load: number][] = []
for (const rate of [10, 50, 100, 200, 1_000]) {
  for (const isolates of [1, 10, 100]) for (const load of [0.2, 0.5, 1, 2]) TABLE.push([rate, isolates, load])
}

if (process.argv[1] === import.meta.filename) report(console.log)
