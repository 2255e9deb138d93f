/**
 * Tests the results of a write when D1 breaks off, and the check of policy and key at the time of the commit: the
 * gate's writer over the gate's core, with a D1 that fails as real ones do.
 */
import { beforeEach, describe, expect, it } from 'vitest'
import { bucketsOf, LIST_TAG } from '../../../src/gate/core/freshness.ts'
import { GateCore } from '../../../src/gate/core/gate-core.ts'
import { NO_TENANT } from '../../../src/gate/core/no-tenant.ts'
import type { GateDeps, LoggedChange } from '../../../src/gate/object/deps.ts'
import { IntentWatch } from '../../../src/gate/object/intent-watch.ts'
import { GateWriter } from '../../../src/gate/object/writer.ts'
import { INTENT_GRACE_MS, WRITE_DEADLINE_MS } from '../../../src/gate/protocol/constants.ts'
import type {
  CommitResult,
  PreparedCommand,
  PreparedWrite,
  SingleCommand,
  WriteStore,
} from '../../../src/gate/protocol/write-store.ts'
import type { WriteRequest } from '../../../src/gate/protocol/writes.ts'
import type { Customer } from '../../../src/registry/customer.ts'
import type { MergePlan } from '../../../src/registry/merge.ts'
import type { Command } from '../../../src/registry/ports.ts'
import type { UnmergePlan } from '../../../src/registry/unmerge.ts'
import { DurableStore } from './durable-store.ts'
import { keyOf, NOON_MS, policyOf, requestOf } from './samples.ts'

const SCOPE = { tenantId: 'tenant', mode: 'live' } as const
const OVERLOADED = new Error('overloaded')
const FULL = new Error('Exceeded maximum DB size')
const LOST = new Error('Network connection lost')

const CLOCK = { sentAtMs: NOON_MS, isolate: 'isolate' }

let nowMs: number
let store: DurableStore
let core: GateCore
let enqueued: string[]
/** The changes of each line in the log. */
let logged: LoggedChange[][]
let hasSubscribers: boolean
let intents: IntentWatch
let writer: GateWriter
let alarms: number[]
/** The milliseconds by which D1's clock is ahead of the gate's. */
let d1AheadMs: number
/** The times of the ids that were made. */
let idTimes: number[]
let slept: number
let calls: string[]
/** The next behaviour of D1. */
let d1: Pick<WriteStore, 'commitWrites' | 'findCommitted'>
let lookUp: (command: Command) => ReturnType<WriteStore['resolveTarget']>

type Made = Extract<CommitResult, { ok: true }>

function made(id: string): Made {
  return { ok: true, customer: { id } as Customer, effect: 'updated', changeId: `evt of ${id}` }
}

/** Returns the result of a look-up now. */
function found(bookmark: string, ...changes: [string, Made][]) {
  return { found: new Map(changes), bookmark, d1Ms: nowMs + d1AheadMs }
}

function request(id: string, changed: Partial<WriteRequest> = {}): WriteRequest {
  const command = { kind: 'update', target: { id }, changes: {}, ifVersion: null } as const
  return {
    command,
    credential: 'a',
    caller: null,
    requestId: 'r',
    reason: null,
    idempotency: null,
    ...CLOCK,
    ...changed,
  }
}

