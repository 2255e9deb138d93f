/**
 * Roles with the words for what they permit.
 */
import type { Role } from '../../api/routes.ts'

export const OWNER = { role: 'owner' } as const

export const ROLE_MEANINGS: readonly (readonly [Role, string])[] = [
  ['viewer', 'reads everything'],
  ['support', 'also changes customers and sends webhooks again'],
  ['admin', 'also changes tenants, tiers and keys, suspends, erases'],
  ['owner', 'also lets people in and out, and deletes tenants'],
]

export const ROLE_OPTIONS = ROLE_MEANINGS.map(([role, meaning]) => [role, `${role}: ${meaning}`] as const)
