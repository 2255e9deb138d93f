/**
 * Roles with the words for what they permit.
 */
import type { Role } from '../../api/routes.ts'

export const OWNER = { role: 'owner' } as const

export const ROLE_MEANINGS: readonly (readonly [Role, string])[] = [
  ['viewer', 'reads everything'],
  ['support', 'also edits customers, redelivers'],
  ['admin', 'also manages tenants and keys, erases'],
  ['owner', 'also manages operators, deletes tenants'],
]

export const ROLE_OPTIONS = ROLE_MEANINGS.map(([role, meaning]) => [role, `${role}: ${meaning}`] as const)
