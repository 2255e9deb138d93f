/**
 * Cases that the models meet too seldom, or cannot see, each for one rule of the gate. A case returns what went wrong,
 * null when nothing did. directed-cases.model.test.ts runs them on the core as it is; mutations.model.test.ts on cores
 * with a rule broken, which the case must notice.
 *
 * In all of them "true" time is that of the observer, and the gate's own clock is what is handed in as `atMs`.
 */
import type { Lease } from '../../../src/gate/protocol/leases.ts'
import type * as CoreModule from './core.ts'
import { Meter } from './discrete-events.ts'
import { DurableStore } from './durable-store.ts'
import { NOON_MS, policyOf, requestOf } from './samples.ts'

type Core = typeof CoreModule
type Case = (core: Core) => string | null | Promise<string | null>

const T = NOON_MS
const HALF = () => 0.5
const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

function gateOf(core: Core, store: DurableStore, atMs: number) {
  const gate = new core.GateCore(store.open(), HALF, atMs)
  const sender = (sentAtMs: number) => ({ sentAtMs, isolate: 'isolate' })
  return {
    gate,
    /** Admits writes until one is refused; returns how many were admitted. */
    spendAll(atMs: number): number {
      let spent = 0
      while (gate.admitWrite(null, 'customers:write', sender(atMs), atMs).admitted) spent++
      return spent
    },
  }
}

/** A bucket, and beside it an observer's bucket on true time that everything spent is taken from. */
function watched(core: Core, ratePerSecond: number, burst: number) {
  const bucket = new core.Bucket({ ratePerSecond, burst }, 0)
  const meter = new Meter(ratePerSecond, burst)
  return {
    bucket,
    meter,
    /** Spends what there is, up to `permits`, at this true time. */
    spend(permits: number, trueMs: number): void {
      const spent = Math.min(permits, bucket.available)
      bucket.take(spent)
      for (let one = 0; one < spent; one++) meter.admit(trueMs)
    },
    violation: () => (meter.excess > 1e-6 ? `${meter.excess.toFixed(1)} permits too many` : null),
  }
}

/**
 * Returns what is wrong if the second request of an isolate gets more permits than the gate had refilled, else null.
 * The difference would be permits that never existed.
 */
function regainedOf(core: Core, times: { sentMs: number; atGateMs: number; arrivedMs: number; againMs: number }) {
  const { gate, spendAll } = gateOf(core, new DurableStore(), T)
  gate.setPolicy(policyOf({ ratePerSecond: 1_000, burst: 4_000 }), [], T)
  const state = new core.LeaseState('isolate')
  // Before the reply, so that the bucket is known to have been empty since.
  spendAll(T + times.atGateMs - 1)
  const request = core.nextRequest(state, T + times.sentMs, 0)
  core.absorb(state, gate.lease(request, T + times.atGateMs), T + times.sentMs, T + times.arrivedMs, 0)
  const again = gate.lease(core.nextRequest(state, T + times.againMs, 0), T + times.againMs) as Lease
  const refilled = times.againMs - times.atGateMs + 1
  return again.remaining > refilled ? `${again.remaining} permits where ${refilled} had refilled` : null
}

/**
 * Simulates a gate whose clock loses `lostMs` and an isolate that is late by `lateMs` and requests a lease every 200
 * ms. The gate restarts with a right clock and the policy changes, at each moment in turn: the wait must outlast the
 * lease.
 */
function waitAfterRestart(core: Core, { lateMs = 0, unheardMs = 0, lostMs = 0 }): string | null {
  const ENDS_MS = 1_000 - 50
  for (let restartMs = 9_000; restartMs < 15_000; restartMs += 100) {
    const store = new DurableStore()
    const { gate } = gateOf(core, store, T)
    gate.setPolicy(policyOf({}), [], T)
    const state = new core.LeaseState('isolate')
    let sentMs = 0
    for (let trueMs = 0; trueMs < restartMs; trueMs += 200) {
      const ownMs = T + trueMs - unheardMs - (trueMs > 0 ? lostMs : 0)
      const sentAtMs = T + trueMs - lateMs
      core.absorb(state, gate.lease(core.nextRequest(state, sentAtMs, 0), ownMs), sentAtMs, sentAtMs + 1, 0)
      sentMs = trueMs
    }
    const next = gateOf(core, store, T + restartMs).gate
    const { waitMs } = next.setPolicy(policyOf({ version: 2 }), [], T + restartMs)
    const livesMs = sentMs + ENDS_MS - restartMs
    if (waitMs < livesMs) return `a lease lives for ${livesMs} ms, and the change waits ${waitMs} ms`
  }
  return null
}

