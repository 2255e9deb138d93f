/**
 * The operator's words for tenants and keys, and Roster's own. Pure. This door alone calls a tenant "customer".
 */
import { isoTime } from '../../shared/clock.ts'
import type { KeyFields } from '../../tenants/operations.ts'
import type { AuditEntry, GateUsage, Page, TenantChanges } from '../../tenants/ports.ts'
import type { ApiKey, Tenant } from '../../tenants/tenant.ts'
import type { Limits } from '../../tenants/tiers.ts'
import { cursorOf } from '../fields.ts'
import type { KeyInput, TenantInput } from './schema.ts'

const DEFAULT_KEY_NAME = 'default'

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
  }
}

/** Only what was given: an absent number keeps the tenant's. */
function toLimits(input: NonNullable<TenantInput['limits']>): Partial<Limits> {
  const limits = {
    requestsPerSecond: input.requests_per_second,
    burst: input.burst,
    annualCommitment: input.annual_commitment,
    annualValidationLimit: input.annual_validation_limit,
  }
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined))
}

export function toKeyFields(input: KeyInput): KeyFields {
  return {
    name: input.name || DEFAULT_KEY_NAME,
    mode: input.mode,
    scopes: [...new Set(input.scopes)],
    expiresAtMs: input.expires_at ?? null,
  }
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
    },
    metadata: tenant.metadata,
    created_at: isoTime(tenant.createdAtMs),
    updated_at: isoTime(tenant.updatedAtMs),
  }
}

/** A key without its text, which is told once and kept nowhere. */
export function toAdminKey(key: ApiKey, nowMs: number) {
  return {
    key_id: key.id,
    name: key.name,
    mode: key.mode,
    scopes: key.scopes,
    status: statusOf(key, nowMs),
    expires_at: timeOrNull(key.expiresAtMs),
    revoked_at: timeOrNull(key.revokedAtMs),
    rotated_from: key.rotatedFrom,
    created_at: isoTime(key.createdAtMs),
  }
}

export function toNewAdminKey(key: ApiKey, text: string) {
  return {
    key_id: key.id,
    key: text,
    name: key.name,
    mode: key.mode,
    scopes: key.scopes,
    expires_at: timeOrNull(key.expiresAtMs),
    created_at: isoTime(key.createdAtMs),
  }
}

export function toAdminPage<Item extends { id: string }>(
  page: Page<Item>,
  limit: number,
  show: (item: Item) => object,
) {
  const last = page.items.at(-1)
  return {
    items: page.items.map(show),
    pagination: { limit, next_cursor: page.hasMore && last ? cursorOf(last.id) : null, has_more: page.hasMore },
  }
}

function statusOf(key: ApiKey, nowMs: number): 'active' | 'expired' | 'revoked' {
  if (key.revokedAtMs !== null) return 'revoked'
  return key.expiresAtMs !== null && key.expiresAtMs <= nowMs ? 'expired' : 'active'
}

function timeOrNull(timeMs: number | null): string | null {
  return timeMs === null ? null : isoTime(timeMs)
}

/** Requests by day and outcome; the year's count is held against the limit in live mode only. */
export function toAdminUsage(tenant: Tenant, live: GateUsage, test: GateUsage): object {
  return {
    customer_id: tenant.id,
    live: { ...toModeUsage(live), annual_validation_limit: tenant.limits.annualValidationLimit },
    test: toModeUsage(test),
  }
}

function toModeUsage({ yearStart, count, outstanding, days }: GateUsage) {
  return {
    contract_year_start: yearStart,
    admitted_this_year: count,
    permits_outstanding: outstanding,
    days: Object.entries(days)
      .toSorted(([a], [b]) => b.localeCompare(a))
      .map(([date, { admitted, limited }]) => ({ date, admitted, rate_limited: limited })),
  }
}

/** `before` and `after` as they are kept, with their times as every answer writes them. */
export function toAdminAuditEntry(entry: AuditEntry) {
  return {
    id: entry.id,
    type: entry.type,
    tenant_id: entry.tenantId,
    mode: entry.mode,
    customer_id: entry.customerId,
    key_id: entry.keyId,
    actor: entry.actor,
    request_id: entry.requestId,
    reason: entry.reason,
    before: entry.before && withTimes(entry.before),
    after: entry.after && withTimes(entry.after),
    created_at: isoTime(entry.createdAtMs),
  }
}

const TIMES = /_at$|^contract_(?:start|end)$/

function withTimes(document: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(document).map(([name, value]) => {
      if (name === 'stamps') return [name, withTimes(value as Record<string, unknown>)]
      return [name, TIMES.test(name) && typeof value === 'number' ? isoTime(value) : value]
    }),
  )
}
