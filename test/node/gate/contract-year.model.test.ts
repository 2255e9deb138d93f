import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AnnualCount } from '../../../src/gate/core/annual-count.ts'
import { contractYear, dayOf } from '../../../src/gate/core/contract-year.ts'
import { GateCore } from '../../../src/gate/core/gate-core.ts'
import { admit } from '../../../src/gate/isolate/lease.ts'
import { absorb, nextRequest } from '../../../src/gate/isolate/lease-exchange.ts'
import { LeaseState, remaining } from '../../../src/gate/isolate/lease-state.ts'
import { CLOCK_LEAD_MAX_MS, COUNTED_DAYS_MAX } from '../../../src/gate/protocol/constants.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../src/shared/durations.ts'
import { DurableStore } from './durable-store.ts'
import { policyOf } from './samples.ts'

const START_MS = Date.UTC(2026, 5, 1, 12)
const LIMIT = 60

const anyDay = fc
  .integer({ min: Date.UTC(2023, 0, 1) / DAY_MS, max: Date.UTC(2029, 0, 1) / DAY_MS })
  .map((day) => dayOf(day * DAY_MS))
/** The moves that an operator would try: to a day, or by this many days from today. */
const move = fc.oneof(
  anyDay,
  fc.constantFrom('2024-02-29', '2026-01-01', '2026-01-02'),
  fc.constantFrom(-366, -365, -1, 0, 1, 180, 365),
)
const startOf = (to: string | number, nowMs: number) => (typeof to === 'string' ? to : dayOf(nowMs + to * DAY_MS))
const pause = fc.oneof(
  fc.integer({ min: 0, max: 20 * SECOND_MS }),
  fc.integer({ min: 0, max: 3 * DAY_MS }),
  fc.integer({ min: 10 * DAY_MS, max: 400 * DAY_MS }),
)
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('read' as const), isolate: fc.nat(2), requests: fc.nat(25) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('write' as const), requests: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('move' as const), to: move }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pause' as const), ms: pause }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('clock ahead' as const), byMs: fc.nat(CLOCK_LEAD_MAX_MS) }),
  },
)

/** A gate and three isolates under one annual limit, and the plain list of what was admitted. */
class Deployment {
  readonly #store = new DurableStore()
  #gate: GateCore
  readonly #isolates = [0, 1, 2].map((index) => new LeaseState(`isolate ${index}`))
  #nowMs = START_MS
  /** How far the latest clock that the gate has seen is ahead. */
  #aheadMs = 0
  #version = 1
  #contractStart = '2026-01-01'
  /** The day of each admitted request, by the gate's time of day. */
  readonly #admitted: string[] = []

  constructor() {
    this.#gate = this.#start()
    this.#setPolicy()
  }

