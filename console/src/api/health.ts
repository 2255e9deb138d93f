/**
 * How this Roster is, for the screens that show it.
 */
import { queryOptions } from '@tanstack/react-query'
import { call } from './call.ts'
import { send } from './send.ts'

export const healthQuery = queryOptions({
  queryKey: ['health'],
  queryFn: ({ signal }) => send(call('GET', '/admin/health'), signal),
  staleTime: 15_000,
})
