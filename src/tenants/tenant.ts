/**
 * A tenant and its API keys, and the policy a gate enforces for them. Pure.
 */
import type { Policy } from '../gate/protocol/leases.ts'
import type { Mode } from '../registry/customer.ts'
import { isoTime } from '../shared/clock.ts'
import type { Limits, Tier } from './tiers.ts'
import { TEST_MODE_LIMITS, TEST_MODE_STORAGE_BYTES } from './tiers.ts'

export interface Tenant {
  id: string
  companyName: string
  contactEmail: string
  tier: Tier
  status: 'active' | 'suspended'
  limits: Limits
  contractStartMs: number | null
  contractEndMs: number | null
  /** An object as JSON text: as values, its numbers would lose digits. */
  metadata: string
  /** Days for which the changes of its customers are kept. */
  eventRetentionDays: number
  createdAtMs: number
  updatedAtMs: number
  /** Rises by one with every change. The admin API sends it as the etag. */
  version: number
  policyVersion: number
  /** The number of the database that has its customers. */
  database: number
}

/** Not less than deliveries are kept for, because they name their events. */
export const EVENT_RETENTION_DAYS = { min: 31, max: 3_650, initial: 400 } as const

const TENANT_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Returns whether a text has the form of a tenant's id, a UUID. */
export function isTenantId(id: string): boolean {
  return TENANT_ID.test(id)
}

/**
 * The permissions of a key. None includes another: who writes does not read by it, and who manages endpoints gets no
 * event by it.
 */
export const SCOPES = [
  'customers:read',
  'customers:write',
  'events:read',
  'webhooks:manage',
  'onboarding:manage',
] as const
export type KeyScope = (typeof SCOPES)[number]

export interface ApiKey {
  id: string
  tenantId: string
  mode: Mode
  name: string
  /** SHA-256 of the secret, base64url. */
  secretHash: string
  scopes: KeyScope[]
  createdAtMs: number
  expiresAtMs: number | null
  revokedAtMs: number | null
  /** The key that this one replaced. */
  rotatedFrom: string | null
}

/** Returns the bytes that a mode of the tenant may store. */
export function storageBytesOf({ limits }: Tenant, mode: Mode): number {
  return mode === 'live' ? limits.storageBytes : TEST_MODE_STORAGE_BYTES
}

/** Returns the policy that the gate of one mode enforces. Test mode has limits of its own, the same for all tiers. */
export function policyFor(tenant: Tenant, mode: Mode): Policy {
  const live = mode === 'live'
  const limits = live ? tenant.limits : TEST_MODE_LIMITS
  return {
    version: tenant.policyVersion,
    tier: live ? tenant.tier : 'test',
    status: tenant.status,
    ratePerSecond: limits.requestsPerSecond,
    burst: limits.burst,
    annualLimit: live ? tenant.limits.annualValidationLimit : null,
    contractStart: isoTime(tenant.contractStartMs ?? tenant.createdAtMs).slice(0, 10),
    ...(tenant.database > 0 && { database: tenant.database }),
  }
}