beforeEach(() => {
  enqueued = []
  logged = []
  hasSubscribers = false
  nowMs = NOON_MS
  slept = 0
  lookUp = async (command) => ({ ok: true, command: command as PreparedCommand })
  alarms = []
  d1AheadMs = 0
  idTimes = []
  calls = []
  store = new DurableStore()
  core = new GateCore(store.open(), () => 0.5, nowMs)
  core.setPolicy(policyOf({}), [{ ...keyOf('a'), scopes: ['customers:write'] }], nowMs)
  d1 = {
    commitWrites: async (_, writes) => ({
      results: writes.map(({ command }) => made('target' in command ? (command.target.id ?? '') : '')),
      hasSubscribers,
      bookmark: 'b1',
      d1Ms: nowMs + d1AheadMs,
    }),
    findCommitted: async () => found('b2'),
  }
  const writes: WriteStore = {
    resolveTarget: (_, command) => lookUp(command),
    tryOut: async () => {
      calls.push('try out')
      return made('survivor')
    },
    isFull: (error) => error === FULL,
    neverBegan: (error) => error === OVERLOADED,
    isMoving: () => false,
    commitWrites: (scope, prepared) => {
      calls.push(`commit ${prepared.length}`)
      return d1.commitWrites(scope, prepared)
    },
    findCommitted: (scope, changeIds) => {
      calls.push('find')
      return d1.findCommitted(scope, changeIds)
    },
  }
  let ids = 0
  const deps = {
    clock: () => nowMs,
    newId: (_: string, atMs: number) => {
      idTimes.push(atMs)
      return `evt_${ids++}`
    },
    sleep: async (ms: number) => {
      slept += ms
      nowMs += ms
    },
    writes,
    enqueueDeliveries: async (_: unknown, customerIds: string[]) => void enqueued.push(...customerIds),
    onChanges: (_: unknown, changes: LoggedChange[]) => void logged.push(changes),
    onStorageFailure: () => ({ reason: 'unavailable', retryAfterMs: 1_000 }),
  } as unknown as GateDeps
  intents = new IntentWatch(SCOPE, core, deps, async (atMs) => void alarms.push(atMs))
  writer = new GateWriter(SCOPE, core, deps, intents)
})

describe('a change that was committed', () => {
  it('enqueues deliveries if there may be subscribers, and only then', async () => {
    await writer.write(request('c1'))
    expect(enqueued).toEqual([])
    hasSubscribers = true
    await writer.write(request('c2'))
    expect(enqueued).toEqual(['c2'])
  })
})

describe('the customer in a reply', () => {
  const asofOf = async (reply: ReturnType<GateWriter['write']>) => (await reply) as { asof?: number; seq?: number }

  it('shows every write up to its own, if no other one is under way', async () => {
    const { asof, seq } = await asofOf(writer.write(request('c1')))
    expect(seq).toBeGreaterThan(0)
    expect(asof).toBe(seq)
  })

  it('may lack a change of the same batch', async () => {
    const all = await Promise.all(['c1', 'c2', 'c3', 'c2'].map((id) => asofOf(writer.write(request(id)))))
    // The first one is committed alone, and the others wait for it.
    expect(all.map(({ asof, seq }) => asof === seq)).toEqual([true, false, true, false])
    expect(all.map(({ asof }) => asof === undefined)).toEqual([false, true, false, true])
  })

  it('may lack a write that is under way', async () => {
    core.beginWrite({ tags: ['c1'], deadlineMs: nowMs + 10_000, tickets: [] }, nowMs)
    expect(await asofOf(writer.write(request('c1')))).not.toHaveProperty('asof')
  })

  it('may be old if it is that of an earlier request', async () => {
    d1.commitWrites = async () => ({
      results: [{ ...made('c1'), replayed: true }],
      hasSubscribers,
      bookmark: 'b1',
      d1Ms: nowMs,
    })
    expect(await asofOf(writer.write(request('c1')))).not.toHaveProperty('asof')
  })
})

