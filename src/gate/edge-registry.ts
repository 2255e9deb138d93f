/**
 * The registry as one request sees it from its isolate: admission, fresh reads, and the way to the gate for writes.
 * Made for one caller and one request; what requests share (leases, memory) is plain data in edge-gate.ts and
 * edge-memory.ts. The rules of admission and freshness are in the pure files beside it.
 */
import type { ImportChunk, ImportedChunk } from '../registry/bulk.ts'
import type { Customer, Scope } from '../registry/customer.ts'
import { type Failure, Refused } from '../registry/failures.ts'
import type { Command, Idempotency, ReadSource, Registry, Snapshot, Written } from '../registry/ports.ts'
import type { ListPage, ListQuery } from '../registry/query.ts'
import { prefers } from '../shared/prefer.ts'
import type { KeyScope } from '../tenants/tenant.ts'
import type { IoTimes } from '../watching/io-times.ts'
import { type Caller, type EdgeDeps, gateNameOf, type RequestFacts } from './edge-deps.ts'
import { type Admitted, admitAt, type Seat, seatAt } from './edge-gate.ts'
import { countsOf, sendChunk } from './edge-import.ts'
import { remaining, resetMs } from './edge-lease.ts'
import { customerIdsInMemory, customersInMemory, snapshotOf } from './edge-memory.ts'
import { missingScope, reasonOf, refusalOf, unavailable } from './edge-refusals.ts'
import { answers, type ConsistencyToken, type ReadPorts, readFresh, type Stamped } from './fresh-read.ts'
import { bucketOf, LIST_TAG, type View } from './freshness.ts'
import { type LimitValues, limitValues } from './limit-headers.ts'
import type { LimitState, WriteReply, WriteRequest } from './write-protocol.ts'

const LIST_BUCKETS = [bucketOf(LIST_TAG)]
const READ_SCOPE = 'customers:read'
const RECOVERIES_MAX = 2
const READMIT_WAIT_MS = 50

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

  /** What this request has waited for so far. */
  get io(): IoTimes {
    return this.#deps.io
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
    const admitted = this.#admit()
    if (!(admitted instanceof Promise)) this.#requireRead(admitted)
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
    const reason = reasonOf(headers)
    this.#wrote = true
    const request: WriteRequest = { command, credential, caller: bound?.name ?? null, requestId, reason, idempotency }
    const reply = await this.#send(request)
    this.#limits = reply.limits
    this.replayed = reply.replayed ?? false
    if (!reply.ok) throw new Refused(reply.failure)
    const { customer, effect, actor, erased } = reply
    this.#seat.state.view.learn(bucketOf(customer.id), reply.seq, reply.bookmark)
    this.consistencyToken = await this.#deps.writeToken(reply.seq, reply.bookmark)
    if (erased) await this.#forget(customer.id, erased.externalIds)
    if (prefers(headers.get('prefer'), 'consistency=strong')) await this.#deps.sleep(reply.strongInMs)
    if (effect !== 'unchanged' && !reply.replayed) this.#deps.onChange({ customerId: customer.id, effect, actor })
    return { customer, effect, consistencyToken: this.consistencyToken, erasure: erased?.receipt }
  }

  /** A gate that has just restarted has nothing to give for a moment: a caller below its limit waits rather than is refused. */
  async #send(request: WriteRequest): Promise<WriteReply> {
    for (let attempt = 0; ; attempt++) {
      const reply = await this.#deps.write(request).catch((error): never => {
        this.#deps.onStorageFailure(error)
        throw unavailable()
      })
      const waitMs = !reply.ok && reply.failure.reason === 'rate_limited' ? (reply.recoversInMs ?? 0) : 0
      if (waitMs === 0 || attempt === RECOVERIES_MAX) return reply
      await this.#deps.sleep(waitMs)
    }
  }

  /** Imports a chunk, waiting for its permits. Who may not import learns it of any chunk, an empty one too. */
  async importChunk(chunk: ImportChunk): Promise<ImportedChunk> {
    const { credential, bound } = this.#caller
    if (bound && !bound.scopes.includes('customers:write')) throw missingScope('customers:write')
    const { requestId, headers } = this.#facts
    this.#wrote = true
    const sender = { credential, caller: bound?.name ?? null, requestId, reason: reasonOf(headers) }
    const reply = await sendChunk(chunk, sender, this.#deps)
    this.#limits = reply.limits
    if (!reply.ok) throw new Refused(reply.failure)
    const { outcomes, written } = reply
    if (!written) return { outcomes, consistencyToken: null }
    for (const done of outcomes) {
      if ('id' in done) this.#seat.state.view.learn(bucketOf(done.id), written.seq, written.bookmark)
    }
    this.#deps.onImport(countsOf(outcomes))
    return { outcomes, consistencyToken: await this.#deps.writeToken(written.seq, written.bookmark) }
  }

  /** Admits a request that goes on for long once more: another permit, and policy and freshness as they are now. */
  async readmit(): Promise<void> {
    for (;;) {
      this.#admitted = null
      const admitted = await this.#admit()
      if (admitted.admission !== 'rate_limited') return this.#requireRead(admitted)
      await this.#deps.sleep(Math.max(READMIT_WAIT_MS, admitted.retryAfterMs))
    }
  }

  /** What other isolates hold of an erased customer is no longer given out; KV is swept once more a minute later. */
  async #forget(id: string, externalIds: readonly string[]): Promise<void> {
    customersInMemory.delete(this.#memoryPrefix + id)
    for (const externalId of externalIds) customerIdsInMemory.delete(this.#memoryPrefix + externalId)
    await this.#deps.kv.forget(id, externalIds).catch((error) => this.#deps.onStorageFailure(error))
  }

  /**
   * Begins to decide on the caller. Called before anything that takes CPU time: the clock stands still until the next I/O,
   * and a lease must not be judged by what the time was before.
   */
  beginAdmission(): void {
    void this.#admit()
  }

  /** Admits the caller if that has not happened yet; null when in good standing, else why not. */
  async refusalOfCaller(): Promise<Failure | null> {
    // A write is admitted, or refused, by the gate itself.
    if (this.#wrote) return null
    // Whatever was looked at so far took time that the clock has not seen.
    if (!this.#admitted) await this.#deps.sleep(0)
    return refusalOf(await this.#admit())
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

  /** For what is not the registry's: admits the caller, who must have the scope, and answers who it is. */
  async require(scope: KeyScope): Promise<string> {
    const admitted = await this.#admit()
    this.#requireScope(admitted, scope)
    const { bound } = this.#caller
    return bound?.name ?? (admitted.verdict?.known ? admitted.verdict.keyId : '')
  }

  #requireRead(admitted: Admitted): void {
    this.#requireScope(admitted, READ_SCOPE)
  }

  #requireScope(admitted: Admitted, scope: KeyScope): void {
    const refusal = refusalOf(admitted)
    if (refusal) throw new Refused(refusal)
    const { verdict } = admitted
    const scopes = this.#caller.bound?.scopes ?? (verdict?.known ? verdict.scopes : [])
    if (!scopes.includes(scope)) throw missingScope(scope)
  }

  async #readCustomer(id: string): Promise<Snapshot | null> {
    const key = this.#memoryPrefix + id
    let wasInKv = false
    const kv = async (): Promise<Stamped<Snapshot> | null> => {
      const found = await this.#deps.kv.customer(id)
      wasInKv = found !== null
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
    // That there is no such customer is told to KV only where it says otherwise: ids that are made up would fill it.
    if (read.fillKv && (read.fillKv.value || wasInKv)) {
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
