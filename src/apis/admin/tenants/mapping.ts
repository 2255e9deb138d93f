/** Maps tenants between this API, which calls them customers, and Roster. Pure. */

import type { Mode } from '../../../registry/customer.ts'
import { isoTime, timeOrNull } from '../../../shared/clock.ts'
import type { Move } from '../../../tenants/moves/move.ts'
import type { TenantDeletion, TenantUsage } from '../../../tenants/operations.ts'
import type { TenantChanges } from '../../../tenants/ports.ts'
import { toShownUsage } from '../../../tenants/shown-usage.ts'
import { storageBytesOf, type Tenant } from '../../../tenants/tenant.ts'
import type { Limits } from '../../../tenants/tiers.ts'
import { storedJson } from '../../../validation/json.ts'
import type { TenantInput } from './schema.ts'

export function toTenantChanges(input: TenantInput): TenantChanges {
  return {
    companyName: input.company_name,
    contactEmail: input.contact_email,
    tier: input.tier,
    status: input.status,
    limits: input.limits && toLimits(input.limits),
    contractStartMs: input.contract_start,
    contractEndMs: input.contract_end,
    metadata: input.metadata,
    eventRetentionDays: input.event_retention_days,
  }
}

/** Returns only the limits in the input: an absent one keeps the tenant's value. */
function toLimits(input: NonNullable<TenantInput['limits']>): Partial<Limits> {
  const limits = {
    requestsPerSecond: input.requests_per_second,
    burst: input.burst,
    annualCommitment: input.annual_commitment,
    annualValidationLimit: input.annual_validation_limit,
    storageBytes: input.storage_bytes,
  }
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined))
}

export function toAdminTenant(tenant: Tenant) {
  const { limits } = tenant
  return {
    customer_id: tenant.id,
    company_name: tenant.companyName,
    contact_email: tenant.contactEmail,
    tier: tenant.tier,
    status: tenant.status,
    annual_commitment: limits.annualCommitment,
    annual_validation_limit: limits.annualValidationLimit,
    contract_start: timeOrNull(tenant.contractStartMs),
    contract_end: timeOrNull(tenant.contractEndMs),
    limits: {
      requests_per_second: limits.requestsPerSecond,
      burst: limits.burst,
      annual_commitment: limits.annualCommitment,
      annual_validation_limit: limits.annualValidationLimit,
      storage_bytes: limits.storageBytes,
    },
    event_retention_days: tenant.eventRetentionDays,
    database: tenant.database,
    metadata: storedJson(tenant.metadata) as Record<string, unknown>,
    created_at: isoTime(tenant.createdAtMs),
    updated_at: isoTime(tenant.updatedAtMs),
  }
}

/** Returns the receipt of a deletion. */
export function toAdminDeletion({ tenantId, companyName, deletedAtMs }: TenantDeletion) {
  return {
    customer_id: tenantId,
    company_name: companyName,
    status: 'deleting' as const,
    deleted_at: isoTime(deletedAtMs),
  }
}

/** Returns how far a move is. */
export function toAdminMove(move: Move) {
  return {
    customer_id: move.tenantId,
    from: move.from,
    to: move.to,
    status: move.state,
    rows_copied: move.copied,
    rows_copied_again: move.copiedAgain,
    problem: move.problem,
    started_by: move.actor,
    started_at: isoTime(move.createdAtMs),
    flipped_at: timeOrNull(move.flippedAtMs),
    ended_at: timeOrNull(move.endedAtMs),
  }
}

/**
 * Returns the names that `x-confirm` may mean. A header holds bytes, so a name that is not ASCII arrives in
 * percent-encoding, as UTF-8, or as the Latin-1 reading of UTF-8.
 */
export function toConfirmedNames(header: string | null): string[] {
  if (header === null) return []
  const bytes = Uint8Array.from(header, (character) => character.charCodeAt(0))
  const readings = [
    () => decodeURIComponent(header),
    () => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes),
  ]
  return [...new Set([header, ...readings.flatMap(readable)])]
}

function readable(read: () => string): string[] {
  try {
    return [read()]
  } catch {
    return []
  }
}

/** Returns the counts of both modes. The annual limit is for live mode only. */
export function toAdminUsage({ tenant, live, test, storedBytes }: TenantUsage) {
  const stored = (mode: Mode) => ({ bytes: storedBytes[mode], bytesMax: storageBytesOf(tenant, mode) })
  return {
    customer_id: tenant.id,
    live: {
      ...toShownUsage(live, stored('live')),
      annual_validation_limit: tenant.limits.annualValidationLimit,
    },
    test: toShownUsage(test, stored('test')),
  }
}