describe('the log', () => {
  it('has one line for a batch, with who changed what by which request', async () => {
    const first = writer.write(request('c1', { requestId: 'r1' }))
    await Promise.all([first, ...['c2', 'c3'].map((id) => writer.write(request(id, { requestId: `r for ${id}` })))])
    const change = { effect: 'updated', actor: 'key-a' }
    expect(logged).toEqual([
      [{ ...change, requestId: 'r1', customerId: 'c1' }],
      ['c2', 'c3'].map((id) => ({ ...change, requestId: `r for ${id}`, customerId: id })),
    ])
  })

  it('has no change that was not made now: unchanged, repeated, refused, or one of many that has a line of its own', async () => {
    const results: CommitResult[] = [
      { ...made('c1'), effect: 'unchanged' },
      { ...made('c1'), replayed: true },
      { ok: false, failure: { reason: 'not_found', resource: 'customer' } },
    ]
    d1.commitWrites = async () => ({
      results: [results.shift() as CommitResult],
      hasSubscribers,
      bookmark: 'b',
      d1Ms: nowMs,
    })
    while (results.length > 0) await writer.write(request('c1'))
    d1.commitWrites = async () => ({ results: [made('c1')], hasSubscribers, bookmark: 'b', d1Ms: nowMs })
    const { command, ...sender } = request('c1')
    await writer.changeAll([command as SingleCommand], sender, 'key-a', [], {} as never)
    expect(logged).toEqual([])
  })

  it('has a change that was found after D1 broke off, once, however often it is found', async () => {
    const commit = d1.commitWrites
    d1.commitWrites = (scope, writes) => (writes.length > 1 ? Promise.reject(LOST) : commit(scope, writes))
    let looks = 0
    d1.findCommitted = async () => {
      const all = [1, 2, 3].map((at): [string, Made] => [`evt_${at + 1}`, made(`c${at}`)])
      return found('b7', ...all.slice(0, looks++ === 0 ? 1 : 3))
    }
    await writer.write(request('c0'))
    logged = []
    await Promise.all(['b', 'c1', 'c2', 'c3'].map((id) => writer.write(request(id))))
    expect(looks).toBeGreaterThan(1)
    expect(logged.flat().map(({ customerId }) => customerId)).toEqual(['b', 'c1', 'c2', 'c3'])
  })
})

describe('a change that names its customer by an external id', () => {
  const update = (externalId: string) =>
    ({ kind: 'update', target: { externalId }, changes: {}, ifVersion: null }) as const
  const upsert = { kind: 'upsert', id: 'new', externalId: 'a', changes: {}, ifVersion: null } as const
  let holder: string | null
  let lookUps: number

  beforeEach(() => {
    holder = 'c1'
    lookUps = 0
    lookUp = async (command) => {
      lookUps++
      const { externalId = '' } = command.kind === 'upsert' ? command : (command as ReturnType<typeof update>).target
      if (holder === null) return { ok: true, command: command as PreparedCommand }
      return { ok: true, command: { kind: 'update', target: { id: holder, externalId }, changes: {}, ifVersion: null } }
    }
    d1.commitWrites = async (_, writes) => ({
      results: writes.map(({ command }): CommitResult => {
        if (command.kind === 'upsert') holder ??= command.id
        const id = command.kind === 'upsert' ? command.id : ('target' in command && command.target.id) || ''
        const customer = { id, externalId: 'a', status: 'published' } as Customer
        if (id === holder) return { ok: true, customer, effect: 'updated', changeId: 'evt' }
        return { ok: false, failure: { reason: 'unavailable', retryAfterMs: 1 }, targetMoved: true }
      }),
      hasSubscribers,
      bookmark: 'b',
      d1Ms: nowMs,
    })
  })

  it('looks it up the first time, and after another customer took it', async () => {
    for (const [changed, expected, id] of [
      [null, 1, 'c1'],
      [null, 1, 'c1'],
      ['c2', 2, 'c2'],
      [null, 2, 'c2'],
    ] as const) {
      holder = changed ?? holder
      const reply = await writer.write(request('', { command: update('a') }))
      expect([reply, lookUps]).toMatchObject([{ ok: true, customer: { id } }, expected])
    }
    await writer.write(request('', { command: update('b') }))
    expect(lookUps).toBe(3)
  })

  it('updates the known one in an upsert, and creates one when it is gone', async () => {
    await writer.write(request('', { command: update('a') }))
    expect(await writer.write(request('', { command: upsert }))).toMatchObject({ customer: { id: 'c1' } })
    expect(lookUps).toBe(1)
    holder = null
    expect(await writer.write(request('', { command: upsert }))).toMatchObject({ customer: { id: 'new' } })
    expect(lookUps).toBe(2)
  })

  it('is looked up when an id stands beside it, and for anything but a change of fields', async () => {
    await writer.write(request('', { command: update('a') }))
    await writer.write(request('', { command: { ...update('a'), target: { id: 'c1', externalId: 'a' } } }))
    await writer.write(request('', { command: { kind: 'archive', target: { externalId: 'a' }, ifVersion: null } }))
    expect(lookUps).toBe(3)
  })
})

