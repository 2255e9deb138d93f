/**
 * What a writer is told when D1 breaks off, and who is still let in by the time of the commit: the gate's own writer over
 * the gate's own core, with a D1 that fails as real ones do.
 */
import { beforeEach, describe, expect, it } from 'vitest'
import { INTENT_GRACE_MS, WRITE_DEADLINE_MS } from '../../src/gate/constants.ts'
import { GateCore } from '../../src/gate/gate-core.ts'
import type { GateDeps } from '../../src/gate/gate-deps.ts'
import { GateWriter } from '../../src/gate/gate-writer.ts'
import type { WriteRequest } from '../../src/gate/write-protocol.ts'
import type { Made, WriteStore } from '../../src/gate/write-store.ts'
import type { Customer } from '../../src/registry/customer.ts'
import { DurableStore } from './durable-store.ts'
import { keyOf, NOON_MS, policyOf } from './samples.ts'

const SCOPE = { tenantId: 'tenant', mode: 'live' } as const
const OVERLOADED = new Error('overloaded')
const LOST = new Error('Network connection lost')

let nowMs: number
let core: GateCore
let announced: string[]
let isListenedTo: boolean
let writer: GateWriter
let alarms: number[]
let slept: number
let calls: string[]
/** What D1 does next. */
let d1: Pick<WriteStore, 'commitWrites' | 'findCommitted'>

function made(id: string): Made {
  return { ok: true, customer: { id } as Customer, effect: 'updated', changeId: `evt of ${id}` }
}

function request(id: string, changed: Partial<WriteRequest> = {}): WriteRequest {
  const command = { kind: 'update', target: { id }, changes: {}, ifVersion: null } as const
  return { command, credential: 'a', caller: null, requestId: 'r', reason: null, idempotency: null, ...changed }
}

beforeEach(() => {
  announced = []
  isListenedTo = false
  nowMs = NOON_MS
  slept = 0
  alarms = []
  calls = []
  core = new GateCore(new DurableStore().open(), () => 0.5, nowMs)
  core.setPolicy(policyOf({}), [{ ...keyOf('a'), scopes: ['customers:write'] }], nowMs)
  d1 = {
    commitWrites: async (_, writes) => ({
      results: writes.map(({ command }) => made('target' in command ? (command.target.id ?? '') : '')),
      isListenedTo,
      bookmark: 'b1',
    }),
    findCommitted: async () => ({ found: new Map(), bookmark: 'b2' }),
  }
  const writes: WriteStore = {
    resolveTarget: async (_, command) => ({ ok: true, command }),
    neverBegan: (error) => error === OVERLOADED,
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
    newId: () => `evt_${ids++}`,
    sleep: async (ms: number) => {
      slept += ms
      nowMs += ms
    },
    writes,
    announce: async (_: unknown, customerIds: string[]) => void announced.push(...customerIds),
    onStorageFailure: () => undefined,
  } as unknown as GateDeps
  writer = new GateWriter(SCOPE, core, deps, async (atMs) => void alarms.push(atMs))
})

describe('a change that was committed', () => {
  it('is announced when somebody may have to be told, and only then', async () => {
    await writer.write(request('c1'))
    expect(announced).toEqual([])
    isListenedTo = true
    await writer.write(request('c2'))
    expect(announced).toEqual(['c2'])
  })
})

describe('when D1 breaks off', () => {
  it('an overloaded one never began: the caller is told at once, and nothing stays under way', async () => {
    d1.commitWrites = () => Promise.reject(OVERLOADED)
    expect(await writer.write(request('c1'))).toMatchObject({ ok: false, failure: { reason: 'unavailable' } })
    expect([slept, calls, core.nextOverdueMs, announced]).toEqual([0, ['commit 1'], null, []])
  })

  it('a change that is found is answered as made, at the bookmark of the look', async () => {
    d1.commitWrites = async (_, [write]) => {
      d1.findCommitted = async () => ({ found: new Map([[write?.changeId ?? '', made('c1')]]), bookmark: 'b7' })
      throw LOST
    }
    expect(await writer.write(request('c1'))).toMatchObject({ ok: true, customer: { id: 'c1' }, bookmark: 'b7' })
    expect([slept, core.nextOverdueMs]).toEqual([0, null])
    expect(announced).toEqual(['c1'])
  })

  it('a change that is not found is only given up when it can no longer be committed', async () => {
    d1.commitWrites = () => Promise.reject(LOST)
    expect(await writer.write(request('c1'))).toMatchObject({ ok: false, failure: { reason: 'unavailable' } })
    expect(slept).toBe(WRITE_DEADLINE_MS + INTENT_GRACE_MS)
    expect([calls, core.nextOverdueMs]).toEqual([['commit 1', 'find', 'find'], null])
  })

  it('while D1 is away the intent stays, and the gate looks again until it can be told', async () => {
    d1.commitWrites = () => Promise.reject(LOST)
    d1.findCommitted = () => Promise.reject(LOST)
    expect(await writer.write(request('c1'))).toMatchObject({ ok: false, failure: { reason: 'unavailable' } })
    const overdueMs = NOON_MS + WRITE_DEADLINE_MS + INTENT_GRACE_MS
    expect(alarms).toEqual([overdueMs])
    nowMs = overdueMs
    await writer.resolveOverdue()
    expect(alarms[1]).toBe(overdueMs + 30_000)
    nowMs = overdueMs + 30_000
    d1.findCommitted = async () => ({ found: new Map(), bookmark: 'b9' })
    await writer.resolveOverdue()
    expect([core.nextOverdueMs, alarms.length]).toEqual([null, 2])
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
