/**
 * The registry as one request sees it from its isolate: admission, fresh reads, and the way to the gate for writes.
 * Made for one caller and one request; what requests share (leases, memory) is plain data in edge-gate.ts and
 * edge-memory.ts. The rules of admission and freshness are in the pure files beside it.
 */
import type { Customer, Scope } from '../registry/customer.ts'
import { type Failure, Refused } from '../registry/failures.ts'
import type { Command, Idempotency, ReadSource, Registry, Snapshot, Written } from '../registry/ports.ts'
import type { ListPage, ListQuery } from '../registry/query.ts'
import { type Admitted, admitAt, type EdgePorts, type Seat, seatAt } from './edge-gate.ts'
import { remaining, resetMs } from './edge-lease.ts'
import { customerIdsInMemory, customersInMemory, snapshotOf } from './edge-memory.ts'
import { answers, type ConsistencyToken, type ReadFrom, type ReadPorts, readFresh, type Stamped } from './fresh-read.ts'
import { bucketOf, LIST_TAG, type View } from './freshness.ts'
import { type LimitValues, limitValues } from './limit-headers.ts'
import type { LimitState, WriteReply, WriteRequest } from './write-protocol.ts'

/** Who asks. A bound Worker has no credential: whoever deployed it vouched for its scopes and its name. */
export interface Caller extends Scope {
  /** SHA-256 of the key's secret; null for a bound Worker. */
  credential: string | null
  /** Scopes and name of a bound Worker; null for a key, which the gate knows. */
  bound: { scopes: readonly string[]; name: string } | null
}

/** The world, for one request. `wiring.ts` supplies it. */
export interface EdgeDeps extends EdgePorts {
  write(request: WriteRequest): Promise<WriteReply>
  /** Reads D1; each answers with the bookmark of the state it saw. They reject when D1 is away. */
  readCustomer(id: string, from: ReadFrom): Promise<Read<Customer>>
  readByExternalId(externalId: string, from: ReadFrom): Promise<Read<Customer>>
  readAliases(id: string, from: ReadFrom): Promise<Read<string[]>>
  readAliasesOfEach(ids: readonly string[], from: ReadFrom): Promise<Read<Map<string, string[]>>>
  readList(query: ListQuery, options: { total: boolean }, from: ReadFrom): Promise<Read<ListPage>>
  kv: {
    customer(id: string): Promise<Stamped<Customer> | null>
    putCustomer(id: string, value: Stamped<Customer>): Promise<void>
    customerId(externalId: string): Promise<string | null>
    putCustomerId(externalId: string, id: string): Promise<void>
    forget(id: string, externalIds: readonly string[]): Promise<void>
  }
  /** Null when the text is no token of this scope. */
  readToken(text: string): Promise<ConsistencyToken | null>
  writeToken(seq: number, bookmark: string): Promise<string>
  /** D1 failed: says so in the log. */
  onStorageFailure(error: unknown): void
  /** A change was made: says so in the log. */
  onChange(written: { customerId: string; effect: string; actor: string }): void
}

export interface Read<T> {
  value: T | null
  bookmark: string | null
}

/** What the request brought along. */
export interface RequestFacts {
  requestId: string
  /** `consistency-token` is looked at by every read, `x-reason` (why a change is made) by every write. */
  headers: Pick<Headers, 'get'>
}

const LIST_BUCKETS = [bucketOf(LIST_TAG)]
const READ_SCOPE = 'customers:read'
const RETRY_AFTER_MS = 1_000

export class EdgeRegistry implements Registry {
  readonly scope: Scope
  /** Where the last read of a customer was answered from; null before one. */
  source: ReadSource | null = null
  /** Of the write this request made. */
  consistencyToken: string | null = null
  /** Whether its answer is the one that an earlier request with the same idempotency key was given. */
  replayed = false

  readonly #caller: Caller
  readonly #deps: EdgeDeps
  readonly #facts: RequestFacts
  readonly #seat: Seat
  readonly #memoryPrefix: string
  #admitted: Admitted | Promise<Admitted> | null = null
  #limits: LimitState | null = null
  #wrote = false
  readonly #tokenText: string | null
  #token: Promise<ConsistencyToken | null> | null = null

  constructor(caller: Caller, deps: EdgeDeps, facts: RequestFacts) {
    this.scope = { tenantId: caller.tenantId, mode: caller.mode }
    this.#caller = caller
    this.#deps = deps
    this.#facts = facts
    this.#tokenText = facts.headers.get('consistency-token')
    const gateName = gateNameOf(caller)
    this.#seat = seatAt(gateName)
    this.#memoryPrefix = `${gateName}:`
  }