describe('a merge', () => {
  const plan = {
    sourceId: 'source',
    survivorId: 'survivor',
    children: ['child'],
    mergedIds: ['earlier'],
  } as unknown as MergePlan
  const merge = (dryRun: boolean) => {
    lookUp = async () => ({ ok: true, command: { kind: 'merge', target: { id: 'source' }, plan } })
    const options = { into: 'survivor', intoVersion: null, prefer: 'target', dryRun, ifVersion: null } as const
    return writer.write(request('', { command: { kind: 'merge', target: { id: 'source' }, ...options } }))
  }

  it('makes what was read of each customer that it concerns old, and enqueues the deliveries of all', async () => {
    hasSubscribers = true
    expect(await merge(false)).toMatchObject({ ok: true, changedIds: ['source', 'survivor', 'child', 'earlier'] })
    expect(enqueued).toEqual(['source', 'survivor', 'child', 'earlier'])
    expect(store.stored.writes.at(-1)?.buckets).toEqual(bucketsOf([LIST_TAG, 'source', 'survivor', 'child', 'earlier']))
    // An id for the event of the merge, and one for that of each child.
    expect(idTimes).toHaveLength(2)
  })

  it('makes them old again when it is taken back', async () => {
    const back = plan as unknown as UnmergePlan
    lookUp = async () => ({ ok: true, command: { kind: 'unmerge', target: { id: 'survivor' }, plan: back } })
    const command = {
      kind: 'unmerge',
      target: { id: 'survivor' },
      source: 'source',
      dryRun: false,
      ifVersion: null,
    } as const
    const changedIds = ['source', 'survivor', 'child', 'earlier']
    expect(await writer.write(request('', { command }))).toMatchObject({ ok: true, changedIds })
    expect(store.stored.writes.at(-1)?.buckets).toEqual(bucketsOf([LIST_TAG, ...changedIds]))
    // Two ids more than a merge without children: the event of the source, and that of the child.
    expect(idTimes).toHaveLength(3)
  })

  it('is no write in a dry run', async () => {
    expect(await merge(true)).toMatchObject({ ok: true })
    expect(calls).toEqual(['try out'])
    expect(store.stored.writes.filter(({ buckets }) => buckets.length > 0)).toEqual([])
  })
})

