import { beforeEach, describe, expect, it } from 'vitest'
import { bucketOf, LIST_TAG } from '../../../src/gate/core/freshness.ts'
import { GateCore } from '../../../src/gate/core/gate-core.ts'
import {
  CLOCK_SLACK_MS,
  HORIZON_AHEAD_MS,
  INTENT_GRACE_MS,
  WRITE_LOG_ROWS,
} from '../../../src/gate/protocol/constants.ts'
import type { Lease, LeaseRequest, Policy } from '../../../src/gate/protocol/leases.ts'
import { DurableStore, Replaced } from './durable-store.ts'
import { keyOf, NOON_MS, policyOf, requestOf } from './samples.ts'

let store: DurableStore
let gate: GateCore
const T = NOON_MS

const start = (atMs: number) => new GateCore(store.open(), () => 0.5, atMs)
const lease = (atMs: number, changed: Partial<LeaseRequest> = {}) =>
  gate.lease(requestOf({ sentAtMs: atMs, ...changed }), atMs) as Lease
const admitWrite = (credential: string | null, scope: string, atMs: number) =>
  gate.admitWrite(credential, scope, { sentAtMs: atMs, isolate: 'isolate' }, atMs)
/** The gate restarts as it does in production: with nothing but its storage. */
const restart = (atMs: number) => {
  gate = start(atMs)
}
const setPolicy = (changed: Partial<Policy>, atMs: number) =>
  gate.setPolicy(policyOf(changed), [keyOf('a'), keyOf('b')], atMs)
const write = (atMs: number, tickets: number[] = []) =>
  gate.beginWrite({ tags: ['c1'], deadlineMs: atMs + 1_000, tickets }, atMs)

beforeEach(() => {
  store = new DurableStore()
  gate = start(T)
  setPolicy({}, T)
})

describe('leases', () => {
  it('are plain data that survives the wire', () => {
    const given = lease(T, { credentials: ['a'] })
    expect(JSON.parse(JSON.stringify(given))).toEqual(given)
    expect(structuredClone(given)).toEqual(given)
  })

  it('bring what was asked, the policy, and the verdicts on the keys asked for', () => {
    expect(lease(T, { want: 30, waiting: 1, credentials: ['a', 'x'] })).toMatchObject({
      kind: 'lease',
      policy: { version: 1, ratePerSecond: 200 },
      refusal: null,
      saturated: false,
      verdicts: {
        a: { known: true, keyId: 'key-a', scopes: ['customers:read'], expiresInMs: null },
        x: { known: false },
      },
    })
    expect(lease(T, { recent: ['a'], seenVersion: 1 }).verdicts).toEqual({})
    expect(lease(T, { recent: ['a'], seenVersion: 0 }).verdicts).toHaveProperty('a')
  })

  it('give a calm tenant something to spare, for longer', () => {
    const calm = lease(T, { want: 1, waiting: 1 })
    expect(calm.grant).toEqual({ permits: 17, ttlMs: 950 })
    expect(calm.remaining).toBe(383)
  })

  it('give nothing to an isolate that wants nothing, and let it ask for permits at once', () => {
    expect(lease(T, { want: 0, waiting: 0, counted: 0 })).toMatchObject({ grant: null, backoffMs: 0, remaining: 400 })
  })

  it('give a busy tenant only what it asked for, and never more than there is', () => {
    expect(lease(T, { want: 300, counted: 200 }).grant?.permits).toBe(300)
    const rest = lease(T, { want: 300, counted: 100 })
    expect(rest.grant?.permits).toBeLessThanOrEqual(100)
    expect(lease(T, { want: 300 }).grant?.permits ?? 0).toBeLessThanOrEqual(100)
  })

  it('tell a saturated isolate to refuse by itself, and its share', () => {
    lease(T, { want: 400, counted: 400 })
    const given = lease(T + 10, { want: 100, counted: 400 })
    expect(given.saturated).toBe(true)
    expect(given.fraction).toBeCloseTo(0.25, 1)
    expect(given.backoffMs).toBeGreaterThan(0)
  })

  it('say that a key has expired, and how long one is still good', () => {
    const keys = [keyOf('a', { expiresAtMs: T + 500 }), keyOf('b')]
    gate.setPolicy(policyOf({ version: 2 }), keys, T)
    expect(lease(T + 100, { credentials: ['a'] }).verdicts.a).toMatchObject({ known: true, expiresInMs: 400 })
    expect(lease(T + 500, { credentials: ['a'] }).verdicts.a).toEqual({ known: false })
  })

  it('grants no permit to a suspended tenant', () => {
    setPolicy({ version: 2, status: 'suspended' }, T)
    expect(lease(T)).toMatchObject({ grant: null, refusal: 'suspended', policy: { status: 'suspended' } })
  })

  it('are not given before there is a policy, and none to another version of the protocol', () => {
    const empty = new GateCore(new DurableStore().open(), () => 0.5, T)
    expect(empty.policy).toBeNull()
    expect(empty.lease(requestOf(), T)).toMatchObject({ kind: 'busy' })
    expect(lease(T, { v: 2 })).toEqual({ v: 1, kind: 'other_version', asked: 2 })
    expect(lease(T, { v: 0 })).toMatchObject({ kind: 'other_version' })
  })

  it('are put off when far too many ask, while reports are still taken', () => {
    const first = lease(T, { want: 100, waiting: 100, counted: 100 })
    let busy = 0
    for (let ask = 0; ask < 1_500; ask++)
      busy += Number(lease(T + 1, { counted: 0, want: 0, waiting: 0 }).kind === ('busy' as string))
    expect(busy).toBeGreaterThan(600)
    const reports = [{ epoch: first.epoch, ordinal: first.ordinal, spent: 0, unspent: 100 }]
    expect(gate.lease(requestOf({ reports }), T + 1)).toMatchObject({ kind: 'busy', backoffMs: 625 })
    expect(lease(T + 5_000).remaining).toBeGreaterThan(350)
  })
})

