/**
 * The components of the space of writes: the gate's writer over its core and its rows, D1 with the SQL that ships, the trips
 * between them, the callers, and a value that an isolate keeps. All of gate and storage is the real code.
 */
import type { SQLInputValue } from 'node:sqlite'
import type { StoredGate } from '../../../src/gate/core/gate-storage.ts'
import type { GateDeps } from '../../../src/gate/object/deps.ts'
import type { FreshnessDelta, Policy } from '../../../src/gate/protocol/leases.ts'
import type { WriteReply } from '../../../src/gate/protocol/writes.ts'
import { insert, insertTenant, UNSET } from '../migrations/migrated.ts'
import { Interned } from './components.ts'
import { Lives, Runner, type Running } from './lives.ts'
import { bookmarkAt, d1Over, SqliteD1, type Trip, type TripAnswer } from './sqlite-d1.ts'
import { ExplorerStore } from './store.ts'
import type { WritesCore } from './writes-core.ts'
import type { WritesScenario } from './writes-events.ts'

export const SCOPE = { tenantId: 'tenant', mode: 'live' } as const
/** Early in 1970, so that times have few digits. */
export const START_MS = 1_000_000
/** Customers that are there at the beginning, in version 1. */
export const CUSTOMER = 'cust_0000000001AAAAAAAAAAAAAAAA'
export const OTHER = 'cust_0000000001BBBBBBBBBBBBBBBB'
export const NEW = 'cust_0000000001CCCCCCCCCCCCCCCC'
const POLICY: Policy = Object.freeze({
  version: 1,
  tier: 'custom',
  status: 'active',
  ratePerSecond: 1_000,
  burst: 2_000,
  annualLimit: null,
  contractStart: '1970-01-01',
})
/** The things that may happen to a gate. */
export const Happens = { Request: 0, Answer: 1, Wake: 2, Alarm: 3 } as const

export const TABLES = ['customers', 'events', 'idempotency_records', 'customer_aliases', 'integration_mappings']

/** The facts by which a state of D1 is judged. */
export interface WritesFacts {
  /** Versions of the customers by id. */
  versions: Record<string, number>
  /** In the order of their commits. */
  events: { requestId: string; customerId: string; version: number }[]
  /** The keys that have a record, with whether it is one of a change. */
  records: { key: string; isChange: boolean }[]
}

export type Asked = { trip: number; isRead: boolean } | { untilMs: number }

/** Where a gate stands. */
export interface GateStanding {
  calls: readonly { call: number; asked: Asked }[]
  replies: readonly (readonly [request: number, reply: number])[]
  /** The freshness that a lease brings now. */
  delta: FreshnessDelta
  hasPending: boolean
  /** The number of its rows and its alarm: what the next gate begins from. */
  left: number
  alarmAtMs: number | null
}

export class WritesWorld {
  readonly scenario: WritesScenario
  readonly core: WritesCore
  readonly database: SqliteD1<WritesFacts>
  readonly lefts = new Interned<{ rows: StoredGate; alarmAtMs: number | null }>()
  readonly replies = new Interned<WriteReply>()
  readonly gates: Lives<GateStanding>