describe('the clocks', () => {
  /** Makes D1 refuse writes that are past their deadline by D1's clock. */
  const refuseLate = () => {
    d1.commitWrites = async (_, writes) => {
      const d1Ms = nowMs + d1AheadMs
      const isLate = writes.every((write) => d1Ms >= write.deadlineMs)
      const late = { ok: false, failure: { reason: 'unavailable', retryAfterMs: 1 }, late: true } as const
      return { results: writes.map(() => (isLate ? late : made('c1'))), hasSubscribers, bookmark: 'b1', d1Ms }
    }
  }

  it('cost one more attempt when the gate is minutes late, and then none', async () => {
    d1AheadMs = 5 * 60_000
    refuseLate()
    expect(await writer.write(request('c1'))).toMatchObject({ ok: true })
    expect(await writer.write(request('c1'))).toMatchObject({ ok: true })
    expect(calls).toEqual(['commit 1', 'commit 1', 'commit 1'])
  })

  it('count a write that is tried twice once, also in the gate that starts next', async () => {
    // The count is stored now, so the next gate learns of later writes only from their intents.
    core.admitWrite('a', 'customers:write', CLOCK, nowMs)
    d1AheadMs = 5 * 60_000
    refuseLate()
    expect(await writer.write(request('c1'))).toMatchObject({ ok: true })
    expect(calls).toEqual(['commit 1', 'commit 1'])
    expect(new GateCore(store.open(), () => 0.5, nowMs).usage(nowMs).count).toBe(2)
  })

  it('give up a write that D1 refuses twice, and send one that was late by the gate’s clock too only once', async () => {
    d1.commitWrites = async (_, writes) => ({
      results: writes.map(() => ({ ok: false, failure: { reason: 'unavailable', retryAfterMs: 1 }, late: true })),
      hasSubscribers,
      bookmark: 'b1',
      d1Ms: nowMs,
    })
    const unavailable = { ok: false, failure: { reason: 'unavailable' } }
    expect(await writer.write(request('c1'))).toMatchObject(unavailable)
    expect(calls).toEqual(['commit 1', 'commit 1'])
    const commit = d1.commitWrites
    d1.commitWrites = (...args) => {
      nowMs += WRITE_DEADLINE_MS
      return commit(...args)
    }
    expect(await writer.write(request('c1'))).toMatchObject(unavailable)
    expect(calls).toEqual(['commit 1', 'commit 1', 'commit 1'])
  })

  it('take deadline, stamp and id from D1’s, once it has responded', async () => {
    d1AheadMs = 30_000
    const prepared: number[][] = []
    const commit = d1.commitWrites
    d1.commitWrites = (scope, writes) => {
      prepared.push(writes.flatMap((write) => [write.nowMs, write.deadlineMs]))
      return commit(scope, writes)
    }
    await writer.write(request('c1'))
    nowMs += 500
    await writer.write(request('c1'))
    const secondMs = NOON_MS + 30_000 + 500
    expect(prepared).toEqual([
      [NOON_MS, NOON_MS + WRITE_DEADLINE_MS],
      [secondMs, secondMs + WRITE_DEADLINE_MS],
    ])
    expect(idTimes.at(-1)).toBe(secondMs)
  })

  it('give up a batch when D1’s response is past the deadline, for any clock of the gate', async () => {
    d1.commitWrites = () => Promise.reject(LOST)
    // D1's clock is behind: when the gate's says that all is decided, D1 may still commit.
    d1AheadMs = -5_000
    expect(await writer.write(request('c1'))).toMatchObject({ ok: false })
    expect(nowMs + d1AheadMs).toBeGreaterThanOrEqual(NOON_MS + WRITE_DEADLINE_MS + INTENT_GRACE_MS)
    expect(core.nextLookMs(nowMs)).toBeNull()
  })

  it('leave an intent that D1 may still commit when the alarm fires', async () => {
    d1.commitWrites = () => Promise.reject(LOST)
    d1.findCommitted = () => Promise.reject(LOST)
    await writer.write(request('c1'))
    const lifeMs = WRITE_DEADLINE_MS + INTENT_GRACE_MS
    nowMs += lifeMs
    d1AheadMs = -lifeMs
    d1.findCommitted = async () => found('b2')
    await intents.resolveOverdue()
    expect(core.nextLookMs(nowMs)).toBe(nowMs + lifeMs)
    nowMs += lifeMs
    await intents.resolveOverdue()
    expect(core.nextLookMs(nowMs)).toBeNull()
  })

  it('set one alarm by the gate’s own for all batches until it fires, and none when nothing is left', async () => {
    d1AheadMs = 60_000
    const lifeMs = WRITE_DEADLINE_MS + INTENT_GRACE_MS
    await writer.write(request('c1'))
    await Promise.all(Array.from({ length: 200 }, () => writer.write(request('c1'))))
    nowMs += lifeMs - 1
    await writer.write(request('c1'))
    expect(alarms).toEqual([NOON_MS + lifeMs])
    nowMs += 1
    await intents.resolveOverdue()
    expect(alarms).toEqual([NOON_MS + lifeMs])
    await writer.write(request('c1'))
    expect(alarms).toEqual([NOON_MS + lifeMs, nowMs + lifeMs])
  })

  it('look up what is overdue at its own time when the alarm of an earlier batch fires before', async () => {
    const lifeMs = WRITE_DEADLINE_MS + INTENT_GRACE_MS
    await writer.write(request('c1'))
    nowMs += 5_000
    d1.commitWrites = () => Promise.reject(LOST)
    d1.findCommitted = () => Promise.reject(LOST)
    await writer.write(request('c1'))
    const overdueMs = nowMs + lifeMs
    nowMs = NOON_MS + lifeMs
    await intents.resolveOverdue()
    expect(alarms).toEqual([NOON_MS + lifeMs, overdueMs])
  })
})

