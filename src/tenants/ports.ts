/**
 * Ports of the operations on tenants: the store of tenants, the gates that enforce a policy, time and ids.
 * `storage/tenants.ts` implements the store; composition puts the rest together.
 */

import { EVENT_TYPES } from '../events/catalogue.ts'
import type { Usage } from '../gate/protocol/usage.ts'
import type { ResponseStore, ResponseToStore } from '../idempotency/idempotency.ts'
import type { Customer, Mode } from '../registry/customer.ts'
import type { Precondition } from '../registry/precondition.ts'
import type { Clock } from '../shared/clock.ts'
import type { NewId } from '../shared/ids.ts'
import type { ApiKey, Tenant } from './tenant.ts'
import type { Limits, Tier } from './tiers.ts'

/** A tenant with the progress of its policy. While `policyAppliedVersion` is behind, gates may enforce an older one. */
export interface StoredTenant extends Tenant {
  policyAppliedVersion: number
}

/** A tenant after an attempt to delete it. `deletedAtMs` is null if it was not deleted. */
export interface DeletedTenant extends StoredTenant {
  deletedAtMs: number | null
  /** The move to another database that is in the way of its deletion. Null if none is. */
  move: { state: string; to: number } | null
}

/** Changes to a tenant. Absent fields keep their value; null clears. */
export interface TenantChanges {
  companyName?: string | undefined
  contactEmail?: string | undefined
  /** A tier other than `custom` sets its own limits. */
  tier?: Tier | undefined
  status?: Tenant['status'] | undefined
  /** Only for a tenant that is `custom`, or becomes it by the same change. */
  limits?: Partial<Limits> | undefined
  contractStartMs?: number | null | undefined
  contractEndMs?: number | null | undefined
  metadata?: string | undefined
  eventRetentionDays?: number | undefined
}

export interface TenantQuery {
  status?: Tenant['status'] | undefined
  tier?: Tier | undefined
  /** Part of the company's name or of its address. Case is ignored for ASCII. */
  search?: string | undefined
}

/** Newest first; `afterId` is the last id of the page before. */
export interface PageRequest {
  limit: number
  afterId: string | null
}

export interface Page<Item> {
  items: Item[]
  hasMore: boolean
}

/** Thrown by the store when a contract would end before it starts. */
export class ContractEndsBeforeStart extends Error {}

/**
 * Every method is one atomic batch and returns what the batch read. A stored response is written in the same batch,
 * only if the change was made.
 */
export interface TenantStore extends ResponseStore {
  insert(tenant: StoredTenant, response: ResponseToStore | null): Promise<void>
  get(tenantId: string): Promise<StoredTenant | null>
  list(query: TenantQuery, page: PageRequest): Promise<Page<Tenant>>
  /**
   * Changes only fields that are in `changes` and differ. `limits` without a tier has no effect unless the tier is
   * custom. Returns null if there is no such tenant. Throws `RegistryError` with `version_conflict` if it does not meet
   * the precondition.
   */
  update(
    tenantId: string,
    changes: TenantChanges,
    precondition: Precondition | null,
    nowMs: number,
  ): Promise<StoredTenant | null>

  /**
   * Deletes the tenant if it is suspended, is not being moved, and has one of these names. From then on it is found nowhere; the sweep deletes
   * its rows. Returns the tenant as it is then, also one that was deleted before. Returns null if there is no such
   * tenant.
   */
  delete(tenantId: string, names: readonly string[], nowMs: number): Promise<DeletedTenant | null>

  /** Returns null if there is no such tenant. */
  insertKey(key: ApiKey, response: ResponseToStore | null): Promise<StoredTenant | null>
  /** Returns the keys of a mode, or of both without one. Returns null if there is no such tenant. */
  listKeys(tenantId: string, page: PageRequest, mode?: Mode): Promise<Page<ApiKey> | null>
  getKey(tenantId: string, keyId: string): Promise<ApiKey | null>
  /** A key that was revoked before keeps its time. */
  revokeKey(tenantId: string, keyId: string, nowMs: number): Promise<KeyChange>
  /**
   * Adds a new key beside the old one, which then ends. Changes nothing if the old one is dead, was replaced before,
   * or has another end than the caller read.
   */
  replaceKey(replacement: KeyReplacement, response: ResponseToStore | null): Promise<KeyChange>

  /** Returns the bytes that each mode of a tenant stores, as the database counts them. */
  storedBytes(tenantId: string): Promise<Record<Mode, number>>

  /** Returns tenants with an unapplied policy and an id above `afterId`, by rising id. */
  unapplied(afterId: string, limit: number): Promise<StoredTenant[]>
  /** Never lowers the version. */
  markApplied(tenantId: string, policyVersion: number): Promise<void>
}

export interface KeyReplacement {
  /** The old key as the caller read it; the new one has its name, mode and scopes. */
  old: ApiKey
  new: ApiKey
  /** When the old key ends, unless it ends earlier. Null ends it now, as if it were revoked. */
  oldExpiresAtMs: number | null
  nowMs: number
}

/** Result of a change of a key; the state is the one after the change. */
export interface KeyChange {
  tenant: StoredTenant | null
  /** The requested key. */
  key: ApiKey | null
  /** The key that replaced it and has not been revoked. */
  replacedBy: ApiKey | null
}

