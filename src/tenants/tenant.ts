/**
 * A tenant and its API keys, and the policy a gate enforces for them. Pure.
 */
import type { Policy } from '../gate/protocol.ts'
import type { Mode } from '../registry/customer.ts'
import { isoTime } from '../shared/clock.ts'
import type { Limits, Tier } from './tiers.ts'
import { TEST_MODE_LIMITS } from './tiers.ts'

export interface Tenant {
  id: string
  companyName: string
  contactEmail: string
  tier: Tier
  status: 'active' | 'suspended'
  limits: Limits
  contractStartMs: number | null
  contractEndMs: number | null
  metadata: Record<string, unknown>
  createdAtMs: number
  updatedAtMs: number
  policyVersion: number
}

export const SCOPES = ['customers:read', 'customers:write', 'webhooks', 'events:read'] as const
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
  /** The key this one took the place of. */
  rotatedFrom: string | null
}

/** What the gate of one mode enforces. Test mode is a policy of its own, whatever the tier. */
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
  }
}
