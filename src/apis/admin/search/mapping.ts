/** Maps what was found over all tenants to this API. Pure. */

import type { Found } from '../../../tenants/ports.ts'
import { toAdminTenant } from '../tenants/mapping.ts'

export function toAdminFound({ customers, tenants, hasMore, isOfAllTenants }: Found) {
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
    all_tenants_searched: isOfAllTenants,
  }
}
