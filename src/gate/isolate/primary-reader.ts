/**
 * Reads of one tenant's customers from the D1 primary, for an operator. They need neither a lease nor a permit, so they
 * work for a suspended tenant and take nothing from it. The primary has every committed write, so they are fresh; the
 * caches of the isolate, which a lease has to judge, are not used.
 */
import type { Customer } from '../../registry/customer.ts'
import type { Duplicate } from '../../registry/duplicates.ts'
import { RegistryError } from '../../registry/errors.ts'
import type { Moment, Past, PastTarget } from '../../registry/past.ts'
import type { CustomerReader, Snapshot } from '../../registry/ports.ts'
import type { ExportPage, ExportQuery, ListPage, ListQuery, Related, Relation } from '../../registry/query.ts'
import type { Read, ReaderPorts } from './deps.ts'
import type { ReadFrom } from './fresh-read.ts'
import { followMerges, rememberedOf, snapshotOf } from './memory.ts'
import { checkedToken } from './refusals.ts'
import type { ResponseFacts } from './response-facts.ts'

export class PrimaryReader implements CustomerReader {
  readonly #ports: ReaderPorts
  readonly #facts: ResponseFacts
  readonly #tokenText: string | null
  readonly #recheck: () => Promise<void>

  /** `recheck` rejects if the caller may not go on with a long request. */
  constructor(ports: ReaderPorts, facts: ResponseFacts, tokenText: string | null, recheck: () => Promise<void>) {
    this.#ports = ports
    this.#facts = facts
    this.#tokenText = tokenText
    this.#recheck = recheck
  }

  async byId(id: string): Promise<Snapshot | null> {
    return followMerges(id, async (at) => {
      const found = await this.#read((from) => this.#ports.readCustomer(at, from))
      return found && rememberedOf(found)
    })
  }

  async byExternalId(externalId: string): Promise<Snapshot | null> {
    return snapshotOrNull(await this.#read((from) => this.#ports.readByExternalId(externalId, from)))
  }

  past(target: PastTarget, moment: Moment): Promise<Past> {
    return this.#readAll((from) => this.#ports.readPast(target, moment, from))
  }

  list(query: ListQuery, options: { total: boolean }): Promise<ListPage> {
    return this.#readAll((from) => this.#ports.readList(query, options, from))
  }

  exportPage(query: ExportQuery): Promise<ExportPage> {
    return this.#readAll((from) => this.#ports.readExportPage(query, from))
  }

  related(relation: Relation, ids: readonly string[]): Promise<Related> {
    return this.#readAll((from) => this.#ports.readRelated(relation, ids, from))
  }

  aliasesOf(id: string): Promise<string[]> {
    return this.#readAll((from) => this.#ports.readAliases(id, from))
  }

  aliasesOfEach(ids: readonly string[]): Promise<Map<string, string[]>> {
    return this.#readAll((from) => this.#ports.readAliasesOfEach(ids, from))
  }

  duplicatesOf(id: string): Promise<Duplicate[]> {
    return this.#readAll((from) => this.#ports.readDuplicates(id, from))
  }

  readmit(): Promise<void> {
    return this.#recheck()
  }

  /** Null only where it is the result of the read. */
  async #readAll<T>(read: (from: ReadFrom) => Promise<Read<T>>): Promise<T> {
    return (await this.#read(read)) as T
  }

  async #read<T>(read: (from: ReadFrom) => Promise<Read<T>>): Promise<T | null> {
    // A read of the primary needs no token, but a caller that sends an invalid one gets an error.
    if (this.#tokenText !== null) await checkedToken(this.#tokenText, this.#ports)
    try {
      const { value } = await read({ database: await this.#ports.database(), start: 'primary' })
      this.#facts.source = 'd1'
      return value
    } catch (error) {
      throw new RegistryError(this.#ports.onStorageFailure(error))
    }
  }
}

function snapshotOrNull(customer: Customer | null): Snapshot | null {
  return customer && snapshotOf(customer)
}
