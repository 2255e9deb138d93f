/**
 * A customer as it was in a version.
 */
import { Banner } from '@cloudflare/kumo/components/banner'
import { ClockCounterClockwiseIcon } from '@phosphor-icons/react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { type CustomerPlace, pastCall, pastQuery } from '../../api/customer.ts'
import { useMe } from '../../api/me.ts'
import { exactTime } from '../../lib/format.ts'
import { Curl } from '../../parts/curl.tsx'
import { GatedButton } from '../../parts/gate.tsx'
import { Id } from '../../parts/id.tsx'
import { Page } from '../../parts/page.tsx'
import { ErrorState, Loading } from '../../parts/states.tsx'
import { ModeBadge, Status } from '../../parts/status.tsx'
import { TEXT_LINK } from '../../parts/text-link.ts'
import { CHANGE } from './actions.tsx'
import { Facts, Integrations, Metadata, Relatives } from './facts.tsx'
import { Revert } from './revert.tsx'

export function Past({ place, version }: { place: CustomerPlace; version: number }) {
  const me = useMe()
  const [isReverting, revert] = useState(false)
  const { data: customer, error, refetch } = useQuery(pastQuery(me, place, version))
  const toNow = (
    <Link to="/tenants/$tenantId/$mode/customers/$customerId" params={place} className={TEXT_LINK}>
      Back to now
    </Link>
  )
  if (!customer) {
    return (
      <Page title={`Version ${version}`} below={toNow}>
        {error ? <ErrorState error={error} onRetry={() => refetch()} /> : <Loading lines={8} />}
      </Page>
    )
  }
  return (
    <Page
      title={customer.name || customer.external_id}
      beside={
        <>
          <Status value={customer.status} />
          {place.mode === 'test' && <ModeBadge mode="test" />}
        </>
      }
      below={<Id value={customer.id} />}
      actions={
        <GatedButton needs={CHANGE} onClick={() => revert(true)}>
          Revert to this…
        </GatedButton>
      }
    >
      <Banner
        className="mb-4"
        icon={<ClockCounterClockwiseIcon weight="fill" />}
        title={`As it was: version ${version}, ${exactTime(customer.updated_at)}`}
        description={<span>This is the past, and cannot be edited. {toNow}</span>}
      />
      <div className="max-w-xl space-y-5">
        <Facts customer={customer} />
        <Relatives customer={customer} place={place} />
        <Integrations customer={customer} />
        <Metadata customer={customer} />
        <Curl call={pastCall(me, place, version)} label="Read it with curl" />
      </div>
      {isReverting && <Revert place={place} version={version} onClose={() => revert(false)} />}
    </Page>
  )
}
