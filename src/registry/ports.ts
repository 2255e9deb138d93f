/**
 * What the registry needs from the world: fresh reads and ordered writes of one tenant's customers, for one request.
 * `gate/` and `storage/` implement it together; every method throws `Refused` when the request may not be served.
 */
import type { Customer, CustomerChanges } from './customer.ts'
import type { ListPage, ListQuery } from './query.ts'

/** Which customer a change is for. With both, they must be the same one. */
export type Target =
  | { id: string; externalId?: undefined }
  | { id?: undefined; externalId: string }
  | { id: string; externalId: string }

/** Which workflow a new customer is onboarded by: null the default one if the tenant has one, `''` none, else that name. */
export type OnboardingChoice = string | null

/** A change as it travels to the gate. Plain data; `id` of a new customer is chosen by the caller, so that a repeat is the same. */
export type Command =
  | {
      kind: 'create'
      id: string
      fields: CustomerChanges & { externalId: string }
      /** What to do when another customer has the external id. */
      ifExists: 'fail' | 'return'
      onboarding?: OnboardingChoice
    }
  | { kind: 'update'; target: Target; changes: CustomerChanges; ifVersion: number | null }
  | {
      kind: 'upsert'
      id: string
      externalId: string
      changes: CustomerChanges
      ifVersion: number | null
      /** Should it create one. */
      onboarding?: OnboardingChoice
    }
  | { kind: 'archive'; target: Target; ifVersion: number | null }
  | { kind: 'restore'; target: Target; ifVersion: number | null }
  | { kind: 'erase'; target: Target; ifVersion: number | null }

export type Effect = 'created' | 'updated' | 'unchanged' | 'archived' | 'restored' | 'erased'

/** What makes a repeat of a request known: the caller's key and what was asked with it, both hashed (SHA-256, base64url). */
export interface Idempotency {
  key: string
  fingerprint: string
}

/** The receipt of an erasure. The rows are those that personal data was taken from. */
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

export interface Written {
  customer: Customer
  effect: Effect
  /** Sent back with a read, makes the read see this write. */
  consistencyToken: string
  /** Of a customer that is erased, now or before. */
  erasure?: Erasure | undefined
}

/** A customer as of one moment, with the answers already rendered from it: a hot read sends a ready string. */
export interface Snapshot {
  readonly customer: Customer
  /** Door name → JSON body. Filled by the doors on first need, lives and dies with the snapshot. */
  readonly bodies: Record<string, string | undefined>
}

/** Where a read was answered from, for `cache-status`. */
export type ReadSource = 'memory' | 'kv' | 'd1'

export interface Registry {
  /** Null: there is no such customer here. Archived ones are found. */
  byId(id: string): Promise<Snapshot | null>
  /** The customer that has the external id, or had it before and no other took it. Archived ones are not found. */
  byExternalId(externalId: string): Promise<Snapshot | null>
  list(query: ListQuery, options: { total: boolean }): Promise<ListPage>
  /** Former external ids that still find the customer. */
  aliasesOf(id: string): Promise<string[]>
  /** The same for many customers in one read; one without any is not in the map. */
  aliasesOfEach(ids: readonly string[]): Promise<Map<string, string[]>>
  /** With `idempotency`, a repeat within a day changes nothing and is answered as the first was. */
  write(command: Command, idempotency?: Idempotency | null): Promise<Written>
}
