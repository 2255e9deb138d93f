/**
 * `GET /healthz` and `GET /readyz`, for load balancers and monitors.
 */

import type { HttpEnv } from '../../http/api.ts'
import { Hono } from '../../http/hono.ts'
import { readiness } from '../../http/ready.ts'
import { respond } from '../../http/respond.ts'
import type { Services } from '../../http/services.ts'
import { serviceContracts } from './contract.ts'

export function service(services: Services) {
  const { health, readiness: ready } = serviceContracts

  return new Hono<HttpEnv>()
    .get(
      health.path,
      health.handle((c) => respond(c, 200, { status: 'ok' as const })),
    )
    .get(ready.path, ready.handle(readiness(services)))
}
