/**
 * The tiers and their limits. Each tenant's limits are stored with it, so a change here alone affects no existing
 * tenant.
 */

export const TIERS = ['starter', 'growth', 'scale', 'enterprise', 'custom'] as const
export type Tier = (typeof TIERS)[number]

export interface Limits {
  requestsPerSecond: number
  /** Requests that may come at once after a quiet time: two seconds of the rate. */
  burst: number
  /** USD a contract year. */
  annualCommitment: number
  /** Admitted live requests a contract year. */
  annualValidationLimit: number
  /** Bytes that live mode may store. */
  storageBytes: number
}

export const TIER_LIMITS: Record<Exclude<Tier, 'custom'>, Limits> = {
  starter: {
    requestsPerSecond: 10,
    burst: 20,
    annualCommitment: 0,
    annualValidationLimit: 1_000_000,
    storageBytes: 100_000_000,
  },
  growth: {
    requestsPerSecond: 50,
    burst: 100,
    annualCommitment: 100_000,
    annualValidationLimit: 6_000_000,
    storageBytes: 500_000_000,
  },
  scale: {
    requestsPerSecond: 200,
    burst: 400,
    annualCommitment: 500_000,
    annualValidationLimit: 30_000_000,
    storageBytes: 2_000_000_000,
  },
  enterprise: {
    requestsPerSecond: 1_000,
    burst: 2_000,
    annualCommitment: 1_500_000,
    annualValidationLimit: 120_000_000,
    storageBytes: 6_000_000_000,
  },
}

export const DEFAULT_TIER: Tier = 'starter'

/** Test mode is for trying things out: the rate of tier starter for all tenants, and no annual count. */
export const TEST_MODE_LIMITS = TIER_LIMITS.starter

/** Bytes that test mode may store, for all tenants. The triggers `customers_created` and `customers_changed` have the same number. */
export const TEST_MODE_STORAGE_BYTES = 50_000_000

/** Returns the limits after a change of tier. `custom` keeps the tenant's limits, except those in `given`. */
export function limitsFor(tier: Tier, current: Limits, given: Partial<Limits> | undefined): Limits {
  return tier === 'custom' ? { ...current, ...given } : TIER_LIMITS[tier]
}