describe('a settlement', () => {
  /** A gate that starts from what is stored now. */
  const pendingOfNextGate = () => {
    const copy = new DurableStore()
    copy.stored = structuredClone(store.stored)
    const reply = new GateCore(copy.open(), () => 0.5, nowMs).lease(requestOf(), nowMs)
    return reply.kind === 'lease' ? reply.freshness.pending : null
  }

  it('is stored by the alarm of its write, and pending for a gate that starts before', async () => {
    await writer.write(request('c1'))
    expect(store.stored.stable).toBeNull()
    expect(pendingOfNextGate()).toEqual(bucketsOf([LIST_TAG, 'c1']))
    nowMs += WRITE_DEADLINE_MS + INTENT_GRACE_MS
    await intents.resolveOverdue()
    expect(store.stored.stable).toMatchObject({ bookmark: 'b1' })
    expect(pendingOfNextGate()).toEqual([])
  })

  it('is in the row of the next write, and costs none of its own', async () => {
    await writer.write(request('c1'))
    await writer.write(request('c2'))
    expect(store.stored.writes.at(-1)).toMatchObject({ stable: store.stored.writes.at(-2)?.seq, bookmark: 'b1' })
    expect(pendingOfNextGate()).toEqual(bucketsOf([LIST_TAG, 'c2']))
  })
})

describe('when D1 breaks off', () => {
  it('refuses at once when D1 is overloaded and never began, and leaves nothing under way', async () => {
    d1.commitWrites = () => Promise.reject(OVERLOADED)
    expect(await writer.write(request('c1'))).toMatchObject({ ok: false, failure: { reason: 'unavailable' } })
    expect([slept, calls, core.nextLookMs(nowMs), enqueued]).toEqual([0, ['commit 1'], null, []])
  })

  it('refuses at once when D1 is full and committed nothing, and leaves nothing under way', async () => {
    d1.commitWrites = () => Promise.reject(FULL)
    const both = await Promise.all([writer.write(request('c1')), writer.write(request('c2'))])
    for (const reply of both) expect(reply).toMatchObject({ ok: false, failure: { reason: 'insufficient_storage' } })
    expect([slept, core.nextLookMs(nowMs), enqueued]).toEqual([0, null, []])
    expect(calls).not.toContain('find')
  })

  it('returns a change that is found as made, at the bookmark of the look-up', async () => {
    d1.commitWrites = async (_, [write]) => {
      d1.findCommitted = async () => found('b7', [write?.changeId ?? '', made('c1')])
      throw LOST
    }
    expect(await writer.write(request('c1'))).toMatchObject({ ok: true, customer: { id: 'c1' }, bookmark: 'b7' })
    expect([slept, core.nextLookMs(nowMs)]).toEqual([0, null])
    expect(enqueued).toEqual(['c1'])
  })

  it('answers a change that is found at once, though another of its batch is not yet decided', async () => {
    const commit = d1.commitWrites
    d1.commitWrites = (scope, writes) => (writes.length > 1 ? Promise.reject(LOST) : commit(scope, writes))
    const answered: string[] = []
    const answeredByLook: string[][] = []
    d1.findCommitted = async () => {
      await new Promise((resolve) => setImmediate(resolve))
      answeredByLook.push([...answered])
      return found('b2', ['evt_1', made('c2')])
    }
    const write = async (id: string) => {
      const reply = await writer.write(request(id))
      answered.push(`${id} ${reply.ok}`)
    }
    // The others wait for the first, and are the next batch.
    await Promise.all(['c1', 'c2', 'c3'].map(write))
    expect(answeredByLook).toEqual([['c1 true'], ['c1 true', 'c2 true']])
    expect(answered.at(-1)).toBe('c3 false')
  })

  it('gives up a change that is not found only when it can no longer be committed', async () => {
    d1.commitWrites = () => Promise.reject(LOST)
    expect(await writer.write(request('c1'))).toMatchObject({ ok: false, failure: { reason: 'unavailable' } })
    expect(slept).toBe(WRITE_DEADLINE_MS + INTENT_GRACE_MS)
    expect([calls, core.nextLookMs(nowMs)]).toEqual([['commit 1', 'find', 'find'], null])
  })

  it('gives up a batch only past the deadline of its latest write, when an earlier one had waited for its turn', async () => {
    const first = Promise.withResolvers<void>()
    const commit = d1.commitWrites
    d1.commitWrites = async (scope, writes) => {
      if (writes.length > 1) throw LOST
      await first.promise
      return commit(scope, writes)
    }
    const replies = [writer.write(request('c1')), writer.write(request('c2'))]
    nowMs += 6_000
    const latestMs = nowMs + WRITE_DEADLINE_MS
    replies.push(writer.write(request('c3')))
    await new Promise((resolve) => setImmediate(resolve))
    first.resolve()
    await Promise.all(replies)
    expect(calls.slice(0, 2)).toEqual(['commit 1', 'commit 2'])
    expect(nowMs).toBe(latestMs + INTENT_GRACE_MS)
  })

  it('keeps the intent while D1 is away, and looks again until D1 responds', async () => {
    d1.commitWrites = () => Promise.reject(LOST)
    d1.findCommitted = () => Promise.reject(LOST)
    expect(await writer.write(request('c1'))).toMatchObject({ ok: false, failure: { reason: 'unavailable' } })
    const overdueMs = NOON_MS + WRITE_DEADLINE_MS + INTENT_GRACE_MS
    expect(alarms).toEqual([overdueMs])
    // The runtime's clock is a little ahead of the gate's.
    nowMs = overdueMs - 1
    await intents.resolveOverdue()
    expect(alarms).toEqual([overdueMs, overdueMs])
    nowMs = overdueMs
    await intents.resolveOverdue()
    expect(alarms[2]).toBe(overdueMs + 30_000)
    nowMs = overdueMs + 30_000
    d1.findCommitted = async () => found('b9')
    await intents.resolveOverdue()
    expect([core.nextLookMs(nowMs), alarms.length]).toEqual([null, 3])
  })
})