/** The tenant has as many keys of a mode as it may. A change that throws this has changed nothing. */
export class TooManyKeys extends Error {}

/** The most keys of a tenant and mode that are in use at once, apart from those that replace others. */
export const KEYS_MAX = 1_000

/** The author of a change, the request and the reason, for the audit. */
export interface Author {
  actor: string
  /** The role that an operator had. Null for any other author. */
  role: string | null
  /** The session of an operator. Null for a request without one. */
  sessionId: string | null
  requestId: string | null
  reason: string | null
}

/** The kinds of change that operators make, as the audit names them. */
export const OPERATOR_CHANGES = [
  'tenant.created',
  'tenant.updated',
  'tenant.deleted',
  'tenant.move.started',
  'tenant.move.aborted',
  'tenant.moved',
  'key.created',
  'key.revoked',
  'key.rotated',
  'webhook.endpoint.created',
  'webhook.endpoint.updated',
  'webhook.endpoint.secret_rotated',
  'webhook.endpoint.deleted',
  'onboarding.settings.replaced',
  'onboarding.secret_rotated',
  'operator.created',
  'operator.updated',
  'operator.deleted',
  'operator.key.created',
  'operator.key.revoked',
  'operator.sign_in_link.created',
  'operator.session.started',
  'operator.session.ended',
] as const

/** All kinds of change in the audit. */
export const AUDIT_TYPES = [...OPERATOR_CHANGES, ...EVENT_TYPES] as const

/** Selects changes. Absent fields select all. */
export interface AuditQuery {
  tenantId?: string | undefined
  customerId?: string | undefined
  actor?: string | undefined
  type?: string | undefined
  requestId?: string | undefined
  /** Made at this time or later. */
  startMs?: number | undefined
  /** Made before this time. */
  endMs?: number | undefined
}

/** A change of a tenant, a key, a customer or an operator, or an event that Roster itself writes, such as a disabled endpoint. */
export interface AuditEntry extends Author {
  /** One format for all kinds of change: sorting by id is sorting by time. */
  id: string
  type: (typeof AUDIT_TYPES)[number]
  /** The tenant. Null for a change of an operator. */
  tenantId: string | null
  /** The mode; null for a tenant, which has none. */
  mode: Mode | null
  customerId: string | null
  /** The key of a tenant or of an operator that was changed. */
  keyId: string | null
  /** The operator that was changed. */
  operatorId: string | null
  /** State before the change; null if there was none or it was erased. */
  before: Record<string, unknown> | null
  after: Record<string, unknown> | null
  createdAtMs: number
}

/** A page of the audit. A short or empty one may have more behind it: a page looks at a bounded number of rows. */
export interface AuditPage extends Page<AuditEntry> {
  /** The `afterId` of the next page; null behind the last entry. */
  position: string | null
}

/** The changes made through all APIs, newest first. */
export interface AuditLog {
  read(query: AuditQuery, page: PageRequest): Promise<AuditPage>
}

/** A customer that an operator found, with its tenant. */
export interface FoundCustomer
  extends Pick<Customer, 'id' | 'externalId' | 'name' | 'email' | 'status' | 'tenantId' | 'mode'> {
  companyName: string
}

export interface Found {
  /** Those with the exact value first, each group newest first. */
  customers: FoundCustomer[]
  /** In no particular order. */
  tenants: Tenant[]
  /** True if more customers or tenants may match than are returned. */
  hasMore: boolean
  /** False if customers were looked for by words in some tenants only, the oldest ones. */
  isOfAllTenants: boolean
}

/** Look-ups over all tenants. */
export interface OperatorSearch {
  /**
   * Returns the customers of any tenant that have this id, external id or e-mail address, or words that begin like each word
   * of the text, and the tenants that have this id or contact address. Addresses are compared without the case of ASCII
   * letters. An archived customer is found by its id or address only, because its external id may be another's.
   */
  find(text: string): Promise<Found>
}

interface GateControl {
  /**
   * Makes the gate load its tenant from the D1 primary. Returns how long a lease under the previous policy may still
   * live. Leases that the gate grants from now on carry the new policy.
   */
  reload(tenantId: string, mode: Mode): Promise<{ waitMs: number }>
  /** Returns the gate's counts for that mode. */
  usage(tenantId: string, mode: Mode): Promise<Usage>
}

export interface TenantDeps {
  store: TenantStore
  gates: GateControl
  /** Lets deliveries go on that waited while the tenant was suspended. Never rejects. */
  resumeDeliveries(tenantId: string): Promise<void>
  /** The Worker sleeps, never the gate. */
  sleep(durationMs: number): Promise<void>
  clock: Clock
  newId: NewId
  /** Returns UUIDs that sort in the order of creation, with the number of the tenant's database in them. */
  newTenantId(nowMs: number, database: number): string
  /** Returns the number of the database for a new tenant. */
  chooseDatabase(): Promise<number>
  /** Copies the tenant to its database, if that is another one than the directory's. Throws `RegistryError` with `unavailable`. */
  copyToDatabase(tenantId: string): Promise<void>
  /** The first signs. */
  signingSecrets: string[]
}