describe('a change of policy', () => {
  it('is in force at once when the tenant is idle', () => {
    expect(setPolicy({ version: 2 }, T + 1_000).waitMs).toBe(0)
    lease(T + 2_000)
    expect(setPolicy({ version: 3 }, T + 5_000).waitMs).toBe(0)
  })

  it('waits for the leases under older versions, and for none under its own', () => {
    lease(T)
    expect(setPolicy({ version: 2 }, T + 400).waitMs).toBe(1_050)
    lease(T + 500)
    expect(setPolicy({ version: 2 }, T + 2_999).waitMs, 'asked again').toBe(1_050)
    expect(setPolicy({ version: 2 }, T + 3_000).waitMs, 'the last older one was given at T').toBe(0)
    expect(setPolicy({ version: 3 }, T + 3_000).waitMs).toBe(1_050)
  })

  it('waits for the leases of a gate that was replaced', () => {
    lease(T)
    restart(T + 100)
    expect(setPolicy({ version: 2 }, T + 200).waitMs).toBe(1_050)
    restart(T + 300)
    expect(setPolicy({ version: 2 }, T + 300).waitMs, 'asked again of the next gate').toBe(1_050)
  })

  it('is ignored when it is older than what is in force', () => {
    setPolicy({ version: 5, ratePerSecond: 7 }, T)
    setPolicy({ version: 4, ratePerSecond: 9 }, T)
    expect(gate.policy).toMatchObject({ version: 5, ratePerSecond: 7 })
    restart(T + 10_000)
    expect(gate.policy).toMatchObject({ version: 5, ratePerSecond: 7 })
  })
})

describe('a restart', () => {
  it('grants nothing until every permit given before has expired', () => {
    lease(T, { want: 400, waiting: 400 })
    restart(T + 100)
    expect(lease(T + 200).grant).toBeNull()
    expect(lease(T + 1_099).grant).toBeNull()
    const later = lease(T + 1_600, { want: 400, waiting: 400 })
    expect(later.grant?.permits).toBe(100)
  })

  it('costs nothing when the gate had been idle', () => {
    lease(T, { want: 400, waiting: 400 })
    restart(T + HORIZON_AHEAD_MS + CLOCK_SLACK_MS + 2_000)
    expect(lease(T + HORIZON_AHEAD_MS + CLOCK_SLACK_MS + 2_000).remaining).toBeGreaterThan(380)
  })

  it('begins a newer epoch, and reports of older ones change nothing', () => {
    const before = lease(T, { want: 100, waiting: 100 })
    restart(T + 100)
    const reports = [{ epoch: before.epoch, ordinal: 1, spent: 0, unspent: 100 }]
    const after = lease(T + 200, { reports })
    expect(after.epoch).toBeGreaterThan(before.epoch)
    expect(after.grant).toBeNull()
  })

  it('with nothing left of its storage is still newer to isolates, and its numbers higher', () => {
    const before = lease(T)
    store = new DurableStore()
    restart(T + 1)
    setPolicy({}, T + 1)
    const after = lease(T + 1)
    expect(after.epoch).toBeGreaterThan(before.epoch)
    expect(after.freshness.floor).toBeGreaterThanOrEqual(before.freshness.stable)
  })
})