describe('two looks for one change', () => {
  it('leave the later bookmark, also for the gate that starts next, when the older look is answered last', async () => {
    const older = Promise.withResolvers<ReturnType<typeof found>>()
    let changeId = ''
    d1.commitWrites = async (_, [write]) => {
      changeId = write?.changeId ?? ''
      throw LOST
    }
    d1.findCommitted = () => older.promise
    const reply = writer.write(request('c1'))
    await new Promise((resolve) => setImmediate(resolve))
    const seenByOlder = found('b1')
    nowMs += WRITE_DEADLINE_MS + INTENT_GRACE_MS
    d1.findCommitted = async () => found('b2', [changeId, made('c1')])
    await intents.resolveOverdue()
    older.resolve(seenByOlder)
    await reply
    const next = new GateCore(store.open(), () => 0.5, nowMs)
    expect(next.lease(requestOf(), nowMs)).toMatchObject({ freshness: { bookmark: 'b2', pending: [] } })
  })
})

describe('after a long failure of D1', () => {
  it('settles all writes that are overdue with one look', async () => {
    const deadlineMs = nowMs + WRITE_DEADLINE_MS
    for (let at = 0; at < 1_000; at++) core.beginWrite({ tags: [`c${at}`], deadlineMs, tickets: [] }, nowMs)
    nowMs = deadlineMs + INTENT_GRACE_MS
    await intents.resolveOverdue()
    expect([calls, core.nextLookMs(nowMs)]).toEqual([['find'], null])
  })
})

describe('a write that waited for its turn', () => {
  it('is not committed when the tenant was suspended or the key revoked meanwhile', async () => {
    let release = () => {}
    const slow = new Promise<void>((resolve) => {
      release = resolve
    })
    const commit = d1.commitWrites
    d1.commitWrites = async (scope, writes) => {
      await slow
      return commit(scope, writes)
    }
    const first = writer.write(request('c1'))
    const second = writer.write(request('c2'))
    core.setPolicy(policyOf({ version: 2, status: 'suspended' }), [], nowMs)
    let isIdle = false
    const idle = writer.idle().then(() => {
      isIdle = true
    })
    await Promise.resolve()
    expect(isIdle).toBe(false)
    release()
    expect(await first).toMatchObject({ ok: true })
    expect(await second).toMatchObject({ ok: false, failure: { reason: 'unauthorized' } })
    await idle
    expect(calls).toEqual(['commit 1'])
  })
})

