/**
 * One customer: its facts beside everything that happened to it.
 */
import { Banner } from '@cloudflare/kumo/components/banner'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { useEffect } from 'react'
import { type CustomerPlace, customerCall, customerQuery } from '../../api/customer.ts'
import { useMe } from '../../api/me.ts'
import { tenantQuery } from '../../api/tenant.ts'
import { Curl } from '../../parts/curl.tsx'
import { Id } from '../../parts/id.tsx'
import { Page } from '../../parts/page.tsx'
import { ErrorState, Loading } from '../../parts/states.tsx'
import { ModeBadge, Status } from '../../parts/status.tsx'
import { keepRecent } from '../../shell/recent.ts'
import { Actions } from './actions.tsx'
import { Duplicates } from './duplicates.tsx'
import { Facts, Integrations, Metadata, Relatives } from './facts.tsx'
import { Merged } from './merged.tsx'
import { Past } from './past.tsx'
import { Timeline } from './timeline.tsx'

const route = getRouteApi('/tenants/$tenantId/$mode/customers/$customerId')

export function Customer() {
  const place = route.useParams()
  const { version } = route.useSearch()
  return version === undefined ? <Present place={place} /> : <Past place={place} version={version} />
}

function Present({ place }: { place: CustomerPlace }) {
  const me = useMe()
  const { data: customer, error, refetch } = useQuery(customerQuery(me, place))
  const { data: tenant } = useQuery({ ...tenantQuery(place.tenantId), enabled: me.kind === 'operator' })
  const companyName = me.kind === 'tenant' ? null : (tenant?.company_name ?? null)
  useEffect(() => {
    if (!customer) return
    const { id, external_id: externalId, name, email, status } = customer
    keepRecent({ id, externalId, name, email, status, tenantId: place.tenantId, mode: place.mode, companyName })
  }, [customer, companyName, place.tenantId, place.mode])
  if (!customer) {
    return (
      <Page title="Customer">
        {error ? <ErrorState error={error} onRetry={() => refetch()} /> : <Loading lines={8} />}
      </Page>
    )
  }
  if (customer.id !== place.customerId) return <Merged place={place} survivor={customer} />
  return (
    <Page
      title={customer.name || customer.external_id}
      beside={
        <>
          <Status value={customer.status} />
          {place.mode === 'test' && <ModeBadge mode="test" />}
        </>
      }
      below={
        <span className="flex flex-wrap items-center gap-x-3">
          <Id value={customer.id} />
          {companyName !== null && <span dir="auto">{companyName}</span>}
        </span>
      }
      actions={<Actions customer={customer} place={place} />}
    >
      {customer.status === 'archived' && (
        <Banner
          className="mb-4"
          variant="alert"
          title="Archived"
          description="Reads by its external id no longer find it, and another customer may take that id. Restore brings it back."
        />
      )}
      <div className="grid items-start gap-5 lg:grid-cols-[minmax(0,30rem)_minmax(0,1fr)]">
        <div className="min-w-0 space-y-5">
          <Facts customer={customer} />
          <Relatives customer={customer} place={place} />
          <Duplicates place={place} />
          <Integrations customer={customer} />
          <Metadata customer={customer} />
          <Curl call={customerCall(me, place)} label="Read it with curl" />
        </div>
        <Timeline place={place} />
      </div>
    </Page>
  )
}
