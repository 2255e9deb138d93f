/**
 * Routes that the console calls: those of `roster/client`.
 */
import type { RosterRoutes } from 'roster/client'

export type Role = 'viewer' | 'support' | 'admin' | 'owner'

export interface Operator {
  operator_id: string
  name: string
  email: string
  role: Role
  last_seen_at: string | null
  created_at: string
  updated_at: string
}

export interface ModeUsage {
  contract_year_start: string
  admitted_this_year: number
  permits_outstanding: number
  days: { date: string; admitted: number; rate_limited: number; errors?: number }[]
  annual_validation_limit?: number | null
  stored_bytes: number
  storage_bytes: number
}

export interface TenantKey {
  key_id: string
  name: string
  mode: 'live' | 'test'
  scopes: string[]
  status: 'active' | 'expired' | 'revoked'
  expires_at: string | null
  revoked_at: string | null
  rotated_from: string | null
  created_at: string
  last_used_at?: string | null
}

export type Health = RosterRoutes['/admin/health']['$get']['output']

export type Routes = RosterRoutes
