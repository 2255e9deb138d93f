/**
 * A customer and what belongs to it, for the screens about one customer.
 */
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import type { EndpointName } from '../lib/customer-timeline.ts'
import { call, type Place } from './call.ts'
import { type Me, placeFor } from './me.ts'
import { ApiError, send, sendForEtag } from './send.ts'

export interface CustomerPlace extends Place {
  customerId: string
}

const EXPANSIONS = 'parent_customer,children,integrations,aliases'
const EVENTS_PAGE = 50
const OPERATORS_MAX = 100
/** Deliveries that are looked at, of each endpoint: its latest. */
export const DELIVERIES_MAX = 100

/** Returns the call that reads the customer with everything about it. */
export function customerCall(me: Me, { customerId: id, ...place }: CustomerPlace) {
  return call('GET', '/v1/customers/:id', { param: { id }, query: { expand: EXPANSIONS }, ...placeFor(me, place) })
}

/** The customer with its expansions. */
export function customerQuery(me: Me, place: CustomerPlace) {
  return queryOptions({
    queryKey: ['customer', place.tenantId, place.mode, place.customerId],
    queryFn: async ({ signal }) => send(customerCall(me, place), signal),
  })
}

/** The customer alone with its etag: that of a read with expansions covers them too, and fits no change. */
export function versionQuery(me: Me, { customerId: id, ...place }: CustomerPlace) {
  return queryOptions({
    queryKey: ['customer', place.tenantId, place.mode, id, 'version'],
    queryFn: async ({ signal }) => {
      const { body, etag } = await sendForEtag(
        call('GET', '/v1/customers/:id', { param: { id }, ...placeFor(me, place) }),
        signal,
      )
      return { customer: body, etag }
    },
  })
}

/**
 * The customer with its integrations, and the etag of that same version. It takes two reads, which are repeated if a change
 * came between them.
 */
export function currentQuery(me: Me, { customerId: id, ...place }: CustomerPlace) {
  return queryOptions({
    queryKey: ['customer', place.tenantId, place.mode, id, 'current'],
    staleTime: 0,
    queryFn: async ({ signal }) => {
      const read = (expand?: string) =>
        call('GET', '/v1/customers/:id', { param: { id }, query: { expand }, ...placeFor(me, place) })
      for (;;) {
        const [alone, expanded] = await Promise.all([sendForEtag(read(), signal), send(read('integrations'), signal)])
        if (alone.body.updated_at === expanded.updated_at) return { customer: expanded, etag: alone.etag }
      }
    },
  })
}

/** Returns the call that reads the customer as it was in a version. */
export function pastCall(me: Me, { customerId: id, ...place }: CustomerPlace, version: number) {
  const query = { version, expand: 'parent_customer,integrations' }
  return call('GET', '/v1/customers/:id', { param: { id }, query, ...placeFor(me, place) })
}

export function pastQuery(me: Me, place: CustomerPlace, version: number) {
  return queryOptions({
    queryKey: ['customer', place.tenantId, place.mode, place.customerId, 'past', version],
    queryFn: ({ signal }) => send(pastCall(me, place, version), signal),
  })
}

/** Returns the call that lists who may be the same customer. */
export function duplicatesCall(me: Me, { customerId: id, ...place }: CustomerPlace) {
  return call('GET', '/v1/customers/:id/duplicates', { param: { id }, ...placeFor(me, place) })
}

export function duplicatesQuery(me: Me, place: CustomerPlace) {
  return queryOptions({
    queryKey: ['customer', place.tenantId, place.mode, place.customerId, 'duplicates'],
    queryFn: async ({ signal }) => (await send(duplicatesCall(me, place), signal)).items,
  })
}

export function eventsQuery(me: Me, { customerId: id, ...place }: CustomerPlace) {
  return infiniteQueryOptions({
    queryKey: ['customer', place.tenantId, place.mode, id, 'events'],
    initialPageParam: '',
    queryFn: ({ signal, pageParam: cursor }) =>
      send(
        call('GET', '/v1/customers/:id/events', {
          param: { id },
          query: { limit: EVENTS_PAGE, cursor },
          ...placeFor(me, place),
        }),
        signal,
      ),
    getNextPageParam: ({ pagination }) => pagination.next_cursor ?? undefined,
  })
}

/** Reasons by event. Only operators see them: a tenant's log does not have them. */
export function reasonsQuery(me: Me, { customerId, tenantId }: CustomerPlace) {
  return queryOptions({
    queryKey: ['audit', 'customer', tenantId, customerId],
    enabled: me.kind === 'operator',
    queryFn: async ({ signal }) => {
      const query = { tenant_id: tenantId, customer_id: customerId, limit: EVENTS_PAGE }
      const { items } = await send(call('GET', '/admin/audit', { query }), signal)
      return items.map(({ id, reason }) => ({ id, reason }))
    },
  })
}

/** Deliveries of the customer's events: those among the latest of each endpoint. Empty if the key may not read them. */
export function deliveriesQuery(me: Me, { customerId, ...place }: CustomerPlace) {
  return queryOptions({
    queryKey: ['customer', place.tenantId, place.mode, customerId, 'deliveries'],
    queryFn: async ({ signal }) => {
      const at = placeFor(me, place)
      try {
        const { items } = await send(call('GET', '/v1/webhooks/endpoints', at), signal)
        const lists = await Promise.all(
          items.map(async (endpoint: EndpointName) => {
            const param = { endpoint_id: endpoint.id }
            const path = '/v1/webhooks/endpoints/:endpoint_id/deliveries'
            const page = await send(call('GET', path, { param, query: { limit: DELIVERIES_MAX }, ...at }), signal)
            return page.items
              .filter((delivery) => delivery.customer_id === customerId)
              .map((delivery) => ({ endpoint, delivery }))
          }),
        )
        return lists.flat()
      } catch (error) {
        if (error instanceof ApiError && error.status === 403) return []
        throw error
      }
    },
  })
}

/** The onboarding of the customer; null if it never had one. */
export function onboardingQuery(me: Me, { customerId: id, ...place }: CustomerPlace) {
  return queryOptions({
    queryKey: ['customer', place.tenantId, place.mode, id, 'onboarding'],
    queryFn: async ({ signal }) => {
      try {
        return await send(
          call('GET', '/v1/customers/:id/onboarding', { param: { id }, ...placeFor(me, place) }),
          signal,
        )
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) return null
        throw error
      }
    },
  })
}

/** Names of operators by their ids. Only owners may read them; others see the ids. */
export function operatorNamesQuery(me: Me) {
  return queryOptions({
    queryKey: ['operators', 'names'],
    enabled: me.kind === 'operator' && me.role === 'owner',
    staleTime: 60_000,
    queryFn: async ({ signal }): Promise<Record<string, string>> => {
      const { items } = await send(call('GET', '/admin/operators', { query: { limit: OPERATORS_MAX } }), signal)
      return Object.fromEntries(items.map(({ operator_id, name }) => [operator_id, name]))
    },
  })
}

/** Names of the tenant's keys by their ids, for "by key billing". */
export function keyNamesQuery(me: Me, tenantId: string) {
  return queryOptions({
    queryKey: ['tenant', tenantId, 'key-names'],
    staleTime: 60_000,
    queryFn: async ({ signal }): Promise<Record<string, string>> => {
      const keys =
        me.kind === 'operator'
          ? await send(call('GET', '/admin/customers/:customer_id/keys', { param: { customer_id: tenantId } }), signal)
          : await send(call('GET', '/v1/tenant/keys'), signal)
      return Object.fromEntries(keys.items.map(({ key_id, name }) => [key_id, name]))
    },
  })
}
