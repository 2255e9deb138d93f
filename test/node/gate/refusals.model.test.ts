/**
 * A caller that is refused whatever its permits costs nothing once the lease in force says so: no call of the gate, no
 * read, none of its tenant's permits, nothing of its demand. The gate and the isolate are the real ones, time is handed in.
 */
import { beforeEach, describe, expect, it } from 'vitest'
import { GateCore } from '../../../src/gate/core/gate-core.ts'
import type { GateKey } from '../../../src/gate/core/gate-storage.ts'
import { failureOf } from '../../../src/gate/core/write-admission.ts'
import { leaseHolderFor } from '../../../src/gate/isolate/admission.ts'
import { type Caller, gateNameOf, type IsolatePorts } from '../../../src/gate/isolate/deps.ts'
import { IsolateRegistry } from '../../../src/gate/isolate/registry.ts'
import type { LeaseRequest, Policy } from '../../../src/gate/protocol/leases.ts'
import type { WriteRequest } from '../../../src/gate/protocol/writes.ts'
import { IoTimes } from '../../../src/observability/io-times.ts'
import { type Failure, fail, RegistryError } from '../../../src/registry/errors.ts'
import type { KeyScope } from '../../../src/tenants/tenant.ts'
import { DurableStore } from './durable-store.ts'
import { keyOf, NOON_MS, policyOf } from './samples.ts'

const KEYS = [
  keyOf('reader'),
  keyOf('writer', { scopes: ['customers:write'] }),
  keyOf('ends', { scopes: ['customers:read', 'customers:write'], expiresAtMs: NOON_MS + 300 }),
]
const ID = 'cust_01JD3VQ4X8N2M7R5T9W6YBZKCE'

let tenants = 0
let nowMs: number
let gate: GateCore
let tenantId: string
let version: number
/** The requests to each dependency. */
let asked: { lease: LeaseRequest[]; write: number; importChunk: number; read: number }
let background: Promise<unknown>[]

beforeEach(() => {
  nowMs = NOON_MS
  tenantId = `refusals-${tenants++}`
  gate = new GateCore(new DurableStore().open(), () => 0.5, nowMs)
  version = 0
  setPolicy()
  asked = { lease: [], write: 0, importChunk: 0, read: 0 }
  background = []
})

/** Returns how long the change has to wait until it may be answered. */
function setPolicy(changed: Partial<Policy> = {}, keys: GateKey[] = KEYS): number {
  return gate.setPolicy(policyOf({ ...changed, version: ++version }), keys, nowMs).waitMs
}

function admittedByGate(request: Pick<WriteRequest, 'credential' | 'sentAtMs' | 'isolate'>): Failure {
  const admission = gate.admitWrite(request.credential, 'customers:write', request, nowMs)
  // A write that is admitted ends here: what the gate does with it is not looked at.
  return admission.admitted ? { reason: 'internal' } : failureOf(admission.reason, admission.retryAfterMs)
}

function portsOf(): IsolatePorts {
  const limits = { policy: policyOf(), remaining: 0, fullInMs: 0 }
  const notFound = { value: null, bookmark: 'b1' }
  const ports: Partial<IsolatePorts> = {
    io: new IoTimes(),
    clock: () => nowMs,
    random: () => 0.5,
    // The gate always answers, so the time-out of a call never ends.
    sleep: (ms) => (ms < 2_000 ? Promise.resolve(later(ms)) : new Promise(() => undefined)),
    waitUntil: (work) => void background.push(work),
    lease: async (request) => {
      asked.lease.push(request)
      return gate.lease(request, nowMs)
    },
    write: async (request) => {
      asked.write++
      return { ...fail(admittedByGate(request)), limits }
    },
    importChunk: async (request) => {
      asked.importChunk++
      return { ...fail(admittedByGate(request)), limits, permitsPaid: 0 }
    },
    databaseHint: () => 0,
    readCustomer: async () => {
      asked.read++
      return notFound
    },
    readByExternalId: async () => {
      asked.read++
      return notFound
    },
    onStorageFailure: (error) => {
      throw error
    },
  }
  const kv = {
    customer: async () => {
      asked.read++
      return null
    },
    customerId: async () => {
      asked.read++
      return null
    },
    putCustomer: async () => undefined,
  }
  return { ...ports, kv } as unknown as IsolatePorts
}

