/**
 * The HTTP side of Roster: which path is which door, and what happens to a path that is none.
 */
import { Hono } from 'hono'
import { TrieRouter } from 'hono/router/trie-router'
import { adminAudit } from '../dialects/admin-customers/audit.ts'
import { adminDoor } from '../dialects/admin-customers/failures.ts'
import { adminCustomers } from '../dialects/admin-customers/routes.ts'
import { flatpeakDoor } from '../dialects/customers/failures.ts'
import { flatpeakCustomers, flatpeakLogin } from '../dialects/customers/routes.ts'
import { v1Door } from '../dialects/v1-customers/failures.ts'
import { v1Customers } from '../dialects/v1-customers/routes.ts'
import { v1CustomerEvents, v1Events } from '../dialects/v1-events/routes.ts'
import { v1CustomerOnboarding, v1OnboardingSettings } from '../dialects/v1-onboarding/routes.ts'
import { v1Webhooks } from '../dialects/v1-webhooks/routes.ts'
import { Refused } from '../registry/failures.ts'
import { prefers } from '../shared/prefer.ts'
import { serverTiming } from '../watching/io-times.ts'
import type { Wiring } from '../wiring.ts'
import { answer, errorHandler } from './answer.ts'
import { answerCounter } from './answer-count.ts'
import { authenticate } from './authenticate.ts'
import { authenticateAdmin } from './authenticate-admin.ts'
import { withCors } from './cors.ts'
import type { Door, HttpEnv } from './door.ts'
import { readiness } from './ready.ts'
import { requestIdOf } from './request-id.ts'

/** Every route with its parameters and bodies, as types: `client.ts` makes a client of it. */
export type AppType = ReturnType<typeof createApp>

export function createApp(wiring: Wiring) {
  const app = new Hono<HttpEnv>()
  const countAnswer = answerCounter(wiring, doorAt)

  app.use(function requestContext(c, next) {
    c.set('nowMs', wiring.clock())
    c.set('requestId', requestIdOf(c.req.raw.headers.get('x-request-id')))
    const { corsOrigins, analytics } = wiring.bindings(c.env)
    if (analytics) c.set('countAnswer', countAnswer)
    if (prefers(c.req.raw.headers.get('prefer'), 'server-timing')) {
      c.set('serverTiming', () => serverTiming(c.get('registry')?.io ?? null, wiring.clock() - c.get('nowMs')))
    }
    return corsOrigins === null ? next() : withCors(corsOrigins, c, next)
  })
  app.use('/v1/*', authenticate(wiring))
  app.use('/customers/*', authenticate(wiring))
  app.use('/admin/*', authenticateAdmin(wiring))

  const served = app
    .get('/healthz', (c) => answer(c, 200, { status: 'ok' }))
    .get('/readyz', readiness(wiring))
    .route('/v1/customers', v1Customers(wiring))
    .route('/v1/customers', v1CustomerEvents(wiring))
    .route('/v1/customers', v1CustomerOnboarding(wiring))
    .route('/v1/events', v1Events(wiring))
    .route('/v1/webhooks/endpoints', v1Webhooks(wiring))
    .route('/v1/settings/customer_onboarding', v1OnboardingSettings(wiring))
    .route('/customers', flatpeakCustomers(wiring))
    .route('/login', flatpeakLogin(wiring))
    .route('/admin/customers', adminCustomers(wiring))
    .route('/admin/audit', adminAudit(wiring))

  const allowedMethods = methodTable(app)
  app.notFound((c) => {
    const allowed = allowedMethods(c.req.path)
    throw new Refused(allowed.length > 0 ? { reason: 'method_not_allowed', allowed } : { reason: 'no_such_route' })
  })
  app.onError((error, c) => errorHandler(doorAt(c.req.path))(error, c))
  return served
}

/** Whose words a path is answered in. */
function doorAt(path: string): Door {
  if (path.startsWith('/admin')) return adminDoor
  if (path === '/customers' || path === '/login' || path.startsWith('/customers/')) return flatpeakDoor
  return v1Door
}

/** Which methods a path has, in the order they were routed; empty for no such path. */
function methodTable(app: Hono<HttpEnv>): (path: string) => string[] {
  const router = new TrieRouter<string>()
  for (const route of app.routes) if (route.method !== 'ALL') router.add('ANY', route.path, route.method)
  return function methodsAt(path) {
    const methods = new Set(router.match('ANY', path)[0].map(([method]) => method))
    if (methods.has('GET')) methods.add('HEAD')
    return [...methods]
  }
}
