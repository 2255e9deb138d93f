/**
 * Finds the customer that stays: first those that may be the same, then all that match what is typed.
 */
import { Input } from '@cloudflare/kumo/components/input'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useDeferredValue, useState } from 'react'
import { type CustomerPlace, duplicatesQuery } from '../../api/customer.ts'
import { useMe } from '../../api/me.ts'
import { type FoundCustomer, foundOf } from '../../lib/find.ts'
import { reasonsText } from '../../lib/merge.ts'
import { Section } from '../../parts/page.tsx'
import { EmptyState, ErrorState, Loading } from '../../parts/states.tsx'
import { ROW } from '../../shell/keyboard.tsx'
import { CUSTOMER_LINE, CustomerLine } from '../find/rows.tsx'
import { useFound } from '../find/use-found.ts'

export function Pick({ place }: { place: CustomerPlace }) {
  const me = useMe()
  const [text, setText] = useState('')
  const q = useDeferredValue(text.trim())
  const { data: duplicates = [] } = useQuery(duplicatesQuery(me, place))
  const { customers, error, isPending, isStale, retry } = useFound(q, { tenantId: place.tenantId, mode: place.mode })
  const suspects = q === '' ? duplicates : []
  const isElsewhere = (id: string) => id === place.customerId || suspects.some(({ customer }) => customer.id === id)
  const rows = customers.filter(({ id }) => !isElsewhere(id))
  return (
    <div className="space-y-5">
      <Input
        label="Which customer stays?"
        description="Its id, external id, e-mail address or name."
        autoFocus
        className="w-full"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      {suspects.length > 0 && (
        <Section title="May be the same" flush>
          <ul className="divide-y divide-kumo-hairline">
            {suspects.map(({ customer, reasons }) => (
              <Choice key={customer.id} place={place} customer={foundOf(customer, place)} note={reasonsText(reasons)} />
            ))}
          </ul>
        </Section>
      )}
      <Section title={q === '' ? 'The newest' : 'Found'} flush>
        {isPending && rows.length === 0 && <Loading />}
        {error !== null && rows.length === 0 && <ErrorState error={error} onRetry={retry} />}
        {!isPending && error === null && rows.length === 0 && (
          <EmptyState title="No other customer" description="Try the beginning of the name, or an exact id." />
        )}
        <ul className={`divide-y divide-kumo-hairline ${isStale ? 'opacity-60' : ''}`}>
          {rows.map((customer) => (
            <Choice key={customer.id} place={place} customer={customer} />
          ))}
        </ul>
      </Section>
    </div>
  )
}

function Choice({ place, customer, note }: { place: CustomerPlace; customer: FoundCustomer; note?: string }) {
  return (
    <li>
      <Link
        {...ROW}
        to="/tenants/$tenantId/$mode/customers/$customerId/merge"
        params={place}
        search={{ into: customer.id }}
        className={CUSTOMER_LINE}
      >
        <CustomerLine customer={customer} {...(note !== undefined && { note })} />
      </Link>
    </li>
  )
}
