/**
 * The rows for a search: from the v1 API within a tenant, else from the search over all tenants.
 */
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import type { Tenant } from 'roster/client'
import { call, type Mode } from '../../api/call.ts'
import { keepRows } from '../../api/keep-rows.ts'
import { placeFor, useMe } from '../../api/me.ts'
import { send } from '../../api/send.ts'
import { tenantQuery } from '../../api/tenant.ts'
import { exactFirst, type FoundCustomer, foundOf, type Total } from '../../lib/find.ts'

const PAGE = 50
const TENANTS_MAX = 8

interface Limits {
  hasMore: boolean
  isOfAllTenants: boolean
}

/** A search within a tenant has all of it, page by page. */
const NO_LIMITS: Limits = { hasMore: false, isOfAllTenants: true }

interface FoundRows {
  customers: FoundCustomer[]
  tenants: Tenant[]
  companyName: string | null
  /** Says if a search over all tenants has left something out. */
  limits: Limits
  error: unknown
  isPending: boolean
  /** The rows are those of the search before, while this one is under way. */
  isStale: boolean
  retry: () => void
  /** Null across tenants: nobody counts them. */
  total: Total | null
  loadMore: (() => void) | null
  isLoadingMore: boolean
}

export function useFound(q: string, place: { tenantId: string; mode: Mode } | null): FoundRows {
  const across = useAcross(q, place === null)
  const within = useWithin(q, place)
  return place === null ? across : within
}

function useAcross(q: string, isEnabled: boolean): FoundRows {
  const { data, error, isFetching, isPlaceholderData, refetch } = useQuery({
    queryKey: ['search', q],
    enabled: isEnabled && q !== '',
    placeholderData: keepRows('search'),
    queryFn: async ({ signal }) => {
      const [found, named] = await Promise.all([
        send(call('GET', '/admin/search', { query: { q } }), signal),
        send(call('GET', '/admin/customers', { query: { search: q, limit: TENANTS_MAX } }), signal),
      ])
      const tenants = new Map(
        [...found.tenants, ...named.items].map((tenant) => [tenant.customer_id, tenant as Tenant]),
      )
      const customers = found.customers.map((customer) => ({
        id: customer.customer_id,
        externalId: customer.external_id,
        name: customer.name ?? '',
        email: customer.email ?? '',
        status: customer.status,
        tenantId: customer.tenant_id,
        companyName: customer.company_name,
        mode: customer.mode,
      }))
      return {
        customers: exactFirst(q, customers),
        tenants: [...tenants.values()],
        limits: { hasMore: found.has_more, isOfAllTenants: found.all_tenants_searched },
      }
    },
  })
  const isShown = q !== ''
  return {
    customers: (isShown && data?.customers) || [],
    tenants: (isShown && data?.tenants) || [],
    companyName: null,
    limits: (isShown && data?.limits) || NO_LIMITS,
    error,
    isPending: isShown && isFetching,
    isStale: isPlaceholderData,
    retry: refetch,
    total: null,
    loadMore: null,
    isLoadingMore: false,
  }
}

function useWithin(q: string, place: { tenantId: string; mode: Mode } | null): FoundRows {
  const me = useMe()
  const { tenantId, mode } = place ?? { tenantId: '', mode: 'live' as const }
  const isOperator = me.kind === 'operator'
  const { data: tenant } = useQuery({ ...tenantQuery(tenantId), enabled: place !== null && isOperator })
  const pages = useInfiniteQuery({
    queryKey: ['customers', tenantId, mode, q],
    enabled: place !== null,
    placeholderData: keepRows('customers', tenantId, mode),
    initialPageParam: '',
    queryFn: ({ signal, pageParam: cursor }) =>
      send(
        call('GET', '/v1/customers', { query: { q, limit: PAGE, cursor }, ...placeFor(me, { tenantId, mode }) }),
        signal,
      ),
    getNextPageParam: ({ pagination }) => pagination.next_cursor ?? undefined,
  })
  const items = pages.data?.pages.flatMap((page) => page.items) ?? []
  const customers = items.map((customer) => foundOf(customer, { tenantId, mode }))
  const pagination = pages.data?.pages[0]?.pagination
  return {
    customers: q === '' ? customers : exactFirst(q, customers),
    tenants: [],
    companyName: isOperator ? (tenant?.company_name ?? null) : me.name,
    limits: NO_LIMITS,
    error: pages.error,
    isPending: pages.isFetching,
    isStale: pages.isPlaceholderData,
    retry: pages.refetch,
    total: pagination ? { customers: pagination.total, isCapped: pagination.total_is_capped === true } : null,
    loadMore: pages.hasNextPage ? () => pages.fetchNextPage() : null,
    isLoadingMore: pages.isFetchingNextPage,
  }
}
