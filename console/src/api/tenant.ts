/**
 * A tenant, as several screens and the shell show it.
 */
import { queryOptions } from '@tanstack/react-query'
import { call } from './call.ts'
import { sendForEtag } from './send.ts'

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
