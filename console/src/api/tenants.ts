/**
 * Requests of the screens of tenants, for operators and for a tenant that has signed in with its own key.
 */
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { call, type Mode } from './call.ts'
import { keepRows } from './keep-rows.ts'
import type { Me } from './me.ts'
import type { ModeUsage, TenantKey } from './routes.ts'
import { send } from './send.ts'

/** Long enough that a list asks each gate once. */
const USAGE_STALE_MS = 30_000

export interface TenantFilter {
  search?: string | undefined
  status?: string | undefined
  tier?: string | undefined
}

export function tenantsQuery(filter: TenantFilter) {
  return infiniteQueryOptions({
    queryKey: ['tenants', filter],
    placeholderData: keepRows('tenants'),
    queryFn: ({ pageParam, signal }) =>
      send(call('GET', '/admin/customers', { query: { ...filter, limit: 25, cursor: pageParam } }), signal),
    initialPageParam: null as string | null,
    getNextPageParam: ({ pagination }) => pagination.next_cursor,
  })
}

/** Usage of each mode that the caller may see. */
export type Usage = Partial<Record<Mode, ModeUsage>>

export function usageQuery(me: Me, tenantId: string) {
  return queryOptions({
    queryKey: ['tenant', tenantId, 'usage'],
    staleTime: USAGE_STALE_MS,
    queryFn: async ({ signal }): Promise<Usage> => {
      if (me.kind === 'tenant') return { [me.mode]: await send(call('GET', '/v1/tenant/usage'), signal) }
      const param = { customer_id: tenantId }
      const { live, test } = await send(call('GET', '/admin/customers/:customer_id/usage', { param }), signal)
      return { live, test }
    },
  })
}

export function keysQuery(me: Me, tenantId: string) {
  return infiniteQueryOptions({
    queryKey: ['tenant', tenantId, 'keys'],
    queryFn: async ({ pageParam, signal }): Promise<{ items: TenantKey[]; next: string | null }> => {
      const query = { limit: 50, cursor: pageParam }
      if (me.kind === 'tenant') {
        const { items, pagination } = await send(call('GET', '/v1/tenant/keys', { query }), signal)
        return { items, next: pagination.next_cursor }
      }
      const param = { customer_id: tenantId }
      const { items, pagination } = await send(
        call('GET', '/admin/customers/:customer_id/keys', { param, query }),
        signal,
      )
      return { items, next: pagination.next_cursor }
    },
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
  })
}

/** A webhook endpoint with the mode that it belongs to. */
export interface ShownEndpoint {
  id: string
  url: string
  description: string
  event_types: string[] | null
  enabled: boolean
  status: 'ok' | 'failing' | 'disabled'
  disabled_reason: string | null
  failing_since: string | null
  created_at: string
  updated_at: string
  mode: Mode
}

export function endpointsQuery(me: Me, tenantId: string) {
  return queryOptions({
    queryKey: ['tenant', tenantId, 'endpoints'],
    queryFn: async ({ signal }): Promise<ShownEndpoint[]> => {
      if (me.kind === 'tenant') {
        const { items } = await send(call('GET', '/v1/webhooks/endpoints'), signal)
        return items.map((endpoint) => ({ ...endpoint, mode: me.mode }))
      }
      const param = { customer_id: tenantId }
      const { items } = await send(call('GET', '/admin/customers/:customer_id/webhooks/endpoints', { param }), signal)
      return items
    },
  })
}

/** A step; which further fields it has follows from its type. */
export interface ShownStep {
  type: string
  name: string | null
  metadata?: Record<string, string | null> | undefined
  url?: string | undefined
  seconds?: number | undefined
  signal?: string | undefined
  timeout_seconds?: number | undefined
}

interface ShownWorkflow {
  steps: readonly ShownStep[]
}

interface ShownOnboarding {
  workflows: Record<string, ShownWorkflow>
  updated_at: string | null
  updated_by: string | null
}

export function onboardingQuery(me: Me, tenantId: string) {
  return queryOptions({
    queryKey: ['tenant', tenantId, 'onboarding'],
    queryFn: async ({ signal }): Promise<Partial<Record<Mode, ShownOnboarding>>> => {
      if (me.kind === 'tenant') {
        return { [me.mode]: await send(call('GET', '/v1/settings/customer_onboarding'), signal) }
      }
      const param = { customer_id: tenantId }
      return send(call('GET', '/admin/customers/:customer_id/settings/customer_onboarding', { param }), signal)
    },
  })
}
