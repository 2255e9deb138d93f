/**
 * The last use of each key, from isolates to the gate: whatever messages are lost and whenever the gate restarts. Gate and
 * isolates are the real ones, time is handed in.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GateCore } from '../../../src/gate/core/gate-core.ts'
import { KeyUses } from '../../../src/gate/core/key-uses.ts'
import { admit, shouldRenew } from '../../../src/gate/isolate/lease.ts'
import { absorb, absorbFailure, nextRequest } from '../../../src/gate/isolate/lease-exchange.ts'
import { LeaseState } from '../../../src/gate/isolate/lease-state.ts'
import { KEY_USE_UNREPORTED_MAX_MS, KEY_USES_MAX } from '../../../src/gate/protocol/constants.ts'
import { DurableStore } from './durable-store.ts'
import { keyOf, NOON_MS, policyOf } from './samples.ts'

const NAMES = ['a', 'b', 'c']
const KEYS = NAMES.map((name) => keyOf(name))

const minuteOf = (atMs: number) => Math.floor(atMs / 60_000) * 60_000

/** A gate with these keys, and isolates that call it. */
class Deployment {
  readonly store = new DurableStore()
  gate: GateCore
  nowMs = NOON_MS
  /** The uses of each isolate that no message has brought to the gate yet. */
  readonly #unsent = new Map<LeaseState, { name: string; atMs: number }[]>()
  /** The last use of each key that a message has brought to the gate, and the last of all. */
  readonly reported = new Map<string, number>()
  readonly used = new Map<string, number>()

  constructor() {
    this.gate = new GateCore(this.store.open(), () => 0.5, this.nowMs)
    this.gate.setPolicy(policyOf(), KEYS, this.nowMs)
  }

  restart(): void {
    this.gate = new GateCore(this.store.open(), () => 0.5, this.nowMs)
  }

  newIsolate(): LeaseState {
    return new LeaseState(`tally-${Math.random()}`)
  }

  /** Sends a request with a key. If `isLost`, no message of it reaches the gate. */
  request(isolate: LeaseState, name: string, isLost = false): void {
    this.used.set(name, this.nowMs)
    const decision = admit(isolate, this.nowMs, name)
    if (decision === 'needs_lease') {
      // A key of which the isolate has no verdict yet may be nobody's.
      if (isolate.verdicts.has(name) || !isLost) this.#use(isolate, name)
      // The first reply may bring only the verdict.
      for (let call = 0; call < 2 && this.#call(isolate, isLost); call++) admit(isolate, this.nowMs, name, true)
    } else if (decision === 'admitted') {
      this.#use(isolate, name)
      if (shouldRenew(isolate, this.nowMs)) this.#call(isolate, isLost)
    }
  }

  /** Returns the minutes that the gate has, by the names of the keys. */
  stored(): Record<string, number> {
    const { keyUses = {} } = this.gate.usage(this.nowMs)
    return Object.fromEntries(Object.entries(keyUses).map(([id, atMs]) => [id.slice('key-'.length), atMs]))
  }

  #use(isolate: LeaseState, name: string): void {
    const before = this.#unsent.get(isolate) ?? []
    this.#unsent.set(isolate, [...before, { name, atMs: this.nowMs }])
  }

  #call(isolate: LeaseState, isLost: boolean): boolean {
    const sentAtMs = this.nowMs
    const request = nextRequest(isolate, sentAtMs, 1)
    if (isLost) {
      absorbFailure(isolate, sentAtMs, sentAtMs, 0)
      return false
    }
    absorb(isolate, this.gate.lease(structuredClone(request), sentAtMs), sentAtMs, sentAtMs, 0.5)
    for (const { name, atMs } of this.#unsent.get(isolate) ?? []) {
      this.reported.set(name, Math.max(atMs, this.reported.get(name) ?? 0))
    }
    this.#unsent.set(isolate, [])
    return true
  }
}

const step = fc.record({
  waitMs: fc.oneof(fc.nat(400), fc.nat(90_000)),
  isolate: fc.nat(1),
  key: fc.constantFrom(...NAMES),
  isLost: fc.noBias(fc.integer({ min: 0, max: 4 })).map((die) => die === 0),
  restarts: fc.noBias(fc.integer({ min: 0, max: 4 })).map((die) => die === 0),
})

