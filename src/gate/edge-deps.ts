/**
 * What one request at an isolate needs of the world, and what it brings along. `wiring/edge-world.ts` supplies the one, the
 * doors the other.
 */
import type { Customer, Scope } from '../registry/customer.ts'
import type { ListPage, ListQuery } from '../registry/query.ts'
import type { EdgePorts } from './edge-gate.ts'
import type { EdgeImportPorts } from './edge-import.ts'
import type { ConsistencyToken, ReadFrom, Stamped } from './fresh-read.ts'
import type { WriteReply, WriteRequest } from './write-protocol.ts'

/** Who asks. A bound Worker has no credential: whoever deployed it vouched for its scopes and its name. */
export interface Caller extends Scope {
  /** SHA-256 of the key's secret; null for a bound Worker. */
  credential: string | null
  /** Scopes and name of a bound Worker; null for a key, which the gate knows. */
  bound: { scopes: readonly string[]; name: string } | null
}

/** The world, for one request. `wiring/edge-world.ts` supplies it. */
export interface EdgeDeps extends EdgePorts, EdgeImportPorts {
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
  /** A chunk was imported: says so in the log. */
  onImport(counts: Record<string, number>): void
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

/** The name of the Durable Object of a tenant and mode. */
export function gateNameOf({ tenantId, mode }: Scope): string {
  return `${tenantId}:${mode}`
}
