/** The route of the search over all tenants. */

import type { HttpEnv } from '../../../http/api.ts'
import { Hono } from '../../../http/hono.ts'
import { respond } from '../../../http/respond.ts'
import type { Services } from '../../../http/services.ts'
import { searchContracts } from './contract.ts'
import { toAdminFound } from './mapping.ts'

export function search(services: Services) {
  const { search } = searchContracts
  return new Hono<HttpEnv>().get(
    search.path,
    search.handle(async (c, { query }) => respond(c, 200, toAdminFound(await services.search(c.env).find(query.q)))),
  )
}
