/**
 * Customers that may be the same, each with the reason, and the way to make one of both.
 */
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type CustomerPlace, duplicatesCall, duplicatesQuery } from '../../api/customer.ts'
import { useMe } from '../../api/me.ts'
import { reasonsText } from '../../lib/merge.ts'
import { Curl } from '../../parts/curl.tsx'
import { Section } from '../../parts/page.tsx'
import { TEXT_LINK } from '../../parts/text-link.ts'
import { CustomerLink } from './facts.tsx'

/** Shown only if there are some. If they cannot be read, the page is whole without them. */
export function Duplicates({ place }: { place: CustomerPlace }) {
  const me = useMe()
  const { data: duplicates = [] } = useQuery(duplicatesQuery(me, place))
  if (duplicates.length === 0) return null
  return (
    <Section title="May be the same">
      <ul className="space-y-3">
        {duplicates.map(({ customer, reasons }) => (
          <li key={customer.id} className="flex flex-wrap items-center justify-between gap-x-4 gap-y-1">
            <div className="min-w-0">
              <CustomerLink customer={customer} place={place} />
              <p className="text-sm text-kumo-subtle">{reasonsText(reasons)}</p>
            </div>
            <Link
              to="/tenants/$tenantId/$mode/customers/$customerId/merge"
              params={place}
              search={{ into: customer.id }}
              className={TEXT_LINK}
              aria-label={`Merge into ${customer.name || customer.external_id}`}
            >
              Merge…
            </Link>
          </li>
        ))}
      </ul>
      <div className="mt-3">
        <Curl call={duplicatesCall(me, place)} />
      </div>
    </Section>
  )
}