describe('a write of an operator that waited for its turn', () => {
  const operator = { role: 'support', sessionId: 'ses_1' }
  const sent = (id: string) => request(id, { credential: null, caller: 'op_1', operator })

  /** Sends two writes and changes the policy while the first is committed. Returns the reply to the second. */
  async function changedMeanwhile(policy: Parameters<typeof core.setPolicy>[0]) {
    const gone = Promise.withResolvers<void>()
    const commit = d1.commitWrites
    d1.commitWrites = async (scope, writes) => {
      await gone.promise
      return commit(scope, writes)
    }
    const first = writer.write(sent('c1'))
    const second = writer.write(sent('c2'))
    core.setPolicy(policy, [], nowMs)
    gone.resolve()
    await first
    return second
  }

  it('is committed although the tenant was suspended meanwhile, with the operator as its author', async () => {
    const prepared: PreparedWrite[] = []
    const commit = d1.commitWrites
    d1.commitWrites = (scope, writes) => {
      prepared.push(...writes)
      return commit(scope, writes)
    }
    const reply = await changedMeanwhile(policyOf({ version: 2, status: 'suspended' }))
    expect(reply).toMatchObject({ ok: true, mayRead: true })
    expect(prepared.map(({ actor, operator }) => [actor, operator])).toEqual([
      ['op_1', operator],
      ['op_1', operator],
    ])
  })

  it('is not committed when the tenant was deleted meanwhile', async () => {
    const reply = await changedMeanwhile({ ...NO_TENANT, version: 2 })
    expect(reply).toMatchObject({ ok: false, failure: { reason: 'not_found', resource: 'tenant' } })
    expect(calls).toEqual(['commit 1'])
  })
})

describe('an upsert whose customer is archived, and made anew by another, after every look-up', () => {
  it('is made all the same, in a turn of its own', async () => {
    let holder: string | null = 'c1'
    let rivals = 0
    const rival = (command: Command) => void writer.write(request('', { command, requestId: `rival ${rivals++}` }))
    lookUp = async (command) => {
      if (command.kind !== 'upsert') return { ok: true, command: command as PreparedCommand }
      const { externalId, changes, ifVersion } = command
      const found = holder
      // Each rival is sent before the upsert can join the queue.
      if (found !== null) {
        rival({ kind: 'archive', target: { id: found }, ifVersion: null })
        return { ok: true, command: { kind: 'update', target: { id: found, externalId }, changes, ifVersion } }
      }
      rival({ kind: 'create', id: `made by rival ${rivals}`, fields: { externalId }, ifExists: 'return' })
      return { ok: true, command }
    }
    const moved = { ok: false, failure: { reason: 'unavailable', retryAfterMs: 1 }, targetMoved: true } as const
    const commitOne = ({ command }: PreparedWrite): CommitResult => {
      switch (command.kind) {
        case 'archive':
          if (holder === command.target.id) holder = null
          return made(command.target.id ?? '')
        case 'update':
          return holder === command.target.id ? made(holder ?? '') : moved
        case 'upsert':
          if (holder !== null) return moved
          holder = command.id
          return { ...made(command.id), effect: 'created' }
        case 'create':
          holder ??= command.id
          return made(holder)
        default:
          throw new Error('unexpected')
      }
    }
    d1.commitWrites = async (_, writes) => ({
      results: writes.map(commitOne),
      hasSubscribers,
      bookmark: 'b',
      d1Ms: nowMs,
    })
    const upsert = { kind: 'upsert', id: 'new', externalId: 'a', changes: { name: 'A' }, ifVersion: null } as const
    for (let round = 0; round < 4; round++) {
      const reply = await writer.write(request('', { command: upsert }))
      expect(reply).toMatchObject({ ok: true })
    }
    expect(rivals).toBeGreaterThan(4)
  })
})