  async byId(id: string): Promise<Snapshot | null> {
    const admitted = this.#admit()
    if (!(admitted instanceof Promise) && this.#tokenText === null) {
      this.#requireRead(admitted)
      const kept = customersInMemory.get(this.#memoryPrefix + id)
      if (answers(kept, this.#seat.state.view, [bucketOf(id)], null)) {
        this.source = 'memory'
        return kept.value
      }
    }
    return this.#readCustomer(id)
  }

  async byExternalId(externalId: string): Promise<Snapshot | null> {
    void this.#admit()
    const key = this.#memoryPrefix + externalId
    const hint = customerIdsInMemory.get(key) ?? (await this.#deps.kv.customerId(externalId))
    if (hint) {
      // The hint may be of any age. The customer is fresh, and as long as it bears this external id no other can.
      const snapshot = await this.byId(hint)
      if (snapshot && snapshot.customer.externalId === externalId && snapshot.customer.status !== 'archived') {
        customerIdsInMemory.set(key, hint)
        return snapshot
      }
    }
    const customer = await this.#read(LIST_BUCKETS, {
      d1: (from) => this.#deps.readByExternalId(externalId, from),
    })
    this.source = 'd1'
    if (!customer.value) return null
    if (customer.value.externalId === externalId) {
      customerIdsInMemory.set(key, customer.value.id)
      this.#deps.waitUntil(this.#deps.kv.putCustomerId(externalId, customer.value.id))
    }
    return this.#keep(customer.value.id, customer)
  }

  async list(query: ListQuery, options: { total: boolean }): Promise<ListPage> {
    const page = await this.#read(LIST_BUCKETS, { d1: (from) => this.#deps.readList(query, options, from) })
    this.source = 'd1'
    return page.value as ListPage
  }

  async aliasesOf(id: string): Promise<string[]> {
    const aliases = await this.#read(LIST_BUCKETS, { d1: (from) => this.#deps.readAliases(id, from) })
    return aliases.value ?? []
  }

  async aliasesOfEach(ids: readonly string[]): Promise<Map<string, string[]>> {
    const aliases = await this.#read(LIST_BUCKETS, { d1: (from) => this.#deps.readAliasesOfEach(ids, from) })
    return aliases.value ?? new Map()
  }

  async write(command: Command, idempotency: Idempotency | null = null): Promise<Written> {
    // The token is of no use to a write, but a caller that sends a wrong one should learn of it.
    await this.#consistency()
    const { credential, bound } = this.#caller
    if (bound && !bound.scopes.includes('customers:write')) throw missingScope('customers:write')
    const { requestId, headers } = this.#facts
    const reason = headers.get('x-reason')
    this.#wrote = true
    const request: WriteRequest = { command, credential, caller: bound?.name ?? null, requestId, reason, idempotency }
    const reply = await this.#deps.write(request).catch((error): never => {
      this.#deps.onStorageFailure(error)
      throw unavailable()
    })
    this.#limits = reply.limits
    this.replayed = reply.replayed ?? false
    if (!reply.ok) throw new Refused(reply.failure)
    const { customer, effect, actor, erased } = reply
    this.#seat.state.view.learn(bucketOf(customer.id), reply.seq, reply.bookmark)
    this.consistencyToken = await this.#deps.writeToken(reply.seq, reply.bookmark)
    if (erased) await this.#forget(customer.id, erased.externalIds)
    if (effect !== 'unchanged' && !reply.replayed) this.#deps.onChange({ customerId: customer.id, effect, actor })
    return { customer, effect, consistencyToken: this.consistencyToken, erasure: erased?.receipt }
  }

  /** What other isolates hold of an erased customer is no longer given out; KV is swept once more a minute later. */
  async #forget(id: string, externalIds: readonly string[]): Promise<void> {
    customersInMemory.delete(this.#memoryPrefix + id)
    for (const externalId of externalIds) customerIdsInMemory.delete(this.#memoryPrefix + externalId)
    await this.#deps.kv.forget(id, externalIds).catch((error) => this.#deps.onStorageFailure(error))
  }

  /** Admits the caller if that has not happened yet; null when in good standing, else why not. */
  async refusalOfCaller(): Promise<Failure | null> {
    // A write is admitted, or refused, by the gate itself.
    return this.#wrote ? null : refusalOf(await this.#admit())
  }

  /** What the RateLimit headers say now; null as long as nothing is known of the limit. */
  limits(): LimitValues | null {
    if (this.#limits) return limitValues(this.#limits)
    const { state } = this.#seat
    if (!state.policy) return null
    const nowMs = this.#deps.clock()
    return limitValues({
      policy: state.policy,
      remaining: remaining(state, nowMs),
      fullInMs: resetMs(state, nowMs),
    })
  }

  #admit(): Admitted | Promise<Admitted> {
    if (!this.#admitted) {
      this.#admitted = admitAt(this.#seat, this.#caller.credential, this.#deps)
    }
    return this.#admitted
  }

  #requireRead({ admission, verdict, retryAfterMs }: Admitted): void {
    const refusal = refusalOf({ admission, verdict, retryAfterMs })
    if (refusal) throw new Refused(refusal)
    const scopes = this.#caller.bound?.scopes ?? (verdict?.known ? verdict.scopes : [])
    if (!scopes.includes(READ_SCOPE)) throw missingScope(READ_SCOPE)
  }

  async #readCustomer(id: string): Promise<Snapshot | null> {
    const key = this.#memoryPrefix + id
    const kv = async (): Promise<Stamped<Snapshot> | null> => {
      const found = await this.#deps.kv.customer(id)
      return found && { asof: found.asof, value: found.value && snapshotOf(found.value) }
    }
    const read = await this.#read<Snapshot>([bucketOf(id)], {
      memory: () => customersInMemory.get(key),
      kv,
      d1: async (from) => {
        const { value, bookmark } = await this.#deps.readCustomer(id, from)
        return { value: value && snapshotOf(value), bookmark }
      },
    })
    this.source = read.from
    if (read.fillMemory) customersInMemory.set(key, read.fillMemory)
    if (read.fillKv) {
      const { asof, value } = read.fillKv
      this.#deps.waitUntil(this.#deps.kv.putCustomer(id, { asof, value: value?.customer ?? null }))
    }
    return read.value
  }

  /** A customer that was read along with something else is remembered like one that was asked for. */
  #keep(id: string, read: { value: Customer | null; fillMemory: Stamped<Customer> | null }): Snapshot | null {
    const snapshot = read.value && snapshotOf(read.value)
    if (read.fillMemory) customersInMemory.set(this.#memoryPrefix + id, { asof: read.fillMemory.asof, value: snapshot })
    return snapshot
  }

  async #read<T>(buckets: readonly number[], ports: Pick<ReadPorts<T>, 'd1'> & Partial<ReadPorts<T>>) {
    const token = await this.#consistency()
    try {
      return await readFresh<T>(
        { memory: () => undefined, kv: async () => null, lease: () => this.#view(), ...ports },
        buckets,
        token,
      )
    } catch (error) {
      if (error instanceof Refused) throw error
      this.#deps.onStorageFailure(error)
      throw unavailable()
    }
  }

  #view(): View | Promise<View> {
    const admitted = this.#admit()
    if (!(admitted instanceof Promise)) {
      this.#requireRead(admitted)
      return this.#seat.state.view
    }
    return admitted.then((late) => {
      this.#requireRead(late)
      return this.#seat.state.view
    })
  }

  async #consistency(): Promise<ConsistencyToken | null> {
    if (this.#tokenText === null) return null
    this.#token ??= this.#deps.readToken(this.#tokenText)
    const read = await this.#token
    if (read) return read
    throw new Refused({
      reason: 'invalid_input',
      problems: [
        {
          field: 'consistency-token',
          message: 'is not a token that a write of this tenant and mode answered',
          fix: 'send the header as a write answered it, or leave it out',
        },
      ],
    })
  }
}

/** The name of the Durable Object of a tenant and mode. */
export function gateNameOf({ tenantId, mode }: Scope): string {
  return `${tenantId}:${mode}`
}

function refusalOf({ admission, retryAfterMs }: Admitted): Failure | null {
  switch (admission) {
    case 'admitted':
      return null
    case 'rate_limited':
      return { reason: 'rate_limited', retryAfterMs }
    case 'annual_limit':
      return { reason: 'annual_limit_reached', retryAfterMs }
    case 'suspended':
      return { reason: 'tenant_suspended' }
    case 'unknown_key':
      return { reason: 'unauthorized' }
    case 'unavailable':
      return { reason: 'unavailable', retryAfterMs }
  }
}

function missingScope(scope: string): Refused {
  return new Refused({ reason: 'missing_scope', scope })
}

function unavailable(): Refused {
  return new Refused({ reason: 'unavailable', retryAfterMs: RETRY_AFTER_MS })
}