function registryFor(caller: Partial<Caller>): IsolateRegistry {
  const options = { requestId: 'r', consistencyToken: null, reason: null, strongConsistency: false }
  return new IsolateRegistry({ tenantId, mode: 'live', credential: null, ...caller }, portsOf(), options)
}

type Work = (registry: IsolateRegistry) => Promise<unknown>

const read: Work = async ({ admission, reader }) => {
  admission.begin(['customers:read'])
  await reader.byId(ID)
}
const readByExternalId: Work = async ({ reader }) => reader.byExternalId('user_1')
const write: Work = async ({ admission, writer }) => {
  admission.beginWrite(['customers:write'])
  await writer.write({ kind: 'archive', target: { id: ID }, ifVersion: null })
}
/** As RPC writes: its admission does not begin before the call. */
const writeAtOnce: Work = ({ writer }) => writer.write({ kind: 'archive', target: { id: ID }, ifVersion: null })
const importLines: Work = ({ writer }) => writer.importChunk({ lines: [], permits: 1, dryRun: false, assumed: [] })

/** Returns the reason that the request is refused for; `done` if it is not. */
async function outcomeOf(credential: string | null, work: Work, caller: Partial<Caller> = {}): Promise<string> {
  try {
    await work(registryFor({ credential, ...caller }))
    return 'done'
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error
    return error.failure.reason === 'internal' ? 'done' : error.failure.reason
  } finally {
    await Promise.all(background.splice(0))
  }
}

const state = () => leaseHolderFor(gateNameOf({ tenantId, mode: 'live' })).state
const calls = () => asked.lease.length + asked.write + asked.importChunk + asked.read

const REFUSED = [
  { who: 'an unknown or revoked key', credential: 'revoked', reason: 'unauthorized', prepare: () => undefined },
  { who: 'an expired key', credential: 'ends', reason: 'unauthorized', prepare: () => later(300) },
  { who: 'a key of a suspended tenant', credential: 'reader', reason: 'tenant_suspended', prepare: suspend },
  { who: 'a bound Worker of a suspended tenant', credential: null, reason: 'tenant_suspended', prepare: suspend },
]

function later(ms: number): void {
  nowMs += ms
}

function suspend(): void {
  setPolicy({ status: 'suspended' })
}

const WORKS = { read, readByExternalId, write, writeAtOnce, importLines }
const bound = { name: 'billing', scopes: ['customers:read', 'customers:write'] }

describe.each([
  ...REFUSED.flatMap((refused) => Object.keys(WORKS).map((work) => ({ ...refused, work: work as keyof typeof WORKS }))),
  {
    who: 'a key without the scope',
    credential: 'writer',
    reason: 'missing_scope',
    prepare: () => undefined,
    work: 'read' as const,
  },
  {
    who: 'a key without the scope',
    credential: 'writer',
    reason: 'missing_scope',
    prepare: () => undefined,
    work: 'readByExternalId' as const,
  },
  {
    who: 'a key without the scope',
    credential: 'reader',
    reason: 'missing_scope',
    prepare: () => undefined,
    work: 'write' as const,
  },
  {
    who: 'a key without the scope',
    credential: 'reader',
    reason: 'missing_scope',
    prepare: () => undefined,
    work: 'writeAtOnce' as const,
  },
  {
    who: 'a key without the scope',
    credential: 'reader',
    reason: 'missing_scope',
    prepare: () => undefined,
    work: 'importLines' as const,
  },
])('$who', ({ credential, reason, prepare, work }) => {
  const caller = credential === null ? { bound } : {}

  it(`costs no call, no read, no permit and no demand for each ${work} that the lease in force refuses`, async () => {
    prepare()
    expect(await outcomeOf(credential, WORKS[work], caller)).toBe(reason)
    const before = calls()
    const { admitted, counted } = state()
    const permits = state().grants.map(({ left }) => left)
    for (let sent = 0; sent < 100; sent++) {
      nowMs += 5
      expect(await outcomeOf(credential, WORKS[work], caller)).toBe(reason)
    }
    expect(calls()).toBe(before)
    expect([state().admitted, state().counted]).toEqual([admitted, counted])
    expect(state().grants.map(({ left }) => left)).toEqual(permits)
  })

  it(`costs at most a lease without permits and demand, and a write, for each lease that ends while it goes on to ${work}`, async () => {
    prepare()
    await outcomeOf(credential, WORKS[work], caller)
    asked.read = 0
    asked.lease = []
    asked.write = 0
    asked.importChunk = 0
    const beganMs = nowMs
    for (let sent = 0; sent < 300; sent++) {
      nowMs += 20
      expect(await outcomeOf(credential, WORKS[work], caller)).toBe(reason)
    }
    const leases = Math.ceil((nowMs - beganMs) / 950)
    expect(asked.lease.length).toBeGreaterThan(1)
    expect(asked.lease.length).toBeLessThanOrEqual(leases)
    expect(asked.write + asked.importChunk).toBeLessThanOrEqual(leases)
    expect(asked.read).toBe(0)
    for (const { want, waiting, counted } of asked.lease) expect([want, waiting, counted]).toEqual([0, 0, 0])
    expect(state().grants).toEqual([])
  })
})

