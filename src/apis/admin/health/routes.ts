/** The route that shows the state of the deployment. */

import type { HttpEnv } from '../../../http/api.ts'
import { Hono } from '../../../http/hono.ts'
import { respond } from '../../../http/respond.ts'
import type { Services } from '../../../http/services.ts'
import { healthContracts } from './contract.ts'
import { toAdminHealth } from './mapping.ts'

export function health(services: Services) {
  const { getHealth } = healthContracts
  return new Hono<HttpEnv>().get(
    getHealth.path,
    getHealth.handle(async (c) => respond(c, 200, toAdminHealth(await services.health(c.env)))),
  )
}
