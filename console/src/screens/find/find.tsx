/**
 * Finds customers by what is exact and by the beginnings of words, across all tenants or within one.
 */
import { Button } from '@cloudflare/kumo/components/button'
import { MagnifyingGlassIcon, UserIcon, XIcon } from '@phosphor-icons/react'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { type KeyboardEvent, useEffect, useRef, useState } from 'react'
import type { Mode } from '../../api/call.ts'
import { useMe } from '../../api/me.ts'
import { totalText } from '../../lib/find.ts'
import { number } from '../../lib/format.ts'
import { Page } from '../../parts/page.tsx'
import { EmptyState, ErrorState, Loading } from '../../parts/states.tsx'
import { TEXT_LINK } from '../../parts/text-link.ts'
import { moveRow } from '../../shell/keyboard.tsx'
import { Recent } from './recent.tsx'
import { CustomerRow, TenantRow } from './rows.tsx'
import { useFound } from './use-found.ts'

const route = getRouteApi('/')
/** Long enough that a word is typed, short enough that nobody waits. */
const SETTLE_MS = 150

export function Find() {
  const { q = '', tenant, mode } = route.useSearch()
  const me = useMe()
  const place = me.kind === 'tenant' ? me : tenant ? { tenantId: tenant, mode: (mode ?? 'live') as Mode } : null
  const found = useFound(q, place)
  const navigate = useNavigate()
  const isEmpty = found.customers.length === 0 && found.tenants.length === 0
  const open = () => {
    const [customer] = found.customers
    const [first] = found.tenants
    if (found.isStale) return
    if (customer) {
      const { tenantId, mode, id: customerId } = customer
      navigate({ to: '/tenants/$tenantId/$mode/customers/$customerId', params: { tenantId, mode, customerId } })
    } else if (first) navigate({ to: '/tenants/$tenantId', params: { tenantId: first.customer_id } })
  }
  return (
    <Page
      title="Find"
      below={
        place === null
          ? 'Across all tenants'
          : `Within ${found.companyName ?? '…'}, ${place.mode}${found.total ? `: ${totalText(found.total)}` : ''}`
      }
    >
      <FindField onEnter={open} />
      {me.kind === 'operator' && place !== null && <PlaceChips place={place} q={q} />}
      <div className="mt-4" aria-busy={found.isPending}>
        {found.error && isEmpty ? (
          <ErrorState error={found.error} onRetry={found.retry} />
        ) : found.isPending && isEmpty ? (
          <Loading lines={5} label="Searching" />
        ) : (
          <>
            <p className="sr-only" role="status">
              {q === '' ? '' : `${found.customers.length} customers and ${found.tenants.length} tenants found`}
            </p>
            <ul
              className={`divide-y divide-kumo-hairline overflow-hidden rounded-lg bg-kumo-base ring ring-kumo-line empty:hidden ${found.isStale ? 'opacity-60' : ''}`}
            >
              {found.customers.map((customer) => (
                <CustomerRow key={`${customer.tenantId} ${customer.mode} ${customer.id}`} customer={customer} />
              ))}
              {found.tenants.map((each) => (
                <TenantRow key={each.customer_id} tenant={each} />
              ))}
            </ul>
            {found.loadMore && (
              <div className="mt-4 flex flex-wrap items-center justify-center gap-x-4 gap-y-2">
                {found.total && (
                  <span className="text-kumo-subtle">
                    {number(found.customers.length)} of {totalText(found.total)}
                  </span>
                )}
                <Button onClick={found.loadMore} loading={found.isLoadingMore}>
                  Load more
                </Button>
              </div>
            )}
            {q !== '' && !found.isPending && <LeftOut {...found.limits} />}
            {isEmpty && q !== '' && <Nothing q={q} />}
            {isEmpty && q === '' && (place === null ? <Recent /> : <NoCustomers place={place} />)}
          </>
        )}
      </div>
    </Page>
  )
}