it('costs the other keys of its tenant no permit: as many of their reads are admitted as without it', async () => {
  const admittedOf = async (hasStranger: boolean) => {
    tenantId = `refusals-${tenants++}`
    nowMs = NOON_MS
    gate = new GateCore(new DurableStore().open(), () => 0.5, nowMs)
    setPolicy({ ratePerSecond: 10, burst: 20 })
    let admitted = 0
    for (let round = 0; round < 60; round++) {
      nowMs += 50
      for (let sent = 0; hasStranger && sent < 10; sent++) await outcomeOf('revoked', read)
      if (round % 20 === 19) {
        for (let sent = 0; sent < 15; sent++) admitted += (await outcomeOf('reader', read)) === 'done' ? 1 : 0
      }
    }
    return admitted
  }
  const alone = await admittedOf(false)
  expect(alone).toBeGreaterThan(30)
  expect(await admittedOf(true)).toBe(alone)
})

describe('C2 stays true: when the change may be answered', () => {
  it.each(Object.entries(WORKS))('lets a reactivated tenant in at once, for %s', async (_, work) => {
    suspend()
    const key = work === read || work === readByExternalId ? 'reader' : 'writer'
    expect(await outcomeOf(key, work)).toBe('tenant_suspended')
    nowMs += 100
    expect(await outcomeOf(key, work)).toBe('tenant_suspended')
    nowMs += setPolicy({ status: 'active', ratePerSecond: 2, burst: 20 })
    expect(await outcomeOf(key, work)).toBe('done')
  })

  it.each(Object.entries(WORKS))(
    'lets a key in at once that was refused before it was made, for %s',
    async (_, work) => {
      expect(await outcomeOf('new', work)).toBe('unauthorized')
      nowMs += 100
      expect(await outcomeOf('new', work)).toBe('unauthorized')
      const scopes: KeyScope[] = ['customers:read', 'customers:write']
      nowMs += setPolicy({}, [...KEYS, keyOf('new', { scopes })])
      expect(await outcomeOf('new', work)).toBe('done')
    },
  )

  it('judges a key whose scopes have changed by the new ones', async () => {
    expect(await outcomeOf('reader', write)).toBe('missing_scope')
    nowMs += setPolicy({}, [keyOf('reader', { scopes: ['customers:write'] })])
    expect(await outcomeOf('reader', write)).toBe('done')
    expect(await outcomeOf('reader', read)).toBe('missing_scope')
  })
})

it('refuses a bound Worker without the scope from its binding alone, also while its tenant is unknown here', async () => {
  const reads = { bound: { name: 'billing', scopes: ['customers:read'] } }
  for (const work of [write, writeAtOnce, importLines]) expect(await outcomeOf(null, work, reads)).toBe('missing_scope')
  expect(calls()).toBe(0)
  expect(await outcomeOf(null, read, reads)).toBe('done')
})
