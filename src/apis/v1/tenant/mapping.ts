/** Maps a tenant to the form in which it sees itself, in the mode of its key. Pure. */

import type { Mode } from '../../../registry/customer.ts'
import { timeOrNull } from '../../../shared/clock.ts'
import type { ModeUsage } from '../../../tenants/operations.ts'
import { toShownUsage } from '../../../tenants/shown-usage.ts'
import { type ApiKey, policyFor, storageBytesOf, type Tenant } from '../../../tenants/tenant.ts'

/** `key` is null for an operator. */
export function toV1Tenant(tenant: Tenant, mode: Mode, key: ApiKey | null) {
  const { ratePerSecond, burst, annualLimit } = policyFor(tenant, mode)
  return {
    tenant_id: tenant.id,
    company_name: tenant.companyName,
    tier: tenant.tier,
    status: tenant.status,
    mode,
    limits: {
      requests_per_second: ratePerSecond,
      burst,
      annual_validation_limit: annualLimit,
      storage_bytes: storageBytesOf(tenant, mode),
    },
    key: key && { key_id: key.id, name: key.name, scopes: key.scopes, expires_at: timeOrNull(key.expiresAtMs) },
  }
}

/** The annual limit is null in test mode, which has none. */
export function toV1Usage({ tenant, usage, storedBytes }: ModeUsage, mode: Mode) {
  return {
    tenant_id: tenant.id,
    mode,
    ...toShownUsage(usage, { bytes: storedBytes, bytesMax: storageBytesOf(tenant, mode) }),
    annual_validation_limit: policyFor(tenant, mode).annualLimit,
  }
}
