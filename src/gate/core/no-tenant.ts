import type { Policy } from '../protocol/leases.ts'

/**
 * The policy of a tenant that is not in D1, although this deployment signed a key of it. The tenant has no keys, and
 * every request is refused.
 */
export const NO_TENANT: Omit<Policy, 'version'> = {
  tier: 'none',
  status: 'suspended',
  ratePerSecond: 1,
  burst: 1,
  annualLimit: null,
  contractStart: '1970-01-01',
}

/** Returns whether D1 has no such tenant. An operator, who may write for a suspended one, is refused then too. */
export function isNoTenant({ tier }: Policy): boolean {
  return tier === NO_TENANT.tier
}