describe('the last use of a key', () => {
  it('is at the gate as soon as one message of the isolate arrives after it, and survives restarts of the gate', () => {
    let checked = 0
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40, size: 'max' }), (steps) => {
        const deployment = new Deployment()
        const isolates = [deployment.newIsolate(), deployment.newIsolate()]
        const minutes = new Set<string>()
        for (const { waitMs, isolate, key, isLost, restarts } of steps) {
          deployment.nowMs += waitMs
          if (restarts) deployment.restart()
          deployment.request(isolates[isolate] as LeaseState, key, isLost)
          minutes.add(`${key} ${minuteOf(deployment.nowMs)}`)
          const stored = deployment.stored()
          for (const name of NAMES) {
            const atLeast = deployment.reported.get(name)
            const atMost = deployment.used.get(name)
            if (atLeast !== undefined) expect(stored[name]).toBeGreaterThanOrEqual(minuteOf(atLeast))
            if (stored[name] !== undefined) expect(stored[name]).toBeLessThanOrEqual(minuteOf(atMost ?? 0))
            checked++
          }
        }
        expect(deployment.store.useRows, 'one row a key and minute').toBeLessThanOrEqual(minutes.size)
      }),
      { numRuns: 300, seed: 7 },
    )
    expect(checked).toBeGreaterThan(5_000)
  })

  it('is reported in the background when another key keeps the lease alive', () => {
    const deployment = new Deployment()
    const isolate = deployment.newIsolate()
    for (const name of ['a', 'b']) deployment.request(isolate, name)
    deployment.nowMs += 2 * KEY_USE_UNREPORTED_MAX_MS
    deployment.request(isolate, 'b')
    deployment.nowMs += 10
    deployment.request(isolate, 'a')
    expect(deployment.stored()).toEqual({ a: minuteOf(deployment.nowMs), b: minuteOf(deployment.nowMs) })
  })

  it('is sent once: the next message has only keys that were used since', () => {
    const deployment = new Deployment()
    const isolate = deployment.newIsolate()
    for (const name of ['a', 'b']) deployment.request(isolate, name)
    deployment.nowMs += 5_000
    deployment.request(isolate, 'a')
    expect(nextRequest(isolate, deployment.nowMs, 0).uses).toEqual({})
    deployment.nowMs += 100
    admit(isolate, deployment.nowMs, 'b')
    deployment.nowMs += 30
    expect(nextRequest(isolate, deployment.nowMs, 0).uses).toEqual({ 'key-b': 30 })
  })

  it('is that of writes too, also of one that is refused for its scope', () => {
    const { gate, nowMs, store } = new Deployment()
    gate.admitWrite('a', 'customers:write', { sentAtMs: nowMs, isolate: null }, nowMs)
    gate.admitWrite('nobody', 'customers:write', { sentAtMs: nowMs, isolate: null }, nowMs)
    expect(store.stored.keyUses).toEqual([{ keyId: 'key-a', usedAtMs: NOON_MS }])
  })

  it('stays when the key ends, and is not moved by requests that the key is refused for', () => {
    const deployment = new Deployment()
    const { gate } = deployment
    const isolate = deployment.newIsolate()
    deployment.request(isolate, 'a')
    gate.setPolicy(policyOf({ version: 2 }), [], deployment.nowMs)
    deployment.nowMs += 600_000
    deployment.request(isolate, 'a')
    gate.admitWrite('a', 'customers:write', { sentAtMs: deployment.nowMs, isolate: null }, deployment.nowMs)
    expect(deployment.stored()).toEqual({ a: NOON_MS })
  })

  it('asks for no lease in the background for a key that is refused', () => {
    const deployment = new Deployment()
    const isolate = deployment.newIsolate()
    deployment.request(isolate, 'nobody')
    const untilMs = deployment.nowMs + 2 * KEY_USE_UNREPORTED_MAX_MS
    for (; deployment.nowMs < untilMs; deployment.nowMs += 500) deployment.request(isolate, 'a')
    deployment.request(isolate, 'a')
    expect(admit(isolate, deployment.nowMs + 10, 'nobody')).toBe('unknown_key')
    expect(shouldRenew(isolate, deployment.nowMs + 10)).toBe(false)
  })
})

describe('the stored uses', () => {
  const opened = () => {
    const store = new DurableStore()
    return { store, uses: new KeyUses(store.open(), []) }
  }

  it('are bounded: the oldest use of a key that ended goes first, then the oldest of all', () => {
    const { store, uses } = opened()
    for (let at = 0; at < KEY_USES_MAX; at++) uses.note(`key-${at}`, NOON_MS + at * 60_000, new Set([`key-${at}`]))
    const laterMs = NOON_MS + KEY_USES_MAX * 60_000
    uses.note('key-new', laterMs, new Set(['key-0', 'key-1', 'key-new']))
    expect(store.stored.keyUses).toHaveLength(KEY_USES_MAX)
    expect(Object.keys(uses.all()).slice(0, 3)).toEqual(['key-0', 'key-1', 'key-3'])
    uses.note('key-newer', laterMs, new Set([...Object.keys(uses.all()), 'key-newer']))
    expect(uses.all()).not.toHaveProperty('key-0')
    expect(uses.all()).toHaveProperty('key-newer')
    expect(new KeyUses(store.open(), store.stored.keyUses).all()).toEqual(uses.all())
  })

  it('take a row each minute that a key is used in, and never go back', () => {
    const { store, uses } = opened()
    for (const afterMs of [0, 1, 59_999, 60_000, 61_000, 59_000])
      uses.note('key-a', NOON_MS + afterMs, new Set(['key-a']))
    expect(uses.all()).toEqual({ 'key-a': NOON_MS + 60_000 })
    expect(store.useRows).toBe(2)
  })
})
