/**
 * A tenant, as several screens and the shell show it.
 */
import { queryOptions } from '@tanstack/react-query'
import { call } from './call.ts'
import { ApiError, send, sendForEtag } from './send.ts'

/** The tenant with its etag. For operators. */
export function tenantQuery(tenantId: string) {
  return queryOptions({
    queryKey: ['tenant', tenantId],
    queryFn: async ({ signal }) => {
      const { body, etag } = await sendForEtag(
        call('GET', '/admin/customers/:customer_id', { param: { customer_id: tenantId } }),
        signal,
      )
      return { ...body, etag }
    },
  })
}

/** How often a move under way is looked at. */
const MOVE_REFRESH_MS = 1_000

/** The last move of a tenant to another database; null if it was never moved. For operators. */
export function moveQuery(tenantId: string) {
  return queryOptions({
    queryKey: ['move', tenantId],
    queryFn: async ({ signal }) => {
      try {
        return await send(
          call('GET', '/admin/customers/:customer_id/move', { param: { customer_id: tenantId } }),
          signal,
        )
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return null
        throw error
      }
    },
    refetchInterval: ({ state }) => (state.data && state.data.ended_at === null ? MOVE_REFRESH_MS : false),
  })
}

export type TenantMove = NonNullable<Awaited<ReturnType<NonNullable<ReturnType<typeof moveQuery>['queryFn']>>>>
