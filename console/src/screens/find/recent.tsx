/**
 * A hint at the searches, and the customers that were opened in this tab.
 */
import { MagnifyingGlassIcon } from '@phosphor-icons/react'
import { EmptyState } from '../../parts/states.tsx'
import { recentCustomers } from '../../shell/recent.ts'
import { CustomerRow } from './rows.tsx'

export function Recent() {
  const customers = recentCustomers()
  if (customers.length === 0) {
    return (
      <EmptyState
        icon={<MagnifyingGlassIcon size={40} aria-hidden />}
        title="Who is on the phone?"
        description="Type an e-mail address, an id, an external id or the beginning of a name. Choose a tenant to look only there."
      />
    )
  }
  return (
    <section aria-label="Opened before">
      <h2 className="mb-2 text-kumo-subtle">Opened before, in this tab</h2>
      <ul className="divide-y divide-kumo-hairline overflow-hidden rounded-lg bg-kumo-base ring ring-kumo-line">
        {customers.map((customer) => (
          <CustomerRow key={customer.id} customer={customer} />
        ))}
      </ul>
    </section>
  )
}
