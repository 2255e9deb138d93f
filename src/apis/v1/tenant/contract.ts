/**
 * Contracts of the routes where a caller sees the tenant that it belongs to. Any key of the tenant is enough, because
 * they show no customer, and no key that could be used.
 */
import * as z from 'zod'
import { contract } from '../../../http/contract.ts'
import { cursor, pageLimit } from '../../../validation/fields.ts'

const ANY_KEY = { method: 'get', scope: [], role: 'viewer', touches: null } as const
const LIMIT_MAX = 100
const LIMIT_DEFAULT = 50

export const tenantContracts = {
  get: contract({ ...ANY_KEY, path: '/v1/tenant' }),
  usage: contract({ ...ANY_KEY, path: '/v1/tenant/usage' }),
  listKeys: contract({
    ...ANY_KEY,
    path: '/v1/tenant/keys',
    query: () => z.strictObject({ limit: pageLimit(LIMIT_MAX, LIMIT_DEFAULT), cursor: cursor.optional() }),
  }),
}
