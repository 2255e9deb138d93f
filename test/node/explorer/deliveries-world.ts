/**
 * The components of the space of deliveries: D1 with the SQL and the triggers that ship, and workers that run the real code: one
 * that drains a chain for each message, and those that send messages.
 */
import type { SQLInputValue } from 'node:sqlite'
import type { Posted } from '../../../src/events/deliver.ts'
import type { OutboxMessage } from '../../../src/events/messages.ts'
import type { Chain } from '../../../src/events/outbox.ts'
import { insert, insertTenant, UNSET } from '../migrations/migrated.ts'
import { Interned } from './components.ts'
import type { DeliveriesCore } from './deliveries-core.ts'
import { Lives, Runner, type Running } from './lives.ts'
import { d1Over, SqliteD1, type Statement, type TripAnswer } from './sqlite-d1.ts'

export const SCOPE = { tenantId: 'tenant', mode: 'live' } as const
export const ENDPOINT = 'endpoint'
export const START_MS = 1_000_000
const DAY_MS = 86_400_000
const idOf = (letter: string) => `cust_${letter.padStart(26, '0')}`
export const [A, B, C] = [idOf('A'), idOf('B'), idOf('C')]
const CUSTOMERS = [A, B, C]

const TABLES = ['tenants', 'customers', 'events', 'webhook_endpoints', 'webhook_deliveries', 'webhook_attempts']

export interface DeliveryFacts {
  id: number
  eventId: string
  customerId: string
  status: 'pending' | 'delivered' | 'failed'
  slot: 'taken' | 'waits' | null
  nextAttemptAtMs: number
  attempts: number
}

export interface DeliveriesFacts {
  deliveries: DeliveryFacts[]
  isEnabled: boolean
}

/** The work of a worker. */
export type Job =
  | { kind: 'drain'; customerId: string }
  | { kind: 'enqueue'; customerId: string }
  | { kind: 'sweep' | 'resume' | 'redeliver' | 'hurry' }

export type Asked = { trip: number } | { post: number; customerId: string }

export interface Message {
  customerId: string
  notBeforeMs: number
}

export interface WorkerStanding {
  calls: readonly { call: number; asked: Asked }[]
  /** The messages of the worker, once it has ended. */
  sent: readonly Message[] | null
}

/** How a receiver may answer. */
export const RESPONSES = [200, 500, 410] as const

export class DeliveriesWorld {
  readonly core: DeliveriesCore
  readonly database: SqliteD1<DeliveriesFacts>
  readonly jobs = new Interned<Job>()
  readonly workers: Lives<WorkerStanding>

