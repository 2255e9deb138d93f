/** Contract of the route of the search over all tenants. */
import * as z from 'zod'
import { contract } from '../../../http/contract.ts'
import { requiredText } from '../../../validation/fields.ts'

const SEARCH_LENGTH_MAX = 255

export const searchContracts = {
  search: contract({
    scope: null,
    touches: null,
    role: 'viewer',
    method: 'get',
    path: '/admin/search',
    query: () => z.strictObject({ q: requiredText(SEARCH_LENGTH_MAX) }),
  }),
}
