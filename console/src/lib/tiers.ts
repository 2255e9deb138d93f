/**
 * Tells what a tier allows, and how it differs from what a tenant has. The numbers are those that Roster sets. Pure.
 */
import { type Limits, TIER_LIMITS, TIERS, type Tier } from '../../../src/tenants/tiers.ts'
import { bytes, number } from './format.ts'

export { TIERS, type Tier }

/** Limits as the admin API writes them. */
export interface ShownLimits {
  requests_per_second: number
  burst: number
  annual_commitment: number
  annual_validation_limit: number
  storage_bytes: number
}

export type LimitName = keyof ShownLimits

export const LIMITS: readonly { name: LimitName; label: string; show: (value: number) => string }[] = [
  { name: 'requests_per_second', label: 'Requests per second', show: number },
  { name: 'burst', label: 'Burst', show: number },
  { name: 'annual_validation_limit', label: 'Requests a contract year', show: number },
  { name: 'storage_bytes', label: 'Storage, live mode', show: bytes },
  { name: 'annual_commitment', label: 'Annual commitment', show: (value) => `$${number(value)}` },
]

/** Returns the limits that a tier sets, or null for `custom`, which keeps those that the tenant has. */
export function limitsOf(tier: Tier): ShownLimits | null {
  return tier === 'custom' ? null : shown(TIER_LIMITS[tier])
}

function shown(limits: Limits): ShownLimits {
  return {
    requests_per_second: limits.requestsPerSecond,
    burst: limits.burst,
    annual_commitment: limits.annualCommitment,
    annual_validation_limit: limits.annualValidationLimit,
    storage_bytes: limits.storageBytes,
  }
}

export interface LimitChange {
  name: LimitName
  label: string
  now: string
  next: string
  /** `up`: more is allowed. */
  direction: 'up' | 'down' | 'same'
}

/** Returns each limit as it is and as it will be. `given` are the ones that are set by hand, for `custom`. */
export function limitChanges(current: ShownLimits, tier: Tier, given: Partial<ShownLimits> = {}): LimitChange[] {
  const next = limitsOf(tier) ?? { ...current, ...given }
  return LIMITS.map(({ name, label, show }) => {
    const direction = next[name] === current[name] ? 'same' : next[name] > current[name] ? 'up' : 'down'
    return { name, label, now: show(current[name]), next: show(next[name]), direction }
  })
}

/** Returns the limits that were typed, without the empty ones, or the first name whose text is no whole number. */
export function typedLimits(texts: Partial<Record<LimitName, string>>): Partial<ShownLimits> | { invalid: LimitName } {
  const limits: Partial<ShownLimits> = {}
  for (const { name } of LIMITS) {
    const text = (texts[name] ?? '').replaceAll(/[\s,_]/g, '')
    if (text === '') continue
    if (!/^\d{1,15}$/.test(text)) return { invalid: name }
    limits[name] = Number(text)
  }
  return limits
}
