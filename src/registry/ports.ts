/**
 * The ports of the registry: fresh reads and ordered writes of one tenant's customers, for one request. `gate/` and
 * `storage/` implement them together. Every method throws `RegistryError` when the request may not be served.
 */
import type { Eventual } from '../shared/eventual.ts'
import type { ImportChunk, ImportedChunk } from './bulk.ts'
import type { Customer, CustomerChanges } from './customer.ts'
import type { Duplicate } from './duplicates.ts'
import type { Failure } from './errors.ts'
import type { MergePreference, MergeReport } from './merge.ts'
import type { Moment, Past, PastTarget } from './past.ts'
import type { Conditional } from './precondition.ts'
import type { ExportPage, ExportQuery, ListPage, ListQuery, Related, Relation } from './query.ts'
import type { ContestedField, RevertPlan } from './revert.ts'
import type { UndoChunk, UndoneChunk } from './undo.ts'
import type { UnmergeReport } from './unmerge.ts'

/** Names the customer of a change. If it has both ids, they must name the same customer. */
export type Target =
  | { id: string; externalId?: undefined }
  | { id?: undefined; externalId: string }
  | { id: string; externalId: string }

/** The onboarding workflow of a new customer: a name, null for the tenant's default if it has one, or `''` for none. */
export type OnboardingChoice = string | null

/**
 * A change as the isolate sends it to the gate: plain data. The isolate chooses the `id` of a new customer, so that a
 * repeat has the same id.
 */
export type Command =
  | {
      kind: 'create'
      id: string
      fields: CustomerChanges & { externalId: string }
      /** Decides whether to fail or to return the other customer when it has the external id already. */
      ifExists: 'fail' | 'return'
      onboarding?: OnboardingChoice
    }
  /** The gate adds `mergedId`: the id that was asked for, if it is that of a customer that was merged into the target. */
  | ({ kind: 'update'; target: Target; changes: CustomerChanges; mergedId?: string } & Conditional)
  | ({
      kind: 'upsert'
      id: string
      externalId: string
      changes: CustomerChanges
      /** Applies only if the upsert creates a customer. */
      onboarding?: OnboardingChoice
    } & Conditional)
  | ({ kind: 'archive'; target: Target } & Conditional)
  /** Applies the changes together with the restore. An isolate that runs older code sends none. */
  | ({ kind: 'restore'; target: Target; changes?: CustomerChanges } & Conditional)
  | ({ kind: 'erase'; target: Target } & Conditional)
  /** Merges the target into another customer, which must have the version `intoVersion` if that is given. */
  | ({
      kind: 'merge'
      target: Target
      into: string
      intoVersion: number | null
      prefer: MergePreference
      /** True: changes nothing and returns what the merge would do. */
      dryRun: boolean
    } & Conditional)
  /** Takes back the merge of the source into the target. */
  | ({ kind: 'unmerge'; target: Target; source: string; dryRun: boolean } & Conditional)
  /**
   * Makes the customer what it was at a moment. What is not to be had any more refuses it, or with `partial` stays as it
   * is. The gate adds the plan, which is for one version of the customer, or the reason why there is none.
   */
  | ({
      kind: 'revert'
      target: { id: string; externalId?: undefined }
      to: Moment
      partial: boolean
      plan?: RevertPlan
      refusal?: Failure
    } & Conditional)

export type Effect = 'created' | 'updated' | 'unchanged' | 'archived' | 'restored' | 'merged' | 'unmerged' | 'erased'

/** Identifies a repeat of a request: the caller's key and the request, both hashed (SHA-256, base64url). */
export interface Idempotency {
  key: string
  fingerprint: string
}

/** The receipt of an erasure. `rows` counts the rows from which personal data was removed. */
export interface Erasure {
  customerId: string
  erasedAtMs: number
  erasedBy: string
  rows: {
    customers: number
    events: number
    aliases: number
    integrations: number
    idempotencyRecords: number
    webhookAttempts: number
    onboardingRuns: number
  }
}

/** The part that a caller without the scope `customers:read` gets of the customer that it wrote. */
export type CustomerReference = Pick<Customer, 'id' | 'externalId' | 'status' | 'version'>

/** A result is cut for the scopes of the caller that gets it, also if an earlier request of another caller made it. */
export type Written = {
  effect: Effect
  /** A read that sends this token sees this write. Empty for a dry run. */
  consistencyToken: string
  /** The receipt, if this write or an earlier one erased the customer. */
  erasure?: Erasure | undefined
  /** The report of a merge. The customer of the result is the survivor. */
  merge?: MergeReport | undefined
  /** The source of an unmerge as it is again, and the report. The customer of the result is the survivor. */
  unmerged?: { source: Customer | CustomerReference; report: UnmergeReport } | undefined
  /** The fields in which the customer is not what it was, after a revert. */
  left?: ContestedField[] | undefined
} & ({ isCut: false; customer: Customer } | { isCut: true; customer: CustomerReference })

/**
 * A customer as of one moment, with the response bodies made from it so far, so that a hot read sends a ready string.
 */
export interface Snapshot {
  readonly customer: Customer
  /**
   * JSON bodies by the name of the API. Each API adds its own on first use. They are cached as long as the snapshot is.
   */
  readonly bodies: Record<string, string | undefined>
}

/** The place that a read was served from, for the `cache-status` header. */
export type ReadSource = 'memory' | 'kv' | 'd1'

export interface CustomerReader {
  /**
   * Returns null when the tenant and mode have no such customer, at once if memory has the result. Finds archived ones too. For a customer that was merged
   * into another one, returns that one, which has another id.
   */
  byId(id: string): Eventual<Snapshot | null>
  /**
   * Returns the customer that has the external id, or the one that had it before if no other took it. Does not find
   * archived ones.
   */
  byExternalId(externalId: string): Eventual<Snapshot | null>
  /** Returns what the customer was at the moment. It is fresh as any read is, and no cache has it. */
  past(target: PastTarget, moment: Moment): Promise<Past>
  list(query: ListQuery, options: { total: boolean }): Promise<ListPage>
  exportPage(query: ExportQuery): Promise<ExportPage>
  /** Returns the customers with these ids, archived ones too, or the children of each that are not archived. */
  related(relation: Relation, ids: readonly string[]): Promise<Related>
  /** Returns the former external ids that still find the customer. */
  aliasesOf(id: string): Promise<string[]>
  /** Does the same for many customers in one read. A customer without former external ids is not in the map. */
  aliasesOfEach(ids: readonly string[]): Promise<Map<string, string[]>>
  /** Returns the customers that may be the same as this one, best first. */
  duplicatesOf(id: string): Promise<Duplicate[]>
  /** Takes another permit for a long request, and waits for it if necessary. The next read is fresh as of now. */
  readmit(): Promise<void>
}

export interface CustomerWriter {
  /** Makes the change. With `idempotency`, a repeat within a day changes nothing and returns the first result. */
  write(command: Command, idempotency?: Idempotency | null): Promise<Written>
  /** Imports a chunk after waiting for its permits. Refuses a caller that may not import, even for an empty chunk. */
  importChunk(chunk: ImportChunk): Promise<ImportedChunk>
  /** Undoes the next chunk of changes after waiting for its permits. Refuses a caller that may not. */
  undoChunk(chunk: UndoChunk): Promise<UndoneChunk>
}

/** The customers of one tenant and mode, for one request. */
export interface Registry {
  readonly reader: CustomerReader
  readonly writer: CustomerWriter
}
