/** Routes of the admin API, for operators. */

import type { HttpEnv } from '../../http/api.ts'
import { Hono } from '../../http/hono.ts'
import type { Services } from '../../http/services.ts'
import { audit } from './audit/routes.ts'
import { endpoints } from './endpoints/routes.ts'
import { health } from './health/routes.ts'
import { keys } from './keys/routes.ts'
import { operators } from './operators/routes.ts'
import { search } from './search/routes.ts'
import { session } from './session/routes.ts'
import { tenants } from './tenants/routes.ts'

export function admin(services: Services) {
  return new Hono<HttpEnv>()
    .route('/', tenants(services))
    .route('/', keys(services))
    .route('/', endpoints(services))
    .route('/', audit(services))
    .route('/', search(services))
    .route('/', operators(services))
    .route('/', session(services))
    .route('/', health(services))
}
