/**
 * One webhook endpoint: its health, its deliveries with what was answered, and sending them again.
 */
import { Badge } from '@cloudflare/kumo/components/badge'
import { PauseIcon, PlayIcon, TrashIcon, TruckIcon } from '@phosphor-icons/react'
import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { call } from '../../api/call.ts'
import { placeFor, useMe } from '../../api/me.ts'
import { send, sendForEtag } from '../../api/send.ts'
import { Choice } from '../../parts/choice.tsx'
import { Confirm } from '../../parts/confirm.tsx'
import { Curl } from '../../parts/curl.tsx'
import { GatedButton } from '../../parts/gate.tsx'
import { Id } from '../../parts/id.tsx'
import { More } from '../../parts/list.tsx'
import { useNotice } from '../../parts/notice.tsx'
import { Page, Section } from '../../parts/page.tsx'
import { EmptyState, ErrorState, Loading } from '../../parts/states.tsx'
import { ModeBadge, Status } from '../../parts/status.tsx'
import { Time } from '../../parts/time.tsx'
import { Delivery, type ShownDelivery } from './delivery.tsx'
import { Redeliver } from './redeliver.tsx'

const route = getRouteApi('/tenants/$tenantId/$mode/endpoints/$endpointId')
const MANAGES = { role: 'admin', scope: 'webhooks:manage' } as const

export function Endpoint() {
  const { endpointId } = route.useParams()
  // Another endpoint is another screen: nothing of the one before may be shown for it.
  return <OneEndpoint key={endpointId} />
}