  constructor(core: DeliveriesCore) {
    this.core = core
    this.database = new SqliteD1(
      TABLES,
      START_MS,
      (sqlite) => {
        insertTenant(sqlite, SCOPE.tenantId)
        for (const name of CUSTOMERS) {
          const row = { tenant_id: SCOPE.tenantId, mode: SCOPE.mode, id: name, external_id: name }
          insert(sqlite, 'customers', { ...UNSET, ...row, change_id: `evt_of_${name}` })
        }
        insert(sqlite, 'webhook_endpoints', {
          ...{
            tenant_id: SCOPE.tenantId,
            mode: SCOPE.mode,
            id: ENDPOINT,
            url: 'https://example.com/',
            description: '',
          },
          ...{ enabled: 1, secrets: '', sealed_by: '', created_at: 1, updated_at: 1, created_by: 'key', version: 1 },
        })
      },
      factsOf,
    )
    this.workers = new Lives((from, startMs) => this.#begin(from, startMs))
  }

  /** Returns the trip that commits the nth change, of this customer. */
  commitOf(nth: number, customer: string): number {
    return this.trip(
      `UPDATE customers SET name = ?, version = version + 1, change_id = ?, change_request_id = NULL WHERE id = ?`,
      [`name ${nth}`, `evt_${nth}`, customer],
    )
  }

  trip(sql: string, params: SQLInputValue[]): number {
    return this.database.trips.id([{ sql, params }])
  }

  #begin(from: number, startMs: number): Running<WorkerStanding> {
    const runner = new Runner<Asked, TripAnswer | Posted>(startMs)
    const job = this.jobs.of(from)
    const d1 = d1Over((statements) => runner.ask({ trip: this.#tripOf(statements) }) as Promise<TripAnswer>)
    let sent: readonly Message[] | null = null
    void this.#work(job, d1, runner).then(
      (messages) => {
        sent = messages
      },
      () => {
        // The queue repeats a message that failed. Anything else leaves its work to the sweep.
        const notBeforeMs = runner.nowMs + 10_000
        sent = job.kind === 'drain' ? [{ customerId: job.customerId, notBeforeMs }] : []
      },
    )
    return {
      happen: (_kind, call, answer, nowMs) => {
        runner.nowMs = nowMs
        const asked = runner.waiting.get(call)?.asked
        const isPost = asked !== undefined && 'post' in asked
        runner.answer(call, isPost ? postedOf(answer) : this.database.answers.of(answer))
      },
      standing: () => ({ calls: runner.calls, sent }),
    }
  }

  async #work(job: Job, d1: unknown, runner: Runner<Asked, TripAnswer | Posted>): Promise<Message[]> {
    const { core } = this
    const nowMs = runner.nowMs
    const due = (customerIds: readonly string[], notBeforeMs = runner.nowMs) =>
      customerIds.map((customerId) => ({ customerId, notBeforeMs }))
    const ofMessages = (messages: readonly OutboxMessage[]) => due(messages.map(({ customerId }) => customerId))
    switch (job.kind) {
      case 'enqueue':
        return ofMessages(await core.pendingMessagesOf(d1, SCOPE, [job.customerId]))
      case 'sweep':
        return ofMessages(await core.overdueDeliveries(d1, nowMs))
      case 'resume':
        return ofMessages(await core.resumedDeliveries(d1, SCOPE.tenantId, nowMs))
      case 'redeliver': {
        const endpoint = { id: ENDPOINT, eventTypes: null }
        const which = { kind: 'event', eventId: 'evt_1' } as const
        return due((await core.redeliver(core.openDatabase(d1), SCOPE, endpoint, which, 10, nowMs))?.customerIds ?? [])
      }
      case 'hurry': {
        const hurried = await core.hurry(core.openDatabase(d1), SCOPE, ENDPOINT, { kind: 'all' }, nowMs)
        return due(hurried?.customerIds ?? [])
      }
      case 'drain':
        return this.#drain(job.customerId, d1, runner)
    }
  }

  /** Drains a chain and sends what follows, as the consumer of the queue does. */
  async #drain(customerId: string, d1: unknown, runner: Runner<Asked, TripAnswer | Posted>): Promise<Message[]> {
    const chain: Chain = { ...SCOPE, endpointId: ENDPOINT, customerId }
    const outbox = this.core.webhookOutbox(d1, () => `evt_by_${customerId}_${runner.nowMs}`)
    let delivery = 0
    const noted = <Result extends { kind: string }>(head: Result): Result => {
      if (head.kind === 'claimed') delivery = (head as unknown as { delivery: { id: number } }).delivery.id
      return head
    }
    const { againAtMs, disabled, broughtBack, broughtBackAtMs } = await this.core.drainChain(chain, {
      outbox: {
        claim: async (...given) => noted(await outbox.claim(...given)),
        finish: async (...given) => {
          const finished = await outbox.finish(...given)
          noted(finished.head)
          return finished
        },
        giveUp: (...given) => outbox.giveUp(...given),
      },
      clock: () => runner.nowMs,
      send: () => runner.ask({ post: delivery, customerId }) as Promise<Posted>,
      onParked: (_chain, _delivery, error) => {
        throw error
      },
    })
    const messages = broughtBack.map((other) => ({ customerId: other, notBeforeMs: broughtBackAtMs }))
    if (againAtMs !== null) messages.push({ customerId, notBeforeMs: againAtMs })
    if (disabled) messages.push({ customerId: '', notBeforeMs: runner.nowMs })
    return messages
  }

  #tripOf(statements: readonly Statement[]): number {
    return this.database.trips.id(statements.map(({ sql, params }) => ({ sql, params })))
  }

  /**
   * Returns what is not at its end after a day or two in which all messages and workers of before are gone, the sweep runs, each
   * message arrives and the receiver answers with 200. Null if nothing is left.
   */
  leftAfterAll(databaseId: number, nowMs: number): Promise<string | null> {
    const { core, database } = this
    return database.onwards(databaseId, async (send, rows) => {
      let atMs = nowMs
      const d1 = d1Over(async (statements) => send(statements, atMs))
      send([{ sql: `UPDATE tenants SET status = 'active'`, params: [] }], atMs)
      for (let round = 0; round < 4; round++) {
        atMs += DAY_MS
        const due = (await core.overdueDeliveries(d1, atMs)).map(({ customerId }) => customerId)
        for (let customerId = due.shift(); customerId !== undefined; customerId = due.shift()) {
          const deps = {
            outbox: core.webhookOutbox(d1, () => `evt_of_sweep_${atMs}`),
            clock: () => atMs,
            send: async () => postedOf(0),
            onParked: () => {},
          }
          const { againAtMs, broughtBack } = await core.drainChain({ ...SCOPE, endpointId: ENDPOINT, customerId }, deps)
          if (againAtMs !== null && againAtMs <= atMs) due.push(customerId)
          due.push(...broughtBack)
        }
        if (rows(`SELECT 1 FROM webhook_deliveries WHERE status = 'pending'`).length === 0) return null
      }
      return 'a delivery is forgotten: neither messages nor the sweep bring it to its end'
    })
  }
}

function postedOf(response: number): Posted {
  return {
    ...{ statusCode: RESPONSES[response] as number, error: null, answer: '', isCut: false },
    ...{ durationMs: 1, retryAfterMs: null },
  }
}

function factsOf(read: (sql: string) => Record<string, unknown>[]): DeliveriesFacts {
  const deliveries = read(
    `SELECT id, event_id AS eventId, customer_id AS customerId, status, slot, next_attempt_at AS nextAttemptAtMs,
      (SELECT count(*) FROM webhook_attempts a WHERE a.delivery_id = d.id) AS attempts FROM webhook_deliveries d ORDER BY id`,
  )
  const [endpoint] = read('SELECT enabled FROM webhook_endpoints')
  return {
    deliveries: deliveries.map((row) => ({ ...row })) as unknown as DeliveryFacts[],
    isEnabled: endpoint?.enabled === 1,
  }
}