  constructor(core: WritesCore, scenario: WritesScenario) {
    this.core = core
    this.scenario = scenario
    const setUp: ConstructorParameters<typeof SqliteD1>[2] = (sqlite) => {
      insertTenant(sqlite, SCOPE.tenantId)
      for (const [id, name] of [
        [CUSTOMER, 'a'],
        [OTHER, 'b'],
      ] as const) {
        const row = { tenant_id: SCOPE.tenantId, mode: SCOPE.mode, id, external_id: name, name }
        insert(sqlite, 'customers', {
          ...UNSET,
          ...row,
          change_id: `evt_of_${name}`,
          change_request_id: `made ${name}`,
        })
      }
    }
    this.database = new SqliteD1(TABLES, START_MS, setUp, factsOf)
    this.gates = new Lives((from, startMs) => this.#begin(from, startMs))
  }

  /** The gate that has its policy and no write yet. */
  firstGate(): number {
    const store = new ExplorerStore()
    const core = new this.core.GateCore(store, () => 0, START_MS)
    core.notePolicyLoaded(1, START_MS)
    core.setPolicy(POLICY, [], START_MS)
    core.admitWrite(null, '', { sentAtMs: START_MS, isolate: null }, START_MS)
    return this.gates.begin(this.lefts.id({ rows: store.rows, alarmAtMs: null }), START_MS)
  }

  d1Ms(nowMs: number): number {
    return nowMs + (this.scenario.d1AheadMs ?? 0)
  }

  /** Returns the number of commits that brought the customer to a version. */
  committedAt(databaseId: number, customer: string, version: number): number {
    const { history, commits } = this.database.of(databaseId)
    const first = history.findIndex(({ versions }) => (versions[customer] ?? 0) >= version)
    return first === -1 ? commits : first
  }

  #begin(from: number, startMs: number): Running<GateStanding> {
    const runner = new Runner<Asked, TripAnswer>(startMs)
    const { rows, alarmAtMs } = this.lefts.of(from)
    // Without its state row a gate has all its permits at once. They are not what this is about.
    const store = new ExplorerStore({ ...structuredClone(rows), state: null })
    let alarmMs = alarmAtMs
    let ids = 0
    const d1 = d1Over((trip) => runner.ask(this.#tripOf(trip)))
    const deps = {
      clock: () => runner.nowMs,
      newId: (_kind: string, atMs: number) => `evt_${atMs}_${from}_${ids++}`,
      sleep: (ms: number) => runner.ask({ untilMs: runner.nowMs + ms }),
      writes: this.core.writeStore(d1),
      enqueueDeliveries: async () => {},
      onChanges: () => {},
      onStorageFailure: (error: unknown) => this.core.storageFailure(error, {}),
    } as unknown as GateDeps
    const core = new this.core.GateCore(store, () => 0, startMs)
    const intents = new this.core.IntentWatch(SCOPE, core, deps, async (atMs) => {
      alarmMs = atMs
    })
    const writer = new this.core.GateWriter(SCOPE, core, deps, intents)
    const replies: [number, number][] = []
    void intents.watch()
    const { ledger } = (core as unknown as { _log: { ledger: { deltaSince(seq: number): FreshnessDelta } } })._log
    return {
      happen: (kind, a, b, nowMs) => {
        runner.nowMs = nowMs
        if (kind === Happens.Request) {
          void writer.write(this.#requestOf(a, nowMs)).then((reply) => replies.push([a, this.replies.id(reply)]))
        } else if (kind === Happens.Answer) {
          runner.answer(a, this.database.answers.of(b))
        } else if (kind === Happens.Wake) {
          runner.answer(a, { error: '' })
        } else {
          alarmMs = null
          void intents.resolveOverdue()
        }
      },
      standing: () => ({
        calls: runner.calls,
        replies: [...replies],
        delta: ledger.deltaSince(0),
        hasPending: core.nextLookMs(runner.nowMs) !== null,
        left: this.lefts.id({ rows: structuredClone(store.rows), alarmAtMs: alarmMs }),
        alarmAtMs: alarmMs,
      }),
    }
  }

  #tripOf(statements: Trip): Asked {
    const trip = this.database.trips.id(
      statements.map(({ sql, params }) => ({ sql, params: params as SQLInputValue[] })),
    )
    return { trip, isRead: this.database.isRead(trip) }
  }

  #requestOf(request: number, sentAtMs: number) {
    const { command, key, repeats } = this.scenario.requests[request] as WritesScenario['requests'][number]
    const fingerprint = `request ${repeats ?? request}`
    const idempotency = key === undefined ? null : { key, fingerprint }
    const sender = { credential: null, caller: 'worker', requestId: `request ${request}`, reason: null }
    return { ...sender, command, idempotency, sentAtMs, isolate: 'isolate' }
  }
}

function factsOf(read: (sql: string) => Record<string, unknown>[]): WritesFacts {
  const versions = Object.fromEntries(read('SELECT id, version FROM customers').map(({ id, version }) => [id, version]))
  const events = read(
    `SELECT request_id AS requestId, customer_id AS customerId, version FROM events ORDER BY rowid`,
  ).map((row) => ({ ...row }))
  const records = read(
    "SELECT key, change_id IS NOT NULL AND effect <> 'unchanged' AS isChange FROM idempotency_records",
  )
  return {
    versions: versions as WritesFacts['versions'],
    events: events as WritesFacts['events'],
    records: records.map(({ key, isChange }) => ({ key: String(key), isChange: isChange === 1 })),
  }
}

/** Returns whether a bookmark covers what so many commits made. */
export function covers(bookmark: string | null, commits: number): boolean {
  return commits === 0 || (bookmark !== null && bookmark >= bookmarkAt(commits))
}
