/**
 * Requests of the screen of operators.
 */
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { call } from './call.ts'
import { send } from './send.ts'

export const operatorsQuery = infiniteQueryOptions({
  queryKey: ['operators'],
  queryFn: ({ pageParam, signal }) =>
    send(call('GET', '/admin/operators', { query: { limit: 50, cursor: pageParam } }), signal),
  initialPageParam: null as string | null,
  getNextPageParam: ({ pagination }) => pagination.next_cursor,
})

export function operatorKeysQuery(operatorId: string) {
  return queryOptions({
    queryKey: ['operator-keys', operatorId],
    queryFn: ({ signal }) =>
      send(call('GET', '/admin/operators/:operator_id/keys', { param: { operator_id: operatorId } }), signal),
  })
}