/** The field. What is typed stands in the address, so that a search can be sent to a colleague. */
function FindField({ onEnter }: { onEnter: () => void }) {
  const { q = '' } = route.useSearch()
  const navigate = useNavigate({ from: '/' })
  const [text, setText] = useState(q)
  const field = useRef<HTMLInputElement>(null)
  const sent = useRef(q)
  useEffect(() => field.current?.focus(), [])
  // Back and forward change the address without the field.
  useEffect(() => {
    if (q !== sent.current) setText(q)
    sent.current = q
  }, [q])
  useEffect(() => {
    const next = text.trim()
    if (next === sent.current) return
    const timer = setTimeout(() => {
      sent.current = next
      navigate({ search: (search) => ({ ...search, q: next || undefined }), replace: true })
    }, SETTLE_MS)
    return () => clearTimeout(timer)
  }, [text, navigate])
  const pressed = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown') moveRow(1)
    else if (event.key === 'Escape' && text !== '') setText('')
    else if (event.key === 'Escape') field.current?.blur()
    else return
    event.preventDefault()
  }
  return (
    <search>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          onEnter()
        }}
      >
        <label className="flex h-12 items-center gap-3 rounded-lg bg-kumo-base px-4 shadow-xs ring ring-kumo-line focus-within:ring-2 focus-within:ring-kumo-brand">
          <MagnifyingGlassIcon size={20} className="shrink-0 text-kumo-subtle" aria-hidden />
          <span className="sr-only">Id, external id, e-mail address or name</span>
          <input
            ref={field}
            data-find=""
            className="h-full min-w-0 flex-1 bg-transparent text-base outline-none!"
            placeholder="Id, external id, e-mail address or name"
            value={text}
            autoComplete="off"
            spellCheck={false}
            dir="auto"
            onChange={(event) => setText(event.target.value)}
            onKeyDown={pressed}
          />
          <kbd className="hidden rounded bg-kumo-recessed px-1.5 py-0.5 font-mono text-xs text-kumo-subtle ring ring-kumo-line sm:block">
            /
          </kbd>
        </label>
      </form>
    </search>
  )
}

/** The tenant and mode that the search is within, each with the way out. */
function PlaceChips({ place, q }: { place: { tenantId: string; mode: Mode }; q: string }) {
  const search = q === '' ? {} : { q }
  const { tenantId: tenant } = place
  return (
    <nav aria-label="Where to search" className="mt-3 flex flex-wrap items-center gap-2">
      {(['live', 'test'] as const).map((mode) => (
        <Link
          key={mode}
          to="/"
          search={{ ...search, tenant, mode }}
          aria-current={place.mode === mode ? 'true' : undefined}
          className={`rounded-full px-3 py-1 ring ${place.mode === mode ? 'bg-kumo-contrast text-kumo-inverse ring-transparent' : 'bg-kumo-base ring-kumo-line hover:bg-kumo-tint'}`}
        >
          {mode}
        </Link>
      ))}
      <Link
        to="/"
        search={search}
        className="inline-flex items-center gap-1 rounded-full bg-kumo-base px-3 py-1 ring ring-kumo-line hover:bg-kumo-tint"
      >
        <XIcon size={12} aria-hidden /> Search all tenants
      </Link>
    </nav>
  )
}

/** Says what a search over all tenants has not looked at, and what to do about it. */
function LeftOut({ hasMore, isOfAllTenants }: { hasMore: boolean; isOfAllTenants: boolean }) {
  const lines = [
    ...(hasMore ? ['There may be more: type more of the name, or choose a tenant.'] : []),
    ...(isOfAllTenants
      ? []
      : [
          'Names are looked for in the 100 oldest tenants. Choose another one to find by name in it; ids and addresses are found in all.',
        ]),
  ]
  return lines.map((line) => (
    <p key={line} className="mt-3 text-kumo-subtle">
      {line}
    </p>
  ))
}

function Nothing({ q }: { q: string }) {
  return (
    <EmptyState
      icon={<MagnifyingGlassIcon size={40} aria-hidden />}
      title={`Nothing found for “${q}”`}
      description="Each word must be the beginning of a word of the name, the e-mail address, the external id or the id. Archived customers are found by their id."
    />
  )
}

function NoCustomers({ place }: { place: { tenantId: string; mode: Mode } }) {
  const { tenantId: tenant, mode } = place
  return (
    <EmptyState
      icon={<UserIcon size={40} aria-hidden />}
      title={`No ${mode} customers yet`}
      description="They appear here as soon as the tenant’s systems create them. A file of customers can be imported."
      contents={
        <Link to="/import" search={{ tenant, mode }} className={TEXT_LINK}>
          Import a file
        </Link>
      }
    />
  )
}
