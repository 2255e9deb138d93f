/**
 * The webhook endpoints of a tenant with their health.
 */
import { WebhooksLogoIcon } from '@phosphor-icons/react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { call } from '../../api/call.ts'
import { useMe } from '../../api/me.ts'
import { endpointsQuery } from '../../api/tenants.ts'
import { count } from '../../lib/format.ts'
import { Curl } from '../../parts/curl.tsx'
import { coversRow, List } from '../../parts/list.tsx'
import { Section } from '../../parts/page.tsx'
import { EmptyState, ErrorState, Loading } from '../../parts/states.tsx'
import { ModeBadge, Status } from '../../parts/status.tsx'
import { Time } from '../../parts/time.tsx'
import { ROW } from '../../shell/keyboard.tsx'

export function Endpoints({ tenantId }: { tenantId: string }) {
  const me = useMe()
  const { data, error, isPending, refetch } = useQuery(endpointsQuery(me, tenantId))
  const mode = me.kind === 'tenant' ? me.mode : 'live'
  const example = call('POST', '/v1/webhooks/endpoints', {
    body: { url: 'https://example.com/webhooks/roster' },
    ...(me.kind === 'operator' && { place: { tenantId, mode }, reason: 'The tenant asked for it' }),
  })
  return (
    <>
      <Section title="Webhook endpoints" flush>
        {isPending && <Loading />}
        {error && !data && <ErrorState error={error} onRetry={() => refetch()} />}
        {data?.length === 0 && (
          <EmptyState
            icon={<WebhooksLogoIcon size={40} aria-hidden />}
            title="No webhook yet"
            description="An endpoint gets every change of a customer within a second. One request makes it:"
            contents={
              <div className="w-fit max-w-full">
                <Curl call={example} label="Make an endpoint with curl" />
              </div>
            }
          />
        )}
        {data && data.length > 0 && (
          <List
            label="Webhook endpoints"
            rows={data}
            rowKey={({ id }) => id}
            columns={[
              {
                head: 'URL',
                isTitle: true,
                cell: ({ id, url, description, mode: of }) => (
                  <>
                    <Link
                      {...ROW}
                      to="/tenants/$tenantId/$mode/endpoints/$endpointId"
                      params={{ tenantId, mode: of, endpointId: id }}
                      className={`${coversRow} block break-all`}
                    >
                      {url}
                    </Link>
                    {description !== '' && (
                      <span className="block text-sm text-kumo-subtle" dir="auto">
                        {description}
                      </span>
                    )}
                  </>
                ),
              },
              { head: 'Mode', cell: (endpoint) => <ModeBadge mode={endpoint.mode} /> },
              { head: 'Health', cell: ({ status }) => <Status value={status} /> },
              { head: 'Failing since', cell: ({ failing_since }) => <Time at={failing_since} never="–" /> },
              {
                head: 'Events',
                cell: ({ event_types: types }) => <span>{types === null ? 'all' : count(types.length, 'type')}</span>,
              },
              { head: 'Made', cell: ({ created_at }) => <Time at={created_at} /> },
            ]}
          />
        )}
      </Section>
      <div className="mt-3">
        <Curl
          call={
            me.kind === 'tenant'
              ? call('GET', '/v1/webhooks/endpoints')
              : call('GET', '/admin/customers/:customer_id/webhooks/endpoints', { param: { customer_id: tenantId } })
          }
        />
      </div>
    </>
  )
}
