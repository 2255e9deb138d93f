/**
 * Fresh reads of one tenant's customers, for one request: memory, KV and D1, judged by the lease that admitted the
 * request. The rules of freshness are in fresh-read.ts.
 */
import type { Customer } from '../../registry/customer.ts'
import type { Duplicate } from '../../registry/duplicates.ts'
import { RegistryError } from '../../registry/errors.ts'
import type { Moment, Past, PastTarget } from '../../registry/past.ts'
import type { CustomerReader, Snapshot } from '../../registry/ports.ts'
import type { ExportPage, ExportQuery, ListPage, ListQuery, Related, Relation } from '../../registry/query.ts'
import { type Eventual, whenKnown } from '../../shared/eventual.ts'
import { LOOK } from '../../shared/lru.ts'
import { bucketOf, LIST_TAG } from '../core/freshness.ts'
import type { LeaseHolder } from './admission.ts'
import type { Read, ReaderPorts } from './deps.ts'
import {
  type ConsistencyToken,
  canServe,
  type ReadFrom,
  type ReadPorts,
  readFresh,
  type Stamped,
} from './fresh-read.ts'
import { type Shareable, takesToKv } from './kv-filling.ts'
import { KvPatience } from './kv-patience.ts'
import {
  customerIdsInMemory,
  customersInMemory,
  followMerges,
  type Remembered,
  rememberedOf,
  snapshotOf,
} from './memory.ts'
import { checkedToken } from './refusals.ts'
import type { RequestAdmission } from './request-admission.ts'
import type { ResponseFacts } from './response-facts.ts'

const LIST_BUCKETS = [bucketOf(LIST_TAG)]
const READ_SCOPE = 'customers:read'
const patience = new KvPatience()

export class IsolateReader implements CustomerReader {
  readonly #admission: RequestAdmission
  readonly #ports: ReaderPorts
  readonly #facts: ResponseFacts
  readonly #leaseHolder: LeaseHolder
  readonly #gateName: string
  readonly #tokenText: string | null
  #token: Promise<ConsistencyToken | null> | null = null

  /**
   * `gateName` keeps the customers of tenants apart in memory; `tokenText` is the token of an earlier write that reads
   * have to see.
   */
  constructor(
    admission: RequestAdmission,
    ports: ReaderPorts,
    facts: ResponseFacts,
    leaseHolder: LeaseHolder,
    gateName: string,
    tokenText: string | null,
  ) {
    this.#admission = admission
    this.#ports = ports
    this.#facts = facts
    this.#leaseHolder = leaseHolder
    this.#gateName = gateName
    this.#tokenText = tokenText
  }

