/**
 * The HTTP app of Roster: the APIs with their paths, and the responses for paths and methods that no API has.
 */

import { TrieRouter } from 'hono/router/trie-router'
import { adminApi } from './apis/admin/errors.ts'
import { admin } from './apis/admin/routes.ts'
import { signIn } from './apis/admin/session/routes.ts'
import { flatpeakApi } from './apis/flatpeak/errors.ts'
import { flatpeakLogin } from './apis/flatpeak/login.ts'
import { flatpeakCustomers } from './apis/flatpeak/routes.ts'
import { service } from './apis/service/routes.ts'
import { v1Customers } from './apis/v1/customers/routes.ts'
import { v1Api } from './apis/v1/errors.ts'
import { v1Events } from './apis/v1/events/routes.ts'
import { notSupportedAt } from './apis/v1/not-supported.ts'
import { v1Onboarding } from './apis/v1/onboarding/routes.ts'
import { v1Tenant } from './apis/v1/tenant/routes.ts'
import { v1Webhooks } from './apis/v1/webhooks/routes.ts'
import type { Bindings } from './env.ts'
import type { Api, Deployment, HttpContext, HttpEnv } from './http/api.ts'
import { authenticate } from './http/authenticate.ts'
import { authenticateOperator, operatorIdentifier } from './http/authenticate-operator.ts'
import { withCors } from './http/cors.ts'
import { type CountResponse, responseCounter } from './http/count-responses.ts'
import { Hono } from './http/hono.ts'
import { preferencesIn, prefers } from './http/prefer.ts'
import { requestIdOf } from './http/request-id.ts'
import { errorHandler, respond } from './http/respond.ts'
import type { HotRoute } from './http/router.ts'
import type { Services } from './http/services.ts'
import { serverTiming } from './observability/io-times.ts'
import { RegistryError } from './registry/errors.ts'

/** Reads and changes of one customer, by its id and by its external id. */
const HOT_ROUTES: readonly HotRoute[] = ['GET', 'PUT'].flatMap((method) => [
  { method, prefix: '/v1/customers/cust_', path: '/v1/customers/:id' },
  { method, prefix: '/v1/customers/external/', path: '/v1/customers/external/:external_id' },
])

/** Every route with its parameters and bodies, as a type. `client.ts` makes a client of it. */
export type AppType = ReturnType<typeof createApp>

export function createApp(services: Services) {
  const app = new Hono<HttpEnv>({
    hotRoutes: HOT_ROUTES,
    onError: (error, c) => errorHandler(apiAt(c.req.path), services.countError)(error, c),
  })
  const deploymentOf = deploymentReader(responseCounter(services, apiAt))
  const operators = operatorIdentifier(services)

  app.use(function requestContext(c, next) {
    c.set('nowMs', services.clock())
    c.set('requestId', requestIdOf(c.req.raw.headers.get('x-request-id')))
    const bindings = services.bindings(c.env)
    c.set('deployment', deploymentOf(bindings))
    const { allowedHosts, corsOrigins } = bindings
    if (allowedHosts && !allowedHosts.has(new URL(c.req.url).hostname)) return respondMisdirected(c, allowedHosts)
    services.storeDueErrors(c)
    const prefer = c.req.raw.headers.get('prefer')
    if (prefer !== null) notePreferences(c, prefer)
    return corsOrigins === null ? next() : withCors(corsOrigins, c, next)
  })

  function notePreferences(c: HttpContext, prefer: string): void {
    c.set('preferences', preferencesIn(prefer))
    if (!prefers(c, 'server-timing')) return
    c.set('serverTiming', () => serverTiming(c.get('registry')?.io ?? null, services.clock() - c.get('nowMs')))
  }

  app.use('/v1/*', authenticate(services, operators.identifyOperator))
  app.use('/customers/*', authenticate(services, operators.identifyOperator))
  // Before the middleware, which would refuse a caller that proves in the body who it is.
  const withSignIn = app.route('/', signIn(services, operators))
  app.use('/admin/*', authenticateOperator(operators.identifyOperator))

  const served = withSignIn
    .route('/', service(services))
    .route('/', v1Customers(services))
    .route('/', v1Events(services))
    .route('/', v1Webhooks(services))
    .route('/', v1Onboarding(services))
    .route('/', v1Tenant(services))
    .route('/', flatpeakCustomers())
    .route('/', flatpeakLogin(services))
    .route('/', admin(services))

  const allowedMethods = methodTable(app)
  app.notFound((c) => {
    const allowed = allowedMethods(c.req.path)
    if (allowed.length > 0) throw new RegistryError({ reason: 'method_not_allowed', allowed })
    throw new RegistryError(notSupportedAt(c.req.path) ?? { reason: 'no_such_route' })
  })
  return served
}

/** Returns a function that returns the same object for all requests to a deployment. */
function deploymentReader(countResponse: CountResponse): (bindings: Bindings) => Deployment {
  const known = new WeakMap<Bindings, Deployment>()
  return function deploymentOf(bindings) {
    let deployment = known.get(bindings)
    if (!deployment) {
      deployment = { signingSecrets: bindings.signingSecrets, countResponse: bindings.analytics && countResponse }
      known.set(bindings, deployment)
    }
    return deployment
  }
}

/** Responds to a request for another host than those of this Worker, with any key. */
async function respondMisdirected(c: HttpContext, hosts: ReadonlySet<string>): Promise<Response> {
  return respond(c, 421, { message: `Roster is served here as ${[...hosts].join(', ')} alone (ALLOWED_HOSTS)` })
}

/** Returns the API in whose format Roster responds to failures at a path. */
function apiAt(path: string): Api {
  if (path.startsWith('/admin')) return adminApi
  if (path === '/customers' || path === '/login' || path.startsWith('/customers/')) return flatpeakApi
  return v1Api
}

/**
 * Returns a function that lists the methods of a path in the order of their routes. The list is empty for no such path.
 */
function methodTable(app: Hono<HttpEnv>): (path: string) => string[] {
  let router: TrieRouter<string> | null = null
  return function methodsAt(path) {
    if (!router) {
      router = new TrieRouter()
      for (const route of app.routes) if (route.method !== 'ALL') router.add('ANY', route.path, route.method)
    }
    const methods = new Set(router.match('ANY', path)[0].map(([method]) => method))
    if (methods.has('GET')) methods.add('HEAD')
    return [...methods]
  }
}
