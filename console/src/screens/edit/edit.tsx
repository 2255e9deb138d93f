/**
 * Corrects a customer: what is sent is shown as a diff, with the reason, and never over a change that was not seen.
 */
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useState } from 'react'
import { versionQuery } from '../../api/customer.ts'
import { useMe } from '../../api/me.ts'
import { valuesOf } from '../../lib/edit.ts'
import { Page } from '../../parts/page.tsx'
import { EmptyState, ErrorState, Loading } from '../../parts/states.tsx'
import { draftOf } from './draft.ts'
import { Form } from './form.tsx'

const route = getRouteApi('/tenants/$tenantId/$mode/customers/$customerId/edit')

export function Edit() {
  const place = route.useParams()
  const me = useMe()
  const [draft] = useState(() => draftOf(place.customerId))
  // The version that the form begins with stays, whatever is read meanwhile: the save names it.
  const { data, error, refetch } = useQuery({ ...versionQuery(me, place), staleTime: 0, refetchOnWindowFocus: false })
  if (!data) {
    return (
      <Page title="Edit" narrow>
        {error ? <ErrorState error={error} onRetry={() => refetch()} /> : <Loading lines={8} />}
      </Page>
    )
  }
  const { customer, etag } = data
  const title = `Edit ${customer.name || customer.external_id}`
  if (customer.status === 'archived') {
    return (
      <Page title={title} narrow>
        <EmptyState title="Archived customers do not change" description="Restore it first; then it can be edited." />
      </Page>
    )
  }
  const base = valuesOf(customer)
  return (
    <Page title={title} narrow>
      <Form place={place} start={draft ?? { base, etag, mine: base, reason: '' }} isDraft={draft !== null} />
    </Page>
  )
}