function OneEndpoint() {
  const { tenantId, mode, endpointId } = route.useParams()
  const { status } = route.useSearch()
  const me = useMe()
  const navigate = useNavigate()
  const queries = useQueryClient()
  const { notice, notify } = useNotice()
  const [isSwitching, switchIt] = useState(false)
  const [isDeleting, remove] = useState(false)
  const place = placeFor(me, { tenantId, mode })
  const param = { endpoint_id: endpointId }
  const key = ['tenant', tenantId, 'endpoint', endpointId]
  const endpoint = useQuery({
    queryKey: key,
    queryFn: async ({ signal }) => {
      const { body, etag } = await sendForEtag(
        call('GET', '/v1/webhooks/endpoints/:endpoint_id', { param, ...place }),
        signal,
      )
      return { ...body, etag }
    },
  })
  const listCall = (cursor: string | null) =>
    call('GET', '/v1/webhooks/endpoints/:endpoint_id/deliveries', {
      param,
      query: { status, limit: 25, cursor },
      ...place,
    })
  const deliveries = useInfiniteQuery({
    queryKey: [...key, 'deliveries', status ?? ''],
    queryFn: ({ pageParam, signal }) => send(listCall(pageParam), signal),
    initialPageParam: null as string | null,
    getNextPageParam: ({ pagination }) => pagination.next_cursor,
  })
  const reload = () => queries.invalidateQueries({ queryKey: ['tenant', tenantId] })
  const done = (text: string) => {
    notify(text)
    reload()
  }
  if (!endpoint.data) {
    return (
      <Page title="Webhook endpoint">
        {endpoint.isPending ? <Loading /> : <ErrorState error={endpoint.error} onRetry={() => endpoint.refetch()} />}
      </Page>
    )
  }
  const { url, enabled, status: health, failing_since, disabled_reason, event_types, description, etag } = endpoint.data
  const rows: ShownDelivery[] = deliveries.data?.pages.flatMap(({ items }) => items) ?? []
  const change = (enable: boolean, reason: string) =>
    call('PATCH', '/v1/webhooks/endpoints/:endpoint_id', {
      param,
      body: { enabled: enable },
      reason,
      ...(etag && { ifMatch: etag }),
      ...place,
    })
  return (
    <Page
      title={hostOf(url)}
      beside={
        <>
          <Status value={health} />
          <ModeBadge mode={mode} />
        </>
      }
      below={
        <span className="flex flex-wrap items-center gap-x-4 gap-y-1">
          <span className="break-all">{url}</span>
          <Id value={endpointId} />
          <Link to="/tenants/$tenantId" params={{ tenantId }} search={{ tab: 'webhooks' }} className="underline">
            All endpoints
          </Link>
        </span>
      }
      actions={
        <>
          <GatedButton needs={MANAGES} icon={enabled ? PauseIcon : PlayIcon} onClick={() => switchIt(true)}>
            {enabled ? 'Disable' : 'Enable'}
          </GatedButton>
          <GatedButton needs={MANAGES} variant="secondary-destructive" icon={TrashIcon} onClick={() => remove(true)}>
            Delete
          </GatedButton>
        </>
      }
    >
      {notice}
      <div className="space-y-5">
        <Section title="Health">
          <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-2">
            <dt className="text-kumo-subtle">State</dt>
            <dd>{healthText(health, disabled_reason)}</dd>
            {failing_since !== null && (
              <>
                <dt className="text-kumo-subtle">Failing since</dt>
                <dd>
                  <Time at={failing_since} />
                </dd>
              </>
            )}
            {description !== '' && (
              <>
                <dt className="text-kumo-subtle">Description</dt>
                <dd dir="auto">{description}</dd>
              </>
            )}
            <dt className="text-kumo-subtle">Events</dt>
            <dd className="flex flex-wrap gap-1">
              {event_types === null
                ? 'all, future ones too'
                : event_types.map((type) => (
                    <Badge key={type} variant="secondary">
                      {type}
                    </Badge>
                  ))}
            </dd>
          </dl>
        </Section>
        <Section
          title="Deliveries"
          flush
          actions={
            <>
              <Choice
                label="Which deliveries"
                hideLabel
                value={status ?? ''}
                options={[
                  ['', 'All'],
                  ['failed', 'Failed'],
                  ['pending', 'Pending'],
                  ['delivered', 'Delivered'],
                ]}
                onChange={(value) =>
                  navigate({
                    to: '/tenants/$tenantId/$mode/endpoints/$endpointId',
                    params: { tenantId, mode, endpointId },
                    search: value === '' ? {} : { status: value },
                    replace: true,
                  })
                }
              />
              <Redeliver param={param} place={place} onDone={done} />
            </>
          }
        >
          {deliveries.isPending && <Loading />}
          {deliveries.error && rows.length === 0 && (
            <ErrorState error={deliveries.error} onRetry={() => deliveries.refetch()} />
          )}
          {deliveries.data && rows.length === 0 && (
            <EmptyState
              icon={<TruckIcon size={40} aria-hidden />}
              title={
                status === undefined
                  ? 'Nothing sent yet'
                  : `None that ${status === 'pending' ? 'waits' : `is ${status}`}`
              }
              description="A delivery appears here when a customer changes."
            />
          )}
          <ul aria-label="Deliveries" className="divide-y divide-kumo-hairline">
            {rows.map((delivery) => (
              <Delivery key={delivery.id} delivery={delivery} place={{ tenantId, mode }} param={param} onDone={done} />
            ))}
          </ul>
          <More query={deliveries} />
        </Section>
        <Curl call={listCall(null)} />
      </div>
      <Confirm
        open={isSwitching}
        onClose={() => switchIt(false)}
        title={`${enabled ? 'Disable' : 'Enable'} this endpoint`}
        consequences={
          enabled
            ? [
                'Nothing is sent to it any more; deliveries that wait are given up when they become due.',
                'All of it stays in the event log: enable it later, and redeliver since a time.',
              ]
            : [
                'It gets the events that happen from now on. Deliveries that wait are attempted now.',
                'Redeliver what it missed meanwhile.',
              ]
        }
        reason={me.kind === 'operator' ? 'required' : 'optional'}
        confirmLabel={enabled ? 'Disable it' : 'Enable it'}
        destructive={enabled}
        makeCall={(reason) => change(!enabled, reason)}
        onDone={() => done(enabled ? 'Disabled.' : 'Enabled.')}
      />
      <Confirm
        open={isDeleting}
        onClose={() => remove(false)}
        title="Delete this endpoint"
        consequences={[
          'Its deliveries and attempts are deleted with it.',
          'It cannot be taken back: another one has another secret.',
        ]}
        typed={{ value: hostOf(url), label: 'Type its host' }}
        reason={me.kind === 'operator' ? 'required' : 'optional'}
        confirmLabel="Delete it"
        destructive
        makeCall={(reason) => call('DELETE', '/v1/webhooks/endpoints/:endpoint_id', { param, reason, ...place })}
        onDone={() => {
          reload()
          navigate({ to: '/tenants/$tenantId', params: { tenantId }, search: { tab: 'webhooks' } })
        }}
      />
    </Page>
  )
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url
}

function healthText(health: string, reason: string | null): string {
  if (health === 'ok') return 'The last attempt was answered with 2xx.'
  if (health === 'failing')
    return 'Attempts fail; Roster tries again with growing intervals, and disables it after five days.'
  if (reason === 'gone') return 'Disabled by Roster: it answered 410.'
  if (reason === 'failing') return 'Disabled by Roster: every attempt failed for five days.'
  return 'Disabled by hand: nothing is sent to it.'
}
