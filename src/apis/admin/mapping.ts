/**
 * Maps the admin API's forms of tenants and keys to Roster's own, and back. Pure. Only this API calls a tenant
 * "customer".
 */

import type { Usage } from '../../gate/protocol/usage.ts'
import type { PageCursor } from '../../http/cursor.ts'
import { isoTime, timeOrNull } from '../../shared/clock.ts'
import type { KeyFields, TenantDeletion, TenantUsage } from '../../tenants/operations.ts'
import type { AuditEntry, Found, Page, TenantChanges } from '../../tenants/ports.ts'
import type { ApiKey, Tenant } from '../../tenants/tenant.ts'
import { type Limits, TEST_MODE_STORAGE_BYTES } from '../../tenants/tiers.ts'
import { storedJson } from '../../validation/json.ts'
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
      storage_bytes: limits.storageBytes,
    },
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

/** Returns a key without its text. Roster returns the text once, with a new key, and does not store it. */
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

/** Returns a page in the form of this API. `cursor` is the place of the request in the list. */
export async function toAdminPage<Item extends { id: string }, Shown>(
  { items, hasMore }: Page<Item>,
  limit: number,
  cursor: PageCursor,
  show: (item: Item) => Shown,
  position = items.at(-1)?.id ?? null,
) {
  const next = await cursor.next(hasMore ? position : null)
  return { items: items.map(show), pagination: { limit, next_cursor: next, has_more: hasMore } }
}

function statusOf(key: ApiKey, nowMs: number): 'active' | 'expired' | 'revoked' {
  if (key.revokedAtMs !== null) return 'revoked'
  return key.expiresAtMs !== null && key.expiresAtMs <= nowMs ? 'expired' : 'active'
}

/** Returns requests by day and outcome, and the bytes stored. The annual limit is for live mode only. */
export function toAdminUsage({ tenant, live, test, storedBytes }: TenantUsage) {
  const { annualValidationLimit, storageBytes } = tenant.limits
  const stored = (bytes: number, bytesMax: number) => ({ stored_bytes: bytes, storage_bytes: bytesMax })
  return {
    customer_id: tenant.id,
    live: {
      ...toModeUsage(live),
      annual_validation_limit: annualValidationLimit,
      ...stored(storedBytes.live, storageBytes),
    },
    test: { ...toModeUsage(test), ...stored(storedBytes.test, TEST_MODE_STORAGE_BYTES) },
  }
}

function toModeUsage({ yearStart, count, outstanding, days }: Usage) {
  return {
    contract_year_start: yearStart,
    admitted_this_year: count,
    permits_outstanding: outstanding,
    days: Object.entries(days)
      .toSorted(([a], [b]) => b.localeCompare(a))
      .map(([date, { admitted, limited }]) => ({ date, admitted, rate_limited: limited })),
  }
}

export function toAdminFound({ customers, tenants, hasMore }: Found) {
  return {
    customers: customers.map((customer) => ({
      customer_id: customer.id,
      external_id: customer.externalId,
      name: customer.name,
      email: customer.email,
      status: customer.status,
      tenant_id: customer.tenantId,
      company_name: customer.companyName,
      mode: customer.mode,
    })),
    tenants: tenants.map(toAdminTenant),
    has_more: hasMore,
  }
}

/** Returns an audit entry with `before` and `after` as stored, except that their times are ISO 8601. */
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
