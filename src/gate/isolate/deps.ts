/**
 * The ports of one request at an isolate, and the data that it brings along: `composition/request-services.ts` supplies
 * the ports, the APIs the data.
 */
import type { Customer, MergedAway, Scope } from '../../registry/customer.ts'
import type { Duplicate } from '../../registry/duplicates.ts'
import type { Failure } from '../../registry/errors.ts'
import type { Moment, Past, PastTarget } from '../../registry/past.ts'
import type { ExportPage, ExportQuery, ListPage, ListQuery, Related, Relation } from '../../registry/query.ts'
import type { Sleep } from '../../shared/sleep.ts'
import type { SendingOperator, WriteReply, WriteRequest } from '../protocol/writes.ts'
import type { AdmissionPorts } from './admission.ts'
import type { ConsistencyToken, ReadFrom, Stamped } from './fresh-read.ts'
import type { ImportPorts, UndoPorts } from './importer.ts'

/**
 * The caller of a request. A bound Worker has no credential: its operator set its scopes and its name at deployment.
 */
export interface Caller extends Scope {
  /** SHA-256 of the key's secret; null for a bound Worker and an operator. */
  credential: string | null
  /** Scopes and name of a bound Worker; absent for a key, whose scopes and name come from the gate. */
  bound?: { scopes: readonly string[]; name: string }
  /** An operator who has named the tenant; absent for a caller of the tenant itself. */
  operator?: OperatorCaller
}

/** An operator who was identified for this request. */
export interface OperatorCaller extends SendingOperator {
  /** The actor that events and the audit name. */
  actor: string
}

interface SharedPorts {
  /** Lets work go on after the response. */
  waitUntil(work: Promise<unknown>): void
  /** Returns null when the text is no token of this scope. */
  readToken(text: string): Promise<ConsistencyToken | null>
  /** Logs that D1, KV or the gate failed, and returns the failure for the caller. */
  onStorageFailure(error: unknown): Failure
}

export interface ReaderPorts extends SharedPorts {
  clock(): number
  sleep: Sleep
  /** Returns the number of the database that the tenant was in when this isolate last knew. */
  databaseHint(): number
  /** Looks up the number of the tenant's database, for a caller without a lease. */
  database(): Promise<number>
  /** Returns the rows that the reads of lists, exports and related customers took since the last call. */
  takeRowsRead(): number
  /** These read D1. Each resolves with the bookmark of the state that it read, and rejects when D1 is unavailable. */
  readCustomer(id: string, from: ReadFrom): Promise<Read<Customer | MergedAway>>
  readByExternalId(externalId: string, from: ReadFrom): Promise<Read<Customer>>
  readPast(target: PastTarget, moment: Moment, from: ReadFrom): Promise<Read<Past>>
  readAliases(id: string, from: ReadFrom): Promise<Read<string[]>>
  readAliasesOfEach(ids: readonly string[], from: ReadFrom): Promise<Read<Map<string, string[]>>>
  readDuplicates(id: string, from: ReadFrom): Promise<Read<Duplicate[]>>
  readList(query: ListQuery, options: { total: boolean }, from: ReadFrom): Promise<Read<ListPage>>
  readExportPage(query: ExportQuery, from: ReadFrom): Promise<Read<ExportPage>>
  readRelated(relation: Relation, ids: readonly string[], from: ReadFrom): Promise<Read<Related>>
  kv: {
    customer(id: string): Promise<Stamped<Customer | MergedAway> | null>
    putCustomer(id: string, value: Stamped<Customer | MergedAway>): Promise<void>
    customerId(externalId: string): Promise<string | null>
    putCustomerId(externalId: string, id: string): Promise<void>
  }
}

export interface WriterPorts extends SharedPorts, ImportPorts, UndoPorts {
  write(request: WriteRequest): Promise<WriteReply>
  kv: { forget(ids: readonly string[], externalIds: readonly string[]): Promise<void> }
  writeToken(seq: number, bookmark: string): Promise<string>
  /** Logs an imported chunk. */
  onImport(counts: Record<string, number>): void
  /** Logs the number of customers that a chunk of an undo has reverted. */
  onUndo(reverted: number): void
}

/** Everything that one request needs; `composition/request-services.ts` supplies it. */
export type IsolatePorts = AdmissionPorts & ReaderPorts & WriterPorts

export interface Read<T> {
  value: T | null
  bookmark: string | null
}

/** The options of a request, the same in each API. */
export interface RequestOptions {
  requestId: string
  /** The token of an earlier write that reads must see; null for none. */
  consistencyToken: string | null
  /** The reason of a change, for the audit; null when the caller gave none. */
  reason: string | null
  /** If true, the response to a write waits until no cache anywhere returns the state before it. */
  strongConsistency: boolean
}

/** The name of the Durable Object of a tenant and mode. */
export function gateNameOf({ tenantId, mode }: Scope): string {
  return `${tenantId}:${mode}`
}
