/**
 * Rows of what was found: each is one link, so that it opens in a new tab too.
 */
import { BuildingsIcon, UserIcon } from '@phosphor-icons/react'
import { Link } from '@tanstack/react-router'
import type { Tenant } from 'roster/client'
import type { FoundCustomer } from '../../lib/find.ts'
import { shortId } from '../../lib/format.ts'
import { ModeBadge, Status } from '../../parts/status.tsx'
import { ROW } from '../../shell/keyboard.tsx'

/** Classes of a row that is a link. */
export const CUSTOMER_LINE =
  'flex flex-wrap items-center gap-x-4 gap-y-1 px-4 py-3 hover:bg-kumo-tint focus-visible:bg-kumo-tint focus-visible:-outline-offset-2'

/** Right of the name; below it where there is no room, in line with it. */
const BESIDE = 'flex items-center gap-3 max-sm:w-full max-sm:pl-9'

export function CustomerRow({ customer }: { customer: FoundCustomer }) {
  const { id, tenantId, mode } = customer
  return (
    <li>
      <Link
        {...ROW}
        to="/tenants/$tenantId/$mode/customers/$customerId"
        params={{ tenantId, mode, customerId: id }}
        className={CUSTOMER_LINE}
      >
        <CustomerLine customer={customer} />
      </Link>
    </li>
  )
}

/** The content of a row. `note` stands where the company would. */
export function CustomerLine({ customer, note }: { customer: FoundCustomer; note?: string }) {
  const { externalId, name, email, status, companyName, mode } = customer
  const beside = note ?? companyName
  return (
    <>
      <UserIcon size={20} className="shrink-0 text-kumo-subtle" aria-hidden />
      <span className="min-w-0 flex-1 basis-60">
        <span className="block truncate text-left font-medium" dir="auto">
          {name || externalId}
        </span>
        <span className="block truncate text-left text-kumo-subtle" dir="auto">
          {[email, externalId].filter((each) => each !== '').join(' · ')}
        </span>
      </span>
      <span className={BESIDE}>
        {beside !== null && (
          <span className="max-w-48 truncate text-kumo-subtle" dir="auto" title={beside}>
            {beside}
          </span>
        )}
        {mode === 'test' && <ModeBadge mode="test" />}
        <Status value={status} />
      </span>
    </>
  )
}

export function TenantRow({ tenant }: { tenant: Tenant }) {
  return (
    <li>
      <Link {...ROW} to="/tenants/$tenantId" params={{ tenantId: tenant.customer_id }} className={CUSTOMER_LINE}>
        <BuildingsIcon size={20} className="shrink-0 text-kumo-subtle" aria-hidden />
        <span className="min-w-0 flex-1 basis-60">
          <span className="block truncate text-left font-medium" dir="auto">
            {tenant.company_name}
          </span>
          <span className="block truncate text-kumo-subtle">
            Tenant · {tenant.tier} · {shortId(tenant.customer_id)}
          </span>
        </span>
        <span className={BESIDE}>
          <Status value={tenant.status} />
        </span>
      </Link>
    </li>
  )
}
