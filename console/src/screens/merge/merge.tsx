/**
 * Makes one customer of two: the one in the address becomes a part of another one, which is found here. What moves is shown
 * before it is done.
 */
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useState } from 'react'
import { type CustomerPlace, currentQuery } from '../../api/customer.ts'
import { useMe } from '../../api/me.ts'
import { Page } from '../../parts/page.tsx'
import { EmptyState, ErrorState, Loading } from '../../parts/states.tsx'
import { TEXT_LINK } from '../../parts/text-link.ts'
import { Pick } from './pick.tsx'
import { Preview } from './preview.tsx'
import { type Done, Result } from './result.tsx'

const route = getRouteApi('/tenants/$tenantId/$mode/customers/$customerId/merge')

export function Merge() {
  const place = route.useParams()
  const { into } = route.useSearch()
  const [done, finish] = useState<Done | null>(null)
  if (done) return <Result place={place} done={done} />
  return <Ask key={into} place={place} into={into} onDone={finish} />
}

interface Props {
  place: CustomerPlace
  into: string | undefined
  onDone: (done: Done) => void
}

function Ask({ place, into, onDone }: Props) {
  const me = useMe()
  const source = useQuery(currentQuery(me, place))
  const survivor = useQuery({ ...currentQuery(me, { ...place, customerId: into ?? '' }), enabled: into !== undefined })
  const failed = [source, survivor].find(({ error }) => error !== null)
  if (!source.data || (into !== undefined && !survivor.data)) {
    return (
      <Page title="Merge" narrow>
        {failed ? <ErrorState error={failed.error} onRetry={() => failed.refetch()} /> : <Loading lines={8} />}
      </Page>
    )
  }
  const { customer } = source.data
  const name = customer.name || customer.external_id
  const back = (
    <Link to="/tenants/$tenantId/$mode/customers/$customerId" params={place} className={TEXT_LINK}>
      Back to {name}
    </Link>
  )
  if (customer.id !== place.customerId) {
    return (
      <Page title="Merge" below={back} narrow>
        <EmptyState title="It is merged already" description="This customer is a part of another one now." />
      </Page>
    )
  }
  return (
    <Page title={`Merge ${name} into another customer`} below={back} narrow>
      {survivor.data ? (
        <Preview place={place} source={source.data} survivor={survivor.data} onDone={onDone} />
      ) : (
        <Pick place={place} />
      )}
    </Page>
  )
}