describe('storage', () => {
  it('is written about once in five seconds, however many ask', () => {
    const before = store.stateRows
    for (let atMs = 0; atMs < 60_000; atMs += 20) lease(T + atMs)
    expect(store.stateRows - before).toBeLessThanOrEqual(12)
    expect(store.stateRows - before).toBeGreaterThanOrEqual(11)
  })

  it('always reaches further than the leases that were given', () => {
    for (let atMs = 0; atMs < 20_000; atMs += 333) {
      lease(T + atMs)
      expect(store.stored.state?.horizonMs).toBeGreaterThanOrEqual(T + atMs + 1_000)
    }
  })

  it('keeps one row a batch, which says that all before it are settled, and no more than the log may have', () => {
    for (let batch = 0; batch < WRITE_LOG_ROWS + 1_000; batch++) gate.settleWrite(write(T).seq, 'b')
    const { writes, stable } = store.stored
    expect(writes.length).toBeLessThan(WRITE_LOG_ROWS + 300)
    expect(writes.every((row) => row.stable === row.seq - 1)).toBe(true)
    expect(stable).toBeNull()
  })

  it('stores what is settled on demand, and once', () => {
    const { seq } = write(T)
    gate.saveStable()
    expect(store.stored.stable).toBeNull()
    gate.settleWrite(seq, 'b')
    gate.saveStable()
    expect(store.stored.stable).toEqual({ seq, bookmark: 'b' })
    store.stored.stable = null
    gate.saveStable()
    expect(store.stored.stable).toBeNull()
  })
})

describe('a write', () => {
  const admission = (credential: string | null, scope = 'customers:write') => admitWrite(credential, scope, T)

  it('takes its permit from the bucket, and is refused for what a request is refused for', () => {
    const keys = [keyOf('w', { scopes: ['customers:write'] }), keyOf('r')]
    gate.setPolicy(policyOf({ version: 2, ratePerSecond: 1, burst: 2 }), keys, T)
    expect(admission('nobody')).toMatchObject({ admitted: false, reason: 'unknown_key' })
    expect(admission('r')).toMatchObject({ admitted: false, reason: 'missing_scope', remaining: 2 })
    expect(admission('w')).toMatchObject({ admitted: true, verdict: { keyId: 'key-w' }, remaining: 1 })
    expect(admission(null)).toMatchObject({ admitted: true, verdict: null, remaining: 0 })
    expect(admission('w')).toMatchObject({ admitted: false, reason: 'rate_limited', retryAfterMs: 1_000 })
    gate.setPolicy(policyOf({ version: 3, status: 'suspended' }), keys, T)
    expect(admission('w')).toMatchObject({ admitted: false, reason: 'suspended' })
    expect(gate.usage(T).days['2026-06-01']).toEqual({ admitted: 2, limited: 1 })
  })

  it('appears in leases as under way, then as settled', () => {
    const before = lease(T).freshness
    const { seq } = write(T)
    expect(seq).toBe(before.seq + 1)
    expect(lease(T, { seenSeq: before.seq }).freshness).toEqual({
      seq,
      stable: before.stable,
      floor: before.floor,
      bookmark: null,
      since: before.seq,
      changes: [bucketOf(LIST_TAG), seq, bucketOf('c1'), seq],
      pending: [bucketOf(LIST_TAG), bucketOf('c1')],
    })
    gate.settleWrite(seq, 'bookmark')
    expect(lease(T, { seenSeq: seq }).freshness).toMatchObject({
      stable: seq,
      bookmark: 'bookmark',
      changes: [],
      pending: [],
    })
  })

  it('is strong on request once no older lease lives', () => {
    expect(write(T).strongInMs).toBe(0)
    lease(T)
    expect(write(T + 300).strongInMs).toBe(1_050)
    restart(T + 400)
    expect(write(T + 400).strongInMs).toBe(1_050)
  })

  it('is overdue after its deadline if no result arrived, also for the next gate', () => {
    const { seq } = write(T)
    expect(gate.nextLookMs(T)).toBe(T + 1_000 + INTENT_GRACE_MS)
    expect(gate.overdueIntents(T + 1_000 + INTENT_GRACE_MS - 1)).toEqual([])
    restart(T + 500)
    expect(gate.overdueIntents(T + 1_000 + INTENT_GRACE_MS)).toMatchObject([{ seq }])
    gate.settleWrite(seq, 'looked up at')
    expect(gate.nextLookMs(T)).toBeNull()
    expect(lease(T + 4_000).freshness).toMatchObject({ stable: seq, bookmark: 'looked up at' })
  })

  it('cannot begin if its gate was replaced, and is settled in the memory of that gate alone', () => {
    const ghost = gate
    const { seq } = write(T)
    restart(T + 10)
    ghost.settleWrite(seq, 'b')
    expect(lease(T + 10).freshness).toMatchObject({ stable: seq - 1, bookmark: null })
    expect(() => ghost.saveStable()).toThrow(Replaced)
    expect(() => ghost.beginWrite({ tags: [], deadlineMs: T, tickets: [] }, T)).toThrow(Replaced)
  })
})

