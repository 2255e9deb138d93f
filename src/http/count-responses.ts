/**
 * Counts the responses of the HTTP APIs. The label is the matched route in the router's form, so that callers cannot
 * create new labels: there are only as many labels as routes.
 */

import { matchedRoutes } from 'hono/route'
import type { RouterRoute } from 'hono/types'
import type { RouteLabel } from '../observability/request-counts.ts'
import type { Api, HttpContext } from './api.ts'
import type { Services } from './services.ts'

export type CountResponse = (c: HttpContext, status: number) => void

export function responseCounter(services: Services, apiAt: (path: string) => Api): CountResponse {
  const labels = new WeakMap<RouterRoute, RouteLabel>()

  return function countResponse(c, status) {
    const registry = c.get('registry')
    services.count(c, {
      // A request of an operator as a tenant is none of the tenant's.
      scope: c.get('operator') ? null : (registry?.scope ?? null),
      label: labelOf(c),
      status,
      source: registry?.facts.source ?? null,
      startedAtMs: c.get('nowMs'),
      io: registry?.io ?? null,
    })
  }

  /** Returns the label of the route. A path without a route gets that of its middleware, such as `ALL /v1/*`. */
  function labelOf(c: HttpContext): RouteLabel {
    const matched = matchedRoutes(c)
    const route = matched.find(({ method }) => method !== 'ALL') ?? (matched.at(-1) as RouterRoute)
    const known = labels.get(route)
    if (known) return known
    const label = { api: apiAt(route.path).name, route: `${route.method} ${route.path}` }
    labels.set(route, label)
    return label
  }
}
