/**
 * All tenants: who they are, what they may use, how much of it they have used, and whether their webhooks arrive.
 */
import { Badge } from '@cloudflare/kumo/components/badge'
import { Input } from '@cloudflare/kumo/components/input'
import { BuildingsIcon, MagnifyingGlassIcon, PlusIcon } from '@phosphor-icons/react'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { call } from '../../api/call.ts'
import { healthQuery } from '../../api/health.ts'
import { useMe } from '../../api/me.ts'
import { tenantsQuery, usageQuery } from '../../api/tenants.ts'
import { count, number } from '../../lib/format.ts'
import { TIERS } from '../../lib/tiers.ts'
import { Choice } from '../../parts/choice.tsx'
import { Curl } from '../../parts/curl.tsx'
import { GatedButton } from '../../parts/gate.tsx'
import { coversRow, List, More } from '../../parts/list.tsx'
import { OperatorsOnly } from '../../parts/operators-only.tsx'
import { Card, Page } from '../../parts/page.tsx'
import { SmallShare } from '../../parts/share.tsx'
import { EmptyState, ErrorState, Loading } from '../../parts/states.tsx'
import { Status } from '../../parts/status.tsx'
import { ROW } from '../../shell/keyboard.tsx'

const route = getRouteApi('/tenants')
/** Typing is one search, not one a letter. */
const SEARCH_AFTER_MS = 250

export function Tenants() {
  return (
    <OperatorsOnly title="Tenants">
      <AllTenants />
    </OperatorsOnly>
  )
}

function AllTenants() {
  const filter = route.useSearch()
  const navigate = useNavigate()
  const { search, status, tier } = filter
  const query = useInfiniteQuery(tenantsQuery({ search, status, tier }))
  const { data: health } = useQuery(healthQuery)
  const rows = query.data?.pages.flatMap(({ items }) => items) ?? []
  const failing = failingByTenant(health?.failing_endpoints.items ?? [])
  const isFiltered = search !== undefined || status !== undefined || tier !== undefined
  const change = (changes: Partial<typeof filter>) =>
    navigate({ to: '/tenants', search: { ...filter, ...changes }, replace: true })
  const create = (
    <GatedButton
      needs={{ role: 'admin' }}
      variant="primary"
      icon={PlusIcon}
      onClick={() => navigate({ to: '/tenants/new' })}
    >
      New tenant
    </GatedButton>
  )
  return (
    <Page title="Tenants" actions={create}>
      <div className="mb-4 grid gap-3 sm:grid-cols-[minmax(12rem,1fr)_10rem_10rem]">
        <SearchField
          key={search ?? ''}
          value={search ?? ''}
          onChange={(text) => change({ search: text || undefined })}
        />
        <Choice
          label="Status"
          hideLabel
          value={status ?? ''}
          options={[
            ['', 'Any status'],
            ['active', 'Active'],
            ['suspended', 'Suspended'],
          ]}
          onChange={(value) => change({ status: value || undefined })}
        />
        <Choice
          label="Tier"
          hideLabel
          value={tier ?? ''}
          options={[['', 'Any tier'], ...TIERS.map((each) => [each, each] as const)]}
          onChange={(value) => change({ tier: value || undefined })}
        />
      </div>
      <Card>
        {query.isPending && <Loading lines={8} />}
        {query.error && rows.length === 0 && <ErrorState error={query.error} onRetry={() => query.refetch()} />}
        {query.data && rows.length === 0 && (
          <EmptyState
            icon={<BuildingsIcon size={40} aria-hidden />}
            title={isFiltered ? 'No tenant like this' : 'No tenant yet'}
            description={
              isFiltered
                ? 'Nothing matches the name or address, the status and the tier together.'
                : 'A tenant is a company that uses this API. Make one, then a key for it.'
            }
            contents={
              isFiltered ? (
                <Link to="/tenants" className="underline">
                  Show all tenants
                </Link>
              ) : (
                create
              )
            }
          />
        )}
        {rows.length > 0 && (
          <List
            label="Tenants"
            rows={rows}
            rowKey={({ customer_id }) => customer_id}
            isStale={query.isPlaceholderData}
            columns={[
              {
                head: 'Company',
                isTitle: true,
                cell: ({ customer_id, company_name, contact_email }) => (
                  <>
                    <Link
                      {...ROW}
                      to="/tenants/$tenantId"
                      params={{ tenantId: customer_id }}
                      className={`${coversRow} block max-w-[26rem] break-words`}
                      dir="auto"
                    >
                      {company_name}
                    </Link>
                    <span className="block text-sm break-all text-kumo-subtle">{contact_email}</span>
                  </>
                ),
              },
              { head: 'Status', cell: (row) => <Status value={row.status} /> },
              { head: 'Tier', cell: (row) => <Badge variant="outline">{row.tier}</Badge> },
              {
                head: 'Rate',
                right: true,
                cell: ({ limits }) => (
                  <span className="whitespace-nowrap">{number(limits.requests_per_second)} / s</span>
                ),
              },
              { head: 'Year used', cell: (row) => <YearUsed tenantId={row.customer_id} /> },
              {
                head: 'Webhooks',
                cell: (row) => {
                  const failed = failing.get(row.customer_id) ?? 0
                  if (failed === 0) return <span className="text-kumo-subtle">{health ? 'fine' : '–'}</span>
                  return <Badge variant="error">{failed} failing</Badge>
                },
              },
            ]}
          />
        )}
        <More query={query} />
      </Card>
      <div className="mt-3">
        <Curl call={call('GET', '/admin/customers', { query: { search, status, tier } })} />
      </div>
    </Page>
  )
}

function SearchField({ value, onChange }: { value: string; onChange: (text: string) => void }) {
  const [text, setText] = useState(value)
  useEffect(() => {
    if (text.trim() === value) return
    const timer = setTimeout(() => onChange(text.trim()), SEARCH_AFTER_MS)
    return () => clearTimeout(timer)
  }, [text, value, onChange])
  return (
    <div className="relative">
      <MagnifyingGlassIcon
        size={16}
        className="pointer-events-none absolute top-1/2 left-3 z-10 -translate-y-1/2 text-kumo-subtle"
        aria-hidden
      />
      <Input
        aria-label="Company or contact address"
        placeholder="Company or contact address"
        className="w-full pl-9"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
    </div>
  )
}

/** Asks a tenant's gate only once its row is seen. */
function YearUsed({ tenantId }: { tenantId: string }) {
  const me = useMe()
  const place = useRef<HTMLSpanElement>(null)
  const [isSeen, see] = useState(false)
  useEffect(() => {
    if (!place.current) return
    const observer = new IntersectionObserver(
      (entries) => entries.some(({ isIntersecting }) => isIntersecting) && see(true),
    )
    observer.observe(place.current)
    return () => observer.disconnect()
  }, [])
  const { data, isError } = useQuery({ ...usageQuery(me, tenantId), enabled: isSeen })
  const live = data?.live
  const of = live?.annual_validation_limit
  return (
    <span ref={place} className="inline-block min-w-24">
      {live && of ? (
        <SmallShare
          label={`${number(live.admitted_this_year)} of ${count(of, 'request')}`}
          used={live.admitted_this_year}
          of={of}
        />
      ) : (
        <span className="text-kumo-subtle">{isError ? 'unknown' : '…'}</span>
      )}
    </span>
  )
}

function failingByTenant(items: readonly { tenant_id: string }[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { tenant_id: id } of items) counts.set(id, (counts.get(id) ?? 0) + 1)
  return counts
}