describe('the annual limit', () => {
  it('is never granted past, and is there again for what comes back', () => {
    setPolicy({ version: 2, annualLimit: 50 }, T)
    const first = lease(T, { want: 40, waiting: 40 })
    expect(first.grant?.permits).toBeLessThanOrEqual(50)
    const all = lease(T, { want: 300, waiting: 300, tally: { ...requestOf().tally, id: 'other' } })
    expect((first.grant?.permits ?? 0) + (all.grant?.permits ?? 0)).toBeLessThanOrEqual(50)
    expect(lease(T, { tally: { ...requestOf().tally, id: 'third' } })).toMatchObject({
      grant: null,
      refusal: 'annual_limit',
    })
    expect(admitWrite(null, 'customers:write', T)).toMatchObject({ reason: 'annual_limit' })
    lease(T + 2_000, {
      tally: { ...requestOf().tally, admitted: 5, lastLeaseEpoch: first.epoch, lastLeaseOrdinal: first.ordinal },
    })
    expect(gate.usage(T + 2_000).count).toBe(5)
    expect(lease(T + 2_000, { tally: { ...requestOf().tally, id: 'third' } }).grant).not.toBeNull()
  })

  it('starts again with the contract year', () => {
    setPolicy({ version: 2, annualLimit: 1, contractStart: '2025-06-02' }, T)
    admitWrite(null, 'customers:write', T)
    expect(admitWrite(null, 'customers:write', T)).toMatchObject({ reason: 'annual_limit' })
    const newYearMs = Date.UTC(2026, 5, 2)
    expect(admitWrite(null, 'customers:write', newYearMs)).toMatchObject({ admitted: true })
    expect(gate.usage(newYearMs)).toMatchObject({ yearStart: '2026-06-02', count: 1 })
  })

  it('counts a write once, whenever the gate restarts', () => {
    const admit = () => admitWrite(null, 'customers:write', T) as { ticket: number }
    const saved = admit()
    lease(T)
    const unsaved = admit()
    write(T, [saved.ticket, unsaved.ticket])
    restart(T + 1)
    expect(gate.usage(T + 1).count).toBe(2)
    restart(T + 2)
    expect(gate.usage(T + 2).count).toBe(2)
  })

  it('counts a write once when D1 is set back, and the gate restarts then', () => {
    const admit = () => admitWrite(null, 'customers:write', T) as { ticket: number }
    gate.notePolicyLoaded(1, T)
    lease(T)
    gate.settleWrite(write(T, [admit().ticket]).seq, 'bookmark')
    write(T, [admit().ticket])
    gate.notePolicyLoaded(2, T)
    expect(gate.usage(T).count).toBe(2)
    restart(T + 1)
    expect([gate.usage(T + 1).count, gate.loaded]).toEqual([2, { dataEpoch: 2, atMs: T }])
    expect(lease(T + 1).freshness).toMatchObject({ bookmark: null, pending: [0, bucketOf('c1')] })
  })
})