  get #wallMs(): number {
    return this.#nowMs + this.#aheadMs
  }

  do(one: typeof step extends fc.Arbitrary<infer Step> ? Step : never): void {
    switch (one.kind) {
      case 'read':
        for (let request = 0; request < one.requests; request++) this.#read(this.#isolates[one.isolate] as LeaseState)
        break
      case 'write':
        for (let request = 0; request < one.requests; request++) this.#write()
        break
      case 'move':
        this.#contractStart = startOf(one.to, this.#nowMs)
        this.#setPolicy()
        break
      case 'pause':
        this.#nowMs += one.ms
        break
      case 'restart':
        this.#gate = this.#start()
        break
      case 'clock ahead':
        this.#aheadMs = Math.max(this.#aheadMs, one.byMs)
        this.#gate.noteClock({ sentAtMs: this.#nowMs + one.byMs, isolate: null }, this.#nowMs)
    }
    for (const isolate of this.#isolates) this.#call(isolate, 0)
  }

  /** The count of the gate, and what the list says of the year that the contract is in. */
  look() {
    const { yearStart: countedFrom, count, outstanding } = this.#gate.usage(this.#nowMs)
    const { yearStart } = contractYear(this.#contractStart, this.#wallMs)
    const admitted = this.#admitted.filter((day) => day >= yearStart).length
    const held = this.#isolates.reduce((sum, state) => sum + heldBy(state, this.#nowMs), 0)
    const total = this.#admitted.length
    return { countedFrom, count, outstanding, admitted, held, total, yearStart, wallMs: this.#wallMs }
  }

  #start(): GateCore {
    this.#aheadMs = 0
    return new GateCore(this.#store.open(), () => 0.5, this.#nowMs)
  }

  #setPolicy(): void {
    const { waitMs } = this.#gate.setPolicy(
      policyOf({ version: this.#version++, annualLimit: LIMIT, contractStart: this.#contractStart }),
      [],
      this.#nowMs,
    )
    this.#nowMs += waitMs
  }

  #read(state: LeaseState): void {
    let decision = admit(state, this.#nowMs, null)
    if (decision === 'needs_lease') {
      this.#call(state, 1)
      decision = admit(state, this.#nowMs, null, true)
    }
    if (decision === 'admitted') this.#admitted.push(dayOf(this.#wallMs))
  }

  #write(): void {
    const sender = { sentAtMs: this.#nowMs, isolate: null }
    const admission = this.#gate.admitWrite(null, 'customers:write', sender, this.#nowMs)
    if (!admission.admitted) return
    this.#admitted.push(dayOf(this.#wallMs))
    const change = { tags: [], deadlineMs: this.#nowMs, tickets: [admission.ticket] }
    this.#gate.settleWrite(this.#gate.beginWrite(change, this.#nowMs).seq, 'bookmark')
  }

  #call(state: LeaseState, waiting: number): void {
    const request = nextRequest(state, this.#nowMs, waiting)
    absorb(state, this.#gate.lease(request, this.#nowMs), this.#nowMs, this.#nowMs, 0.5)
  }
}

function heldBy(state: LeaseState, nowMs: number): number {
  return state.grants.reduce((sum, { left, expiresAtMs }) => sum + (nowMs < expiresAtMs ? left : 0), 0)
}

describe('the year that is counted', () => {
  it('never admits more than the limit of the contract in force, wherever its start is moved', () => {
    let moved = 0
    const run = fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
      const deployment = new Deployment()
      let before = deployment.look()
      for (const one of steps) {
        deployment.do(one)
        const now = deployment.look()
        expect(LIMIT - now.count - now.outstanding).toBeLessThanOrEqual(LIMIT - now.admitted - now.held)
        // A move may bring more into a year than its limit. Nothing is admitted then.
        if (now.total > before.total) expect(now.admitted + now.held).toBeLessThanOrEqual(LIMIT)
        // The count falls only when the year that began on its first day is over.
        if (now.count < before.count) expect(now.wallMs).toBeGreaterThanOrEqual(endOf(before.countedFrom))
        if (now.countedFrom < now.yearStart && now.count > now.admitted) moved++
        before = now
      }
    })
    fc.assert(run, { numRuns: 120 })
    expect(moved, 'moves that would have lowered the count').toBeGreaterThan(20)
  })

  it('has room again exactly when a refusal says so', () => {
    const days = fc.array(fc.record({ pauseMs: pause, requests: fc.nat(20), to: fc.option(move, { freq: 3 }) }))
    let waits = 0
    const run = fc.property(days, fc.integer({ min: 1, max: LIMIT }), (all, limit) => {
      const annual = new AnnualCount(null)
      let contractStart = '2026-01-01'
      let nowMs = START_MS
      for (const { pauseMs, requests, to } of all) {
        nowMs += pauseMs
        contractStart = to === null ? contractStart : startOf(to, nowMs)
        annual.enterYear(contractStart, nowMs)
        annual.admitted(requests, nowMs)
      }
      annual.enterYear(contractStart, nowMs)
      if (annual.room(limit) > 0) return
      waits++
      const againMs = nowMs + annual.roomInMs(limit, nowMs)
      annual.enterYear(contractStart, againMs - 1)
      expect(annual.room(limit)).toBe(0)
      annual.enterYear(contractStart, againMs)
      expect(annual.room(limit)).toBeGreaterThan(0)
    })
    fc.assert(run, { numRuns: 500 })
    expect(waits).toBeGreaterThan(100)
  })

  it('has room within a second if only outstanding permits fill it', () => {
    const annual = new AnnualCount(null)
    annual.enterYear('2026-01-01', START_MS)
    annual.receive(
      {
        id: 'a',
        admitted: 1,
        limited: 0,
        savedAdmitted: 0,
        savedLimited: 0,
        held: 9,
        lastLeaseEpoch: 1,
        lastLeaseOrdinal: 1,
      },
      START_MS,
    )
    expect([annual.room(10), annual.roomInMs(10, START_MS)]).toEqual([0, SECOND_MS])
  })

  it('keeps what an operator would take out of it: by a day and back, to today, to next year', () => {
    const annual = new AnnualCount(null)
    annual.enterYear('2026-01-01', START_MS)
    annual.admitted(40, START_MS - 100 * DAY_MS)
    const counts = ['2026-01-02', '2026-01-01', '2026-06-01', '2027-05-31', '2025-11-01', '2026-01-01'].map((start) => {
      annual.enterYear(start, START_MS)
      return annual.usage().count
    })
    expect(counts).toEqual([40, 40, 40, 40, 40, 40])
    expect(annual.usage().yearStart, 'the earliest start that was in force').toBe('2025-11-01')
  })

  it('counts from the new start once the old year is over', () => {
    const annual = new AnnualCount(null)
    annual.enterYear('2026-01-01', START_MS)
    annual.admitted(5, Date.UTC(2026, 1, 1))
    annual.admitted(7, Date.UTC(2026, 7, 1))
    annual.enterYear('2026-07-01', Date.UTC(2027, 0, 1) - 1)
    expect(annual.usage()).toMatchObject({ yearStart: '2026-01-01', count: 12 })
    annual.enterYear('2026-07-01', Date.UTC(2027, 0, 1))
    expect(annual.usage()).toMatchObject({ yearStart: '2026-07-01', count: 7 })
  })

  it('reads a row that lists fewer days than it counts', () => {
    const days = { '2026-05-01': { admitted: 3, limited: 1 }, '2026-05-02': { admitted: 2, limited: 0 } }
    const read = (yearStart: string) => new AnnualCount({ yearStart, count: 12, days, tallies: {}, countedSeq: 0 })
    expect(read('2026-01-01').usage()).toMatchObject({
      count: 12,
      days: { ...days, '2026-04-30': { admitted: 7, limited: 0 } },
    })
    expect(read('2026-05-02').usage(), 'a day that it lists').toMatchObject({
      count: 12,
      days: { '2026-05-02': { admitted: 12, limited: 0 } },
    })
  })

  it('is counted by the day for a whole year, and stored in bounded space', () => {
    const annual = new AnnualCount(null)
    annual.enterYear('2026-01-01', START_MS)
    for (let day = 0; day < 420; day++) annual.admitted(1, START_MS + day * DAY_MS)
    const { days } = annual.save(0, START_MS)
    expect(Object.keys(days)).toHaveLength(COUNTED_DAYS_MAX)
    expect(JSON.stringify(days).length).toBeLessThan(20_000)
    annual.enterYear('2026-01-01', START_MS + 419 * DAY_MS)
    expect(annual.usage()).toMatchObject({ yearStart: '2027-01-01', count: 206 })
  })
})

it('is shown by the isolate that refuses, for months and in seconds', () => {
  const store = new DurableStore()
  const gate = new GateCore(store.open(), () => 0.5, START_MS)
  gate.setPolicy(policyOf({ annualLimit: 1 }), [], START_MS)
  const write = gate.admitWrite(null, 'customers:write', { sentAtMs: START_MS, isolate: null }, START_MS)
  expect(write.admitted).toBe(true)
  const endsInMs = Date.UTC(2027, 0, 1) - START_MS
  expect(
    gate.admitWrite(null, 'customers:write', { sentAtMs: START_MS, isolate: null }, START_MS + MINUTE_MS),
  ).toMatchObject({ reason: 'annual_limit', retryAfterMs: endsInMs - MINUTE_MS })
  const state = new LeaseState('isolate')
  const atMs = START_MS + HOUR_MS
  absorb(state, gate.lease(nextRequest(state, atMs, 1), atMs), atMs, atMs, 0)
  expect(admit(state, atMs + 5, null)).toBe('annual_limit')
  expect(state.retryAfterMs).toBe(endsInMs - HOUR_MS - 5)
  expect(remaining(state, atMs)).toBeGreaterThan(0)
})

/** Years of the calendar, counted from a day. */
function endOf(day: string): number {
  return Date.parse(day) + 365 * DAY_MS
}

describe('a contract year', () => {
  it.each([
    { start: '2025-03-01', at: '2026-02-28T23:59:59.999Z', year: '2025-03-01', ends: '2026-03-01' },
    { start: '2025-03-01', at: '2026-03-01T00:00:00.000Z', year: '2026-03-01', ends: '2027-03-01' },
    { start: '2024-02-29', at: '2025-02-28T12:00:00.000Z', year: '2024-02-29', ends: '2025-03-01' },
    { start: '2024-02-29', at: '2028-02-29T00:00:00.000Z', year: '2028-02-29', ends: '2029-03-01' },
    { start: '2027-01-01', at: '2026-06-01T00:00:00.000Z', year: '2026-01-01', ends: '2027-01-01' },
  ])('contains $at from $year, for a contract of $start', ({ start, at, year, ends }) => {
    expect(contractYear(start, Date.parse(at))).toEqual({ yearStart: year, endsAtMs: Date.parse(ends) })
  })
})
