/**
 * One tenant: what it used, what it may use, its keys, endpoints and onboarding. A tenant that has signed in with its own key
 * sees its own part.
 */
import { Badge } from '@cloudflare/kumo/components/badge'
import { cn } from '@cloudflare/kumo/utils'
import { LinkBreakIcon } from '@phosphor-icons/react'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { lazy, type ReactNode, Suspense } from 'react'
import { call } from '../../api/call.ts'
import { type TenantMe, useMe } from '../../api/me.ts'
import { send } from '../../api/send.ts'
import { tenantQuery } from '../../api/tenant.ts'
import { Id } from '../../parts/id.tsx'
import { useNotice } from '../../parts/notice.tsx'
import { Page } from '../../parts/page.tsx'
import { EmptyState, ErrorState, Loading } from '../../parts/states.tsx'
import { ModeBadge, Status } from '../../parts/status.tsx'
import { Time } from '../../parts/time.tsx'
import { Endpoints } from './endpoints.tsx'
import { Keys } from './keys.tsx'
import { Onboarding } from './onboarding.tsx'
import { Plan, type PlanTenant } from './plan.tsx'
import { SuspendButton } from './suspend.tsx'

const Usage = lazy(() => import('./usage.tsx').then(({ Usage: component }) => ({ default: component })))

const route = getRouteApi('/tenants/$tenantId')
const TABS = [
  ['usage', 'Usage'],
  ['plan', 'Plan and limits'],
  ['keys', 'Keys'],
  ['webhooks', 'Webhooks'],
  ['onboarding', 'Onboarding'],
] as const

export function Tenant() {
  const me = useMe()
  const { tenantId } = route.useParams()
  if (me.kind === 'operator') return <OfOperator key={tenantId} tenantId={tenantId} />
  if (me.tenantId === tenantId) return <Own me={me} />
  return (
    <Page title="Not found">
      <EmptyState
        icon={<LinkBreakIcon size={40} aria-hidden />}
        title="Not found"
        description="There is no such tenant."
      />
    </Page>
  )
}

function OfOperator({ tenantId }: { tenantId: string }) {
  const { notice, notify } = useNotice()
  const { data: tenant, error, isPending, refetch } = useQuery(tenantQuery(tenantId))
  if (isPending) {
    return (
      <Page title="Tenant">
        <Loading lines={6} />
      </Page>
    )
  }
  if (!tenant) {
    return (
      <Page title="Tenant">
        <ErrorState error={error} onRetry={() => refetch()} />
      </Page>
    )
  }
  return (
    <Page
      title={tenant.company_name}
      beside={
        <>
          <Status value={tenant.status} />
          <Badge variant="outline">{tenant.tier}</Badge>
        </>
      }
      below={
        <span className="flex flex-wrap items-center gap-x-4 gap-y-1">
          <Id value={tenantId} />
          <span className="break-all">{tenant.contact_email}</span>
          <span>
            changed <Time at={tenant.updated_at} />
          </span>
          <Link to="/" search={{ tenant: tenantId, mode: 'live' }} className="underline">
            Find its customers
          </Link>
          <Link to="/audit" search={{ tenant_id: tenantId }} className="underline">
            Its audit
          </Link>
        </span>
      }
      actions={<SuspendButton tenant={tenant} notify={notify} />}
    >
      {notice}
      <Parts tenantId={tenantId} plan={tenant} notify={notify} />
    </Page>
  )
}

/** The tenant's own part: what its key may see. */
function Own({ me }: { me: TenantMe }) {
  const { notice, notify } = useNotice()
  const { data } = useQuery({
    queryKey: ['own-tenant'],
    queryFn: ({ signal }) => send(call('GET', '/v1/tenant'), signal),
  })
  return (
    <Page
      title={me.name}
      beside={
        <>
          <ModeBadge mode={me.mode} />
          {data && <Badge variant="outline">{data.tier}</Badge>}
        </>
      }
      below={<Id value={me.tenantId} />}
    >
      {notice}
      <Parts tenantId={me.tenantId} plan={null} notify={notify} />
    </Page>
  )
}

function Parts({
  tenantId,
  plan,
  notify,
}: {
  tenantId: string
  plan: PlanTenant | null
  notify: (text: string) => void
}) {
  const { tab } = route.useSearch()
  const tabs = TABS.filter(([value]) => plan !== null || value !== 'plan')
  const [shown] = tabs.find(([value]) => value === tab) ?? tabs[0] ?? ['usage']
  const panels: Record<(typeof TABS)[number][0], () => ReactNode> = {
    usage: () => (
      <Suspense fallback={<Loading lines={6} />}>
        <Usage tenantId={tenantId} />
      </Suspense>
    ),
    plan: () => plan && <Plan tenant={plan} notify={notify} />,
    keys: () => <Keys tenantId={tenantId} notify={notify} />,
    webhooks: () => <Endpoints tenantId={tenantId} />,
    onboarding: () => <Onboarding tenantId={tenantId} />,
  }
  return (
    <>
      <nav aria-label="Parts of the tenant" className="mb-4 overflow-x-auto border-b border-kumo-hairline">
        <ul className="flex gap-1">
          {tabs.map(([value, label]) => (
            <li key={value} ref={value === shown ? showWhole : null}>
              <Link
                to="/tenants/$tenantId"
                params={{ tenantId }}
                search={{ tab: value }}
                replace
                aria-current={value === shown ? 'page' : undefined}
                className={cn(
                  'block border-b-2 px-3 py-2 whitespace-nowrap',
                  value === shown
                    ? 'border-kumo-brand font-medium'
                    : 'border-transparent text-kumo-subtle hover:text-kumo-default',
                )}
              >
                {label}
              </Link>
            </li>
          ))}
        </ul>
      </nav>
      {panels[shown]()}
    </>
  )
}

/** Scrolls the tabs, where they do not all fit, to the one that is shown. */
function showWhole(tab: HTMLElement | null): void {
  tab?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
}