  /** Returns the key in memory of an id or an external id, which no other tenant or mode has. */
  #keyOf(id: string): string {
    return `${this.#gateName}:${id}`
  }

  byId(id: string): Eventual<Snapshot | null> {
    const kept = this.#kept(id)
    return whenKnown(kept === undefined ? this.#readCustomer(id) : kept, (found) => {
      if (found === null || 'customer' in found) return found
      // Each customer on the way is as fresh as a read of it alone, because a merge changes all whose way it changes.
      return followMerges(found.mergedInto, async (at) => this.#kept(at) ?? this.#readCustomer(at))
    })
  }

  /** Returns what is in memory, if the lease in force lets it answer the read; null for no customer, undefined otherwise. */
  #kept(id: string): Remembered | null | undefined {
    if (this.#tokenText !== null) {
      this.#admission.begin([READ_SCOPE])
      return undefined
    }
    const view = this.#admission.viewIfDecided(READ_SCOPE)
    const kept = view && customersInMemory.get(this.#keyOf(id), LOOK)
    if (!view || !canServe(kept, view, [bucketOf(id)], null)) return undefined
    this.#facts.source = 'memory'
    if (!kept.isShared) this.#shareCustomer(id, kept)
    return kept.value
  }

  byExternalId(externalId: string): Eventual<Snapshot | null> {
    const hint = customerIdsInMemory.get(this.#keyOf(externalId), LOOK)
    if (!hint) return this.#byUnknownExternalId(externalId)
    return whenKnown(this.byId(hint.id), (snapshot) => {
      if (!hasNow(snapshot, externalId)) return this.#readByExternalId(externalId)
      this.#shareHint(externalId, hint)
      return snapshot
    })
  }

  async #byUnknownExternalId(externalId: string): Promise<Snapshot | null> {
    const id = await this.#hintInKv(externalId)
    const snapshot = id ? await this.byId(id) : null
    // D1 needs no hint, so a late one is not waited for.
    if (!id || !hasNow(snapshot, externalId)) return this.#readByExternalId(externalId)
    customerIdsInMemory.set(this.#keyOf(externalId), { id, isShared: true })
    return snapshot
  }

  async #readByExternalId(externalId: string): Promise<Snapshot | null> {
    const customer = await this.#read(LIST_BUCKETS, {
      d1: (from) => this.#ports.readByExternalId(externalId, from),
    })
    this.#facts.source = 'd1'
    if (!customer.value) return null
    const { id } = customer.value
    if (customer.value.externalId === externalId) {
      customerIdsInMemory.set(this.#keyOf(externalId), { id, isShared: false })
    }
    return this.#keep(id, customer)
  }

  /** Refuses before it reads, if the lease can decide, or did so before. */
  async #hintInKv(externalId: string): Promise<string | null> {
    this.#admission.viewIfDecided(READ_SCOPE)
    await this.#decideFirst()
    const hint = await patience.soon(this.#ports.kv.customerId(externalId), this.#ports)
    return hint === 'late' ? null : hint
  }

  async past(target: PastTarget, moment: Moment): Promise<Past> {
    const found = await this.#readPaid((from) => this.#ports.readPast(target, moment, from))
    this.#facts.source = 'd1'
    return found
  }

  async list(query: ListQuery, options: { total: boolean }): Promise<ListPage> {
    const found = await this.#readPaid((from) => this.#ports.readList(query, options, from))
    this.#facts.source = 'd1'
    return found
  }

  async exportPage(query: ExportQuery): Promise<ExportPage> {
    const found = await this.#readPaid((from) => this.#ports.readExportPage(query, from))
    this.#facts.source = 'd1'
    return found
  }

  async related(relation: Relation, ids: readonly string[]): Promise<Related> {
    const found = await this.#readPaid((from) => this.#ports.readRelated(relation, ids, from))
    this.#facts.source = 'd1'
    return found
  }

  aliasesOf(id: string): Promise<string[]> {
    return this.#readPaid((from) => this.#ports.readAliases(id, from))
  }

  aliasesOfEach(ids: readonly string[]): Promise<Map<string, string[]>> {
    return this.#readPaid((from) => this.#ports.readAliasesOfEach(ids, from))
  }

  duplicatesOf(id: string): Promise<Duplicate[]> {
    return this.#readPaid((from) => this.#ports.readDuplicates(id, from))
  }

  readmit(): Promise<void> {
    return this.#admission.readmit(READ_SCOPE)
  }

  /** Reads from D1 and charges the request for the rows, also if it is refused after they were read. */
  async #readPaid<T>(d1: (from: ReadFrom) => Promise<Read<T>>): Promise<T> {
    try {
      const read = await this.#read(LIST_BUCKETS, { d1 })
      // Null only where it is the result.
      return read.value as T
    } finally {
      this.#admission.charge({ rows: this.#ports.takeRowsRead() })
    }
  }

  async #readCustomer(id: string): Promise<Remembered | null> {
    const key = this.#keyOf(id)
    let wasInKv = false
    const kv = async (): Promise<Stamped<Remembered> | null> => {
      const found = await this.#ports.kv.customer(id)
      wasInKv = found !== null
      return found && { asof: found.asof, value: found.value && rememberedOf(found.value) }
    }
    const read = await this.#read<Remembered>([bucketOf(id)], {
      memory: () => customersInMemory.get(key),
      kv,
      soon: (found) => patience.soon(found, this.#ports),
      d1: async (from) => {
        const { value, bookmark } = await this.#ports.readCustomer(id, from)
        return { value: value && rememberedOf(value), bookmark }
      },
    })
    this.#facts.source = read.from
    const kept = customersInMemory.get(key)
    if (read.fillMemory) customersInMemory.set(key, { ...read.fillMemory, isShared: read.from === 'kv' })
    else if (kept) this.#shareCustomer(id, kept)
    // KV gets a tombstone at once, but only for a customer that it has, because made-up ids would fill it.
    if (read.fillKv && read.value === null && wasInKv) {
      this.#ports.waitUntil(this.#ports.kv.putCustomer(id, { asof: read.fillKv.asof, value: null }))
    }
    return read.value
  }

  #shareCustomer(id: string, kept: Stamped<Remembered> & Shareable): void {
    const { asof, value } = kept
    if (value === null || !takesToKv(kept, this.#leaseHolder.changeRate)) return
    const stored = 'customer' in value ? value.customer : value
    this.#ports.waitUntil(this.#ports.kv.putCustomer(id, { asof, value: stored }))
  }

  #shareHint(externalId: string, known: { id: string } & Shareable): void {
    if (!takesToKv(known, this.#leaseHolder.changeRate)) return
    this.#ports.waitUntil(this.#ports.kv.putCustomerId(externalId, known.id))
  }

  /** Keeps in memory a customer that was found by an external id. */
  #keep(id: string, read: { value: Customer | null; fillMemory: Stamped<Customer> | null }): Snapshot | null {
    const snapshot = read.value && snapshotOf(read.value)
    if (read.fillMemory) {
      const { asof } = read.fillMemory
      customersInMemory.set(this.#keyOf(id), { asof, value: snapshot, isShared: false })
    }
    return snapshot
  }

  async #read<T>(buckets: readonly number[], ports: Pick<ReadPorts<T>, 'd1'> & Partial<ReadPorts<T>>) {
    const token = await this.#consistency()
    await this.#decideFirst()
    try {
      const lease = () => this.#admission.view(READ_SCOPE)
      const databaseHint = () => this.#ports.databaseHint()
      const plain: Pick<ReadPorts<T>, 'memory' | 'kv' | 'soon'> = {
        memory: () => undefined,
        kv: async () => null,
        soon: (kv) => kv,
      }
      return await readFresh<T>({ ...plain, lease, databaseHint, ...ports }, buckets, token)
    } catch (error) {
      if (error instanceof RegistryError) throw error
      throw new RegistryError(this.#ports.onStorageFailure(error))
    }
  }

  /** Waits for the admission of a caller that is likely to be refused: reading for it would be in vain. */
  async #decideFirst(): Promise<void> {
    if (this.#admission.isLikelyRefused(READ_SCOPE)) await this.#admission.view(READ_SCOPE)
  }

  #consistency(): Promise<ConsistencyToken | null> | null {
    if (this.#tokenText === null) return null
    this.#token ??= checkedToken(this.#tokenText, this.#ports)
    return this.#token
  }
}

/**
 * Returns whether a hint led to the customer that has this external id. The hint may be of any age, but the customer is fresh, and
 * while it has the external id no other customer can have it.
 */
function hasNow(snapshot: Snapshot | null, externalId: string): boolean {
  return snapshot?.customer.externalId === externalId && snapshot.customer.status !== 'archived'
}
