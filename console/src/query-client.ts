/**
 * The cache of answers.
 */
import { QueryClient } from '@tanstack/react-query'
import { meQuery } from './api/me.ts'
import { ApiError, whenUnauthorized } from './api/send.ts'

const RETRIES_MAX = 1

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      // An answer that says no says it again. What did not answer is asked once more.
      retry: (count, error) =>
        count < RETRIES_MAX && !(error instanceof ApiError && error.status > 0 && error.status < 500),
      staleTime: 5_000,
    },
  },
})

// A session that has ended shows at the next request, whichever it is: the shell then asks who is signed in, and finds nobody.
whenUnauthorized(() => {
  if (queryClient.getQueryData(meQuery.queryKey)) queryClient.setQueryData(meQuery.queryKey, null)
})