export const DIRECTED_CASES = {
  'a lease outlives no restart of a gate that lost time': (core) => waitAfterRestart(core, { lostMs: MINUTE_MS }),

  'nor does that of a lone isolate that is minutes late': (core) =>
    waitAfterRestart(core, { lateMs: 5 * MINUTE_MS, lostMs: MINUTE_MS }),

  'nor when the gate had lost a second before it heard that isolate': (core) =>
    waitAfterRestart(core, { lateMs: 5 * MINUTE_MS, unheardMs: 1_000, lostMs: MINUTE_MS }),

  /** The clock lost 900 ms in which the bucket was full all along. */
  'time that was lost while the bucket was full brings nothing'(core) {
    const { bucket, spend, violation } = watched(core, 100, 100)
    bucket.advance(100)
    bucket.regain(0, 1_000)
    spend(1_000, 1_000)
    return violation()
  },

  'two isolates that measured the same time bring it once'(core) {
    const { bucket, spend, violation } = watched(core, 100, 1_000)
    spend(1_000, 0)
    for (let isolate = 0; isolate < 2; isolate++) {
      bucket.advance(0)
      bucket.regain(0, 1_000)
    }
    spend(1_000, 1_000)
    return violation()
  },

  /** Spent after that at 1.99 s, so at 2 s hardly anything has refilled, whatever the window says. */
  'the bucket was full at the moment up to which lost time came back'(core) {
    const { bucket, spend, violation } = watched(core, 100, 100)
    spend(100, 0)
    bucket.advance(0)
    bucket.regain(0, 1_000)
    spend(50, 1_990)
    bucket.advance(0)
    bucket.regain(1_000, 1_000)
    spend(100, 2_000)
    return violation()
  },

  /** At 990 ms the rate rises from 10 to 1,000; the clock has stood still from the reply to the end. */
  'a duration that began before a change of the limits brings nothing'(core) {
    const { bucket, meter, spend, violation } = watched(core, 10, 100)
    spend(100, 0)
    bucket.advance(0)
    bucket.setLimits({ ratePerSecond: 1_000, burst: 100 }, 0)
    meter.change(1_000, 100, 0, 990)
    bucket.advance(0)
    bucket.regain(0, 1_000)
    spend(100, 1_000)
    return violation()
  },

  /** The gate's clock stands still, so the grant outlives the change by far. */
  'what was granted before the limits were lowered is not granted again'(core) {
    const { bucket, meter, spend, violation } = watched(core, 100, 200)
    bucket.grant(1, 150, 1_000, 0)
    bucket.setLimits({ ratePerSecond: 10, burst: 20 }, 0)
    meter.change(10, 20, 1_050, 0)
    bucket.advance(0)
    spend(20, 1_600)
    bucket.report(1, 0, 150)
    spend(150, 1_600)
    return violation()
  },

  'a report that arrives twice counts once'(core) {
    const bucket = new core.Bucket({ ratePerSecond: 1, burst: 100 }, 0)
    bucket.grant(1, 50, 1_000, 0)
    bucket.report(1, 20, 0)
    bucket.report(1, 20, 0)
    return bucket.outstanding < 30 ? `30 permits can be spent, the gate knows of ${bucket.outstanding}` : null
  },

  'time is measured from the arrival of a reply': (core) =>
    regainedOf(core, { sentMs: 0, atGateMs: 900, arrivedMs: 901, againMs: 1_900 }),

  'a clock that read late when the reply arrived has measured too much': (core) =>
    regainedOf(core, { sentMs: 0, atGateMs: 10, arrivedMs: 20 - 40, againMs: 500 }),

  'after an idle time a bucket has refilled since the horizon, not longer'(core) {
    const store = new DurableStore()
    const before = gateOf(core, store, T)
    before.gate.setPolicy(policyOf({ ratePerSecond: 100, burst: 1_000 }), [], T)
    before.gate.lease(requestOf({ sentAtMs: T, want: 0, waiting: 0 }), T)
    const horizonMs = store.stored.state?.horizonMs ?? 0
    // The last moment at which spending does not store a new horizon.
    before.spendAll(horizonMs - 1_000)
    const spent = gateOf(core, store, horizonMs + 2_200).spendAll(horizonMs + 2_200)
    return spent > 320 ? `${spent} permits, 3.2 s after all were spent` : null
  },

  /** An isolate whose clock is two minutes ahead begins the new year; after a restart no clock is ahead. */
  'a year that a clock began too early loses nothing'(core) {
    const store = new DurableStore()
    const newYearMs = Date.UTC(2027, 0, 1)
    const before = gateOf(core, store, newYearMs - MINUTE_MS)
    before.gate.setPolicy(policyOf({ contractStart: '2026-01-01' }), [], newYearMs - MINUTE_MS)
    const ahead = { sentAtMs: newYearMs + MINUTE_MS, isolate: 'ahead' }
    for (let write = 0; write < 199; write++)
      before.gate.admitWrite(null, 'customers:write', ahead, newYearMs - MINUTE_MS)
    before.gate.setPolicy(policyOf({ version: 2, contractStart: '2026-01-01' }), [], newYearMs - MINUTE_MS)
    const { count, yearStart } = gateOf(core, store, newYearMs - MINUTE_MS / 2).gate.usage(newYearMs - MINUTE_MS / 2)
    return count === 199 ? null : `counted ${count} of 199 in the year from ${yearStart}`
  },

  'moving the start of a contract takes nothing out of the count'(core) {
    const { gate } = gateOf(core, new DurableStore(), T - DAY_MS)
    gate.setPolicy(policyOf(), [], T - DAY_MS)
    gate.admitWrite(null, 'customers:write', { sentAtMs: T - DAY_MS, isolate: null }, T - DAY_MS)
    gate.setPolicy(policyOf({ version: 2, contractStart: new Date(T).toISOString().slice(0, 10) }), [], T)
    const { count, yearStart } = gate.usage(T)
    return count === 1 ? null : `counted ${count} of 1 from ${yearStart}`
  },

  /** The clock is a second late when a lease is given, and right when the policy changes. */
  'a change waits for a lease that only seems to have ended'(core) {
    const { gate } = gateOf(core, new DurableStore(), T - 5_000)
    gate.setPolicy(policyOf({}), [], T - 5_000)
    gate.lease(requestOf({ sentAtMs: T }), T - 1_000)
    const { waitMs } = gate.setPolicy(policyOf({ version: 2 }), [], T + 50)
    const { strongInMs } = gate.beginWrite({ tags: [], deadlineMs: T, tickets: [] }, T + 50)
    const waits = Math.min(waitMs, strongInMs)
    return waits < 900 ? `${waits} ms where a lease lives for 900` : null
  },

  /** The gate's clock is ahead of D1's by more than the deadline and its grace. */
  'a write is given up by the time of D1’s answer'(core) {
    const { gate } = gateOf(core, new DurableStore(), T)
    gate.setPolicy(policyOf({}), [], T)
    const { seq } = gate.beginWrite({ tags: [], deadlineMs: T + 10_000, tickets: [] }, T)
    gate.usage(T + 20_000)
    return gate.isDecided(seq, T + 9_000) ? 'given up while D1 may still commit it' : null
  },

  /** Two writes: the one that is settled last was committed first. */
  'the bookmark of a lease covers every settled write'(core) {
    const { gate } = gateOf(core, new DurableStore(), T)
    gate.setPolicy(policyOf({}), [], T)
    const intent = { tags: [], deadlineMs: T, tickets: [] }
    const [first, second] = [gate.beginWrite(intent, T), gate.beginWrite(intent, T)]
    gate.settleWrite(first.seq, 'b9')
    gate.settleWrite(second.seq, 'b5')
    const { freshness } = gate.lease(requestOf({ sentAtMs: T }), T) as Lease
    return freshness.bookmark === 'b9' ? null : `${freshness.bookmark}, and b9 is later`
  },

  /** Commits the first of two batches under way at once last. The third prunes it from a log of one row; then a restart. */
  'the bookmark of a pruned write outlives a restart'(core) {
    for (const isInOrder of [true, false]) {
      const store = new DurableStore()
      const { gate } = gateOf(core, store, T)
      gate.setPolicy(policyOf({}), [], T)
      const intent = { tags: [], deadlineMs: T, tickets: [] }
      const [first, second] = [gate.beginWrite(intent, T), gate.beginWrite(intent, T)]
      if (isInOrder) gate.settleWrite(first.seq, 'b2')
      gate.settleWrite(second.seq, 'b1')
      if (!isInOrder) gate.settleWrite(first.seq, 'b2')
      gate.beginWrite(intent, T)
      const { freshness } = gateOf(core, store, T).gate.lease(requestOf({ sentAtMs: T }), T) as Lease
      if (freshness.bookmark !== 'b2') return `${freshness.bookmark}, and a write was committed at b2`
    }
    return null
  },

  /** More than the log keeps are settled behind it, and then the gate starts again. */
  'a write under way stays under way, however many follow it'(core) {
    const store = new DurableStore()
    const { gate } = gateOf(core, store, T)
    gate.setPolicy(policyOf({}), [], T)
    const intent = { tags: [], deadlineMs: T, tickets: [] }
    gate.beginWrite({ ...intent, tags: ['x'] }, T)
    for (let write = 0; write < 2_400; write++) gate.settleWrite(gate.beginWrite(intent, T).seq, 'b1')
    const { freshness } = gateOf(core, store, T).gate.lease(requestOf({ sentAtMs: T }), T) as Lease
    const [bucket] = core.bucketsOf(['x'])
    return freshness.pending.includes(bucket as number) ? null : 'the gate that starts next knows nothing of it'
  },

  /** The replica that was read early has all settled writes, but not the write that is still under way. */
  async 'an early read does not count while a write is under way'(core) {
    const { gate } = gateOf(core, new DurableStore(), T)
    gate.setPolicy(policyOf({}), [], T)
    const intent = { tags: ['x'], deadlineMs: T, tickets: [] }
    gate.settleWrite(gate.beginWrite(intent, T).seq, 'b1')
    gate.beginWrite(intent, T)
    const state = new core.LeaseState('isolate')
    core.absorb(state, gate.lease(core.nextRequest(state, T, 1), T), T, T + 10, 0)
    const { value } = await core.readFresh<string>(
      {
        databaseHint: () => 0,
        memory: () => undefined,
        kv: async () => null,
        soon: (kv) => kv,
        lease: async () => state.view,
        d1: async ({ start }) => ({ value: start === 'primary' ? 'new' : 'old', bookmark: 'b1' }),
      },
      core.bucketsOf(['x']),
      null,
    )
    return value === 'new' ? null : 'a replica answered for a write that is under way'
  },

  /**
   * The replica that was read early has all that the lease stands for, and not the write that the caller has just made.
   */
  async 'an early read does not count for a token whose write it has not seen'(core) {
    const { gate } = gateOf(core, new DurableStore(), T)
    gate.setPolicy(policyOf({}), [], T)
    const intent = { tags: ['x'], deadlineMs: T, tickets: [] }
    gate.settleWrite(gate.beginWrite(intent, T).seq, 'b1')
    const state = new core.LeaseState('isolate')
    core.absorb(state, gate.lease(core.nextRequest(state, T, 1), T), T, T + 10, 0)
    const { seq } = gate.beginWrite(intent, T + 20)
    gate.settleWrite(seq, 'b2')
    const { value } = await core.readFresh<string>(
      {
        databaseHint: () => 0,
        memory: () => undefined,
        kv: async () => null,
        soon: (kv) => kv,
        lease: async () => state.view,
        d1: async ({ start }) =>
          start === 'anywhere' ? { value: 'old', bookmark: 'b1' } : { value: 'new', bookmark: 'b2' },
      },
      core.bucketsOf(['x']),
      { seq, bookmark: 'b2' },
    )
    return value === 'new' ? null : 'a replica answered that had not reached the bookmark of the token'
  },

  /** The tenant has moved, and an isolate that has no lease yet begins to read where its id says. */
  async 'an early read counts only in the database that the lease names'(core) {
    const { gate } = gateOf(core, new DurableStore(), T)
    gate.setPolicy(policyOf({ database: 2 }), [], T)
    const intent = { tags: ['x'], deadlineMs: T, tickets: [] }
    gate.settleWrite(gate.beginWrite(intent, T).seq, 'b1')
    const state = new core.LeaseState('isolate')
    core.absorb(state, gate.lease(core.nextRequest(state, T, 1), T), T, T + 10, 0)
    const { value } = await core.readFresh<string>(
      {
        databaseHint: () => 1,
        memory: () => undefined,
        kv: async () => null,
        soon: (kv) => kv,
        lease: async () => state.view,
        d1: async ({ database }) => ({ value: database === 2 ? 'new' : 'old', bookmark: 'b9' }),
      },
      core.bucketsOf(['x']),
      null,
    )
    return value === 'new' ? null : 'the database that the tenant had left was read'
  },

  'no bookmark of the database before is left after a move'(core) {
    const { gate } = gateOf(core, new DurableStore(), T)
    gate.setPolicy(policyOf({}), [], T)
    const intent = { tags: ['x'], deadlineMs: T, tickets: [] }
    const { seq } = gate.beginWrite(intent, T)
    gate.settleWrite(seq, 'b1')
    gate.setPolicy(policyOf({ version: 2, database: 1 }), [], T)
    const reply = gate.lease(core.nextRequest(new core.LeaseState('isolate'), T, 1), T)
    const isAnew = reply.kind === 'lease' && reply.freshness.bookmark === null && reply.freshness.floor > seq
    return isAnew ? null : 'values and bookmarks of the database before count in the new one'
  },

  'a write after a move waits until no older lease is alive'(core) {
    const { gate } = gateOf(core, new DurableStore(), T)
    gate.setPolicy(policyOf({}), [], T)
    gate.lease(core.nextRequest(new core.LeaseState('isolate'), T, 1), T)
    const { waitMs } = gate.setPolicy(policyOf({ version: 2, database: 1 }), [], T + 10)
    const waits = [gate.writesOpenInMs(T + 10), gate.writesOpenInMs(T + 10 + waitMs)]
    return waits[0] === waitMs && waits[1] === 0
      ? null
      : `writes wait for ${waits[0]} and ${waits[1]} ms, not ${waitMs} and 0`
  },

  'a write after a move waits until no older lease is alive, after a restart too'(core) {
    const store = new DurableStore()
    const { gate } = gateOf(core, store, T)
    gate.setPolicy(policyOf({}), [], T)
    gate.lease(core.nextRequest(new core.LeaseState('isolate'), T, 1), T)
    gate.notePolicyLoaded(1, T + 10)
    gate.setPolicy(policyOf({ version: 2, database: 1 }), [], T + 10)
    const { gate: restarted } = gateOf(core, store, T + 20)
    return restarted.writesOpenInMs(T + 20) >= 1_000 ? null : 'a gate that has restarted does not wait for older leases'
  },

  /** Ten minutes back: by its own numbers the lease would live for ten minutes more. */
  'a lease ends when the clock goes back'(core) {
    const { gate } = gateOf(core, new DurableStore(), T)
    gate.setPolicy(policyOf({}), [], T)
    const state = new core.LeaseState('isolate')
    core.absorb(state, gate.lease(core.nextRequest(state, T, 1), T), T, T + 10, 0)
    const before = core.admit(state, T + 20, null)
    const after = core.admit(state, T - 10 * MINUTE_MS, null)
    return before === 'admitted' && after === 'needs_lease' ? null : `${before}, then ${after}`
  },

  /** 400 ms back while the ask is under way, and the reply takes longer than that: no reading is behind the sending. */
  'a lease that was asked for before the clock went back is not used'(core) {
    const { gate } = gateOf(core, new DurableStore(), T)
    gate.setPolicy(policyOf({}), [], T)
    const state = new core.LeaseState('isolate')
    const reply = gate.lease(core.nextRequest(state, T, 1), T)
    core.admit(state, T - 390, null)
    core.absorb(state, reply, T, T + 100, 0)
    const sentAtMs = T - 400
    const livesMs = state.leasedUntilMs - sentAtMs
    return livesMs > 1_000 ? `a lease lives for ${livesMs} ms` : null
  },
} satisfies Record<string, Case>

export type DirectedCase = keyof typeof DIRECTED_CASES
