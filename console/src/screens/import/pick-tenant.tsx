/**
 * Asks an operator for the tenant that the file is for.
 */
import { Input } from '@cloudflare/kumo/components/input'
import { useInfiniteQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useDeferredValue, useState } from 'react'
import { tenantsQuery } from '../../api/tenants.ts'
import { Page, Section } from '../../parts/page.tsx'
import { EmptyState, ErrorState, Loading } from '../../parts/states.tsx'
import { Status } from '../../parts/status.tsx'
import { ROW } from '../../shell/keyboard.tsx'

export function PickTenant() {
  const [text, setText] = useState('')
  const search = useDeferredValue(text.trim())
  const query = useInfiniteQuery(tenantsQuery({ search: search === '' ? undefined : search }))
  const rows = query.data?.pages[0]?.items ?? []
  return (
    <Page title="Import" below="Choose the tenant that the customers in the file belong to." narrow>
      <div className="mb-4">
        <Input
          aria-label="Company or contact address"
          placeholder="Company or contact address"
          autoFocus
          className="w-full"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </div>
      <Section title="Tenants" flush>
        {query.isPending && <Loading />}
        {query.error && rows.length === 0 && <ErrorState error={query.error} onRetry={() => query.refetch()} />}
        {query.data && rows.length === 0 && (
          <EmptyState title="No tenant like this" description="Try a part of its name." />
        )}
        <ul className="divide-y divide-kumo-hairline">
          {rows.map(({ customer_id, company_name, status }) => (
            <li key={customer_id}>
              <Link
                {...ROW}
                to="/import"
                search={{ tenant: customer_id, mode: 'live' }}
                className="flex items-center justify-between gap-3 px-4 py-3 hover:bg-kumo-tint focus-visible:bg-kumo-tint"
              >
                <span className="min-w-0 font-medium break-words" dir="auto">
                  {company_name}
                </span>
                <Status value={status} />
              </Link>
            </li>
          ))}
        </ul>
      </Section>
    </Page>
  )
}
