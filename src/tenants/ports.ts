/**
 * What the operator's work on tenants needs from the world: where tenants are kept, the gates that enforce what was decided,
 * time and ids. `storage/tenants.ts` is the store, `wiring.ts` chooses it and puts the rest together.
 */
import type { Mode } from '../registry/customer.ts'
import type { AnswerStore, KeptAnswer } from '../registry/once.ts'
import type { Clock } from '../shared/clock.ts'
import type { NewId } from '../shared/ids.ts'
import type { ApiKey, Tenant } from './tenant.ts'
import type { Limits, Tier } from './tiers.ts'

/** A tenant with how far its policy has come: while `policyAppliedVersion` is behind, the gates may not know the newest. */
export interface StoredTenant extends Tenant {
  policyAppliedVersion: number
}

/** What an operator wants changed. Absent is kept; null clears. */
export interface TenantChanges {
  companyName?: string | undefined
  contactEmail?: string | undefined
  /** Another tier than `custom` brings its own numbers. */
  tier?: Tier | undefined
  status?: Tenant['status'] | undefined
  /** Only for a tenant that is, or by the same change becomes, `custom`. */
  limits?: Partial<Limits> | undefined
  contractStartMs?: number | null | undefined
  contractEndMs?: number | null | undefined
  metadata?: Record<string, unknown> | undefined
}

export interface TenantQuery {
  status?: Tenant['status'] | undefined
  tier?: Tier | undefined
  /** Part of the company's name or its address; case is ignored for ASCII. */
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

/** What the store throws when a contract would end before it starts. */
export class ContractEndsBeforeStart extends Error {}

/**
 * Every method is one batch: all of it happens or none, and what it answers is what the batch saw. An answer to be kept is
 * kept if the change was made, in the same batch.
 */
export interface TenantStore extends AnswerStore {
  insert(tenant: Tenant, kept: KeptAnswer | null): Promise<void>
  get(tenantId: string): Promise<StoredTenant | null>
  list(query: TenantQuery, page: PageRequest): Promise<Page<Tenant>>
  /** Touches only what `changes` names and only if it differs. `limits` without a tier change nobody who is not custom. */
  update(tenantId: string, changes: TenantChanges, nowMs: number): Promise<StoredTenant | null>

  /** Null: there is no such tenant. */
  insertKey(key: ApiKey, kept: KeptAnswer | null): Promise<StoredTenant | null>
  /** Null: there is no such tenant. */
  listKeys(tenantId: string, page: PageRequest): Promise<Page<ApiKey> | null>
  getKey(tenantId: string, keyId: string): Promise<ApiKey | null>
  /** A key that was revoked before keeps its time. */
  revokeKey(tenantId: string, keyId: string, nowMs: number): Promise<KeyChange>
  /** Puts a new key beside the old one, which then ends. Nothing happens if the old one is dead, was replaced before, or ends otherwise than it was seen to. */
  replaceKey(replacement: KeyReplacement, kept: KeptAnswer | null): Promise<KeyChange>

  /** Tenants whose gates may not know their newest policy. */
  unapplied(limit: number): Promise<StoredTenant[]>
  /** Never lowers the version. */
  markApplied(tenantId: string, policyVersion: number): Promise<void>
}

export interface KeyReplacement {
  /** As it was seen; the new one has its name, mode and scopes. */
  old: ApiKey
  new: ApiKey
  /** When the old key ends, unless it ends before; null: now, as if it were revoked. */
  oldExpiresAtMs: number | null
  nowMs: number
}

/** What a change of a key found, after the change. */
export interface KeyChange {
  tenant: StoredTenant | null
  /** The key that was asked for. */
  key: ApiKey | null
  /** The key that took its place and has not been revoked. */
  replacedBy: ApiKey | null
}

/** Who makes a change, in which request, and why: what the audit says of it. */
export interface Author {
  actor: string
  requestId: string | null
  reason: string | null
}

/** What can be done, by the names the audit has for it. */
export const AUDIT_TYPES = [
  'tenant.created',
  'tenant.updated',
  'key.created',
  'key.revoked',
  'key.rotated',
  'customer.created',
  'customer.updated',
  'customer.archived',
  'customer.restored',
  'customer.erased',
] as const

/** Which changes; what is absent does not matter. */
export interface AuditQuery {
  tenantId?: string | undefined
  customerId?: string | undefined
  actor?: string | undefined
  type?: string | undefined
  /** Made at this time or later. */
  startMs?: number | undefined
  /** Made before this time. */
  endMs?: number | undefined
}

/** A change of a tenant, a key, or a customer. */
export interface AuditEntry extends Author {
  /** Of one kind for all changes: sorting by it is sorting by time. */
  id: string
  type: string
  tenantId: string
  /** Null for a tenant, which has no mode. */
  mode: Mode | null
  customerId: string | null
  keyId: string | null
  /** Null: there was nothing, or it was erased. */
  before: Record<string, unknown> | null
  after: Record<string, unknown> | null
  createdAtMs: number
}

/** What was done, through whichever door, newest first. */
export interface AuditLog {
  read(query: AuditQuery, page: PageRequest): Promise<Page<AuditEntry>>
}

interface GateControl {
  /**
   * Has the gate read its tenant anew from the D1 primary. Answers how long a lease under what it enforced before may
   * still live; leases it gives from now on carry the new policy.
   */
  reload(tenantId: string, mode: Mode): Promise<{ waitMs: number }>
  /** What the gate has counted of that mode. */
  usage(tenantId: string, mode: Mode): Promise<GateUsage>
}

export interface GateUsage {
  /** First day of the contract year, `YYYY-MM-DD`. */
  yearStart: string
  /** Requests admitted in it. */
  count: number
  /** Permits that isolates hold and have not yet reported. */
  outstanding: number
  /** By day, `YYYY-MM-DD` in UTC. */
  days: Record<string, { admitted: number; limited: number }>
}

export interface TenantDeps {
  store: TenantStore
  gates: GateControl
  /** The Worker sleeps, never the gate. */
  sleep(durationMs: number): Promise<void>
  clock: Clock
  newId: NewId
  /** UUIDs that sort in the order of creation. */
  newTenantId(nowMs: number): string
  /** The first signs. */
  signingSecrets: string[]
}
